package karpenter

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// walk places the pods of a simulation one by one on the first node that takes them, and returns
// those that run now and find none. It decides as a run does as long as nothing but requirements,
// taints and room tells where pods go; where more does, it knows nothing.
func (c *cluster) walk(gone []*Candidate) (*unplaced, bool) {
	queue, ok := c.walkers(gone)
	if !ok {
		return nil, false
	}
	p, left := c.problem, &c.problem.w.pruning.left
	left.reset()
	p.w.pruning.room.start(len(p.nodes), p.dims.Len())
	for i := range queue {
		pod := &queue[i]
		switch at := c.step(pod.kind); {
		case at < 0 && c.running(pod.pod):
			left.add(p.m, pod.kind)
		case at >= 0 && unreliable(p.nodes[at]) && c.running(pod.pod) && !c.leavingPods[pod.pod]:
			left.hopeless = true
			return left, true
		}
	}
	return left, true
}

// unreliable reports whether a node may not be counted on for pods that run now.
func unreliable(n *node) bool { return n.owner != "" && !n.started }

// step puts a pod on the first node that takes it, -1 if none does.
func (c *cluster) step(k int32) int32 {
	p := c.problem
	amounts := p.m.demandOf(k).amounts
	for i := 0; ; i++ {
		at := c.fit(k, i)
		if at < 0 {
			return -1
		}
		if n := p.nodes[at]; !c.gone[n.position] && p.w.pruning.room.take(at, n.knownNode.available, amounts) {
			return at
		}
	}
}

// walkers returns the pods of a simulation in the order of the queue, and whether a walk tells where they go.
func (c *cluster) walkers(gone []*Candidate) ([]movingKind, bool) {
	if !c.always.known {
		c.always = c.findStragglers()
	}
	if len(c.problem.antiBound) > 0 || !c.always.walk {
		return nil, false
	}
	if len(gone) == 1 && len(c.always.pods) == 0 {
		return c.walkersOf(gone[0])
	}
	queue := append(c.problem.w.pruning.queue[:0], c.always.pods[:c.sim.pending]...)
	for _, cand := range gone {
		kinds, ok := c.walkersOf(cand)
		if !ok {
			return nil, false
		}
		queue = append(queue, kinds...)
	}
	queue = append(queue, c.always.pods[c.sim.pending:]...) // in the order of the question, which equals keep
	c.problem.m.sortKinds(queue)
	c.problem.w.pruning.queue = queue
	return queue, true
}

// walkersOf returns the pods of a candidate if all are such that walks tell where they go.
func (c *cluster) walkersOf(cand *Candidate) ([]movingKind, bool) {
	kinds, err := c.kindsOf(cand)
	return kinds, err == nil && !slices.ContainsFunc(kinds, func(k movingKind) bool { return !c.fitting(k.kind).walks })
}

// stragglers are the pods that are part of every simulation: those that wait, then those of nodes that are going.
type stragglers struct {
	known bool
	pods  []movingKind
	walk  bool // a walk tells where they go
	// narrow: some of them may narrow the requirements of nodes, see [places].
	narrow bool
}

func (c *cluster) findStragglers() stragglers {
	out := stragglers{known: true, walk: true}
	add := func(pod *corev1.Pod, id podID) {
		k, err := c.problem.kindOf(pod, id, false)
		if err != nil { // the simulation is to say so
			out.walk, out.narrow = false, true
			return
		}
		out.pods = append(out.pods, movingKind{k, pod})
		f := c.fitting(k)
		out.walk, out.narrow = out.walk && f.walks, out.narrow || f.narrows
	}
	for i, pod := range c.sim.waiting {
		add(pod, c.sim.ids[i])
	}
	for _, cand := range c.deleting {
		pods, ids := c.moves(cand)
		for i, pod := range pods {
			add(pod, ids[i])
		}
	}
	return out
}

// residual is the room that nodes have left in the course of a walk. Only what changes is written down.
type residual struct {
	number  uint64   // of the walk
	of      []uint64 // by node: in which walk it was last changed
	amounts []int64
	columns int
}

func (l *residual) start(nodes, columns int) {
	if len(l.of) < nodes || l.columns != columns {
		*l = residual{of: make([]uint64, nodes), amounts: make([]int64, nodes*columns), columns: columns}
	}
	l.number++
}

// take takes amounts from what a node has left, available if nothing was taken yet, and reports whether it had so much.
func (l *residual) take(node int32, available, amounts []int64) bool {
	left := l.amounts[int(node)*l.columns:][:l.columns]
	if l.of[node] != l.number {
		l.of[node] = l.number
		copy(left, available)
	} else if !room(left, amounts) {
		return false
	}
	for i, v := range amounts {
		left[i] -= v
	}
	return true
}
