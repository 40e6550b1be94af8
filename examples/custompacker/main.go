// Command custompacker puts an algorithm of its own, best fit onto the cheapest
// type, beside Karpenter and Cluster Autoscaler, under the same referee.
//
//	go run ./examples/custompacker [SCENARIO]
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/compare"
)

func main() {
	name := "batch-burst"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if err := run(context.Background(), name, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string, out io.Writer) error {
	scenario, err := scenarios.Named(name)
	if err != nil {
		return err
	}
	ours := compare.Engine{Name: "best-fit", New: func(s *scenarios.Scenario) (packing.Packer, error) {
		return newBestFit(s.Catalog, s.NodePools)
	}}
	comparison, err := compare.Run(ctx, scenario, append(compare.Engines(), ours))
	if err != nil {
		return err
	}
	return compare.WriteTable(out, comparison)
}
