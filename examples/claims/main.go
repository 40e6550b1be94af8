// Command claims replays what nine common claims for Karpenter over Cluster Autoscaler
// would mean, and some published figures, and writes what was found with verdicts computed
// from it.
//
//	go run ./examples/claims -o docs/claims.md
//
// Exit status: 0 if the page is written, 1 if a replay fails, 2 for bad usage, 130 if
// interrupted, in which case nothing is written.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// defaultSeeds is how many seeds docs/claims.md is made with.
const defaultSeeds = 10

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the program but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("claims", flag.ContinueOnError)
	set.SetOutput(stderr)
	seeds := set.Int("seeds", defaultSeeds, "how many seeds a variant is replayed with, from 2 on; intervals are wide with few")
	output := set.String("o", "", "the file to write instead of standard output")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *seeds < 2 || set.NArg() > 0 {
		fmt.Fprintln(stderr, "claims: -seeds takes 2 at least, and there are no arguments")
		return 2
	}
	l := newLab(*seeds)
	l.done = func(variant string, done, total int) {
		if done == total {
			fmt.Fprintf(stderr, "%s: %d seeds\n", variant, total)
		}
	}
	p, err := measure(ctx, l)
	if err == nil {
		err = writePage(p, *output, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "claims:", err)
		if ctx.Err() != nil {
			return 130
		}
		return 1
	}
	return 0
}

// writePage writes all of the page or nothing.
func writePage(p *page, output string, stdout io.Writer) error {
	var text bytes.Buffer
	if err := p.write(&text); err != nil {
		return err
	}
	if output == "" {
		_, err := stdout.Write(text.Bytes())
		return err
	}
	return os.WriteFile(output, text.Bytes(), 0o644)
}

// measure replays everything.
func measure(ctx context.Context, l *lab) (*page, error) {
	p := &page{seeds: l.seeds}
	for _, about := range []func(context.Context, *lab) (claim, error){
		proactive, scaling, diversification, cloudFeatures, batching, configuration, learning, resources, integration,
	} {
		c, err := about(ctx, l)
		if err != nil {
			return nil, err
		}
		p.claims = append(p.claims, c)
	}
	for _, about := range []func(context.Context, *lab) (published, error){aksBurst, socialNetwork, savingsOfMoving, throughput, slowField, loadStep} {
		f, err := about(ctx, l)
		if err != nil {
			return nil, err
		}
		p.published = append(p.published, f)
	}
	both, err := l.replayAll(ctx, karpenterOn(burstFiles...), clusterAutoscalerOn(burstFiles...))
	if err != nil {
		return nil, err
	}
	p.assumptions = assumptions(both)
	return p, nil
}

// assumptions are those of replays under both autoscalers, each once.
func assumptions(outcomes [][]outcome) []string {
	var all []string
	seen := map[string]bool{}
	for _, o := range outcomes {
		for _, a := range o[0].Assumptions {
			if !seen[a] {
				seen[a] = true
				all = append(all, a)
			}
		}
	}
	return append(all,
		"what Cluster Autoscaler leaves to chance (ties, the order of nodes) is drawn from the seed; Karpenter takes the smallest choice each time",
		"prices are those of the embedded AWS catalog of us-east-1, see [compare.md](compare.md)",
		"where a claim changes any of this, its text says so")
}
