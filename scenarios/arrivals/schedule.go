package arrivals

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Step sets the replicas of a controller at a moment.
type Step struct {
	At       time.Duration
	Replicas int
}

// Schedule scales a controller at set times.
type Schedule struct {
	Controller types.NamespacedName
	Kind       string
	// Steps in order of time. What holds before the first is not its business.
	Steps []Step
	// Daily repeats the steps each day: they are then hours of the clock.
	Daily bool
	// Start is what the clock shows when the stream starts, see [WeekTime]. Only
	// daily schedules read it.
	Start time.Duration
	// Until is when the stream ends.
	Until time.Duration
}

// Validate returns a [*SpecError] with everything that is wrong.
func (s *Schedule) Validate() error {
	var p problems
	p.controller(s.Controller, s.Kind)
	if len(s.Steps) == 0 {
		p.add("replicas", "is empty; a schedule takes at least one step")
	}
	for i, step := range s.Steps {
		p.count(fmt.Sprintf("replicas[%d].replicas", i), step.Replicas, 0, maxPods)
	}
	p.times("replicas", ".at", len(s.Steps), func(i int) time.Duration { return s.Steps[i].At }, s.Daily, s.Start)
	p.until(s.Until)
	return p.err()
}

// Stream returns the steps as Scale events. The error is that of Validate.
func (s *Schedule) Stream() (Stream, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	steps := s.Steps
	return &occurrences{
		n: len(steps), at: func(i int) time.Duration { return steps[i].At }, daily: s.Daily, start: s.Start, until: s.Until,
		make: func(i int) Event {
			return Event{Scale: &Scale{Controller: s.Controller, Kind: s.Kind, Replicas: steps[i].Replicas}}
		},
	}, nil
}

// Rollouts are rolling updates of a controller at set times.
type Rollouts struct {
	Controller types.NamespacedName
	Kind       string
	// Times in order.
	Times []time.Duration
	// Daily repeats the updates each day: times are then hours of the clock.
	Daily bool
	// Start is what the clock shows when the stream starts, see [WeekTime]. Only
	// daily updates read it.
	Start time.Duration
	// Until is when the stream ends.
	Until time.Duration
}

// Validate returns a [*SpecError] with everything that is wrong.
func (r *Rollouts) Validate() error {
	var p problems
	p.controller(r.Controller, r.Kind)
	if len(r.Times) == 0 {
		p.add("rollouts", "is empty")
	}
	p.times("rollouts", "", len(r.Times), func(i int) time.Duration { return r.Times[i] }, r.Daily, r.Start)
	p.until(r.Until)
	return p.err()
}

// Stream returns the updates as Rollout events. The error is that of Validate.
func (r *Rollouts) Stream() (Stream, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	times := r.Times
	return &occurrences{
		n: len(times), at: func(i int) time.Duration { return times[i] }, daily: r.Daily, start: r.Start, until: r.Until,
		make: func(int) Event { return Event{Rollout: &Rollout{Controller: r.Controller, Kind: r.Kind}} },
	}, nil
}

// controller checks a reference to a controller.
func (p *problems) controller(name types.NamespacedName, kind string) {
	if name.Name == "" {
		p.add("controller", "has no name")
	}
	switch kind {
	case "Deployment", "StatefulSet", "ReplicaSet":
	default:
		p.add("kind", "%q is unknown; expected Deployment, StatefulSet or ReplicaSet", kind)
	}
}

// times checks n moments in order.
func (p *problems) times(field, suffix string, n int, at func(int) time.Duration, daily bool, start time.Duration) {
	for i := range n {
		one := fmt.Sprintf("%s[%d]%s", field, i, suffix)
		p.moment(one, at(i), daily)
		if i > 0 && at(i) <= at(i-1) {
			p.add(one, "%v is not after %v, the one before it", at(i), at(i-1))
		}
	}
	p.duration("start", start, 0, 7*day)
}

// occurrences is a stream of events at set times, once or each day.
type occurrences struct {
	n            int
	at           func(int) time.Duration
	daily        bool
	start, until time.Duration
	make         func(int) Event

	index, days int
}

// Next implements [Stream].
func (o *occurrences) Next() (Event, bool) {
	for {
		if o.index == o.n {
			if !o.daily {
				return Event{}, false
			}
			o.index, o.days = 0, o.days+1
		}
		i := o.index
		o.index++
		at := o.at(i)
		if o.daily {
			at += time.Duration(o.days)*day - o.start%day
		}
		switch {
		case at >= o.until:
			return Event{}, false
		case at >= 0:
			e := o.make(i)
			e.At = at
			return e, true
		}
	}
}
