package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
)

// Engine is a packer that takes part in a comparison.
type Engine struct {
	// Name is what the report calls it.
	Name string
	// New builds the packer for a scenario. Errors are shown in the engine's row;
	// those that wrap [scenarios.ErrNotApplicable] mean that the scenario is not for it.
	New func(*scenarios.Scenario) (packing.Packer, error)
	// Deviations are rules of [packing.Verify] that the engine's original itself is
	// known to break: a plan that does so as well is verified, and says so.
	Deviations []packing.Rule
}

// Option changes how [Run] measures.
type Option func(*settings)

type settings struct {
	runs     int
	progress func(engine string)
	now      func() time.Time
}

// WithRuns sets how many times each packer decides; the median time is reported.
// The default is 3, less than 1 counts as 1.
func WithRuns(n int) Option { return func(s *settings) { s.runs = max(1, n) } }

// WithProgress has a function called before each engine begins.
func WithProgress(f func(engine string)) Option { return func(s *settings) { s.progress = f } }

// Run has each engine pack the scenario and describes the plans. An engine that
// fails has its error in its result and does not stop the others. Run returns an
// error only if the context is cancelled; the comparison then holds the results
// of the engines that were done.
func Run(ctx context.Context, s *scenarios.Scenario, engines []Engine, opts ...Option) (*Comparison, error) {
	set := settings{runs: 3, progress: func(string) {}, now: time.Now}
	for _, o := range opts {
		o(&set)
	}
	c := &Comparison{Scenario: subject(s)}
	for _, e := range engines {
		set.progress(e.Name)
		r := set.measure(ctx, s, e)
		if err := ctx.Err(); err != nil {
			c.Conclusion = conclude(c.Results)
			return c, fmt.Errorf("scenario %s, engine %s: %w", s.Name, e.Name, err)
		}
		c.Results = append(c.Results, r)
	}
	c.Conclusion = conclude(c.Results)
	return c, nil
}

func subject(s *scenarios.Scenario) Subject {
	sub := Subject{
		Name:          s.Name,
		Description:   s.Description,
		Pods:          len(s.Snapshot.Pods),
		ExistingNodes: len(s.Snapshot.Nodes),
		DaemonSets:    len(s.Snapshot.DaemonSets),
		NodePools:     len(s.NodePools),
		NodeGroups:    len(s.NodeGroups),
		Warnings:      s.Warnings,
	}
	if s.Catalog != nil {
		sub.Provider, sub.Region = s.Catalog.Info().Provider, s.Catalog.Info().Region
		sub.InstanceTypes = len(s.Catalog.Types())
	}
	return sub
}

// measure builds the packer, has it decide, and checks and describes its plan.
func (set *settings) measure(ctx context.Context, s *scenarios.Scenario, e Engine) Result {
	r := Result{Engine: e.Name, Runs: set.runs, InstanceTypes: []InstanceCount{}, ByOwner: []Share{}, ByZone: []Share{}, ByCapacityType: []Share{}}
	start := set.now()
	packer, err := e.New(s)
	r.SetupSeconds = set.now().Sub(start).Seconds()
	if err != nil {
		r.Error = err.Error()
		return r
	}
	plan, times, err := set.pack(ctx, packer, s.Snapshot, &r)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	r.DecisionSeconds = median(times).Seconds()
	r.describe(plan)
	if err := r.measureUtilisation(s.Snapshot, plan); err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
	r.referee(s, plan, e.Deviations)
	r.Verified = len(r.Problems) == 0
	return r
}

// pack calls the packer as often as asked and returns its first plan; a later
// plan that differs is a problem, for packers promise the same one each time.
func (set *settings) pack(ctx context.Context, p packing.Packer, s *packing.Snapshot, r *Result) (*packing.Plan, []time.Duration, error) {
	var first *packing.Plan
	var firstPrint uint64
	var times []time.Duration
	for range set.runs {
		start := set.now()
		plan, err := p.Pack(ctx, s)
		times = append(times, set.now().Sub(start))
		switch {
		case err != nil:
			return nil, nil, err
		case plan == nil:
			return nil, nil, errors.New("the packer returned neither a plan nor an error")
		case first == nil:
			first, firstPrint = plan, fingerprint(plan)
		case fingerprint(plan) != firstPrint && len(r.Problems) == 0:
			r.Problems = append(r.Problems, "two runs on the same snapshot gave different plans")
		}
	}
	return first, times, nil
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
