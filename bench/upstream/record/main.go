// Record runs the real Karpenter on case files, or on freshly generated cases,
// and writes each with what it decided, in the format of the recorded goldens.
//
//	go run ./record -out DIR case.json...
//	go run ./record -out DIR -profile topology -seed 7000 -count 5
//
// Profile "all" is every profile. A line for each case says how many pods it
// has and how many distinct outcomes and shapes came of the runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/binwright/binwright/bench/internal/cases"
	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/bench/upstream"
)

func main() {
	out := flag.String("out", ".", "directory to write to")
	profile := flag.String("profile", "", "profile to generate cases of, or all")
	seed := flag.Uint64("seed", 1, "seed of the first generated case")
	count := flag.Int("count", 1, "generated cases a profile")
	runs := flag.Int("runs", 15, "runs of the original a case; 0 writes the case alone")
	flag.Parse()
	if err := run(*out, *profile, *seed, *count, *runs, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(out, profile string, seed uint64, count, runs int, files []string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, path := range files {
		file, err := recorded.ReadFile(path)
		if err != nil {
			return err
		}
		problem, err := file.Input.Problem()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := record(out, problem, runs); err != nil {
			return err
		}
	}
	profiles := []string{profile}
	switch profile {
	case "":
		return nil
	case "all":
		profiles = cases.Profiles()
	}
	for _, name := range profiles {
		for i := range count {
			problem, err := cases.Generate(name, seed+uint64(i))
			if err != nil {
				return err
			}
			if err := record(out, problem, runs); err != nil {
				return err
			}
		}
	}
	return nil
}

func record(out string, p *recorded.Problem, runs int) error {
	file := &recorded.File{Input: p.Case()}
	if runs > 0 {
		decided, err := upstream.Record(context.Background(), p, runs)
		if err != nil {
			return fmt.Errorf("case %s: %w", p.Name, err)
		}
		file.Upstream = decided
		shape := decided.Shapes[0].Shape
		fmt.Printf("%s pods=%d nodes=%d unschedulable=%d price=%.4f exact=%d shape=%d\n", p.Name, len(p.Snapshot.Pods),
			shape.NodeCount, len(shape.Unschedulable), shape.TotalPrice, decided.DistinctExact, decided.DistinctShape)
	}
	return recorded.WriteFile(filepath.Join(out, p.Name+".json"), file)
}
