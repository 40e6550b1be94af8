package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/pricing"
)

// TestCommitmentsAreBilled: two committed instances are paid for all the time; a node that runs
// uses one of them and costs nothing beside it.
func TestCommitmentsAreBilled(t *testing.T) {
	s := &stage{last: 4 * time.Hour}
	s.job("work", time.Hour, 1, "3", "2h", "")
	read := s.scenario(t)
	read.Commitments = []pricing.Commitment{{InstanceType: "m5.xlarge", Count: 2, HourlyUSD: 0.1}}
	for _, a := range []Autoscaler{Karpenter(), ClusterAutoscaler()} {
		r, err := Run(t.Context(), read, a, stageSettings())
		require.NoError(t, err)
		require.Equal(t, 1, r.Nodes.Launched, a.Name)
		require.InDelta(t, 2*4*0.1, r.Cost.TotalUSD, 0.001, a.Name)
		require.InDelta(t, (2*4-r.Nodes.NodeHours)*0.1, r.Cost.UnusedCommitmentUSD, 0.001, a.Name)
	}
}
