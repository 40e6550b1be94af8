package karpenter

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// kind is pods that simulations of consolidation do not tell apart but for their age.
type kind struct {
	class  *class
	demand int32
}

// movingKind is the kind of one of the pods that a node's disruption moves.
type movingKind struct {
	kind int32
	pod  *corev1.Pod
}

func (m *memory) demandOf(kind int32) *demand { return m.demands[m.kindList[kind].demand] }

// kindOf numbers the kind of a pod.
func (p *problem) kindOf(pod *corev1.Pod, id podID, displaced bool) (int32, error) {
	c, err := p.class(pod, id, displaced)
	if err != nil {
		return 0, err
	}
	k := kind{c, id.demand}
	number, known := p.m.kinds[k]
	if !known {
		number = int32(len(p.m.kindList))
		p.m.kinds[k] = number
		p.m.kindList = append(p.m.kindList, k)
	}
	return number, nil
}

// steadfast reports whether the class has no preference to be given up: given up one by one, preferences let
// pods go to other nodes than their class tells.
func (p *problem) steadfast(c *class) bool {
	if c.steadfast == nil {
		c.steadfast = new(c.refusal == nil && relaxed(c.pod, p.w.packer.prefersNoSchedule) == nil)
	}
	return *c.steadfast
}

// kindsOf returns the pods that a candidate's disruption moves by kind, in the order of the queue.
func (c *cluster) kindsOf(cand *Candidate) ([]movingKind, error) {
	v, m := cand.known, c.problem.m
	pods, ids := c.moves(cand)
	all := len(pods) == len(v.pods) // no pod stays behind
	if all && v.kindsEra == m.kindsEra {
		return v.kinds, nil
	}
	kinds := make([]movingKind, len(pods))
	for i, pod := range pods {
		k, err := c.problem.kindOf(pod, ids[i], pod.Status.Phase != corev1.PodPending)
		if err != nil {
			return nil, err
		}
		kinds[i] = movingKind{k, pod}
	}
	m.sortKinds(kinds)
	if all {
		v.kinds, v.kindsEra = kinds, m.kindsEra
	}
	return kinds, nil
}

// sortKinds puts pods into the order of the [queue].
func (m *memory) sortKinds(kinds []movingKind) {
	slices.SortStableFunc(kinds, func(a, b movingKind) int { return m.compareKinds(&a, &b) })
}

func (m *memory) compareKinds(a, b *movingKind) int {
	if da, db := m.demandOf(a.kind), m.demandOf(b.kind); da != db {
		if c := m.ranks[da.index] - m.ranks[db.index]; c != 0 {
			return int(c)
		}
	}
	return compareAge(ageOf(a.pod, 0), ageOf(b.pod, 0), a.pod, b.pod)
}

// fitting are the nodes that have room for one pod of a kind, in the order in which they are tried, as far as
// anybody looked.
type fitting struct {
	cluster int // of which the rest is
	nodes   []int32
	places  []int32 // that may take its class at all
	next    int     // of places
	// walks: requirements, taints and room alone decide on which nodes the pods go, and they leave the
	// nodes' requirements as they are; narrows: they may not.
	walks, narrows bool
}

// fitting returns what is known of where pods of a kind fit.
func (c *cluster) fitting(k int32) *fitting {
	s := &c.problem.w.pruning
	for int(k) >= len(s.fits) {
		s.fits = append(s.fits, fitting{})
	}
	f := &s.fits[k]
	if f.cluster != s.cluster {
		p, class := c.problem, c.problem.m.kindList[k].class
		*f = fitting{cluster: s.cluster, nodes: f.nodes[:0]}
		f.narrows = p.placesOf(class).narrow || class.volumes != nil && len(class.volumes.alternatives) > 0 || !p.steadfast(class) && hasNodeAffinity(class.pod)
		f.walks = p.steadfast(class) && !f.narrows && len(class.constraints)+len(class.ports) == 0 && class.hostname == nil && class.volumes == nil
	}
	return f
}

func hasNodeAffinity(pod *corev1.Pod) bool {
	return pod.Spec.Affinity != nil && pod.Spec.Affinity.NodeAffinity != nil
}

// fit returns the i-th node with room for one pod of a kind, gone or not, -1 if there are not so many.
func (c *cluster) fit(k int32, i int) int32 {
	f := c.fitting(k)
	if i < len(f.nodes) {
		return f.nodes[i]
	}
	p, class := c.problem, c.problem.m.kindList[k].class
	if f.places == nil {
		f.places = p.placesOf(class).inOrder()
	}
	amounts := p.m.demandOf(k).amounts
	for f.next < len(f.places) {
		at := f.places[f.next]
		f.next++
		n := p.nodes[at]
		if n.settling && class.displaced || !room(n.knownNode.available, amounts) || n.overVolumes() {
			continue
		}
		if f.nodes = append(f.nodes, at); i < len(f.nodes) {
			return at
		}
	}
	return -1
}

// overVolumes reports whether a node has more volumes than it may: it takes no pod at all.
func (n *node) overVolumes() bool {
	if len(n.limits) == 0 {
		return false
	}
	_, over := n.volumes.exceeds(n.limits, nil)
	return over
}

// room reports whether amounts are within what is left.
func room(left, amounts []int64) bool {
	for i, v := range amounts {
		if v > left[i] {
			return false
		}
	}
	return true
}

// homeless returns the pods of candidates that fit on no node that stays, were they alone. It knows of none where some
// pod may narrow the requirements of nodes: a node without a label takes a pod that asks for a value of it once another has
// excluded some other value.
func (c *cluster) homeless(gone []*Candidate) *unplaced {
	p := c.problem
	left := &p.w.pruning.left
	left.reset()
	if c.always.narrow {
		return left
	}
	for _, cand := range gone {
		kinds, err := c.kindsOf(cand)
		if err != nil || slices.ContainsFunc(kinds, func(k movingKind) bool { return c.fitting(k.kind).narrows }) {
			left.reset()
			return left
		}
		for _, k := range kinds {
			if p.steadfast(p.m.kindList[k.kind].class) && !c.hasHome(k.kind) {
				left.add(p.m, k.kind)
			}
		}
	}
	return left
}

// hasHome reports whether a pod of a kind that runs now could go to some node that stays.
func (c *cluster) hasHome(k int32) bool {
	for i := 0; ; i++ {
		at := c.fit(k, i)
		if at < 0 {
			return false
		}
		if n := c.problem.nodes[at]; !c.gone[n.position] && !unreliable(n) {
			return true
		}
	}
}
