package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// expiring is a stage of two hours whose nodes last for one: those that are asked for at 1 s run
// from 3 s on and expire at 3601 s.
func expiring(more string) *stage {
	return &stage{last: 2 * time.Hour, pool: "expireAfter: 1h\n      " + more}
}

// hours are the node-hours of intervals in seconds.
func hours(intervals ...[2]float64) (sum float64) {
	for _, i := range intervals {
		sum += (i[1] - i[0]) / 3600
	}
	return sum
}

// A daemon pod is evicted once the others are gone, at 3606 s, and the node waits for it; it
// stays if it tolerates the taint.
func TestDrainOfDaemonPods(t *testing.T) {
	for tolerations, ends := range map[string]float64{
		"":                                    3611,
		"tolerations: [{operator: Exists}], ": 3606,
		"tolerations: [{key: karpenter.sh/disrupted, operator: Exists}], ":                3606,
		"tolerations: [{key: node.kubernetes.io/unschedulable, operator: Exists}], ":      3611,
		"tolerations: [{key: karpenter.sh/disrupted, effect: NoExecute}], ":               3611,
		"tolerations: [{key: karpenter.sh/disrupted, value: a, effect: NoSchedule}], ":    3611,
		"tolerations: [{key: karpenter.sh/disrupted, value: \"\", effect: NoSchedule}], ": 3606,
	} {
		x := expiring("")
		x.deployment("web", 1, "3", "", "")
		x.daemonSet("100m", tolerations)
		r, decisions := x.play(t, Karpenter())
		require.Equal(t, seconds(3601), moments(decisions, "expiry"), tolerations)
		require.Equal(t, seconds(1, 3602), moments(decisions, "launch"), tolerations)
		require.InDelta(t, hours([2]float64{3, ends}, [2]float64{3604, 7200}), r.Nodes.NodeHours, 1e-9, tolerations)
		require.Equal(t, []ReasonCount{{evictedByExpiry, 1}}, r.Pods.EvictedBy, tolerations)
	}
}

// Both nodes expire at 3601 s, and the budget lets go one pod of two. Two nodes are asked for at
// 3602 s: for the pod that takes its place, and for the other, which will have to go. The former
// runs at 3658 s. The other's eviction is tried again after 0.1 s, 0.2 s ... 6.4 s, then every
// ten seconds: at 3653.7 s in vain, at 3663.7 s it succeeds. The pod is gone at 3668.7 s, and the
// termination controller sees it at its next look, one of each second from 3601 s on.
func TestBudgetDelaysDrain(t *testing.T) {
	x := expiring("")
	x.deployment("web", 2, "3", "", "")
	x.budget("web", "maxUnavailable: 1")
	r, decisions := x.play(t, Karpenter())
	require.Equal(t, seconds(3601, 3601), moments(decisions, "expiry"))
	require.Equal(t, seconds(1, 1, 3602, 3602), moments(decisions, "launch"))
	require.InDelta(t, hours([2]float64{3, 3606}, [2]float64{3, 3669}, [2]float64{3604, 7200}, [2]float64{3604, 7200}), r.Nodes.NodeHours, 1e-9)
	require.Equal(t, []ReasonCount{{evictedByExpiry, 2}}, r.Pods.EvictedBy)
	require.Equal(t, 4, r.Wait.ToBound.Count)
	require.InDelta(t, 3*53, r.Wait.PendingPodSeconds, 1e-6, "the fourth pod found its node ready")
}

// Two pods are on one node. That the first is gone at 3606 s does not have the other's eviction tried anew:
// it goes on as before, and succeeds at 3663.7 s.
func TestRefusedEvictionKeepsItsDelays(t *testing.T) {
	x := expiring("")
	x.deployment("web", 2, "1", "", "")
	x.budget("web", "maxUnavailable: 1")
	r, decisions := x.play(t, Karpenter())
	require.Equal(t, seconds(1, 3602), moments(decisions, "launch"))
	require.InDelta(t, hours([2]float64{3, 3669}, [2]float64{3604, 7200}), r.Nodes.NodeHours, 1e-9)
}

// A pod that a budget never lets go, or that must not be disturbed, is not provided for and
// holds up the drain for ever.
func TestBlockedDrain(t *testing.T) {
	for _, bounds := range [][]string{{"maxUnavailable: 0"}, {"minAvailable: 100%"}, {"maxUnavailable: 1", "maxUnavailable: 1"}} {
		x := expiring("")
		x.deployment("work", 1, "3", "", "")
		for _, bound := range bounds {
			x.budget("work", bound)
		}
		r, decisions := x.play(t, Karpenter())
		require.Equal(t, seconds(1), moments(decisions, "launch"), bounds)
		require.InDelta(t, hours([2]float64{3, 7200}), r.Nodes.NodeHours, 1e-9, bounds)
		require.Equal(t, 1, r.Pods.RunningAtEnd, bounds)
	}
}

// terminationGracePeriod ends at 4201 s for a node that expires at 3601 s. A pod that
// nothing else makes go has 30 s to stop, and so is deleted at the first look after
// 4171 s. Nobody has provided for it before.
func TestTerminationGracePeriod(t *testing.T) {
	for _, protect := range []func(x *stage){
		func(x *stage) {
			x.budget("work", "maxUnavailable: 0")
			x.jobObject("work", "3", "", "")
		},
		func(x *stage) { x.jobObject("work", "3", `karpenter.sh/do-not-disrupt: "true"`, "") },
	} {
		x := expiring("terminationGracePeriod: 10m")
		x.jobs = []string{"{name: work, arrivals: {batch: {at: 0s, pods: 1}}, runs: {constant: 5h}}"}
		protect(x)
		r, decisions := x.play(t, Karpenter())
		require.Equal(t, seconds(1, 4173), moments(decisions, "launch"))
		require.InDelta(t, hours([2]float64{3, 4177}, [2]float64{4175, 7200}), r.Nodes.NodeHours, 1e-9)
		require.Equal(t, []ReasonCount{{evictedByExpiry, 1}}, r.Pods.EvictedBy)
	}
}

// A pod that may take longer to stop than its node has is deleted at once, with what time there is.
func TestGracePeriodBeyondTheNode(t *testing.T) {
	x := expiring("terminationGracePeriod: 10m")
	x.deployment("work", 1, "3", "", "terminationGracePeriodSeconds: 1200, ")
	x.budget("work", "maxUnavailable: 0")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Latencies.PodStop = Constant(time.Hour, "test") })
	require.Equal(t, seconds(1, 3602), moments(decisions, "launch"))
	require.InDelta(t, hours([2]float64{3, 4201}, [2]float64{3604, 7200}), r.Nodes.NodeHours, 1e-9)
}

// One that was told to stop before has its time cut: it would have ended at 4790 s.
func TestGracePeriodIsCut(t *testing.T) {
	x := expiring("terminationGracePeriod: 10m")
	x.deployments = []string{"{name: work, replicas: [{at: 3590s, replicas: 0}]}"}
	x.deployment("work", 1, "3", "", "terminationGracePeriodSeconds: 1200, ")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Latencies.PodStop = Constant(time.Hour, "test") })
	require.Equal(t, seconds(3601), moments(decisions, "expiry"))
	require.InDelta(t, hours([2]float64{3, 4201}), r.Nodes.NodeHours, 1e-9)
	require.Equal(t, 1, r.Pods.Deleted)
}

// The pod runs from 57 s on, was bound at 53 s, and must not be disturbed for 61 minutes: until
// 3713 s. Then it is evicted, and its successor provided for.
func TestProtectionRunsOut(t *testing.T) {
	x := expiring("")
	x.jobs = []string{"{name: work, arrivals: {batch: {at: 0s, pods: 1}}, runs: {constant: 5h}}"}
	x.jobObject("work", "3", "karpenter.sh/do-not-disrupt: 61m", "")
	r, decisions := x.play(t, Karpenter())
	require.Equal(t, seconds(1, 3714), moments(decisions, "launch"))
	require.InDelta(t, hours([2]float64{3, 3718}, [2]float64{3716, 7200}), r.Nodes.NodeHours, 1e-9)
}

// A critical pod is evicted once the others are gone, at 3606 s, and a critical daemon pod after it, at 3611 s.
func TestDrainOfCriticalPods(t *testing.T) {
	for _, class := range []string{"priorityClassName: system-cluster-critical, ", "priorityClassName: system-node-critical, "} {
		for daemonSpec, ends := range map[string]float64{"tolerations: [{operator: Exists}], ": 3611, class: 3616} {
			x := expiring("")
			x.deployment("web", 1, "2", "", "")
			x.deployment("dns", 1, "1", "", class)
			x.daemonSet("100m", daemonSpec)
			r, decisions := x.play(t, Karpenter())
			require.Equal(t, seconds(1, 3602), moments(decisions, "launch"), daemonSpec)
			require.InDelta(t, hours([2]float64{3, ends}, [2]float64{3604, 7200}), r.Nodes.NodeHours, 1e-9, daemonSpec)
			require.Equal(t, []ReasonCount{{evictedByExpiry, 2}}, r.Pods.EvictedBy, daemonSpec)
		}
	}
}
