package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/binwright/binwright/examples/internal/commandline"
	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/compare"
)

// config is what the command line asks for.
type config struct {
	scenarios commandline.Names
	engines   []compare.Engine
	region    string
	expander  commandline.Names
	format    string
	output    string
	seed      uint64
	runs      int
	list      bool
}

// errHelp says that the usage was asked for and printed.
var errHelp = errors.New("help")

const usage = `compare packs scenarios with Karpenter and with Cluster Autoscaler and prints what each would launch, what it
costs, and why they differ.

Usage: go run ./examples/compare [flags]

  -scenario NAME|PATH|-   an embedded scenario, a file or directory of Kubernetes manifests, a .csv trace, or standard
                          input; several with commas or by repeating the flag (default: every embedded scenario)
  -engine NAME            karpenter, cluster-autoscaler, or both with a comma (default: both)
  -region REGION          move the scenarios to another region of their cloud
  -expander NAME          how Cluster Autoscaler chooses among node groups: least-waste, most-pods, least-nodes, price,
                          priority, random, or a chain with commas (default: what the scenario says)
  -seed N                 draw what Cluster Autoscaler leaves to chance from this seed (default: a fixed choice)
  -runs N                 decide N times and report the median time (default 3)
  -format FORMAT          table, json or csv (default table)
  -o FILE                 write there rather than to standard output
  -list                   list the embedded scenarios

Examples:

  go run ./examples/compare
  go run ./examples/compare -scenario web-fleet -region eu-west-1
  go run ./examples/compare -scenario web-fleet,batch-burst -expander price -format csv -o comparison.csv
  kubectl get pods,nodes,daemonsets,nodepools -A -o yaml | go run ./examples/compare -scenario -

Exit status: 0 if every plan passes the referee, 1 if one does not or an engine gives no plan, 2 for bad usage or bad
input, 130 if interrupted.
`

// parse reads the command line. Its error lists every problem; the config is nil
// only if the flags cannot be told apart or help was asked for.
func parse(args []string, stdout io.Writer) (*config, error) {
	c := &config{}
	var engines commandline.Names
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var(&c.scenarios, "scenario", "")
	flags.Var(&engines, "engine", "")
	flags.StringVar(&c.region, "region", "", "")
	flags.Var(&c.expander, "expander", "")
	flags.StringVar(&c.format, "format", "table", "")
	flags.StringVar(&c.output, "o", "", "")
	flags.Uint64Var(&c.seed, "seed", 0, "")
	flags.IntVar(&c.runs, "runs", 3, "")
	flags.BoolVar(&c.list, "list", false, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return nil, errHelp
	} else if err != nil {
		return nil, fmt.Errorf("%w; -h shows the usage", err)
	}
	seeded := false
	flags.Visit(func(f *flag.Flag) { seeded = seeded || f.Name == "seed" })
	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q; scenarios are named with -scenario", flags.Arg(0)))
	}
	errs = append(errs, commandline.Known("format", c.format, []string{"table", "json", "csv"}))
	if c.region != "" {
		if err := commandline.Known("region", c.region, aws.Regions()); err != nil {
			errs = append(errs, err)
			c.region = "" // so that the scenarios do not report it, too
		}
	}
	if c.runs < 1 {
		errs = append(errs, fmt.Errorf("-runs %d: at least one run is needed", c.runs))
	}
	if len(c.scenarios) == 0 {
		c.scenarios = scenarios.Names()
	}
	errs = append(errs, c.choose(engines, seeded)...)
	return c, errors.Join(errs...)
}

// choose picks the engines by name.
func (c *config) choose(chosen commandline.Names, seeded bool) (errs []error) {
	var opts []clusterautoscaler.Option
	if seeded {
		opts = append(opts, clusterautoscaler.WithSeed(c.seed))
	}
	expander, err := commandline.Expanders(c.expander)
	if err != nil {
		errs = append(errs, err)
	} else if expander != nil {
		opts = append(opts, expander)
	}

	all := compare.Engines(opts...)
	known := make([]string, len(all))
	for i, e := range all {
		known[i] = e.Name
	}
	if len(chosen) == 0 {
		c.engines = all
	}
	for _, name := range chosen {
		if i := slices.Index(known, name); i >= 0 {
			c.engines = append(c.engines, all[i])
		} else {
			errs = append(errs, commandline.Known("engine", name, known))
		}
	}
	return errs
}

// load reads every scenario. Its error lists every problem of all of them.
func (c *config) load(stdin io.Reader) ([]*scenarios.Scenario, error) {
	opts := []scenarios.Option{scenarios.WithStdin(stdin)}
	if c.region != "" {
		opts = append(opts, scenarios.WithRegion(c.region))
	}
	var loaded []*scenarios.Scenario
	var errs []error
	for _, name := range c.scenarios {
		s, err := loadOne(name, opts)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		loaded = append(loaded, s)
	}
	return loaded, errors.Join(errs...)
}

// loadOne reads an embedded scenario, a trace or manifests.
func loadOne(name string, opts []scenarios.Option) (*scenarios.Scenario, error) {
	known := scenarios.Names()
	if slices.Contains(known, name) {
		return scenarios.Named(name, opts...)
	}
	s, err := scenarios.Load(name, opts...)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(name, os.PathSeparator) && filepath.Ext(name) == "" {
		return nil, commandline.Known("scenario", name, known)
	}
	return s, err
}
