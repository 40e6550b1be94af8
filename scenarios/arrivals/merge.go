package arrivals

import "container/heap"

// Merge returns the events of several streams in order of time. Events of one
// moment come in the order of the streams given. Each stream is read one event
// ahead, no further.
func Merge(streams ...Stream) Stream {
	m := &merged{}
	for i, s := range streams {
		if s == nil {
			continue
		}
		if e, ok := s.Next(); ok {
			m.heads = append(m.heads, head{event: e, order: i, stream: s})
		}
	}
	heap.Init(m)
	return m
}

// head is the next event of one of the streams merged.
type head struct {
	event  Event
	order  int
	stream Stream
}

// merged is a heap of the streams' next events.
type merged struct{ heads []head }

// Next implements [Stream].
func (m *merged) Next() (Event, bool) {
	if len(m.heads) == 0 {
		return Event{}, false
	}
	first := &m.heads[0]
	e := first.event
	if next, ok := first.stream.Next(); ok {
		first.event = next
		heap.Fix(m, 0)
	} else {
		heap.Pop(m)
	}
	return e, true
}

// The methods of heap.Interface.

func (m *merged) Len() int      { return len(m.heads) }
func (m *merged) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merged) Push(x any)    { m.heads = append(m.heads, x.(head)) }

func (m *merged) Less(i, j int) bool {
	a, b := &m.heads[i], &m.heads[j]
	if a.event.At != b.event.At {
		return a.event.At < b.event.At
	}
	return a.order < b.order
}

func (m *merged) Pop() any {
	last := len(m.heads) - 1
	h := m.heads[last]
	m.heads[last] = head{}
	m.heads = m.heads[:last]
	return h
}
