package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The library example of the README is a program that compiles, runs and finds
// no violation.
func TestReadmeExample(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("README.md has no Go example")
	}
	program := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(program, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("go", "run", program)
	run.Dir = root
	out, err := run.CombinedOutput()
	if err != nil || !regexp.MustCompile(`^\d+ nodes for \d+ pods, \$\d+\.\d\d an hour\nviolations: 0\n$`).Match(out) {
		t.Errorf("%v:\n%s", err, out)
	}
}
