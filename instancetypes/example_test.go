package instancetypes_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// Bring your own instance types as the file that Karpenter's KWOK provider reads.
func ExampleReadKWOK() {
	catalog, err := instancetypes.ReadKWOK(strings.NewReader(`[{
	  "name": "c-4x-amd64-linux", "architecture": "amd64", "operatingSystems": ["linux"],
	  "resources": {"cpu": "4", "memory": "8Gi", "pods": "64"},
	  "offerings": [{"Price": 0.11, "Available": true, "Requirements": [
	    {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
	    {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone-a"]}]}]
	}]`))
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range catalog.Types() {
		fmt.Println(it.Name, "has", it.Allocatable(), "from", it.Cheapest(nil).Price, "$/h")
	}

	_, err = instancetypes.ReadKWOK(strings.NewReader(`[{"name": "tiny", "architecture": "amd64", "operatingSystems": ["linux"],
	  "resources": {"cpu": "2x", "memory": "1Gi"}, "offerings": [{"zone": "zone-a", "capacityType": "spot", "price": -1}]}]`))
	fmt.Println(err)
	// Output:
	// c-4x-amd64-linux has cpu 3900m, memory 8182Mi, pods 64 from 0.11 $/h
	// instance types: [0] "tiny": resources[cpu]: "2x" is no quantity such as 500m or 8Gi
	// [0] "tiny": offerings[0].price: price is not a number of US dollars an hour from 0 to below 1,000,000: -1
}

func ExampleCatalog_Compatible() {
	catalog, err := instancetypes.ReadKWOK(strings.NewReader(`[
	  {"name": "a", "architecture": "amd64", "operatingSystems": ["linux"], "resources": {"cpu": "2", "memory": "4Gi"},
	   "offerings": [{"zone": "zone-a", "capacityType": "on-demand", "price": 0.1}]},
	  {"name": "b", "architecture": "arm64", "operatingSystems": ["linux"], "resources": {"cpu": "2", "memory": "4Gi"},
	   "offerings": [{"zone": "zone-b", "capacityType": "spot", "price": 0.03}]}]`))
	if err != nil {
		log.Fatal(err)
	}
	arm := catalog.Compatible(requirements.NewSet(requirements.Must("kubernetes.io/arch", requirements.In, "arm64")))
	for _, it := range arm.Types() {
		fmt.Println(it.Name, it.Zones())
	}
	// Output:
	// b [zone-b]
}
