package clusterautoscaler

import (
	"slices"

	"github.com/binwright/binwright/packing/internal/compiled"
)

// simRun is neighbouring simulated nodes in the same state.
type simRun struct {
	nodes int
	free  []int64 // of each node
	// held are the exclusions of pods on each node, nil for none.
	held compiled.Bits
	// counts are the pods on each node that the rules over hosts count, by rule.
	counts []int32
	used   bool // the nodes received pods
}

func (s *simRun) like(o *simRun) bool {
	return s.used == o.used && slices.Equal(s.free, o.free) && slices.Equal(s.counts, o.counts) && slices.Equal(s.held, o.held)
}

// simulated is the nodes that an estimate has added, in order. Runs of them are kept in
// blocks of a few, and a block remembers which shapes of pods all of its nodes refuse:
// simulated nodes only ever fill up, so that a refusal holds. What can lift it is
// that the least of a rule over hosts grows, or that the block gets another node.
type simulated struct {
	blocks []*block
	nodes  int
	rules  []hostCount
	// refusedBy is how many nodes there were when all of them refused a shape, and
	// lookedAt the least that its rule over hosts last saw.
	refusedBy []int
	lookedAt  []int

	spare  []*block // blocks of estimates before
	arena  []int64  // where vectors of free resources are cut from
	counts []int32  // and counts
	parts  []simRun // scratch
}

// block is a few runs. An estimate has one block for each so many runs.
type block struct {
	runs   []simRun
	nodes  int
	closed compiled.Bits // by shape: all nodes refuse it
}

// blockRuns is how many runs a block may have: few enough to look through, enough to
// skip many at once.
const blockRuns = 24

// reset forgets all nodes.
func (s *simulated) reset(shapes *shapes) {
	s.spare = append(s.spare, s.blocks...)
	s.blocks, s.nodes = s.blocks[:0], 0
	s.arena, s.counts = s.arena[:0], s.counts[:0]
	s.rules = slices.Grow(s.rules[:0], len(shapes.rules))
	for i := range shapes.rules {
		s.rules = append(s.rules, hostCount{})
		s.rules[i].hostRule = &shapes.rules[i]
	}
	s.refusedBy = filled(s.refusedBy, shapes.count, 0)
	s.lookedAt = filled(s.lookedAt, shapes.count, 0)
}

func filled(s []int, n, with int) []int {
	s = slices.Grow(s[:0], n)[:n]
	for i := range s {
		s[i] = with
	}
	return s
}

// newBlock returns an empty block.
func (s *simulated) newBlock() *block {
	words := (len(s.refusedBy) + 63) / 64
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		b.runs, b.nodes = b.runs[:0], 0
		b.closed = slices.Grow(b.closed[:0], words)[:words]
		clear(b.closed)
		return b
	}
	return &block{runs: make([]simRun, 0, blockRuns+8), closed: make(compiled.Bits, words)}
}

// lastUsed reports whether the newest node received a pod; there must be one.
func (s *simulated) lastUsed() bool {
	b := s.blocks[len(s.blocks)-1]
	return b.runs[len(b.runs)-1].used
}

// usedNodes returns how many nodes received pods.
func (s *simulated) usedNodes() (n int) {
	for _, b := range s.blocks {
		for i := range b.runs {
			if b.runs[i].used {
				n += b.runs[i].nodes
			}
		}
	}
	return n
}

// add appends nodes.
func (s *simulated) add(r simRun) {
	if len(s.blocks) == 0 || len(s.blocks[len(s.blocks)-1].runs) >= blockRuns {
		s.blocks = append(s.blocks, s.newBlock())
	}
	b := s.blocks[len(s.blocks)-1]
	clear(b.closed)
	if n := len(b.runs); n > 0 && b.runs[n-1].like(&r) {
		b.runs[n-1].nodes += r.nodes
	} else {
		b.runs = append(b.runs, r)
	}
	b.nodes += r.nodes
	s.nodes += r.nodes
	for i := range s.rules {
		s.rules[i].tally(r.counts[i], r.nodes)
	}
}

// look gets ready to look for room for a class, of which the least on all hosts is known if
// a rule spreads it over them, and reports whether there may be any.
func (s *simulated) look(c *runClass, others int) bool {
	if c.host != nil {
		if others > s.lookedAt[c.shape] {
			for _, b := range s.blocks {
				b.closed.Clear(c.shape)
			}
			s.refusedBy[c.shape] = 0
		}
		s.lookedAt[c.shape] = others
	}
	return s.refusedBy[c.shape] < s.nodes
}

// roomApart returns how many pods of a class a node has room for, rules over hosts apart.
func (r *simRun) roomApart(c *runClass) int {
	n := c.Room(r.free)
	if n == 0 || c.exclusion < 0 {
		return n
	}
	if meet(r.held, c.excludedBy) {
		return 0
	}
	if c.alone {
		return 1
	}
	return n
}

// room returns how many pods of a class each node of a run takes as things stand.
func (r *simRun) room(c *runClass, others int) int {
	n := r.roomApart(c)
	if n > 0 && c.host != nil {
		n = min(n, c.host.Room(int(r.counts[c.rule]), others))
	}
	return n
}

// takes reports whether there is room for one.
func (r *simRun) takes(c *runClass, others int) bool {
	return c.FitsIn(r.free) &&
		(c.exclusion < 0 || !meet(r.held, c.excludedBy)) &&
		(c.host == nil || c.host.Room(int(r.counts[c.rule]), others) > 0)
}

// spot is where a node stands: its number, its block and run, and the number of the run's first node.
type spot struct{ node, block, run, first int }

// next finds the first node that takes a pod, from one on, around.
func (s *simulated) next(c *runClass, from, others int) (at spot, ok bool) {
	if !s.look(c, others) {
		return spot{}, false
	}
	first, begin := 0, 0
	for begin+s.blocks[first].nodes <= from {
		begin += s.blocks[first].nodes
		first++
	}
	// What lies before the start in its own block comes last.
	at, ok = s.nextIn(first, begin, c, from, others)
	if ok && at.node >= from {
		return at, true
	}
	begin += s.blocks[first].nodes
	for i := first + 1; i < len(s.blocks); i++ {
		if later, found := s.nextIn(i, begin, c, 0, others); found {
			return later, true
		}
		begin += s.blocks[i].nodes
	}
	begin = 0
	for i := range first {
		if later, found := s.nextIn(i, begin, c, 0, others); found {
			return later, true
		}
		begin += s.blocks[i].nodes
	}
	if !ok {
		s.refusedBy[c.shape] = s.nodes
	}
	return at, ok
}

// nextIn finds the first node of a block that takes a pod, from one on, or else the
// first before it.
func (s *simulated) nextIn(i, begin int, c *runClass, from, others int) (at spot, ok bool) {
	b := s.blocks[i]
	if b.closed.Has(c.shape) {
		return spot{}, false
	}
	for j := range b.runs {
		r := &b.runs[j]
		end := begin + r.nodes
		if (!ok || end > from) && r.takes(c, others) {
			here := spot{max(begin, from), i, j, begin}
			if end > from {
				return here, true
			}
			here.node = begin
			at, ok = here, true
		}
		begin = end
	}
	if !ok {
		b.closed.Set(c.shape)
	}
	return at, ok
}

// put gives one pod to a node.
func (s *simulated) put(c *runClass, at spot) {
	b := s.blocks[at.block]
	r := b.runs[at.run]
	before := at.node - at.first
	s.parts = s.parts[:0]
	s.part(c, &r, before, 0)
	s.part(c, &r, 1, 1)
	s.part(c, &r, r.nodes-before-1, 0)
	b.replace(at.run, s.parts)
	b.join(at.run-1, at.run+len(s.parts)+1)
	s.divide(at.block)
}

// part notes that so many nodes of a run get so many pods each.
func (s *simulated) part(c *runClass, r *simRun, nodes, pods int) {
	if nodes <= 0 {
		return
	}
	next := *r
	if pods > 0 {
		next = s.withPods(c, r, pods)
		if c.weights != nil {
			for i := range s.rules {
				s.rules[i].tally(r.counts[i], -nodes)
				s.rules[i].tally(next.counts[i], nodes)
			}
		}
	}
	next.nodes = nodes
	if n := len(s.parts); n > 0 && s.parts[n-1].like(&next) {
		s.parts[n-1].nodes += nodes
		return
	}
	s.parts = append(s.parts, next)
}

// replace puts the parts of a run in its place.
func (b *block) replace(i int, parts []simRun) {
	if len(parts) == 1 {
		b.runs[i] = parts[0]
		return
	}
	b.runs = slices.Replace(b.runs, i, i+1, parts...)
}

// join makes one run of neighbours in the same state, from one run up to another.
func (b *block) join(from, to int) {
	from, to = max(0, from), min(to, len(b.runs))
	last := from
	for i := from + 1; i < to; i++ {
		if b.runs[last].like(&b.runs[i]) {
			b.runs[last].nodes += b.runs[i].nodes
			continue
		}
		last++
		b.runs[last] = b.runs[i]
	}
	if last+1 < to {
		b.runs = slices.Delete(b.runs, last+1, to)
	}
}

// divide makes two blocks, or more, of one that has too many runs.
func (s *simulated) divide(i int) {
	b := s.blocks[i]
	for len(b.runs) > blockRuns {
		tail := s.newBlock()
		keep := max(blockRuns/2, len(b.runs)-blockRuns/2)
		tail.runs = append(tail.runs, b.runs[keep:]...)
		for j := range tail.runs {
			tail.nodes += tail.runs[j].nodes
		}
		copy(tail.closed, b.closed)
		clear(b.runs[keep:])
		b.runs = b.runs[:keep]
		b.nodes -= tail.nodes
		s.blocks = slices.Insert(s.blocks, i+1, tail)
	}
}

// withPods returns a node with more pods of a class on it.
func (s *simulated) withPods(c *runClass, r *simRun, pods int) simRun {
	next := simRun{nodes: 1, free: cut(&s.arena, r.free), held: r.held, counts: r.counts, used: true}
	c.Take(next.free, pods)
	if c.exclusion >= 0 && !r.held.Has(c.exclusion) {
		next.held = make(compiled.Bits, len(c.excludedBy))
		copy(next.held, r.held)
		next.held.Set(c.exclusion)
	}
	if c.weights != nil {
		next.counts = cut(&s.counts, r.counts)
		for i, w := range c.weights {
			next.counts[i] += w * int32(pods)
		}
	}
	return next
}

// cut copies a vector into an arena. A full arena is left to those that use it and a
// larger one begun.
func cut[T any](arena *[]T, v []T) []T {
	if len(*arena)+len(v) > cap(*arena) {
		*arena = make([]T, 0, max(1024, 2*cap(*arena), len(v)))
	}
	at := len(*arena)
	*arena = append(*arena, v...)
	return (*arena)[at:len(*arena):len(*arena)]
}
