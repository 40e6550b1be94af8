package replay

import (
	"time"

	"github.com/binwright/binwright/packing/kubescheduler"
)

// scheduler is kube-scheduler at work: its queue over virtual time around the model of its
// decisions. It takes one pod at a time, the highest priority first and of equals the one that
// joined the queue or failed first, and takes BindInterval for each.
//
// A pod that fits nowhere is unschedulable until an event may have cured what it failed of
// (scheduler_events.go). Then it is tried again, at once if its back-off is over, and else when it is or
// as soon as there is nothing else to do (scheduler_queue.go).
type scheduler struct {
	r     *replay
	model *kubescheduler.Scheduler

	active  podQueue // by priority, then by when they joined
	backoff podQueue // by when their back-off is over
	// failing are pods that back off from an error, of which there is one: no node at all.
	failing podQueue
	seq     uint64
	cycle   *event
	ready   time.Duration // the present cycle lasts until then
	waiting []*waitingClass
	classOf map[*kubescheduler.Class]*waitingClass
	flush   *event // of pods that have been unschedulable for long
	// changes counts what could let a pod fit that did not, bindings the pods bound, which
	// can let pods fit whose rules are about other pods.
	changes, bindings uint64
	// priorities counts the pods on nodes by their priority.
	priorities map[int32]int
	lowest     int32
	lowestOK   bool
}

// waitingClass is pods of one class that fit nowhere for now.
type waitingClass struct {
	class *kubescheduler.Class
	pods  []*pod
	// tried is the state of the cluster in which one failed last, and failed why.
	tried  [2]uint64
	failed kubescheduler.Reasons
}

// queued is where a pod is in the scheduler's queue.
type queued struct {
	seq uint64 // the order in which pods joined or failed
	// failures are those for lack of a node that fits, errors those in a row for lack of any node.
	failures, errors int
	failed           kubescheduler.Reasons // of the last attempt
	// refused says that an attempt failed: the autoscaler can see the pod.
	refused bool
	parked  bool          // unschedulable
	in      *podQueue     // which it is in, nil: none
	at      int           // place in it
	joined  time.Duration // the queue, or failed last
	until   time.Duration // the second in which its back-off is over
	nominee *node         // preempting there
	// triggered is when Karpenter was first told of the pod.
	triggered time.Duration
}

func newScheduler(r *replay, model *kubescheduler.Scheduler) *scheduler {
	return &scheduler{r: r, model: model, classOf: map[*kubescheduler.Class]*waitingClass{},
		changes: 1, priorities: map[int32]int{},
		active: podQueue{less: joinedFirst}, backoff: podQueue{less: freedFirst}, failing: podQueue{less: freedFirst}}
}

// wake plans the next cycle.
func (s *scheduler) wake() {
	var at time.Duration
	switch {
	case len(s.active.pods)+len(s.backoff.pods) > 0:
		at = max(s.r.now, s.ready)
	case len(s.failing.pods) > 0:
		at = max(s.r.now, s.ready, s.failing.pods[0].queue.until+backoffWindow)
	default:
		return
	}
	if s.cycle != nil && s.cycle.at <= at {
		return
	}
	s.cycle.cancel()
	s.cycle = s.r.at(at, rankScheduler, s.run)
}

// run is one scheduling cycle.
func (s *scheduler) run() error {
	s.cycle = nil
	p := s.next()
	if p == nil {
		s.wake()
		return nil
	}
	s.ready = s.r.now + s.r.settings.BindInterval
	err := s.attempt(p)
	s.wake()
	return err
}

func (s *scheduler) attempt(p *pod) error {
	if s.model.Len() == 0 {
		s.failWithoutNodes(p)
		s.refuse(p)
		return nil
	}
	w := s.classOf[p.class]
	if w == nil {
		w = &waitingClass{class: p.class}
		s.classOf[p.class] = w
		s.waiting = append(s.waiting, w)
	}
	state := [2]uint64{s.changes, 0}
	if p.class.Relational() {
		state[1] = s.bindings
	}
	// What failed for its class may succeed for a pod that room is kept for.
	if w.tried != state || p.queue.nominee != nil {
		nominated := kubescheduler.None
		if n := p.queue.nominee; n != nil {
			nominated = n.id
		}
		id, ok, why := s.model.ScheduleNominated(p.class, nominated)
		if ok {
			n := s.r.byID[id]
			s.denominate(p, n)
			return s.r.bind(p, n)
		}
		w.tried, w.failed = state, why.Reasons()
	}
	s.park(p, w)
	if err := s.preempt(p); err != nil {
		return err
	}
	s.refuse(p)
	return nil
}

// refuse tells the autoscaler of a pod that has failed for the first time.
func (s *scheduler) refuse(p *pod) {
	if !p.queue.refused {
		p.queue.refused = true
		s.r.autoscaler.podUnschedulable(p)
	}
}

// placed accounts a pod that has been bound.
func (s *scheduler) placed(p *pod) {
	s.bindings++
	s.podBound(p.class)
	if p.daemon {
		return
	}
	s.priorities[p.priority]++
	if !s.lowestOK || p.priority < s.lowest {
		s.lowest, s.lowestOK = p.priority, true
	}
}

// displaced takes a pod that has gone out of the accounts of priorities.
func (s *scheduler) displaced(p *pod) {
	if p.daemon {
		return
	}
	if s.priorities[p.priority]--; s.priorities[p.priority] > 0 {
		return
	}
	delete(s.priorities, p.priority)
	s.lowestOK = false
	for priority := range s.priorities {
		if !s.lowestOK || priority < s.lowest {
			s.lowest, s.lowestOK = priority, true
		}
	}
}

// preempt evicts pods of lower priority where that makes room for a pod.
func (s *scheduler) preempt(p *pod) error {
	if !s.lowestOK || s.lowest >= p.priority || p.class.PreemptsNever {
		return nil
	}
	nominated := kubescheduler.None
	if p.queue.nominee != nil {
		nominated = p.queue.nominee.id
	}
	found, ok := s.model.Preempt(kubescheduler.Preemptor{Class: p.class, Nominated: nominated,
		Pods: s.residents, DisruptionsAllowed: s.r.budgets.allowances()})
	if !ok {
		return nil
	}
	n := s.r.byID[found.Node]
	s.denominate(p, n)
	p.queue.nominee = n
	s.model.Nominate(p.class, n.id)
	victims := make([]*pod, len(found.Victims))
	for i, v := range found.Victims {
		victims[i] = n.pods[v.ID]
	}
	for _, x := range victims {
		if err := s.r.evict(x, evictedByPreemption); err != nil {
			return err
		}
	}
	return nil
}

// denominate takes back a pod's nomination as it is bound or nominated to a node, nil: as it goes.
// To other pods of no higher priority that is like the end of a pod on the node that it was nominated
// to (eventhandlers.go, hasNominatedNodeNameChanged), unless it comes there.
func (s *scheduler) denominate(p *pod, to *node) {
	n := p.queue.nominee
	if n == nil {
		return
	}
	s.model.Denominate(p.class, n.id)
	p.queue.nominee = nil
	if n != to {
		s.podLeft(p.class, p.priority)
	}
}

// residents lists the pods of a node for preemption. Daemon pods are left out: a node keeps them
// for as long as it is there.
func (s *scheduler) residents(id kubescheduler.NodeID) []kubescheduler.Bound {
	n := s.r.byID[id]
	out := make([]kubescheduler.Bound, 0, len(n.pods))
	for i, x := range n.pods {
		if x.daemon {
			continue
		}
		b := kubescheduler.Bound{Class: x.class, Start: x.bound, ID: int64(i), Terminating: x.state == podStopping && x.leaving == evictedByPreemption}
		if x.state != podStopping {
			b.Budgets = s.r.budgets.indexes(x)
		}
		out = append(out, b)
	}
	return out
}
