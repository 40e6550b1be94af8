package clusterautoscaler_test

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// quietCluster is a group of three nodes of four cores: one is half empty, one is nearly
// full, and one has a pod that nothing would make anew.
func quietCluster() ([]*packing.NodeGroup, clusterautoscaler.Cluster) {
	list := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("110")}
	node := func(name string, pods ...*corev1.Pod) *packing.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}}}
		n.Status.Capacity, n.Status.Allocatable = list, list
		return &packing.Node{Node: n, NodeGroup: "workers", Pods: pods}
	}
	pod := func(name, cpu, replicaSet string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		p.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}}
		if replicaSet != "" {
			yes := true
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: replicaSet, Controller: &yes}}
		}
		return p
	}
	groups := []*packing.NodeGroup{{Name: "workers", MinSize: 1, MaxSize: 10, TargetSize: 3, Price: 0.2,
		Template: &corev1.Node{Status: corev1.NodeStatus{Capacity: list, Allocatable: list}}}}
	return groups, clusterautoscaler.Cluster{Snapshot: &packing.Snapshot{
		Now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
		Nodes: []*packing.Node{
			node("node-1", pod("web-1", "500m", "web"), pod("web-2", "500m", "web")),
			node("node-2", pod("api-1", "3", "api")),
			node("node-3", pod("by-hand", "1", "")),
		}}}
}

// One loop says of every node whether it goes, or why it stays.
func ExamplePacker_ScaleDown() {
	groups, cluster := quietCluster()
	packer, err := clusterautoscaler.New(groups)
	if err != nil {
		fmt.Println(err)
		return
	}
	loop, err := packer.ScaleDown(context.Background(), cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(loop.Result)
	for _, u := range loop.Unremovable {
		fmt.Printf("%s uses %.0f%%: %s", u.Node.Name, 100*loop.Utilization[u.Node.Name].Most(), u.Reason)
		if u.BlockingPod != nil {
			fmt.Printf(": %s: %s", u.BlockingPod.Name, u.Blocking)
		}
		fmt.Println()
	}
	// Output:
	// ScaleDownNoNodeDeleted
	// node-1 uses 25%: NotUnneededLongEnough
	// node-2 uses 75%: NotUnderutilized
	// node-3 uses 25%: BlockedByPod: by-hand: NotReplicated
}

// Over virtual time the unneeded node goes after ten minutes.
func ExamplePacker_RunFor() {
	groups, cluster := quietCluster()
	packer, err := clusterautoscaler.New(groups)
	if err != nil {
		fmt.Println(err)
		return
	}
	history, err := packer.RunFor(context.Background(), cluster, clusterautoscaler.Timeline{For: 15 * time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, loop := range history.Loops {
		after := loop.At.Sub(cluster.Snapshot.Now)
		for _, d := range loop.Deletions {
			fmt.Println(after, d.Node.Name, "is drained")
			for _, m := range d.Pods {
				fmt.Printf("  %s is expected on %s\n", m.Pod.Name, m.To)
			}
		}
		for _, m := range loop.Bound {
			fmt.Println(after, m.Pod.Name, "runs on", m.To)
		}
	}
	fmt.Printf("%d nodes, $%.1f/h\n", history.FinalSizes[0].Size, history.Cost)
	// Output:
	// 10m10s node-1 is drained
	//   web-1 is expected on node-2
	//   web-2 is expected on node-3
	// 10m20s web-1 runs on node-3
	// 10m20s web-2 runs on node-2
	// 2 nodes, $0.4/h
}
