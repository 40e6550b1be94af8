package upstream

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/binwright/binwright/bench/internal/recorded"
)

// goldens returns the recorded files of a directory, by the variable
// BINWRIGHT_GOLDENS or beside the repository.
func goldens(t *testing.T, dirs ...string) []string {
	t.Helper()
	root := os.Getenv("BINWRIGHT_GOLDENS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "goldens")
	}
	var files []string
	for _, dir := range dirs {
		found, err := filepath.Glob(filepath.Join(root, dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skipf("no recorded cases under %s: set BINWRIGHT_GOLDENS", root)
	}
	return files
}

// TestSolveAgainstRecordings checks the way in and out of the original: what it
// decides when it is driven by this package was recorded by another program. Fifteen recorded
// runs that agree do not rule out a rarer outcome, as one case has, so it is asked again
// before it is said to decide otherwise.
func TestSolveAgainstRecordings(t *testing.T) {
	for _, path := range goldens(t, "karpenter", "karpenter-hand") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			file, err := recorded.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if file.Upstream.DistinctExact != 1 {
				t.Skip("upstream is random here")
			}
			problem, err := file.Input.Problem()
			if err != nil {
				t.Fatal(err)
			}
			const tries = 4
			difference := ""
			for range tries {
				run, err := Solve(t.Context(), problem)
				if err != nil {
					t.Fatal(err)
				}
				if difference = recorded.Difference(&file.Upstream.Exact[0].Outcome, run.Outcome); difference == "" {
					return
				}
			}
			t.Error(difference)
		})
	}
}
