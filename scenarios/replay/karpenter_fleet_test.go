package replay

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

func TestFleet(t *testing.T) {
	s := (&stage{last: time.Hour}).scenario(t)
	cloud := DefaultCloud()
	k := &karpenterController{replay: &replay{scenario: s, supply: newSupply(&cloud, 1)}, unavailable: map[string]time.Duration{}}
	named := func(names ...string) (out []*instancetypes.InstanceType) {
		for _, name := range names {
			typ, ok := s.Catalog.Lookup(name)
			require.True(t, ok, name)
			out = append(out, typ)
		}
		return out
	}
	typesOf := func(pools []pool) (names []string) {
		for _, p := range pools {
			names = append(names, p.instanceType.Name)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	requirement := func(key string, operator corev1.NodeSelectorOperator, values ...string) requirements.Requirement {
		r, err := requirements.New(key, operator, values...)
		require.NoError(t, err)
		return r
	}
	anyOf := func(capacityTypes ...string) requirements.Requirement {
		return requirement(requirements.LabelCapacityType, corev1.NodeSelectorOpIn, capacityTypes...)
	}
	both := requirements.Set{anyOf("on-demand", "spot")}
	mixed := named("g4dn.xlarge", "m5.metal", "m5.xlarge")

	require.Equal(t, []string{"m5.xlarge"}, typesOf(k.fleet(&packing.Launch{Options: mixed, Requirements: both})))
	require.Equal(t, []string{"g4dn.xlarge"}, typesOf(k.fleet(&packing.Launch{Options: mixed[:1], Requirements: both})), "nothing else would do")
	three := both.Add(requirement(corev1.LabelInstanceTypeStable, corev1.NodeSelectorOpExists).WithMinValues(3))
	require.Len(t, typesOf(k.fleet(&packing.Launch{Options: mixed, Requirements: three})), 3, "minValues keep them")

	onDemand := math.Inf(1)
	for _, p := range k.fleet(&packing.Launch{Options: s.Catalog.Types(), Requirements: requirements.Set{anyOf("on-demand")}}) {
		require.Equal(t, "on-demand", p.offering.CapacityType())
		onDemand = min(onDemand, p.offering.Price)
	}
	pools := k.fleet(&packing.Launch{Options: s.Catalog.Types(), Requirements: both})
	require.LessOrEqual(t, len(typesOf(pools)), maxInstanceTypes)
	for _, p := range pools {
		require.Equal(t, "spot", p.offering.CapacityType())
		require.LessOrEqual(t, p.offering.Price, onDemand)
		require.False(t, strings.Contains(p.instanceType.Name, "metal"))
	}
	// What lacks capacity is left out, and with it all spot capacity: on demand then.
	for _, p := range pools {
		k.unavailable[p.key()] = time.Hour
	}
	for _, p := range k.fleet(&packing.Launch{Options: named(typesOf(pools)...), Requirements: both}) {
		require.Equal(t, "on-demand", p.offering.CapacityType())
	}
	require.Len(t, typesOf(k.fleet(&packing.Launch{Options: s.Catalog.Types(), Requirements: requirements.Set{anyOf("on-demand")}})), maxInstanceTypes)
}
