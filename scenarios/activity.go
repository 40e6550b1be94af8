package scenarios

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// Activity is what the users of a cluster, and its cloud, do over time, as spec.timeline of a
// manifest declares it or a program does. Streams are seeded: [Scenario.Events]
// makes one of them all.
type Activity struct {
	// For is how long it lasts.
	For time.Duration
	// Jobs are submitted again and again.
	Jobs []*arrivals.Jobs
	// Loads are on the controllers that an HPA scales.
	Loads []*arrivals.Loads
	// Schedules scale controllers at set times, Rollouts update them.
	Schedules []*arrivals.Schedule
	Rollouts  []*arrivals.Rollouts
	// Reclaims are of the spot instances that an autoscaler has at the time.
	Reclaims []*arrivals.Reclaims
}

// Events returns everything that users do, in order of time: the recorded
// Timeline and the declared Activity. The same seed gives the same events. The
// error wraps arrivals.ErrSpec; a scenario that a loader made has none.
func (s *Scenario) Events(seed uint64) (arrivals.Stream, error) {
	var streams []arrivals.Stream
	add := func(stream arrivals.Stream, err error) error {
		streams = append(streams, stream)
		return err
	}
	recorded := make([]arrivals.Lifetime, len(s.Timeline))
	for i, l := range s.Timeline {
		recorded[i] = arrivals.Lifetime(l)
	}
	if err := add(arrivals.Recorded(recorded)); err != nil {
		return nil, err
	}
	for _, x := range s.Activity.Schedules {
		if err := add(x.Stream()); err != nil {
			return nil, err
		}
	}
	for _, x := range s.Activity.Rollouts {
		if err := add(x.Stream()); err != nil {
			return nil, err
		}
	}
	for _, x := range s.Activity.Reclaims {
		if err := add(x.Stream()); err != nil {
			return nil, err
		}
	}
	for _, x := range s.Activity.Loads {
		if err := add(x.Stream(seed)); err != nil {
			return nil, err
		}
	}
	for _, x := range s.Activity.Jobs {
		if err := add(x.Stream(seed)); err != nil {
			return nil, err
		}
	}
	return arrivals.Merge(streams...), nil
}

// Horizon returns how long the scenario lasts: what its Activity says, else until
// the last thing that its Timeline records. It is 0 for a scenario of one moment.
func (s *Scenario) Horizon() time.Duration {
	end := s.Activity.For
	if end > 0 {
		return end
	}
	for _, l := range s.Timeline {
		end = max(end, l.Created, l.Scheduled, l.Deleted)
	}
	return end
}

// StartingPods returns those pods of the snapshot that wait at the start: all but
// those of the recorded Timeline, which come as events.
func (s *Scenario) StartingPods() []*corev1.Pod {
	if len(s.Timeline) == 0 {
		return s.Snapshot.Pods
	}
	later := make(map[*corev1.Pod]bool, len(s.Timeline))
	for _, l := range s.Timeline {
		later[l.Pod] = true
	}
	var pods []*corev1.Pod
	for _, p := range s.Snapshot.Pods {
		if !later[p] {
			pods = append(pods, p)
		}
	}
	return pods
}
