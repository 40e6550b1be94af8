package karpenter

import (
	"encoding/binary"
	"slices"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
)

// shared is what the runs of one problem have in common, one after the other: the
// states of the nodes, of which each run changes a few, and what is worked out of all
// nodes and holds for every run.
type shared struct {
	states []nodeState
	// changed are the nodes that the last run changed, by number.
	changed []int32
	index   []int32   // of a node, by its position in the snapshot
	byHost  [][]int32 // see [problem.nodesOf]
	// places are the nodes that a class could go to, by what of the class tells, in
	// buckets of equal sets of requirements.
	places map[string]*places
	key    []byte // scratch
	groups map[*constraint]*sharedGroup
	left   []poolLimits // of the pools while no node is gone
}

// places are nodes that may take pods of a class, in buckets and by themselves.
type places struct {
	buckets []bucket
	ordered []int32 // once asked for
	// narrow: a pod of the class narrows the set of some node that takes it.
	narrow bool
}

// inOrder returns the nodes in the order in which they are tried.
func (p *places) inOrder() []int32 {
	if p.ordered == nil {
		p.ordered = []int32{}
		for _, b := range p.buckets {
			for _, e := range b.rest {
				p.ordered = append(p.ordered, e.host)
			}
		}
		slices.Sort(p.ordered)
	}
	return p.ordered
}

// sharedGroup is a group as a run that makes it first finds it.
type sharedGroup struct {
	group *group
	start topology.Counts
}

func newShared(p *problem) *shared {
	if cap(p.w.states) < len(p.nodes) {
		p.w.states = make([]nodeState, len(p.nodes)+len(p.nodes)/8)
	}
	p.w.entries = p.w.entries[:0]
	s := &shared{
		states: p.w.states[:len(p.nodes)], index: make([]int32, len(p.nodes)),
		places: map[string]*places{}, groups: map[*constraint]*sharedGroup{},
	}
	for i, n := range p.nodes {
		s.index[n.position] = int32(i)
		s.restore(int32(i), n)
	}
	return s
}

// restore has a node as a run finds it first.
func (s *shared) restore(i int32, n *node) {
	s.states[i] = nodeState{node: n, active: n.takes, set: n.set, available: n.knownNode.available, own: s.states[i].own}
}

// restart undoes what the last run changed.
func (s *shared) restart() {
	for _, i := range s.changed {
		s.restore(i, s.states[i].node)
	}
	s.changed = s.changed[:0]
}

// touch readies a node to be changed in this run.
func (s *shared) touch(i int32) *nodeState {
	n := &s.states[i]
	if !n.touched {
		n.touched = true
		n.own = append(n.own[:0], n.available...)
		n.available = n.own
		n.ports, n.volumes = slices.Clip(n.node.ports), n.node.volumes
		s.changed = append(s.changed, i)
	}
	return n
}

// placesOf returns the nodes that may take pods of a class as far as requirements,
// taints and what is left at all tell, in their order, whether gone or not.
func (p *problem) placesOf(c *class) *places {
	s := p.shared
	key := binary.AppendVarint(s.key[:0], int64(c.set))
	for i := range c.pod.Spec.Tolerations {
		t := &c.pod.Spec.Tolerations[i]
		for _, s := range [...]string{t.Key, string(t.Operator), t.Value, string(t.Effect)} {
			key = binary.AppendVarint(key, int64(len(s)))
			key = append(key, s...)
		}
	}
	s.key = key
	if known, ok := s.places[string(key)]; ok {
		return known
	}
	out := &places{}
	bucketOf := map[compiled.SetID]int32{}
	last, at := compiled.SetID(-1), int32(-1)
	of, sizes := p.w.bucketOf[:0], p.w.bucketSizes[:0] // the bucket of each node, -1 if none takes it, and how many each has
	for _, n := range p.nodes {
		if !n.takes || n.overfull || n.tainted && !topology.Tolerates(c.pod.Spec.Tolerations, n.taints) {
			of = append(of, -1)
			continue
		}
		known := n.set == last
		if !known {
			at, known = bucketOf[n.set]
			last = n.set
		}
		if !known {
			at = -1
			if p.w.sets.CompatibleNode(n.set, c.set) {
				at = int32(len(out.buckets))
				out.buckets, sizes = append(out.buckets, bucket{set: n.set, isNode: true}), append(sizes, 0)
				out.narrow = out.narrow || p.w.sets.Intersect(n.set, c.set) != n.set
			}
			bucketOf[n.set] = at
		}
		if of = append(of, at); at >= 0 {
			sizes[at]++
		}
	}
	p.w.bucketOf, p.w.bucketSizes = of, sizes
	for i, size := range sizes {
		out.buckets[i].rest = p.w.entryMemory(size)
	}
	for i, at := range of {
		if at >= 0 {
			out.buckets[at].rest = append(out.buckets[at].rest, entry{uint64(i), int32(i)})
		}
	}
	s.places[string(key)] = out
	return out
}

// entryMemory returns memory for so many entries, which lasts as long as the problem.
func (w *workspace) entryMemory(n int) []entry {
	if cap(w.entries)-len(w.entries) < n {
		const least = 1 << 10
		w.entries = make([]entry, 0, max(n, 2*cap(w.entries), least))
	}
	from := len(w.entries)
	w.entries = w.entries[:from+n]
	return w.entries[from : from : from+n]
}

// enterNodes starts a view with the nodes that may take pods of a class.
func (r *run) enterNodes(v *view, c *class) {
	for _, b := range r.p.placesOf(c).buckets {
		*v.bucketFor(b.set, true) = int32(len(v.buckets) + 1)
		b.heap = spare(&r.w.heaps)
		v.buckets = append(v.buckets, b)
		v.settle(int32(len(v.buckets) - 1))
	}
	for _, i := range r.p.shared.changed {
		if r.nodes[i].set != r.p.nodes[i].set {
			r.enter(v, c, i)
		}
	}
}
