// Command replay plays a scenario over virtual time under Karpenter and under
// Cluster Autoscaler and prints what each costs, how long pods wait, and what is
// decided on the way.
//
//	go run ./examples/replay
//	go run ./examples/replay -h
//
// Exit status: 0 if every replay was played to its end; 1 if one failed; 2 for bad
// usage or bad input, every problem on a line of its own on standard error; 130 if
// interrupted, after printing what is done.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/replay"
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
	s, loadErr := c.load(stdin)
	if err := errors.Join(err, loadErr); err != nil {
		return badInput(stderr, err)
	}
	out, err := c.open(stdout)
	if err != nil {
		return badInput(stderr, err)
	}
	// Only now does an interrupt stop tidily; while loading it just ends the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	status := c.play(ctx, s, out, stderr)
	if err := out.close(); err != nil { // a write may fail as late as here
		return cannotWrite(stderr, err)
	}
	return status
}

func badInput(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, err)
	return exitBadInput
}

func cannotWrite(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "writing the replay: %v\n", err)
	return exitFailed
}

func list(stdout, stderr io.Writer) int {
	for _, name := range embedded() {
		s, err := scenarios.Named(name)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return exitFailed
		}
		lasts := "with -for"
		if s.Horizon() > 0 {
			lasts = s.Horizon().String()
		}
		fmt.Fprintf(stdout, "%-13s %-9s %s\n", name, lasts, s.Description)
	}
	return exitOK
}

// play replays the scenario under each autoscaler, once or with many seeds, and
// writes what is done.
func (c *config) play(ctx context.Context, s *scenarios.Scenario, out *outputs, stderr io.Writer) int {
	if c.seeds > 0 {
		return c.playSeeds(ctx, s, out, stderr)
	}
	var done []*replay.Result
	var failed error
	for _, a := range c.autoscalers {
		result, err := c.playOne(ctx, s, a, out, stderr)
		if result != nil && (err == nil || errors.Is(err, context.Canceled)) {
			done = append(done, result)
		}
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(done) > 0 {
		if err := c.write(out, done); err != nil {
			return cannotWrite(stderr, err)
		}
	}
	if out.decisions != nil && out.decisions.err != nil {
		return cannotWrite(stderr, out.decisions.err)
	}
	return ended(stderr, failed)
}

// playOne replays the scenario under one autoscaler.
func (c *config) playOne(ctx context.Context, s *scenarios.Scenario, a replay.Autoscaler, out *outputs, stderr io.Writer) (*replay.Result, error) {
	settings, err := c.settings(s, c.seed)
	if err != nil {
		return nil, err
	}
	told := newProgress(stderr)
	defer told.clear()
	settings.Progress = told.played(s.Name + ", " + a.Name)
	settings.Observe = out.decisions.of(a.Name)
	return replay.Run(ctx, s, a, settings)
}

// ended tells what failed and returns the exit status.
func ended(stderr io.Writer, failed error) int {
	switch {
	case failed == nil:
		return exitOK
	case errors.Is(failed, context.Canceled):
		fmt.Fprintf(stderr, "interrupted, what is done so far is printed: %v\n", failed)
		return exitInterrupted
	}
	fmt.Fprintln(stderr, failed)
	return exitFailed
}
