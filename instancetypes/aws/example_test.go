package aws_test

import (
	"fmt"
	"log"

	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing/requirements"
)

func ExampleLoad() {
	catalog, err := aws.Load("us-east-1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(catalog.Types()), "types in", len(catalog.Zones()), "zones")

	m5, _ := catalog.Lookup("m5.large")
	fmt.Println(m5.Name, "has", m5.Allocatable())
	spot := m5.Cheapest(requirements.NewSet(requirements.Must(requirements.LabelCapacityType, requirements.In, "spot")))
	fmt.Println(spot.Price, "$/h as spot, reclaimed a month:", spot.Interruption)

	_, err = aws.Load("us-esat-1")
	fmt.Println(err)
	// Output:
	// 908 types in 6 zones
	// m5.large has cpu 1930m, ephemeral-storage 17Gi, memory 6903Mi, pods 29, vpc.amazonaws.com/pod-eni 9
	// 0.03168 $/h as spot, reclaimed a month: 10-15%
	// unknown AWS region "us-esat-1", did you mean "us-east-1"?
}

// The labels that AWS users select on work as in a NodePool.
func ExampleLoad_requirements() {
	catalog, err := aws.Load("eu-central-1", aws.WithDerived())
	if err != nil {
		log.Fatal(err)
	}
	gpus := catalog.Compatible(requirements.NewSet(
		requirements.Must(aws.LabelGPUManufacturer, requirements.In, "nvidia"),
		requirements.Must(aws.LabelGPUCount, requirements.Gt, "0"),
		requirements.Must(aws.LabelGPUMemory, requirements.Gte, "22888"), // MiB
		requirements.Must(aws.LabelCPU, requirements.Lte, "8"),
		requirements.Must(requirements.LabelCapacityType, requirements.In, "on-demand"),
	))
	for _, it := range gpus.Types() {
		fmt.Printf("%s %s %.3f $/h, %s\n", it.Name, it.Requirements.Get(aws.LabelGPUName).Any(), it.Offerings[0].Price, it.Origin)
	}
	// Output:
	// g5.2xlarge a10g 1.516 $/h, measured
	// g5.xlarge a10g 1.258 $/h, measured
	// g6.2xlarge l4 1.222 $/h, measured
	// g6.xlarge l4 1.006 $/h, measured
	// g6e.2xlarge l40s 2.804 $/h, measured
	// g6e.xlarge l40s 2.327 $/h, measured
	// g7e.2xlarge rtx-pro-server-6000 4.205 $/h, derived
}
