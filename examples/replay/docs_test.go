package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// flagNames are the flags that a text lists: at the start of a line or of a table's row.
func flagNames(text string, at *regexp.Regexp) []string {
	var names []string
	for _, m := range at.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

// The usage, the documentation and the program have the same flags.
func TestDocumentedFlags(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "replay.md"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	defined := flagNames(string(source), regexp.MustCompile(`flags\.\w*Var\(&[\w.]+, "([a-z-]+)"`))
	told := flagNames(usage, regexp.MustCompile(`(?m)^  -([a-z-]+)`))
	documented := flagNames(string(page), regexp.MustCompile("(?m)^\\| `-([a-z-]+)"))
	if len(defined) < 15 || !slices.Equal(told, defined) || !slices.Equal(documented, defined) {
		t.Errorf("flags are\n%v\n-h tells of\n%v\ndocs/replay.md of\n%v", defined, told, documented)
	}
}

var update = flag.Bool("update", false, "rewrite the sample in README.md with what the program prints now")

// The output that the README shows is what the program prints: its beginning, to the
// waits, and its conclusion.
func TestReadmeSample(t *testing.T) {
	path := filepath.Join("..", "..", "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile("(?s)```text\n(\\$ go run \\./examples/replay .*?)```").FindSubmatchIndex(readme)
	if sample == nil {
		t.Fatal("README.md shows no output")
	}
	_, out, _ := command(t, "", "-for", "4h")
	beginning, _, _ := strings.Cut(out, "  wait until running")
	end := strings.LastIndex(strings.TrimSuffix(out[:strings.LastIndex(out, "\n\n")], "\n"), "\n\n")
	want := "$ go run ./examples/replay -for 4h\n" + beginning + "  ...\n" + out[end+1:]
	if *update {
		readme = slices.Concat(readme[:sample[2]], []byte(want), readme[sample[3]:])
		if err := os.WriteFile(path, readme, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(readme[sample[2]:sample[3]]) != want {
		t.Errorf("README.md shows what the program does not print (go test ./examples/replay -update rewrites it); it prints:\n%s", want)
	}
}
