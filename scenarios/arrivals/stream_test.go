package arrivals_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// list is a stream of given events.
type list []arrivals.Event

func (l *list) Next() (arrivals.Event, bool) {
	if len(*l) == 0 {
		return arrivals.Event{}, false
	}
	e := (*l)[0]
	*l = (*l)[1:]
	return e, true
}

// TestMerge holds Merge to a stable sort of the streams one after the other.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var streams []arrivals.Stream
		var all []arrivals.Event
		for i := range rapid.IntRange(0, 8).Draw(r, "streams") {
			times := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 12).Draw(r, "times")
			slices.Sort(times)
			var l list
			for j, at := range times {
				l = append(l, arrivals.Event{At: time.Duration(at), Scale: &arrivals.Scale{Kind: fmt.Sprint(i), Replicas: j}})
			}
			all = append(all, l...)
			streams = append(streams, &l)
			if rapid.Bool().Draw(r, "with nil") {
				streams = append(streams, nil)
			}
		}
		slices.SortStableFunc(all, func(a, b arrivals.Event) int { return int(a.At - b.At) })
		merged := arrivals.Merge(streams...)
		for i, want := range all {
			got, ok := merged.Next()
			if !ok || got != want {
				r.Fatalf("event %d is %v %v, not %v", i, got, ok, want)
			}
		}
		if e, ok := merged.Next(); ok {
			r.Fatalf("one too many: %v", e)
		}
	})
}

// text writes events out whole.
func text(t *testing.T, events []arrivals.Event) string {
	t.Helper()
	b, err := json.Marshal(events)
	require.NoError(t, err)
	return string(b)
}

func TestSeeds(t *testing.T) {
	jobs := func(name string) *arrivals.Jobs {
		j := work(arrivals.Poisson{Rate: arrivals.Day{Base: 1, Peak: 30, PeakHour: 12}}, day)
		j.Name, j.Runs = name, arrivals.LogNormal{Median: time.Minute, Sigma: 1}
		return j
	}
	loads := func(name string) *arrivals.Loads {
		return &arrivals.Loads{Controller: types.NamespacedName{Name: name}, Kind: "Deployment", CPU: arrivals.Flat(1000), Noise: 0.1, Until: time.Hour}
	}
	loaded := func(name string, seed uint64) []arrivals.Event {
		s, err := loads(name).Stream(seed)
		return drain(t, s, err)
	}
	first := submissions(t, jobs("a"), 1)
	require.Equal(t, text(t, first), text(t, submissions(t, jobs("a"), 1)), "the same seed, the same bytes")
	require.Equal(t, text(t, loaded("a", 1)), text(t, loaded("a", 1)))

	// Another name or seed draws otherwise: no moment, run time or UID is shared.
	seen := sets.New[string]()
	for _, events := range [][]arrivals.Event{first, submissions(t, jobs("b"), 1), submissions(t, jobs("a"), 2)} {
		for _, e := range events {
			for _, drawn := range []string{fmt.Sprint("at ", e.At), fmt.Sprint("runs ", e.Submit.Runs), string(e.Submit.Pod.UID)} {
				require.False(t, seen.Has(drawn), drawn)
				seen.Insert(drawn)
			}
		}
	}
	require.NotEqual(t, loaded("a", 1)[0].Load.CPU, loaded("b", 1)[0].Load.CPU)
	require.NotEqual(t, loaded("a", 1)[0].Load.CPU, loaded("a", 2)[0].Load.CPU)

	// Arrivals do not depend on how long pods run.
	other := jobs("a")
	other.Runs = arrivals.Constant(0)
	for i, e := range submissions(t, other, 1) {
		require.Equal(t, first[i].At, e.At)
		require.Equal(t, first[i].Submit.Pod.UID, e.Submit.Pod.UID)
	}
}

func TestJobsOwnTheirPods(t *testing.T) {
	j := work(arrivals.Batch{At: time.Hour, Pods: 3}, 2*day)
	j.GiveUp = time.Minute
	before := template()
	events := submissions(t, j, 9)
	require.Len(t, events, 6)
	require.Equal(t, before, j.Template, "the template stays as it is")
	uids := sets.New[types.UID]()
	for i, e := range events {
		pod, job := e.Submit.Pod, fmt.Sprintf("work-%d", i/3)
		owner := metav1.GetControllerOf(pod)
		require.Equal(t, fmt.Sprintf("%s-%d", job, i%3), pod.Name)
		require.Equal(t, "batch", pod.Namespace)
		require.Equal(t, []any{"Job", job}, []any{owner.Kind, owner.Name})
		require.Equal(t, map[string]string{"app": "work", "batch.kubernetes.io/job-name": job, "controller-uid": string(owner.UID)}, pod.Labels)
		require.Equal(t, time.Minute, e.Submit.GiveUp)
		require.Equal(t, events[i/3*3].Submit.Pod.OwnerReferences, pod.OwnerReferences)
		uids.Insert(owner.UID, pod.UID)
	}
	require.Len(t, uids, 8, "six pods of two Jobs")

	j.OneJob = true
	names := sets.New[string]()
	for _, e := range submissions(t, j, 9) {
		names.Insert(e.Submit.Pod.Name)
		require.Equal(t, "work", e.Submit.Pod.OwnerReferences[0].Name)
		require.Equal(t, "work", e.Submit.Pod.Labels["batch.kubernetes.io/job-name"])
	}
	require.Len(t, names, 6)
}

func TestSchedules(t *testing.T) {
	web := types.NamespacedName{Namespace: "shop", Name: "web"}
	s := &arrivals.Schedule{
		Controller: web, Kind: "Deployment", Until: 50 * time.Hour,
		Steps: []arrivals.Step{{8 * time.Hour, 20}, {20 * time.Hour, 5}, {60 * time.Hour, 9}},
	}
	type step struct {
		hour     float64
		replicas int
	}
	steps := func() (got []step) {
		stream, err := s.Stream()
		for _, e := range drain(t, stream, err) {
			require.Equal(t, arrivals.Scale{Controller: web, Kind: "Deployment", Replicas: e.Scale.Replicas}, *e.Scale)
			got = append(got, step{e.At.Hours(), e.Scale.Replicas})
		}
		return got
	}
	require.Equal(t, []step{{8, 20}, {20, 5}}, steps(), "what is after the end is not told")
	s.Steps, s.Daily = s.Steps[:2], true
	require.Equal(t, []step{{8, 20}, {20, 5}, {32, 20}, {44, 5}}, steps())
	s.Start = 3*day + 10*time.Hour
	require.Equal(t, []step{{10, 5}, {22, 20}, {34, 5}, {46, 20}}, steps(), "it starts at 10:00")

	r := &arrivals.Rollouts{Controller: web, Kind: "Deployment", Until: 30 * time.Hour, Times: []time.Duration{10 * time.Hour}}
	stream, err := r.Stream()
	require.Equal(t, []arrivals.Event{{At: 10 * time.Hour, Rollout: &arrivals.Rollout{Controller: web, Kind: "Deployment"}}}, drain(t, stream, err))
	r.Daily, r.Start = true, 9*time.Hour
	stream, err = r.Stream()
	require.Len(t, drain(t, stream, err), 2, "after 1 and after 25 hours")

	x := &arrivals.Reclaims{Until: 30 * time.Hour, Times: []arrivals.Reclaiming{{At: 2 * time.Hour, Share: 0.2}, {At: 15 * time.Hour, Share: 1}}}
	stream, err = x.Stream()
	require.Equal(t, []arrivals.Event{{At: 2 * time.Hour, Reclaim: &arrivals.Reclaim{Share: 0.2}}, {At: 15 * time.Hour, Reclaim: &arrivals.Reclaim{Share: 1}}}, drain(t, stream, err))
	x.Daily = true
	stream, err = x.Stream()
	require.Len(t, drain(t, stream, err), 3)
}

func TestLoads(t *testing.T) {
	load := &arrivals.Loads{
		Controller: types.NamespacedName{Namespace: "shop", Name: "web"}, Kind: "Deployment",
		CPU:   arrivals.Points{Points: []arrivals.Point{{At: time.Hour, Value: 1000}, {At: 2 * time.Hour, Value: 2000}, {At: 3 * time.Hour}}},
		Until: 4 * time.Hour,
	}
	stream, err := load.Stream(1)
	events := drain(t, stream, err)
	require.Equal(t, arrivals.Load{Controller: load.Controller, Kind: "Deployment", CPU: 1000}, *events[0].Load)
	require.Zero(t, events[0].At)
	for i, e := range events {
		require.InDelta(t, load.CPU.At(e.At), e.Load.CPU, 1e-9)
		require.Zero(t, e.At%arrivals.DefaultLoadStep)
		if i > 0 {
			before := events[i-1].Load.CPU
			require.GreaterOrEqual(t, math.Abs(e.Load.CPU-before), 0.01*before)
			if e.At > time.Hour+time.Minute && e.At < 2*time.Hour { // no step is left out that matters
				at := e.At - arrivals.DefaultLoadStep
				require.Less(t, math.Abs(load.CPU.At(at)-before), 0.01*before)
			}
		}
	}
	last := events[len(events)-1]
	require.Equal(t, 3*time.Hour, last.At, "0 is told, and once")
	require.Zero(t, last.Load.CPU)
}

// TestLoadNoise checks the moments of the noise: the mean is that of the curve,
// the deviation of the logarithm is Noise, and correlation falls by e in NoiseTime.
func TestLoadNoise(t *testing.T) {
	const noise = 0.3
	load := &arrivals.Loads{
		Controller: types.NamespacedName{Name: "web"}, Kind: "Deployment", CPU: arrivals.Flat(1000),
		Noise: noise, NoiseTime: time.Minute, Step: time.Minute, Until: 20_000 * time.Minute,
	}
	stream, err := load.Stream(4)
	values := make([]float64, load.Until/load.Step)
	events := drain(t, stream, err)
	for i, e := range events {
		end := len(values)
		if i+1 < len(events) {
			end = int(events[i+1].At / load.Step)
		}
		for k := int(e.At / load.Step); k < end; k++ {
			values[k] = e.Load.CPU // exact to 1%
		}
	}
	var sum, logs, squares, products float64
	for i, v := range values {
		sum += v
		x := math.Log(v/1000) + noise*noise/2
		logs += x
		squares += x * x
		if i > 0 {
			products += x * (math.Log(values[i-1]/1000) + noise*noise/2)
		}
	}
	n := float64(len(values))
	// Neighbours correlate by 1/e, so that the mean's error is that of n(1-r)/(1+r)
	// independent values. 1% is what is not told.
	rho := math.Exp(-1)
	inflation := math.Sqrt((1 + rho) / (1 - rho))
	require.InDelta(t, 1000, sum/n, 4*1000*noise*inflation/math.Sqrt(n)+10)
	require.InDelta(t, 0, logs/n, 4*noise*inflation/math.Sqrt(n)+0.01)
	require.InDelta(t, noise, math.Sqrt(squares/n), 0.01)
	require.InDelta(t, rho, products/squares, 4/math.Sqrt(n)+0.01)
}

func TestRecorded(t *testing.T) {
	pod := func(name string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	}
	stream, err := arrivals.Recorded([]arrivals.Lifetime{
		{pod("late"), 50, 60, 100},
		{pod("ran"), 10, 12, 30},
		{pod("never"), 10, -1, 40},
		{pod("runs on"), 20, 25, -1},
		{pod("waits on"), 20, -1, -1},
		{pod("unknown"), -1, -1, 8},
		{pod("gone at once"), 30, -1, 30},
	})
	type submission struct {
		name             string
		at, runs, giveUp time.Duration
	}
	var got []submission
	for _, e := range drain(t, stream, err) {
		got = append(got, submission{e.Submit.Pod.Name, e.At, e.Submit.Runs, e.Submit.GiveUp})
	}
	require.Equal(t, []submission{
		{"unknown", 0, 8, 8},
		{"ran", 10, 18, 0},
		{"never", 10, 30, 30},
		{"runs on", 20, -1, 0},
		{"waits on", 20, -1, 0},
		{"gone at once", 30, 0, 1},
		{"late", 50, 40, 0},
	}, got)

	_, err = arrivals.Recorded([]arrivals.Lifetime{{Created: 1}, {pod("a"), 5, 7, 6}})
	require.ErrorIs(t, err, arrivals.ErrSpec)
	require.ErrorContains(t, err, "lifetimes[0].pod: is missing")
	require.ErrorContains(t, err, "lifetimes[1].deleted: pod default/a was deleted at 6ns, before it was created or scheduled")
}

func TestNewPod(t *testing.T) {
	owner := []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-5f", UID: "u", Controller: new(true)}}
	web := &arrivals.Controller{Kind: "Deployment", Namespace: "shop", Name: "web", Template: &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", GenerateName: "web-5f-", OwnerReferences: owner},
	}}
	a, b := web.NewPod(0), web.NewPod(1)
	require.Equal(t, "web-5f-a0", a.Name)
	require.Equal(t, owner, a.OwnerReferences)
	require.NotEqual(t, a.UID, b.UID)
	require.Equal(t, a, web.NewPod(0))
	require.Equal(t, types.NamespacedName{Namespace: "shop", Name: "web"}, web.Key())

	claim := func(name, claim string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
		}}
	}
	db := &arrivals.Controller{
		Kind: "StatefulSet", Namespace: "shop", Name: "db", MaxUnavailable: intstr.FromInt32(1), ClaimTemplates: []string{"data"},
		Template: &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{claim("data", "data-db"), claim("shared", "common"), {Name: "tmp"}}}},
	}
	third := db.NewPod(3)
	require.Equal(t, "db-3", third.Name)
	require.Equal(t, map[string]string{"statefulset.kubernetes.io/pod-name": "db-3", "apps.kubernetes.io/pod-index": "3"}, third.Labels)
	require.Equal(t, []corev1.Volume{claim("data", "data-db-3"), claim("shared", "common"), {Name: "tmp"}}, third.Spec.Volumes)
	require.Equal(t, "data-db", db.Template.Spec.Volumes[0].PersistentVolumeClaim.ClaimName)
	require.Nil(t, (&arrivals.Controller{}).NewPod(0))
}

// TestSpecErrors checks that every mistake is told, with its field.
func TestSpecErrors(t *testing.T) {
	hour := time.Hour
	for want, err := range map[string]error{
		"name: |name: |template: is missing|arrivals: is missing|runs: is missing|giveUp: -1s is not from 0s|until: 0s is not from": (&arrivals.Jobs{
			Name: strings.Repeat("x", 300), GiveUp: -time.Second}).Validate(),
		"arrivals.rate.base: NaN|arrivals.rate.peak: -1|arrivals.rate.peakHour: 25|arrivals.rate.weekendFactor: -2|arrivals.rate.start: -1h": work(arrivals.Poisson{
			Rate: arrivals.Day{Base: math.NaN(), Peak: -1, PeakHour: 25, WeekendFactor: new(-2.0), Start: -hour}}, hour).Validate(),
		"rate: is missing":                                                         arrivals.Poisson{}.Validate(),
		"rate: its highest value 0 is not above 0":                                 arrivals.Poisson{Rate: arrivals.Flat(0)}.Validate(),
		"rate.value: +Inf is not":                                                  arrivals.Poisson{Rate: arrivals.Flat(math.Inf(1))}.Validate(),
		"peak: 1 is below base 2":                                                  arrivals.Day{Base: 2, Peak: 1}.Validate(),
		"every: 0s is not|pods: 0 is not|spacing: -1h0m0s is not":                  arrivals.Bursts{Spacing: -hour}.Validate(),
		"at: 24h0m0s is no hour of the day|pods: -1 is not|jitter: 25h0m0s is not": arrivals.Batch{At: day, Pods: -1, Jitter: 25 * hour}.Validate(),
		"points: is empty":                                                         arrivals.Points{}.Validate(),
		"points[1].at: 1h0m0s is not after 1h0m0s|points[1].value: -1 is not": arrivals.Points{Points: []arrivals.Point{
			{At: hour}, {At: hour, Value: -1}}}.Validate(),
		"points[0].at: 24h0m0s is no hour of the day": arrivals.Points{Daily: true, Points: []arrivals.Point{{At: day}}}.Validate(),
		"median: 0s is not|sigma: 11 is not|max: 1h0m0s is below min 2h0m0s": arrivals.LogNormal{
			Sigma: 11, Min: 2 * hour, Max: hour}.Validate(),
		"mean: -1h0m0s is not|min: -1h0m0s is not": arrivals.Exponential{Average: -hour, Min: -hour}.Validate(),
		"controller: has no name|kind: \"Pod\" is unknown|replicas: is empty|until: -1h0m0s is not": (&arrivals.Schedule{
			Kind: "Pod", Until: -hour}).Validate(),
		"replicas[0].replicas: -1 is not|replicas[1].at: 0s is not after 0s": (&arrivals.Schedule{
			Controller: types.NamespacedName{Name: "a"}, Kind: "Deployment", Until: hour, Steps: []arrivals.Step{{0, -1}, {0, 1}}}).Validate(),
		"rollouts: is empty": (&arrivals.Rollouts{Controller: types.NamespacedName{Name: "a"}, Kind: "Deployment", Until: hour}).Validate(),
		"rollouts[0]: -1h0m0s is not": (&arrivals.Rollouts{
			Controller: types.NamespacedName{Name: "a"}, Kind: "Deployment", Until: hour, Times: []time.Duration{-hour}}).Validate(),
		"reclaims: is empty": (&arrivals.Reclaims{Until: hour}).Validate(),
		"reclaims[0].share: 0 is not above 0|reclaims[1].share: NaN is not|reclaims[1].at: 0s is not after 0s": (&arrivals.Reclaims{
			Until: hour, Times: []arrivals.Reclaiming{{}, {Share: math.NaN()}}}).Validate(),
		"load: is missing|noise: 3 is not|noiseTime: -1h0m0s is not|step: 1ms is not from 1s": (&arrivals.Loads{
			Controller: types.NamespacedName{Name: "a"}, Kind: "Deployment", Until: hour, Noise: 3, NoiseTime: -hour, Step: time.Millisecond}).Validate(),
		"nodes: 0 is not|pods: 0 is not|nodeCPU: 5 is not|fill: 2 is not|for: 1m0s is not|namespace: \"A\"": arrivals.Synthetic{
			NodeCPU: 5, Fill: 2, For: time.Minute, Namespace: "A"}.Validate(),
	} {
		require.ErrorIs(t, err, arrivals.ErrSpec, want)
		var spec *arrivals.SpecError
		require.True(t, errors.As(err, &spec))
		parts := strings.Split(want, "|")
		require.Len(t, spec.Problems, len(parts), "%v", err)
		for i, part := range parts {
			require.Contains(t, spec.Problems[i].Field+": "+spec.Problems[i].Message, part)
			require.Contains(t, err.Error(), part)
		}
	}
	for _, stream := range []func() (arrivals.Stream, error){
		func() (arrivals.Stream, error) { return (&arrivals.Jobs{}).Stream(1) },
		func() (arrivals.Stream, error) { return (&arrivals.Schedule{}).Stream() },
		func() (arrivals.Stream, error) { return (&arrivals.Rollouts{}).Stream() },
		func() (arrivals.Stream, error) { return (&arrivals.Loads{}).Stream(1) },
		func() (arrivals.Stream, error) { return (&arrivals.Reclaims{}).Stream() },
	} {
		_, err := stream()
		require.ErrorIs(t, err, arrivals.ErrSpec)
	}
	_, err := arrivals.Synthetic{}.Jobs()
	require.ErrorIs(t, err, arrivals.ErrSpec)
	require.NoError(t, work(arrivals.Poisson{Rate: arrivals.Flat(1)}, hour).Validate())
}
