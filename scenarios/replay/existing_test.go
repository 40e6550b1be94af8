package replay

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// existingNode is a node of the stage's group and pool that is there from the start.
func (s *stage) existingNode(name, group string) {
	s.objects = append(s.objects, fmt.Sprintf(`apiVersion: v1
kind: Node
metadata:
  name: %s
  labels: {karpenter.sh/nodepool: workers, karpenter.sh/capacity-type: %s, karpenter.sh/registered: "true", karpenter.sh/initialized: "true",
    %s node.kubernetes.io/instance-type: m5.xlarge, topology.kubernetes.io/zone: us-east-1a, kubernetes.io/hostname: %[1]s}
status:
  capacity: {cpu: "4", memory: 16Gi, pods: "58"}
  allocatable: {cpu: 3920m, memory: 15Gi, pods: "58"}
`, name, or(s.capacityType, "on-demand"), group))
}

// Spot nodes that are there from the start are reclaimed as any others.
func TestNodesOfTheScenarioAreReclaimed(t *testing.T) {
	x := &stage{last: 2 * time.Hour, capacityType: "spot"}
	x.existingNode("old", "")
	x.disruption = `consolidateAfter: Never`
	r, _ := x.play(t, Karpenter(), func(s *Settings) { s.Cloud.Hazard = hazardOfSpot(20) })
	require.Equal(t, 1, r.Nodes.Existing)
	require.Equal(t, 1, r.Nodes.Interruptions)
	require.Zero(t, r.Nodes.AtEnd)
}

// A new node never takes the name of a node of the scenario.
func TestNamesOfTheScenarioAreLeftAlone(t *testing.T) {
	x := &stage{last: 30 * time.Minute}
	x.existingNode("workers-00001", "")
	x.existingNode("workers-00003", "")
	x.job("work", time.Minute, 4, "3", "10m", "")
	r, decisions := x.play(t, ClusterAutoscaler())
	require.Equal(t, "scale-up", decisions[0].Kind)
	require.Equal(t, []string{"workers-00002", "workers-00004"}, decisions[0].Nodes)
	require.Equal(t, 4, r.Pods.Finished)
}
