package kubescheduler

import (
	"math"
	"math/bits"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Schedule finds the node for a pod of a class: of the nodes that pass all filters the one that scores
// best. It binds nothing. Without such a node the answer is [None] and false. The refusals say how
// many of the examined nodes turned the pod away, and why; all nodes are examined if none fits.
//
// As in the original not all nodes need be examined: see [FeasibleNodesToFind]. Each search begins
// where the last one ended.
func (s *Scheduler) Schedule(c *Class) (NodeID, bool, Refusals) {
	return s.schedule(c, None)
}

// ScheduleNominated is Schedule for a pod that was nominated to a node, see [Scheduler.Nominate]. That
// node is taken if it fits, whatever others score (schedule_one.go, evaluateNominatedNode).
func (s *Scheduler) ScheduleNominated(c *Class, nominated NodeID) (NodeID, bool, Refusals) {
	if s.at(nominated) != nil && c.Unsupported == "" && s.passes(c, int32(nominated), nominated) == feasibility.Fits {
		return nominated, true, Refusals{}
	}
	return s.schedule(c, nominated)
}

func (s *Scheduler) schedule(c *Class, nominated NodeID) (NodeID, bool, Refusals) {
	nodes, why := s.find(c, nominated)
	switch len(nodes) {
	case 0:
		return None, false, why
	case 1:
		return nodes[0], true, why
	}
	return s.pick(nodes, s.score(c, nodes)), true, why
}

// FeasibleNodesToFind returns how many nodes that fit end the search among so many
// (schedule_one.go, numFeasibleNodesToFind): all of fewer than 100, else 50 percent less
// one for each 125 nodes, but at least 5 percent and at least 100 nodes.
func FeasibleNodesToFind(nodes int) int {
	const least = 100
	if nodes < least {
		return nodes
	}
	return max(least, nodes*max(5, 50-nodes/125)/100)
}

// find runs the filters.
func (s *Scheduler) find(c *Class, nominated NodeID) ([]NodeID, Refusals) {
	why := Refusals{Nodes: len(s.byName)}
	if c.Unsupported != "" {
		why.By[NotSupported] = int32(why.Nodes)
		return nil, why
	}
	order, start := s.tree.list(), s.start
	if len(order) == 0 {
		return nil, why
	}
	if c.byName {
		order = s.named(c)
		why.By[NodeAffinity] = int32(why.Nodes - len(order))
	}
	found := s.scratch.nodes[:0]
	want, examined := FeasibleNodesToFind(len(order)), 0
	verdicts := s.known(c.shape)
	ruled := c.filter.Ruled()
	at := start % max(len(order), 1)
	for ; examined < len(order); examined++ {
		id := order[at]
		if at++; at == len(order) {
			at = 0
		}
		if verdicts[id].stamp != s.stamps[id] {
			s.judge(c.shape, int32(id))
		}
		refusal := feasibility.Refusal(verdicts[id].refusal)
		if refusal == feasibility.Fits {
			switch {
			case s.nominees > 0 && len(s.nominated[id]) > 0:
				refusal = s.passes(c, int32(id), nominated)
			case ruled:
				refusal = s.cluster.CheckRules(c.filter, s.nodes[id].index)
			}
		}
		if refusal != feasibility.Fits {
			why.By[refusal]++
			continue
		}
		if len(found) == want {
			break // one worker of the original learns only now that it has enough
		}
		found = append(found, id)
	}
	s.scratch.nodes = found
	s.start = (start + examined) % len(s.tree.list())
	return found, why
}

// named returns the nodes of the class's names that there are.
func (s *Scheduler) named(c *Class) []NodeID {
	out := s.scratch.named[:0]
	for _, name := range c.names {
		if id, ok := s.byName[name]; ok {
			out = append(out, NodeID(id))
		}
	}
	s.scratch.named = out
	return out
}

// passes runs all filters on one node. Pods of at least the same priority that are nominated to it
// are taken to be there as well, but the pod has to fit without them, too
// (framework/runtime/framework.go, RunFilterPluginsWithNominatedPods).
func (s *Scheduler) passes(c *Class, id int32, nominated NodeID) feasibility.Refusal {
	if s.nominees > 0 && len(s.nominated[id]) > 0 {
		if r := s.besideNominated(c, id, nominated); r != feasibility.Fits {
			return r
		}
	}
	return s.check(c, id)
}

// check runs all filters on a node as it is.
func (s *Scheduler) check(c *Class, id int32) feasibility.Refusal {
	index := s.nodes[id].index
	if r := s.cluster.CheckNode(c.filter, index); r != feasibility.Fits {
		return r
	}
	if !c.filter.Ruled() {
		return feasibility.Fits
	}
	return s.cluster.CheckRules(c.filter, index)
}

// score adds up the weighted scores of all plugins.
func (s *Scheduler) score(c *Class, nodes []NodeID) []int64 {
	totals := s.scratch.totalsOf(len(nodes))
	for i, id := range nodes {
		totals[i] = int64(c.shape.verdicts[id].resources)
	}
	s.scoreTaints(c.shape, nodes, totals)
	s.scoreNodeAffinity(c.shape, nodes, totals)
	s.scoreSpread(c, nodes, totals)
	s.scorePodAffinity(c, nodes, totals)
	s.scoreImages(c, nodes, totals)
	return totals
}

// pick returns the node with the greatest total. Equal ones are drawn from if there is a seed. Without, it is
// the one that a heap made of the list has on top, as in the original
// (schedule_one.go, newSortedNodeScores): nothing else tells them apart in Kubernetes 1.35.
func (s *Scheduler) pick(nodes []NodeID, totals []int64) NodeID {
	best, equal := 0, 1
	for i := 1; i < len(totals); i++ {
		switch {
		case totals[i] > totals[best]:
			best, equal = i, 1
		case totals[i] < totals[best]:
		case s.draws != nil:
			equal++
			if s.draws.IntN(equal) == 0 {
				best = i
			}
		case aboveInHeap(i, best):
			best = i
		}
	}
	return nodes[best]
}

// aboveInHeap reports whether container/heap would bring the element at i to the top before an equal one
// at j. A parent stays above an equal child and the left child wins over an equal right
// one, so the order is that in which a tree is walked: node, left, right.
func aboveInHeap(i, j int) bool {
	a, b := uint(i+1), uint(j+1) // the path from the root in binary, after the leading one
	la, lb := bits.Len(a), bits.Len(b)
	x, y := a<<(bits.UintSize-la), b<<(bits.UintSize-lb)
	if x != y {
		return x < y
	}
	return la < lb
}

// scratch is memory that decisions use again.
type scratch struct {
	nodes, named []NodeID
	totals, ints []int64
	sums, domain []float64

	lower    []Bound
	allowed  []int32
	breaches []bool
}

// totalsOf returns n totals, whatever they hold.
func (x *scratch) totalsOf(n int) []int64 {
	if cap(x.totals) < n {
		x.totals = make([]int64, n+n/4)
	}
	return x.totals[:n]
}

// integers returns n zeros, until the next call.
func (x *scratch) integers(n int) []int64 {
	if cap(x.ints) < n {
		x.ints = make([]int64, n+n/4)
	}
	out := x.ints[:n]
	clear(out)
	return out
}

// floats returns n zeros, until the next call.
func (x *scratch) floats(n int) []float64 {
	if cap(x.sums) < n {
		x.sums = make([]float64, n+n/4)
	}
	out := x.sums[:n]
	clear(out)
	return out
}

// byDomain returns n times no number, until the next call.
func (x *scratch) byDomain(n int) []float64 {
	if cap(x.domain) < n {
		x.domain = make([]float64, n+n/4)
	}
	out := x.domain[:n]
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}
