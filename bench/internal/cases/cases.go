// Package cases generates random scheduling problems for comparing Binwright
// with the real Karpenter. The same profile and seed give the same problem.
//
// A problem is small, tens of pods on tens of instance types, so that thousands
// can be compared, and dense in constraints, so that few are without interest.
package cases

import (
	"crypto/sha1"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
)

// profile is a kind of problem: what it stresses.
type profile struct {
	name string
	draw func(*generator)
}

var profiles = []profile{
	{"plain", (*generator).plain},
	{"constraints", (*generator).constraints},
	{"topology", (*generator).topology},
	{"preferences", (*generator).preferences},
	{"daemons", (*generator).daemons},
	{"existing", (*generator).existing},
	{"limits", (*generator).limits},
	{"minvalues", (*generator).minValues},
	{"hostports", (*generator).hostPorts},
	{"mixed", (*generator).mixed},
	{"reserved", (*generator).reserved},
	{"volumes", (*generator).volumes},
	{"crowded", (*generator).crowded},
	{"odd", (*generator).odd},
}

// Profiles returns the names of the profiles.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.name
	}
	return names
}

// Generate returns the problem of a profile and seed, named after both. It
// returns an error if there is no such profile.
func Generate(profileName string, seed uint64) (*recorded.Problem, error) {
	i := slices.IndexFunc(profiles, func(p profile) bool { return p.name == profileName })
	if i < 0 {
		return nil, fmt.Errorf("profile %q: not one of %q", profileName, Profiles())
	}
	h := fnv.New64a()
	h.Write([]byte(profileName))
	g := &generator{
		rng: rand.New(rand.NewPCG(seed, h.Sum64())), name: fmt.Sprintf("%s-%d", profileName, seed),
		features: map[string]bool{}, snapshot: &packing.Snapshot{},
		options: recorded.Options{PreferencePolicy: "Respect", MinValuesPolicy: "Strict"},
	}
	profiles[i].draw(g)
	return g.problem(profileName)
}

// generator draws one problem. Its methods draw in a fixed order.
type generator struct {
	rng      *rand.Rand
	name     string
	features map[string]bool

	types     []*instancetypes.InstanceType
	pools     []*packing.NodePool
	poolTypes map[string][]string
	snapshot  *packing.Snapshot
	options   recorded.Options

	alikeZones  bool // all zones have the same prices and availability
	largestCPU  int  // of an instance type, 0 for no bound
	deployments int
	clock       int // creation time of the latest deployment, in seconds
}

func (g *generator) problem(profileName string) (*recorded.Problem, error) {
	info := instancetypes.Info{Provider: "random", WellKnownLabels: slices.Clone(g.options.WellKnownLabels)}
	if g.options.ReservationIDLabel != "" {
		info.WellKnownLabels = append(info.WellKnownLabels, g.options.ReservationIDLabel)
	}
	catalog, err := instancetypes.NewCatalog(info, g.types...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.name, err)
	}
	for _, name := range []string{"default", "kube-system", "prod"} {
		g.snapshot.Namespaces = append(g.snapshot.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{corev1.LabelMetadataName: name},
		}})
	}
	return &recorded.Problem{
		Name: g.name, Features: append([]string{profileName}, slices.Sorted(maps.Keys(g.features))...),
		Snapshot: g.snapshot, Catalog: catalog, NodePools: g.pools, PoolTypes: g.poolTypes, Options: g.options,
	}, nil
}

func (g *generator) note(features ...string) {
	for _, f := range features {
		g.features[f] = true
	}
}

// chance is true with a probability.
func (g *generator) chance(p float64) bool { return g.rng.Float64() < p }

// between returns an integer of lo to hi, both included.
func (g *generator) between(lo, hi int) int { return lo + g.rng.IntN(hi-lo+1) }

func pick[T any](g *generator, choices ...T) T { return choices[g.rng.IntN(len(choices))] }

// some returns n of the values, sorted.
func (g *generator) some(values []string, n int) []string {
	out := slices.Clone(values)
	g.rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	out = out[:min(n, len(out))]
	slices.Sort(out)
	return out
}

// uid returns an identity that depends on the name alone.
func uid(name string) types.UID {
	h := sha1.Sum([]byte(name))
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16]))
}

var epoch = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

func at(seconds int) metav1.Time {
	return metav1.NewTime(epoch.Add(time.Duration(seconds) * time.Second))
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func amounts(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: quantity(cpu), corev1.ResourceMemory: quantity(memory)}
}

// plain: resources alone, on one pool.
func (g *generator) plain() {
	g.note("resources")
	g.alikeZones = g.chance(0.3)
	g.largestCPU = pick(g, 8, 16, 32, 96, 96)
	g.drawCatalog(pick(g, 5, 8, 12, 20, 30, 45, 60, 80))
	if g.chance(0.2) {
		g.addGPUTypes()
	}
	pool := g.pool("default", 0, g.usualRequirements()...)
	if g.chance(0.1) {
		pool.Spec.Limits = corev1.ResourceList{gpu: quantity("2")}
		g.note("limit-gpu")
	}
	g.plainDeployments(pick(g, 20, 30, 40, 60, 80, 100, 150, 200, 300), true)
	if g.features["gpu"] {
		for range g.between(1, 3) {
			d := g.deployment(g.between(1, 4), g.requests())
			d.spec.Containers[0].Resources.Requests[gpu] = quantity(pick(g, "1", "1", "2"))
			g.emit(d)
		}
	}
	if g.chance(0.3) {
		g.note("oversized-pods")
		g.emit(g.deployment(g.between(1, 3), amounts("200", "64Gi")))
	}
}

// constraints: node selection and tolerations over several pools.
func (g *generator) constraints() {
	g.alikeZones = g.chance(0.3)
	g.largestCPU = pick(g, 8, 16, 32, 96)
	g.drawCatalog(pick(g, 10, 16, 24, 32, 40))
	g.variedPools(g.between(2, 4))
	for range g.between(5, 14) {
		d := g.deployment(g.between(1, 10), g.requests())
		g.constrain(d)
		if g.chance(0.2) {
			g.decorate(d)
		}
		g.emit(d)
	}
}

// topology: spread, affinity and anti-affinity that must hold.
func (g *generator) topology() {
	g.alikeZones = g.chance(0.6)
	g.largestCPU = pick(g, 8, 8, 8, 16, 32)
	g.drawCatalog(pick(g, 6, 8, 12, 16))
	g.simplePools()
	apps := g.apps(g.between(3, 8), 2, 12)
	for _, d := range apps {
		if g.chance(0.85) {
			g.relate(d, without(apps, d))
		}
		if g.chance(0.15) {
			g.note("multiple-topology-rules")
			g.relate(d, without(apps, d))
		}
		if g.chance(0.2) {
			g.limitZones(d)
		}
	}
	if g.chance(0.35) {
		g.topologyNodes(g.between(1, 5), apps)
	}
	g.emit(apps...)
}

// preferences: rules that may be given up.
func (g *generator) preferences() {
	g.alikeZones = g.chance(0.6)
	g.largestCPU = pick(g, 8, 8, 8, 16, 32)
	g.drawCatalog(pick(g, 6, 8, 12, 16))
	g.simplePools()
	if g.chance(0.3) {
		g.note("prefer-no-schedule-taint")
		pool := pick(g, g.pools...)
		pool.Spec.Template.Spec.Taints = append(pool.Spec.Template.Spec.Taints,
			corev1.Taint{Key: "example.com/avoid", Effect: corev1.TaintEffectPreferNoSchedule})
	}
	if g.chance(0.25) {
		g.options.PreferencePolicy = "Ignore"
		g.note("preference-policy-ignore")
	}
	apps := g.apps(g.between(4, 8), 2, 12)
	for _, d := range apps {
		if g.chance(0.9) {
			g.prefer(d, without(apps, d))
		}
		if g.chance(0.35) {
			g.note("multiple-preferences")
			g.prefer(d, without(apps, d))
		}
		if g.chance(0.2) {
			g.limitZones(d)
		}
		if g.chance(0.1) {
			g.relate(d, without(apps, d))
		}
	}
	if g.chance(0.25) {
		g.topologyNodes(g.between(1, 3), apps)
	}
	g.emit(apps...)
}

// daemons: daemon sets that run on some types, pools and zones.
func (g *generator) daemons() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 8, 16, 32, 96)
	g.drawCatalog(pick(g, 8, 12, 20, 30))
	g.eitherPools(0.5)
	g.daemonSets(g.between(1, 5))
	if g.chance(0.3) {
		g.existingNodes(g.between(1, 4), nil)
	}
	g.plainDeployments(g.between(30, 120), false)
	if g.chance(0.5) {
		g.constrainedDeployments(g.between(1, 3))
	}
}

// existing: nodes that are there, in all their states.
func (g *generator) existing() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 8, 16, 32, 96)
	g.drawCatalog(pick(g, 8, 12, 20, 30))
	g.eitherPools(0.4)
	if g.chance(0.3) {
		g.daemonSets(g.between(1, 3))
	}
	g.existingNodes(g.between(3, 15), nil)
	g.plainDeployments(g.between(40, 120), false)
	g.constrainedDeployments(g.between(0, 4))
}

// limits: pools that run out.
func (g *generator) limits() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 8, 16, 32, 96)
	g.drawCatalog(pick(g, 8, 12, 20, 30))
	g.limitedPools(g.between(1, 3))
	if g.chance(0.5) {
		g.existingNodes(g.between(1, 5), nil)
	}
	g.plainDeployments(g.between(30, 120), false)
}

// minValues: pools that want a choice of types.
func (g *generator) minValues() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 16, 32, 96)
	g.drawCatalog(pick(g, 12, 20, 30, 40))
	g.flexiblePools(g.between(1, 2))
	if g.chance(0.5) {
		g.options.MinValuesPolicy = "BestEffort"
		g.note("minvalues-best-effort")
	}
	g.plainDeployments(g.between(10, 70), false)
	g.constrainedDeployments(g.between(0, 4))
}

// hostPorts: pods, daemons and bound pods that want ports of the host.
func (g *generator) hostPorts() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 8, 16, 32)
	g.drawCatalog(pick(g, 8, 12, 20))
	g.simplePools()
	if g.chance(0.65) {
		g.daemonSets(g.between(1, 3))
		for _, ds := range g.snapshot.DaemonSets {
			if g.chance(0.6) {
				g.note("daemon-host-ports")
				g.port(&ds.Spec.Template.Spec)
			}
		}
	}
	if g.chance(0.5) {
		for range g.between(1, 5) {
			n := g.anyNode(g.pools[0])
			g.bindDaemons(n, 0.6)
			g.fill(n, 0.5*g.rng.Float64(), nil)
			if g.chance(0.6) {
				g.note("bound-host-ports")
				p := g.bind(n, "ported-"+n.Name, amounts("100m", "32Mi"), map[string]string{"app": "ported"})
				g.port(&p.Spec)
			}
		}
	}
	for range g.between(2, 5) {
		d := g.deployment(g.between(1, 8), g.smallRequests())
		g.port(&d.spec)
		if g.chance(0.25) {
			g.port(&d.spec)
		}
		g.emit(d)
	}
	g.plainDeployments(g.between(5, 40), false)
}

// mixed: a little of everything.
func (g *generator) mixed() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 8, 16, 32)
	g.drawCatalog(pick(g, 8, 12, 16, 24))
	g.eitherPools(0.5)
	if g.chance(0.2) {
		g.note("minvalues-instance-type")
		pool := pick(g, g.pools...)
		addRequirements(pool, atLeast(g.between(2, 3), require(typeLabel, "Exists")))
		if g.chance(0.5) {
			g.options.MinValuesPolicy = "BestEffort"
			g.note("minvalues-best-effort")
		}
	}
	if g.chance(0.2) {
		g.options.PreferencePolicy = "Ignore"
		g.note("preference-policy-ignore")
	}
	if g.chance(0.25) {
		g.reserve(g.between(1, 3))
	}
	if g.chance(0.5) {
		g.daemonSets(g.between(1, 3))
	}
	apps := g.apps(g.between(5, 10), 1, 10)
	if g.chance(0.6) {
		g.existingNodes(g.between(1, 6), apps)
	}
	g.mixRules(apps)
	g.emit(apps...)
}

// mixRules gives each deployment some constraints, topology rules, preferences,
// ports and further containers.
func (g *generator) mixRules(apps []*deployment) {
	for _, d := range apps {
		if g.chance(0.4) {
			g.constrain(d)
		} else {
			g.tolerate(d, 0.3)
		}
		if g.chance(0.35) {
			g.relate(d, without(apps, d))
		}
		if g.chance(0.3) {
			g.prefer(d, without(apps, d))
		}
		if g.chance(0.12) {
			d.replicas = min(d.replicas, 4)
			g.port(&d.spec)
		}
		if g.chance(0.1) {
			g.decorate(d)
		}
	}
}

// reserved: capacity reservations, scarce.
func (g *generator) reserved() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 8, 16, 32)
	g.drawCatalog(pick(g, 5, 8, 12, 20))
	g.eitherPools(0.4)
	g.reserve(g.between(1, 6))
	if g.chance(0.15) {
		// The labels of reservations stay; only the gate is shut.
		g.options.ReservedCapacity = false
		g.note("reserved-capacity-off")
	}
	if g.chance(0.3) {
		g.daemonSets(g.between(1, 2))
	}
	apps := g.apps(g.between(4, 9), 1, 12)
	if g.chance(0.3) {
		g.existingNodes(g.between(1, 4), apps)
	}
	for _, d := range apps {
		switch {
		case g.chance(0.25):
			g.constrain(d)
		case g.chance(0.2):
			d.selectNode(capacityTypeLabel, "reserved")
		case g.chance(0.15):
			g.relate(d, without(apps, d))
		case g.chance(0.15):
			g.prefer(d, without(apps, d))
		}
	}
	g.emit(apps...)
}

// volumes: claims on zonal volumes, classes with topologies, attach limits.
func (g *generator) volumes() {
	g.alikeZones = g.chance(0.5)
	g.largestCPU = pick(g, 8, 16, 32)
	g.drawCatalog(pick(g, 6, 8, 12))
	g.simplePools()
	g.storageClasses()
	apps := g.apps(g.between(3, 7), 1, 8)
	if g.chance(0.6) {
		g.existingNodes(g.between(1, 5), apps)
		g.attachLimits()
	}
	for _, d := range apps {
		if g.chance(0.3) {
			g.relate(d, without(apps, d))
		}
		if g.chance(0.15) {
			g.constrain(d)
		}
	}
	g.emit(apps...)
	for _, d := range apps {
		if g.chance(0.7) {
			g.claimVolumes(d)
		}
	}
}
