package packing_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

func TestNodeGroupValidate(t *testing.T) {
	for _, c := range []struct {
		says   string
		change func(*packing.NodeGroup)
	}{
		{"", func(*packing.NodeGroup) {}},
		{"", func(g *packing.NodeGroup) { g.MinSize, g.MaxSize, g.Price = 0, 0, 0 }},
		{"", func(g *packing.NodeGroup) { g.TargetSize = 9 }}, // a cloud may have more than the maximum
		{"no name", func(g *packing.NodeGroup) { g.Name = "" }},
		{"min size -1", func(g *packing.NodeGroup) { g.MinSize = -1 }},
		{"max size 2 is below min size 3", func(g *packing.NodeGroup) { g.MinSize = 3 }},
		{"target size -1", func(g *packing.NodeGroup) { g.TargetSize = -1 }},
		{"no template", func(g *packing.NodeGroup) { g.Template = nil }},
		{"price -0.1", func(g *packing.NodeGroup) { g.Price = -0.1 }},
		{"price NaN", func(g *packing.NodeGroup) { g.Price = math.NaN() }},
		{"price +Inf", func(g *packing.NodeGroup) { g.Price = math.Inf(1) }},
	} {
		g := newWorld().group
		c.change(g)
		err := g.Validate()
		if c.says == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, packing.ErrNodeGroup)
		require.ErrorContains(t, err, c.says)
	}
}

func gpuMachine() *instancetypes.InstanceType {
	return &instancetypes.InstanceType{
		Name:     "g.large",
		Capacity: vector("cpu=8,memory=32Gi,pods=58,nvidia.com/gpu=1"),
		Overhead: vector("cpu=100m,memory=2Gi"),
		Requirements: requirements.NewSet(
			requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, "g.large"),
			requirements.Must(corev1.LabelTopologyZone, requirements.In, "a", "b"),
			requirements.Must("gpu", requirements.In, "t4"),
			requirements.Must("nvme", requirements.DoesNotExist)),
		Offerings: []instancetypes.Offering{
			{Price: 1, Available: true, Requirements: offered("a", "on-demand", nil)},
			{Price: 0.3, Available: true, Requirements: offered("b", "spot", map[string]string{"zone-id": "b7"})},
			{Price: 0, Available: true, ReservationCapacity: 1, Requirements: offered("a", "reserved", map[string]string{"reservation": "r-1"})},
			{Price: 0, Available: true, ReservationCapacity: 1, Requirements: offered("a", "reserved", map[string]string{"reservation": "r-2"})},
		},
	}
}

func offered(in, capacityType string, more map[string]string) requirements.Set {
	return requirements.FromLabels(more).Add(
		requirements.Must(corev1.LabelTopologyZone, requirements.In, in),
		requirements.Must(requirements.LabelCapacityType, requirements.In, capacityType))
}

func TestTemplateNode(t *testing.T) {
	taints := []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	n := packing.TemplateNode(gpuMachine(), packing.TemplateOptions{
		Zone: "b", CapacityType: "spot", Taints: taints,
		Labels: map[string]string{"team": "ml", "gpu": "shared"},
	})
	require.Equal(t, map[string]string{
		corev1.LabelInstanceTypeStable: "g.large",
		corev1.LabelTopologyZone:       "b",
		requirements.LabelCapacityType: "spot",
		"zone-id":                      "b7",     // of the offering
		"gpu":                          "shared", // the user's labels win
		"team":                         "ml",
	}, n.Labels)
	require.Equal(t, taints, n.Spec.Taints)
	taints[0].Key = "changed"
	require.Equal(t, "gpu", n.Spec.Taints[0].Key, "options may be used again")
	require.True(t, resources.MustFromList(n.Status.Capacity).Equal(vector("cpu=8,memory=32Gi,pods=58,nvidia.com/gpu=1")))
	require.True(t, resources.MustFromList(n.Status.Allocatable).Equal(vector("cpu=7900m,memory=30Gi,pods=58,nvidia.com/gpu=1")))
	require.Equal(t, corev1.NodeReady, n.Status.Conditions[0].Type)
}

func TestTemplateNodeDefaults(t *testing.T) {
	machine := gpuMachine()
	n := packing.TemplateNode(machine, packing.TemplateOptions{})
	require.Equal(t, "on-demand", n.Labels[requirements.LabelCapacityType])
	require.NotContains(t, n.Labels, corev1.LabelTopologyZone, "the type has two")
	require.NotContains(t, n.Labels, "nvme")

	// As Cluster Autoscaler's AWS provider templates a group that is at zero.
	n = packing.TemplateNode(machine, packing.TemplateOptions{FullCapacity: true})
	want := vector("cpu=8,memory=32Gi,pods=110,nvidia.com/gpu=1")
	require.True(t, resources.MustFromList(n.Status.Capacity).Equal(want))
	require.True(t, resources.MustFromList(n.Status.Allocatable).Equal(want))

	machine.Overhead = vector("cpu=9")
	n = packing.TemplateNode(machine, packing.TemplateOptions{})
	require.Zero(t, n.Status.Allocatable.Cpu().MilliValue(), "a node reports no negative amounts")
}
