package clusterautoscaler

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
)

// underusedCluster has so many nodes in 10 groups and 30 pods of 50 workloads on each;
// with the share of CPU that they request a node is a candidate or not.
func underusedCluster(nodes int, cpu func(node int) int64) (Cluster, []*packing.NodeGroup) {
	const groupCount, podsPerNode = 10, 30
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &packing.Snapshot{Now: start}
	groups := make([]*packing.NodeGroup, groupCount)
	yes := true
	for g := range groups {
		groups[g] = &packing.NodeGroup{Name: fmt.Sprintf("group-%d", g), MaxSize: nodes, Price: 0.2,
			Template: &corev1.Node{Status: corev1.NodeStatus{Allocatable: quantities(8000, 32<<10, 110), Capacity: quantities(8000, 32<<10, 110)}}}
	}
	for i := range nodes {
		g := groups[i%groupCount]
		g.TargetSize++
		name := fmt.Sprintf("node-%d", i)
		n := &packing.Node{NodeGroup: g.Name, Node: &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
				corev1.LabelHostname: name, corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3)}},
			Status: corev1.NodeStatus{Allocatable: quantities(8000, 32<<10, 110), Capacity: quantities(8000, 32<<10, 110)}}}
		for p := range podsPerNode {
			w := (i + p) % 50
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d-%d", i, p), Namespace: "default",
					Labels: map[string]string{"app": fmt.Sprintf("app-%d", w)},
					OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Controller: &yes,
						Name: fmt.Sprintf("app-%d", w), UID: types.UID(fmt.Sprint(w))}}},
				Spec: corev1.PodSpec{NodeName: name, Containers: []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{
						corev1.ResourceCPU:    *resource.NewMilliQuantity(cpu(i)/podsPerNode, resource.DecimalSI),
						corev1.ResourceMemory: *resource.NewQuantity(200<<20, resource.BinarySI)}}}}},
			}
			if w%10 == 0 {
				pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone,
					WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: pod.Labels}}}
			}
			n.Pods = append(n.Pods, pod)
		}
		s.Nodes = append(s.Nodes, n)
	}
	return Cluster{Snapshot: s}, groups
}

// BenchmarkScaleDown times one loop over 1,000 nodes with 30,000 pods, all nodes being
// candidates: where pods find places, so that the search ends early, where they find
// none, so that all nodes are simulated, and where as many nodes as may go are looked for.
func BenchmarkScaleDown(b *testing.B) {
	const nodes = 1000
	half := func(int) int64 { return 3900 }
	full := func(int) int64 { return 7980 }
	for _, c := range []struct {
		name    string
		cpu     func(int) int64
		options []Option
	}{
		{"removable", half, nil},
		{"stuck", full, []Option{WithScaleDownUtilizationThreshold(1)}},
		{"all", half, []Option{WithMaxScaleDownParallelism(nodes), WithMaxDrainParallelism(nodes), WithScaleDownUnneededTime(0)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			cluster, groups := underusedCluster(nodes, c.cpu)
			packer, err := New(groups, c.options...)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var last *Loop
			for b.Loop() {
				if last, err = packer.ScaleDown(context.Background(), cluster); err != nil {
					b.Fatal(err)
				}
			}
			if len(last.Candidates) != nodes {
				b.Fatalf("%d candidates of %d nodes", len(last.Candidates), nodes)
			}
			b.ReportMetric(float64(len(last.Unneeded)), "unneeded")
			b.ReportMetric(float64(len(last.Deletions)), "deletions")
		})
	}
}
