package feasibility

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// spreadRule is one topology spread constraint with whenUnsatisfiable
// DoNotSchedule (plugins/podtopologyspread). The system's own default constraints
// are all ScheduleAnyway, which filters nothing.
type spreadRule struct {
	key        int // topology key
	maxSkew    int
	minDomains int
	self       int // 1 if the pod counts itself
	counting   *counting
}

// eligibility says which nodes count for a constraint: those with all topology
// keys of the pod's constraints that its node selection (nodeAffinityPolicy) and
// its tolerations (nodeTaintsPolicy) admit.
type eligibility struct {
	keys     []int
	affinity *demand // nil: not read
	taints   *demand // nil: not read
}

func (e *eligibility) admits(n *node) bool {
	for _, k := range e.keys {
		if n.domain(k) < 0 {
			return false
		}
	}
	if e.taints != nil && !e.taints.tolerates(n.profile.static.taints) {
		return false
	}
	return e.affinity == nil || e.affinity.selects(n)
}

func (u *Universe) spreadRules(pod *corev1.Pod, d *demand) ([]spreadRule, error) {
	var keys []int
	for _, t := range pod.Spec.TopologySpreadConstraints {
		if t.WhenUnsatisfiable == corev1.DoNotSchedule {
			keys = append(keys, u.topologyKey(t.TopologyKey))
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	var rules []spreadRule
	for i, t := range pod.Spec.TopologySpreadConstraints {
		if t.WhenUnsatisfiable != corev1.DoNotSchedule {
			continue
		}
		if t.MaxSkew <= 0 {
			return nil, fmt.Errorf("spec.topologySpreadConstraints[%d]: maxSkew %d is not above 0", i, t.MaxSkew)
		}
		pods, err := keyedSelector(t.LabelSelector, pod, t.MatchLabelKeys, nil)
		if err != nil {
			return nil, fmt.Errorf("spec.topologySpreadConstraints[%d]: labelSelector: %w", i, err)
		}
		e := &eligibility{keys: keys}
		if t.NodeAffinityPolicy == nil || *t.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor {
			e.affinity = d
		}
		if t.NodeTaintsPolicy != nil && *t.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor {
			e.taints = d
		}
		r := spreadRule{key: u.topologyKey(t.TopologyKey), maxSkew: int(t.MaxSkew), minDomains: 1,
			counting: u.spreadCounting(u.topologyKey(t.TopologyKey), u.selector([]string{pod.Namespace}, nil, pods), e)}
		if t.MinDomains != nil {
			r.minDomains = int(*t.MinDomains)
		}
		if pods.Matches(labels.Set(pod.Labels)) {
			r.self = 1
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func (u *Universe) spreadCounting(key int, s *podSelector, e *eligibility) *counting {
	var b strings.Builder
	fmt.Fprintf(&b, "spread|%d|%s|%v", key, s.key, e.keys)
	for _, d := range []*demand{e.affinity, e.taints} {
		if d != nil {
			fmt.Fprintf(&b, "|%d", d.index)
		} else {
			b.WriteString("|-")
		}
	}
	return u.counting(b.String(), &counting{key: key, eligible: e.admits, weigh: func(c *Class) int {
		// Terminating pods are not counted, and an empty selector counts none
		// (podtopologyspread/common.go, countPodsMatchSelector).
		if c.terminating || s.pods.Empty() || !s.matches(c) {
			return 0
		}
		return 1
	}})
}

// spreadAllows is the filter of PodTopologySpread on one node.
func (cl *Cluster) spreadAllows(c *Class, n *node) Refusal {
	for i := range c.spread {
		r := &c.spread[i]
		domain := n.domain(r.key)
		if domain < 0 {
			return SpreadLabel
		}
		counter := cl.counter(r.counting)
		least := counter.least()
		if counter.domains < r.minDomains {
			least = 0
		}
		if counter.at(domain)+r.self-least > r.maxSkew {
			return SpreadSkew
		}
	}
	return Fits
}
