package karpenter_test

import (
	"context"
	"fmt"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// Three pods of three CPUs and one that must be in zone-b: the claims keep all the
// types that still fit, and the cheapest of them is what is expected to launch.
func ExamplePacker_Pack() {
	catalog, err := instancetypes.NewCatalog(instancetypes.Info{}, machine("m.large", 4), machine("m.xlarge", 8))
	if err != nil {
		fmt.Println(err)
		return
	}
	packer, err := karpenter.New(catalog, []*packing.NodePool{poolNamed("default")})
	if err != nil {
		fmt.Println(err)
		return
	}
	pods := append(podsNamed("web", 3, "3", "4Gi"), podNamed("zonal", "1", "1Gi", inZone("zone-b")))
	plan, err := packer.Pack(context.Background(), &packing.Snapshot{Pods: pods})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range plan.Launches {
		fmt.Printf("%s in %s for %d pods, one of %d types, %.2f $/h\n", l.InstanceType.Name, l.Zone, len(l.Pods), len(l.Options), l.Price)
	}
	// Output:
	// m.xlarge in zone-a for 2 pods, one of 1 types, 0.80 $/h
	// m.large in zone-b for 2 pods, one of 2 types, 0.40 $/h
}
