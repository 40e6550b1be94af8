// Command consolidate shows what Karpenter's consolidation would do to a cluster:
// the commands of one pass with their savings, why each other node stays, and the
// whole sequence until nothing is left to do.
//
//	go run ./examples/consolidate
//	go run ./examples/consolidate -h
//
// Exit status: 0 if every command passes the referee; 1 if one does not, or
// consolidation fails; 2 for bad usage or bad input, every problem on a line of its
// own on standard error.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/binwright/binwright/examples/internal/commandline"
	"github.com/binwright/binwright/scenarios"
)

const (
	exitOK       = 0
	exitFailed   = 1
	exitBadInput = 2
)

// ownCluster is consolidated where no scenario is named.
//
//go:embed cluster.yaml
var ownCluster []byte

const usage = `consolidate shows what Karpenter's consolidation would do to a cluster: the commands of one pass with their
savings, why each other node stays, and the sequence until nothing is left to do.

Usage: go run ./examples/consolidate [flags]

  -scenario NAME|PATH|-   an embedded scenario, a file or directory of Kubernetes manifests, or standard input
                          (default: a small cluster of its own, in cluster.yaml beside the program)
  -now TIME               the moment, as 2025-06-01T12:00:00Z, for budgets with a schedule and for ages (default:
                          ages do not matter)
  -format FORMAT          table or json (default table)

Examples:

  go run ./examples/consolidate
  go run ./examples/consolidate -scenario half-full -format json
  kubectl get pods,nodes,nodepools,nodeclaims,poddisruptionbudgets,daemonsets -A -o yaml |
      go run ./examples/consolidate -scenario - -now $(date -u +%Y-%m-%dT%H:%M:%SZ)

Exit status: 0 if every command passes the referee, 1 if one does not or consolidation fails, 2 for bad usage or bad
input.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program but for the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		if _, err := io.WriteString(stdout, usage); err != nil {
			return exitFailed
		}
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitBadInput
	}
	s, err := c.load(stdin)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitBadInput
	}
	r, err := newReport(ctx, s)
	if err != nil {
		fmt.Fprintf(stderr, "scenario %s: %v\n", s.Name, err)
		if errors.Is(err, scenarios.ErrNotApplicable) { // it has no node pool
			return exitBadInput
		}
		return exitFailed
	}
	if c.format == "json" {
		err = writeJSON(stdout, r)
	} else {
		err = writeTables(stdout, r)
	}
	if err != nil {
		fmt.Fprintf(stderr, "writing the report: %v\n", err)
		return exitFailed
	}
	for _, v := range r.Violations {
		fmt.Fprintf(stderr, "scenario %s: %s\n", s.Name, v)
	}
	if len(r.Violations) > 0 {
		return exitFailed
	}
	return exitOK
}

// config is what the command line asks for.
type config struct {
	scenario, format string
	now              time.Time
}

// parse reads the command line. Its error lists every problem.
func parse(args []string) (*config, error) {
	c := &config{}
	var moment string
	flags := flag.NewFlagSet("consolidate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.scenario, "scenario", "", "")
	flags.StringVar(&moment, "now", "", "")
	flags.StringVar(&c.format, "format", "table", "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w; -h shows the usage", err)
	}
	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q; a scenario is named with -scenario", flags.Arg(0)))
	}
	errs = append(errs, commandline.Known("format", c.format, []string{"table", "json"}))
	if moment != "" {
		var err error
		if c.now, err = time.Parse(time.RFC3339, moment); err != nil {
			errs = append(errs, fmt.Errorf("-now %q is no time as 2025-06-01T12:00:00Z", moment))
		}
	}
	return c, errors.Join(errs...)
}

// load reads the scenario. Its error lists every problem of it.
func (c *config) load(stdin io.Reader) (*scenarios.Scenario, error) {
	opts := []scenarios.Option{scenarios.WithStdin(stdin), scenarios.WithNow(c.now), scenarios.WithoutDefaults()}
	known := scenarios.Names()
	switch {
	case c.scenario == "":
		return scenarios.Read(bytes.NewReader(ownCluster), "cluster.yaml", opts...)
	case slices.Contains(known, c.scenario):
		return scenarios.Named(c.scenario, opts...)
	}
	s, err := scenarios.Load(c.scenario, opts...)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(c.scenario, os.PathSeparator) {
		return nil, commandline.Known("scenario", c.scenario, known)
	}
	return s, err
}

func writeJSON(w io.Writer, r *report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}
