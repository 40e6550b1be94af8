package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/packing/clusterautoscaler"
)

const scanEvery = 10 * time.Second

// lookAt is the first scan at or after a moment that looks at the cloud: one a minute, counted from
// the last scan before the replay.
func lookAt(seed uint64, at time.Duration) time.Duration {
	look := scanAt(seed, 0) - scanEvery
	for look < at {
		look += refreshInterval
	}
	return look
}

// reasons are those of decisions of a kind.
func reasons(of []Decision, kind string) []string {
	var out []string
	for _, d := range of {
		if d.Kind == kind {
			out = append(out, d.Reason)
		}
	}
	return out
}

// A scale-up whose instance does not join times out by the first scan after 15 minutes. The group is
// left alone for 5 minutes from then, the moment at their end included. The instance is ended 15
// minutes after it was seen first.
func TestNeverJoinsUnderClusterAutoscaler(t *testing.T) {
	x := &stage{last: 30 * time.Minute, flags: onlyScans}
	x.job("work", time.Minute, 1, "3", "10m", "")
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Cloud.NeverJoin = 1 })
	up := scanAt(1, time.Minute+newestPods)
	timedOut := up + 15*time.Minute + scanEvery
	ended := lookAt(1, up+groupLaunchTime) + 15*time.Minute + scanEvery
	require.Equal(t, []time.Duration{timedOut, ended}, moments(decisions, "rejected"))
	require.Equal(t, []string{"scale-up of workers timed out", registrationTimeout}, reasons(decisions, "rejected"))
	require.Equal(t, []time.Duration{up, timedOut + 5*time.Minute + scanEvery}, moments(decisions, "scale-up"))
	again := timedOut + 5*time.Minute + scanEvery
	require.InDelta(t, (ended - up - groupLaunchTime + x.last - again - groupLaunchTime).Hours(), r.Nodes.NodeHours, 1e-9)
	require.Equal(t, 1, r.Pods.PendingAtEnd)
	require.Zero(t, r.Pods.Finished)
}

// Without capacity the group fails for longer each time: 5 minutes, 10, 20. That it has failed is
// seen when the autoscaler looks at the cloud.
func TestBackOffDoubles(t *testing.T) {
	x := &stage{last: time.Hour, flags: onlyScans}
	x.job("work", time.Minute, 1, "3", "1h", "")
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) {
		s.Cloud.Shortages = []Shortage{{InstanceType: "m5.xlarge", For: 35 * time.Minute}}
	})
	var ups, failures []time.Duration
	up := scanAt(1, time.Minute+newestPods)
	look := scanAt(1, 0) - scanEvery
	for _, wait := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute} {
		for look < up+groupLaunchTime {
			look += refreshInterval
		}
		ups, failures = append(ups, up), append(failures, look)
		up = look + wait + scanEvery
		look += scanEvery // what it gives up it looks at again in the next loop
	}
	require.Equal(t, failures, moments(decisions, "rejected"))
	require.Equal(t, append(ups, up), moments(decisions, "scale-up"))
	require.Equal(t, 3, r.Nodes.LaunchFailures[0].Count)
	require.Equal(t, 1, r.Pods.RunningAtEnd)
}

// Where one group has no capacity another is scaled up by the loop that sees it.
func TestAnotherGroupIsChosen(t *testing.T) {
	x := &stage{last: 10 * time.Minute, flags: onlyScans + `, expander: "priority,least-waste"`}
	x.group("better", ", priority: 10, capacityType: spot")
	x.job("work", time.Minute, 1, "3", "1h", "")
	_, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) {
		s.Cloud.Shortages = []Shortage{{CapacityType: "spot", For: time.Hour}}
	})
	up := scanAt(1, time.Minute+newestPods)
	look := lookAt(1, up+groupLaunchTime)
	require.Equal(t, []string{"better", "workers"}, reasons(decisions, "scale-up"))
	require.Equal(t, []time.Duration{up, look}, moments(decisions, "scale-up"))
	require.Equal(t, []string{"scale-up of better failed"}, reasons(decisions, "rejected"))
}

// A group goes on trying to reach its minimal size, and is not left alone for what nobody asked for.
func TestMinimalSizeIsTriedAgain(t *testing.T) {
	x := &stage{last: time.Hour, flags: onlyScans}
	x.group("steady", ", minSize: 1, capacityType: spot")
	const shortage = 10 * time.Minute
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) {
		s.Cloud.Shortages = []Shortage{{CapacityType: "spot", For: shortage}}
	})
	require.Empty(t, decisions)
	failures, asked := 0, time.Duration(0)
	for asked+groupLaunchTime < shortage {
		failures++
		asked = lookAt(1, asked+groupLaunchTime)
	}
	require.Equal(t, failures, r.Nodes.LaunchFailures[0].Count)
	require.Equal(t, 1, r.Nodes.AtEnd)
	require.InDelta(t, (x.last - asked - groupLaunchTime).Hours(), r.Nodes.NodeHours, 1e-9)
}

// A quota lets two of three nodes start; the third is asked for again once the group is left alone no more.
func TestQuotaEndsAScaleUp(t *testing.T) {
	x := &stage{last: 30 * time.Minute, flags: onlyScans}
	x.job("work", time.Minute, 3, "3", "1h", "")
	up := scanAt(1, time.Minute+newestPods)
	_, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) {
		s.Cloud.OnDemandVCPUs = 8 // two nodes
	})
	look := lookAt(1, up+groupLaunchTime)
	require.Equal(t, []time.Duration{up, look + 5*time.Minute + scanEvery}, moments(decisions, "scale-up")[:2])
	require.Len(t, decisions[0].Nodes, 3)
	require.Equal(t, []string{"scale-up of workers failed"}, reasons(decisions, "rejected")[:1])
	require.Len(t, decisions[2].Nodes, 1, "two of the three run")
}

// The back-off is that of pkg/utils/backoff: a failure while the group is left alone already
// prolongs it by as long again, and does not double it; after three hours all is forgotten.
func TestBackOff(t *testing.T) {
	a := clusterautoscaler.DefaultActuation()
	var b backoff
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	require.Equal(t, minutes(5), b.fail(0, &a))
	require.Equal(t, minutes(8), b.fail(minutes(3), &a), "left alone already")
	require.Equal(t, minutes(13), b.fail(minutes(8), &a), "up to the moment itself")
	require.Equal(t, minutes(24), b.fail(minutes(14), &a))
	require.Equal(t, minutes(45), b.fail(minutes(25), &a))
	require.Equal(t, minutes(76), b.fail(minutes(46), &a), "30 minutes at most")
	require.Equal(t, minutes(110), b.fail(minutes(80), &a))
	require.Equal(t, minutes(80+181+5), b.fail(minutes(80+181), &a))
}
