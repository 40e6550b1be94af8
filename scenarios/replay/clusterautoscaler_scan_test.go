package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The first node is asked for by the first scan after the pod is two seconds old: the
// autoscaler waits while all pending pods are younger.
func TestClusterAutoscalerScan(t *testing.T) {
	for seed := range uint64(10) {
		x := &stage{last: 10 * time.Minute}
		x.job("work", time.Minute, 1, "3", "1h", "")
		r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Seed = seed })
		scan := scanAt(seed, time.Minute+2*time.Second)
		require.LessOrEqual(t, scan, 72*time.Second)
		require.Equal(t, []time.Duration{scan}, moments(decisions, "scale-up"), "seed %d", seed)
		waited := scan + groupLaunchTime + bootTime - time.Minute
		require.InDelta(t, waited.Seconds(), r.Wait.ToBound.Max, 1e-6)
		require.InDelta(t, (waited + podStartTime).Seconds(), r.Wait.ToRunning.Max, 1e-6)
	}
}
