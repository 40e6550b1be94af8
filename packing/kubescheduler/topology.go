package kubescheduler

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// topologyKey is one label of nodes that makes domains. The numbers of domains are
// small: that of a domain whose last node goes is given again.
type topologyKey struct {
	label   string
	domains map[string]int32 // by value
	nodes   []int32          // by domain: how many nodes are in it
	vacant  []int32          // domains to give anew
	domain  []int32          // by node id, -1 where the label is missing
}

// topologyKey returns the key of a label; the first time it places all nodes.
func (s *Scheduler) topologyKey(label string) *topologyKey {
	if k, ok := s.keys[label]; ok {
		return k
	}
	k := &topologyKey{label: label, domains: make(map[string]int32)}
	s.keys[label] = k
	s.keyList = append(s.keyList, k)
	for id, n := range s.nodes {
		if n != nil {
			k.enter(int32(id), n.object)
		}
	}
	return k
}

func (k *topologyKey) enter(id int32, n *corev1.Node) {
	k.domain = extend(k.domain, id)
	k.domain[id] = -1
	value, ok := n.Labels[k.label]
	if !ok {
		return
	}
	d, ok := k.domains[value]
	if !ok {
		d = int32(len(k.nodes))
		if last := len(k.vacant) - 1; last >= 0 {
			d, k.vacant = k.vacant[last], k.vacant[:last]
		} else {
			k.nodes = append(k.nodes, 0)
		}
		k.domains[value] = d
	}
	k.nodes[d]++
	k.domain[id] = d
}

func (k *topologyKey) leave(id int32, n *corev1.Node) {
	d := k.domain[id]
	if d < 0 {
		return
	}
	k.domain[id] = -1
	if k.nodes[d]--; k.nodes[d] == 0 {
		delete(k.domains, n.Labels[k.label])
		k.vacant = append(k.vacant, d)
	}
}

// extend makes a slice long enough to hold an index.
func extend[T any](of []T, index int32) []T {
	if int(index) < len(of) {
		return of
	}
	return append(of, make([]T, int(index)+1-len(of))...)
}

// scope is the nodes whose pods count for a spread constraint: those with all of
// some labels that, as its policies say, the pod's node selection and tolerations
// admit (podtopologyspread/common.go, matchNodeInclusionPolicies).
type scope struct {
	keys     []*topologyKey
	affinity *Class // whose node selection counts, nil: none does
	taints   *Class // whose tolerations count, nil: none do
	admitted []bool // by node id
}

// scope returns the scope of one constraint of a class, nil for all nodes.
func (s *Scheduler) scope(c *Class, t *corev1.TopologySpreadConstraint, labels []string) *scope {
	e := &scope{}
	var key strings.Builder
	for _, label := range slices.Sorted(slices.Values(labels)) {
		e.keys = append(e.keys, s.topologyKey(label))
		fmt.Fprintf(&key, "%q", label)
	}
	if t.NodeAffinityPolicy == nil || *t.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor {
		if selection := nodeSelection(c.Pod); selection != "" {
			e.affinity = c
			fmt.Fprintf(&key, "|affinity %s", selection)
		}
	}
	if t.NodeTaintsPolicy != nil && *t.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor {
		e.taints = c
		fmt.Fprintf(&key, "|taints %v", c.Pod.Spec.Tolerations)
	}
	if len(e.keys) == 0 && e.affinity == nil && e.taints == nil {
		return nil
	}
	if known, ok := s.scopes[key.String()]; ok {
		return known
	}
	s.scopes[key.String()] = e
	for id, n := range s.nodes {
		if n != nil {
			e.judge(int32(id), n)
		}
	}
	return e
}

func (e *scope) judge(id int32, n *node) {
	e.admitted = extend(e.admitted, id)
	e.admitted[id] = (e.affinity == nil || e.affinity.filter.SelectsLabels(n.profile)) &&
		(e.taints == nil || e.taints.filter.Tolerates(n.profile)) &&
		!slices.ContainsFunc(e.keys, func(k *topologyKey) bool { return k.domain[id] < 0 })
}
