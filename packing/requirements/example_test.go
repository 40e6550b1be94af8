package requirements_test

import (
	"fmt"

	"github.com/binwright/binwright/packing/requirements"
)

func ExampleRequirement_Intersect() {
	cpus := requirements.Must("instance-cpu", requirements.Gt, "3")
	fmt.Println(cpus.Intersect(requirements.Must("instance-cpu", requirements.In, "2", "4", "8")))
	fmt.Println(cpus.Intersect(requirements.Must("instance-cpu", requirements.Lt, "3")))
	// Output:
	// instance-cpu In [4 8]
	// instance-cpu DoesNotExist
}

func ExampleSet_Compatible() {
	pool := requirements.NewSet(requirements.Must("kubernetes.io/arch", requirements.In, "amd64"))
	pod := requirements.FromLabels(map[string]string{"topology.kubernetes.io/zone": "us-east-1a"})
	fmt.Println(pool.Compatible(pod, requirements.WellKnown)) // any zone can still be had
	fmt.Println(pool.Compatible(requirements.FromLabels(map[string]string{"team": "web"}), requirements.WellKnown))
	// Output:
	// <nil>
	// label "team" does not have known values, wanted team In [web]
}
