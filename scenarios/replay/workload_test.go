package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// watch has a workload of kind and name looked at after every event.
func watch(kind, name string, look func(now time.Duration, w *workload)) func(*Settings) {
	return func(s *Settings) {
		s.audit = func(r *replay) error {
			if w := r.workloads[workloadKey{kind, types.NamespacedName{Namespace: "default", Name: name}}]; w != nil {
				look(r.now, w)
			}
			return r.checkCluster()
		}
	}
}

// step is that a workload has had so many replicas from a moment on.
type step struct {
	at       time.Duration
	replicas int
}

// A load of 1 CPU on two pods of 1 CPU is what a target of 50% aims at. At 2 minutes it rises by 9%, which is within the
// tolerance. At 5 minutes it steps to 20 CPUs, which is 40 pods: the first look makes 4 more, each of the
// next twice as many as there are, until there are 40. At 15 minutes it is back at 1 CPU; the last advice of 40, of
// 14:45, is remembered for 5 minutes, so that the look at 20 minutes is the first to heed that of 2; or
// for no time, if that is asked for.
func TestHPAOnAStepOfLoad(t *testing.T) {
	for stabilization, down := range map[string]time.Duration{"": 20 * time.Minute, ", scaleDownStabilization: 0s": 15 * time.Minute} {
		x := &stage{last: 30 * time.Minute}
		x.deployments = []string{`{name: web, hpa: {min: 1, max: 50, targetCPU: 50` + stabilization + `}, load: {points: [
      {at: 0s, cpu: 1}, {at: 119s, cpu: 1}, {at: 2m, cpu: 1090m}, {at: 299s, cpu: 1090m}, {at: 5m, cpu: 20}, {at: 899s, cpu: 20}, {at: 15m, cpu: 1}]}}`}
		x.deployment("web", 2, "1", "", "")
		var steps []step
		x.play(t, roomFor(100), watch("Deployment", "web", func(now time.Duration, w *workload) {
			if len(steps) == 0 || steps[len(steps)-1].replicas != w.replicas {
				steps = append(steps, step{now, w.replicas})
			}
		}))
		require.Equal(t, []step{{0, 2}, {300 * time.Second, 6}, {315 * time.Second, 12}, {330 * time.Second, 24}, {345 * time.Second, 40}, {down, 2}}, steps)
	}
}

// At every moment of a rolling update there are at most the replicas and MaxSurge, and all but
// MaxUnavailable run; in the end all are new.
func TestRollingUpdateStaysWithinBounds(t *testing.T) {
	for _, test := range []struct {
		strategy     string
		least, most  int
		lasts        time.Duration // with room for all
		peak, fewest int
	}{
		// The pods start for 4 s and stop for 5 s, but those that stop count no longer. 2 go at once, 4 are made; each time that
		// some run as many go. So there are 3 rounds, the last of the 2 that are left over.
		{"", 6, 10, 8 * time.Second, 10, 6},
		{"strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}", 8, 10, 16 * time.Second, 10, 8},
		{"strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}", 7, 8, 32 * time.Second, 8, 7},
	} {
		for _, a := range []Autoscaler{roomFor(100), Karpenter(), ClusterAutoscaler()} {
			t.Run(a.Name+" "+test.strategy, func(t *testing.T) {
				x := &stage{last: 40 * time.Minute}
				x.deployments = []string{"{name: web, rollouts: [10m]}"}
				x.deployment("web", 8, "1", test.strategy, "")
				var done time.Duration
				peak, fewest := 0, 8
				r, _ := x.play(t, a, watch("Deployment", "web", func(now time.Duration, w *workload) {
					if now < 10*time.Minute || done > 0 { // later, nodes that have become superfluous are emptied
						return
					}
					running, current := 0, 0
					for _, p := range w.pods {
						if p.state == podRunning {
							running++
							if w.current(p) {
								current++
							}
						}
					}
					peak, fewest = max(peak, len(w.pods)), min(fewest, running)
					if current == 8 && now > 10*time.Minute {
						done = now
					}
				}))
				require.LessOrEqual(t, peak, test.most)
				require.GreaterOrEqual(t, fewest, test.least)
				require.Equal(t, 16, r.Pods.Created-totalOf(r.Pods.EvictedBy))
				require.Equal(t, 8, r.Pods.Deleted)
				require.Equal(t, 8, r.Pods.RunningAtEnd)
				if a.Name == "room" {
					require.Equal(t, []int{test.peak, test.fewest}, []int{peak, fewest})
					require.Equal(t, 10*time.Minute+test.lasts, done)
				}
			})
		}
	}
}

// At first there is no node, which is looked at again after 2 s. A StatefulSet makes its pods from the first to the last, each once those before it run; gets smaller from the last on, each
// once the one after it is gone; and replaces them from the last on.
func TestStatefulSetKeepsItsOrder(t *testing.T) {
	x := &stage{last: 10 * time.Minute}
	x.statefulSets = []string{"{name: db, replicas: [{at: 2m, replicas: 4}, {at: 3m, replicas: 2}], rollouts: [5m]}"}
	x.statefulSet("db", 3, "1")
	var log []string
	seen := map[*pod]podState{}
	x.play(t, roomFor(100), watch("StatefulSet", "db", func(now time.Duration, w *workload) {
		for _, p := range w.pods {
			was, known := seen[p]
			if seen[p] = p.state; known && was == p.state || p.state == podWaiting || p.state == podStarting {
				continue
			}
			what := map[podState]string{podRunning: "runs", podStopping: "stops"}[p.state]
			log = append(log, fmt.Sprintf("%v %s %s", now.Round(time.Millisecond), p.obj.Name, what))
		}
	}))
	require.Equal(t, strings.Split(strings.TrimSpace(`
6s db-0 runs
10s db-1 runs
14s db-2 runs
2m4s db-3 runs
3m0s db-3 stops
3m5s db-2 stops
5m0s db-1 stops
5m9s db-1 runs
5m9s db-0 stops
5m18s db-0 runs`), "\n"), log)
}

// A Job's pod that is evicted has run in vain: its successor starts anew.
func TestEvictedJobLosesItsTime(t *testing.T) {
	x := &stage{last: 3 * time.Hour, capacityType: "spot", zones: "us-east-1a, us-east-1b"}
	x.job("work", time.Minute, 1, "3", "90m", "")
	r, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Cloud.Hazard = once() })
	notice := moments(decisions, "interruption")
	require.Len(t, notice, 1)
	runs := time.Minute + time.Second + launchTime + bootTime + podStartTime
	require.Greater(t, notice[0], runs)
	require.InDelta(t, (notice[0] - runs).Seconds(), r.Pods.LostSeconds, 1e-6)
	require.Equal(t, []int{2, 1, 1}, []int{r.Pods.Created, r.Pods.Finished, totalOf(r.Pods.EvictedBy)})
	again := notice[0] + time.Second + launchTime + bootTime + podStartTime + 90*time.Minute
	x.last = again - time.Second
	r, _ = x.play(t, Karpenter(), func(s *Settings) { s.Cloud.Hazard = once() })
	require.Equal(t, []int{0, 1}, []int{r.Pods.Finished, r.Pods.RunningAtEnd}, "it is not done a second before its time")
}

// A pod that counts for more comes at 60 s to a node that is full. The least important pod is told to stop in the
// same moment, the younger of two; the preemptor is bound as it is gone, though it backs off for a second, since
// nothing else is to be done. How long the victim stops is at most its grace period.
func TestPreemptionMoments(t *testing.T) {
	for _, test := range []struct {
		stop, want time.Duration
		grace      int64
	}{{5 * time.Second, 65 * time.Second, 30}, {300 * time.Millisecond, 60300 * time.Millisecond, 30}, {5 * time.Second, 63 * time.Second, 3}} {
		t.Run(fmt.Sprint(test.stop, test.grace), func(t *testing.T) {
			at := func(seconds float64) int64 { return int64(seconds * 1e9) }
			s := &script{Name: "preemption", Begin: monday, For: 2 * time.Minute, grace: test.grace, preempts: true, stop: test.stop,
				Nodes: [][3]int64{{at(0.001), at(0.002), 3}},
				Pods:  [][5]int64{{at(1), 5, at(3600)}, {at(2), 1, at(3600)}, {at(3), 1, at(3600)}, {at(60), 7, at(3600)}}}
			pods := s.play(t)
			require.Equal(t, test.want, pods[3].bound)
			states := make([]podState, len(pods))
			for i, p := range pods {
				states[i] = p.state
			}
			require.Equal(t, []podState{podRunning, podRunning, podGone, podRunning}, states)
			require.Equal(t, evictedByPreemption, pods[2].leaving)
		})
	}
}
