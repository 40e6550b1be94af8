package clusterautoscaler

import (
	"slices"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Alike pods on alike nodes are arithmetic. The nodes that an estimate simulates
// are copies of one template, so that neighbours with the same pods form a run that
// is told by one number of nodes and one vector of free resources. Placing pods one
// at a time on the next node that takes them, around and around, gives every node
// one pod a round until it is full; how many rounds there are, where the last one
// stops and where the walk then stands follows by division.

// simRun is neighbouring simulated nodes in the same state.
type simRun struct {
	nodes int
	free  []int64 // of each node
	// held are the classes on each node that exclude others from it.
	held []*feasibility.Class
	// counts are the pods on each node that the rules over hosts count, by rule.
	counts []int32
	used   bool // the nodes received pods
	room   int  // scratch: pods of the class at hand that fit on each
}

// runEstimate is the state of an estimate by arithmetic.
type runEstimate struct {
	run     *run
	t       *template
	permits permits
	fresh   simRun // a new node
	rules   []hostRule
	runs    []simRun
	nodes   int // simulated so far
	real    int // nodes of the snapshot, which come before
	gated   bool
	image   int32 // stands for the simulated nodes in the cluster, -1 before the first
	extra   int   // nodes that fastpath did not simulate
	*runScratch
}

// runScratch is memory that estimates use one after the other.
type runScratch struct {
	idle   []simRun // the runs of the estimate before
	spare  []simRun // the runs before the last change
	byRoom []int32
	more   []span
	arena  []int64 // where vectors of free resources are cut from
}

// cloneFree copies a vector into the arena. A full arena is left to the runs that
// use it and a larger one begun.
func (m *runScratch) cloneFree(free []int64) []int64 {
	if len(m.arena)+len(free) > cap(m.arena) {
		m.arena = make([]int64, 0, max(1024, 2*cap(m.arena), len(free)))
	}
	at := len(m.arena)
	m.arena = append(m.arena, free...)
	return m.arena[at:len(m.arena):len(m.arena)]
}

// arithmetic reports whether all groups of an estimate can be placed by
// arithmetic: each of their classes can, and where the original, for want of a node
// within the skew, would turn to real nodes, none of them could ever serve.
func (r *run) arithmetic(order []*podGroup, t *template) bool {
	return !slices.ContainsFunc(order, func(g *podGroup) bool {
		class := g.kind.class
		return !class.Countable() || class.Spreads() && class.HostnameSpread() && r.elsewhere(class, t)
	})
}

// elsewhere reports whether a real node may come to take pods of a class while
// nodes like the template are filled.
func (r *run) elsewhere(c *feasibility.Class, t *template) bool {
	nodes, known := r.elsewhereOf[c]
	if !known {
		nodes = r.cluster.Elsewhere(c)
		r.elsewhereOf[c] = nodes
	}
	return slices.ContainsFunc(nodes, func(n int32) bool { return r.cluster.Reachable(c, n, t.profile) })
}

// estimateRuns is estimateNodes by arithmetic, with the same answer and the same
// place for the walk to go on from.
func (r *run) estimateRuns(order []*podGroup, t *template, limit int, fastpath bool) estimation {
	e := r.newRunEstimate(order, t, limit)
	if e.gated {
		r.cluster.Fork()
		defer r.cluster.Revert()
	}
	out := estimation{placed: make([]placement, 0, len(order))}
	mayAdd := true
	for i, g := range order {
		pods := len(g.pods)
		c := e.classOf(g.kind.class)
		placed := e.onSimulated(c, pods)
		if mayAdd && placed < pods {
			var n int
			switch {
			case fastpath && i == len(order)-1:
				n, mayAdd = e.fastpath(c, pods-placed)
			case c.host != nil:
				n, mayAdd = e.onNewHosts(c, pods-placed)
			default:
				n, mayAdd = e.onNew(c, pods-placed)
			}
			placed += n
		}
		if placed > 0 {
			out.placed = append(out.placed, placement{g, placed})
		}
	}
	for i := range e.runs {
		if e.runs[i].used {
			out.nodes += e.runs[i].nodes
		}
	}
	out.nodes += e.extra
	r.scratch.idle = e.runs
	return out
}

func (r *run) newRunEstimate(order []*podGroup, t *template, limit int) *runEstimate {
	e := &runEstimate{run: r, t: t, permits: permits{limit: limit}, real: r.cluster.Len(), image: -1,
		runScratch: &r.scratch, fresh: simRun{nodes: 1, free: r.universe.Fresh(t.profile, t.held)}}
	for _, g := range order {
		class := g.kind.class
		e.gated = e.gated || class.Gated()
		if h := class.HostSpread(); h != nil && !slices.ContainsFunc(e.rules, func(k hostRule) bool { return k.Counts() == h.Counts() }) {
			least, hosts := r.cluster.Hosts(h)
			e.rules = append(e.rules, hostRule{h, least, hosts})
		}
	}
	e.fresh.counts = make([]int32, len(e.rules))
	e.arena = e.arena[:0]
	e.runs, r.scratch.idle = r.scratch.idle[:0], nil
	for _, h := range t.held {
		if h.Class.Excluding() {
			e.fresh.held = append(e.fresh.held, h.Class)
		}
		for i := range e.rules {
			e.fresh.counts[i] += h.Pods * int32(e.rules[i].Weight(h.Class))
		}
	}
	return e
}

// allowance is how many pods of a class the rules over more than a host admit now.
func (e *runEstimate) allowance(c *runClass) int {
	if e.image < 0 || !c.Gated() {
		return feasibility.Unlimited
	}
	return e.run.cluster.Allowance(c.Class, e.image)
}

// placedOn records pods with the node that stands for all.
func (e *runEstimate) placedOn(c *runClass, pods int) {
	if e.gated && pods > 0 {
		e.run.cluster.Place(c.Class, e.image, int32(pods))
	}
}

// runClass is the class at hand, and what the estimate's rules over hosts have to do with it.
type runClass struct {
	*feasibility.Class
	excluding bool
	host      *feasibility.HostSpread // nil: none
	rule      int                     // its place among the rules
	weights   []int32                 // what a pod adds to the counts, nil for nothing
}

func (e *runEstimate) classOf(class *feasibility.Class) *runClass {
	c := &runClass{Class: class, excluding: class.Excluding(), host: class.HostSpread()}
	for i := range e.rules {
		if c.host != nil && e.rules[i].Counts() == c.host.Counts() {
			c.rule = i
		}
		if w := e.rules[i].Weight(class); w != 0 {
			if c.weights == nil {
				c.weights = make([]int32, len(e.rules))
			}
			c.weights[i] = int32(w)
		}
	}
	return c
}

// fits returns how many pods of a class a node has room for, rules over hosts apart.
func (s *simRun) fits(c *runClass) int {
	n := c.Room(s.free)
	if n == 0 || !c.excluding {
		return n
	}
	for _, h := range s.held {
		if c.Excludes(h) {
			return 0
		}
	}
	if c.Excludes(c.Class) {
		return 1
	}
	return n
}

// onSimulated places pods on the nodes simulated so far until one fails, and
// returns how many it placed.
func (e *runEstimate) onSimulated(c *runClass, pods int) (placed int) {
	if e.nodes == 0 {
		return 0
	}
	pods = min(pods, e.allowance(c))
	for placed < pods {
		n := min(pods-placed, e.findRoom(c))
		if n == 0 {
			break
		}
		start := e.start()
		if c.host != nil {
			// Once the last of the least has its pod, the skew allows more: reckon anew.
			n = min(n, e.untilLeastGrows(c, start))
		}
		e.walkOver(c, start, n)
		placed += n
		if c.host == nil {
			break
		}
	}
	e.placedOn(c, placed)
	return placed
}

// findRoom notes how many pods of a class each node takes as things stand, and
// returns how many that is in all.
func (e *runEstimate) findRoom(c *runClass) (all int) {
	least := 0
	if c.host != nil {
		least = e.least(c)
	}
	for i := range e.runs {
		s := &e.runs[i]
		s.room = s.fits(c)
		if c.host != nil && s.room > 0 {
			s.room = min(s.room, c.host.Room(c.Class, int(s.counts[c.rule]), least, e.hosts(c)))
		}
		all += s.room * s.nodes
	}
	return all
}

// start is the simulated node at which the walk goes on.
func (e *runEstimate) start() int {
	return max(0, (e.run.walk.last+1)%(e.real+e.nodes)-e.real)
}

// walkOver places so many pods on the nodes with room, around from a node on.
func (e *runEstimate) walkOver(c *runClass, start, pods int) {
	rounds, rest := e.rounds(pods)
	e.run.walk.last = e.real + e.lastServed(start, rounds, rest)
	e.serve(c, start, rounds, rest)
}

// rounds returns how many full rounds the pods make over the nodes that still have
// room, and how many pods are left for the round after.
func (e *runEstimate) rounds(pods int) (rounds, rest int) {
	e.byRoom = e.byRoom[:0]
	open := 0 // nodes with room in the current round
	for i := range e.runs {
		if e.runs[i].room > 0 {
			e.byRoom = append(e.byRoom, int32(i))
			open += e.runs[i].nodes
		}
	}
	slices.SortFunc(e.byRoom, func(a, b int32) int { return e.runs[a].room - e.runs[b].room })
	rest = pods
	for _, i := range e.byRoom {
		s := &e.runs[i]
		more := s.room - rounds // rounds in which all open nodes take one
		if rest < more*open {
			more = rest / open
			return rounds + more, rest - more*open
		}
		rounds += more
		rest -= more * open
		open -= s.nodes
	}
	return rounds, rest
}

// lastServed returns the node that gets the last pod: the rest-th from the start on
// with room beyond the full rounds, or, if nothing is left over, the last one in
// the last full round.
func (e *runEstimate) lastServed(start, rounds, rest int) int {
	last, found := 0, 0
	e.around(start, func(i, from, to int) bool {
		s := &e.runs[i]
		switch {
		case rest > 0 && s.room > rounds:
			last = from + min(to-from, rest-found) - 1
			found += min(to-from, rest-found)
			return found < rest
		case rest == 0 && s.room >= rounds:
			last = to - 1
		}
		return true
	})
	return last
}

// around visits the runs from a node on, around: the run's number and the nodes of
// it to look at. The run in which the node lies comes first and, what is before
// the node, last.
func (e *runEstimate) around(start int, visit func(i, from, to int) bool) {
	first, at := 0, 0
	for at+e.runs[first].nodes <= start {
		at += e.runs[first].nodes
		first++
	}
	begin := at
	for i := first; i < len(e.runs); i++ {
		if !visit(i, max(at, start), at+e.runs[i].nodes) {
			return
		}
		at += e.runs[i].nodes
	}
	at = 0
	for i := range first {
		if !visit(i, at, at+e.runs[i].nodes) {
			return
		}
		at += e.runs[i].nodes
	}
	if start > begin {
		visit(first, begin, start)
	}
}

// serve gives every node its pods: one a round, and one more to the first that
// still have room.
func (e *runEstimate) serve(c *runClass, start, rounds, rest int) {
	more := e.more[:0]
	if rest > 0 {
		e.around(start, func(i, from, to int) bool {
			if e.runs[i].room > rounds {
				n := min(to-from, rest)
				more = append(more, span{from, from + n})
				rest -= n
			}
			return rest > 0
		})
		slices.SortFunc(more, func(a, b span) int { return a.from - b.from })
		e.more = more
	}
	before := e.runs
	e.runs, e.spare = e.spare[:0], before
	at := 0
	for i := range before {
		s := &before[i]
		full := min(s.room, rounds)
		from, end := at, at+s.nodes
		for len(more) > 0 && more[0].from < end {
			m := more[0]
			e.give(c, s, m.from-from, full)
			e.give(c, s, m.to-m.from, full+1)
			from, more = m.to, more[1:]
		}
		e.give(c, s, end-from, full)
		at = end
	}
}

// span is simulated nodes from one number up to another, which is left out.
type span struct{ from, to int }

// give appends so many nodes of a run, each with more pods, to the runs, or to the
// last of them if it is in the same state.
func (e *runEstimate) give(c *runClass, s *simRun, nodes, pods int) {
	if nodes <= 0 {
		return
	}
	next := *s
	if pods > 0 {
		next = e.withPods(c, s, pods)
	}
	next.nodes = nodes
	e.append(next)
}

func (e *runEstimate) append(s simRun) {
	if n := len(e.runs); n > 0 {
		if l := &e.runs[n-1]; l.used == s.used && slices.Equal(l.free, s.free) &&
			slices.Equal(l.held, s.held) && slices.Equal(l.counts, s.counts) {
			l.nodes += s.nodes
			return
		}
	}
	e.runs = append(e.runs, s)
}

// onNew places pods that fit on no simulated node on new ones. It returns how many
// were placed and whether it is worth adding nodes for later groups.
func (e *runEstimate) onNew(c *runClass, pods int) (placed int, mayAdd bool) {
	if n := len(e.runs); n > 0 && !e.runs[n-1].used {
		return 0, true // the last node is empty: another would be no better
	}
	if !e.permits.left() {
		return 0, false
	}
	e.imagine()
	allowed := min(pods, e.allowance(c))
	each := e.fresh.fits(c)
	if each > 0 && allowed > 0 {
		want := (allowed + each - 1) / each
		got := e.permits.takeUpTo(want)
		placed = min(allowed, got*each)
		full := placed / each
		e.add(c, full, each)
		e.add(c, got-full, placed-full*each)
		e.placedOn(c, placed)
		if got < want {
			return placed, false
		}
		if placed == pods {
			return placed, true
		}
	}
	// The next pod is refused by the last node and by the new one that it gets.
	if !e.permits.take() {
		return placed, false
	}
	e.add(c, 1, 0)
	return placed, true
}

// imagine puts the node that stands for the simulated ones into the cluster.
func (e *runEstimate) imagine() {
	if e.gated && e.image < 0 {
		e.image = e.run.cluster.AddNode(e.t.profile, true, e.t.held)
	}
}

// add appends new nodes with so many pods on each.
func (e *runEstimate) add(c *runClass, nodes, pods int) {
	if nodes == 0 {
		return
	}
	e.nodes += nodes
	e.give(c, &e.fresh, nodes, pods)
}

// fastpath fills one new node and reckons the others from it.
func (e *runEstimate) fastpath(c *runClass, pods int) (placed int, mayAdd bool) {
	if !e.permits.take() {
		return 0, false
	}
	e.imagine()
	each := min(pods, e.fresh.fits(c), e.allowance(c))
	e.add(c, 1, each)
	if each == 0 {
		return 0, true
	}
	more, granted := fastpathNodes(pods, each, &e.permits)
	e.extra += more
	return min(pods, each*(more+1)), granted
}
