package karpenter_test

import (
	"context"
	"fmt"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// Two machines of eight CPUs with a pod of one CPU each, and one that may not be
// disturbed: the first two make way for one small machine.
func ExamplePacker_Consolidate() {
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
	kept := used("kept", 8, "default", podNamed("report", "8", "1Gi"))
	kept.Annotations = map[string]string{"karpenter.sh/do-not-disrupt": "true"}
	cluster := &packing.Snapshot{Now: now, Nodes: []*packing.Node{
		used("web-a", 8, "default", podNamed("a", "1", "1Gi")),
		used("web-b", 8, "default", podNamed("b", "1", "1Gi")),
		kept,
	}}
	found, err := packer.Consolidate(context.Background(), cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	next := found.Command()
	fmt.Printf("%s: %s %d nodes, which saves %.2f $/h\n", next.Method, next.Decision(), len(next.Candidates), next.Savings)
	fmt.Printf("launch %s for %d pods\n", next.Replacement.InstanceType.Name, len(next.Replacement.Pods))
	for _, stay := range found.Stays() {
		fmt.Printf("%s stays: %s\n", stay.Candidate.Node.Name, stay.Reason.Message)
	}
	// Output:
	// multi: replace 2 nodes, which saves 1.40 $/h
	// launch m2 for 2 pods
	// kept stays: node has the annotation karpenter.sh/do-not-disrupt
}

// An empty machine goes, then two make way for a smaller one.
func ExamplePacker_Converge() {
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
		used("idle", 8, "default"),
		used("web-a", 8, "default", podNamed("a", "1", "1Gi")),
		used("web-b", 8, "default", podNamed("b", "1", "1Gi")),
	}}
	sequence, err := packer.Converge(context.Background(), cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range sequence.Steps {
		fmt.Printf("%s leaves %.2f $/h\n", step.Command.Method, step.Price)
	}
	fmt.Printf("%s: %.2f $/h, %.2f $/h before\n", sequence.End, sequence.After, sequence.Before)
	// Output:
	// emptiness leaves 1.60 $/h
	// multi leaves 0.20 $/h
	// converged: 0.20 $/h, 2.40 $/h before
}
