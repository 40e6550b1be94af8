package clusterautoscaler

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/packing"
)

// seeds is how many random problems the property tests look at.
func seeds(t *testing.T) uint64 {
	if testing.Short() {
		return 200
	}
	return 1000
}

// trace is all that a run decided, in a form to compare.
func trace(run *Run) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i, s := range run.Steps {
		say("step %d: %s, %d pending, %d waiting", i, s.Result, len(s.Pending), s.Waiting)
		for _, a := range s.Attempts {
			for j, o := range a.Options {
				names := make([]string, 0, o.PodCount())
				for _, p := range o.Pods() {
					names = append(names, p.Name)
				}
				say("  option %s: %d nodes, %v, %v, chosen %v", o.Group.Name, o.Nodes, names, o.Scores, j == a.Chosen)
			}
		}
		for _, u := range s.ScaleUps {
			say("  %s from %d to %d", u.Group.Name, u.From, u.To)
		}
	}
	say("%s, %v", run.Result, run.Cost)
	for _, l := range run.Plan.Launches {
		say("launch %s", l.Name)
		for _, p := range l.Pods {
			say("  %s", p.Name)
		}
	}
	for _, u := range run.Plan.Unschedulable {
		say("left %s %v", u.Pod.Name, u.Reasons)
	}
	return out
}

func TestArithmeticEqualsTheLongWay(t *testing.T) {
	ctx := context.Background()
	arithmetic := 0
	for seed := range seeds(t) {
		p := randomProblem(seed)
		packer, err := New(p.groups, p.options...)
		if err != nil {
			t.Fatal(err)
		}
		runs := make([]*Run, 2)
		for i := range runs {
			r, err := newRun(ctx, packer, p.snapshot)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			r.longWay = i == 0
			if runs[i], err = r.toRest(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			arithmetic += r.reckoned
		}
		require.Equal(t, trace(runs[0]), trace(runs[1]), "seed %d: the long way and arithmetic differ", seed)
	}
	if arithmetic == 0 {
		t.Error("no estimate was made by arithmetic")
	}
	t.Logf("%d estimates by arithmetic", arithmetic)
}

func TestPlansHold(t *testing.T) {
	ctx := context.Background()
	for seed := range seeds(t) {
		p := randomProblem(seed)
		packer, err := New(p.groups, p.options...)
		if err != nil {
			t.Fatal(err)
		}
		run, err := packer.Run(ctx, p.snapshot)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		plan := run.Plan
		if lost := len(p.snapshot.Pods) - plan.PodCount() - len(plan.Unschedulable); lost != 0 {
			t.Fatalf("seed %d: %d of %d pods are lost", seed, lost, len(p.snapshot.Pods))
		}
		for _, s := range run.FinalSizes {
			if s.Size > s.Group.MaxSize {
				t.Fatalf("seed %d: %s has %d nodes, at most %d are allowed", seed, s.Group.Name, s.Size, s.Group.MaxSize)
			}
		}
		// A template taken from a real node has only the daemons that run there, and the random nodes do not run all.
		tolerated := []packing.Rule{packing.RuleDaemons}
		if upcoming(plan) {
			// A loop spreads pods over real and upcoming nodes alike, but only those on real
			// nodes are bound by it: the others may end up elsewhere.
			tolerated = append(tolerated, packing.RuleTopologySpread, packing.RulePodAffinity)
		}
		for _, v := range packing.Verify(p.snapshot, plan, packing.Tolerate(tolerated...)) {
			t.Errorf("seed %d: %s", seed, v)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func upcoming(p *packing.Plan) bool {
	return slices.ContainsFunc(p.Launches, func(l *packing.Launch) bool { return l.Upcoming })
}
