package karpenter

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing/internal/topology"
)

// boundClass is bound pods that no selector tells apart, and where they are.
type boundClass struct {
	pod *corev1.Pod // one of them
	at  []boundAt
}

// antiBound is a term of required anti-affinity that bound pods state, and where they are.
type antiBound struct {
	constraint constraint
	pod        *corev1.Pod // the first of them
	at         []boundAt
	total      int32
	movable    []int32      // by position of the node
	counts     *boundCounts // once a run needed them
}

type boundAt struct {
	node  *node
	count int32
	// movable are those of them that leave if a simulation takes their node away.
	movable int32
}

// countAt adds a pod on a node to a list that is in the order of nodes.
func countAt(list []boundAt, n *node, movable bool) []boundAt {
	if last := len(list) - 1; last < 0 || list[last].node != n {
		list = append(list, boundAt{node: n})
	}
	here := &list[len(list)-1]
	here.count++
	if movable {
		here.movable++
	}
	return list
}

// compileBound groups the pods on nodes that count for topologies.
func (p *problem) compileBound() error {
	moving := make(map[*corev1.Pod]bool)
	for _, pod := range p.pods {
		if pod.Spec.NodeName != "" || p.displaced != nil {
			moving[pod] = true
		}
	}
	index, terms := map[string]int{}, map[string]*antiBound{}
	var buf []byte
	for _, n := range p.nodes {
		for _, pod := range n.Pods {
			movable := moving[pod]
			if movable && p.displaced == nil || isTerminal(pod) {
				continue
			}
			if hasRequiredAntiAffinity(pod) {
				if err := p.compileAntiBound(pod, n, movable, terms); err != nil {
					return err
				}
			}
			if pod.DeletionTimestamp != nil {
				continue
			}
			buf = append(append(buf[:0], pod.Namespace...), 0)
			buf = p.appendLabels(buf, pod.Labels)
			at, ok := index[string(buf)]
			if !ok {
				at = len(p.bound)
				index[string(buf)] = at
				p.bound = append(p.bound, boundClass{pod: pod})
			}
			p.bound[at].at = countAt(p.bound[at].at, n, movable)
		}
	}
	return nil
}

// compileAntiBound counts a bound pod for each of its terms of required anti-affinity.
func (p *problem) compileAntiBound(pod *corev1.Pod, n *node, movable bool, terms map[string]*antiBound) error {
	required := pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	for i := range required {
		tc, err := p.termConstraint(pod, &required[i], true)
		if err != nil {
			return fmt.Errorf("pod %s/%s: pod anti-affinity: %w", pod.Namespace, pod.Name, err)
		}
		b, ok := terms[tc.identity]
		if !ok {
			b = &antiBound{constraint: tc, pod: pod, movable: make([]int32, len(p.nodes))}
			terms[tc.identity] = b
			p.antiBound = append(p.antiBound, b)
		}
		b.at = countAt(b.at, n, movable)
		if b.total++; movable {
			b.movable[n.position]++
		}
	}
	return nil
}

// keepOffBound makes the inverse groups of the pods that are bound in this run.
func (r *run) keepOffBound() {
	for _, b := range r.p.antiBound {
		staying := b.total
		for _, position := range r.gone {
			staying -= b.movable[position]
		}
		if staying == 0 {
			continue
		}
		g := r.inverseGroup(&b.constraint, b.pod)
		if b.counts == nil {
			b.counts = r.p.countAnti(g, b)
		} else {
			g.SetCounts(b.counts.counts)
		}
		r.lose(g, b.counts)
	}
}

// countAnti counts bound pods with a term of anti-affinity as if no node were gone.
func (p *problem) countAnti(g *group, b *antiBound) *boundCounts {
	c := newBoundCounts(g, len(p.nodes))
	c.leaving = b.movable
	for _, at := range b.at {
		domain, ok := at.node.Labels[g.Key]
		if !ok {
			continue
		}
		d := at.node.host
		if !g.Hostname {
			d = g.Domains.ID(domain)
		}
		c.domain[at.node.position] = d
		c.grow(d)
		g.Record(d, at.count)
	}
	c.counts = g.Counts()
	return c
}

// boundCounts is what a constraint's group counts while no node is gone, and what
// each node has to do with it. It is worked out once for all runs of a problem.
type boundCounts struct {
	counts topology.Counts
	// registered counts what makes a domain known: the pools, as one, and each active node.
	registered []int32
	// By position of the node in the snapshot: its domain, -1 if the group does not count
	// its pods; whether it makes the domain known; and the pods counted there that
	// leave if a simulation takes the node away.
	domain    []int32
	registers []bool
	leaving   []int32
}

// newBoundCounts starts from what the pools make known.
func newBoundCounts(g *group, nodes int) *boundCounts {
	b := &boundCounts{domain: make([]int32, nodes), registers: make([]bool, nodes), leaving: make([]int32, nodes)}
	for i := range b.domain {
		b.domain[i] = -1
	}
	for d := range int32(g.Len()) {
		if b.grow(d); g.Known(d) {
			b.registered[d] = 1
		}
	}
	return b
}

// grow makes room for a domain.
func (b *boundCounts) grow(d int32) {
	for int(d) >= len(b.registered) {
		b.registered = append(b.registered, 0)
	}
}

// countBound counts what is bound to nodes already. Models countDomains.
func (r *run) countBound(g *group, tc *constraint) {
	b, ok := r.p.counted[tc]
	if !ok {
		b = r.p.countAll(g)
		r.p.counted[tc] = b
	} else {
		g.SetCounts(b.counts)
	}
	r.lose(g, b)
}

// lose takes off what the nodes that are gone count for.
func (r *run) lose(g *group, b *boundCounts) {
	if len(r.gone) == 0 {
		return
	}
	known := make(map[int32]int32, len(r.gone))
	for _, position := range r.gone {
		d := b.domain[position]
		if d < 0 {
			continue
		}
		if b.leaving[position] > 0 {
			g.Remove(d, b.leaving[position])
		}
		if _, ok := known[d]; !ok {
			known[d] = b.registered[d]
		}
		if b.registers[position] {
			known[d]--
		}
	}
	for d, left := range known {
		if left == 0 {
			g.Forget(d)
		}
	}
}

// countAll counts for a new group as if no node were gone.
func (p *problem) countAll(g *group) *boundCounts {
	b := newBoundCounts(g, len(p.nodes))
	for _, n := range p.nodes {
		value, labelled := n.Labels[g.Key]
		d := int32(-1)
		if g.trivial || g.MatchesNode(n.Spec.Taints, n.labels) {
			switch {
			case g.Hostname:
				d = n.host // without the label the node's name stands for it
			case labelled:
				d = g.Domains.ID(value)
			}
		}
		b.domain[n.position] = d
		if d < 0 {
			continue
		}
		b.grow(d)
		if n.active && labelled {
			b.registers[n.position] = true
			b.registered[d]++
			g.Register(d)
		}
	}
	for i := range p.bound {
		class := &p.bound[i]
		if !g.CountsBound(class.pod.Namespace, labels.Set(class.pod.Labels)) {
			continue
		}
		for _, at := range class.at {
			if d := b.domain[at.node.position]; d >= 0 {
				g.Record(d, at.count)
				b.leaving[at.node.position] += at.movable
			}
		}
	}
	b.counts = g.Counts()
	return b
}
