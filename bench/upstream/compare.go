package upstream

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/packing"
)

// Verdict says how near a plan is to what the original decides.
type Verdict int

const (
	// Exact: upstream came to this outcome in every run.
	Exact Verdict = iota
	// Variant: upstream is random here, and this is one of its outcomes.
	Variant
	// Shape: upstream is random here, and this is one of its outcomes up to the
	// names of zones and the identity of alike pods.
	Shape
	// Allowed: upstream is random here and never came to this outcome, but the
	// referee finds no rule broken, or none that upstream does not break itself.
	Allowed
	// Differs: none of these.
	Differs
)

// String returns the verdict's name in lower case.
func (v Verdict) String() string {
	return [...]string{"exact", "variant", "shape", "allowed", "differs"}[v]
}

// Comparison is the result of holding a plan against runs of the original.
type Comparison struct {
	Verdict Verdict
	// Runs is how often upstream ran, DistinctExact and DistinctShape how many
	// outcomes and shapes came of it.
	Runs, DistinctExact, DistinctShape int
	// Difference is from upstream's first outcome to ours, "" if that is the same.
	Difference string
	// Violations are what the referee finds in our plan, looked for only where
	// upstream is random, less the rules that an outcome of upstream's breaks too.
	Violations []string
}

// Effort says how often upstream runs.
type Effort struct {
	// Few runs suffice where the first outcomes agree with ours.
	Few int
	// Many runs are made where they do not.
	Many int
	// Most runs tell whether upstream is random where many agree with each other, and look for
	// our outcome where it is.
	Most int
}

// Compare holds our outcome of a problem against the original. What upstream
// decides alike in all runs must be ours exactly. Where it has several outcomes
// but one shape, ours must have that shape; else ours must be among what it
// came to, or at least break no rule.
func Compare(ctx context.Context, p *recorded.Problem, plan *packing.Plan, effort Effort) (*Comparison, error) {
	ours := recorded.FromPlan(plan)
	if err := ours.CheckPods(p.Snapshot.Pods); err != nil {
		return &Comparison{Verdict: Differs, Difference: err.Error()}, nil
	}
	classes, err := p.Case().RequestClasses()
	if err != nil {
		return nil, err
	}
	ourShape := ours.Shape(classes).Key()
	c := &Comparison{}
	exact, shapes := map[string]int{}, map[string]int{}
	var outcomes []*recorded.Outcome
	for {
		run, err := Solve(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("upstream: %w", err)
		}
		if c.Runs == 0 {
			c.Difference = recorded.Difference(run.Outcome, ours)
		}
		c.Runs++
		if exact[run.Outcome.Key()]++; exact[run.Outcome.Key()] == 1 {
			outcomes = append(outcomes, run.Outcome)
		}
		shapes[run.Outcome.Shape(classes).Key()]++
		c.DistinctExact, c.DistinctShape = len(exact), len(shapes)

		came := exact[ours.Key()]
		switch {
		case came == c.Runs && c.Runs >= effort.Few:
			c.Verdict = Exact
			return c, nil
		case came > 0 && came < c.Runs:
			c.Verdict = Variant
			return c, nil
		case c.Runs < effort.Many, c.Runs < effort.Most && (c.DistinctExact == 1 || shapes[ourShape] == 0):
			continue
		}
		break
	}
	switch {
	case c.DistinctExact == 1:
		c.Verdict = Differs
		return c, nil
	case shapes[ourShape] > 0:
		c.Verdict = Shape
		return c, nil
	}
	if c.Violations, err = violations(p, plan, outcomes); err != nil {
		return nil, err
	}
	c.Verdict = Differs
	if c.DistinctShape > 1 && len(c.Violations) == 0 {
		c.Verdict = Allowed
	}
	return c, nil
}

// violations are what the referee finds in our plan, but for what upstream does
// itself: it counts no nodes against a limit on their number, keeps room for
// daemon pods group by group of types, and after a relaxation counts anew from what is
// bound, so that a spread may come out wider than it says.
func violations(p *recorded.Problem, plan *packing.Plan, theirs []*recorded.Outcome) ([]string, error) {
	broken := map[packing.Rule]bool{}
	for _, o := range theirs {
		their, err := o.Plan(p)
		if err != nil {
			return nil, fmt.Errorf("upstream's outcome: %w", err)
		}
		for _, v := range packing.Verify(p.Snapshot, their, packing.WithNodePools(p.NodePools...)) {
			broken[v.Rule] = true
		}
	}
	tolerated := append(slices.Collect(maps.Keys(broken)), packing.RuleNodesLimit, packing.RuleDaemons)
	var out []string
	for _, v := range packing.Verify(p.Snapshot, plan, packing.WithNodePools(p.NodePools...), packing.Tolerate(tolerated...)) {
		out = append(out, v.String())
	}
	return out, nil
}
