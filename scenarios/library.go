package scenarios

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// library holds the embedded scenarios, a file each, called as its scenario is.
//
//go:embed library/*.yaml library/timelines/*.yaml
var library embed.FS

// libraryDir is where they are, within the library and within this package;
// those of a long time are in timelinesDir.
const (
	libraryDir   = "library"
	timelinesDir = "library/timelines"
)

// ErrUnknownScenario is wrapped by the error of [Named] for a name that no
// embedded scenario has.
var ErrUnknownScenario = errors.New("unknown scenario")

// Names returns the names of the embedded scenarios of one moment, sorted.
func Names() []string { return namesIn(libraryDir) }

// Timelines returns the names of the embedded scenarios that last: replays play
// them. They are sorted, and none of [Names].
func Timelines() []string { return namesIn(timelinesDir) }

func namesIn(dir string) []string {
	entries, err := fs.ReadDir(library, dir)
	if err != nil {
		panic("the embedded library has its directory: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
		}
	}
	slices.Sort(names)
	return names
}

// libraryFile returns the file of an embedded scenario, "" for an unknown name.
func libraryFile(name string) string {
	switch {
	case slices.Contains(Names(), name):
		return path.Join(libraryDir, name+".yaml")
	case slices.Contains(Timelines(), name):
		return path.Join(timelinesDir, name+".yaml")
	default:
		return ""
	}
}

// Manifests returns the text of an embedded scenario: multi-document YAML as
// [Load] reads it, commented, and a good start for one's own. The error is as for [Named].
func Manifests(name string) ([]byte, error) {
	file := libraryFile(name)
	if file == "" {
		all := slices.Concat(Names(), Timelines())
		return nil, fmt.Errorf("%w %q%s; the embedded ones are %s", ErrUnknownScenario, shorten(name), didYouMean(name, all), quotedList(all))
	}
	return library.ReadFile(file)
}

// Named loads an embedded scenario; options are those of [Load]. [WithRegion]
// moves it to another region, where that has the instance types and the zones
// that its node groups name. An unknown name is an error that wraps
// [ErrUnknownScenario] and suggests the nearest one.
func Named(name string, opts ...Option) (*Scenario, error) {
	text, err := Manifests(name)
	if err != nil {
		return nil, err
	}
	s, err := Read(bytes.NewReader(text), libraryFile(name), opts...)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}
