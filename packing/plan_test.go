package packing_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

func TestLaunchNodeOfAPool(t *testing.T) {
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "ml"}}
	pool.Spec.Template.Labels = map[string]string{"team": "ml"}
	pool.Spec.Template.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	pool.Spec.Template.Spec.StartupTaints = []corev1.Taint{{Key: "boot", Effect: corev1.TaintEffectNoSchedule}}
	l := &packing.Launch{
		Name: "launch-1", NodePool: pool, InstanceType: gpuMachine(), Zone: "b", CapacityType: "spot", Price: 0.3,
		Requirements: requirements.NewSet(
			requirements.Must("shard", requirements.In, "x", "y"),                  // a choice: the first
			requirements.Must("rank", requirements.Gt, "4"),                        // a bound: its end
			requirements.Must("absent", requirements.DoesNotExist),                 // none
			requirements.Must("nvme", requirements.NotIn, "1900"),                  // the type never has it
			requirements.Must(corev1.LabelWindowsBuild, requirements.NotIn, "7"),   // well known, and not the type's
			requirements.Must(corev1.LabelTopologyRegion, requirements.In, "r1"),   // well known, and stated
			requirements.Must(corev1.LabelTopologyZone, requirements.In, "a", "b"), // the offering settles it
		),
	}
	n := l.Node()
	require.Equal(t, "launch-1", n.Name)
	require.Equal(t, map[string]string{
		corev1.LabelHostname:           "launch-1",
		corev1.LabelInstanceTypeStable: "g.large",
		corev1.LabelTopologyZone:       "b",
		corev1.LabelTopologyRegion:     "r1",
		requirements.LabelCapacityType: "spot",
		packing.LabelNodePool:          "ml",
		"team":                         "ml",
		"gpu":                          "t4",
		"zone-id":                      "b7",
		"shard":                        "x",
		"rank":                         "5",
	}, n.Labels)
	require.Equal(t, pool.Spec.Template.Spec.Taints, n.Spec.Taints, "start-up taints are gone when pods come")
	require.True(t, resources.MustFromList(n.Status.Allocatable).Equal(vector("cpu=7900m,memory=30Gi,pods=58,nvidia.com/gpu=1")))
	require.Equal(t, "ml", l.Owner())

	n.Labels["team"], n.Spec.Taints[0].Key = "changed", "changed"
	require.Equal(t, "ml", l.Node().Labels["team"], "each call builds a node of its own")
	require.Equal(t, "gpu", l.Node().Spec.Taints[0].Key)
}

func TestLaunchNodeOfAGroup(t *testing.T) {
	g := newWorld().group
	l := &packing.Launch{Name: "workers-1", NodeGroup: g}
	n := l.Node()
	require.Equal(t, "workers-1", n.Name)
	require.Equal(t, "workers-1", n.Labels[corev1.LabelHostname])
	require.Equal(t, "c", n.Labels[corev1.LabelTopologyZone])
	require.NotContains(t, g.Template.Labels, corev1.LabelHostname, "the template stays as it is")
	require.Equal(t, "workers", l.Owner())

	g.Template = nil
	require.Equal(t, map[string]string{corev1.LabelHostname: "workers-1"}, l.Node().Labels)
	require.Empty(t, (&packing.Launch{}).Owner())
}

func TestLaunchOffering(t *testing.T) {
	l := &packing.Launch{InstanceType: gpuMachine(), Zone: "a", CapacityType: "reserved"}
	reservation := func() string { return l.Offering().Requirements.Get("reservation").Any() }
	require.Equal(t, "r-1", reservation())
	l.Requirements = requirements.FromLabels(map[string]string{"reservation": "r-2"})
	require.Equal(t, "r-2", reservation(), "the one that the requirements allow")
	require.Equal(t, "r-2", l.Node().Labels["reservation"])

	l.InstanceType.Offerings[3].Available = false
	require.Equal(t, "r-1", reservation(), "or another at the same terms")
	l.Price = 2
	require.Nil(t, l.Offering())
	require.Nil(t, (&packing.Launch{}).Offering())
}

func TestPlanFigures(t *testing.T) {
	w := newWorld()
	require.InDelta(t, 0.6, w.plan.Cost(), 1e-9) // three nodes at 0.2
	require.Equal(t, 5, w.plan.PodCount())

	// The sum is exact and does not depend on the order: 0.1 + 0.2 + 0.3 in floats does.
	prices := []float64{0.1, 0.2, 0.3, 1e5, 0.000000001}
	plan, reversed := &packing.Plan{}, &packing.Plan{}
	for i := range prices {
		plan.Launches = append(plan.Launches, &packing.Launch{Price: prices[i]})
		reversed.Launches = append(reversed.Launches, &packing.Launch{Price: prices[len(prices)-1-i]})
	}
	require.Equal(t, plan.Cost(), reversed.Cost())
	require.Equal(t, 100000.600000001, plan.Cost())
	require.Zero(t, (&packing.Plan{}).Cost())
}

func TestReasonKindString(t *testing.T) {
	require.Equal(t, "refused", packing.Refused.String())
	require.Equal(t, "not supported", packing.NotSupported.String())
	require.Equal(t, "limit reached", packing.LimitReached.String())
	require.Equal(t, "limit reached", packing.ReasonKind(200).String(), "no panic on a value from elsewhere")
}

func TestNodePoolOfANode(t *testing.T) {
	n := &packing.Node{Node: &corev1.Node{}}
	require.Empty(t, n.NodePool())
	n.Labels = map[string]string{packing.LabelNodePool: "ml"}
	require.Equal(t, "ml", n.NodePool())
}
