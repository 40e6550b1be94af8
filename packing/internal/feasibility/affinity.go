package feasibility

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// term is one required pod affinity or anti-affinity term (plugins/interpodaffinity).
type term struct {
	key      int
	selector *podSelector
}

// affinityRule is all required affinity terms of a class. Pods count only if they
// match all of them.
type affinityRule struct {
	terms     []term
	countings []*counting // one for each term
	self      bool        // the class matches its own terms
}

// podAffinity compiles a class's affinity and anti-affinity. The class is not yet
// numbered; nothing here may keep a verdict about it.
func (u *Universe) podAffinity(c *Class) error {
	a := c.Pod.Spec.Affinity
	if a == nil {
		return nil
	}
	if a.PodAffinity != nil {
		terms, err := u.terms(c.Pod, "podAffinity", a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		if err != nil {
			return err
		}
		if len(terms) > 0 {
			c.affinity = u.affinityRule(terms)
			c.affinity.self = true
			for _, t := range terms {
				c.affinity.self = c.affinity.self && t.selector.judge(c)
			}
		}
	}
	if a.PodAntiAffinity != nil {
		terms, err := u.terms(c.Pod, "podAntiAffinity", a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		if err != nil {
			return err
		}
		for _, t := range terms {
			c.antiAffinity = append(c.antiAffinity, u.matchedCounting(t))
			c.carries = append(c.carries, u.carriedCounting(t))
		}
	}
	return nil
}

func (u *Universe) terms(pod *corev1.Pod, field string, from []corev1.PodAffinityTerm) ([]term, error) {
	out := make([]term, 0, len(from))
	for i, t := range from {
		pods, err := keyedSelector(t.LabelSelector, pod, t.MatchLabelKeys, t.MismatchLabelKeys)
		if err != nil {
			return nil, fmt.Errorf("spec.affinity.%s: term %d: labelSelector: %w", field, i, err)
		}
		var byLabels labels.Selector
		if t.NamespaceSelector != nil {
			if byLabels, err = metav1.LabelSelectorAsSelector(t.NamespaceSelector); err != nil {
				return nil, fmt.Errorf("spec.affinity.%s: term %d: namespaceSelector: %w", field, i, err)
			}
		}
		namespaces := t.Namespaces
		if len(namespaces) == 0 && byLabels == nil {
			namespaces = []string{pod.Namespace}
		}
		if t.TopologyKey == "" {
			return nil, fmt.Errorf("spec.affinity.%s: term %d: topologyKey is empty", field, i)
		}
		out = append(out, term{u.topologyKey(t.TopologyKey), u.selector(namespaces, byLabels, pods)})
	}
	return out, nil
}

func (u *Universe) affinityRule(terms []term) *affinityRule {
	var all strings.Builder
	for _, t := range terms {
		fmt.Fprintf(&all, "|%d %s", t.key, t.selector.key)
	}
	rule := &affinityRule{terms: terms}
	for i, t := range terms {
		rule.countings = append(rule.countings, u.counting(fmt.Sprintf("affinity|%d%s", i, all.String()), &counting{
			key: t.key, eligible: hasDomain(t.key), weigh: func(c *Class) int {
				for _, t := range terms {
					if !t.selector.matches(c) {
						return 0
					}
				}
				return 1
			}}))
	}
	return rule
}

// matchedCounting counts the pods that a term matches.
func (u *Universe) matchedCounting(t term) *counting {
	return u.counting(fmt.Sprintf("matched|%d %s", t.key, t.selector.key), &counting{
		key: t.key, eligible: hasDomain(t.key), weigh: func(c *Class) int {
			if t.selector.matches(c) {
				return 1
			}
			return 0
		}})
}

// carriedCounting counts the pods that have a term as their own anti-affinity.
func (u *Universe) carriedCounting(t term) *counting {
	fresh := &counting{key: t.key, eligible: hasDomain(t.key), term: t.selector}
	fresh.weigh = func(c *Class) int {
		n := 0
		for _, own := range c.carries {
			if own == fresh {
				n++
			}
		}
		return n
	}
	known := u.counting(fmt.Sprintf("carried|%d %s", t.key, t.selector.key), fresh)
	if known == fresh {
		u.antiTerms = append(u.antiTerms, fresh)
	}
	return known
}

func hasDomain(key int) func(*node) bool {
	return func(n *node) bool { return n.domain(key) >= 0 }
}

// repelled returns the terms of any class that match this one.
func (c *Class) repelled() []*counting {
	for ; c.repelledSeen < len(c.universe.antiTerms); c.repelledSeen++ {
		if t := c.universe.antiTerms[c.repelledSeen]; t.term.matches(c) {
			c.repelledBy = append(c.repelledBy, t)
		}
	}
	return c.repelledBy
}

// affinityAllows is the filter of InterPodAffinity on one node.
func (cl *Cluster) affinityAllows(c *Class, n *node) Refusal {
	if c.affinity != nil && !cl.affinityMet(c, n) {
		return PodAffinity
	}
	for _, t := range c.antiAffinity {
		if d := n.domain(t.key); d >= 0 && cl.counter(t).at(d) > 0 {
			return PodAntiAffinity
		}
	}
	for _, t := range c.repelled() {
		if d := n.domain(t.key); d >= 0 && cl.counter(t).at(d) > 0 {
			return ExistingAntiAffinity
		}
	}
	return Fits
}

// affinityMet: every term has a matching pod in the node's domain, or there is no
// matching pod anywhere and the pod matches its own terms (the first of its series).
func (cl *Cluster) affinityMet(c *Class, n *node) bool {
	met, none := true, true
	for i, t := range c.affinity.terms {
		d := n.domain(t.key)
		if d < 0 {
			return false
		}
		counter := cl.counter(c.affinity.countings[i])
		met = met && counter.at(d) > 0
		none = none && counter.total == 0
	}
	return met || none && c.affinity.self
}
