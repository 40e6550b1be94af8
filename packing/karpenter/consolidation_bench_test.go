package karpenter_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

// usedCluster is a cluster after some time: nodes of one pool, of several sizes,
// with pods of 40 applications, on each of which some pods have gone: from a
// third to nine tenths of a node's CPU is requested, 30 pods a node on average.
func usedCluster(tb testing.TB, catalog *instancetypes.Catalog, nodes int, constrain func(app int, p *corev1.Pod)) *packing.Snapshot {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	types := []string{"m6i.2xlarge", "m6i.4xlarge", "c6i.4xlarge", "r6i.2xlarge", "m5.4xlarge"}
	zones := catalog.Zones()[:3]
	s := &packing.Snapshot{Now: time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)}
	for i := range nodes {
		t, ok := catalog.Lookup(types[rng.IntN(len(types))])
		if !ok {
			tb.Fatal("the catalog lacks a type of the benchmark")
		}
		n := packing.TemplateNode(t, packing.TemplateOptions{Zone: zones[i%len(zones)]})
		n.Name = fmt.Sprintf("node-%04d", i)
		n.Labels[corev1.LabelHostname] = n.Name
		n.Labels[packing.LabelNodePool] = "default"
		n.Labels[requirements.LabelRegistered], n.Labels[requirements.LabelInitialized] = "true", "true"
		node := &packing.Node{Node: n}
		allocatable := t.Allocatable()
		cpu := int64(float64(allocatable.Get(corev1.ResourceCPU)) * (0.35 + 0.55*rng.Float64()))
		for cpu > 0 {
			app := rng.IntN(40)
			pod := appPod(app, len(node.Pods), n.Name)
			constrain(app, pod)
			cpu -= pod.Spec.Containers[0].Resources.Requests.Cpu().MilliValue()
			node.Pods = append(node.Pods, pod)
		}
		s.Nodes = append(s.Nodes, node)
	}
	return s
}

// appPod is a running pod of an application; applications ask for 50m to 440m.
func appPod(app, k int, node string) *corev1.Pod {
	name := fmt.Sprintf("app-%02d", app)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprintf("%s-%s-%d", name, node, k), Labels: map[string]string{"app": name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: "1"}},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU:    *resource.NewMilliQuantity(int64(50+10*app), resource.DecimalSI),
				corev1.ResourceMemory: *resource.NewQuantity(int64(64+16*(app%16))<<20, resource.BinarySI),
			},
		}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

// BenchmarkConsolidate is one full pass: emptiness, multi-node, and single-node
// consolidation of every candidate. 1,000 nodes with 30,000 pods is a large
// cluster; the original needs 0.9 s for each single simulation of it.
func BenchmarkConsolidate(b *testing.B) {
	catalog, err := aws.Load("us-east-1")
	if err != nil {
		b.Fatal(err)
	}
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	pool.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "100%"}}
	pool.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{
		{Key: requirements.LabelCapacityType, Operator: requirements.In, Values: []string{requirements.CapacityTypeOnDemand}},
		{Key: corev1.LabelArchStable, Operator: requirements.In, Values: []string{"amd64"}},
	}
	p, err := karpenter.New(catalog, []*packing.NodePool{pool})
	if err != nil {
		b.Fatal(err)
	}
	mixes := []struct {
		name      string
		constrain func(app int, p *corev1.Pod)
	}{{"plain", func(int, *corev1.Pod) {}}, {"constrained", constrained}}
	for _, mix := range mixes {
		for _, nodes := range []int{50, 200, 1000} {
			b.Run(fmt.Sprintf("mix=%s/nodes=%d", mix.name, nodes), func(b *testing.B) {
				s := usedCluster(b, catalog, nodes, mix.constrain)
				b.ReportAllocs()
				for b.Loop() {
					found, err := p.Consolidate(context.Background(), s)
					if err != nil {
						b.Fatal(err)
					}
					if len(found.Order) == 0 {
						b.Fatal("no candidate: the benchmark measures nothing")
					}
				}
				pods := 0
				for _, n := range s.Nodes {
					pods += len(n.Pods)
				}
				b.ReportMetric(float64(pods), "pods")
				b.ReportMetric(float64(nodes)*float64(b.N)/b.Elapsed().Seconds(), "candidates/s")
			})
		}
	}
}

// constrained gives four in five applications a constraint each: spread over zones,
// spread over hosts, a zone shared with another application, a zone kept apart from
// another by preference. Running pods meet them well enough to be moved.
func constrained(app int, p *corev1.Pod) {
	self := &metav1.LabelSelector{MatchLabels: p.Labels}
	other := &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprintf("app-%02d", (app+1)%40)}}
	switch app % 5 {
	case 1:
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1000, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: self}}
	case 2:
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 8, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: self}}
	case 3:
		p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelTopologyZone, LabelSelector: other}}}}
	case 4:
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: corev1.LabelHostname, LabelSelector: self}}}}
	}
}
