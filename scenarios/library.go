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
//go:embed library/*.yaml
var library embed.FS

// libraryDir is where they are, within the library and within this package.
const libraryDir = "library"

// ErrUnknownScenario is wrapped by the error of [Named] for a name that no
// embedded scenario has.
var ErrUnknownScenario = errors.New("unknown scenario")

// Names returns the names of the embedded scenarios, sorted.
func Names() []string {
	entries, err := fs.ReadDir(library, libraryDir)
	if err != nil {
		panic("the embedded library has its directory: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
	}
	slices.Sort(names)
	return names
}

// Manifests returns the text of an embedded scenario: multi-document YAML as
// [Load] reads it, commented, and a good start for one's own. The error is as for [Named].
func Manifests(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("%w %q%s; the embedded ones are %s", ErrUnknownScenario, shorten(name), didYouMean(name, Names()), quotedList(Names()))
	}
	return library.ReadFile(path.Join(libraryDir, name+".yaml"))
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
	s, err := Read(bytes.NewReader(text), path.Join(libraryDir, name+".yaml"), opts...)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}
