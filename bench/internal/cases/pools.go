package cases

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

func require(key string, op corev1.NodeSelectorOperator, values ...string) packing.NodePoolExpression {
	return packing.NodePoolExpression{Key: key, Operator: op, Values: values}
}

// atLeast adds minValues to a requirement.
func atLeast(n int, e packing.NodePoolExpression) packing.NodePoolExpression {
	e.MinValues = &n
	return e
}

func addRequirements(pool *packing.NodePool, reqs ...packing.NodePoolExpression) {
	pool.Spec.Template.Spec.Requirements = append(pool.Spec.Template.Spec.Requirements, reqs...)
}

// pool adds a node pool; weight 0 is none.
func (g *generator) pool(name string, weight int32, reqs ...packing.NodePoolExpression) *packing.NodePool {
	p := &packing.NodePool{
		TypeMeta:   metav1.TypeMeta{APIVersion: "karpenter.sh/v1", Kind: "NodePool"},
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid("pool/" + name)},
	}
	p.Spec.Template.Spec.NodeClassRef = &packing.NodeClassRef{Group: "karpenter.k8s.aws", Kind: "EC2NodeClass", Name: "default"}
	p.Spec.Template.Spec.Requirements = reqs
	p.Spec.Template.Spec.ExpireAfter = packing.NillableDuration{Duration: 720 * time.Hour}
	p.Spec.Disruption.ConsolidationPolicy = "WhenEmptyOrUnderutilized"
	if weight > 0 {
		p.Spec.Weight = &weight
	}
	g.pools = append(g.pools, p)
	return p
}

// usualRequirements are linux, often a choice of capacity types and architectures.
func (g *generator) usualRequirements() []packing.NodePoolExpression {
	reqs := []packing.NodePoolExpression{require(osLabel, "In", "linux")}
	switch g.between(0, 3) {
	case 0:
		reqs = append(reqs, require(capacityTypeLabel, "In", "spot", "on-demand"))
	case 1:
		reqs = append(reqs, require(capacityTypeLabel, "In", "on-demand"))
	case 2:
		reqs = append(reqs, require(capacityTypeLabel, "In", "spot"))
	}
	switch g.between(0, 2) {
	case 0:
		reqs = append(reqs, require(archLabel, "In", "amd64", "arm64"))
	case 1:
		reqs = append(reqs, require(archLabel, "In", "amd64"))
	}
	return reqs
}

// eitherPools draws varied pools with a probability, else simple ones.
func (g *generator) eitherPools(varied float64) {
	if g.chance(varied) {
		g.variedPools(g.between(2, 3))
	} else {
		g.simplePools()
	}
}

// simplePools draws a general pool and at times a second one behind it.
func (g *generator) simplePools() {
	first := g.pool("default", 10, require(osLabel, "In", "linux"), require(capacityTypeLabel, "In", "spot", "on-demand"))
	if g.chance(0.5) {
		addRequirements(first, require(archLabel, "In", "amd64"))
	}
	if !g.chance(0.3) {
		return
	}
	g.note("multiple-nodepools")
	second := g.pool("fallback", 0, require(capacityTypeLabel, "In", "on-demand"), require(archLabel, "In", "amd64", "arm64"))
	if g.chance(0.5) {
		addRequirements(second, require(zoneLabel, "In", g.some(zones, 2)...))
	}
	if g.chance(0.3) {
		g.note("taints")
		second.Spec.Template.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "batch", Effect: corev1.TaintEffectNoSchedule}}
	}
}

// variedPools draws n pools that differ in requirements, labels, taints, weights and limits.
func (g *generator) variedPools(n int) {
	g.note("multiple-nodepools")
	names := []string{"alpha", "beta", "gamma", "delta", "omega"}
	g.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for i := range n {
		var weight int32
		if g.chance(0.6) {
			g.note("weights")
			weight = pick(g, int32(1), 10, 10, 50, 100)
		}
		p := g.pool(names[i], weight, g.usualRequirements()...)
		p.Spec.Template.Labels = map[string]string{teamLabel: pick(g, "red", "blue")}
		if g.chance(0.4) {
			g.note("custom-label-requirement")
			addRequirements(p, require(tierLabel, "In", g.some([]string{"gold", "silver", "bronze"}, g.between(1, 3))...))
		}
		g.varyRequirements(p)
		if i > 0 && g.chance(0.4) {
			g.note("taints")
			effect := pick(g, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute)
			p.Spec.Template.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: pick(g, "batch", "web"), Effect: effect}}
		}
		if g.chance(0.15) {
			g.note("startup-taints")
			p.Spec.Template.Spec.StartupTaints = []corev1.Taint{{Key: "example.com/starting", Effect: corev1.TaintEffectNoSchedule}}
		}
		if g.chance(0.35) {
			g.note("nodepool-limits")
			p.Spec.Limits = corev1.ResourceList{corev1.ResourceCPU: quantity(pick(g, "64", "128", "400"))}
		}
	}
}

func (g *generator) varyRequirements(p *packing.NodePool) {
	switch g.between(0, 8) {
	case 0:
		addRequirements(p, require(categoryLabel, "In", g.some([]string{"c", "m", "r"}, 2)...))
	case 1:
		g.note("gt-lt")
		addRequirements(p, require(cpuLabel, "Gt", "3"))
	case 2:
		g.note("gt-lt")
		addRequirements(p, require(cpuLabel, "Lt", "17"))
	case 3:
		addRequirements(p, require(familyLabel, "NotIn", pick(g, "c5", "m5", "r5", "t3")))
	case 4:
		g.note("gt-lt")
		addRequirements(p, require(generationLabel, "Gt", "5"), require(familyLabel, "Exists"))
	case 5:
		addRequirements(p, require(zoneLabel, "In", g.some(zones, 2)...))
	case 6:
		addRequirements(p, require(familyLabel, "Exists"), require(cpuLabel, "Exists"), require(generationLabel, "Exists"))
	case 7:
		g.note("gt-lt")
		addRequirements(p, require(cpuLabel, "Gte", "2"), require(cpuLabel, "Lte", "32"), require(cpuLabel, "NotIn", "4"))
	}
}

// limitedPools draws n pools that can run out of CPU, memory or nodes.
func (g *generator) limitedPools(n int) {
	for i := range n {
		var weight int32
		if g.chance(0.6) {
			weight = int32(g.between(1, 100))
		}
		p := g.pool(fmt.Sprintf("limited-%d", i), weight, g.usualRequirements()...)
		limits := corev1.ResourceList{}
		if g.chance(0.7) {
			g.note("limit-cpu")
			limits[corev1.ResourceCPU] = quantity(pick(g, "16", "24", "48", "64", "100", "200"))
		}
		if g.chance(0.4) {
			g.note("limit-memory")
			limits[corev1.ResourceMemory] = quantity(pick(g, "64Gi", "128Gi", "250Gi", "500Gi"))
		}
		if g.chance(0.3) {
			g.note("limit-nodes")
			limits["nodes"] = quantity(fmt.Sprint(g.between(0, 6)))
		}
		if g.chance(0.1) {
			g.note("limit-pods")
			limits[corev1.ResourcePods] = quantity(pick(g, "60", "300"))
		}
		if len(limits) == 0 && (i < n-1 || g.chance(0.5)) {
			limits[corev1.ResourceCPU] = quantity("32")
		}
		if len(limits) > 0 {
			p.Spec.Limits = limits
		}
	}
}

// flexiblePools draws n pools with minValues on types, families or CPU counts.
func (g *generator) flexiblePools(n int) {
	for i := range n {
		p := g.pool(fmt.Sprintf("flexible-%d", i), pick(g, int32(0), 10, 50), require(osLabel, "In", "linux"))
		if g.chance(0.5) {
			addRequirements(p, require(capacityTypeLabel, "In", "spot", "on-demand"))
		}
		if g.chance(0.4) {
			addRequirements(p, require(archLabel, "In", pick(g, "amd64", "arm64")))
		}
		byType := g.chance(0.6)
		if byType {
			g.note("minvalues-instance-type")
			addRequirements(p, g.choiceOfTypes())
		}
		if g.chance(0.6) || i == 0 && !byType {
			g.note("minvalues-family")
			addRequirements(p, atLeast(g.between(2, 4), require(familyLabel, "Exists")))
		}
		if g.chance(0.15) {
			g.note("minvalues-cpu")
			addRequirements(p, atLeast(g.between(2, 3), require(cpuLabel, "Exists")))
		}
	}
}

func (g *generator) choiceOfTypes() packing.NodePoolExpression {
	if g.chance(0.5) {
		return atLeast(g.between(2, 10), require(typeLabel, "Exists"))
	}
	var names []string
	for _, t := range g.types {
		if g.chance(0.7) {
			names = append(names, t.Name)
		}
	}
	if len(names) < 2 {
		names = []string{g.types[0].Name, g.types[1].Name}
	}
	slices.Sort(names)
	return atLeast(g.between(2, min(8, len(names))), require(typeLabel, "In", names...))
}
