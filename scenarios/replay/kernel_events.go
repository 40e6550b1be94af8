package replay

import (
	"container/heap"
	"time"
)

// rank orders events of the same moment. The order is total: by moment, then by
// rank, then by the order in which they were scheduled.
type rank uint8

const (
	// rankCloud: instances start, join, become ready, are reclaimed and go.
	rankCloud rank = iota
	// rankPods: pods start, finish and stop.
	rankPods
	// rankUsers: pods are submitted, Deployments scaled, loads change.
	rankUsers
	// rankControllers: ReplicaSets and pod autoscalers act.
	rankControllers
	// rankScheduler: kube-scheduler binds.
	rankScheduler
	// rankAutoscaler: Karpenter or Cluster Autoscaler acts.
	rankAutoscaler
)

// event is something that happens at a moment, unless it is cancelled before.
type event struct {
	at   time.Duration
	rank rank
	seq  uint64
	do   func() error
}

func (e *event) cancel() {
	if e != nil {
		e.do = nil
	}
}

func (e *event) before(o *event) bool {
	switch {
	case e.at != o.at:
		return e.at < o.at
	case e.rank != o.rank:
		return e.rank < o.rank
	}
	return e.seq < o.seq
}

// events is a queue of events, the next one first. The zero value is empty.
type events struct {
	heap eventHeap
	seq  uint64
}

// schedule has something done at a moment.
func (q *events) schedule(at time.Duration, r rank, do func() error) *event {
	q.seq++
	e := &event{at: at, rank: r, seq: q.seq, do: do}
	heap.Push(&q.heap, e)
	return e
}

// next returns the next event that is not cancelled, nil if there is none.
func (q *events) next() *event {
	for len(q.heap) > 0 {
		e := heap.Pop(&q.heap).(*event)
		if e.do != nil {
			return e
		}
	}
	return nil
}

// peek returns the next event without taking it, nil if there is none.
func (q *events) peek() *event {
	for len(q.heap) > 0 {
		if q.heap[0].do != nil {
			return q.heap[0]
		}
		heap.Pop(&q.heap)
	}
	return nil
}

type eventHeap []*event

func (h eventHeap) Len() int           { return len(h) }
func (h eventHeap) Less(i, j int) bool { return h[i].before(h[j]) }
func (h eventHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)        { *h = append(*h, x.(*event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
