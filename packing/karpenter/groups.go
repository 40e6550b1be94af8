package karpenter

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
	"github.com/binwright/binwright/packing/requirements"
)

// constraint is a topology constraint that a pod states.
type constraint struct {
	topology.Constraint
	identity string
	// inverse: it is a required anti-affinity, seen from the pods that it keeps off.
	inverse bool
	// number tells it apart from other constraints, as of numberEra, see [memory.number].
	number, numberEra int
}

// group is a topology group in one run.
type group struct {
	*topology.Group
	key     *topologyKey
	number  int  // unique in the problem
	trivial bool // its node filter lets all nodes in
	// byHost: its node filter reads the host name.
	byHost bool
	// matches remembers what the node filter says, by set and taints.
	matches map[filtered]bool
}

type filtered struct {
	set    compiled.SetID
	taints int32 // pool, or -1-node
}

// compileConstraints collects the constraints of a class's pods, preferences too
// if they count.
func (p *problem) compileConstraints(c *class) error {
	if c.refusal != nil {
		return nil
	}
	policy := p.w.packer.settings.preferences
	separate := p.w.packer.settings.quirks&TopologyGroupsMerge == 0
	for i := range c.pod.Spec.TopologySpreadConstraints {
		t := &c.pod.Spec.TopologySpreadConstraints[i]
		if policy == Ignore && t.WhenUnsatisfiable != corev1.DoNotSchedule {
			continue
		}
		sc, err := topology.SpreadOf(c.pod, t, separate)
		if err != nil {
			return fmt.Errorf("topologySpreadConstraints[%d]: %w", i, err)
		}
		c.constraints = append(c.constraints, constraint{Constraint: sc, identity: sc.Identity()})
	}
	var failed error
	eachPodTerm(c.pod.Spec.Affinity, func(t *corev1.PodAffinityTerm, where podTerm) {
		if where.preferred && policy == Ignore || failed != nil {
			return
		}
		tc, err := p.termConstraint(c.pod, t, where.anti)
		if err != nil {
			failed = fmt.Errorf("pod affinity term on %s: %w", t.TopologyKey, err)
			return
		}
		c.constraints = append(c.constraints, tc)
		if where.anti && !where.preferred {
			tc.inverse = true
			c.constraints = append(c.constraints, tc)
		}
	})
	return failed
}

func (p *problem) termConstraint(pod *corev1.Pod, t *corev1.PodAffinityTerm, anti bool) (constraint, error) {
	namespaces, err := p.namespacesOf(pod, t)
	if err != nil {
		return constraint{}, err
	}
	kind := topology.Affinity
	if anti {
		kind = topology.AntiAffinity
	}
	tc := topology.TermOf(kind, t, namespaces, p.w.packer.settings.quirks&TopologyGroupsMerge == 0)
	tc.Selector = withLabelKeys(pod, t)
	return constraint{Constraint: tc, identity: tc.Identity()}, nil
}

// withLabelKeys returns the term's selector with matchLabelKeys and
// mismatchLabelKeys worked in, as the API server does when a pod is made; where it
// has done so, that changes nothing.
func withLabelKeys(pod *corev1.Pod, t *corev1.PodAffinityTerm) *metav1.LabelSelector {
	if t.LabelSelector == nil || len(t.MatchLabelKeys)+len(t.MismatchLabelKeys) == 0 {
		return t.LabelSelector
	}
	s := t.LabelSelector.DeepCopy()
	add := func(keys []string, op metav1.LabelSelectorOperator) {
		for _, key := range keys {
			if value, ok := pod.Labels[key]; ok {
				s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: []string{value}})
			}
		}
	}
	add(t.MatchLabelKeys, metav1.LabelSelectorOpIn)
	add(t.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
	return s
}

// prepareGroups makes the groups of all pods, those bound to nodes first, then
// the waiting ones in their order. Models NewTopology of Karpenter v1.14.1.
func (r *run) prepareGroups() {
	r.keepOffBound()
	for _, c := range r.p.classes {
		r.own(c)
	}
	for _, c := range r.p.classes {
		r.profileOf(c)
	}
}

// own finds or makes the groups of a class's constraints. Models Topology.Update.
func (r *run) own(c *class) {
	c.owned, c.ownedHosts, c.keeps = c.owned[:0], c.ownedHosts[:0], c.keeps[:0]
	c.inverse, c.inverseHosts = c.inverse[:0], c.inverseHosts[:0]
	c.selectedBy, c.matched = c.selectedBy[:0], 0
	for i := range c.constraints {
		tc := &c.constraints[i]
		if tc.inverse {
			if g := r.inverseGroup(tc, c.pod); !slices.Contains(c.keeps, g) {
				c.keeps = append(c.keeps, g)
			}
			continue
		}
		g, ok := r.groupOf[tc.identity]
		if !ok {
			g = r.newGroup(tc, c.pod)
			r.countBound(g, tc)
			r.groupOf[tc.identity] = g
			r.groups = append(r.groups, g)
		}
		list := &c.owned
		if g.Hostname {
			list = &c.ownedHosts
		}
		if !slices.ContainsFunc(*list, func(o ownedGroup) bool { return o.group == g }) {
			*list = append(*list, ownedGroup{g, r.selects(g, c)})
		}
	}
}

func (r *run) inverseGroup(tc *constraint, pod *corev1.Pod) *group {
	g, ok := r.inverseOf[tc.identity]
	if !ok {
		g = r.newGroup(tc, pod)
		r.inverseOf[tc.identity] = g
		r.inverse = append(r.inverse, g)
	}
	return g
}

// newGroup returns the group that a constraint makes, without bound pods.
func (r *run) newGroup(tc *constraint, pod *corev1.Pod) *group {
	known := r.p.shared.groups[tc]
	if known != nil {
		known.group.SetCounts(known.start)
		return known.group
	}
	k := r.w.key(tc.Key)
	g := &group{
		Group:   topology.NewGroup(tc.Constraint, pod.Spec.Tolerations, k.domains, k.universe),
		key:     k,
		number:  len(r.p.shared.groups),
		trivial: tc.Filter.Trivial(),
	}
	tc.Filter.Keys(func(key string) { g.byHost = g.byHost || key == corev1.LabelHostname })
	if !g.trivial {
		g.matches = map[filtered]bool{}
	}
	r.p.shared.groups[tc] = &sharedGroup{g, g.Counts()}
	return g
}

// selects reports whether a group counts pods of a class.
func (r *run) selects(g *group, c *class) bool {
	if c.selectsIn != r.p.shared {
		c.selectsIn, c.selects = r.p.shared, c.selects[:0]
	}
	for g.number >= len(c.selects) {
		c.selects = append(c.selects, 0)
	}
	if c.selects[g.number] == 0 {
		c.selects[g.number] = 1
		if g.Selects(c.pod.Namespace, labels.Set(c.pod.Labels)) {
			c.selects[g.number] = 2
		}
	}
	return c.selects[g.number] == 2
}

// selecting returns the groups that count pods of the class.
func (r *run) selecting(c *class) []*group {
	for _, g := range r.groups[c.matched:] {
		if r.selects(g, c) {
			c.selectedBy = append(c.selectedBy, g)
		}
	}
	c.matched = len(r.groups)
	return c.selectedBy
}

// record counts a pod that was placed on a host whose node meets a set. taints
// tells hosts apart for node filters: the pool, or -1 less the node.
// Models Topology.Record.
func (r *run) record(c *class, host int32, set compiled.SetID, taints int32) {
	for _, g := range r.selecting(c) {
		if !g.trivial && !r.filterMatches(g, host, set, taints) {
			continue
		}
		if g.Hostname {
			g.Record(host, 1)
			continue
		}
		d := g.key.record(r.w, set)
		if g.Kind == topology.AntiAffinity {
			for _, v := range d.values {
				g.Record(v, 1)
			}
		} else if d.single >= 0 {
			g.Record(d.single, 1)
		}
	}
	for _, g := range c.keeps {
		if g.Hostname {
			g.Record(host, 1)
			continue
		}
		for _, v := range g.key.record(r.w, set).values {
			g.Record(v, 1)
		}
	}
}

func (r *run) filterMatches(g *group, host int32, set compiled.SetID, taints int32) bool {
	at := filtered{set, taints}
	if !g.byHost {
		if m, ok := g.matches[at]; ok {
			return m
		}
	}
	reqs := r.w.sets.Get(set)
	if g.byHost {
		reqs = reqs.Add(requirements.Must(corev1.LabelHostname, requirements.In, r.hostname(host)))
	}
	m := g.MatchesNode(r.taintsOf(taints), reqs)
	if !g.byHost {
		g.matches[at] = m
	}
	return m
}
