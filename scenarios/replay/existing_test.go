package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Spot nodes that are there from the start are reclaimed as any others.
func TestNodesOfTheScenarioAreReclaimed(t *testing.T) {
	x := &stage{last: 2 * time.Hour, capacityType: "spot"}
	x.objects = append(x.objects, `apiVersion: v1
kind: Node
metadata:
  name: old
  labels: {karpenter.sh/nodepool: workers, karpenter.sh/capacity-type: spot, karpenter.sh/registered: "true", karpenter.sh/initialized: "true",
    node.kubernetes.io/instance-type: m5.xlarge, topology.kubernetes.io/zone: us-east-1a, kubernetes.io/hostname: old}
status:
  capacity: {cpu: "4", memory: 16Gi, pods: "58"}
  allocatable: {cpu: 3920m, memory: 15Gi, pods: "58"}
`)
	x.disruption = `consolidateAfter: Never`
	r, _ := x.play(t, Karpenter(), func(s *Settings) { s.Cloud.Hazard = hazardOfSpot(20) })
	require.Equal(t, 1, r.Nodes.Existing)
	require.Equal(t, 1, r.Nodes.Interruptions)
	require.Zero(t, r.Nodes.AtEnd)
}
