package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/instancetypes"
)

func seconds(list ...float64) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, time.Duration(s*float64(time.Second)))
	}
	return out
}

// once has the first spot instance reclaimed, at a rate of two an hour, and no other.
func once() func(*instancetypes.InstanceType, *instancetypes.Offering) float64 {
	done := false
	return func(*instancetypes.InstanceType, *instancetypes.Offering) float64 {
		if done {
			return 0
		}
		done = true
		return 2
	}
}

// A pod comes at 60 s, its node is asked for at 61 s, runs from 63 s, is ready at 113 s; the pod
// runs from 117 s to 717 s. At 747 s the node may go; the poll at 750 s finds it, 15 s later that
// still holds, and after the least time of a drain, 5 s, the instance ends.
func TestEmptyNodeGoes(t *testing.T) {
	x := &stage{last: 30 * time.Minute}
	x.job("work", time.Minute, 1, "3", "10m", "")
	r, decisions := x.play(t, Karpenter())
	require.Equal(t, seconds(61), moments(decisions, "launch"))
	require.Equal(t, seconds(765), moments(decisions, "consolidation"))
	require.InDelta(t, (770-63)/3600., r.Nodes.NodeHours, 1e-9)
	require.Equal(t, 1, r.Nodes.Consolidated)
	require.Zero(t, r.Nodes.AtEnd)
	require.InDelta(t, 53, r.Wait.ToBound.Max, 1e-6)
	require.InDelta(t, 57, r.Wait.ToRunning.Max, 1e-6)
	require.Equal(t, 1, r.Pods.Finished)
}

func TestBudgetOfZeroKeepsNodes(t *testing.T) {
	x := &stage{last: 2 * time.Hour, disruption: `consolidationPolicy: WhenEmptyOrUnderutilized, consolidateAfter: 30s, budgets: [{nodes: "0"}]`}
	x.job("work", time.Minute, 1, "3", "10m", "")
	r, decisions := x.play(t, Karpenter())
	require.Empty(t, moments(decisions, "consolidation"))
	require.Equal(t, 1, r.Nodes.AtEnd)
	require.InDelta(t, (7200-63)/3600., r.Nodes.NodeHours, 1e-9)
}

// Two nodes are left with a small pod each: one node goes unless the pods must not be disturbed.
func TestDoNotDisruptKeepsNodes(t *testing.T) {
	for annotation, want := range map[string]int{"": 1, `karpenter.sh/do-not-disrupt: "true"`: 0} {
		x := &stage{last: time.Hour}
		x.job("large", time.Minute, 2, "3", "5m", "")
		x.jobs = append(x.jobs, "{name: small, arrivals: {batch: {at: 1m, pods: 2}}, runs: {constant: 5h}}")
		x.jobObject("small", "500m", annotation, "")
		r, _ := x.play(t, Karpenter())
		require.Equal(t, 2, r.Nodes.Launched)
		require.Equal(t, want, r.Nodes.Consolidated)
		require.Equal(t, 2-want, r.Nodes.AtEnd)
		require.Equal(t, want, totalOf(r.Pods.EvictedBy))
		require.Equal(t, 2, r.Pods.RunningAtEnd)
	}
}

func TestExpiry(t *testing.T) {
	x := &stage{last: 2 * time.Hour, pool: "expireAfter: 1h"}
	x.deployment("web", 1, "3", "", "")
	r, decisions := x.play(t, Karpenter())
	require.Equal(t, seconds(3601), moments(decisions, "expiry"))
	require.Equal(t, seconds(1, 3602), moments(decisions, "launch"))
	require.Equal(t, []ReasonCount{{evictedByExpiry, 1}}, r.Pods.EvictedBy)
	require.Equal(t, 1, r.Nodes.Expirations)
	require.Equal(t, 1, r.Pods.RunningAtEnd)
}

// At the notice the pod is evicted, and the node for its successor is asked for one second later.
func TestInterruptionUnderKarpenter(t *testing.T) {
	x := &stage{last: 2 * time.Hour, capacityType: "spot", zones: "us-east-1a, us-east-1b"}
	x.deployment("web", 1, "3", "", "")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Cloud.Hazard = once() })
	notices := moments(decisions, "interruption")
	require.Len(t, notices, 1)
	launches := moments(decisions, "launch")
	require.Equal(t, []time.Duration{time.Second, notices[0] + time.Second}, launches)
	require.Equal(t, []ReasonCount{{evictedByInterruption, 1}}, r.Pods.EvictedBy)
	require.Equal(t, 1, r.Nodes.Interruptions)
	require.Equal(t, 2, r.Pods.Created)
	// The pod is gone after five seconds, and the node with it; the next runs three seconds after the notice.
	require.InDelta(t, hours([2]float64{3, notices[0].Seconds() + 5}, [2]float64{notices[0].Seconds() + 3, 7200}), r.Nodes.NodeHours, 1e-9)
	require.Equal(t, 1, r.Nodes.AtEnd)
}

// A pod that must not be disturbed stays until the instance is taken back, two minutes after the
// notice. Nobody provides for it before.
func TestInterruptionOfProtectedPod(t *testing.T) {
	x := &stage{last: 2 * time.Hour, capacityType: "spot", zones: "us-east-1a, us-east-1b"}
	x.jobs = []string{"{name: work, arrivals: {batch: {at: 0s, pods: 1}}, runs: {constant: 5h}}"}
	x.jobObject("work", "3", `karpenter.sh/do-not-disrupt: "true"`, "")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Cloud.Hazard = once() })
	notice := moments(decisions, "interruption")[0]
	taken := notice + 2*time.Minute
	require.Equal(t, []time.Duration{time.Second, taken + time.Second}, moments(decisions, "launch"))
	require.InDelta(t, hours([2]float64{3, taken.Seconds()}, [2]float64{taken.Seconds() + 3, 7200}), r.Nodes.NodeHours, 1e-9)
	require.Equal(t, []ReasonCount{{evictedByInterruption, 1}}, r.Pods.EvictedBy)
}

// An instance that does not join is given up 15 minutes after it was asked for. The pod has triggered
// every ten seconds, last at 960 s, so that it is provided for anew at once.
func TestNeverJoinsUnderKarpenter(t *testing.T) {
	x := &stage{last: 30 * time.Minute}
	x.job("work", time.Minute, 1, "3", "10m", "")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Cloud.NeverJoin = 1 })
	require.Equal(t, seconds(61, 961), moments(decisions, "launch"))
	require.Equal(t, seconds(961), moments(decisions, "rejected"))
	require.InDelta(t, (961-63+1800-963)/3600., r.Nodes.NodeHours, 1e-9)
	require.Equal(t, 1, r.Pods.PendingAtEnd)
}

// What lacked capacity, at 63 s, is left out for three minutes, and comes back when the cache is swept, at 250 s;
// then the pod asks again.
func TestShortageUnderKarpenter(t *testing.T) {
	x := &stage{last: 20 * time.Minute}
	x.job("work", time.Minute, 1, "3", "5m", "")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) {
		s.Cloud.Shortages = []Shortage{{InstanceType: "m5.xlarge", For: 10 * time.Minute}}
	})
	require.Equal(t, seconds(61, 251, 441, 631), moments(decisions, "launch"))
	require.Equal(t, []ReasonCount{{insufficientCapacity, 3}}, r.Nodes.LaunchFailures)
	require.Equal(t, 1, r.Pods.Finished)
}
