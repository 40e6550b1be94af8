package kubescheduler

import (
	"github.com/binwright/binwright/packing/internal/feasibility"
	"github.com/binwright/binwright/packing/resources"
)

// Requests are what each pod of the class asks for in full, without the count of pods.
func (c *Class) Requests() resources.Vector { return c.filter.Requests }

// Relational reports whether a rule bears on the class that reads other pods or
// volumes, so that a change on one node can make it fit on another.
func (c *Class) Relational() bool { return c.filter.Ruled() }

// Fits reports whether a pod of the class passes all filters on a node as it is now.
func (s *Scheduler) Fits(c *Class, id NodeID) bool {
	return c.Unsupported == "" && s.at(id) != nil && s.passes(c, int32(id), None) == feasibility.Fits
}

// Selects reports whether a node's taints and labels alone let pods of the class run there,
// cordoned or not: what decides whether a DaemonSet puts a pod on it.
func (s *Scheduler) Selects(c *Class, id NodeID) bool {
	n := s.at(id)
	return n != nil && c.filter.Selects(n.profile)
}
