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
	"time"

	"github.com/binwright/binwright/examples/internal/commandline"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/replay"
)

// config is what the command line asks for.
type config struct {
	scenario     string
	trace        string
	autoscalers  []replay.Autoscaler
	region       string
	expander     commandline.Names
	format       string
	output       string
	decisions    string
	svg          string
	seed         uint64
	seeds        int
	length       time.Duration
	step         time.Duration
	decisionTime string
	noHandler    bool
	list         bool

	// What the cloud does.
	allocation    string
	interrupt     bool
	interruptions float64 // of a spot instance a day, or asPublished
	shortages     float64 // of a spot offering a day
}

// errHelp says that the usage was asked for and printed.
var errHelp = errors.New("help")

const usage = `replay plays a scenario over virtual time under Karpenter and under Cluster Autoscaler and prints what each costs, how
long pods wait, and what is decided on the way.

Usage: go run ./examples/replay [flags]

  -scenario NAME|PATH|-   an embedded scenario, a file or directory of Kubernetes manifests, a .csv trace, or standard
                          input (default: day)
  -list                   list the embedded scenarios, and how long those with a timeline last
  -trace FILE             play a recorded workload, in the columns of Alibaba's cluster-trace-gpu-v2023
  -for DURATION           how long to play, such as 24h (default: as long as the timeline lasts; needed without one)
  -engine NAME            karpenter, cluster-autoscaler, or both with a comma (default: both)
  -region REGION          move the scenario to another region of its cloud
  -expander NAME          how Cluster Autoscaler chooses among node groups: least-waste, most-pods, least-nodes, price,
                          priority, random, or a chain with commas (default: what the scenario says)
  -seed N                 what arrives, how long it runs and what is interrupted is drawn from this seed (default 1)
  -seeds N                play the seeds 1 to N, several at once, and print means, 95% intervals and the difference seed
                          by seed
  -decision-time NAME     how long decisions take: original (a fit to the originals' speed), measured (Binwright's own)
                          or none (default original)
  -spot-allocation NAME   how the cloud chooses spot capacity: price-capacity-optimized (default) or lowest-price
  -interruptions=false    have no spot instance reclaimed
  -interruptions-per-day N
                          have a spot instance reclaimed N times a day on average (default: as published for its type)
  -shortages-per-day N    have each spot offering lack capacity N times a day, for half an hour on average (default 0)
  -no-handler             run Cluster Autoscaler without a termination handler: interrupted nodes vanish unannounced
  -step DURATION          distance of the samples of the series in JSON and SVG, 0 for none (default 5m)
  -format FORMAT          table, json or csv (default table)
  -o FILE                 write there rather than to standard output
  -svg FILE               draw pending pods, nodes and dollars an hour over time
  -decisions FILE|-       write each decision as it is made, a line each: JSON if the file ends in .jsonl or -format is
                          json, else CSV

Examples:

  go run ./examples/replay
  go run ./examples/replay -for 6h -engine karpenter -decisions decisions.csv -svg day.svg
  go run ./examples/replay -seeds 10 -interruptions-per-day 1 -shortages-per-day 4
  go run ./examples/replay -trace openb_pod_list_default.csv -for 240h -format json -o trace.json
  kubectl get pods,nodes,deployments,daemonsets,nodepools -A -o yaml | go run ./examples/replay -scenario - -for 2h
  go run ./examples/replay -scenario web-fleet -for 2h -region eu-west-1 -interruptions=false

Exit status: 0 if every replay was played to its end, 1 if one failed, 2 for bad usage or bad input, 130 if interrupted,
after printing what is done.
`

// parse reads the command line. Its error lists every problem; the config is nil
// only if the flags cannot be told apart or help was asked for.
func parse(args []string, stdout io.Writer) (*config, error) {
	c := &config{}
	var engines commandline.Names
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.scenario, "scenario", "day", "")
	flags.BoolVar(&c.list, "list", false, "")
	flags.DurationVar(&c.length, "for", 0, "")
	flags.Var(&engines, "engine", "")
	flags.StringVar(&c.region, "region", "", "")
	flags.Var(&c.expander, "expander", "")
	flags.Uint64Var(&c.seed, "seed", 1, "")
	flags.IntVar(&c.seeds, "seeds", 0, "")
	flags.StringVar(&c.decisionTime, "decision-time", "original", "")
	flags.StringVar(&c.allocation, "spot-allocation", string(replay.PriceCapacityOptimized), "")
	flags.BoolVar(&c.interrupt, "interruptions", true, "")
	flags.Float64Var(&c.interruptions, "interruptions-per-day", asPublished, "")
	flags.Float64Var(&c.shortages, "shortages-per-day", 0, "")
	flags.BoolVar(&c.noHandler, "no-handler", false, "")
	flags.DurationVar(&c.step, "step", 5*time.Minute, "")
	flags.StringVar(&c.format, "format", "table", "")
	flags.StringVar(&c.output, "o", "", "")
	flags.StringVar(&c.svg, "svg", "", "")
	flags.StringVar(&c.trace, "trace", "", "")
	flags.StringVar(&c.decisions, "decisions", "", "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return nil, errHelp
	} else if err != nil {
		return nil, fmt.Errorf("%w; -h shows the usage", err)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q; the scenario is named with -scenario", flags.Arg(0)))
	}
	errs = append(errs, c.check(given)...)
	errs = append(errs, c.choose(engines, given["seed"])...)
	return c, errors.Join(errs...)
}

// check returns what is wrong with single flags and with flags that exclude each other.
func (c *config) check(given map[string]bool) (errs []error) {
	oneOf := func(flag, value string, known ...string) { errs = append(errs, commandline.Known(flag, value, known)) }
	oneOf("format", c.format, "table", "json", "csv")
	oneOf("decision-time", c.decisionTime, "original", "measured", "none")
	oneOf("spot-allocation", c.allocation, string(replay.PriceCapacityOptimized), string(replay.LowestPrice))
	errs = append(errs, c.checkCloud(given)...)
	if given["trace"] && given["scenario"] {
		errs = append(errs, errors.New("-trace and -scenario: one or the other is played"))
	}
	if c.region != "" {
		if err := commandline.Known("region", c.region, aws.Regions()); err != nil {
			errs = append(errs, err)
			c.region = "" // so that the scenario does not report it, too
		}
	}
	if given["for"] && c.length <= 0 {
		errs = append(errs, fmt.Errorf("-for %v: it has to be above 0", c.length))
	}
	if c.step < 0 {
		errs = append(errs, fmt.Errorf("-step %v is negative", c.step))
	}
	if given["seeds"] && c.seeds < 1 {
		errs = append(errs, fmt.Errorf("-seeds %d: at least one seed is needed", c.seeds))
	}
	if given["seeds"] {
		for _, one := range []string{"seed", "svg", "decisions"} {
			if given[one] {
				errs = append(errs, fmt.Errorf("-%s is of one replay and cannot be given with -seeds", one))
			}
		}
	}
	if c.svg != "" && c.step == 0 {
		errs = append(errs, errors.New("-svg needs samples: -step has to be above 0"))
	}
	return errs
}

// asPublished leaves interruptions to the published bands.
const asPublished = -1

// mostPerDay is how often a day the cloud may be asked to take back or to lack a thing.
const mostPerDay = 1000

func (c *config) checkCloud(given map[string]bool) (errs []error) {
	for _, f := range []struct {
		name   string
		perDay float64
	}{{"interruptions-per-day", c.interruptions}, {"shortages-per-day", c.shortages}} {
		if given[f.name] && !(f.perDay >= 0 && f.perDay <= mostPerDay) {
			errs = append(errs, fmt.Errorf("-%s %v: it has to be from 0 to %d", f.name, f.perDay, mostPerDay))
		}
	}
	if given["interruptions-per-day"] && !c.interrupt {
		errs = append(errs, errors.New("-interruptions=false and -interruptions-per-day exclude each other"))
	}
	return errs
}

// choose picks the autoscalers by name.
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

	group := replay.ClusterAutoscaler(opts...)
	known := []string{"karpenter", group.Name}
	if c.noHandler {
		group = replay.ClusterAutoscalerWithoutHandler(opts...)
	}
	all := []replay.Autoscaler{replay.Karpenter(), group}
	if len(chosen) == 0 {
		c.autoscalers = all
	}
	for i, name := range chosen {
		switch at := slices.Index(known, name); {
		case at < 0:
			errs = append(errs, commandline.Known("engine", name, known))
		case slices.Contains(chosen[:i], name):
			errs = append(errs, fmt.Errorf("-engine %q is given twice", name))
		default:
			c.autoscalers = append(c.autoscalers, all[at])
		}
	}
	return errs
}

// load reads the scenario: an embedded one, a trace or manifests.
func (c *config) load(stdin io.Reader) (*scenarios.Scenario, error) {
	opts := []scenarios.Option{scenarios.WithStdin(stdin)}
	if c.region != "" {
		opts = append(opts, scenarios.WithRegion(c.region))
	}
	if c.trace != "" {
		return c.lasting(readTrace(c.trace, opts))
	}
	known := embedded()
	if slices.Contains(known, c.scenario) {
		return c.lasting(scenarios.Named(c.scenario, opts...))
	}
	s, err := scenarios.Load(c.scenario, opts...)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(c.scenario, os.PathSeparator) && filepath.Ext(c.scenario) == "" {
		return nil, commandline.Known("scenario", c.scenario, known)
	}
	return c.lasting(s, err)
}

// embedded are the names of the embedded scenarios, those with a timeline first.
func embedded() []string { return slices.Concat(scenarios.Timelines(), scenarios.Names()) }

// readTrace reads a recorded workload, whatever the file is called.
func readTrace(path string, opts []scenarios.Option) (*scenarios.Scenario, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("-trace: %w", err)
	}
	defer file.Close()
	return scenarios.ReadTrace(file, path, opts...)
}

// lasting refuses a scenario of which it is not known how long to play it.
func (c *config) lasting(s *scenarios.Scenario, err error) (*scenarios.Scenario, error) {
	if err == nil && c.length == 0 && s.Horizon() == 0 {
		return nil, fmt.Errorf("scenario %s has no timeline: say how long to play it, such as -for 2h "+
			"(its Deployments then keep their replicas, its other pods wait and run until the end)", s.Name)
	}
	return s, err
}

// settings are those of one replay.
func (c *config) settings(s *scenarios.Scenario, seed uint64) (replay.Settings, error) {
	settings := replay.DefaultSettings(s.Catalog.Info().Provider)
	settings.For, settings.Step, settings.Seed = c.length, c.step, seed
	settings.Cloud.SpotAllocation, settings.Cloud.SpotShortagesPerDay = replay.Allocation(c.allocation), c.shortages
	switch {
	case !c.interrupt:
		settings.Cloud.Hazard, settings.Cloud.IgnoreReclaims = replay.NoHazard, true
	case c.interruptions != asPublished:
		settings.Cloud.Hazard = perDay(c.interruptions)
	}
	var err error
	settings.DecisionTime, err = replay.DecisionTimeNamed(c.decisionTime)
	return settings, err
}

// perDay is the hazard, an hour, of spot instances that are reclaimed so often a day.
func perDay(n float64) func(*instancetypes.InstanceType, *instancetypes.Offering) float64 {
	return func(_ *instancetypes.InstanceType, o *instancetypes.Offering) float64 {
		if o == nil || o.CapacityType() != requirements.CapacityTypeSpot {
			return 0
		}
		return n / 24
	}
}
