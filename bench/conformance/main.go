// Conformance compares Binwright's decisions with recorded decisions of the
// original autoscalers, case by case.
//
//	go run ./bench/conformance -engine karpenter DIR|FILE...
//	go run ./bench/conformance -engine karpenter -print FILE
//
// For each case it prints a verdict and, where ours differs, the first
// difference. The last line counts the verdicts. The exit status is 1 if any
// case differs, 2 if a case cannot be read. With -print it prints our outcome of
// each case instead, of one that was never recorded too, and compares nothing.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// verdict says how near ours is to what was recorded.
type verdict int

const (
	exact   verdict = iota // the only recorded outcome, to the last detail
	shape                  // the only recorded shape: the outcome up to the names of zones
	variant                // one of several recorded outcomes
	differs                // none of them
)

func (v verdict) String() string { return [...]string{"exact", "shape", "variant", "differs"}[v] }

// result is what an engine's comparison of one case returns.
type result struct {
	verdict    verdict
	difference string // the first difference, "" unless the verdict is differs
	outcome    []byte // ours, as JSON in the recorded format
}

// nothingRecorded is the difference of a case that holds an input alone.
const nothingRecorded = "nothing is recorded to compare with"

// engines are the comparisons by the name that -engine takes. Each reads one
// recorded case file; an error means that the case cannot be read or packed.
var engines = map[string]func(file []byte) (result, error){
	"karpenter":                   compareKarpenter,
	"karpenter-consolidation":     compareConsolidation,
	"clusterautoscaler":           compareClusterAutoscaler,
	"clusterautoscaler-scaledown": compareScaleDown,
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	name := flags.String("engine", "karpenter", "which engine: "+strings.Join(slices.Sorted(maps.Keys(engines)), ", "))
	printed := flags.Bool("print", false, "print our outcome of each file in the recorded format instead of a verdict")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	compare, ok := engines[*name]
	if !ok {
		fmt.Fprintf(stderr, "conformance: no engine %q; there are %s\n", *name, strings.Join(slices.Sorted(maps.Keys(engines)), ", "))
		return 2
	}
	files, err := caseFiles(flags.Args())
	if err != nil {
		fmt.Fprintln(stderr, "conformance:", err)
		return 2
	}
	if len(files) == 0 {
		fmt.Fprintln(stderr, "conformance: no case files; name directories or .json files")
		return 2
	}

	out := bufio.NewWriter(stdout)
	defer out.Flush()
	var counts [differs + 1]int
	status := 0
	for _, path := range files {
		res, err := compareFile(compare, path)
		if err != nil {
			fmt.Fprintf(stderr, "conformance: %s: %v\n", path, err)
			status = 2
			continue
		}
		if *printed {
			out.Write(res.outcome)
			continue
		}
		counts[res.verdict]++
		fmt.Fprintf(out, "%-8s %s", res.verdict, strings.TrimSuffix(filepath.Base(path), ".json"))
		if res.difference != "" {
			fmt.Fprintf(out, ": %s", res.difference)
		}
		fmt.Fprintln(out)
	}
	if !*printed {
		total := counts[exact] + counts[shape] + counts[variant] + counts[differs]
		fmt.Fprintf(out, "cases %d, exact %d, shape %d, variant %d, differs %d\n",
			total, counts[exact], counts[shape], counts[variant], counts[differs])
	}
	if status == 0 && counts[differs] > 0 {
		status = 1
	}
	return status
}

func compareFile(compare func([]byte) (result, error), path string) (result, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return result{}, err
	}
	return compare(file)
}

// caseFiles returns the files named and the .json files below the directories
// named, each directory's in order of their names.
func caseFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if p == path && !d.IsDir() || !d.IsDir() && filepath.Ext(p) == ".json" {
				files = append(files, p)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}
