package cases

import (
	corev1 "k8s.io/api/core/v1"
)

func expression(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
}

func (d *deployment) selectNode(key, value string) {
	if d.spec.NodeSelector == nil {
		d.spec.NodeSelector = map[string]string{}
	}
	d.spec.NodeSelector[key] = value
}

func (d *deployment) affinity() *corev1.Affinity {
	if d.spec.Affinity == nil {
		d.spec.Affinity = &corev1.Affinity{}
	}
	return d.spec.Affinity
}

func (d *deployment) nodeAffinity() *corev1.NodeAffinity {
	if d.affinity().NodeAffinity == nil {
		d.spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	return d.spec.Affinity.NodeAffinity
}

// requireTerms sets the alternatives of the required node affinity.
func (d *deployment) requireTerms(terms ...[]corev1.NodeSelectorRequirement) {
	selector := &corev1.NodeSelector{}
	for _, t := range terms {
		selector.NodeSelectorTerms = append(selector.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: t})
	}
	d.nodeAffinity().RequiredDuringSchedulingIgnoredDuringExecution = selector
}

// limitZones keeps the deployment to one or two zones.
func (g *generator) limitZones(d *deployment) {
	g.note("zone-limited")
	if g.chance(0.5) {
		d.selectNode(zoneLabel, pick(g, zones...))
		return
	}
	d.requireTerms([]corev1.NodeSelectorRequirement{expression(zoneLabel, "In", g.some(zones, 2)...)})
}

// nodeExpression draws a match expression on any label that nodes may carry.
func (g *generator) nodeExpression() corev1.NodeSelectorRequirement {
	typeName := func() string { return pick(g, g.types...).Name }
	familyName := func() string { return label(pick(g, g.types...), familyLabel) }
	switch g.between(0, 16) {
	case 0:
		return expression(zoneLabel, "In", g.some(zones, g.between(1, 2))...)
	case 1:
		return expression(zoneLabel, "NotIn", pick(g, zones...))
	case 2:
		return expression(archLabel, "In", pick(g, "amd64", "arm64"))
	case 3:
		return expression(archLabel, "NotIn", pick(g, "amd64", "arm64"))
	case 4:
		return expression(capacityTypeLabel, "In", pick(g, "spot", "on-demand"))
	case 5:
		return expression(capacityTypeLabel, "NotIn", pick(g, "spot", "on-demand"))
	case 6:
		return expression(typeLabel, "In", typeName(), typeName())
	case 7:
		return expression(typeLabel, "NotIn", typeName())
	case 8:
		g.note("custom-label")
		return expression(teamLabel, "In", pick(g, "red", "blue"))
	case 9:
		g.note("custom-label")
		return expression(tierLabel, pick(g, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist))
	case 10:
		g.note("custom-label")
		return expression(tierLabel, "In", g.some([]string{"gold", "silver", "bronze"}, g.between(1, 2))...)
	case 11:
		g.note("gt-lt")
		return expression(cpuLabel, "Gt", pick(g, "3", "7"))
	case 12:
		g.note("gt-lt")
		return expression(cpuLabel, "Lt", pick(g, "9", "33"))
	case 13:
		return expression(familyLabel, "In", familyName(), familyName())
	case 14:
		return expression(familyLabel, "NotIn", familyName())
	case 15:
		return expression(poolLabel, pick(g, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn), pick(g, g.pools...).Name)
	default:
		return expression(teamLabel, "NotIn", pick(g, "red", "blue"))
	}
}

func (g *generator) term(most int) []corev1.NodeSelectorRequirement {
	var term []corev1.NodeSelectorRequirement
	for range g.between(1, most) {
		term = append(term, g.nodeExpression())
	}
	return term
}

// constrain adds a node selector or a required node affinity, and tolerations.
func (g *generator) constrain(d *deployment) {
	switch g.between(0, 9) {
	case 0, 1:
		g.note("node-selector")
		switch g.between(0, 5) {
		case 0:
			d.selectNode(zoneLabel, pick(g, zones...))
		case 1:
			d.selectNode(archLabel, pick(g, "amd64", "arm64"))
		case 2:
			d.selectNode(capacityTypeLabel, pick(g, "spot", "on-demand"))
		case 3:
			d.selectNode(teamLabel, pick(g, "red", "blue"))
		case 4:
			d.selectNode(typeLabel, pick(g, g.types...).Name)
		case 5:
			d.selectNode(poolLabel, pick(g, g.pools...).Name)
		}
		if g.chance(0.3) {
			d.selectNode(osLabel, "linux")
		}
	case 2, 3, 4:
		g.note("node-affinity")
		d.requireTerms(g.term(3))
	case 5, 6:
		g.note("node-affinity-or-terms")
		var terms [][]corev1.NodeSelectorRequirement
		for range g.between(2, 3) {
			terms = append(terms, g.term(2))
		}
		d.requireTerms(terms...)
	case 7:
		g.note("node-selector")
		d.selectNode(tierLabel, pick(g, "gold", "silver"))
	}
	g.tolerate(d, 0.35)
}

func (g *generator) tolerate(d *deployment, probability float64) {
	if !g.chance(probability) {
		return
	}
	g.note("tolerations")
	d.spec.Tolerations = append(d.spec.Tolerations, pick(g,
		corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "batch", Effect: corev1.TaintEffectNoSchedule},
		corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "web"},
		corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists},
		corev1.Toleration{Operator: corev1.TolerationOpExists},
	))
}

// prefer adds a rule that may be given up.
func (g *generator) prefer(d *deployment, others []*deployment) {
	weight := func() int32 { return int32(g.between(1, 100)) }
	preferNode := func(weight int32, exprs ...corev1.NodeSelectorRequirement) {
		g.note("preferred-node-affinity")
		a := d.nodeAffinity()
		a.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.PreferredSchedulingTerm{Weight: weight, Preference: corev1.NodeSelectorTerm{MatchExpressions: exprs}})
	}
	target := d
	if len(others) > 0 && g.chance(0.4) {
		if o := pick(g, others...); o.namespace == d.namespace {
			target = o
		}
	}
	switch g.between(0, 13) {
	case 0:
		preferNode(weight(), expression(zoneLabel, "In", pick(g, zones...)))
	case 1:
		preferNode(50, expression(capacityTypeLabel, "In", "spot"))
		if g.chance(0.5) {
			preferNode(20, expression(archLabel, "In", "arm64"))
		}
	case 2: // the heaviest can never be met
		preferNode(100, expression(zoneLabel, "In", "zone-x"))
		preferNode(int32(g.between(1, 99)), expression(archLabel, "In", pick(g, "amd64", "arm64")))
	case 3:
		preferNode(10, expression("example.com/undefined", "In", "x"))
	case 4:
		preferNode(30, expression(typeLabel, "In", pick(g, g.types...).Name))
		preferNode(60, expression(capacityTypeLabel, "In", "on-demand"), expression(zoneLabel, "NotIn", pick(g, zones...)))
	case 5, 6:
		g.note("schedule-anyway-zone")
		g.spread(d, zoneLabel, corev1.ScheduleAnyway, target.selector())
	case 7:
		g.note("schedule-anyway-hostname")
		g.spread(d, hostLabel, corev1.ScheduleAnyway, d.selector())
	case 8:
		d.preferApart(weight(), hostLabel, target.selector())
	case 9:
		d.preferApart(weight(), zoneLabel, target.selector())
	case 10:
		d.preferTogether(weight(), zoneLabel, target.selector())
	case 11:
		d.preferTogether(weight(), hostLabel, target.selector())
	case 12:
		d.preferApart(10, zoneLabel, d.selector())
		d.preferApart(1, hostLabel, d.selector())
	case 13: // equal weights: the order decides
		preferNode(40, g.nodeExpression())
		preferNode(40, g.nodeExpression())
	}
}
