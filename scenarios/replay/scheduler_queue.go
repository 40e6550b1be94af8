package replay

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"
)

// The queue of kube-scheduler (pkg/scheduler/backend/queue of Kubernetes 1.35, with the feature
// gates SchedulerQueueingHints and SchedulerPopFromBackoffQ as they are by default). A pod is in one
// of three places: active, backing off, or unschedulable.

// Constants of scheduling_queue.go and backoff_queue.go.
const (
	initialBackoff = time.Second
	maxBackoff     = 10 * time.Second
	// backoffWindow is the second, of the clock on the wall, to which ends of back-offs are cut off.
	// All of one second leave together as the next one begins.
	backoffWindow = time.Second
	// A pod that has been unschedulable for leftoverAge is tried again, whatever happens. One
	// looks for such pods every leftoverInterval.
	leftoverAge      = 5 * time.Minute
	leftoverInterval = 30 * time.Second
)

// enqueue takes up a new pod.
func (s *scheduler) enqueue(p *pod) {
	s.seq++
	p.queue = queued{seq: s.seq, joined: s.r.now}
	s.active.push(p)
	s.wake()
}

// next takes the pod whose turn it is, nil if there is none: an active one, else one that backs off.
func (s *scheduler) next() *pod {
	for _, q := range []*podQueue{&s.backoff, &s.failing} {
		for len(q.pods) > 0 && !s.backsOff(q.pods[0]) {
			s.active.push(q.pop())
		}
	}
	switch {
	case len(s.active.pods) > 0:
		return s.active.pop()
	case len(s.backoff.pods) > 0:
		return s.backoff.pop()
	}
	return nil
}

// window returns the beginning of the second of a moment.
func (s *scheduler) window(at time.Duration) time.Duration {
	offset := time.Duration(s.r.begin.Nanosecond())
	return (at + offset).Truncate(backoffWindow) - offset
}

// backsOff reports whether a pod backs off still, to the end of the second in which its time is over.
func (s *scheduler) backsOff(p *pod) bool { return p.queue.until >= s.window(s.r.now) }

// failed notes the end of an attempt that failed, for the count-th time, and from when on the pod backs off.
func (s *scheduler) failed(p *pod, count int) {
	s.seq++
	q := &p.queue
	q.seq, q.joined = s.seq, max(s.r.now, s.ready)
	wait := maxBackoff
	if shift := count - 1; initialBackoff <= maxBackoff>>shift {
		wait = initialBackoff << shift
	}
	q.until = s.window(q.joined + wait)
}

// failWithoutNodes has a pod back off that found no node at all. The original takes that for an error
// and tries again by and by.
func (s *scheduler) failWithoutNodes(p *pod) {
	p.queue.errors++
	p.queue.failed = 0
	s.failed(p, p.queue.errors)
	s.failing.push(p)
}

// park makes a pod unschedulable that fits nowhere.
func (s *scheduler) park(p *pod, w *waitingClass) {
	q := &p.queue
	q.failures++
	q.errors = 0
	q.failed = w.failed
	s.failed(p, q.failures)
	w.pods = append(w.pods, p)
	q.parked = true
	s.planFlush(q.joined)
}

// retry has a pod tried again that was unschedulable: now, or once its back-off is over.
func (s *scheduler) retry(p *pod) {
	p.queue.parked = false
	if s.backsOff(p) {
		s.backoff.push(p)
	} else {
		s.active.push(p)
	}
	s.wake()
}

// planFlush plans the look that finds a pod that has been unschedulable since a moment.
func (s *scheduler) planFlush(since time.Duration) {
	if s.flush == nil {
		s.flush = s.r.at((since+leftoverAge)/leftoverInterval*leftoverInterval+leftoverInterval, rankScheduler, s.flushLeftover)
	}
}

// flushLeftover has pods tried again that have been unschedulable for long
// (flushUnschedulablePodsLeftover).
func (s *scheduler) flushLeftover() error {
	s.flush = nil
	oldest := time.Duration(math.MaxInt64)
	for _, w := range s.waiting {
		w.release(s, func(p *pod) bool {
			if s.r.now-p.queue.joined > leftoverAge {
				return true
			}
			oldest = min(oldest, p.queue.joined)
			return false
		})
	}
	if oldest < math.MaxInt64 {
		s.planFlush(oldest)
	}
	return nil
}

// release has those of a class's unschedulable pods tried again that are worth it.
func (w *waitingClass) release(s *scheduler, worth func(*pod) bool) {
	kept := w.pods[:0]
	for _, p := range w.pods {
		if worth(p) {
			s.retry(p)
		} else {
			kept = append(kept, p)
		}
	}
	clear(w.pods[len(kept):])
	w.pods = kept
}

// forget takes a pod out of the queue.
func (s *scheduler) forget(p *pod) {
	q := &p.queue
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
	s.denominate(p, nil)
}

// joinedFirst is the order of pods to be tried (plugins/queuesort/priority_sort.go).
func joinedFirst(a, b *pod) int {
	return cmp.Or(-cmp.Compare(a.priority, b.priority), cmp.Compare(a.queue.joined, b.queue.joined), cmp.Compare(a.queue.seq, b.queue.seq))
}

// freedFirst is the order of pods that back off (lessBackoffCompletedWithPriority).
func freedFirst(a, b *pod) int {
	return cmp.Or(cmp.Compare(a.queue.until, b.queue.until), joinedFirst(a, b))
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
