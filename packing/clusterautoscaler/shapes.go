package clusterautoscaler

import (
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// shapes is what arithmetic needs to know of the classes of an attempt. Classes of one
// shape are taken or refused by the same hosts; there are far fewer shapes than
// classes, and what refuses a shape is remembered for all of them.
type shapes struct {
	byClass []*runClass // by class, nil if it does not wait
	count   int         // of shapes
	rules   []hostRule
	// exclusions are classes that stand for all that exclude the same others.
	exclusions []*feasibility.Class
	excludes   []compiled.Bits // by exclusion: the exclusions that keep it from a host
	byKey      map[string]int
}

// runClass is a class and what arithmetic has to do with it.
type runClass struct {
	*feasibility.Class
	countable bool
	gated     bool // rules over more than a host bear on it
	everyNode bool // for want of a node within the skew any other may take it, real ones too
	shape     int
	exclusion int // -1: none
	// excludedBy are the exclusions that keep it from a host; alone says that its own is one of them.
	excludedBy compiled.Bits
	alone      bool
	host       *feasibility.HostSpread // nil: none
	rule       int                     // its place among the rules
	weights    []int32                 // what a pod adds to the counts, nil for nothing
	asked      int                     // the estimate in which it was last looked at
}

// newShapes reads the classes that wait and those that templates come with.
func (r *run) newShapes(groups []*podGroup) *shapes {
	s := &shapes{byClass: make([]*runClass, r.universe.Classes()), byKey: make(map[string]int)}
	shapeOf := make(map[string]int)
	for _, g := range groups {
		class := g.kind.class
		if s.byClass[class.Index] != nil {
			continue
		}
		c := &runClass{Class: class, countable: class.Countable(), gated: class.Gated(), exclusion: -1,
			everyNode: class.Spreads() && class.HostnameSpread()}
		s.byClass[class.Index] = c
		if !c.countable {
			continue
		}
		c.exclusion = s.exclusionOf(class)
		if c.host = class.HostSpread(); c.host != nil {
			c.rule = s.ruleOf(c.host, r.cluster)
		}
		key := class.HostKey()
		shape, known := shapeOf[key]
		if !known {
			shape = len(shapeOf)
			shapeOf[key] = shape
		}
		c.shape = shape
		if c.gated {
			r.cluster.Track(class)
		}
	}
	s.count = len(shapeOf)
	for _, t := range r.templates {
		for _, h := range t.held {
			s.exclusionOf(h.Class)
		}
	}
	s.excludes = make([]compiled.Bits, len(s.exclusions))
	for _, c := range s.byClass {
		if c != nil && c.countable {
			s.relate(c)
		}
	}
	return s
}

// exclusionOf returns the number of a class's exclusion, -1 if it excludes none.
func (s *shapes) exclusionOf(c *feasibility.Class) int {
	if !c.Excluding() {
		return -1
	}
	key := c.ExclusionKey()
	n, known := s.byKey[key]
	if !known {
		n = len(s.exclusions)
		s.byKey[key] = n
		s.exclusions = append(s.exclusions, c)
	}
	return n
}

func (s *shapes) ruleOf(h *feasibility.HostSpread, cl *feasibility.Cluster) int {
	for i := range s.rules {
		if s.rules[i].Counts() == h.Counts() {
			return i
		}
	}
	least, hosts := cl.Hosts(h)
	s.rules = append(s.rules, hostRule{h, least, hosts})
	return len(s.rules) - 1
}

// relate finds out what keeps a class from a host and which counts it adds to.
func (s *shapes) relate(c *runClass) {
	if c.exclusion >= 0 {
		if s.excludes[c.exclusion] == nil {
			set := compiled.NewBits(len(s.exclusions))
			for i, other := range s.exclusions {
				if c.Excludes(other) {
					set.Set(i)
				}
			}
			s.excludes[c.exclusion] = set
		}
		c.excludedBy = s.excludes[c.exclusion]
		c.alone = c.excludedBy.Has(c.exclusion)
	}
	for i := range s.rules {
		if w := s.rules[i].Weight(c.Class); w != 0 {
			if c.weights == nil {
				c.weights = make([]int32, len(s.rules))
			}
			c.weights[i] = int32(w)
		}
	}
}

// meet reports whether two sets have a member in common.
func meet(a, b compiled.Bits) bool {
	for i := range a {
		if a[i]&b[i] != 0 {
			return true
		}
	}
	return false
}
