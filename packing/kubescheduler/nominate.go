package kubescheduler

import (
	"slices"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Nominate keeps room on a node for a waiting pod of a class that preempts others there: to pods of no
// higher priority the node looks as if it were there already. There must be a node of that id.
func (s *Scheduler) Nominate(c *Class, id NodeID) {
	s.nominated[id] = append(s.nominated[id], c)
	s.nominees++
}

// Denominate takes back one nomination, as when the pod is bound or goes. It is no error if there is none, since
// a node takes its nominations with it.
func (s *Scheduler) Denominate(c *Class, id NodeID) {
	if s.at(id) == nil {
		return
	}
	if at := slices.Index(s.nominated[id], c); at >= 0 {
		s.nominated[id] = slices.Delete(s.nominated[id], at, at+1)
		s.nominees--
	}
}

// besideNominated checks a node with the pods nominated to it that the class has to
// make room for. If the pod itself is nominated there, it does not count against itself.
func (s *Scheduler) besideNominated(c *Class, id int32, nominated NodeID) feasibility.Refusal {
	self := NodeID(id) == nominated
	s.cluster.Fork()
	defer s.cluster.Revert()
	for _, other := range s.nominated[id] {
		if self && other == c {
			self = false
			continue
		}
		if other.Priority >= c.Priority {
			s.cluster.Place(other.filter, s.nodes[id].index, 1)
		}
	}
	return s.check(c, id)
}
