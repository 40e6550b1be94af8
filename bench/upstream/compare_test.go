package upstream

import (
	"strings"
	"testing"

	"github.com/binwright/binwright/bench/internal/cases"
	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
)

// TestCompareFindsWhatDiffers alters a plan that agrees with the original, a little.
func TestCompareFindsWhatDiffers(t *testing.T) {
	p := alterable(t)
	for _, tc := range []struct {
		name string
		want Verdict
		// alter changes a plan of at least two launches.
		alter func(*packing.Plan)
	}{
		{"nothing", Exact, func(*packing.Plan) {}},
		{"a pod lost", Differs, func(plan *packing.Plan) { plan.Launches[0].Pods = plan.Launches[0].Pods[1:] }},
		{"a pod moved", Differs, func(plan *packing.Plan) {
			from, to := plan.Launches[0], plan.Launches[1]
			to.Pods = append(to.Pods, from.Pods[0])
			from.Pods = from.Pods[1:]
		}},
		{"an option dropped", Differs, func(plan *packing.Plan) {
			l := plan.Launches[0]
			l.Options = append([]*instancetypes.InstanceType(nil), l.Options[1:]...)
		}},
		{"a requirement dropped", Differs, func(plan *packing.Plan) { plan.Launches[0].Requirements = plan.Launches[0].Requirements[1:] }},
		{"another zone", Differs, func(plan *packing.Plan) { plan.Launches[0].Zone = "zone-z" }},
		{"another pool", Differs, func(plan *packing.Plan) { plan.Launches[0].NodePool = &packing.NodePool{} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			plan, err := pack(t, p)
			if err != nil {
				t.Fatal(err)
			}
			tc.alter(plan)
			c, err := Compare(t.Context(), p, plan, Effort{Few: 2, Many: 3, Most: 3})
			if err != nil {
				t.Fatal(err)
			}
			if c.Verdict != tc.want {
				t.Errorf("verdict %s, want %s: %s", c.Verdict, tc.want, c.Difference)
			}
			if (c.Difference == "") != (tc.want == Exact) {
				t.Errorf("difference %q with verdict %s", c.Difference, c.Verdict)
			}
		})
	}
}

// alterable returns a problem whose plan has two launches, the first with two options.
func alterable(t *testing.T) *recorded.Problem {
	t.Helper()
	for seed := range uint64(100) {
		p, err := cases.Generate("plain", seed)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pack(t, p)
		if err != nil {
			t.Fatal(err)
		}
		if len(plan.Launches) > 1 && len(plan.Launches[0].Options) > 1 {
			return p
		}
	}
	t.Fatal("no plain case has two launches and two options")
	return nil
}

// TestSolveDoesNotChangeTheProblem runs the original, which changes pods as it
// relaxes them, and compares what it was given.
func TestSolveDoesNotChangeTheProblem(t *testing.T) {
	for _, profile := range cases.Profiles() {
		given, err := cases.Generate(profile, 7)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := cases.Generate(profile, 7)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Solve(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		if recordedText(t, given) != recordedText(t, fresh) {
			t.Errorf("%s: the problem has changed", given.Name)
		}
	}
}

func recordedText(t *testing.T, p *recorded.Problem) string {
	t.Helper()
	var b strings.Builder
	if err := recorded.Write(&b, p.Case()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
