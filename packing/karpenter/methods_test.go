package karpenter_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

func TestEmptinessTakesTheDearestWithinBudget(t *testing.T) {
	a, b, static := poolNamed("a", onDemand), poolNamed("b", onDemand), poolNamed("static", onDemand)
	a.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "2", Reasons: []string{"Empty"}}}
	b.Spec.Disruption.ConsolidationPolicy = karpenter.WhenEmpty
	replicas := int64(1)
	static.Spec.Replicas = &replicas
	unready := used("b-settling", 16, "b")
	unready.Claim = &packing.NodeClaim{} // consolidateAfter has not passed
	s := clusterOf(used("a4", 4, "a"), used("a1", 1, "a"), used("a8", 8, "a"), used("b2", 2, "b"), unready, used("s", 4, "static"))
	found := consolidate(t, packerOf(t, machines(t), []*packing.NodePool{a, b, static}), s)
	// ratios 0.8, 0.4, 0.2 and 0.1 over 1; a lets two go: 0.8 + 0.4 + 0.2
	expect(t, summary(found.Emptiness), "emptiness delete a8 a4 b2 saves 1.40")
	if found.Command() != found.Emptiness {
		t.Error("emptiness comes before the other methods")
	}
}

// Three nodes of one type with a pod of one CPU each: the pods of two fit on the
// third, so two go. All three could only be replaced by a node of their own type, or
// a dearer one, which would be no gain over keeping one of them.
func TestMultiNodeDeletesTheLongestPrefix(t *testing.T) {
	s := clusterOf()
	for i := range 3 {
		s.Nodes = append(s.Nodes, used(fmt.Sprintf("n%d", i), 4, "default", podNamed(fmt.Sprintf("p%d", i), "1", "1Gi")))
	}
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	expect(t, summary(consolidate(t, p, s).Multi), "multi delete n0 n1 saves 0.80")

	budgeted := poolNamed("default", onDemand)
	budgeted.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "1"}}
	p = packerOf(t, machines(t), []*packing.NodePool{budgeted})
	found := consolidate(t, p, s)
	expect(t, summary(found.Multi), "nothing") // fewer than two candidates
	expect(t, summary(found.Single), "single delete n0 saves 0.40")
}

// The replacement of several nodes must be cheaper than the cheapest of them of
// any type that is among the options.
func TestMultiNodeFiltersSameType(t *testing.T) {
	pods := func(i int) []*corev1.Pod { return podsNamed(fmt.Sprintf("p%d", i), 1, "900m", "1Gi") }
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	// Two m8, of which only the pods are left: 1.8 CPUs. m2 (0.2) and m4 are options below
	// 1.6; m8 is one too (0.8) and theirs, so only what is below 0.8 stays.
	s := clusterOf(used("a", 8, "default", pods(0)...), used("b", 8, "default", pods(1)...))
	s.Nodes[0].Spec.Unschedulable = true // else the pods of the one would go to the other
	s.Nodes[1].Spec.Unschedulable = true
	expect(t, summary(consolidate(t, p, s).Multi), "multi replace a b by m2|m4 saves 1.40")
	// An m2 and an m8: m2 is an option and theirs at 0.2; nothing is below.
	s = clusterOf(used("a", 2, "default", pods(0)...), used("b", 8, "default", pods(1)...))
	s.Nodes[0].Spec.Unschedulable = true
	s.Nodes[1].Spec.Unschedulable = true
	expect(t, summary(consolidate(t, p, s).Multi), "nothing")
}

// The binary search starts from the first 101 candidates, where there are more
// than a hundred: the original counts from zero.
func TestMultiNodeLooksAtHundredAndOne(t *testing.T) {
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	for _, tc := range []struct {
		nodes, gone int
		decision    string
	}{
		{100, 100, "replace"}, // all, for one m2
		{101, 101, "replace"},
		{150, 101, "delete"}, // the others have room
	} {
		s := clusterOf()
		for i := range tc.nodes {
			s.Nodes = append(s.Nodes, used(fmt.Sprintf("n%03d", i), 4, "default", podNamed(fmt.Sprintf("p%03d", i), "10m", "10Mi")))
		}
		cmd := consolidate(t, p, s).Multi
		if cmd == nil || len(cmd.Candidates) != tc.gone || cmd.Decision() != tc.decision {
			t.Errorf("%d nodes: %s", tc.nodes, summary(cmd))
		}
	}
}

// Single-node consolidation takes turns between the pools: the best of one, the
// best of the other, then the second of the first.
func TestSingleNodeTakesTurnsBetweenPools(t *testing.T) {
	a, b := poolNamed("a", onDemand), poolNamed("b", onDemand)
	stuck := podNamed("stuck", "3500m", "1Gi")
	stuck.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "a1"}
	s := clusterOf(
		used("a1", 4, "a", stuck),                                      // 0.4 / 2 = 0.2, cannot go
		used("a2", 8, "a", podsNamed("a2", 5, "100m", "100Mi")...),     // 0.8 / 6 = 0.13
		used("b1", 8, "b", podsNamed("b1", 6, "100m", "100Mi")...),     // 0.8 / 7 = 0.11
		used("rest", 16, "b", podsNamed("rest", 60, "100m", "1Mi")...), // room for all
	)
	found := consolidate(t, packerOf(t, machines(t), []*packing.NodePool{a, b}), s)
	expect(t, nodeNames(found.Order), "a1 a2 b1 rest")
	expect(t, summary(found.Single), "single delete b1 saves 0.80")
	if v := verdictOn(t, found, "a1"); v.Reason.Class != karpenter.StayUnschedulable || !strings.Contains(v.Reason.Message, "default/stuck") {
		t.Errorf("a1 stays for %+v", v.Reason)
	}
}

// priced is a type with an on-demand price for each zone, 0 for none.
func priced(name string, cpus int64, prices ...float64) *instancetypes.InstanceType {
	t := machine(name, cpus)
	t.Offerings = nil
	for i, price := range prices {
		if price > 0 {
			t.Offerings = append(t.Offerings, offering(zones[i], requirements.CapacityTypeOnDemand, price))
		}
	}
	return t
}

// A type may replace a node if the dearest of the offerings that a launch could
// choose is cheaper than the node: capacity may run out in the cheap zone.
func TestReplacementIsJudgedByItsWorstPrice(t *testing.T) {
	catalog := catalogOf(t,
		machine("m8", 8), // 0.8 everywhere
		priced("same", 4, 0.8),
		priced("uneven", 4, 0.3, 0.9),
		priced("even", 4, 0.5, 0.6),
	)
	p := packerOf(t, catalog, []*packing.NodePool{poolNamed("default", onDemand)})
	found := consolidate(t, p, clusterOf(used("n", 8, "default", podNamed("free", "1", "1Gi"))))
	// uneven is 0.9 at worst; the savings are reckoned from the cheapest: 0.8 - 0.5
	expect(t, summary(found.Single), "single replace n by even saves 0.30")
	found = consolidate(t, p, clusterOf(used("n", 8, "default", podNamed("zonal", "1", "1Gi", inZone("zone-a")))))
	expect(t, summary(found.Single), "single replace n by uneven|even saves 0.50") // 0.8 - 0.3
	found = consolidate(t, p, clusterOf(used("n", 8, "default", podNamed("big", "5", "1Gi"))))
	if v := verdictOn(t, found, "n"); v.Command != nil || v.Reason.Class != karpenter.StayNotCheaper {
		t.Errorf("a node that only its own type could replace stays for %+v", v.Reason)
	}
}

// Three types are cheaper than m8. A pool that wants three kinds can be
// consolidated, one that wants four cannot: the scheduler finds four, the price
// filter leaves three.
func TestReplacementKeepsMinValues(t *testing.T) {
	for _, tc := range []struct {
		minValues int
		want      string
		stay      karpenter.StayClass
	}{
		{3, "single replace n by m1|m2|m4 saves 0.70", ""},
		{4, "nothing", karpenter.StayMinValues},
	} {
		pool := poolNamed("default", onDemand)
		pool.Spec.Template.Spec.Requirements = append(pool.Spec.Template.Spec.Requirements,
			packing.NodePoolExpression{Key: corev1.LabelInstanceTypeStable, Operator: requirements.Exists, MinValues: &tc.minValues})
		p := packerOf(t, machines(t), []*packing.NodePool{pool})
		found := consolidate(t, p, clusterOf(used("n", 8, "default", podNamed("p", "500m", "1Gi"))))
		expect(t, summary(found.Single), tc.want)
		if got := verdictOn(t, found, "n").Reason.Class; got != tc.stay {
			t.Errorf("minValues %d: stays for %q, want %q", tc.minValues, got, tc.stay)
		}
	}
}

// spotCatalog has n small types, spot at 1 to n cents and on demand at a dollar,
// and m8 at 0.8 on demand and 0.5 spot.
func spotCatalog(t testing.TB, n int) *instancetypes.Catalog {
	var types []*instancetypes.InstanceType
	for i := range n {
		it := priced(fmt.Sprintf("s%02d", i+1), 2, 1)
		it.Offerings = append(it.Offerings, offering("zone-a", requirements.CapacityTypeSpot, 0.01*float64(i+1)))
		types = append(types, it)
	}
	big := machine("m8", 8)
	big.Offerings = append(big.Offerings, offering("zone-a", requirements.CapacityTypeSpot, 0.5))
	for _, it := range append(types, big) {
		it.Requirements = requirements.NewSet(
			requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, it.Name),
			requirements.Must(corev1.LabelTopologyZone, requirements.In, zones...),
			requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeSpot, requirements.CapacityTypeOnDemand))
	}
	return catalogOf(t, append(types, big)...)
}

func TestSpotToSpot(t *testing.T) {
	spot := func(name string) *packing.Node {
		n := used(name, 8, "default", podNamed("p"+name, "1", "1Gi"))
		n.Labels[requirements.LabelCapacityType] = requirements.CapacityTypeSpot
		n.Spec.Unschedulable = true
		return n
	}
	pools := []*packing.NodePool{poolNamed("default")}
	on := karpenter.WithSpotToSpotConsolidation(true)
	for _, tc := range []struct {
		name    string
		cheaper int
		opts    []karpenter.Option
		options int // of the replacement
		stay    karpenter.StayReason
	}{
		{"switched off", 20, nil, 0, karpenter.StayReason{Class: karpenter.StaySpotToSpot}},
		{"14 cheaper types", 14, []karpenter.Option{on}, 0, karpenter.StayReason{Class: karpenter.StaySpotFlexibility, Count: 14}},
		{"15 cheaper types", 15, []karpenter.Option{on}, 15, karpenter.StayReason{}},
		{"20 cheaper types", 20, []karpenter.Option{on}, 15, karpenter.StayReason{}}, // the 15 cheapest, lest it be replaced again
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := consolidate(t, packerOf(t, spotCatalog(t, tc.cheaper), pools, tc.opts...), clusterOf(spot("n")))
			v := verdictOn(t, found, "n")
			v.Reason.Message = ""
			if v.Reason != tc.stay {
				t.Errorf("stays for %+v, want %+v", v.Reason, tc.stay)
			}
			if (v.Command != nil) != (tc.options > 0) || v.Command != nil && len(v.Command.Replacement.Options) != tc.options {
				t.Errorf("command %s", summary(v.Command))
			}
		})
	}
	// Several nodes at once need no flexibility: 1.00 - 0.01.
	found := consolidate(t, packerOf(t, spotCatalog(t, 2), pools, on), clusterOf(spot("a"), spot("b")))
	expect(t, summary(found.Multi), "multi replace a b by s01|s02 saves 0.99")
}

// An on-demand node whose pool allows spot is replaced by spot only: the price
// was judged by spot, and a launch that fell back to on-demand would cost more.
func TestOnDemandIsReplacedBySpotOnly(t *testing.T) {
	p := packerOf(t, spotCatalog(t, 3), []*packing.NodePool{poolNamed("default")})
	cmd := consolidate(t, p, clusterOf(used("n", 8, "default", podNamed("p", "1", "1Gi")))).Single
	expect(t, summary(cmd), "single replace n by s01|s02|s03|m8 saves 0.79") // 0.8 - 0.01; m8 as spot is 0.5
	if got := cmd.Replacement.Requirements.Get(requirements.LabelCapacityType).Values(); !slices.Equal(got, []string{requirements.CapacityTypeSpot}) {
		t.Errorf("the replacement may be %v", got)
	}
	if cmd.Replacement.CapacityType != requirements.CapacityTypeSpot || cmd.Replacement.Price != 0.01 {
		t.Errorf("expected to launch as %s at %v", cmd.Replacement.CapacityType, cmd.Replacement.Price)
	}
}

// A Balanced pool lets a node go if its share of the pool's cost, saved, is at least
// half its share of the pool's disruption cost.
func TestBalancedWeighsSavingsAgainstDisruption(t *testing.T) {
	pool := poolNamed("default", onDemand)
	pool.Spec.Disruption.ConsolidationPolicy = karpenter.Balanced
	s := clusterOf(
		used("cheap", 1, "default", podsNamed("cheap", 3, "100m", "100Mi")...), // 0.1, cost 4
		used("dear", 8, "default", podsNamed("dear", 3, "100m", "100Mi")...),   // 0.8, cost 4
	)
	found := consolidate(t, packerOf(t, machines(t), []*packing.NodePool{pool}), s)
	if got := found.Totals["default"]; math.Abs(got.Cost-0.9) > 1e-9 || got.DisruptionCost != 8 {
		t.Errorf("totals %+v, want 0.9 and 8", got)
	}
	cheap, dear := verdictOn(t, found, "cheap"), verdictOn(t, found, "dear")
	// its deletion saves 0.1/0.9 = 0.11 of the cost for 4/8 of the disruption: 0.22 < 0.5
	if cheap.CanPass || cheap.Scores[0].Approved() || math.Abs(cheap.Scores[0].Value()-0.1/0.9/0.5) > 1e-9 {
		t.Errorf("cheap: can pass %v, %+v", cheap.CanPass, cheap.Scores)
	}
	// 0.8/0.9 = 0.89 for 0.5: 1.78
	if !dear.CanPass || !dear.Scores[0].Approved() || math.Abs(dear.Scores[0].Value()-0.8/0.9/0.5) > 1e-9 {
		t.Errorf("dear: can pass %v, %+v", dear.CanPass, dear.Scores)
	}
	expect(t, summary(found.Single), "single delete dear saves 0.80")

	// Just at the threshold: 0.25 of the cost for 0.5 of the disruption.
	s = clusterOf(used("a", 4, "default", podNamed("a", "100m", "1Mi")), used("b", 4, "default", podNamed("b", "3900m", "1Mi")), used("c", 8, "default"))
	s.Nodes[0].Pods[0].Annotations = map[string]string{corev1.PodDeletionCost: fmt.Sprint(2 << 27)} // 1 + (1 + 2) = 4
	s.Nodes[2].Annotations = map[string]string{doNotDisrupt: "true"}                                // blocked, counted all the same
	s.Nodes[2].Pods = nil
	found = consolidate(t, packerOf(t, machines(t), []*packing.NodePool{pool}), s)
	// cost 0.4 + 0.4 + 0.8 = 1.6, disruption 4 + 2 + 1 = 7: 0.25 / (4/7) = 0.4375
	if v := verdictOn(t, found, "a").Scores[0]; math.Abs(v.Value()-0.4375) > 1e-9 || v.Approved() {
		t.Errorf("a: %+v", v)
	}
}

// Within consolidateAfter since its last pod came, a node takes none of the pods
// that a consolidation would move: they might hop from node to node for ever.
func TestSettlingNodesTakeNoMovedPods(t *testing.T) {
	pool := poolNamed("default", onDemand)
	pool.Spec.Disruption.ConsolidateAfter.Duration = 5 * time.Minute
	p := packerOf(t, machines(t), []*packing.NodePool{pool})
	for _, tc := range []struct {
		since time.Duration
		want  string
	}{
		{4 * time.Minute, "single replace n by m1|m2 saves 0.30"}, // 0.4 - 0.1
		{5 * time.Minute, "single delete n saves 0.40"},
	} {
		other := used("other", 8, "default", podsNamed("other", 4, "1", "1Gi")...)
		other.Claim = &packing.NodeClaim{LastPodEvent: now.Add(-tc.since)}
		expect(t, summary(consolidate(t, p, clusterOf(used("n", 4, "default", podNamed("p", "500m", "1Gi")), other)).Single), tc.want)
	}
	// Without a clock, ages do not matter.
	other := used("other", 8, "default", podsNamed("other", 4, "1", "1Gi")...)
	other.Claim = &packing.NodeClaim{LastPodEvent: now}
	s := clusterOf(used("n", 4, "default", podNamed("p", "500m", "1Gi")), other)
	s.Now = time.Time{}
	expect(t, summary(consolidate(t, p, s).Single), "single delete n saves 0.40")
}

// Nothing relies on a node that is not ready yet.
func TestUninitializedNodesAreNoRefuge(t *testing.T) {
	fresh := used("fresh", 8, "default")
	delete(fresh.Labels, requirements.LabelInitialized)
	s := clusterOf(used("n", 4, "default", podNamed("p", "500m", "1Gi")), fresh)
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	v := verdictOn(t, consolidate(t, p, s), "n")
	if v.Command != nil || v.Reason.Class != karpenter.StayUninitialized || !strings.Contains(v.Reason.Message, "node fresh") {
		t.Errorf("stays for %+v", v.Reason)
	}
}

// Pods of a node that is going already are counted on: they take the room first come.
func TestPodsOfDeletedNodesNeedRoomToo(t *testing.T) {
	going := used("going", 4, "default", podNamed("leaving", "3", "1Gi"))
	s := clusterOf(used("n", 4, "default", podNamed("p", "2", "1Gi")), used("room", 4, "default", podNamed("q", "1", "1Gi")), going)
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	expect(t, summary(consolidate(t, p, s).Single), "single delete going saves 0.40") // one of three alike, the first by name
	going.Claim = &packing.NodeClaim{MarkedForDeletion: true}
	found := consolidate(t, p, s)
	// 3 CPUs are free on room, and 5 are sought: another node is needed. An m4 for both
	// of n and room would be no gain.
	cmd := verdictOn(t, found, "n").Command
	expect(t, summary(cmd), "single replace n by m2 saves 0.20") // leaving goes to room, p to the new node
	for _, pl := range cmd.Placements {
		for _, pod := range pl.Pods {
			if pod.Name != "leaving" || pl.Node.Name != "room" {
				t.Errorf("pod %s goes to %s", pod.Name, pl.Node.Name)
			}
		}
	}
	cluster, plan := cmd.Plan(s)
	if v := packing.Verify(cluster, plan); len(v) > 0 {
		t.Errorf("the command as a plan: %v", v)
	}
	if len(cluster.Nodes) != 2 || len(cluster.Pods) != 2 || plan.PodCount() != 2 {
		t.Errorf("%d nodes, %d pods wait, %d placed", len(cluster.Nodes), len(cluster.Pods), plan.PodCount())
	}
}

// Pods that wait compete for the room, but do not stand in the way.
func TestWaitingPodsDoNotBlock(t *testing.T) {
	huge := podNamed("huge", "64", "1Gi")
	s := clusterOf(used("n", 4, "default", podNamed("p", "1", "1Gi")), used("room", 8, "default", podsNamed("q", 6, "1", "1Gi")...))
	s.Pods = []*corev1.Pod{huge}
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	expect(t, summary(consolidate(t, p, s).Single), "single delete n saves 0.40")
	// One that takes the room first, by the queue's order of CPU, and leaves p none but its like: m1 is cheaper.
	s.Pods = []*corev1.Pod{podNamed("q9", "2", "1Gi")}
	expect(t, summary(consolidate(t, p, s).Single), "single replace n by m1|m2 saves 0.30")
}

func TestSeveralNodesNeeded(t *testing.T) {
	apart := func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "apart"}
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "apart"}}}}}}
	}
	s := clusterOf(used("n", 8, "default", podsNamed("p", 2, "1", "1Gi", apart)...))
	v := verdictOn(t, consolidate(t, packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)}), s), "n")
	if v.Command != nil || v.Reason.Class != karpenter.StayNeedsNodes || v.Reason.Count != 2 {
		t.Errorf("stays for %+v", v.Reason)
	}
}

func TestConsolidationStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	s := clusterOf(used("n", 4, "default", podNamed("p", "1", "1Gi")))
	if _, err := p.Consolidate(ctx, s); err == nil {
		t.Error("Consolidate goes on after its context ended")
	}
	if _, err := p.Converge(ctx, s); err == nil {
		t.Error("Converge goes on after its context ended")
	}
}
