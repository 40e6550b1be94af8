package clusterautoscaler

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
)

// podMaker makes the pods of a controller; they share what is of its template.
func podMaker(name string, cpu, memory int64) func(pod string) *corev1.Pod {
	yes := true
	labels := map[string]string{"app": name}
	owners := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: types.UID(name), Controller: &yes}}
	containers := []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(cpu, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(memory<<20, resource.BinarySI)}}}}
	return func(pod string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: pod, Labels: labels, OwnerReferences: owners},
			Spec: corev1.PodSpec{Containers: containers}}
	}
}

// largeCluster has so many nodes in 10 groups with 12 pods each, of 50 controllers; the first
// nodes use a third of what they have, the others four fifths.
func largeCluster(nodes, underused int) (Cluster, []*packing.NodeGroup, []func(string) *corev1.Pod) {
	const groupCount, podsPerNode = 10, 12
	s := &packing.Snapshot{Now: noon}
	list := quantities(8000, 32<<10, 110)
	groups := make([]*packing.NodeGroup, groupCount)
	for g := range groups {
		groups[g] = &packing.NodeGroup{Name: fmt.Sprintf("group-%d", g), MaxSize: nodes, Price: 0.2,
			Template: &corev1.Node{Status: corev1.NodeStatus{Allocatable: list, Capacity: list}}}
	}
	var large, small []func(string) *corev1.Pod
	for i := range 50 {
		large = append(large, podMaker(fmt.Sprintf("large-%d", i), 540, 1500))
		small = append(small, podMaker(fmt.Sprintf("small-%d", i), 220, 600))
	}
	for i := range nodes {
		g := groups[i%groupCount]
		g.TargetSize++
		name := fmt.Sprintf("node-%d", i)
		n := &packing.Node{NodeGroup: g.Name, Node: &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour)), Labels: map[string]string{
				corev1.LabelHostname: name, corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3)}},
			Status: corev1.NodeStatus{Allocatable: list, Capacity: list, Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(-time.Hour))}}}}}
		makers := large
		if i < underused {
			makers = small
		}
		for p := range podsPerNode {
			n.Pods = append(n.Pods, makers[(i+p)%50](fmt.Sprintf("pod-%d-%d", i, p)))
		}
		s.Nodes = append(s.Nodes, n)
	}
	return Cluster{Snapshot: s}, groups, large
}

// BenchmarkLive times a loop over 1,000 nodes with 12,000 pods, in which 8 pods have gone
// and 8 others come since the loop before: with no node that could be done without, with 100 that can but
// do not go yet, and the first with all reports.
func BenchmarkLive(b *testing.B) {
	for _, c := range []struct {
		name      string
		underused int
		reports   bool
	}{{"busy", 0, false}, {"candidates=100", 100, false}, {"reports", 0, true}} {
		b.Run(c.name, func(b *testing.B) {
			cluster, groups, makers := largeCluster(1000, c.underused)
			packer, err := New(groups, WithScaleDownUnneededTime(1000*time.Hour))
			if err != nil {
				b.Fatal(err)
			}
			a, err := packer.Start(cluster)
			if err != nil {
				b.Fatal(err)
			}
			a.SetReports(c.reports)
			now, turn := noon, 0
			on := make([]*corev1.Pod, len(cluster.Snapshot.Nodes))
			for i, n := range cluster.Snapshot.Nodes {
				on[i] = n.Pods[0]
			}
			var last *Loop
			step := func() {
				for range 8 {
					turn++
					i := c.underused + turn*37%(len(on)-c.underused)
					a.PodGone(on[i])
					on[i] = makers[turn%50](fmt.Sprintf("new-%d", turn))
					if err := a.PodBound(on[i], cluster.Snapshot.Nodes[i].Name); err != nil {
						b.Fatal(err)
					}
				}
				now = now.Add(10 * time.Second)
				if last, err = a.Loop(context.Background(), now); err != nil {
					b.Fatal(err)
				}
			}
			for range 40 { // until as many unneeded nodes are known as there are
				step()
			}
			runtime.GC()
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
			if len(last.Unneeded) != c.underused {
				b.Fatalf("%d unneeded nodes, want %d", len(last.Unneeded), c.underused)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/loop")
		})
	}
}
