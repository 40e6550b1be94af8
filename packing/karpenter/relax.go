package karpenter

import (
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"
)

// relaxed returns a copy of the pod with one constraint fewer, nil if there is
// none that may go. The order is that of Karpenter v1.14.1 preferences.go: an
// OR-ed node affinity term, a preferred pod affinity, a preferred pod
// anti-affinity, a preferred node affinity, a ScheduleAnyway spread, and at last,
// if some pool has such a taint, all PreferNoSchedule taints are tolerated.
func relaxed(pod *corev1.Pod, tolerateTaints bool) *corev1.Pod {
	p := *pod
	s := &p.Spec
	if s.Affinity != nil {
		a := *s.Affinity
		s.Affinity = &a
		if dropRequiredTerm(&a) || dropPodAffinity(&a) || dropPodAntiAffinity(&a) || dropPreferredTerm(&a) {
			return &p
		}
	}
	if i := slices.IndexFunc(s.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
		return c.WhenUnsatisfiable == corev1.ScheduleAnyway
	}); i >= 0 {
		last := len(s.TopologySpreadConstraints) - 1
		s.TopologySpreadConstraints = slices.Clone(s.TopologySpreadConstraints)
		s.TopologySpreadConstraints[i] = s.TopologySpreadConstraints[last]
		s.TopologySpreadConstraints = s.TopologySpreadConstraints[:last]
		return &p
	}
	if tolerateTaints && toleratePreferNoSchedule(&p) {
		return &p
	}
	return nil
}

// toleratePreferNoSchedule adds the toleration unless the pod has it.
func toleratePreferNoSchedule(p *corev1.Pod) bool {
	all := corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectPreferNoSchedule}
	for i := range p.Spec.Tolerations {
		if p.Spec.Tolerations[i].MatchToleration(&all) {
			return false
		}
	}
	p.Spec.Tolerations = append(slices.Clip(p.Spec.Tolerations), all)
	return true
}

// dropRequiredTerm drops the first of several OR-ed terms; one must stay.
func dropRequiredTerm(a *corev1.Affinity) bool {
	if a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return false
	}
	terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) < 2 {
		return false
	}
	n := *a.NodeAffinity
	n.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: terms[1:]}
	a.NodeAffinity = &n
	return true
}

func dropPreferredTerm(a *corev1.Affinity) bool {
	if a.NodeAffinity == nil || len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 0 {
		return false
	}
	n := *a.NodeAffinity
	terms := byWeight(n.PreferredDuringSchedulingIgnoredDuringExecution)
	sort.SliceStable(terms, func(i, j int) bool { return terms[i].Weight > terms[j].Weight })
	n.PreferredDuringSchedulingIgnoredDuringExecution = terms[1:]
	a.NodeAffinity = &n
	return true
}

func dropPodAffinity(a *corev1.Affinity) bool {
	if a.PodAffinity == nil || len(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 0 {
		return false
	}
	p := *a.PodAffinity
	p.PreferredDuringSchedulingIgnoredDuringExecution = withoutHeaviest(p.PreferredDuringSchedulingIgnoredDuringExecution)
	a.PodAffinity = &p
	return true
}

func dropPodAntiAffinity(a *corev1.Affinity) bool {
	if a.PodAntiAffinity == nil || len(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 0 {
		return false
	}
	p := *a.PodAntiAffinity
	p.PreferredDuringSchedulingIgnoredDuringExecution = withoutHeaviest(p.PreferredDuringSchedulingIgnoredDuringExecution)
	a.PodAntiAffinity = &p
	return true
}

func withoutHeaviest(terms []corev1.WeightedPodAffinityTerm) []corev1.WeightedPodAffinityTerm {
	sorted := slices.Clone(terms)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Weight > sorted[j].Weight })
	return sorted[1:]
}
