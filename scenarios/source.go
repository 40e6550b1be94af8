package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// source is the text of one file, as UTF-8 without byte order mark and with
// line ends of one character.
type source struct {
	name string // for messages
	dir  string // what relative paths in it start from; "" if it is no file
	json bool   // by its name
	data []byte
}

// errTooLarge says that the input exceeds the limit of WithMaxBytes.
var errTooLarge = errors.New("too large")

// sources reads everything under a path: a directory's manifests in order of
// their paths, one file, or standard input for "-". It returns an error only if
// the path itself cannot be opened; files in a directory that cannot be read
// are problems.
func (l *loader) sources(path string) ([]source, error) {
	if path == "-" {
		return l.sourceFrom(l.stdin, "stdin", ""), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return l.sourceFile(path)
	}
	var out []source
	found := false
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			l.problem(Problem{File: file, Message: err.Error()})
			return nil
		case file != path && strings.HasPrefix(entry.Name(), "."):
			// Editors, git and mounted ConfigMaps keep what is not meant here in hidden entries.
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !isManifest(file):
			return l.checkLink(file, entry)
		}
		found = true
		if info, err := os.Stat(file); err != nil {
			l.problem(Problem{File: file, Message: err.Error()})
			return nil
		} else if !info.Mode().IsRegular() {
			l.warn(file, "is no regular file and is not read")
			return nil
		}
		read, err := l.sourceFile(file)
		if err != nil {
			l.problem(Problem{File: file, Message: err.Error()})
			return nil
		}
		out = append(out, read...)
		if l.remaining < 0 {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		l.problem(Problem{File: path, Message: "the directory holds no .yaml, .yml or .json file"})
	}
	return out, nil
}

// checkLink warns of a link to a directory: links are not followed there, so
// that a loop of them cannot be.
func (l *loader) checkLink(file string, entry fs.DirEntry) error {
	if entry.Type()&fs.ModeSymlink == 0 {
		return nil
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		l.warn(file, "is a link to a directory and is not followed")
	}
	return nil
}

func isManifest(file string) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func (l *loader) sourceFile(file string) ([]source, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return l.sourceFrom(f, file, filepath.Dir(file)), nil
}

// sourceFrom reads a whole reader within what remains of the limit. It returns
// no source if the text cannot be used; the problem is then noted.
func (l *loader) sourceFrom(r io.Reader, name, dir string) []source {
	data, err := l.readAll(r)
	switch {
	case errors.Is(err, errTooLarge):
		l.problem(Problem{File: name, Message: fmt.Sprintf(
			"the input is larger than %d bytes, the limit (option WithMaxBytes raises it)", l.maxBytes)})
		return nil
	case err != nil:
		l.problem(Problem{File: name, Message: "cannot be read: " + err.Error()})
		return nil
	}
	text, message := normalize(data)
	if message != "" {
		l.problem(Problem{File: name, Message: message})
		return nil
	}
	return []source{{name: name, dir: dir, json: strings.EqualFold(filepath.Ext(name), ".json"), data: text}}
}

func (l *loader) readAll(r io.Reader) ([]byte, error) {
	if r == nil {
		return nil, errors.New("there is no reader")
	}
	data, err := io.ReadAll(io.LimitReader(r, l.remaining+1))
	l.remaining -= int64(len(data))
	if err == nil && l.remaining < 0 {
		err = errTooLarge
	}
	return data, err
}

// normalize returns text as UTF-8 without a byte order mark and with \n for
// \r\n. UTF-16 is accepted with a mark: a redirect in PowerShell writes it. For
// text that is neither, and for control characters that no manifest holds, it
// returns a message.
func normalize(data []byte) (text []byte, message string) {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		data = fromUTF16(data)
	}
	if !utf8.Valid(data) {
		at := 0
		for rest := data; ; {
			r, n := utf8.DecodeRune(rest)
			if r == utf8.RuneError && n <= 1 {
				break
			}
			rest, at = rest[n:], at+n
		}
		return nil, fmt.Sprintf("line %d: byte 0x%02x is not UTF-8 text", 1+bytes.Count(data[:at], []byte{'\n'}), data[at])
	}
	if at := bytes.IndexByte(data, 0); at >= 0 {
		return nil, fmt.Sprintf("line %d: a NUL byte: this is no text", 1+bytes.Count(data[:at], []byte{'\n'}))
	}
	if bytes.IndexByte(data, '\r') >= 0 {
		data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	}
	return data, ""
}

func fromUTF16(data []byte) []byte {
	big := data[0] == 0xFE
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		if big {
			units = append(units, uint16(data[i])<<8|uint16(data[i+1]))
		} else {
			units = append(units, uint16(data[i+1])<<8|uint16(data[i]))
		}
	}
	return []byte(string(utf16.Decode(units)))
}
