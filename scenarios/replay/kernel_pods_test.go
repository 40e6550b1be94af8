package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGiveUp(t *testing.T) {
	for _, a := range []Autoscaler{Karpenter(), ClusterAutoscaler()} {
		x := &stage{last: time.Hour}
		x.job("work", time.Minute, 2, "3", "10m", ", giveUp: 5m")
		r, _ := x.play(t, a, func(s *Settings) { s.Cloud.Shortages = []Shortage{{For: time.Hour}} })
		require.Equal(t, 2, r.Pods.Created)
		require.Equal(t, 2, r.Pods.GaveUp)
		require.InDelta(t, 2*300, r.Wait.PendingPodSeconds, 1e-6)
		require.Zero(t, r.Cost.TotalUSD)
		require.Positive(t, r.Nodes.Failures())
	}
}

// A placeholder gives way to a pod that counts for more, which waits for its end only; the
// placeholder's successor has a node made.
func TestPlaceholderGivesWay(t *testing.T) {
	x := &stage{last: 20 * time.Minute}
	x.priorityClass("placeholder", -5)
	x.deployment("headroom", 1, "3", "", "priorityClassName: placeholder, ")
	x.job("work", 10*time.Minute, 1, "3", "1h", "")
	r, decisions := x.play(t, Karpenter())
	require.Equal(t, seconds(1, 601), moments(decisions, "launch"))
	require.Equal(t, []ReasonCount{{evictedByPreemption, 1}}, r.Pods.EvictedBy)
	require.Equal(t, 3, r.Wait.ToBound.Count)
	require.InDelta(t, (53+podStopTime.Seconds()+53)/3, r.Wait.ToBound.Mean, 1e-6)
	require.Equal(t, 2, r.Pods.RunningAtEnd)
}

// A pod that makes a placeholder go gives up before it is gone. Its room is kept for it no longer: the placeholder's
// successor has it.
func TestGivingUpFreesTheRoomThatWasKept(t *testing.T) {
	x := &stage{last: 20 * time.Minute}
	x.priorityClass("placeholder", -5)
	x.deployment("headroom", 1, "3", "", "priorityClassName: placeholder, ")
	x.job("work", time.Minute, 1, "3", "1h", ", giveUp: 2s")
	r, _ := x.play(t, roomFor(4))
	require.Equal(t, []ReasonCount{{evictedByPreemption, 1}}, r.Pods.EvictedBy)
	require.Equal(t, 1, r.Pods.GaveUp)
	require.Equal(t, 1, r.Pods.RunningAtEnd)
	require.InDelta(t, podStopTime.Seconds(), r.Wait.ToBound.Max, 1e-6)
}

func TestEmptyClusterCostsNothing(t *testing.T) {
	for _, a := range allAutoscalers() {
		r, decisions := (&stage{last: 24 * time.Hour}).play(t, a)
		require.Zero(t, r.Cost.TotalUSD)
		require.Zero(t, r.Nodes.Requested)
		require.Empty(t, decisions)
	}
}
