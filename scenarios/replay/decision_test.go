package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestScaleUpsNameTheirNodes: what was asked for is what runs later.
func TestScaleUpsNameTheirNodes(t *testing.T) {
	s := &stage{last: time.Hour}
	s.job("work", time.Minute, 2, "3", "10m", "")
	_, decisions := s.play(t, ClusterAutoscaler())
	require.Equal(t, "scale-up", decisions[0].Kind)
	require.Equal(t, []string{"workers-00001", "workers-00002"}, decisions[0].Nodes)
	require.Equal(t, "scale-down", decisions[1].Kind)
	require.Subset(t, decisions[0].Nodes, decisions[1].Nodes)
}
