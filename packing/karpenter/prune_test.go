package karpenter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// Where a simulation is spared or broken off, the whole of it would have come to no command; where it is not, it
// comes to the same command as ever.
func TestPruningChangesNoCommand(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	asked, commands, spared, brokenOff, nothing := 0, 0, 0, 0, 0
	clusters := 3000 // what little goes wrong shows in one of hundreds
	if testing.Short() {
		clusters = 300
	}
	for cluster := range clusters {
		s, p := prunedCluster(t, rng)
		c, err := p.newCluster(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ready(); err != nil {
			t.Fatal(err)
		}
		order := c.consolidatable()
		var questions [][]*Candidate
		for i := range order {
			questions = append(questions, order[i:i+1])
			if i > 0 {
				questions = append(questions, order[:i+1])
			}
		}
		for _, gone := range questions {
			asked++
			c.brief = false
			want, stay, err := c.evaluate(context.Background(), gone)
			if err != nil {
				t.Fatal(err)
			}
			effort := *c.effort
			*c.effort = MethodEffort{}
			c.brief = true
			got, _, err := c.evaluate(context.Background(), gone)
			if err != nil {
				t.Fatal(err)
			}
			if toldDecision(got) != toldDecision(want) {
				t.Fatalf("cluster %d, %d nodes from %s: in brief %s, else %s (%+v)", cluster, len(gone), gone[0].Node.Name, toldDecision(got), toldDecision(want), stay)
			}
			if *c.effort != effort {
				t.Fatalf("cluster %d: in brief the effort is %+v, else %+v", cluster, *c.effort, effort)
			}
			*c.effort = MethodEffort{}
			old := c.incumbentOf(gone)
			if c.fruitless(gone, old) {
				spared++
			} else if r, err := c.ask(context.Background(), gone, old); err != nil {
				t.Fatal(err)
			} else if r.release(); r.pruned {
				brokenOff++
			}
			if want == nil {
				nothing++
			} else {
				commands++
			}
		}
		c.release()
	}
	t.Logf("%d questions, %d commands; of %d that come to nothing %d spared, %d broken off", asked, commands, nothing, spared, brokenOff)
	if commands < 5*clusters || spared < clusters || brokenOff < clusters {
		t.Error("the clusters show too little")
	}
}

// Pods that stay may keep pods off their nodes that state nothing themselves. The first of two pods of b would go to a
// if it did not run a pod that excludes it; then the second, which fits only there, has its place.
func TestPruningHeedsAntiAffinityOfPodsThatStay(t *testing.T) {
	catalog := simulationCatalog(t)
	pod := func(name, app, cpu, memory, node string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), Labels: map[string]string{"app": app}},
			Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}}}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning},
		}
	}
	apart := pod("apart", "apart", "100m", "1Mi", "a")
	apart.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "first"}}}}}}
	s := &packing.Snapshot{Now: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
	for name, pods := range map[string][]*corev1.Pod{
		"a": {apart}, "b": {pod("first", "first", "1100m", "1Mi", "b"), pod("second", "second", "900m", "5Gi", "b")}, "c": {pod("full", "full", "100m", "6Gi", "c")},
	} {
		n := packing.TemplateNode(catalog.Types()[0], packing.TemplateOptions{Zone: "a"})
		n.Name = name
		for k, v := range map[string]string{corev1.LabelHostname: name, packing.LabelNodePool: "default", requirements.LabelRegistered: "true", requirements.LabelInitialized: "true"} {
			n.Labels[k] = v
		}
		s.Nodes = append(s.Nodes, &packing.Node{Node: n, Pods: pods})
	}
	slices.SortFunc(s.Nodes, func(a, b *packing.Node) int { return strings.Compare(a.Name, b.Name) })
	p, err := New(catalog, []*packing.NodePool{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.newCluster(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ready(); err != nil {
		t.Fatal(err)
	}
	defer c.release()
	c.brief = true
	cmd, _, err := c.evaluate(context.Background(), c.candidates[1:2])
	if err != nil || cmd == nil || cmd.Decision() != decisionDelete {
		t.Errorf("the command is %v, %v; b can go", cmd, err)
	}
}

// prunedCluster is a cluster of spot and on-demand nodes, with nodes that start, that go, and that have just seen a pod. Each
// kind of constraint is there in some clusters only, so that one does not hide what another does.
func prunedCluster(t *testing.T, rng *rand.Rand) (*packing.Snapshot, *Packer) {
	t.Helper()
	often := func() bool { return rng.IntN(2) == 0 }
	catalog := spotCatalog(t, rng, rng.IntN(4) == 0)
	s := simulationCluster(rng, catalog)
	s.Now = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	spread, affinity, ports, picky := often(), rng.IntN(4) == 0, rng.IntN(4) == 0, often()
	pods := append([]*corev1.Pod(nil), s.Pods...)
	for _, n := range s.Nodes {
		pods = append(pods, n.Pods...)
		n.Labels[requirements.LabelCapacityType] = []string{requirements.CapacityTypeSpot, requirements.CapacityTypeOnDemand}[rng.IntN(2)]
		n.Claim = &packing.NodeClaim{Consolidatable: true, MarkedForDeletion: rng.IntN(12) == 0}
		switch rng.IntN(10) {
		case 0:
			n.Labels[requirements.LabelInitialized] = "false"
		case 1, 2, 3:
			n.Claim.LastPodEvent = s.Now.Add(-time.Second)
		}
	}
	if often() {
		s.Pods = nil
	}
	for _, pod := range pods {
		pod.UID = types.UID(fmt.Sprint(rng.IntN(20)))
		pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(int64(200*(1+rng.IntN(12))), resource.DecimalSI)}
		if rng.IntN(8) == 0 {
			pod.Status.Phase = corev1.PodPending
		}
		if !spread {
			pod.Spec.TopologySpreadConstraints = nil
		}
		if !affinity {
			pod.Spec.Affinity = nil
		} else if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
			a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "0"}}
		}
		if ports && rng.IntN(3) == 0 {
			pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 8000}}
		}
		if picky && rng.IntN(6) == 0 {
			constrainToLabels(pod, rng.IntN(5))
		}
	}
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	pool.Spec.Disruption.ConsolidateAfter.Duration = 30 * time.Second
	var opts []Option
	if rng.IntN(3) == 0 {
		opts = append(opts, WithSpotToSpotConsolidation(true))
	}
	p, err := New(catalog, []*packing.NodePool{pool}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

// constrainToLabels has a pod ask for labels: of the zone, the capacity type, the type, and for and against a label that no node has.
func constrainToLabels(pod *corev1.Pod, how int) {
	switch how {
	case 0:
		pod.Spec.NodeSelector = map[string]string{corev1.LabelTopologyZone: "a"}
	case 1:
		pod.Spec.NodeSelector = map[string]string{requirements.LabelCapacityType: requirements.CapacityTypeOnDemand}
	case 2:
		pod.Spec.NodeSelector = map[string]string{corev1.LabelInstanceTypeStable: "t16"}
	default:
		operator := []corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn}[how-3]
		value := []string{"y", "x"}[how-3]
		pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "example.com/rack", Operator: operator, Values: []string{value}}}}}}}}
	}
}

// spotCatalog adds spot offerings of random prices to the types of a simulation, and to some a reservation.
func spotCatalog(t *testing.T, rng *rand.Rand, reserved bool) *instancetypes.Catalog {
	t.Helper()
	var all []*instancetypes.InstanceType
	for _, it := range simulationCatalog(t).Types() {
		spot := *it
		spot.Requirements = requirements.NewSet(it.Requirements.Get(corev1.LabelInstanceTypeStable), it.Requirements.Get(corev1.LabelTopologyZone),
			requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeSpot, requirements.CapacityTypeOnDemand))
		for _, o := range it.Offerings {
			o.Price *= 0.3 + 0.7*rng.Float64()
			o.Requirements = requirements.NewSet(requirements.Must(corev1.LabelTopologyZone, requirements.In, o.Zone()),
				requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeSpot))
			spot.Offerings = append(spot.Offerings[:len(spot.Offerings):len(spot.Offerings)], o)
		}
		if reserved && rng.IntN(2) == 0 {
			spot.Requirements = requirements.NewSet(it.Requirements.Get(corev1.LabelInstanceTypeStable), it.Requirements.Get(corev1.LabelTopologyZone),
				requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeReserved, requirements.CapacityTypeSpot, requirements.CapacityTypeOnDemand),
				requirements.Must(defaultReservationIDLabel, requirements.In, "r-"+spot.Name))
			spot.Offerings = append(spot.Offerings, instancetypes.Offering{Price: 0.001, Available: true, ReservationCapacity: 1 + rng.IntN(2), Requirements: requirements.NewSet(
				requirements.Must(corev1.LabelTopologyZone, requirements.In, "a"), requirements.Must(defaultReservationIDLabel, requirements.In, "r-"+spot.Name),
				requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeReserved))})
		}
		all = append(all, &spot)
	}
	c, err := instancetypes.NewCatalog(instancetypes.Info{Provider: "test"}, all...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
