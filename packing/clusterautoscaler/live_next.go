package clusterautoscaler

import (
	"strconv"
	"time"

	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
)

// Next is the earliest moment at which a loop could decide something new, or leave anything
// else than loops before it would, if nothing changes from now on; the zero time is never.
// It may be too early, never too late: loops between may be left out. It is now itself
// while anything has been told since the last loop, while the last loop changed something
// or found the cluster unhealthy, with a seed, and before the second loop, which shows how often they
// come; from then on they must come at the same interval or be left out.
func (a *Autoscaler) Next(now time.Time) time.Time {
	if a.changed || a.outdated || !a.last.stable {
		return now
	}
	t := timer{now: now}
	a.cooldowns(&t)
	for _, n := range a.planner.unneeded {
		t.after(n.since.Add(n.threshold))
	}
	for _, until := range a.planner.until {
		t.at(until)
	}
	for _, until := range a.backoff {
		t.after(until)
	}
	for _, m := range a.members {
		a.nodeTimers(&t, m)
	}
	for _, p := range a.waiting {
		a.podTimers(&t, p)
	}
	return t.next
}

// timer is the earliest of some moments that are still to come.
type timer struct{ now, next time.Time }

// at is a moment from which on something is different.
func (t *timer) at(when time.Time) {
	if when.After(t.now) && (t.next.IsZero() || when.Before(t.next)) {
		t.next = when
	}
}

// after is a moment after which something is different.
func (t *timer) after(when time.Time) { t.at(when.Add(1)) }

func (a *Autoscaler) cooldowns(t *timer) {
	start := func(since time.Time, d time.Duration) {
		if !since.IsZero() {
			t.at(since.Add(d))
		}
	}
	start(a.lastScaleUp, a.down.DelayAfterAdd)
	start(a.lastFailure, a.down.DelayAfterFailure)
	start(a.lastDeletion, a.down.DelayAfterDelete)
}

// nodeTimers are when a node counts as started, may be a template, counts as being deleted
// no more, and when its terminating pods count no more.
func (a *Autoscaler) nodeTimers(t *timer, m *member) {
	if created := m.node.CreationTimestamp; !m.ready && !created.IsZero() {
		t.at(created.Add(startup))
	}
	if _, since := readiness(m.node); !since.IsZero() {
		t.after(since.Add(stabilization))
	}
	for i := range m.node.Spec.Taints {
		taint := &m.node.Spec.Taints[i]
		if taint.Key != toBeDeletedTaint {
			continue
		}
		if at, err := strconv.ParseInt(taint.Value, 10, 64); err == nil {
			t.at(time.Unix(at, 0).Add(beingDeleted))
		}
	}
	if m.known.terminating == 0 {
		return
	}
	for _, p := range a.on[m.index] {
		if a.residents[p].terminating {
			t.after(drain.TerminatingUntil(a.residents[p].pod))
		}
	}
}

// podTimers are when a waiting pod is looked at, and when it counts as new no more.
func (a *Autoscaler) podTimers(t *timer, p int32) {
	created := a.residents[p].pod.CreationTimestamp.Time
	if created.IsZero() {
		return
	}
	t.after(created)
	t.at(created.Add(newPods))
	t.at(created.Add(newGPUPods))
	t.after(created.Add(a.pods.delay(p, a.settings.NewPodScaleUpDelay)))
}
