package scenarios_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing/resources"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// unfolding counts the pods that a scenario makes over its time in a cluster
// with room for all of them at once: every pod runs when it is made, so that what
// an HPA sees is the load alone.
type unfolding struct {
	// made counts pods by "Kind namespace/name" of their controller or Job's template.
	made map[string]int
	// busiest is the highest number of pods of controllers at one moment.
	busiest int
	last    time.Duration
}

// follower is a controller as the unfolding drives it.
type follower struct {
	*arrivals.Controller
	request  float64 // milli-CPU of a pod
	load     float64
	replicas int
	// recent are the recommendations that scale-down waits out.
	recent []recommendation
}

type recommendation struct {
	at time.Duration
	n  int
}

// sync decides as the HPA controller does each 15 seconds (Kubernetes 1.35
// pkg/controller/podautoscaler: replica_calculator.go with its tolerance of 10%,
// horizontal.go with scale-up by at most double or 4 pods and the stabilization
// window of scale-down).
func (f *follower) sync(now time.Duration) {
	want := f.replicas
	ratio := f.load / (f.request * float64(f.replicas)) * 100 / float64(f.HPA.TargetCPU)
	if math.Abs(ratio-1) > 0.1 {
		want = int(math.Ceil(ratio * float64(f.replicas)))
	}
	want = min(max(want, f.HPA.Min), f.HPA.Max)
	f.recent = slices.DeleteFunc(f.recent, func(r recommendation) bool { return r.at <= now-f.HPA.ScaleDownStabilization })
	f.recent = append(f.recent, recommendation{now, want})
	for _, r := range f.recent {
		if want < f.replicas {
			want = min(f.replicas, max(want, r.n))
		}
	}
	f.replicas = min(want, max(2*f.replicas, f.replicas+4))
}

// unfold plays a scenario's events with one seed.
func unfold(t testing.TB, s *scenarios.Scenario, seed uint64) unfolding {
	t.Helper()
	u := unfolding{made: map[string]int{}}
	followers := map[string]*follower{}
	key := func(kind string, name types.NamespacedName) string { return kind + " " + name.String() }
	var order []*follower
	for _, c := range s.Controllers {
		requests, err := resources.PodRequests(c.Template)
		require.NoError(t, err)
		f := &follower{Controller: c, request: float64(requests.Get(corev1.ResourceCPU)), replicas: c.Replicas, load: -1}
		followers[key(c.Kind, c.Key())] = f
		order = append(order, f)
		u.made[key(c.Kind, c.Key())] += c.Replicas
	}
	stream, err := s.Events(seed)
	require.NoError(t, err)
	scaled := func(f *follower, to int) {
		u.made[key(f.Kind, f.Key())] += max(0, to-f.replicas)
		f.replicas = to
	}
	next := time.Duration(0)
	syncs := func(until time.Duration) {
		for ; next < until; next += 15 * time.Second {
			running := 0
			for _, f := range order {
				if f.HPA != nil && f.load >= 0 {
					before := f.replicas
					f.sync(next)
					to := f.replicas
					f.replicas = before
					scaled(f, to)
				}
				running += f.replicas
			}
			u.busiest = max(u.busiest, running)
		}
	}
	for {
		e, ok := stream.Next()
		if !ok {
			break
		}
		require.GreaterOrEqual(t, e.At, u.last)
		require.Less(t, e.At, s.Horizon())
		u.last = e.At
		syncs(e.At)
		switch {
		case e.Submit != nil:
			u.made["Job "+e.Submit.Pod.Namespace+"/"+cmp.Or(e.Submit.Pod.Labels["app"], e.Submit.Pod.Name)]++
		case e.Scale != nil:
			f := followers[key(e.Scale.Kind, e.Scale.Controller)]
			require.NotNil(t, f)
			scaled(f, e.Scale.Replicas)
		case e.Load != nil:
			followers[key(e.Load.Kind, e.Load.Controller)].load = e.Load.CPU
		case e.Rollout != nil:
			f := followers[key(e.Rollout.Kind, e.Rollout.Controller)]
			u.made[key(f.Kind, f.Key())] += f.replicas
		}
	}
	syncs(s.Horizon())
	return u
}

func (u unfolding) total() int {
	n := 0
	for _, k := range u.made {
		n += k
	}
	return n
}

func (u unfolding) String() string {
	text := fmt.Sprintf("%d pods, at most %d of controllers at once\n", u.total(), u.busiest)
	for _, k := range slices.Sorted(maps.Keys(u.made)) {
		text += fmt.Sprintf("%6d %s\n", u.made[k], k)
	}
	return text
}

// TestDay holds the embedded day to what it says it is.
func TestDay(t *testing.T) {
	require.Equal(t, []string{"day"}, scenarios.Timelines())
	require.NotContains(t, scenarios.Names(), "day")
	s, err := scenarios.Named("day")
	require.NoError(t, err)
	require.Empty(t, s.Warnings)
	require.Equal(t, 24*time.Hour, s.Horizon())
	for seed := range uint64(5) {
		u := unfold(t, s, seed)
		if seed == 0 {
			t.Log(u)
		}
		require.InDelta(t, 5000, u.total(), 500, "seed %d: %v", seed, u)
		require.Equal(t, 1400, u.made["Job batch/nightly-load"])
		require.Equal(t, 600, u.made["Job batch/nightly-forecast"])
		require.InDelta(t, 1500, u.made["Job ci/build"], 4*math.Sqrt(1500))
	}
}
