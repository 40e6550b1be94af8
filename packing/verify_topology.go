package packing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// topologyRules checks what concerns several nodes: required pod affinity and
// anti-affinity, and hard topology spread.
func (r *referee) topologyRules() {
	t := &topology{referee: r, domains: map[string]*domains{}}
	for _, at := range r.sites {
		for _, pod := range at.placed {
			t.read(pod)
		}
		for _, pod := range at.bound {
			t.readBound(pod, at)
		}
	}
	// Without constraints nothing is spent on classes and domains.
	if len(t.spreads.inOrder)+len(t.affinities.inOrder)+len(t.antiAffinities.inOrder) == 0 {
		return
	}
	t.classify()
	t.judgeAffinities()
	for _, g := range t.antiAffinities.inOrder {
		t.judgeAntiAffinity(g)
	}
	for i, g := range t.spreads.inOrder {
		t.judgeSpread(g, i+1)
	}
}

// topology is what the rules over several nodes read.
type topology struct {
	*referee
	spreads        groups[spreadGroup]
	affinities     groups[affinityGroup]
	antiAffinities groups[antiAffinityGroup]

	namespaces map[string]labels.Set
	classes    []*labelClass
	byLabel    map[label][]*labelClass
	domains    map[string]*domains // by topology key
}

// groups keeps constraints that say the same together, in the order of their first pods.
type groups[G any] struct {
	byText  map[string]*G
	inOrder []*G
}

func (g *groups[G]) of(text string, start func() *G) *G {
	if group, ok := g.byText[text]; ok {
		return group
	}
	if g.byText == nil {
		g.byText = map[string]*G{}
	}
	group := start()
	g.byText[text] = group
	g.inOrder = append(g.inOrder, group)
	return group
}

// read files the constraints of a placed pod.
func (t *topology) read(pod *placedPod) {
	if len(pod.Spec.TopologySpreadConstraints) > 0 {
		if err := t.readSpread(pod); err != nil {
			t.accuse(RulePodSpec, pod.Pod, pod.at, "%v", err)
		}
	}
	a := pod.Spec.Affinity
	if a == nil {
		return
	}
	if a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
		terms, err := t.terms(pod.Pod, a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		if err != nil {
			t.accuse(RulePodSpec, pod.Pod, pod.at, "required pod affinity: %v", err)
		} else {
			texts := make([]string, len(terms))
			for i, term := range terms {
				texts[i] = term.text
			}
			g := t.affinities.of(strings.Join(texts, "\n"), func() *affinityGroup { return &affinityGroup{terms: terms} })
			g.owners = append(g.owners, pod)
		}
	}
	if a.PodAntiAffinity != nil {
		terms, err := t.terms(pod.Pod, a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		if err != nil {
			t.accuse(RulePodSpec, pod.Pod, pod.at, "required pod anti-affinity: %v", err)
		}
		for _, term := range terms {
			g := t.antiAffinities.of(term.text, func() *antiAffinityGroup { return &antiAffinityGroup{term: term} })
			g.owners = append(g.owners, pod)
		}
	}
}

// readBound files the anti-affinity of a pod that is there. What cannot be read says nothing.
func (t *topology) readBound(pod *corev1.Pod, at *site) {
	a := pod.Spec.Affinity
	if a == nil || a.PodAntiAffinity == nil {
		return
	}
	terms, _ := t.terms(pod, a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
	for _, term := range terms {
		g := t.antiAffinities.of(term.text, func() *antiAffinityGroup { return &antiAffinityGroup{term: term} })
		g.bound = append(g.bound, boundPod{pod, at})
	}
}

type boundPod struct {
	*corev1.Pod
	at *site
}

// podTerm is a required pod affinity or anti-affinity term with everything in it that
// depends on its pod resolved. Terms with equal texts are equal.
type podTerm struct {
	key               string // of the topology
	selector          labels.Selector
	namespaces        []string
	namespaceSelector labels.Selector // nil if the term has none
	text              string
}

func (t *topology) terms(pod *corev1.Pod, stated []corev1.PodAffinityTerm) ([]*podTerm, error) {
	terms := make([]*podTerm, len(stated))
	for i := range stated {
		s := &stated[i]
		term := &podTerm{key: s.TopologyKey, namespaces: s.Namespaces}
		selector, err := metav1.LabelSelectorAsSelector(s.LabelSelector)
		if err != nil {
			return nil, fmt.Errorf("[%d].labelSelector: %w", i, err)
		}
		if s.LabelSelector != nil {
			selector = withPodLabels(selector, pod.Labels, s.MatchLabelKeys, selection.In)
			selector = withPodLabels(selector, pod.Labels, s.MismatchLabelKeys, selection.NotIn)
		}
		term.selector = selector
		if s.NamespaceSelector != nil {
			if term.namespaceSelector, err = metav1.LabelSelectorAsSelector(s.NamespaceSelector); err != nil {
				return nil, fmt.Errorf("[%d].namespaceSelector: %w", i, err)
			}
		} else if len(s.Namespaces) == 0 {
			term.namespaces = []string{pod.Namespace}
		}
		term.text = term.describe()
		terms[i] = term
	}
	return terms, nil
}

// withPodLabels narrows a selector to (In) or from (NotIn) the pod's own values of the
// keys; keys that the pod does not have are ignored. The API server does so on admission; doing
// it again changes nothing.
func withPodLabels(selector labels.Selector, of labels.Set, keys []string, op selection.Operator) labels.Selector {
	for _, key := range keys {
		if value, ok := of[key]; ok {
			if requirement, err := labels.NewRequirement(key, op, []string{value}); err == nil {
				selector = selector.Add(*requirement)
			}
		}
	}
	return selector
}

// describe writes the term so that different terms read differently.
func (p *podTerm) describe() string {
	names := slices.Clone(p.namespaces)
	slices.Sort(names)
	var b strings.Builder
	fmt.Fprintf(&b, "%s; pods %s; namespaces %q", p.key, selectorText(p.selector), names)
	if p.namespaceSelector != nil {
		fmt.Fprintf(&b, " and those %s", selectorText(p.namespaceSelector))
	}
	return b.String()
}

// selectorText tells the selector of all from that of none, which print alike.
func selectorText(s labels.Selector) string {
	if _, selectable := s.Requirements(); !selectable {
		return "(none)"
	}
	if s.Empty() {
		return "(all)"
	}
	return s.String()
}

func (t *topology) inNamespace(p *podTerm, namespace string) bool {
	return slices.Contains(p.namespaces, namespace) ||
		p.namespaceSelector != nil && p.namespaceSelector.Matches(t.namespaces[namespace])
}

// labelClass is the pods of one namespace that carry the same labels, which no selector
// can tell apart.
type labelClass struct {
	namespace string
	labels    labels.Set
	stays     []stay
}

type label struct{ key, value string }

// stay is one pod on its node: placed by the plan, bound before, or (with neither) a daemon pod to come.
type stay struct {
	at     *site
	placed *placedPod
	bound  *corev1.Pod
}

func (s stay) coming() bool { return s.placed == nil && s.bound == nil }

func (s stay) terminating() bool { return s.bound != nil && s.bound.DeletionTimestamp != nil }

// classify sorts all pods of the final state into classes, and indexes those by label.
func (t *topology) classify() {
	t.namespaces = map[string]labels.Set{}
	for _, ns := range t.snapshot.Namespaces {
		t.namespaces[ns.Name] = labels.Merge(labels.Set{corev1.LabelMetadataName: ns.Name}, ns.Labels)
	}
	byText := map[string]*labelClass{}
	var text []byte
	file := func(namespace string, of map[string]string, s stay) *labelClass {
		text = append(text[:0], namespace...)
		for _, key := range sortedKeys(of) {
			text = append(append(append(append(text, 0), key...), 0), of[key]...)
		}
		class := byText[string(text)]
		if class == nil {
			class = &labelClass{namespace: namespace, labels: of}
			byText[string(text)] = class
			t.classes = append(t.classes, class)
		}
		class.stays = append(class.stays, s)
		return class
	}
	for _, at := range t.sites {
		for _, pod := range at.placed {
			pod.class = file(pod.Namespace, pod.Labels, stay{at: at, placed: pod})
		}
		for _, pod := range at.bound {
			file(pod.Namespace, pod.Labels, stay{at: at, bound: pod})
		}
		for _, d := range t.comingDaemons(at) {
			file(d.pod.Namespace, d.pod.Labels, stay{at: at})
		}
	}
	t.byLabel = map[label][]*labelClass{}
	for _, class := range t.classes {
		for key, value := range class.labels {
			t.byLabel[label{key, value}] = append(t.byLabel[label{key, value}], class)
		}
		// Every namespace of a cluster carries its name as a label, objects in the snapshot or not.
		if _, ok := t.namespaces[class.namespace]; !ok {
			t.namespaces[class.namespace] = labels.Set{corev1.LabelMetadataName: class.namespace}
		}
	}
}

// candidates returns the classes that a selector may match: those that carry one of the
// labels that it names outright, if it does.
func (t *topology) candidates(selector labels.Selector) []*labelClass {
	stated, selectable := selector.Requirements()
	if !selectable {
		return nil
	}
	best := t.classes
	for i := range stated {
		s := &stated[i]
		switch s.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals:
			if s.Values().Len() == 1 {
				if with := t.byLabel[label{s.Key(), s.Values().UnsortedList()[0]}]; len(with) < len(best) {
					best = with
				}
			}
		}
	}
	return best
}

// matching returns the classes that a term selects.
func (t *topology) matching(p *podTerm) map[*labelClass]bool {
	found := map[*labelClass]bool{}
	for _, class := range t.candidates(p.selector) {
		if t.inNamespace(p, class.namespace) && p.selector.Matches(class.labels) {
			found[class] = true
		}
	}
	return found
}

// stays calls visit for each pod of the classes, in a fixed order.
func (t *topology) stays(of map[*labelClass]bool, among []*labelClass, visit func(*labelClass, stay)) {
	for _, class := range among {
		if of[class] {
			for _, s := range class.stays {
				visit(class, s)
			}
		}
	}
}

// domains is the partition of the sites by one topology key.
type domains struct {
	key    string
	of     []int // by site; -1 without the label
	values []string
}

func (t *topology) domainsOf(key string) *domains {
	if d, ok := t.domains[key]; ok {
		return d
	}
	d := &domains{key: key, of: make([]int, len(t.sites))}
	ids := map[string]int{}
	for i, at := range t.sites {
		value, ok := at.label(key)
		if !ok {
			d.of[i] = -1
			continue
		}
		id, known := ids[value]
		if !known {
			id = len(d.values)
			ids[value] = id
			d.values = append(d.values, value)
		}
		d.of[i] = id
	}
	t.domains[key] = d
	return d
}

// name prints a domain: zone=a.
func (d *domains) name(id int) string { return d.key + "=" + strconv.Quote(d.values[id]) }
