package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/instancetypes"
)

// A node goes by the scan at which it has been unneeded for ten minutes, which count from the
// first scan after its pod was done.
func TestScaleDown(t *testing.T) {
	x := &stage{last: time.Hour, flags: onlyScans}
	x.job("work", time.Minute, 1, "3", "10m", "")
	r, decisions := x.play(t, ClusterAutoscaler())
	up := scanAt(1, time.Minute+newestPods)
	done := up + groupLaunchTime + bootTime + podStartTime + 10*time.Minute
	down := moments(decisions, "scale-down")
	require.Len(t, down, 1)
	require.Equal(t, scaledDown(scanAt(1, done)), down[0])
	require.InDelta(t, (down[0] + emptyDelay - up - groupLaunchTime).Hours(), r.Nodes.NodeHours, 1e-9)
	require.Equal(t, 1, r.Nodes.ScaledDown)
	require.Zero(t, r.Nodes.AtEnd)
}

// With a handler the pod is evicted at the notice, two minutes before the instance goes.
func TestInterruptionWithHandler(t *testing.T) {
	x := &stage{last: time.Hour, capacityType: "spot", flags: onlyScans}
	x.deployment("web", 1, "3", "", "")
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Cloud.Hazard = once() })
	notices := moments(decisions, "interruption")
	require.Len(t, notices, 1)
	ups := moments(decisions, "scale-up")
	require.Equal(t, []time.Duration{scanAt(1, newestPods), scanAt(1, notices[0]+newestPods)}, ups)
	require.Equal(t, []ReasonCount{{evictedByInterruption, 1}}, r.Pods.EvictedBy)
	require.InDelta(t, (ups[0] + groupLaunchTime + bootTime + ups[1] - notices[0] + groupLaunchTime + bootTime).Seconds(),
		r.Wait.PendingPodSeconds, 1e-6)
	require.Equal(t, 1, r.Pods.RunningAtEnd)
}

// A notice that comes before the node has joined is read by the handler once it has: the node takes no
// pods, and when it is ready the autoscaler sees that the pod still waits.
func TestInterruptionBeforeTheNodeJoins(t *testing.T) {
	x := &stage{last: time.Hour, capacityType: "spot", flags: onlyScans}
	x.deployment("web", 1, "3", "", "")
	first := once()
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) {
		s.Cloud.Hazard = func(i *instancetypes.InstanceType, o *instancetypes.Offering) float64 { return 1e6 * first(i, o) }
	})
	up := scanAt(1, newestPods)
	launched := up + groupLaunchTime
	require.Equal(t, []time.Duration{launched + joinTime}, moments(decisions, "interruption"))
	again := scanAt(1, launched+bootTime)
	require.Equal(t, []time.Duration{up, again}, moments(decisions, "scale-up"))
	require.InDelta(t, (again + groupLaunchTime + bootTime).Seconds(), r.Wait.PendingPodSeconds, 1e-6)
	require.Empty(t, r.Pods.EvictedBy)
	require.Equal(t, 3, r.Nodes.Launched, "the group replaces the instance too")
}

// Without one the pod is missed 105 s after the instance is gone. By then the group has replaced it.
func TestInterruptionWithoutHandler(t *testing.T) {
	x := &stage{last: time.Hour, capacityType: "spot", flags: onlyScans}
	x.deployment("web", 1, "3", "", "")
	var running []int
	r, decisions := x.play(t, ClusterAutoscalerWithoutHandler(), func(s *Settings) { s.Cloud.Hazard, s.Step = once(), time.Second })
	gone := moments(decisions, "interruption")
	require.Len(t, gone, 1)
	require.Equal(t, []time.Duration{scanAt(1, newestPods)}, moments(decisions, "scale-up"))
	require.InDelta(t, (scanAt(1, newestPods) + groupLaunchTime + bootTime).Seconds(), r.Wait.PendingPodSeconds, 1e-6, "the second pod did not wait")
	require.Equal(t, 2, r.Nodes.Launched)
	require.Equal(t, 2, r.Pods.Created)
	for _, s := range r.Series {
		if s.At > gone[0] && s.RunningPods == 0 {
			running = append(running, s.RunningPods)
		}
	}
	require.InDelta(t, (nodeLossNoticed + podStartTime).Seconds(), len(running), 1)
}

// A group in two zones launches where it has fewer nodes.
func TestGroupSpreadsOverItsZones(t *testing.T) {
	for _, capacityType := range []string{"on-demand", "spot"} {
		x := &stage{last: time.Hour, capacityType: capacityType, zones: "us-east-1a, us-east-1b", flags: onlyScans}
		x.job("work", time.Minute, 4, "3", "3h", "")
		r, _ := x.play(t, ClusterAutoscaler())
		require.Len(t, r.Cost.ByZone, 2, capacityType)
		require.InDelta(t, r.Nodes.NodeHours/2, r.Cost.ByZone[0].NodeHours, 1e-9, capacityType)
	}
}

// The handler evicts one of two pods at the notice. The budget lets the other go once the successor of the first
// runs, and the handler asks every five seconds.
func TestHandlerTriesAgain(t *testing.T) {
	x := &stage{last: time.Hour, capacityType: "spot", flags: onlyScans}
	x.deployment("web", 2, "1", "", "")
	x.budget("web", "maxUnavailable: 1")
	var made []time.Duration
	_, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Cloud.Hazard = once() },
		watch("Deployment", "web", func(now time.Duration, w *workload) {
			for len(made) < w.made {
				made = append(made, now)
			}
		}))
	notice := moments(decisions, "interruption")[0]
	runs := scanAt(1, notice+newestPods) + groupLaunchTime + bootTime + podStartTime
	again := notice + (runs-notice+5*time.Second-1)/(5*time.Second)*(5*time.Second)
	require.Less(t, again, notice+2*time.Minute)
	require.Equal(t, []time.Duration{0, 0, notice, again}, made)
}
