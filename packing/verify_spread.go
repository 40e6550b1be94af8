package packing

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// spreadGroup is the placed pods for which the same hard topology spread constraint
// counts the same pods on the same nodes.
type spreadGroup struct {
	key        string
	maxSkew    int
	minDomains int
	selector   labels.Selector
	namespace  string

	hardKeys      []string    // a node counts if it has all of them
	honorAffinity bool        // and matches the node selector and affinity of ...
	honorTaints   bool        // or has no taint that is not tolerated by ...
	sample        *corev1.Pod // ... any pod of the group
	owners        []*placedPod
}

// readSpread files the DoNotSchedule constraints of a pod.
func (t *topology) readSpread(pod *placedPod) error {
	var hardKeys []string
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == corev1.DoNotSchedule {
			hardKeys = append(hardKeys, c.TopologyKey)
		}
	}
	slices.Sort(hardKeys)
	for i := range pod.Spec.TopologySpreadConstraints {
		c := &pod.Spec.TopologySpreadConstraints[i]
		if c.WhenUnsatisfiable != corev1.DoNotSchedule {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(c.LabelSelector)
		if err != nil {
			return fmt.Errorf("topologySpreadConstraints[%d].labelSelector: %w", i, err)
		}
		group := spreadGroup{
			key: c.TopologyKey, maxSkew: int(c.MaxSkew), minDomains: 1,
			selector:  withPodLabels(selector, pod.Labels, c.MatchLabelKeys, selection.In),
			namespace: pod.Namespace,
			hardKeys:  hardKeys, sample: pod.Pod,
			honorAffinity: c.NodeAffinityPolicy == nil || *c.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor,
			honorTaints:   c.NodeTaintsPolicy != nil && *c.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor,
		}
		if c.MinDomains != nil {
			group.minDomains = int(*c.MinDomains)
		}
		g := t.spreads.of(group.text(), func() *spreadGroup { return &group })
		g.owners = append(g.owners, pod)
	}
	return nil
}

// text is equal for constraints that count the same, different for others.
func (g *spreadGroup) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %d %s %q %q", g.key, g.maxSkew, g.minDomains, g.namespace, g.hardKeys, selectorText(g.selector))
	write := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			text = fmt.Append(nil, err)
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	if g.honorAffinity {
		if len(g.sample.Spec.NodeSelector) > 0 {
			write(g.sample.Spec.NodeSelector)
		}
		if a := g.sample.Spec.Affinity; a != nil && a.NodeAffinity != nil {
			write(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		}
	}
	if g.honorTaints {
		write(g.sample.Spec.Tolerations)
	}
	return b.String()
}

// eligible reports whether the nodes counts for the constraint: kube-scheduler's
// PodTopologySpread, with its node inclusion policies.
func (g *spreadGroup) eligible(at *site) bool {
	for _, key := range g.hardKeys {
		if _, ok := at.label(key); !ok {
			return false
		}
	}
	if g.honorAffinity && whyNotRequired(g.sample, at) != "" {
		return false
	}
	if g.honorTaints {
		if _, refused := untolerated(at.taints, g.sample.Spec.Tolerations); refused {
			return false
		}
	}
	return true
}

// spreadDomain is what a spread constraint counts in one domain.
type spreadDomain struct {
	id     int
	birth  int // of its first eligible node
	before int // matching pods that are bound
	owners int // matching pods of the group
	others int // matching pods that may come at any time: placed ones without the constraint, daemons

	lastOwner *placedPod // of the owners that match, the one on the node that comes last
	lastGuest *placedPod // of those that do not
}

func (d *spreadDomain) all() int { return d.before + d.owners + d.others }

// judgeSpread accuses a domain if no order of binding lets its last pod of the group
// pass. kube-scheduler lets a pod into a domain if the matching pods there, the
// pod itself counted if it matches, exceed the fewest of any domain by at most maxSkew.
//
// When the last matching owner comes, its domain holds at least the pods bound before and
// all owners, and the domains of all nodes opened up to its own are there, each
// with at most all the pods that it will ever have. If that is too much the
// order cannot exist. With every domain there from the start the converse holds too:
// serving always the domain with the fewest pods, owners first, is such an order.
func (t *topology) judgeSpread(g *spreadGroup, mark int) {
	key := t.domainsOf(g.key)
	for _, pod := range g.owners {
		if key.of[pod.at.index] < 0 {
			t.accuse(RuleTopologySpread, pod.Pod, pod.at, "the node has no label %s", g.key)
		}
	}
	// As kube-scheduler, which counts nothing for a selector without requirements.
	if g.selector.Empty() {
		return
	}
	// Which nodes count changes while nodes shed taints that the constraint honors; in which
	// order they do is open.
	if g.honorTaints && slices.ContainsFunc(t.sites, func(at *site) bool {
		_, refused := untolerated(at.shed, g.sample.Spec.Tolerations)
		return refused
	}) {
		return
	}
	found := t.countSpread(g, key, mark)
	slices.SortStableFunc(found, func(a, b spreadDomain) int { return a.birth - b.birth })
	// fewest[i] is the smallest count in the first i+1 domains.
	fewest := make([]int, len(found))
	for i := range found {
		fewest[i] = found[i].all()
		if i > 0 {
			fewest[i] = min(fewest[i], fewest[i-1])
		}
	}
	// minimum is the largest that the global minimum can be once the node born then is there.
	minimum := func(birth int) int {
		if t.allDomains {
			birth = math.MaxInt
		}
		if len(found) < g.minDomains {
			return 0
		}
		// What comes later only lowers it, unless there are too few domains until then.
		birth = max(birth, found[max(g.minDomains, 1)-1].birth)
		n := sort.Search(len(found), func(i int) bool { return found[i].birth > birth })
		return fewest[n-1]
	}
	for i := range found {
		d := &found[i]
		if d.lastOwner != nil {
			if least := minimum(d.lastOwner.at.birth); d.before+d.owners-least > g.maxSkew {
				t.accuse(RuleTopologySpread, d.lastOwner.Pod, d.lastOwner.at, "%s holds %d matching pods (%d of them bound), the least of %d domains %d: skew over %d",
					key.name(d.id), d.before+d.owners, d.before, len(found), least, g.maxSkew)
			}
		}
		if d.lastGuest != nil {
			if least := minimum(d.lastGuest.at.birth); d.before-least > g.maxSkew {
				t.accuse(RuleTopologySpread, d.lastGuest.Pod, d.lastGuest.at, "%s holds %d bound matching pods, the least of %d domains %d: skew over %d",
					key.name(d.id), d.before, len(found), least, g.maxSkew)
			}
		}
	}
}

// countSpread counts the matching pods in the domains of the eligible nodes.
func (t *topology) countSpread(g *spreadGroup, key *domains, mark int) []spreadDomain {
	all := make([]spreadDomain, len(key.values))
	for id := range all {
		all[id] = spreadDomain{id: id, birth: math.MaxInt}
	}
	eligible := make([]bool, len(t.sites))
	for i, at := range t.sites {
		id := key.of[i]
		if id < 0 || !g.eligible(at) {
			continue
		}
		eligible[i] = true
		all[id].birth = min(all[id].birth, at.birth)
	}
	for _, pod := range g.owners {
		pod.mark = mark
		if eligible[pod.at.index] {
			d := &all[key.of[pod.at.index]]
			d.lastGuest = latest(d.lastGuest, pod, !t.matches(g, pod.class))
		}
	}
	for _, class := range t.candidates(g.selector) {
		if !t.matches(g, class) {
			continue
		}
		for _, s := range class.stays {
			if !eligible[s.at.index] || s.terminating() {
				continue
			}
			d := &all[key.of[s.at.index]]
			switch {
			case s.bound != nil:
				d.before++
			case s.placed != nil && s.placed.mark == mark:
				d.owners++
				d.lastOwner = latest(d.lastOwner, s.placed, true)
			default:
				d.others++
			}
		}
	}
	// Domains without an eligible node do not exist for the constraint.
	return slices.DeleteFunc(all, func(d spreadDomain) bool { return d.birth == math.MaxInt })
}

func (t *topology) matches(g *spreadGroup, class *labelClass) bool {
	return class.namespace == g.namespace && g.selector.Matches(class.labels)
}

// latest returns the pod whose node comes last, the later one of equals.
func latest(a, b *placedPod, count bool) *placedPod {
	if !count || a != nil && a.at.birth > b.at.birth {
		return a
	}
	return b
}
