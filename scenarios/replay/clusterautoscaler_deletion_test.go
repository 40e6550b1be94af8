package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// loaded is a stage on which a node is left with the pods of a small Deployment, which another has
// room for, once a pod that ran for ten minutes is done. It returns when the node's bill begins.
func loaded(replicas int) (x *stage, launched time.Duration) {
	x = &stage{last: time.Hour, flags: onlyScans}
	x.job("big", time.Second, 1, "3", "10m", "")
	x.job("other", 5*time.Minute, 1, "3", "3h", "")
	x.deployment("web", replicas, "400m", "", "")
	return x, scanAt(1, time.Second+newestPods) + groupLaunchTime
}

// loadedDown is when that node is chosen, if pods take so long to start.
func loadedDown(launched, podStart time.Duration) time.Duration {
	return scaledDown(scanAt(1, launched+bootTime+podStart+10*time.Minute))
}

// scaledDown is when a node that is unneeded since a scan is chosen: by the first scan after ten minutes.
func scaledDown(unneeded time.Duration) time.Duration { return unneeded + 10*time.Minute + scanEvery }

// emptyDelay is --node-delete-delay-after-taint.
const emptyDelay = 5 * time.Second

// requireNodes checks the bill of the node that went and of the other.
func requireNodes(t *testing.T, x *stage, r *Result, launched, ended time.Duration) {
	t.Helper()
	other := scanAt(1, 5*time.Minute+newestPods) + groupLaunchTime
	require.InDelta(t, (ended - launched + x.last - other).Hours(), r.Nodes.NodeHours, 1e-9)
}

// A node is drained five seconds after its taint, and ends when its pods are found gone, which is looked
// at every five seconds.
func TestDrainIsPolled(t *testing.T) {
	x, launched := loaded(1)
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Latencies.PodStop = Constant(7*time.Second, "test") })
	down := loadedDown(launched, podStartTime)
	require.Equal(t, []time.Duration{down}, moments(decisions, "scale-down"))
	require.Equal(t, []string{"drained"}, reasons(decisions, "scale-down"))
	requireNodes(t, x, r, launched, down+emptyDelay+10*time.Second)
	require.Equal(t, []ReasonCount{{evictedByScaleDown, 1}}, r.Pods.EvictedBy)
}

// A disruption budget has the second pod wait until the first runs elsewhere: it is tried again
// every ten seconds.
func TestBudgetDelaysADrain(t *testing.T) {
	x, launched := loaded(2)
	x.budget("web", "maxUnavailable: 1")
	const start = 25 * time.Second
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Latencies.PodStart = Constant(start, "test") })
	down := loadedDown(launched, start)
	require.Equal(t, []time.Duration{down}, moments(decisions, "scale-down"))
	first := down + emptyDelay
	second := first + 30*time.Second // the third attempt: the other runs after 25 s
	requireNodes(t, x, r, launched, second+podStopTime)
	require.Equal(t, []ReasonCount{{evictedByScaleDown, 2}}, r.Pods.EvictedBy)
}

// After two minutes the eviction is given up. The budget then keeps the node, which is looked at
// again after five minutes, and after ten, when the pod that was evicted runs elsewhere.
func TestDrainIsGivenUp(t *testing.T) {
	x, launched := loaded(2)
	x.budget("web", "maxUnavailable: 1")
	const start = 10 * time.Minute
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Latencies.PodStart = Constant(start, "test") })
	down := loadedDown(launched, start)
	require.Equal(t, down, moments(decisions, "scale-down")[0])
	failed := down + emptyDelay + 2*time.Minute
	require.Equal(t, []time.Duration{failed}, moments(decisions, "rejected"))
	require.Equal(t, []string{"deletion failed"}, reasons(decisions, "rejected"))
	looked := scanAt(1, failed)
	require.Less(t, looked+5*time.Minute, down+emptyDelay+start)
	require.Equal(t, scaledDown(looked+10*time.Minute), moments(decisions, "scale-down")[1])
	require.Equal(t, 1, r.Nodes.ScaledDown)
}

// A pod has ten seconds to stop, and 30 s more until it is given up. It takes five minutes, and goes; the
// node stays.
func TestPodTakesTooLongToStop(t *testing.T) {
	x, launched := loaded(0)
	x.flags += ", max-graceful-termination-sec: 10"
	x.deployment("slow", 1, "400m", "", "terminationGracePeriodSeconds: 600, ")
	r, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.Latencies.PodStop = Constant(5*time.Minute, "test") })
	down := loadedDown(launched, podStartTime)
	require.Equal(t, down, moments(decisions, "scale-down")[0])
	require.Equal(t, []time.Duration{down + emptyDelay + 40*time.Second}, moments(decisions, "rejected"))
	require.Equal(t, []ReasonCount{{evictedByScaleDown, 1}}, r.Pods.EvictedBy)
}

// A pod of a priority that is not reckoned with keeps no node, whatever a budget says: it goes with it.
func TestExpendablePodGoesWithItsNode(t *testing.T) {
	x, launched := loaded(1)
	x.priorityClass("expendable", -20)
	x.deployment("spare", 1, "400m", "", "priorityClassName: expendable, ")
	x.budget("spare", "maxUnavailable: 0")
	r, decisions := x.play(t, ClusterAutoscaler())
	down := loadedDown(launched, podStartTime)
	require.Equal(t, []time.Duration{down}, moments(decisions, "scale-down"))
	requireNodes(t, x, r, launched, down+emptyDelay+podStopTime)
	require.Equal(t, []ReasonCount{{evictedByScaleDown, 2}}, r.Pods.EvictedBy)
}

// No node goes within ten minutes of a scale-up, be it of another group.
func TestCooldownAfterScaleUp(t *testing.T) {
	x := &stage{last: time.Hour, flags: onlyScans}
	x.group("tainted", ", taints: [{key: for, value: special, effect: NoSchedule}], labels: {for: special}")
	x.job("work", time.Second, 1, "3", "5m", "")
	x.jobs = append(x.jobs, "{name: special, arrivals: {batch: {at: 12m, pods: 1}}, runs: {constant: 3h}}")
	x.jobObject("special", "3", "", "nodeSelector: {for: special}, tolerations: [{key: for, operator: Exists}],")
	r, decisions := x.play(t, ClusterAutoscaler())
	up := scanAt(1, time.Second+newestPods)
	unneeded := scanAt(1, up+groupLaunchTime+bootTime+podStartTime+5*time.Minute)
	again := scanAt(1, 12*time.Minute+newestPods)
	require.Equal(t, []time.Duration{up, again}, moments(decisions, "scale-up"))
	require.Less(t, scaledDown(unneeded), again+10*time.Minute)
	require.Equal(t, []time.Duration{again + 10*time.Minute}, moments(decisions, "scale-down"))
	require.Equal(t, 1, r.Nodes.ScaledDown)
}

// Ten nodes may go at once; the others follow at the next scan, when these are gone.
func TestScaleDownParallelism(t *testing.T) {
	x := &stage{last: time.Hour, flags: onlyScans}
	x.job("work", time.Second, 12, "3", "10m", "")
	_, decisions := x.play(t, ClusterAutoscaler())
	up := scanAt(1, time.Second+newestPods)
	down := scaledDown(scanAt(1, up+groupLaunchTime+bootTime+podStartTime+10*time.Minute))
	var want []time.Duration
	for i := range 12 {
		want = append(want, down+time.Duration(i/10)*scanEvery)
	}
	require.Equal(t, want, moments(decisions, "scale-down"))
}
