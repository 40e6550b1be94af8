package clusterautoscaler_test

import (
	"context"
	"fmt"
	"log"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// Ten pods of a core each, and two groups to choose from: the expander takes the
// one that leaves less unused.
func ExamplePacker_Run() {
	amount := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse(cpu),
			corev1.ResourceMemory: resource.MustParse(memory),
			corev1.ResourcePods:   resource.MustParse("110"),
		}
	}
	group := func(name, cpu, memory string, price float64) *packing.NodeGroup {
		node := &corev1.Node{Status: corev1.NodeStatus{Capacity: amount(cpu, memory), Allocatable: amount(cpu, memory)}}
		return &packing.NodeGroup{Name: name, MaxSize: 20, Template: node, Price: price}
	}
	isController := true
	snapshot := &packing.Snapshot{}
	for i := range 10 {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("web-", i),
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", UID: "web", Controller: &isController}}}}
		requests := amount("1", "2Gi")
		delete(requests, corev1.ResourcePods)
		pod.Spec.Containers = []corev1.Container{{Name: "web", Resources: corev1.ResourceRequirements{Requests: requests}}}
		snapshot.Pods = append(snapshot.Pods, pod)
	}

	packer, err := clusterautoscaler.New(
		[]*packing.NodeGroup{group("large", "8", "32Gi", 0.40), group("small", "4", "8Gi", 0.17)},
		clusterautoscaler.WithExpander(clusterautoscaler.LeastWaste))
	if err != nil {
		log.Fatal(err)
	}
	run, err := packer.Run(context.Background(), snapshot)
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range run.Steps {
		for _, attempt := range step.Attempts {
			for i, option := range attempt.Options {
				fmt.Printf("%s: %d nodes for %d pods, waste %.2f", option.Group.Name, option.Nodes, option.PodCount(), option.Scores[0].Score)
				if i == attempt.Chosen {
					fmt.Print(" (chosen)")
				}
				fmt.Println()
			}
		}
	}
	fmt.Printf("%d launches, $%.2f an hour\n", len(run.Plan.Launches), run.Cost)
	// Output:
	// large: 2 nodes for 10 pods, waste 1.06
	// small: 3 nodes for 10 pods, waste 0.33 (chosen)
	// 3 launches, $0.51 an hour
}

// Two groups that the expander cannot tell apart, at different prices: which of them
// grows is chance in the original. How much hangs on it?
func ExamplePacker_Chance() {
	amount := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("16Gi"),
		corev1.ResourcePods: resource.MustParse("110")}
	node := &corev1.Node{Status: corev1.NodeStatus{Capacity: amount, Allocatable: amount}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}
	packer, err := clusterautoscaler.New([]*packing.NodeGroup{
		{Name: "old", MaxSize: 20, Template: node, Price: 0.20},
		{Name: "new", MaxSize: 20, Template: node, Price: 0.16},
	})
	if err != nil {
		log.Fatal(err)
	}
	chance, err := packer.Chance(context.Background(), &packing.Snapshot{Pods: []*corev1.Pod{pod}}, 100)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("$%.2f to $%.2f an hour, $%.2f on average; %d outcomes, the most frequent one in %.0f%% of %d runs\n",
		chance.MinCost, chance.MaxCost, chance.MeanCost, chance.Distinct, 100*chance.Agreement, chance.Runs)
	// Output:
	// $0.16 to $0.20 an hour, $0.18 on average; 2 outcomes, the most frequent one in 52% of 100 runs
}
