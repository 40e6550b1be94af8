package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newestPods is how old one of the waiting pods must be: while all are younger the autoscaler
// waits for more to come (pkg/core/static_autoscaler.go, unschedulablePodTimeBuffer).
const newestPods = 2 * time.Second

// The first node is asked for by the first scan that finds the pod old enough.
func TestClusterAutoscalerScan(t *testing.T) {
	for seed := range uint64(10) {
		x := &stage{last: 10 * time.Minute}
		x.job("work", time.Minute, 1, "3", "1h", "")
		r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Seed = seed })
		scan := scanAt(seed, time.Minute+newestPods)
		require.LessOrEqual(t, scan, 72*time.Second)
		require.Equal(t, []time.Duration{scan}, moments(decisions, "scale-up"), "seed %d", seed)
		waited := scan + groupLaunchTime + bootTime - time.Minute
		require.InDelta(t, waited.Seconds(), r.Wait.ToBound.Max, 1e-6)
		require.InDelta(t, (waited + podStartTime).Seconds(), r.Wait.ToRunning.Max, 1e-6)
	}
}
