package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/packing/karpenter"
)

// shrinking is a stage whose node is too large once a pod of 2.5 CPU has ended, which runs for so long from
// 117 s on: m5.large has room for the pod of 1 CPU that stays, which was bound at 113 s.
func shrinking(large, annotation string) *stage {
	x := &stage{last: 30 * time.Minute, types: "m5.large, m5.xlarge"}
	x.job("large", time.Minute, 1, "2500m", large, "")
	x.jobs = append(x.jobs, "{name: small, arrivals: {batch: {at: 1m, pods: 1}}, runs: {constant: 5h}}")
	x.jobObject("small", "1", annotation, "")
	return x
}

// The large pod ends at 717 s. The node may be looked at from 747 s on; the poll at 750 s finds that a
// smaller one would do, and so it is 15 s later, at 765 s. The smaller node runs from 767 s, is ready at
// 817 s, and only then is the pod evicted, to be bound at once. The old node ends at 822 s. If the new
// one is ready half a second later, so are the first pods, and the command is looked at at 818 s.
func TestConsolidationWithReplacement(t *testing.T) {
	for ready, drained := range map[time.Duration]float64{readyTime: 817, readyTime + 500*time.Millisecond: 818} {
		x := shrinking("10m", "")
		r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Latencies.Ready = Constant(ready, "test") })
		require.Equal(t, seconds(61), moments(decisions, "launch"))
		require.Equal(t, seconds(765), moments(decisions, "consolidation"))
		require.Empty(t, moments(decisions, "rejected"), "the command is done, and is not waited for any more")
		require.InDelta(t, hours([2]float64{63, drained + 5}, [2]float64{767, 1800}), r.Nodes.NodeHours, 1e-9)
		require.Equal(t, []ReasonCount{{evictedByConsolidation, 1}}, r.Pods.EvictedBy)
		require.Equal(t, 3, r.Wait.ToBound.Count)
		require.InDelta(t, 2*(time.Second+launchTime+joinTime+ready).Seconds(), r.Wait.PendingPodSeconds, 1e-6, "the third pod did not wait")
		require.Equal(t, 1, r.Nodes.AtEnd)
	}
}

// The cloud has no m5.large. The command fails at 767 s, and the node stays. It is looked at again once
// nothing has changed for five minutes since the pod ended: m5.large is available again by then.
func TestReplacementFails(t *testing.T) {
	x := shrinking("10m", "")
	x.last = 20 * time.Minute
	r, decisions := x.play(t, Karpenter(), func(s *Settings) {
		s.Cloud.Shortages = []Shortage{{InstanceType: "m5.large", For: time.Hour}}
	})
	require.Equal(t, seconds(765, 1017+15), moments(decisions, "consolidation"))
	require.Equal(t, seconds(767, 1017+17), moments(decisions, "rejected"))
	require.Empty(t, r.Pods.EvictedBy)
	require.InDelta(t, hours([2]float64{63, 1200}), r.Nodes.NodeHours, 1e-9)
}

// A replacement that is not ready after ten minutes is waited for no longer than the first look after
// them. It stays when it comes, and takes what comes next.
func TestReplacementTakesTooLong(t *testing.T) {
	x := shrinking("15m", "")
	x.last = time.Hour
	slow := 700 * time.Second
	_, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Latencies.Boot = Constant(slow, "test") })
	found := moments(decisions, "consolidation")
	const given = 10*time.Minute + time.Second
	require.Equal(t, []time.Duration{found[0] + given, found[1] + given}, moments(decisions, "rejected"))
	require.Greater(t, found[1], found[0]+slow, "the first replacement is ready and makes no node go")
}

// The pod that stays must not be disturbed for 20 minutes from 113 s on: until 1313 s. Nothing
// else happens then, but a poll finds the node.
func TestProtectionEndsConsolidationBegins(t *testing.T) {
	_, decisions := shrinking("5m", "karpenter.sh/do-not-disrupt: 20m").play(t, Karpenter())
	require.Equal(t, seconds(1335), moments(decisions, "consolidation"))
}

// Two nodes: one with a pod of 3 CPU and one of 0.9 CPU that ends at 657 s, and one with a pod of 3 CPU that
// ends at 837 s and one of 0.5 CPU. From then on one node would do. At 840 s the second node may not be looked at
// yet, and the first cannot go: the cluster is taken for consolidated. It has not changed at 870 s, when
// the second node is of age, so that it takes until five minutes after the change.
func TestConsolidatedForFiveMinutes(t *testing.T) {
	x := &stage{last: 30 * time.Minute}
	x.deployment("web", 1, "3", "", "")
	x.jobs = []string{"{name: filler, arrivals: {batch: {at: 0s, pods: 1}}, runs: {constant: 10m}}"}
	x.jobObject("filler", "900m", "", "")
	x.job("large", time.Minute, 1, "3", "12m", "")
	x.jobs = append(x.jobs, "{name: small, arrivals: {batch: {at: 1m, pods: 1}}, runs: {constant: 5h}}")
	x.jobObject("small", "500m", "", "")
	r, decisions := x.play(t, Karpenter())
	require.Equal(t, seconds(1, 61), moments(decisions, "launch"))
	require.Equal(t, seconds(1140+15), moments(decisions, "consolidation"))
	require.Equal(t, 1, r.Nodes.AtEnd)
}

// Kube-scheduler takes 25 s for each attempt: two pods that come at 60 s are refused at 60 s and 85 s, and again at 110 s
// and 135 s, woken by nodes that join at 93 s and 118 s and are not ready. A third pod of higher priority fails at 160 s, as there is no
// pod to be near. The first node is ready at 153 s and empty until 235 s: at 185 s the first pod goes to the second node, at 210 s the small
// one joins it. Until then the first node is nominated by a Solve each ten seconds, which finds the same as the one before.
func TestNominatedNodeIsLeftAlone(t *testing.T) {
	x := &stage{last: 5 * time.Minute, disruption: `consolidationPolicy: WhenEmptyOrUnderutilized, consolidateAfter: 0s, budgets: [{nodes: "100%"}]`}
	x.job("work", time.Minute, 2, "3", "1h", "")
	x.jobs = append(x.jobs, "{name: small, arrivals: {batch: {at: 160s, pods: 1}}, runs: {constant: 1h}}")
	x.priorityClass("high", 100)
	x.jobObject("small", "500m", "", "priorityClassName: high, affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: work}}}]}}, ")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) {
		s.BindInterval, s.Latencies.Ready = 25*time.Second, Constant(time.Minute, "test")
	})
	require.Equal(t, seconds(61, 86), moments(decisions, "launch"))
	require.Empty(t, moments(decisions, "rejected"))
	require.Empty(t, moments(decisions, "consolidation"))
	require.InDelta(t, 235-60, r.Wait.ToBound.Max, 1e-6)
}

// A pod takes five minutes to start. One of two replicas runs from 353 s on, the other from 1200 s on, and only
// then does the budget let one go: the node, too large since 953 s, is found by the next poll. The smaller one
// is ready at 1277 s. One replica is evicted then, its successor runs from 1577 s on, and the attempt at 1579.7 s evicts the other.
func TestBudgetAllowsConsolidation(t *testing.T) {
	x := &stage{last: 30 * time.Minute, types: "m5.large, m5.xlarge"}
	x.job("large", 0, 1, "2", "10m", "")
	x.deployments = []string{"{name: web, replicas: [{at: 900s, replicas: 2}]}"}
	x.deployment("web", 1, "900m", "", "")
	x.budget("web", "maxUnavailable: 1")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Latencies.PodStart = Constant(5*time.Minute, "test") })
	require.Equal(t, seconds(1), moments(decisions, "launch"))
	require.Equal(t, seconds(1210+15), moments(decisions, "consolidation"))
	require.Equal(t, []ReasonCount{{evictedByConsolidation, 2}}, r.Pods.EvictedBy)
	require.InDelta(t, hours([2]float64{3, 1585}, [2]float64{1227, 1800}), r.Nodes.NodeHours, 1e-9)
}

// slowSimulation has each simulation of consolidation take so long, and a Solve no time.
type slowSimulation time.Duration

func (s slowSimulation) Karpenter(w Work) time.Duration {
	return time.Duration(w.Simulations) * time.Duration(s)
}
func (slowSimulation) ClusterAutoscaler(Work) time.Duration { return 0 }
func (slowSimulation) String() string                       { return "test" }

// The simulation that finds the smaller node takes from 750 s to 770 s; 15 s later the command still holds.
func TestConsolidationTakesTime(t *testing.T) {
	_, decisions := shrinking("10m", "").play(t, Karpenter(), func(s *Settings) { s.DecisionTime = slowSimulation(20 * time.Second) })
	require.Equal(t, seconds(785), moments(decisions, "consolidation"))
}

func TestSimulationsWithinATimeOut(t *testing.T) {
	for _, c := range []struct {
		time DecisionTime
		want int
	}{{slowSolve(25 * time.Second), 2}, {slowSolve(30 * time.Second), 2}, {slowSolve(61 * time.Second), -1}, {NoTime{}, 0}, {MeasuredTime{}, 0}} {
		require.Equal(t, c.want, simulations(c.time, Work{Pods: 1, Measured: time.Second}, time.Minute))
	}
}

// Multi-node consolidation is broken off after a minute; the time that Binwright took is shared out.
func TestTimesOfMethods(t *testing.T) {
	d := &disruptionLoop{karpenterController: &karpenterController{replay: &replay{settings: &Settings{DecisionTime: slowSimulation(25 * time.Second)}}}}
	efforts := [3]karpenter.MethodEffort{{}, {Simulations: 2, TimedOut: true}, {Simulations: 3}}
	require.Equal(t, [3]time.Duration{0, time.Minute, 75 * time.Second}, d.times(efforts, Work{}, time.Second))
	efforts[1].TimedOut = false
	require.Equal(t, [3]time.Duration{0, 50 * time.Second, 75 * time.Second}, d.times(efforts, Work{}, time.Second))
	d.settings.DecisionTime = MeasuredTime{}
	require.Equal(t, [3]time.Duration{0, 400 * time.Millisecond, 600 * time.Millisecond}, d.times(efforts, Work{}, time.Second))
}
