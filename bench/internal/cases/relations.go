package cases

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func affinityTerm(key string, selector *metav1.LabelSelector) corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: selector}
}

func (d *deployment) requireTogether(t corev1.PodAffinityTerm) {
	if d.affinity().PodAffinity == nil {
		d.spec.Affinity.PodAffinity = &corev1.PodAffinity{}
	}
	a := d.spec.Affinity.PodAffinity
	a.RequiredDuringSchedulingIgnoredDuringExecution = append(a.RequiredDuringSchedulingIgnoredDuringExecution, t)
}

func (d *deployment) requireApart(t corev1.PodAffinityTerm) {
	if d.affinity().PodAntiAffinity == nil {
		d.spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{}
	}
	a := d.spec.Affinity.PodAntiAffinity
	a.RequiredDuringSchedulingIgnoredDuringExecution = append(a.RequiredDuringSchedulingIgnoredDuringExecution, t)
}

func (d *deployment) preferTogether(weight int32, key string, selector *metav1.LabelSelector) {
	if d.affinity().PodAffinity == nil {
		d.spec.Affinity.PodAffinity = &corev1.PodAffinity{}
	}
	a := d.spec.Affinity.PodAffinity
	a.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PreferredDuringSchedulingIgnoredDuringExecution,
		corev1.WeightedPodAffinityTerm{Weight: weight, PodAffinityTerm: affinityTerm(key, selector)})
}

func (d *deployment) preferApart(weight int32, key string, selector *metav1.LabelSelector) {
	if d.affinity().PodAntiAffinity == nil {
		d.spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{}
	}
	a := d.spec.Affinity.PodAntiAffinity
	a.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PreferredDuringSchedulingIgnoredDuringExecution,
		corev1.WeightedPodAffinityTerm{Weight: weight, PodAffinityTerm: affinityTerm(key, selector)})
}

// spread adds a topology spread constraint and returns it for further settings.
func (g *generator) spread(d *deployment, key string, when corev1.UnsatisfiableConstraintAction, selector *metav1.LabelSelector) *corev1.TopologySpreadConstraint {
	d.spec.TopologySpreadConstraints = append(d.spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
		MaxSkew: pick(g, int32(1), 1, 1, 2, 3), TopologyKey: key, WhenUnsatisfiable: when, LabelSelector: selector,
	})
	return &d.spec.TopologySpreadConstraints[len(d.spec.TopologySpreadConstraints)-1]
}

// spreadPolicies sets what else a spread constraint can say.
func (g *generator) spreadPolicies(d *deployment, c *corev1.TopologySpreadConstraint) {
	if g.chance(0.12) {
		g.note("node-taints-policy")
		c.NodeTaintsPolicy = new(corev1.NodeInclusionPolicyHonor)
	}
	if g.chance(0.1) {
		g.note("node-affinity-policy")
		c.NodeAffinityPolicy = new(corev1.NodeInclusionPolicyIgnore)
	}
	if g.chance(0.12) {
		g.note("match-label-keys")
		d.labels["pod-template-hash"] = "h" + d.name
		c.MatchLabelKeys = []string{"pod-template-hash"}
	}
}

// relate adds a topology rule that must hold, within the deployment or towards another.
func (g *generator) relate(d *deployment, others []*deployment) {
	self := d.selector()
	other := d
	if len(others) > 0 {
		other = pick(g, others...)
	}
	towards := func(key string) corev1.PodAffinityTerm {
		t := affinityTerm(key, other.selector())
		if other.namespace == d.namespace && !g.chance(0.15) {
			return t
		}
		switch g.between(0, 2) {
		case 0, 1:
			g.note("affinity-namespaces")
			t.Namespaces = []string{other.namespace}
		case 2:
			g.note("affinity-namespace-selector")
			t.NamespaceSelector = &metav1.LabelSelector{}
			if g.chance(0.6) {
				t.NamespaceSelector.MatchLabels = map[string]string{corev1.LabelMetadataName: other.namespace}
			}
		}
		return t
	}
	switch g.between(0, 19) {
	case 0, 1, 2, 3:
		g.note("spread-zone")
		c := g.spread(d, zoneLabel, corev1.DoNotSchedule, self)
		if g.chance(0.3) {
			g.note("min-domains")
			c.MinDomains = new(int32(g.between(2, 4)))
		}
		g.spreadPolicies(d, c)
	case 4, 5:
		g.note("spread-hostname")
		g.spreadPolicies(d, g.spread(d, hostLabel, corev1.DoNotSchedule, self))
	case 6:
		g.note("spread-zone", "spread-hostname")
		g.spread(d, zoneLabel, corev1.DoNotSchedule, self)
		g.spread(d, hostLabel, corev1.DoNotSchedule, self)
	case 7:
		g.note("spread-capacity-type")
		g.spread(d, capacityTypeLabel, corev1.DoNotSchedule, self)
	case 8, 9:
		g.note("anti-affinity-hostname")
		d.replicas = min(d.replicas, 6)
		d.requireApart(affinityTerm(hostLabel, self))
	case 10:
		g.note("anti-affinity-zone")
		d.replicas = min(d.replicas, 4)
		d.requireApart(affinityTerm(zoneLabel, self))
	case 11, 12:
		g.note("affinity-zone")
		d.requireTogether(affinityTerm(zoneLabel, self))
	case 13:
		g.note("affinity-hostname")
		d.replicas = min(d.replicas, 5)
		d.requireTogether(affinityTerm(hostLabel, self))
	case 14:
		g.note("cross-affinity")
		d.requireTogether(towards(zoneLabel))
	case 15:
		g.note("cross-affinity")
		d.replicas = min(d.replicas, 5)
		d.requireTogether(towards(hostLabel))
	case 16:
		g.note("cross-anti-affinity")
		d.requireApart(towards(hostLabel))
	case 17:
		g.note("cross-anti-affinity")
		d.requireApart(towards(zoneLabel))
	case 18:
		g.note("spread-other-label")
		g.spreadPolicies(d, g.spread(d, pick(g, archLabel, teamLabel, tierLabel, typeLabel), corev1.DoNotSchedule, self))
	case 19:
		g.note("selector-expressions")
		d.requireApart(affinityTerm(hostLabel, &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: pick(g, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn), Values: []string{d.name, other.name}},
		}}))
		d.replicas = min(d.replicas, 5)
	}
}
