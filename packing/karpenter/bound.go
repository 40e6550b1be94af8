package karpenter

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/topology"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// antiSpec is the required anti-affinity of pods that state the same, and whose
// labels do not tell their terms apart.
type antiSpec struct {
	pod   *corev1.Pod // one of them
	terms []antiTerm
	at    int // what memory.stated was, plus one, when terms were worked out
}

type antiTerm struct {
	constraint constraint
	identity   int32
}

// antiBound is a term of required anti-affinity that bound pods state, and where they are.
type antiBound struct {
	constraint *constraint
	identity   int32
	pod        *corev1.Pod // the first of them
	at         []boundAt
	total      int32
	counts     *boundCounts // once a run needed them
}

type boundAt struct {
	node  *node
	count int32
}

// leavers are the pods that leave a node which a simulation takes away, as groups
// count them.
type leavers struct {
	labels []labelRun
	anti   []antiRun
}

// leaversOf counts pods of a node.
func (m *memory) leaversOf(pods []*corev1.Pod) *leavers {
	l := &leavers{labels: m.countLabels(pods, nil)}
	for _, pod := range pods {
		if !disruption.Terminal(pod) && hasRequiredAntiAffinity(pod) {
			l.anti = countAnti(l.anti, m.antiOf(pod))
		}
	}
	return l
}

// antiOf numbers the anti-affinity that a pod requires.
func (m *memory) antiOf(pod *corev1.Pod) int32 {
	required := pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	w := &m.spec
	w.buf = w.buf[:0]
	w.text(pod.Namespace)
	byLabels := false
	w.number(len(required))
	for i := range required {
		w.podTerm(&required[i])
		byLabels = byLabels || len(required[i].MatchLabelKeys)+len(required[i].MismatchLabelKeys) > 0
	}
	w.number(len(pod.Spec.Tolerations)) // they tell which domains count
	for i := range pod.Spec.Tolerations {
		w.toleration(&pod.Spec.Tolerations[i])
	}
	if byLabels {
		w.labels(pod.Labels)
	}
	id, fresh := m.antiSpecs.of(w.buf)
	if fresh {
		m.antiSpecList = append(m.antiSpecList, &antiSpec{pod: pod})
		m.readKeys(pod)
	}
	return id
}

// antiTerms returns the terms of an antiSpec.
func (p *problem) antiTerms(id int32) ([]antiTerm, error) {
	m := p.m
	a := m.antiSpecList[id]
	if a.at == m.stated+1 {
		return a.terms, nil
	}
	required := a.pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	a.terms = make([]antiTerm, len(required))
	for i := range required {
		tc, err := p.termConstraint(a.pod, &required[i], true)
		if err != nil {
			return nil, fmt.Errorf("pod %s/%s: pod anti-affinity: %w", a.pod.Namespace, a.pod.Name, err)
		}
		identity, known := m.identities[tc.identity]
		if !known {
			identity = int32(len(m.identities))
			m.identities[tc.identity] = identity
		}
		a.terms[i] = antiTerm{tc, identity}
	}
	a.at = m.stated + 1
	return a.terms, nil
}

// compileBound collects the anti-affinity of pods on nodes.
func (p *problem) compileBound() error {
	if len(p.m.antiSpecList) == 0 {
		return nil
	}
	var byIdentity []*antiBound
	for _, n := range p.nodes {
		for _, run := range p.antiRuns(n) {
			terms, err := p.antiTerms(run.spec)
			if err != nil {
				return err
			}
			for i := range terms {
				t := &terms[i]
				for int(t.identity) >= len(byIdentity) {
					byIdentity = append(byIdentity, nil)
				}
				b := byIdentity[t.identity]
				if b == nil {
					b = &antiBound{constraint: &t.constraint, identity: t.identity, pod: p.m.antiSpecList[run.spec].pod}
					byIdentity[t.identity] = b
					p.antiBound = append(p.antiBound, b)
				}
				if last := len(b.at) - 1; last >= 0 && b.at[last].node == n {
					b.at[last].count += run.count
				} else {
					b.at = append(b.at, boundAt{n, run.count})
				}
				b.total += run.count
			}
		}
	}
	return nil
}

// antiRuns returns what bound pods of a node state of anti-affinity.
func (p *problem) antiRuns(n *node) []antiRun {
	if len(n.anti) == 0 || len(p.listed) == 0 || !slices.ContainsFunc(n.Pods, func(pod *corev1.Pod) bool { return p.listed[pod] }) {
		return n.anti
	}
	return p.m.leaversOf(slices.DeleteFunc(slices.Clone(n.Pods), func(pod *corev1.Pod) bool { return p.listed[pod] })).anti
}

// keepOffBound makes the inverse groups of the pods that are bound in this run.
func (r *run) keepOffBound() {
	for _, b := range r.p.antiBound {
		staying := b.total
		for _, position := range r.gone {
			staying -= r.p.leavingAnti(position, b)
		}
		if staying == 0 {
			continue
		}
		g := r.inverseGroup(b.constraint, b.pod)
		if b.counts == nil {
			b.counts = r.p.countAnti(g, b)
		} else {
			g.SetCounts(b.counts.counts)
		}
		r.lose(g, b.counts, func(position int) int32 { return r.p.leavingAnti(position, b) })
	}
}

// leavingAnti counts the pods with a term that leave with a node.
func (p *problem) leavingAnti(position int, b *antiBound) int32 {
	n := int32(0)
	for _, run := range p.leaving(position).anti {
		for i := range p.m.antiSpecList[run.spec].terms {
			if p.m.antiSpecList[run.spec].terms[i].identity == b.identity {
				n += run.count
			}
		}
	}
	return n
}

// countAnti counts bound pods with a term of anti-affinity as if no node were gone.
func (p *problem) countAnti(g *group, b *antiBound) *boundCounts {
	c := newBoundCounts(g, len(p.nodes))
	for _, at := range b.at {
		d, labelled := at.node.domainOf(g.key)
		if !labelled {
			continue
		}
		if g.Hostname {
			d = at.node.host
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
	// its pods; and whether it makes the domain known.
	domain    []int32
	registers []bool
	selected  *selection // of a group that counts pods by labels
}

// newBoundCounts starts from what the pools make known.
func newBoundCounts(g *group, nodes int) *boundCounts {
	b := &boundCounts{domain: make([]int32, nodes), registers: make([]bool, nodes)}
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
		b = r.p.countAll(g, tc)
		r.p.counted[tc] = b
	} else {
		g.SetCounts(b.counts)
	}
	r.lose(g, b, func(position int) int32 {
		n := int32(0)
		for _, run := range r.p.leaving(position).labels {
			if b.selected.counts(g, run.labels, r.p.m) {
				n += run.count
			}
		}
		return n
	})
}

// lose takes off what the nodes that are gone count for.
func (r *run) lose(g *group, b *boundCounts, leaving func(position int) int32) {
	if len(r.gone) == 0 {
		return
	}
	known := make(map[int32]int32, len(r.gone))
	for _, position := range r.gone {
		d := b.domain[position]
		if d < 0 {
			continue
		}
		if n := leaving(position); n > 0 {
			g.Remove(d, n)
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
func (p *problem) countAll(g *group, tc *constraint) *boundCounts {
	p.m.number(tc)
	b := newBoundCounts(g, len(p.nodes))
	for _, n := range p.nodes {
		own, labelled := n.domainOf(g.key)
		d := int32(-1)
		if g.trivial || n.letIn(g, tc, p.m) {
			switch {
			case g.Hostname:
				d = n.host // without the label the node's name stands for it
			case labelled:
				d = own
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
	b.selected = p.m.selectionOf(g)
	for _, n := range p.nodes {
		d := b.domain[n.position]
		if d < 0 {
			continue
		}
		if count := p.m.countOf(n.knownNode, g, b.selected, p.listed); count > 0 {
			g.Record(d, count)
		}
	}
	b.counts = g.Counts()
	return b
}
