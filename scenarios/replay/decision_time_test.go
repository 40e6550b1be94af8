package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDecisionTimeOfClusterAutoscaler: more work never takes less time, a limit never more, and no loop
// takes none.
func TestDecisionTimeOfClusterAutoscaler(t *testing.T) {
	took := func(pods, groups, limit int) time.Duration {
		return OriginalTime{}.ClusterAutoscaler(Work{Pods: pods, Groups: groups, NodeLimit: limit})
	}
	require.Equal(t, loopAtLeast, took(0, 20, 1000))
	require.Equal(t, loopAtLeast, took(10, 1, 1000))
	last := time.Duration(0)
	for pods := 1; pods < 100_000; pods *= 2 {
		require.GreaterOrEqual(t, took(pods, 20, 1000), last)
		require.LessOrEqual(t, took(pods, 20, 100), took(pods, 20, 1000))
		require.LessOrEqual(t, took(pods, 20, 1000), took(pods, 20, 0))
		require.LessOrEqual(t, took(pods, 10, 1000), took(pods, 20, 1000))
		last = took(pods, 20, 1000)
	}
	require.Less(t, last, 7*time.Second, "the limit ends the estimate")
}
