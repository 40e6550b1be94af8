package karpenter_test

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// A disruption controller takes one command at a time: it asks for the next,
// waits 15 seconds, and executes what is still valid.
func ExamplePacker_Disrupt() {
	catalog, err := instancetypes.NewCatalog(instancetypes.Info{}, machine("m2", 2), machine("m8", 8))
	if err != nil {
		fmt.Println(err)
		return
	}
	packer, err := karpenter.New(catalog, []*packing.NodePool{poolNamed("default", onDemand)})
	if err != nil {
		fmt.Println(err)
		return
	}
	cluster := &packing.Snapshot{Now: now, Nodes: []*packing.Node{
		used("web-a", 8, "default", podNamed("a", "1", "1Gi")),
		used("web-b", 8, "default", podNamed("b", "1", "1Gi")),
	}}
	ctx := context.Background()
	command, effort, err := packer.Disrupt(ctx, cluster, karpenter.DisruptLimits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %s %d nodes, found in %d simulations\n", command.Method, command.Decision(), len(command.Candidates), effort.Simulations())

	// In the meantime a large pod has come to web-b. Nodes are shared and never
	// changed, so that the snapshot gets a new one.
	later := *cluster.Nodes[1]
	later.Pods = append([]*corev1.Pod{podNamed("large", "6", "1Gi")}, later.Pods...)
	cluster = &packing.Snapshot{Now: now, Nodes: []*packing.Node{cluster.Nodes[0], &later}}
	validation, err := packer.Validate(ctx, command, cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("rejected by %s: %s\n", validation.Rejection, validation.Message)
	// Output:
	// multi: replace 2 nodes, found in 1 simulations
	// rejected by scheduling: scheduling simulation produced new results
}
