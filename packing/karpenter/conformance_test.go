package karpenter_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the program bench/conformance finds over all recorded schedulings. The
// cases are read there, since this package knows nothing of their format.
func TestRecordedDecisions(t *testing.T) {
	if testing.Short() {
		t.Skip("with -short, recorded decisions are left to bench/conformance")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	goldens := os.Getenv("BINWRIGHT_GOLDENS")
	if goldens == "" {
		goldens = filepath.Join(filepath.Dir(root), "shared", "goldens")
	}
	dirs := []string{filepath.Join(goldens, "karpenter"), filepath.Join(goldens, "karpenter-hand")}
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			t.Skipf("no recorded decisions at %s; set BINWRIGHT_GOLDENS", dir)
		}
	}
	cmd := exec.Command("go", append([]string{"run", "./bench/conformance", "-engine", "karpenter"}, dirs...)...)
	cmd.Dir = root
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		for _, line := range strings.Split(out.String(), "\n") {
			if strings.HasPrefix(line, "differs") {
				t.Error(line)
			}
		}
		t.Fatalf("%v\n%s", err, problems.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	t.Log(lines[len(lines)-1])
}
