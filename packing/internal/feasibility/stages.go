package feasibility

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// CheckNode runs the filters that read nothing but the node and the pods on it:
// taints, node selection, host ports, resources. Its answer stands until something
// changes on that node.
func (cl *Cluster) CheckNode(c *Class, index int32) Refusal { return cl.checkNode(c, index) }

// CheckRules runs the filters that CheckNode leaves out: volumes, spread and affinity.
func (cl *Cluster) CheckRules(c *Class, index int32) Refusal {
	n := &cl.nodes[index]
	if len(n.shared.ids) != len(cl.universe.topologyLabels) {
		cl.extend(n.shared, n.profile.static)
	}
	if c.volumes != nil {
		if r := cl.volumesAllow(c, n); r != Fits {
			return r
		}
	}
	if r := cl.spreadAllows(c, n); r != Fits {
		return r
	}
	return cl.affinityAllows(c, n)
}

// Ruled reports whether CheckRules may refuse a pod of the class. A class that is met
// later and keeps away from this one makes it so.
func (c *Class) Ruled() bool {
	return c.volumes != nil || len(c.spread) > 0 || c.affinity != nil || len(c.antiAffinity) > 0 || len(c.repelled()) > 0
}

// Within reports whether the requests of one pod fit into an empty node of a profile.
func (c *Class) Within(p *Profile) bool {
	return !slices.ContainsFunc(c.requests, func(a amount) bool {
		return a.dim != dimPods && a.value > p.Allocatable.Get(c.universe.dimNames[a.dim])
	})
}

// SelectsLabels reports whether a node meets the class's node selector and required node affinity.
func (c *Class) SelectsLabels(p *Profile) bool {
	return c.demand.selects(&node{name: p.Node.Name, profile: p})
}

// PortsClash reports whether pods of both classes want the same port of their host.
func (c *Class) PortsClash(o *Class) bool { return portsClash(c, o) }

// Tolerates reports whether the class tolerates the taints of a node that turn pods away.
func (c *Class) Tolerates(p *Profile) bool { return c.demand.tolerates(p.static.taints) }

// Tolerated reports whether one of the tolerations is for the taint.
func Tolerated(tolerations []corev1.Toleration, taint *corev1.Taint) bool {
	return tolerated(tolerations, taint)
}

// ValidTerm says what is wrong with a node selector term, nil if nothing is.
func ValidTerm(t *corev1.NodeSelectorTerm) error {
	for i, e := range t.MatchExpressions {
		if err := validExpression(e); err != nil {
			return fmt.Errorf("matchExpressions[%d]: %w", i, err)
		}
	}
	for i, e := range t.MatchFields {
		if e.Key != "metadata.name" {
			return fmt.Errorf("matchFields[%d]: key %q: only metadata.name can be matched", i, e.Key)
		}
		if err := validExpression(e); err != nil {
			return fmt.Errorf("matchFields[%d]: %w", i, err)
		}
	}
	return nil
}

// TermMatches reports whether a node matches a valid node selector term. An empty one matches none.
func TermMatches(t *corev1.NodeSelectorTerm, n *corev1.Node) bool {
	label := func(key string) (string, bool) { v, ok := n.Labels[key]; return v, ok }
	name := func(string) (string, bool) { return n.Name, true }
	return len(t.MatchExpressions)+len(t.MatchFields) > 0 &&
		allMatch(t.MatchExpressions, label) && allMatch(t.MatchFields, name)
}

// Selector says which pods a spread constraint or an affinity term is about.
// Selectors of one universe that say the same are equal.
type Selector struct{ pods *podSelector }

// Matches reports whether pods of a class are selected.
func (s Selector) Matches(c *Class) bool { return s.pods.matches(c) }

// Empty reports whether the selector asks nothing of labels.
func (s Selector) Empty() bool { return s.pods.pods.Empty() }

// SpreadSelector returns the pods that a pod's spread constraint counts.
func (u *Universe) SpreadSelector(pod *corev1.Pod, t *corev1.TopologySpreadConstraint) (Selector, error) {
	pods, err := keyedSelector(t.LabelSelector, pod, t.MatchLabelKeys, nil)
	if err != nil {
		return Selector{}, err
	}
	return Selector{u.selector([]string{pod.Namespace}, nil, pods)}, nil
}

// LabelsSelector returns the pods of a namespace that have all of the labels.
func (u *Universe) LabelsSelector(namespace string, with map[string]string) Selector {
	return Selector{u.selector([]string{namespace}, nil, labels.SelectorFromSet(with))}
}

// Term is a pod affinity term: the pods that it is about, and the label of nodes that makes its domains.
type Term struct {
	TopologyKey string
	Pods        Selector
}

// Terms compiles pod affinity terms of a pod. Errors name the field.
func (u *Universe) Terms(pod *corev1.Pod, field string, from []corev1.PodAffinityTerm) ([]Term, error) {
	terms, err := u.terms(pod, field, from)
	if err != nil {
		return nil, err
	}
	out := make([]Term, len(terms))
	for i, t := range terms {
		out[i] = Term{u.topologyLabels[t.key], Selector{t.selector}}
	}
	return out, nil
}
