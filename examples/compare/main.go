// Command compare packs scenarios with Karpenter and with Cluster Autoscaler and
// prints what each would launch, what it costs, and why they differ.
//
//	go run ./examples/compare
//	go run ./examples/compare -h
//
// Exit status: 0 if every plan passes the referee; 1 if one does not, or an engine
// gives no plan; 2 for bad usage or bad input, every problem on a line of its own
// on standard error; 130 if interrupted, after printing what is done.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/compare"
)

const (
	exitOK          = 0
	exitFailed      = 1
	exitBadInput    = 2
	exitInterrupted = 130
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program but for the process around it.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, err := parse(args, stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case c == nil:
		return badInput(stderr, err)
	case err == nil && c.list:
		return list(stdout, stderr)
	}
	loaded, loadErr := c.load(stdin)
	if err := errors.Join(err, loadErr); err != nil {
		return badInput(stderr, err)
	}
	out := stdout
	var file *os.File
	if c.output != "" {
		if file, err = os.Create(c.output); err != nil {
			return badInput(stderr, err)
		}
		out = file
	}
	// Only now does an interrupt stop tidily; while loading it just ends the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	status := c.compare(ctx, loaded, out, stderr)
	if file == nil {
		return status
	}
	if err := file.Close(); err != nil { // a write may fail as late as here
		return cannotWrite(stderr, err)
	}
	return status
}

func badInput(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, err)
	return exitBadInput
}

func list(stdout, stderr io.Writer) int {
	for _, name := range scenarios.Names() {
		s, err := scenarios.Named(name)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return exitFailed
		}
		fmt.Fprintf(stdout, "%-24s %s\n", name, s.Description)
	}
	return exitOK
}

// compare runs the engines on each scenario. Tables are written as they are
// done, the other formats at the end.
func (c *config) compare(ctx context.Context, loaded []*scenarios.Scenario, out, stderr io.Writer) int {
	status := exitOK
	var done []*compare.Comparison
	var failed error // of the first write
	for i, s := range loaded {
		comparison, err := compare.Run(ctx, s, c.engines, compare.WithRuns(c.runs), compare.WithProgress(func(engine string) {
			progress(stderr, fmt.Sprintf("%d of %d: %s, %s", i+1, len(loaded), s.Name, engine))
		}))
		progress(stderr, "")
		if len(comparison.Results) > 0 {
			done = append(done, comparison)
			if c.format == "table" && failed == nil {
				failed = writeBlock(out, comparison, len(done) == 1)
			}
		}
		for _, r := range comparison.Results {
			if !r.Verified {
				status = exitFailed
				fmt.Fprintf(stderr, "scenario %s, engine %s: %s\n", s.Name, r.Engine, cmp.Or(r.Error, strings.Join(r.Problems, "\n  ")))
			}
		}
		if err != nil {
			fmt.Fprintf(stderr, "interrupted, what is done so far is printed: %v\n", err)
			status = exitInterrupted
			break
		}
	}
	if failed == nil {
		failed = c.finish(out, done)
	}
	if failed != nil {
		return cannotWrite(stderr, failed)
	}
	return status
}

func cannotWrite(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "writing the comparison: %v\n", err)
	return exitFailed
}

func writeBlock(out io.Writer, comparison *compare.Comparison, first bool) error {
	if !first {
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	return compare.WriteTable(out, comparison)
}

func (c *config) finish(out io.Writer, done []*compare.Comparison) error {
	switch c.format {
	case "json":
		return compare.WriteJSON(out, done)
	case "csv":
		return compare.WriteCSV(out, done)
	default:
		return compare.WriteSummary(out, done)
	}
}

// progress rewrites one line on a terminal, and writes nothing elsewhere.
func progress(stderr io.Writer, text string) {
	file, ok := stderr.(*os.File)
	if !ok {
		return
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	fmt.Fprintf(file, "\r\x1b[K%s", text)
}
