package karpenter_test

import (
	"context"
	"slices"
	"testing"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// disrupt returns the next command, which there has to be.
func disrupt(t *testing.T, p *karpenter.Packer, s *packing.Snapshot, limits karpenter.DisruptLimits) (*karpenter.Command, karpenter.Effort) {
	t.Helper()
	cmd, effort, err := p.Disrupt(context.Background(), s, limits)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, effort
}

// A command that was found in one cluster is validated in another, which came of it
// in the meantime.
func TestValidateSeesWhatHasChanged(t *testing.T) {
	small := func(name string) *packing.Node { return used(name, 8, "default", podNamed("p"+name, "1", "1Gi")) }
	pool := poolNamed("default", onDemand)
	pool.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "2"}}
	p := packerOf(t, machines(t), []*packing.NodePool{pool})
	replacing := func() *packing.Snapshot { return clusterOf(small("a"), small("b")) }
	emptying := func() *packing.Snapshot {
		return clusterOf(used("e", 8, "default"), used("f", 4, "default"), used("g", 2, "default"))
	}
	for _, tc := range []struct {
		name        string
		before      func() *packing.Snapshot
		change      func(s *packing.Snapshot)
		want        string
		rejection   karpenter.Rejection
		constrained bool
	}{
		{name: "nothing", before: replacing, change: func(*packing.Snapshot) {}, want: "multi replace a b by m2|m4 saves 1.40"},
		{name: "the nodes come in another order", before: replacing, change: func(s *packing.Snapshot) { slices.Reverse(s.Nodes) }, want: "multi replace a b by m2|m4 saves 1.40"},
		{name: "a node is gone", before: replacing, change: func(s *packing.Snapshot) { s.Nodes = s.Nodes[1:] }, want: "nothing", rejection: karpenter.RejectedByChurn},
		{name: "a pod may not be disturbed", before: replacing, change: func(s *packing.Snapshot) {
			s.Nodes[0].Pods[0].Annotations = map[string]string{doNotDisrupt: "true"}
		}, want: "nothing", rejection: karpenter.RejectedByChurn},
		{name: "a node is nominated", before: replacing, change: func(s *packing.Snapshot) {
			s.Nodes[1].Claim = &packing.NodeClaim{Consolidatable: true, Nominated: true}
		}, want: "nothing", rejection: karpenter.RejectedByChurn},
		{name: "another node is going", before: replacing, change: func(s *packing.Snapshot) {
			going := small("c")
			going.Claim = &packing.NodeClaim{MarkedForDeletion: true}
			s.Nodes = append(s.Nodes, going)
		}, want: "nothing", rejection: karpenter.RejectedByBudget, constrained: true},
		{name: "a node has come with room for all", before: replacing, change: func(s *packing.Snapshot) {
			s.Nodes = append(s.Nodes, used("c", 16, "default"))
		}, want: "nothing", rejection: karpenter.RejectedByScheduling},
		{name: "a pod has come that needs a larger node", before: replacing, change: func(s *packing.Snapshot) {
			s.Nodes[0].Pods = append(s.Nodes[0].Pods, used("x", 8, "default", podNamed("large", "4", "1Gi")).Pods...)
		}, want: "nothing", rejection: karpenter.RejectedByScheduling},
		{name: "a pod has come that fits nowhere", before: replacing, change: func(s *packing.Snapshot) {
			s.Nodes[0].Pods = append(s.Nodes[0].Pods, used("x", 8, "default", podNamed("far", "1", "1Gi", inZone("nowhere"))).Pods...)
		}, want: "nothing", rejection: karpenter.RejectedByScheduling},
		{name: "empty nodes stay empty", before: emptying, change: func(*packing.Snapshot) {}, want: "emptiness delete e f saves 1.20"},
		{name: "a pod has come to an empty node", before: emptying, change: func(s *packing.Snapshot) {
			s.Nodes[0] = small("e")
		}, want: "emptiness delete f saves 0.40"},
		{name: "pods have come to all", before: emptying, change: func(s *packing.Snapshot) {
			s.Nodes[0], s.Nodes[1] = small("e"), small("f")
		}, want: "nothing", rejection: karpenter.RejectedByChurn},
		{name: "an empty node is going", before: emptying, change: func(s *packing.Snapshot) {
			s.Nodes[2].Claim = &packing.NodeClaim{MarkedForDeletion: true}
		}, want: "emptiness delete e saves 0.80", constrained: true},
		{name: "two nodes are not ready", before: emptying, change: func(s *packing.Snapshot) {
			s.Nodes[1].Status.Conditions, s.Nodes[2].Status.Conditions = nil, nil
		}, want: "nothing", rejection: karpenter.RejectedByBudget, constrained: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd, _ := disrupt(t, p, tc.before(), karpenter.DisruptLimits{})
			after := tc.before()
			tc.change(after)
			v, err := p.Validate(context.Background(), cmd, after)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, summary(v.Command), tc.want)
			if v.Rejection != tc.rejection || (v.Message == "") != (tc.rejection == "") || v.Effort.Constrained != tc.constrained {
				t.Errorf("rejected for %q (%s), constrained %v", v.Rejection, v.Message, v.Effort.Constrained)
			}
			if v.Command != nil && !slices.Contains(after.Nodes, v.Command.Candidates[0].Node) {
				t.Error("the candidates are not those of the later cluster")
			}
		})
	}
}

// What a pass cost, and what the next one has to know.
func TestDisruptAccountsForItsEffort(t *testing.T) {
	a, b := poolNamed("a", onDemand), poolNamed("b", onDemand)
	full := func(name, pool string) *packing.Node { return used(name, 2, pool, podNamed("p"+name, "1900m", "1Gi")) }
	s := clusterOf(full("a1", "a"), full("a2", "a"), full("b1", "b"))
	for _, pool := range []*packing.NodePool{a, b} {
		pool.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "5"}}
	}
	p := packerOf(t, machines(t), []*packing.NodePool{a, b})
	cmd, effort := disrupt(t, p, s, karpenter.DisruptLimits{})
	if cmd != nil {
		t.Fatalf("%s, and the test is about a cluster without a command", summary(cmd))
	}
	// Multi-node tries two and, as they cannot go, is done; single-node tries each.
	multi := karpenter.MethodEffort{Candidates: 3, Simulations: 1, Pods: 2, Nodes: 1, Consolidated: true}
	single := karpenter.MethodEffort{Candidates: 3, Simulations: 3, Pods: 3, Nodes: 6, Consolidated: true}
	if effort.Multi != multi || effort.Single != single || effort.Simulations() != 4 || len(effort.UnseenNodePools) != 0 {
		t.Errorf("effort %+v", effort)
	}

	// One simulation is all that single-node gets: pool b is left for the next pass,
	// which begins with it, and then with a.
	_, effort = disrupt(t, p, s, karpenter.DisruptLimits{SkipMulti: true, SingleSimulations: 1})
	if want := (karpenter.MethodEffort{Candidates: 3, Simulations: 1, Pods: 1, Nodes: 2, TimedOut: true}); effort.Single != want || !slices.Equal(effort.UnseenNodePools, []string{"b"}) {
		t.Errorf("after one simulation: %+v", effort)
	}
	_, effort = disrupt(t, p, s, karpenter.DisruptLimits{SkipMulti: true, SingleSimulations: 1, UnseenNodePools: effort.UnseenNodePools})
	if !effort.Single.TimedOut || !slices.Equal(effort.UnseenNodePools, []string{"a"}) {
		t.Errorf("after the second: %+v", effort)
	}

	// Without any, multi-node takes itself for done, single-node does not.
	_, effort = disrupt(t, p, s, karpenter.DisruptLimits{MultiSimulations: -1, SingleSimulations: -1})
	if !effort.Multi.TimedOut || !effort.Multi.Consolidated || !effort.Single.TimedOut || effort.Single.Consolidated {
		t.Errorf("without simulations: %+v", effort)
	}

	// Budgets that let nothing go leave neither done.
	b.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "0"}}
	_, effort = disrupt(t, packerOf(t, machines(t), []*packing.NodePool{a, b}), s, karpenter.DisruptLimits{})
	if !effort.Multi.Constrained || effort.Multi.Consolidated || !effort.Single.Constrained || effort.Single.Consolidated || effort.Single.Simulations != 2 {
		t.Errorf("with a budget of none: %+v", effort)
	}
}
