package clusterautoscaler

import (
	"slices"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Alike pods on alike nodes are arithmetic. The nodes that an estimate simulates
// are copies of one template, so that neighbours with the same pods form a run that
// is told by one number of nodes and one vector of free resources. Placing pods one
// at a time on the next node that takes them, around and around, gives every node
// one pod a round until it is full; how many rounds there are, where the last one
// stops and where the walk then stands follows by division.

// runEstimate is the state of an estimate by arithmetic.
type runEstimate struct {
	run     *run
	shapes  *shapes
	t       *template
	permits permits
	fresh   simRun // a new node
	nodes   int    // simulated so far
	real    int    // nodes of the snapshot, which come before
	gated   bool
	image   int32 // stands for the simulated nodes in the cluster, -1 before the first
	extra   int   // nodes that fastpath did not simulate
	*runScratch
}

// runScratch is memory that estimates use one after the other.
type runScratch struct {
	simulated
	walk     rounds
	estimate int // counts estimates
}

// arithmetic reports whether all groups of an estimate can be placed by
// arithmetic: each of their classes can, and where the original, for want of a node
// within the skew, would turn to real nodes, none of them could ever serve.
func (r *run) arithmetic(order []*podGroup, t *template) bool {
	r.scratch.estimate++
	for _, g := range order {
		c := r.shapes.byClass[g.kind.class.Index]
		if c.asked == r.scratch.estimate {
			continue
		}
		c.asked = r.scratch.estimate
		if !c.countable || c.everyNode && r.elsewhere(c.Class, t) {
			return false
		}
	}
	return true
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
		c := e.shapes.byClass[g.kind.class.Index]
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
	out.nodes = e.usedNodes() + e.extra
	return out
}

func (r *run) newRunEstimate(order []*podGroup, t *template, limit int) *runEstimate {
	e := &runEstimate{run: r, shapes: r.shapes, t: t, permits: permits{limit: limit}, real: r.cluster.Len(), image: -1,
		runScratch: &r.scratch, fresh: simRun{nodes: 1, free: r.universe.Fresh(t.profile, t.held)}}
	for _, g := range order {
		if e.gated = r.shapes.byClass[g.kind.class.Index].gated; e.gated {
			break
		}
	}
	e.reset(r.shapes)
	e.fresh.counts = make([]int32, len(e.rules))
	for _, h := range t.held {
		if n := r.shapes.exclusionOf(h.Class); n >= 0 {
			if e.fresh.held == nil {
				e.fresh.held = compiled.NewBits(len(r.shapes.exclusions))
			}
			e.fresh.held.Set(n)
		}
		for i := range e.rules {
			e.fresh.counts[i] += h.Pods * int32(e.rules[i].Weight(h.Class))
		}
	}
	return e
}

// allowance is how many pods of a class the rules over more than a host admit now.
func (e *runEstimate) allowance(c *runClass) int {
	if e.image < 0 || !c.gated {
		return feasibility.Unlimited
	}
	return e.run.cluster.Allowance(c.Class, e.image)
}

// placedOn counts pods with the node that stands for all.
func (e *runEstimate) placedOn(c *runClass, pods int) {
	if e.gated && pods > 0 {
		e.run.cluster.Tally(c.Class, e.image, int32(pods))
	}
}

// fewPods are placed one by one: that is less work than to look for room everywhere.
const fewPods = 16

// onSimulated places pods on the nodes simulated so far until one fails, and
// returns how many it placed.
func (e *runEstimate) onSimulated(c *runClass, pods int) (placed int) {
	if e.nodes == 0 || c.host == nil && !e.look(c, 0) {
		return 0
	}
	for pods = min(pods, e.allowance(c)); placed < pods; {
		if pods-placed <= fewPods {
			if !e.onNext(c, e.start(), e.others(c)) {
				break
			}
			placed++
			continue
		}
		n := min(pods-placed, e.walk.findRoom(&e.simulated, c, e.others(c)))
		if n == 0 {
			break
		}
		start := e.start()
		if c.host != nil {
			// Once the last of the least has its pod, the skew allows more: reckon anew.
			n = min(n, e.untilLeastGrows(c, start))
		}
		full, rest := e.walk.reckon(n)
		e.run.walk.last = e.real + e.walk.last(start, full, rest)
		e.walk.serve(&e.simulated, c, start, full, rest)
		placed += n
		if c.host == nil {
			break
		}
	}
	e.placedOn(c, placed)
	return placed
}

// start is the simulated node at which the walk goes on.
func (e *runEstimate) start() int {
	return max(0, (e.run.walk.last+1)%(e.real+e.nodes)-e.real)
}

// onNext places one pod on the next node from one on that takes it.
func (e *runEstimate) onNext(c *runClass, start, others int) bool {
	at, ok := e.next(c, start, others)
	if ok {
		e.run.walk.last = e.real + at.node
		e.put(c, at)
	}
	return ok
}

// onNew places pods that fit on no simulated node on new ones. It returns how many
// were placed and whether it is worth adding nodes for later groups.
func (e *runEstimate) onNew(c *runClass, pods int) (placed int, mayAdd bool) {
	if e.nodes > 0 && !e.lastUsed() {
		return 0, true // the last node is empty: another would be no better
	}
	if !e.permits.left() {
		return 0, false
	}
	e.imagine()
	allowed := min(pods, e.allowance(c))
	each := e.fresh.roomApart(c)
	if each > 0 && allowed > 0 {
		want := (allowed + each - 1) / each
		got := e.permits.takeUpTo(want)
		placed = min(allowed, got*each)
		full := placed / each
		e.addNew(c, full, each)
		e.addNew(c, got-full, placed-full*each)
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
	e.addNew(c, 1, 0)
	return placed, true
}

// imagine puts the node that stands for the simulated ones into the cluster.
func (e *runEstimate) imagine() {
	if e.gated && e.image < 0 {
		e.image = e.run.cluster.AddNode(e.t.profile, true, e.t.held)
	}
}

// addNew adds nodes with so many pods on each.
func (e *runEstimate) addNew(c *runClass, nodes, pods int) {
	if nodes == 0 {
		return
	}
	e.nodes += nodes
	next := e.fresh
	if pods > 0 {
		next = e.withPods(c, &e.fresh, pods)
	}
	next.nodes = nodes
	e.add(next)
}

// fastpath fills one new node and reckons the others from it.
func (e *runEstimate) fastpath(c *runClass, pods int) (placed int, mayAdd bool) {
	if !e.permits.take() {
		return 0, false
	}
	e.imagine()
	each := min(pods, e.fresh.roomApart(c), e.allowance(c))
	e.addNew(c, 1, each)
	if each == 0 {
		return 0, true
	}
	more, granted := fastpathNodes(pods, each, &e.permits)
	e.extra += more
	return min(pods, each*(more+1)), granted
}
