package arrivals

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Lifetime is when a pod of a record came and went, measured from the start of
// the record. Times that the record does not tell are negative.
type Lifetime struct {
	Pod *corev1.Pod
	// Created is when the pod was submitted, Scheduled when it was bound to a
	// node, Deleted when it ended.
	Created, Scheduled, Deleted time.Duration
}

// Recorded returns the submissions of a record in order of their creation, those
// of one moment in the order given. A pod whose creation the record does not tell
// comes at the start.
//
// A pod runs for as long as it did in the record, from the moment it was bound to
// that of its deletion, or until the end if it was not deleted. One that was never
// bound gives up when it was deleted; should it find a node before, it runs as
// long as it existed. It is an error, wrapping [ErrSpec], if there is no pod or
// it was deleted before it was created or bound.
func Recorded(lifetimes []Lifetime) (Stream, error) {
	var p problems
	sorted := slices.Clone(lifetimes)
	for i := range sorted {
		l := &sorted[i]
		field := fmt.Sprintf("lifetimes[%d]", i)
		if l.Pod == nil {
			p.add(field+".pod", "is missing")
			continue
		}
		if l.Deleted >= 0 && (l.Deleted < l.Created || l.Deleted < l.Scheduled) {
			p.add(field+".deleted", "pod %s/%s was deleted at %v, before it was created or scheduled", l.Pod.Namespace, l.Pod.Name, l.Deleted)
		}
		l.Created = max(0, l.Created)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(sorted, func(a, b Lifetime) int { return cmp.Compare(a.Created, b.Created) })
	return &record{lifetimes: sorted}, nil
}

// record is the stream of recorded lifetimes.
type record struct{ lifetimes []Lifetime }

// Next implements [Stream].
func (r *record) Next() (Event, bool) {
	if len(r.lifetimes) == 0 {
		return Event{}, false
	}
	l := r.lifetimes[0]
	r.lifetimes = r.lifetimes[1:]
	s := &Submission{Pod: l.Pod, Runs: -1}
	switch {
	case l.Deleted < 0:
	case l.Scheduled >= 0:
		s.Runs = l.Deleted - l.Scheduled
	default:
		s.Runs = l.Deleted - l.Created
		s.GiveUp = max(1, s.Runs) // 0 would be never
	}
	return Event{At: l.Created, Submit: s}, true
}
