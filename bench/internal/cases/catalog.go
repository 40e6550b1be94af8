package cases

import (
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// Labels of nodes. Those of AWS are not well known to Karpenter's core, which
// makes a difference for pods that ask for them.
const (
	typeLabel         = corev1.LabelInstanceTypeStable
	archLabel         = corev1.LabelArchStable
	osLabel           = corev1.LabelOSStable
	zoneLabel         = corev1.LabelTopologyZone
	hostLabel         = corev1.LabelHostname
	poolLabel         = requirements.LabelNodePool
	capacityTypeLabel = requirements.LabelCapacityType
	familyLabel       = "karpenter.k8s.aws/instance-family"
	categoryLabel     = "karpenter.k8s.aws/instance-category"
	generationLabel   = "karpenter.k8s.aws/instance-generation"
	cpuLabel          = "karpenter.k8s.aws/instance-cpu"
	sizeLabel         = "karpenter.k8s.aws/instance-size"
	reservationLabel  = "karpenter.k8s.aws/capacity-reservation-id"
	teamLabel         = "example.com/team"
	tierLabel         = "example.com/tier"

	gpu = corev1.ResourceName("nvidia.com/gpu")
)

var zones = []string{"zone-a", "zone-b", "zone-c"}

// family is a line of instance types like those of EC2.
type family struct {
	name, category, generation, arch string
	gibPerCPU                        int
	pricePerCPU                      float64 // on demand, US dollars an hour
	sizes                            []size
	gpus                             bool
}

type size struct {
	name      string
	cpu, pods int
}

var (
	ordinarySizes = []size{
		{"large", 2, 29}, {"xlarge", 4, 58}, {"2xlarge", 8, 58}, {"4xlarge", 16, 234},
		{"8xlarge", 32, 234}, {"12xlarge", 48, 234}, {"16xlarge", 64, 737}, {"24xlarge", 96, 737},
	}
	armSizes = append([]size{{"medium", 1, 8}}, ordinarySizes[:7]...)
	gpuSizes = []size{{"xlarge", 4, 58}, {"2xlarge", 8, 58}, {"12xlarge", 48, 234}}

	families = []family{
		{"c5", "c", "5", "amd64", 2, 0.0425, ordinarySizes, false},
		{"c6i", "c", "6", "amd64", 2, 0.0425, ordinarySizes, false},
		{"c6a", "c", "6", "amd64", 2, 0.03825, ordinarySizes, false},
		{"c6g", "c", "6", "arm64", 2, 0.034, armSizes, false},
		{"c7g", "c", "7", "arm64", 2, 0.03625, armSizes, false},
		{"m5", "m", "5", "amd64", 4, 0.048, ordinarySizes, false},
		{"m6i", "m", "6", "amd64", 4, 0.048, ordinarySizes, false},
		{"m6a", "m", "6", "amd64", 4, 0.0432, ordinarySizes, false},
		{"m6g", "m", "6", "arm64", 4, 0.0385, armSizes, false},
		{"m7g", "m", "7", "arm64", 4, 0.0408, armSizes, false},
		{"r5", "r", "5", "amd64", 8, 0.063, ordinarySizes, false},
		{"r6i", "r", "6", "amd64", 8, 0.063, ordinarySizes, false},
		{"r6g", "r", "6", "arm64", 8, 0.0504, armSizes, false},
		{"t3", "t", "3", "amd64", 2, 0.0208, []size{{"small", 2, 11}, {"medium", 2, 17}, {"large", 2, 35}}, false},
	}
	gpuFamilies = []family{
		{"g4dn", "g", "4", "amd64", 4, 0.1315, gpuSizes, true},
		{"g5", "g", "5", "amd64", 4, 0.2515, gpuSizes, true},
	}
)

// drawCatalog draws about n instance types of several families, of which one at
// least is amd64 and one arm64.
func (g *generator) drawCatalog(n int) {
	if g.alikeZones {
		g.note("zone-uniform-prices")
	}
	chosen := slices.Clone(families)
	g.rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	for i, arch := range []string{"amd64", "arm64"} {
		j := i + slices.IndexFunc(chosen[i:], func(f family) bool { return f.arch == arch && f.name != "t3" })
		chosen[i], chosen[j] = chosen[j], chosen[i]
	}
	chosen = chosen[:min(2+n/8, len(chosen))]

	type row struct {
		family family
		size   size
	}
	var rows []row
	for _, f := range chosen {
		for _, s := range f.sizes {
			if g.largestCPU == 0 || s.cpu <= g.largestCPU {
				rows = append(rows, row{f, s})
			}
		}
	}
	g.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	// A size that ordinary pods fit on is always there.
	i := slices.IndexFunc(rows, func(r row) bool { return r.family.name == chosen[0].name && r.size.name == "2xlarge" })
	rows[0], rows[i] = rows[i], rows[0]
	for _, r := range rows[:min(n, len(rows))] {
		g.addType(r.family, r.size)
	}
}

func (g *generator) addGPUTypes() {
	g.note("gpu")
	f := pick(g, gpuFamilies...)
	for _, s := range f.sizes {
		g.addType(f, s)
	}
}

func (g *generator) addType(f family, s size) {
	t := &instancetypes.InstanceType{Name: f.name + "." + s.name}
	mib := int64(f.gibPerCPU*s.cpu*1024) * 925 / 1000
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              quantity(fmt.Sprint(s.cpu)),
		corev1.ResourceMemory:           quantity(fmt.Sprintf("%dMi", mib)),
		corev1.ResourcePods:             quantity(fmt.Sprint(s.pods)),
		corev1.ResourceEphemeralStorage: quantity("20Gi"),
	}
	if f.gpus {
		capacity[gpu] = quantity(fmt.Sprint(max(1, s.cpu/12)))
	}
	t.Capacity = resources.MustFromList(capacity)
	// What EKS keeps back: CPU by size, memory by pods, and 100Mi for eviction.
	t.Overhead = resources.MustFromList(corev1.ResourceList{
		corev1.ResourceCPU:    quantity(fmt.Sprintf("%dm", 60+10*min(s.cpu, 4)+5*max(0, s.cpu-4)/2)),
		corev1.ResourceMemory: quantity(fmt.Sprintf("%dMi", 11*s.pods+355)),
	})
	inZones, capacityTypes := g.addOfferings(t, roundPrice(f.pricePerCPU*float64(s.cpu)))
	t.Requirements = requirements.NewSet(
		requirements.Must(typeLabel, requirements.In, t.Name),
		requirements.Must(archLabel, requirements.In, f.arch),
		requirements.Must(osLabel, requirements.In, "linux"),
		requirements.Must(zoneLabel, requirements.In, inZones...),
		requirements.Must(capacityTypeLabel, requirements.In, capacityTypes...),
		requirements.Must(familyLabel, requirements.In, f.name),
		requirements.Must(categoryLabel, requirements.In, f.category),
		requirements.Must(generationLabel, requirements.In, f.generation),
		requirements.Must(cpuLabel, requirements.In, fmt.Sprint(s.cpu)),
		requirements.Must(sizeLabel, requirements.In, s.name),
	)
	g.types = append(g.types, t)
}

// addOfferings gives the type spot and on-demand offerings and returns the zones
// and capacity types that are available, which may be none.
func (g *generator) addOfferings(t *instancetypes.InstanceType, onDemand float64) (inZones, capacityTypes []string) {
	spot := 0.28 + 0.35*g.rng.Float64()
	sold := zones
	if !g.alikeZones && g.chance(0.12) {
		sold = g.some(zones, g.between(1, 2))
	}
	for _, zone := range sold {
		discount := spot
		if !g.alikeZones {
			discount *= 0.85 + 0.3*g.rng.Float64()
		}
		for _, capacityType := range []string{"spot", "on-demand"} {
			o := instancetypes.Offering{Requirements: offered(capacityType, zone), Price: onDemand, Available: true}
			if capacityType == "spot" {
				o.Price = roundPrice(onDemand * discount)
			}
			if !g.alikeZones && g.chance(0.05) {
				o.Available = false
				g.note("unavailable-offerings")
			} else {
				inZones, capacityTypes = append(inZones, zone), append(capacityTypes, capacityType)
			}
			t.Offerings = append(t.Offerings, o)
		}
	}
	return inZones, capacityTypes
}

func offered(capacityType, zone string) requirements.Set {
	return requirements.NewSet(
		requirements.Must(capacityTypeLabel, requirements.In, capacityType),
		requirements.Must(zoneLabel, requirements.In, zone),
	)
}

func roundPrice(dollars float64) float64 { return math.Round(dollars*1e4) / 1e4 }

// reserve adds n reserved offerings of one to three instances, some of them in
// one reservation with another, and lets every pool that names capacity types
// use them. Other offerings say that they belong to no reservation.
func (g *generator) reserve(n int) {
	g.note("reserved")
	g.options.ReservedCapacity = true
	g.options.ReservationIDLabel = reservationLabel
	for _, t := range g.types {
		for i := range t.Offerings {
			t.Offerings[i].Requirements = t.Offerings[i].Requirements.Add(requirements.Must(reservationLabel, requirements.DoesNotExist))
		}
	}
	order := g.rng.Perm(len(g.types))
	ids := map[*instancetypes.InstanceType][]string{}
	for i := range min(n, len(order)) {
		t := g.types[order[i]]
		onDemand := 0.1
		for j := range t.Offerings {
			if t.Offerings[j].CapacityType() == "on-demand" {
				onDemand = t.Offerings[j].Price
			}
		}
		for range pick(g, 1, 1, 2) {
			id := fmt.Sprintf("cr-%d-%d", i+1, len(ids[t])+1)
			ids[t] = append(ids[t], id)
			// AWS prices a reservation that is paid for at next to nothing.
			t.Offerings = append(t.Offerings, instancetypes.Offering{
				Requirements: offered("reserved", pick(g, zones...)).Add(requirements.Must(reservationLabel, requirements.In, id)),
				Price:        onDemand / 10_000_000, Available: true, ReservationCapacity: g.between(1, 3),
			})
		}
		t.Requirements = withOfferings(t)
	}
	for _, pool := range g.pools {
		for i := range pool.Spec.Template.Spec.Requirements {
			if r := &pool.Spec.Template.Spec.Requirements[i]; r.Key == capacityTypeLabel {
				r.Values = append(r.Values, "reserved")
			}
		}
	}
}

// withOfferings returns the type's requirements with the zones, capacity types
// and reservations of its available offerings.
func withOfferings(t *instancetypes.InstanceType) requirements.Set {
	values := map[string][]string{}
	for _, o := range t.Offerings {
		for _, r := range o.Requirements {
			if o.Available && r.Operator() == requirements.In {
				values[r.Key()] = append(values[r.Key()], r.Values()...)
			}
		}
	}
	out := make([]requirements.Requirement, 0, len(t.Requirements)+1)
	for _, r := range t.Requirements {
		if values[r.Key()] == nil || r.Key() == typeLabel {
			out = append(out, r)
		}
	}
	for key, v := range values {
		out = append(out, requirements.Must(key, requirements.In, v...))
	}
	return requirements.NewSet(out...)
}

// label returns the value of a label that all nodes of the type carry.
func label(t *instancetypes.InstanceType, key string) string {
	r, _ := t.Requirements.Lookup(key)
	return strings.Join(r.Values(), "")
}
