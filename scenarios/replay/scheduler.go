package replay

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/binwright/binwright/packing/kubescheduler"
)

// scheduler is kube-scheduler at work: its queue over virtual time around the model of its
// decisions. It takes one pod at a time, the highest priority first and of equals the one that
// joined the queue first, and takes BindInterval for each.
//
// A pod that fits nowhere waits until a node changes on which it would fit. Then it backs off, 1 s
// from its first attempt on, doubling to 10 s, but is taken earlier if there is nothing else to do
// (pkg/scheduler/backend/queue, with the feature gate SchedulerPopFromBackoffQ as by default). Each
// failure puts it behind the pods that joined meanwhile. The original's hints wake a pod in more
// cases, in which its attempt fails again.
type scheduler struct {
	r     *replay
	model *kubescheduler.Scheduler

	active  podQueue // by priority, then by when they joined
	backoff podQueue // by when their back-off is over
	seq     uint64
	cycle   *event
	ready   time.Duration // the present cycle lasts until then
	waiting []*waitingClass
	classOf map[*kubescheduler.Class]*waitingClass
	// freedom counts changes of nodes that could let a pod fit that did not, bindings the pods
	// bound, which can let pods fit whose rules are about other pods. failedAt is where these
	// were when pods of a class last failed.
	freedom, bindings uint64
	failedAt          map[*kubescheduler.Class][2]uint64
	// priorities counts the pods on nodes by their priority.
	priorities map[int32]int
	lowest     int32
	lowestOK   bool
}

// waitingClass is pods of one class that fit nowhere for now.
type waitingClass struct {
	class *kubescheduler.Class
	pods  []*pod
}

// queued is where a pod is in the scheduler's queue.
type queued struct {
	seq      uint64 // the order in which pods were created
	attempts int
	// refused says that an attempt failed: the autoscaler can see the pod.
	refused bool
	parked  bool          // among the waiting
	in      *podQueue     // which it is in, nil: none
	at      int           // place in it
	joined  time.Duration // the queue, or failed last
	tried   time.Duration
	until   time.Duration // its back-off lasts
	nominee *node         // preempting there
	// triggered is when Karpenter was first told of the pod.
	triggered time.Duration
}

const (
	initialBackoff = time.Second
	maxBackoff     = 10 * time.Second
)

func newScheduler(r *replay, model *kubescheduler.Scheduler) *scheduler {
	return &scheduler{r: r, model: model, classOf: map[*kubescheduler.Class]*waitingClass{},
		failedAt: map[*kubescheduler.Class][2]uint64{}, freedom: 1, priorities: map[int32]int{},
		active: podQueue{less: joinedFirst}, backoff: podQueue{less: freedFirst}}
}

// enqueue takes up a new pod.
func (s *scheduler) enqueue(p *pod) {
	s.seq++
	p.queue = queued{seq: s.seq, joined: s.r.now}
	s.active.push(p)
	s.wake()
}

// wake plans the next cycle.
func (s *scheduler) wake() {
	if s.cycle != nil || len(s.active.pods)+len(s.backoff.pods) == 0 {
		return
	}
	s.cycle = s.r.at(max(s.r.now, s.ready), rankScheduler, s.run)
}

// run is one scheduling cycle.
func (s *scheduler) run() error {
	s.cycle = nil
	for len(s.backoff.pods) > 0 && s.backoff.pods[0].queue.until <= s.r.now {
		s.active.push(s.backoff.pop())
	}
	var p *pod
	switch {
	case len(s.active.pods) > 0:
		p = s.active.pop()
	case len(s.backoff.pods) > 0:
		p = s.backoff.pop()
	default:
		return nil
	}
	s.ready = s.r.now + s.r.settings.BindInterval
	err := s.attempt(p)
	s.wake()
	return err
}

func (s *scheduler) attempt(p *pod) error {
	p.queue.attempts++
	p.queue.tried = s.r.now
	version := [2]uint64{s.freedom, 0}
	if p.class.Relational() {
		version[1] = s.bindings
	}
	// What failed for its class may succeed for a pod that room is kept for.
	if s.failedAt[p.class] != version || p.queue.nominee != nil {
		nominated := kubescheduler.None
		if n := p.queue.nominee; n != nil {
			nominated = n.id
		}
		if id, ok, _ := s.model.ScheduleNominated(p.class, nominated); ok {
			s.denominate(p)
			return s.r.bind(p, s.r.byID[id])
		}
		s.failedAt[p.class] = version
	}
	s.park(p)
	if err := s.preempt(p); err != nil {
		return err
	}
	if !p.queue.refused {
		p.queue.refused = true
		s.r.autoscaler.podUnschedulable(p)
	}
	return nil
}

// park puts a pod among those that fit nowhere.
func (s *scheduler) park(p *pod) {
	w := s.classOf[p.class]
	if w == nil {
		w = &waitingClass{class: p.class}
		s.classOf[p.class] = w
		s.waiting = append(s.waiting, w)
	}
	w.pods = append(w.pods, p)
	p.queue.parked, p.queue.joined = true, s.r.now
}

// freed wakes the pods that fit on a node that has changed, and those that may fit elsewhere
// because of it.
func (s *scheduler) freed(n *node) {
	s.freedom++
	for _, w := range s.waiting {
		if len(w.pods) > 0 && (w.class.Relational() || n.state == nodeReady && (s.model.Fits(w.class, n.id) || w.awaits(n))) {
			s.unpark(w)
		}
	}
}

// awaits reports whether a pod of the class has made others go from a node. What room is kept
// for it there counts as taken for other pods of the class.
func (w *waitingClass) awaits(n *node) bool {
	return slices.ContainsFunc(w.pods, func(p *pod) bool { return p.queue.nominee == n })
}

func (s *scheduler) unpark(w *waitingClass) {
	pods := w.pods
	w.pods = nil
	for _, p := range pods {
		p.queue.parked = false
		s.retry(p)
	}
}

// retry has a pod tried again.
func (s *scheduler) retry(p *pod) {
	wait := maxBackoff
	if shift := p.queue.attempts - 1; shift < 4 {
		wait = min(maxBackoff, initialBackoff<<max(0, shift))
	}
	if p.queue.until = p.queue.tried + wait; p.queue.until <= s.r.now {
		s.active.push(p)
	} else {
		s.backoff.push(p)
	}
	s.wake()
}

// forget takes a pod out of the queue.
func (s *scheduler) forget(p *pod) {
	q := &p.queue
	s.denominate(p)
	if q.in != nil {
		q.in.remove(p)
	}
	if q.parked {
		w := s.classOf[p.class]
		if i := slices.Index(w.pods, p); i >= 0 {
			w.pods = slices.Delete(w.pods, i, i+1)
		}
		q.parked = false
	}
}

// placed and displaced account a pod's priority.
func (s *scheduler) placed(p *pod) {
	s.bindings++
	for _, w := range s.waiting {
		if len(w.pods) > 0 && w.class.Relational() {
			s.unpark(w)
		}
	}
	if p.daemon {
		return
	}
	s.priorities[p.priority]++
	if !s.lowestOK || p.priority < s.lowest {
		s.lowest, s.lowestOK = p.priority, true
	}
}

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
	s.denominate(p)
	n := s.r.byID[found.Node]
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

// denominate takes back a pod's nomination.
func (s *scheduler) denominate(p *pod) {
	if n := p.queue.nominee; n != nil {
		s.model.Denominate(p.class, n.id)
		p.queue.nominee = nil
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

// joinedFirst is the order of pods to be tried (plugins/queuesort/priority_sort.go).
func joinedFirst(a, b *pod) int {
	return cmp.Or(-cmp.Compare(a.priority, b.priority), cmp.Compare(a.queue.joined, b.queue.joined), cmp.Compare(a.queue.seq, b.queue.seq))
}

// freedFirst is the order of pods that back off, by the second
// (backend/queue/backoff_queue.go).
func freedFirst(a, b *pod) int {
	return cmp.Or(cmp.Compare(a.queue.until/time.Second, b.queue.until/time.Second), joinedFirst(a, b))
}

// podQueue is a heap of pods.
type podQueue struct {
	pods []*pod
	less func(a, b *pod) int
}

func (q *podQueue) push(p *pod) {
	p.queue.in = q
	heap.Push(q, p)
}

func (q *podQueue) pop() *pod {
	p := heap.Pop(q).(*pod)
	p.queue.in = nil
	return p
}

func (q *podQueue) remove(p *pod) {
	heap.Remove(q, p.queue.at)
	p.queue.in = nil
}

// The methods of heap.Interface.

func (q *podQueue) Len() int           { return len(q.pods) }
func (q *podQueue) Less(i, j int) bool { return q.less(q.pods[i], q.pods[j]) < 0 }
func (q *podQueue) Swap(i, j int) {
	q.pods[i], q.pods[j] = q.pods[j], q.pods[i]
	q.pods[i].queue.at, q.pods[j].queue.at = i, j
}

func (q *podQueue) Push(x any) {
	p := x.(*pod)
	p.queue.at = len(q.pods)
	q.pods = append(q.pods, p)
}

func (q *podQueue) Pop() any {
	last := len(q.pods) - 1
	p := q.pods[last]
	q.pods[last] = nil
	q.pods = q.pods[:last]
	return p
}
