package cases

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// crowded: many nodes to launch at once, so that the order in which they are
// tried, a permutation that depends on all that came before, decides much.
func (g *generator) crowded() {
	g.alikeZones = g.chance(0.5)
	g.drawCatalog(pick(g, 6, 8, 12))
	for i, t := range g.types {
		if t.Capacity.Get(corev1.ResourceCPU) > 8_000 {
			g.types[i].Capacity = t.Capacity.With(corev1.ResourcePods, int64(g.between(3, 9)))
		}
	}
	g.eitherPools(0.5)
	if g.chance(0.3) {
		g.daemonSets(1)
	}
	apps := g.apps(g.between(6, 14), 5, 40)
	if g.chance(0.3) {
		g.existingNodes(g.between(1, 8), apps)
	}
	for _, d := range apps {
		if g.chance(0.5) {
			d.spec.Containers[0].Resources.Requests = amounts(pick(g, "1", "2", "3", "3500m"), pick(g, "1Gi", "3Gi", "6Gi"))
		}
		switch {
		case g.chance(0.15):
			g.spread(d, hostLabel, corev1.DoNotSchedule, d.selector())
		case g.chance(0.1):
			g.spread(d, zoneLabel, corev1.DoNotSchedule, d.selector())
		case g.chance(0.1):
			d.requireApart(affinityTerm(hostLabel, d.selector()))
		case g.chance(0.1):
			d.preferApart(10, hostLabel, pick(g, apps...).selector())
		case g.chance(0.2):
			g.constrain(d)
		}
	}
	g.emit(apps...)
}

// odd: what few clusters have, on top of a mixed problem.
func (g *generator) odd() {
	g.mixed()
	for range g.between(1, 5) {
		pick(g, g.oddPod, g.oddPod, g.oddPod, g.oddNode, g.oddNode, g.oddPool, g.oddPool, g.oddType, g.oddBound, g.oddDaemon)()
	}
}

// oddPod changes all pods of one label, as a deployment would have it.
func (g *generator) oddPod() {
	app := pick(g, g.snapshot.Pods...).Labels["app"]
	change := g.oddSpec(app)
	for _, p := range g.snapshot.Pods {
		if p.Labels["app"] == app {
			change(p)
		}
	}
}

func (g *generator) oddSpec(app string) func(*corev1.Pod) {
	self := &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	spread := func(c corev1.TopologySpreadConstraint) func(*corev1.Pod) {
		c.MaxSkew = int32(g.between(1, 2))
		return func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, *c.DeepCopy())
		}
	}
	selectNode := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			d := deployment{spec: p.Spec}
			d.selectNode(key, value)
			p.Spec = d.spec
		}
	}
	switch g.between(0, 14) {
	case 0:
		g.note("odd-nil-selector")
		return spread(corev1.TopologySpreadConstraint{TopologyKey: zoneLabel, WhenUnsatisfiable: corev1.DoNotSchedule})
	case 1:
		g.note("odd-empty-selector")
		return spread(corev1.TopologySpreadConstraint{TopologyKey: zoneLabel, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{}})
	case 2:
		g.note("odd-unknown-topology-key")
		return spread(corev1.TopologySpreadConstraint{TopologyKey: "example.com/rack", WhenUnsatisfiable: pick(g, corev1.DoNotSchedule, corev1.ScheduleAnyway), LabelSelector: self})
	case 3:
		g.note("odd-match-label-keys")
		return spread(corev1.TopologySpreadConstraint{
			TopologyKey: pick(g, zoneLabel, hostLabel), WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: self,
			MatchLabelKeys: []string{"absent", "app"},
		})
	case 4:
		g.note("odd-many-schedule-anyway")
		keys := []string{zoneLabel, hostLabel, capacityTypeLabel, archLabel}
		g.rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		return func(p *corev1.Pod) {
			for _, key := range keys {
				p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
					MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: self,
				})
			}
		}
	case 5:
		g.note("odd-deprecated-label")
		return selectNode("beta.kubernetes.io/arch", pick(g, "amd64", "arm64"))
	case 6:
		g.note("odd-hostname-selector")
		host := "nowhere"
		if len(g.snapshot.Nodes) > 0 {
			host = pick(g, g.snapshot.Nodes...).Name
		}
		return selectNode(hostLabel, host)
	case 7:
		g.note("odd-region")
		return selectNode(corev1.LabelTopologyRegion, "region-1")
	case 8:
		g.note("odd-zero-request")
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantity("100m"), gpu: quantity("0")}
		}
	case 9:
		g.note("odd-resource-claims")
		return func(p *corev1.Pod) {
			name := "claim"
			p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "device", ResourceClaimName: &name}}
			p.Spec.Containers[0].Resources.Claims = []corev1.ResourceClaim{{Name: "device"}}
		}
	case 10:
		g.note("odd-empty-term")
		return func(p *corev1.Pod) {
			d := deployment{spec: p.Spec}
			d.requireTerms([]corev1.NodeSelectorRequirement{expression(zoneLabel, "In")}, []corev1.NodeSelectorRequirement{expression(zoneLabel, "Exists")})
			p.Spec = d.spec
		}
	case 11:
		g.note("odd-contradiction")
		return func(p *corev1.Pod) {
			d := deployment{spec: p.Spec}
			d.selectNode(zoneLabel, zones[0])
			d.requireTerms([]corev1.NodeSelectorRequirement{expression(zoneLabel, "In", zones[1])}, []corev1.NodeSelectorRequirement{expression(zoneLabel, "NotIn", zones[2])})
			p.Spec = d.spec
		}
	case 12:
		g.note("odd-rack-affinity")
		return func(p *corev1.Pod) {
			d := deployment{spec: p.Spec}
			d.requireTogether(affinityTerm("example.com/rack", self))
			p.Spec = d.spec
		}
	case 13:
		g.note("odd-bounds")
		return func(p *corev1.Pod) {
			d := deployment{spec: p.Spec}
			d.requireTerms([]corev1.NodeSelectorRequirement{
				expression(generationLabel, "Gt", "4"), expression(generationLabel, "Lt", "7"), expression(generationLabel, "NotIn", "6"),
			})
			p.Spec = d.spec
		}
	default:
		g.note("odd-two-affinities")
		return func(p *corev1.Pod) {
			d := deployment{spec: p.Spec}
			d.requireTogether(affinityTerm(zoneLabel, self))
			d.requireTogether(affinityTerm(capacityTypeLabel, self))
			d.preferTogether(7, archLabel, self)
			p.Spec = d.spec
		}
	}
}

func (g *generator) oddNode() {
	if len(g.snapshot.Nodes) == 0 {
		g.existingNodes(2, nil)
	}
	n := pick(g, g.snapshot.Nodes...)
	switch g.between(0, 6) {
	case 0:
		g.note("odd-node-without-hostname")
		delete(n.Labels, hostLabel)
	case 1:
		g.note("odd-node-without-zone")
		delete(n.Labels, zoneLabel)
	case 2:
		g.note("odd-node-of-unknown-pool")
		n.Labels[poolLabel] = "deleted"
	case 3:
		g.note("odd-node-in-unknown-zone")
		n.Labels[zoneLabel] = "zone-z"
	case 4:
		g.note("odd-node-prefers-no-pods")
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "example.com/avoid", Effect: corev1.TaintEffectPreferNoSchedule})
	case 5:
		g.note("odd-node-rack")
		n.Labels["example.com/rack"] = fmt.Sprintf("rack-%d", g.between(1, 2))
	case 6:
		g.note("odd-node-region")
		n.Labels[corev1.LabelTopologyRegion] = "region-1"
	}
}

func (g *generator) oddPool() {
	switch g.between(0, 8) {
	case 8:
		g.note("odd-pool-types")
		var names []string
		for _, t := range g.types {
			if g.chance(0.5) {
				names = append(names, t.Name)
			}
		}
		if g.poolTypes == nil {
			g.poolTypes = map[string][]string{}
		}
		g.poolTypes[pick(g, g.pools...).Name] = names
	case 0:
		g.note("odd-static-pool")
		p := pick(g, g.pools...)
		p.Spec.Replicas = new(int64(g.between(0, 2)))
		starting := corev1.Taint{Key: "example.com/warming", Effect: corev1.TaintEffectNoSchedule}
		p.Spec.Template.Spec.StartupTaints = append(slices.Clone(p.Spec.Template.Spec.StartupTaints), starting)
		for _, n := range g.snapshot.Nodes {
			if n.NodePool() == p.Name && g.chance(0.5) {
				g.note("odd-static-pool-starting")
				delete(n.Labels, requirements.LabelInitialized)
				n.Spec.Taints = append(n.Spec.Taints, starting)
			}
		}
	case 1:
		g.note("odd-pool-without-types")
		g.pool(fmt.Sprintf("impossible-%d", len(g.pools)), 90, require(typeLabel, "In", "no-such-type"))
	case 2:
		g.note("odd-pool-zone-not-in")
		addRequirements(pick(g, g.pools...), require(zoneLabel, "NotIn", pick(g, zones...)))
	case 3:
		g.note("odd-pool-tier-not-in")
		addRequirements(pick(g, g.pools...), require(tierLabel, "NotIn", "gold"))
	case 4:
		g.note("odd-pool-prefers-no-pods")
		p := pick(g, g.pools...)
		p.Spec.Template.Spec.Taints = append(p.Spec.Template.Spec.Taints, corev1.Taint{Key: "example.com/avoid", Value: "x", Effect: corev1.TaintEffectPreferNoSchedule})
	case 5:
		g.note("odd-pool-rack-label")
		p := pick(g, g.pools...)
		labels := map[string]string{"example.com/rack": fmt.Sprintf("rack-%d", g.between(1, 2))}
		for key, value := range p.Spec.Template.Labels {
			labels[key] = value
		}
		p.Spec.Template.Labels = labels
	case 6:
		g.note("odd-pool-tier-exists")
		addRequirements(pick(g, g.pools...), require(tierLabel, "Exists"))
	case 7:
		g.note("odd-pool-limit-memory")
		pick(g, g.pools...).Spec.Limits = corev1.ResourceList{corev1.ResourceMemory: quantity(pick(g, "0", "40Gi", "100Gi")), "nodes": quantity(pick(g, "0", "1", "4"))}
	}
}

func (g *generator) oddType() {
	i := g.rng.IntN(len(g.types))
	t := *g.types[i]
	t.Offerings = slices.Clone(t.Offerings)
	switch g.between(0, 5) {
	case 0:
		g.note("odd-type-nothing-left")
		t.Overhead = t.Capacity.With(corev1.ResourceCPU, t.Capacity.Get(corev1.ResourceCPU)+100)
	case 1:
		g.note("odd-type-unavailable")
		for j := range t.Offerings {
			t.Offerings[j].Available = false
		}
	case 2:
		g.note("odd-type-huge-pages")
		t.Capacity = resources.Vector(nil).Add(t.Capacity).With("hugepages-2Mi", 1<<30)
	case 3:
		g.note("odd-type-two-architectures")
		t.Requirements = slices.DeleteFunc(slices.Clone(t.Requirements), func(r requirements.Requirement) bool { return r.Key() == archLabel })
		t.Requirements = t.Requirements.Add(requirements.Must(archLabel, requirements.In, "amd64", "arm64"))
	case 4:
		g.note("odd-type-same-price")
		for j := range t.Offerings {
			t.Offerings[j].Price = 0.1
		}
	case 5:
		g.note("odd-type-any-tier")
		t.Requirements = t.Requirements.Add(requirements.Must(tierLabel, requirements.In, "gold", "lead"))
	}
	g.types[i] = &t
}

// oddDaemon has a daemon set ask for what the scheduler ignores, or for much.
func (g *generator) oddDaemon() {
	if len(g.snapshot.DaemonSets) == 0 {
		g.daemonSets(1)
	}
	spec := &pick(g, g.snapshot.DaemonSets...).Spec.Template.Spec
	switch g.between(0, 2) {
	case 0:
		g.note("odd-daemon-resource-claims")
		name := "claim"
		spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "device", ResourceClaimName: &name}}
	case 1:
		g.note("odd-daemon-overhead")
		spec.Overhead = amounts("1", "1Gi")
	case 2:
		g.note("odd-daemon-gpu")
		spec.Containers[0].Resources.Requests[gpu] = quantity("1")
	}
}

// oddBound changes a bound pod: it is leaving, or has rules of its own.
func (g *generator) oddBound() {
	for _, n := range g.snapshot.Nodes {
		for _, p := range n.Pods {
			if p.Labels["app"] == "" || !g.chance(0.2) {
				continue
			}
			d := deployment{}
			switch g.between(0, 2) {
			case 0:
				g.note("odd-bound-terminating")
				now := at(100)
				p.DeletionTimestamp, p.Finalizers = &now, []string{"example.com/slow"}
			case 1:
				g.note("odd-bound-anti-affinity")
				d.requireApart(affinityTerm(pick(g, zoneLabel, hostLabel, capacityTypeLabel), &metav1.LabelSelector{MatchLabels: map[string]string{"app": pick(g, g.snapshot.Pods...).Labels["app"]}}))
				p.Spec.Affinity = d.spec.Affinity
			case 2:
				g.note("odd-bound-preferred-anti-affinity")
				d.preferApart(5, zoneLabel, &metav1.LabelSelector{MatchLabels: map[string]string{"app": pick(g, g.snapshot.Pods...).Labels["app"]}})
				p.Spec.Affinity = d.spec.Affinity
			}
		}
	}
}
