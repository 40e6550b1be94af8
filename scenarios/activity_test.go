package scenarios_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// printTimeline writes what a scenario says of its time: controllers and
// activity, and the first events. It is empty for one that says nothing.
func printTimeline(s *scenarios.Scenario) string {
	if s.Activity.For == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\ncontrollers\n")
	for _, c := range s.Controllers {
		fmt.Fprintf(&b, "  %s %s at %d, surge %v, unavailable %v, claims %v", c.Kind, c.Key(), c.Replicas, &c.MaxSurge, &c.MaxUnavailable, c.ClaimTemplates)
		if c.HPA != nil {
			fmt.Fprintf(&b, ", HPA %+v", *c.HPA)
		}
		fmt.Fprintf(&b, "\n    %s, owner %s\n", printPod(c.Template), c.Template.OwnerReferences[0].UID)
	}
	fmt.Fprintf(&b, "\nactivity for %v\n", s.Activity.For)
	one := func(kind string, spec any) {
		text, err := json.Marshal(spec)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "  %s %s\n", kind, text)
	}
	for _, x := range s.Activity.Schedules {
		one("schedule", x)
	}
	for _, x := range s.Activity.Rollouts {
		one("rollouts", x)
	}
	for _, x := range s.Activity.Loads {
		one("loads", x)
	}
	for _, x := range s.Activity.Jobs {
		less := *x
		less.Template = nil
		one("jobs", less)
		b.WriteString("    " + printPod(x.Template) + "\n")
	}
	b.WriteString("\nevents of seed 1\n")
	stream, err := s.Events(1)
	if err != nil {
		panic(err)
	}
	loads := 0
	for n := 0; n < 60; {
		e, ok := stream.Next()
		if !ok {
			break
		}
		if e.Load != nil {
			if loads++; loads > 5 {
				continue
			}
		}
		n++
		fmt.Fprintf(&b, "  %v%s\n", e.At.Round(time.Millisecond), printEvent(e))
	}
	return b.String()
}

func printEvent(e arrivals.Event) string {
	switch {
	case e.Submit != nil:
		owner := e.Submit.Pod.OwnerReferences[0]
		return fmt.Sprintf(" submit %s/%s of %s %s, runs %v, gives up %v", e.Submit.Pod.Namespace, e.Submit.Pod.Name,
			owner.Kind, owner.Name, e.Submit.Runs.Round(time.Millisecond), e.Submit.GiveUp)
	case e.Scale != nil:
		return fmt.Sprintf(" scale %s %s to %d", e.Scale.Kind, e.Scale.Controller, e.Scale.Replicas)
	case e.Rollout != nil:
		return fmt.Sprintf(" roll out %s %s", e.Rollout.Kind, e.Rollout.Controller)
	case e.Reclaim != nil:
		return fmt.Sprintf(" reclaim %v of the spot instances", e.Reclaim.Share)
	default:
		return fmt.Sprintf(" load %s %s with %.6g", e.Load.Kind, e.Load.Controller, e.Load.CPU)
	}
}

// TestControllersOwnTheirPods checks that a replay can tell whose each pod is:
// the owner that its controller's template names is that of the pods.
func TestControllersOwnTheirPods(t *testing.T) {
	for _, load := range []func() (*scenarios.Scenario, error){
		func() (*scenarios.Scenario, error) { return scenarios.Load("testdata/manifests/timeline.yaml") },
		func() (*scenarios.Scenario, error) { return scenarios.Named("day") },
		func() (*scenarios.Scenario, error) { return scenarios.Named("web-fleet") },
	} {
		s, err := load()
		require.NoError(t, err)
		owned := map[types.UID]int{}
		for _, p := range s.Snapshot.Pods {
			if ref := metav1.GetControllerOf(p); ref != nil {
				require.NotEmpty(t, ref.UID, p.Name)
				owned[ref.UID]++
			}
		}
		require.NotEmpty(t, s.Controllers)
		for _, c := range s.Controllers {
			ref := metav1.GetControllerOf(c.Template)
			require.Empty(t, c.Template.Name)
			want := c.Replicas
			if c.Name == "live" {
				want-- // one is still of the ReplicaSet before
			}
			require.Equal(t, want, owned[ref.UID], "%s %s", c.Kind, c.Key())
		}
	}
}

func TestTimelineClaimsGrowWithTheStatefulSet(t *testing.T) {
	s, err := scenarios.Load("testdata/manifests/timeline.yaml")
	require.NoError(t, err)
	var claims []string
	for _, c := range s.Snapshot.PersistentVolumeClaims {
		claims = append(claims, c.Name)
	}
	require.Equal(t, []string{"data-db-0", "data-db-1", "data-db-2"}, claims)
	for _, c := range s.Controllers {
		if c.Name == "db" {
			require.Equal(t, "data-db-2", c.NewPod(2).Spec.Volumes[0].PersistentVolumeClaim.ClaimName)
			first := s.Snapshot.Pods[len(s.Snapshot.Pods)-2]
			require.Equal(t, "db-0", first.Name)
			made := c.NewPod(0)
			require.Equal(t, first.Labels, made.Labels)
			require.Equal(t, first.Spec.Volumes, made.Spec.Volumes)
		}
	}
}

func TestEventsOfATrace(t *testing.T) {
	const trace = `name,cpu_milli,memory_mib,num_gpu,creation_time,deletion_time,scheduled_time
late,1000,1024,0,100,200,150
soon,1000,1024,0,10,40,12
never,1000,1024,0,20,90,
`
	s, err := scenarios.ReadTrace(strings.NewReader(trace), "trace.csv")
	require.NoError(t, err)
	require.Equal(t, 200*time.Second, s.Horizon())
	require.Empty(t, s.StartingPods(), "all come as events")
	stream, err := s.Events(1)
	require.NoError(t, err)
	for _, want := range []arrivals.Event{
		{At: 10 * time.Second, Submit: &arrivals.Submission{Pod: s.Snapshot.Pods[1], Runs: 28 * time.Second}},
		{At: 20 * time.Second, Submit: &arrivals.Submission{Pod: s.Snapshot.Pods[2], Runs: 70 * time.Second, GiveUp: 70 * time.Second}},
		{At: 100 * time.Second, Submit: &arrivals.Submission{Pod: s.Snapshot.Pods[0], Runs: 50 * time.Second}},
	} {
		e, ok := stream.Next()
		require.True(t, ok)
		require.Equal(t, want, e)
	}

	s, err = scenarios.Named("web-fleet")
	require.NoError(t, err)
	require.Zero(t, s.Horizon())
	require.Equal(t, s.Snapshot.Pods, s.StartingPods())
	stream, err = s.Events(1)
	require.NoError(t, err)
	_, ok := stream.Next()
	require.False(t, ok)

	// A program's own mistakes are told, too.
	for _, wrong := range []scenarios.Activity{
		{Jobs: []*arrivals.Jobs{{}}}, {Loads: []*arrivals.Loads{{}}},
		{Schedules: []*arrivals.Schedule{{}}}, {Rollouts: []*arrivals.Rollouts{{}}}, {Reclaims: []*arrivals.Reclaims{{}}},
	} {
		_, err = (&scenarios.Scenario{Activity: wrong}).Events(1)
		require.ErrorIs(t, err, arrivals.ErrSpec)
	}
	_, err = (&scenarios.Scenario{Timeline: []scenarios.Lifetime{{}}}).Events(1)
	require.ErrorIs(t, err, arrivals.ErrSpec)
}

// TestTimelineFollowsTheClock starts the clock where the snapshot is from.
func TestTimelineFollowsTheClock(t *testing.T) {
	s, err := scenarios.Load("testdata/manifests/timeline.yaml", scenarios.WithNow(time.Date(2026, 1, 6, 1, 0, 0, 0, time.UTC)))
	require.NoError(t, err)
	stream, err := s.Events(1)
	require.NoError(t, err)
	var nightly, api time.Duration
	for e, ok := stream.Next(); ok; e, ok = stream.Next() {
		switch {
		case nightly == 0 && e.Submit != nil && e.Submit.Pod.Namespace == "batch":
			nightly = e.At
		case api == 0 && e.Scale != nil && e.Scale.Controller.Name == "api":
			api = e.At
		}
	}
	require.InDelta(t, 1, nightly.Hours(), 10.0/60, "02:00 is an hour off")
	require.Equal(t, 7*time.Hour, api)
}

func TestGenerateTimeline(t *testing.T) {
	s, err := scenarios.GenerateTimeline(arrivals.Synthetic{Seed: 5, Nodes: 20, Pods: 20_000, Classes: 12, For: 48 * time.Hour})
	require.NoError(t, err)
	require.Equal(t, "Generated: about 20000 pods of 12 kinds of work over 48h0m0s, filling about 20 nodes, seed 5", s.Description)
	require.Equal(t, 48*time.Hour, s.Horizon())
	require.Empty(t, s.Snapshot.Pods)
	require.NotEmpty(t, s.NodeGroups)
	stream, err := s.Events(1)
	require.NoError(t, err)
	pods := 0
	for e, ok := stream.Next(); ok; e, ok = stream.Next() {
		pods++
		require.Equal(t, corev1.PodPending, e.Submit.Pod.Status.Phase)
	}
	require.InDelta(t, 20_000, pods, 4*math.Sqrt(20_000))

	_, err = scenarios.GenerateTimeline(arrivals.Synthetic{})
	require.ErrorIs(t, err, arrivals.ErrSpec)
	_, err = scenarios.GenerateTimeline(arrivals.Synthetic{Nodes: 1, Pods: 1}, scenarios.WithRegion("nowhere"))
	var load *scenarios.LoadError
	require.True(t, errors.As(err, &load))
}

// FuzzTimeline loads any text as spec.timeline beside a controller of each kind
// and a Job. Whatever it is, the loader tells what is wrong or the events come in
// order and within the time.
func FuzzTimeline(f *testing.F) {
	manifests, err := os.ReadFile("testdata/manifests/timeline.yaml")
	require.NoError(f, err)
	timeline, objects, ok := bytes.Cut(manifests, []byte("---\n"))
	require.True(f, ok)
	_, timeline, ok = bytes.Cut(timeline, []byte("  timeline:\n"))
	require.True(f, ok)
	f.Add(timeline)
	mistakes, err := os.ReadFile("testdata/mistakes/timeline.yaml")
	require.NoError(f, err)
	mistakes, _, _ = bytes.Cut(mistakes, []byte("---\n"))
	_, mistakes, ok = bytes.Cut(mistakes, []byte("  timeline:\n"))
	require.True(f, ok)
	f.Add(mistakes)
	small := smallCatalog(f)
	f.Fuzz(func(t *testing.T, timeline []byte) {
		text := bytes.Join([][]byte{
			[]byte("apiVersion: binwright.dev/v1alpha1\nkind: Scenario\nmetadata: {name: fuzz}\nspec:\n  timeline:\n"), timeline,
			[]byte("\n---\n"), objects,
		}, nil)
		s, err := scenarios.Read(bytes.NewReader(text), "fuzz", scenarios.WithMaxPods(2000), scenarios.WithCatalog(small))
		if err != nil {
			checkLoadError(t, err)
			return
		}
		checkScenario(t, s)
		stream, err := s.Events(1)
		if err != nil {
			t.Fatalf("what the loader accepted is refused: %v", err)
		}
		last := time.Duration(0)
		for range 2000 {
			e, ok := stream.Next()
			if !ok {
				break
			}
			if e.At < last || e.At >= s.Horizon() {
				t.Fatalf("an event at %v after %v, of %v", e.At, last, s.Horizon())
			}
			last = e.At
			if e.Load != nil && !(e.Load.CPU >= 0) {
				t.Fatalf("load %v", e.Load.CPU)
			}
		}
	})
}
