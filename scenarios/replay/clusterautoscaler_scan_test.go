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
		x := &stage{last: 10 * time.Minute, flags: onlyScans}
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

// By default the pod brings a loop forward, which finds it too new; the next comes a scan interval
// later, whenever the process started.
func TestFirstNodeComesAScanLaterAtMost(t *testing.T) {
	for seed := range uint64(5) {
		x := &stage{last: 10 * time.Minute}
		x.job("work", time.Minute, 1, "3", "1h", "")
		r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Seed = seed })
		require.Equal(t, []time.Duration{70*time.Second + informed}, moments(decisions, "scale-up"), "seed %d", seed)
		require.InDelta(t, (10*time.Second + groupLaunchTime + bootTime).Seconds(), r.Wait.ToBound.Max, 1e-6)
	}
}

// Another pod brings the next loop forward too, and by then the first is old enough.
func TestUnschedulablePodsBringLoopsForward(t *testing.T) {
	x := &stage{last: 10 * time.Minute}
	x.job("first", 60*time.Second, 1, "3", "1h", "")
	x.job("soon", 61*time.Second, 1, "3", "1h", "")
	x.job("then", 63*time.Second, 1, "3", "1h", "")
	_, decisions := x.play(t, ClusterAutoscaler())
	require.Equal(t, []time.Duration{63*time.Second + informed}, moments(decisions, "scale-up"))
	require.Len(t, decisions[0].Nodes, 3)
}

// One loop scales up one group. Two follow at once, so that the second group need not wait for a scan.
func TestLoopsFollowAtOnceOnAScaleUp(t *testing.T) {
	for _, c := range []struct {
		flags string
		later time.Duration
	}{{"", 0}, {onlyScans, 10 * time.Second}} {
		x := &stage{last: 10 * time.Minute, flags: c.flags}
		x.group("tainted", ", taints: [{key: for, value: special, effect: NoSchedule}], labels: {for: special}")
		x.job("plain", time.Minute, 1, "3", "1h", "")
		x.jobs = append(x.jobs, "{name: special, arrivals: {batch: {at: 1m, pods: 1}}, runs: {constant: 1h}}")
		x.jobObject("special", "3", "", "nodeSelector: {for: special}, tolerations: [{key: for, operator: Exists}],")
		_, decisions := x.play(t, ClusterAutoscaler())
		ups := moments(decisions, "scale-up")
		require.Len(t, ups, 2)
		require.Equal(t, c.later, ups[1]-ups[0], "flags %q", c.flags)
	}
}
