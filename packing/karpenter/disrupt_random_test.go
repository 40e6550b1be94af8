package karpenter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// disruptionPools are two pools, one of them Balanced and with a budget of its own.
func disruptionPools(rng *rand.Rand) []*packing.NodePool {
	pools := []*packing.NodePool{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, {ObjectMeta: metav1.ObjectMeta{Name: "other"}}}
	for _, pool := range pools {
		pool.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{
			{Key: requirements.LabelCapacityType, Operator: requirements.In, Values: []string{requirements.CapacityTypeOnDemand}}}
		if rng.IntN(3) == 0 {
			pool.Spec.Disruption.Budgets = []packing.Budget{{Nodes: fmt.Sprint(rng.IntN(3))}}
		} else {
			pool.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "100%"}}
		}
		if rng.IntN(3) == 0 {
			pool.Spec.Disruption.ConsolidationPolicy = Balanced
		}
	}
	return pools
}

// disruptionCluster is a simulationCluster whose nodes belong to two pools; few of
// them are empty, so that the other methods get their turn.
func disruptionCluster(t *testing.T, rng *rand.Rand) *packing.Snapshot {
	t.Helper()
	s := simulationCluster(rng, simulationCatalog(t))
	s.Now = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	keepEmpty := rng.IntN(4) == 0
	s.Nodes = slices.DeleteFunc(s.Nodes, func(n *packing.Node) bool { return len(n.Pods) == 0 && !keepEmpty })
	for _, n := range s.Nodes {
		if rng.IntN(3) == 0 {
			n.Labels[packing.LabelNodePool] = "other"
		}
		n.Claim = &packing.NodeClaim{Consolidatable: rng.IntN(8) > 0, Nominated: rng.IntN(12) == 0, MarkedForDeletion: rng.IntN(12) == 0}
	}
	return s
}

// toldDecision is a command as text, also where there is none.
func toldDecision(cmd *Command) string {
	if cmd == nil {
		return "nothing"
	}
	return toldCommand(cmd)
}

// Without limits Disrupt finds what Consolidate says comes first; and a command is
// valid as long as nothing has changed.
func TestDisruptFindsTheFirstCommand(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	methods := map[string]int{}
	for cluster := range 120 {
		s := disruptionCluster(t, rng)
		p, err := New(simulationCatalog(t), disruptionPools(rng))
		if err != nil {
			t.Fatal(err)
		}
		found, err := p.Consolidate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		cmd, effort, err := p.Disrupt(context.Background(), s, DisruptLimits{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := toldDecision(cmd), toldDecision(found.Command()); got != want {
			t.Fatalf("cluster %d: %s, Consolidate says %s", cluster, got, want)
		}
		if effort.Multi.TimedOut || effort.Single.TimedOut {
			t.Errorf("cluster %d timed out without a limit", cluster)
		}
		if cmd == nil {
			methods["none"]++
			continue
		}
		methods[cmd.Method]++
		v, err := p.Validate(context.Background(), cmd, s)
		if err != nil {
			t.Fatal(err)
		}
		if v.Command == nil || toldCommand(v.Command) != toldCommand(cmd) {
			t.Errorf("cluster %d: %s is not valid at once: %s: %s", cluster, toldCommand(cmd), v.Rejection, v.Message)
		}
	}
	for _, method := range []string{methodEmptiness, methodMulti, methodSingle, "none"} {
		if methods[method] < 3 {
			t.Errorf("%s came %d times: the clusters show too little of it", method, methods[method])
		}
	}
}

// With a method skipped the next one's command comes.
func TestDisruptSkipsMethods(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	for cluster := range 40 {
		s := disruptionCluster(t, rng)
		p, err := New(simulationCatalog(t), disruptionPools(rng))
		if err != nil {
			t.Fatal(err)
		}
		found, err := p.Consolidate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			limits DisruptLimits
			want   []*Command
		}{
			{DisruptLimits{SkipEmptiness: true}, []*Command{found.Multi, found.Single}},
			{DisruptLimits{SkipEmptiness: true, SkipMulti: true}, []*Command{found.Single}},
			{DisruptLimits{SkipMulti: true, SkipSingle: true}, []*Command{found.Emptiness}},
			{DisruptLimits{SkipEmptiness: true, SkipSingle: true}, []*Command{found.Multi}},
			{DisruptLimits{MultiSimulations: -1}, []*Command{found.Emptiness, found.Single}},
			{DisruptLimits{MultiSimulations: -1, SingleSimulations: -1}, []*Command{found.Emptiness}},
		} {
			var want *Command
			for _, cmd := range tc.want {
				if want == nil {
					want = cmd
				}
			}
			cmd, _, err := p.Disrupt(context.Background(), s, tc.limits)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := toldDecision(cmd), toldDecision(want); got != want {
				t.Errorf("cluster %d, %+v: %s, want %s", cluster, tc.limits, got, want)
			}
		}
	}
}
