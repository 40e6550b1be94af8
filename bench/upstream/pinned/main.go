// Pinned makes a copy of Karpenter that is not random, so that one run of it
// tells what to expect exactly.
//
// The original picks at random where a pod may go to one of several topology domains
// that are as good as each other: it takes the first that Go's map iteration comes
// upon. The copy goes through domains in the order of their names instead,
// which is the choice that Binwright makes. Nothing else is changed, and what the copy
// decides the original could have decided.
//
//	go run ./pinned -dir /tmp/pinned
//	go test -modfile /tmp/pinned/go.mod -run TestAgainstKarpenter -pinned -cases 2000 .
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "sigs.k8s.io/karpenter"

// edit replaces a piece of text in a file that must hold it so many times.
type edit struct {
	file, old, new string
	times          int
}

var edits = []edit{
	{
		"pkg/controllers/provisioning/scheduling/topologygroup.go",
		"import (\n", "import (\n\t\"maps\"\n\t\"slices\"\n", 1,
	}, {
		"pkg/controllers/provisioning/scheduling/topologygroup.go",
		"for domain := range t.domains {", "for _, domain := range slices.Sorted(maps.Keys(t.domains)) {", 5,
	}, {
		"pkg/controllers/provisioning/scheduling/topologygroup.go",
		"for _, domain := range nodeDomains.Values() {", "for _, domain := range slices.Sorted(slices.Values(nodeDomains.Values())) {", 3,
	},
}

func main() {
	dir := flag.String("dir", filepath.Join(os.TempDir(), "binwright-pinned"), "where the copy and its go.mod go")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "pinned:", err)
		os.Exit(1)
	}
	fmt.Println(filepath.Join(*dir, "go.mod"))
}

func run(dir string) error {
	source, err := output("go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	copied := filepath.Join(dir, "karpenter")
	if err := os.RemoveAll(copied); err != nil {
		return err
	}
	// Packages only: tests and tools of the original would want dependencies of their own.
	if err := os.CopyFS(filepath.Join(copied, "pkg"), os.DirFS(filepath.Join(source, "pkg"))); err != nil {
		return err
	}
	gomod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(copied, "go.mod"), gomod, 0o644); err != nil {
		return err
	}
	for _, e := range edits {
		if err := e.apply(copied); err != nil {
			return err
		}
	}
	return writeModfile(dir, copied)
}

func (e edit) apply(root string) error {
	path := filepath.Join(root, e.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := bytes.Count(text, []byte(e.old)); n != e.times {
		return fmt.Errorf("%s has %q %d times, not %d: this is another version than the one known", e.file, e.old, n, e.times)
	}
	// The module cache is read-only, and so is what is copied from it.
	if err := os.Chmod(path, 0o644); err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(text, []byte(e.old), []byte(e.new)), 0o644)
}

// writeModfile writes this module's go.mod with the original replaced by the copy
// and the library by its absolute path.
func writeModfile(dir, copied string) error {
	described, err := output("go", "list", "-m", "-json")
	if err != nil {
		return err
	}
	var here struct{ Dir, GoMod string }
	if err := json.Unmarshal([]byte(described), &here); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(here.Dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	_, err = output("go", "mod", "edit",
		"-replace", module+"="+copied,
		"-replace", "github.com/binwright/binwright="+filepath.Clean(filepath.Join(here.Dir, "..", "..")),
		filepath.Join(dir, "go.mod"))
	return err
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
