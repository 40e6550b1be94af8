package kubescheduler

import (
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// tally counts pods on each node: those that a selector matches, or those that carry
// an affinity term of their own. Counts by domain are kept beside it as they are asked for.
type tally struct {
	key     tallyKey
	perNode []int32 // by node id
	regions []*region
	nodes   int // whose count is not 0
}

// tallyKey says what is counted. Two tallies never count the same.
type tallyKey struct {
	selector feasibility.Selector
	// spread leaves out terminating pods, and all pods if the selector is empty
	// (podtopologyspread/common.go, countPodsMatchSelector).
	spread bool
	// carried is the topology key of the term that the pods carry, nil for pods that match.
	carried *topologyKey
}

// region is a tally by domain, over the nodes of a scope.
type region struct {
	tally *tally
	key   *topologyKey
	scope *scope  // nil: all nodes
	sums  []int64 // by domain
}

// at returns the count in the domain of a node, zero if it is in none.
func (r *region) at(id int32) int64 {
	d := r.key.domain[id]
	if d < 0 || int(d) >= len(r.sums) {
		return 0
	}
	return r.sums[d]
}

func (r *region) add(id int32, by int32) {
	d := r.key.domain[id]
	if d < 0 || r.scope != nil && !r.scope.admitted[id] {
		return
	}
	r.sums = extend(r.sums, d)
	r.sums[d] += int64(by)
}

func (t *tally) add(id int32, by int32) {
	t.perNode = extend(t.perNode, id)
	if was := t.perNode[id]; was == 0 && by != 0 {
		t.nodes++
	} else if was != 0 && was+by == 0 {
		t.nodes--
	}
	t.perNode[id] += by
	for _, r := range t.regions {
		r.add(id, by)
	}
}

func (t *tally) on(id int32) int32 {
	if int(id) >= len(t.perNode) {
		return 0
	}
	return t.perNode[id]
}

// matching returns the count of the pods that a selector matches; the first time it counts those
// that are there.
func (s *Scheduler) matching(key tallyKey) *tally {
	if t, ok := s.tallies[key]; ok {
		return t
	}
	t := &tally{key: key}
	s.tallies[key] = t
	s.matched = append(s.matched, t)
	for id, n := range s.nodes {
		if n == nil {
			continue
		}
		for _, h := range s.cluster.Held(n.index) {
			if t.matches(h.Class) {
				t.add(int32(id), h.Pods)
			}
		}
	}
	return t
}

// carrying returns the count of the pods that carry a term. No pod of a class is bound before its
// terms are known, so there is nothing to count at first.
func (s *Scheduler) carrying(key tallyKey) *region {
	if t, ok := s.tallies[key]; ok {
		return t.regions[0]
	}
	t := &tally{key: key}
	s.tallies[key] = t
	s.carried = append(s.carried, t)
	return s.region(t, key.carried, nil)
}

func (t *tally) matches(c *feasibility.Class) bool {
	if t.key.spread && (c.Pod.DeletionTimestamp != nil || t.key.selector.Empty()) {
		return false
	}
	return t.key.selector.Matches(c)
}

// region returns a tally by the domains of a key; the first time it adds up its nodes.
func (s *Scheduler) region(t *tally, key *topologyKey, scope *scope) *region {
	for _, r := range t.regions {
		if r.key == key && r.scope == scope {
			return r
		}
	}
	r := &region{tally: t, key: key, scope: scope}
	t.regions = append(t.regions, r)
	for id, by := range t.perNode {
		if by != 0 {
			r.add(int32(id), by)
		}
	}
	return r
}

// tell adds pods of a class to all tallies in which they weigh.
func (s *Scheduler) tell(c *Class, id int32, pods int32) {
	for ; c.matchedSeen < len(s.matched); c.matchedSeen++ {
		if t := s.matched[c.matchedSeen]; t.matches(c.filter) {
			c.counted = append(c.counted, weighed{t, 1})
		}
	}
	for _, w := range c.counted {
		w.tally.add(id, pods*w.weight)
	}
	for _, w := range c.carries {
		w.tally.add(id, pods*w.weight)
	}
}

// weighed is a tally, and what one pod of a class adds to it.
type weighed struct {
	tally  *tally
	weight int32
}

// attach puts a node, with the pods that the tallies know of on it, into its domains.
func (s *Scheduler) attach(id int32) {
	n := s.nodes[id]
	for _, k := range s.keyList {
		k.enter(id, n.object)
	}
	for _, e := range s.scopes {
		e.judge(id, n) // each for itself: the order does not matter
	}
	s.recount(id, 1)
}

// detach takes a node, with the pods that the tallies know of on it, out of its domains.
func (s *Scheduler) detach(id int32) {
	s.recount(id, -1)
	for _, k := range s.keyList {
		k.leave(id, s.nodes[id].object)
	}
}

func (s *Scheduler) recount(id int32, sign int32) {
	for _, of := range [2][]*tally{s.matched, s.carried} {
		for _, t := range of {
			if by := t.on(id); by != 0 {
				for _, r := range t.regions {
					r.add(id, sign*by)
				}
			}
		}
	}
}

// forget clears what the tallies know of a node that goes with its pods.
func (s *Scheduler) forget(id int32) {
	for _, of := range [2][]*tally{s.matched, s.carried} {
		for _, t := range of {
			if t.on(id) != 0 {
				t.perNode[id] = 0
				t.nodes--
			}
		}
	}
}
