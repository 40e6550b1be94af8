package karpenter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// TestSimulationEqualsPack asks the simulator and, the long way, a pack of the
// reduced cluster the same questions, one after the other, so that nothing of a
// question may linger in the next.
func TestSimulationEqualsPack(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	catalog := simulationCatalog(t)
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	p, err := New(catalog, []*packing.NodePool{pool})
	if err != nil {
		t.Fatal(err)
	}
	for cluster := range 20 {
		s := simulationCluster(rng, catalog)
		c, err := p.newCluster(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ready(); err != nil {
			t.Fatal(err)
		}
		for question := range 20 {
			var gone []*Candidate
			for _, cand := range c.candidates {
				if rng.IntN(3) == 0 {
					gone = append(gone, cand)
				}
			}
			sim, err := c.simulate(context.Background(), gone, nil)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := p.Pack(context.Background(), without(s, gone))
			if err != nil {
				t.Fatal(err)
			}
			failing := slices.ContainsFunc(plan.Unschedulable, func(u packing.Unschedulable) bool { return u.Pod.Spec.NodeName != "" })
			if failing != (sim.stay.Class == StayUnschedulable) {
				t.Fatalf("cluster %d, question %d: the long way fails: %v, the simulation says %+v", cluster, question, failing, sim.stay)
			}
			if failing {
				continue
			}
			if d := cmp.Diff(placesOf(plan), placesOf(sim.plan)); d != "" {
				t.Fatalf("cluster %d, question %d: the simulation (+) differs from the long way (-):\n%s", cluster, question, d)
			}
		}
		c.release()
	}
}

// without is the cluster in which some nodes are being deleted and their pods wait.
func without(s *packing.Snapshot, gone []*Candidate) *packing.Snapshot {
	out := *s
	out.Nodes, out.Pods = slices.Clone(s.Nodes), slices.Clone(s.Pods)
	for _, cand := range gone {
		deleted := *cand.Node
		state := packing.NodeClaim{Consolidatable: true}
		if cand.Node.Claim != nil {
			state = *cand.Node.Claim
		}
		state.MarkedForDeletion = true
		deleted.Claim = &state
		out.Nodes[cand.position] = &deleted
		out.Pods = append(out.Pods, cand.moving...)
	}
	return &out
}

// placesOf maps every pod of a plan to where it goes; launches by what they are.
func placesOf(p *packing.Plan) map[string]string {
	places := map[string]string{}
	for _, pl := range p.Placements {
		for _, pod := range pl.Pods {
			places[pod.Name] = pl.Node.Name
		}
	}
	for i, l := range p.Launches {
		for _, pod := range l.Pods {
			places[pod.Name] = fmt.Sprintf("launch %d: %d types, %s, %v", i, len(l.Options), l.Requirements, l.Price)
		}
	}
	for _, u := range p.Unschedulable {
		places[u.Pod.Name] = "nowhere"
	}
	return places
}

func simulationCatalog(t *testing.T) *instancetypes.Catalog {
	t.Helper()
	var types []*instancetypes.InstanceType
	for size := 2; size <= 16; size *= 2 {
		name := fmt.Sprintf("t%d", size)
		it := &instancetypes.InstanceType{
			Name: name,
			Capacity: resources.MustFromList(corev1.ResourceList{
				corev1.ResourceCPU: *resource.NewQuantity(int64(size), resource.DecimalSI), corev1.ResourceMemory: *resource.NewQuantity(int64(4*size)<<30, resource.BinarySI),
				corev1.ResourcePods: resource.MustParse("30"),
			}),
			Requirements: requirements.NewSet(requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, name),
				requirements.Must(corev1.LabelTopologyZone, requirements.In, "a", "b", "c"),
				requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeOnDemand)),
		}
		for _, zone := range []string{"a", "b", "c"} {
			it.Offerings = append(it.Offerings, instancetypes.Offering{Price: float64(size) / 10, Available: true, Requirements: requirements.NewSet(
				requirements.Must(corev1.LabelTopologyZone, requirements.In, zone),
				requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeOnDemand))})
		}
		types = append(types, it)
	}
	c, err := instancetypes.NewCatalog(instancetypes.Info{Provider: "test"}, types...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// simulationCluster has a dozen nodes with pods of five applications: plain ones,
// one spread over zones, one that keeps its pods on hosts apart, one that joins
// another's zone, and one that prefers a zone.
func simulationCluster(rng *rand.Rand, catalog *instancetypes.Catalog) *packing.Snapshot {
	s := &packing.Snapshot{}
	serial := 0
	pod := func(node string) *corev1.Pod {
		app := rng.IntN(5)
		labels := map[string]string{"app": fmt.Sprint(app)}
		self := &metav1.LabelSelector{MatchLabels: labels}
		serial++
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("p%d", serial), Labels: labels},
			Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: *resource.NewMilliQuantity(int64(100*(1+rng.IntN(8))), resource.DecimalSI)}}}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning},
		}
		switch app {
		case 1:
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 2, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: self}}
		case 2:
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelHostname, LabelSelector: self}}}}
		case 3:
			p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelTopologyZone, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "0"}}}}}}
		case 4:
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: corev1.NodeSelectorTerm{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"b"}}}}}}}}
		}
		return p
	}
	for i := range 12 {
		t := catalog.Types()[rng.IntN(len(catalog.Types()))]
		n := packing.TemplateNode(t, packing.TemplateOptions{Zone: string(rune('a' + i%3))})
		n.Name = fmt.Sprintf("n%02d", i)
		for k, v := range map[string]string{corev1.LabelHostname: n.Name, packing.LabelNodePool: "default", requirements.LabelRegistered: "true", requirements.LabelInitialized: "true"} {
			n.Labels[k] = v
		}
		node := &packing.Node{Node: n}
		for range rng.IntN(6) {
			node.Pods = append(node.Pods, pod(n.Name))
		}
		s.Nodes = append(s.Nodes, node)
	}
	for range rng.IntN(4) {
		s.Pods = append(s.Pods, pod(""))
	}
	return s
}
