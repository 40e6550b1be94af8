package instancetypes

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// InstanceType is a kind of machine that a cloud offers. It is immutable once
// it is in a [Catalog]; engines share it.
type InstanceType struct {
	// Name is the cloud's name, the value of node.kubernetes.io/instance-type.
	Name string
	// Capacity is what the machine has, as the node will report it.
	Capacity resources.Vector
	// Overhead is what the kubelet, the system and the eviction threshold keep back.
	Overhead resources.Vector
	// Requirements are the labels that a node of this type can carry, as sets of
	// values: one for most, several for zones and capacity types, DoesNotExist for
	// a label that it never has (instance-gpu-name on a machine without one).
	Requirements requirements.Set
	// Offerings are the ways to buy it.
	Offerings []Offering
	// Origin says how the row came about.
	Origin Origin
}

// Origin says how far a catalog row can be trusted.
type Origin uint8

const (
	// Measured rows come from the cloud's own published data.
	Measured Origin = iota
	// Derived rows have specifications worked out from the family's rules, or
	// a price carried over from a sibling; see the catalog's provenance.
	Derived
	// Estimated rows hold a figure that no source states for this row.
	Estimated
)

// String returns "measured", "derived" or "estimated".
func (o Origin) String() string {
	switch o {
	case Derived:
		return "derived"
	case Estimated:
		return "estimated"
	default:
		return "measured"
	}
}

// Allocatable returns what pods can use: capacity less overhead, huge pages
// taken out of memory, never below zero in memory for that reason (Karpenter
// v1.14.1 pkg/cloudprovider/types.go, computeAllocatable). Other amounts may be
// negative if the overhead exceeds the capacity: such a type holds no pod.
func (t *InstanceType) Allocatable() resources.Vector {
	alloc := t.Capacity.Sub(t.Overhead)
	for _, a := range t.Capacity {
		if strings.HasPrefix(string(a.Name), corev1.ResourceHugePagesPrefix) {
			alloc = alloc.With(corev1.ResourceMemory, max(0, alloc.Get(corev1.ResourceMemory)-a.Value))
		}
	}
	return alloc
}

// Offering is one way to buy an instance type: in a zone, as on-demand, spot or
// reserved capacity, at a price.
type Offering struct {
	// Requirements hold at least the zone and the capacity type; reserved
	// offerings add the reservation id. Offerings alike share one Set.
	Requirements requirements.Set
	// Price is in US dollars an hour.
	Price float64
	// Available is false while the cloud has no capacity. Offerings that are
	// not available take part in no decision.
	Available bool
	// ReservationCapacity is how many instances a reservation still has; 0 for others.
	ReservationCapacity int
	// PriceOrigin says how the price is known.
	PriceOrigin Origin
	// Interruption is the monthly share of spot instances reclaimed, as the cloud
	// publishes it. The zero value is unknown or not applicable.
	Interruption InterruptionBand
}

// InterruptionBand is a band of monthly spot interruption rates, as AWS'
// Spot Instance Advisor publishes them.
type InterruptionBand uint8

const (
	InterruptionUnknown InterruptionBand = iota
	InterruptionUnder5                   // below 5% a month
	Interruption5To10                    // 5 to 10%
	Interruption10To15                   // 10 to 15%
	Interruption15To20                   // 15 to 20%
	InterruptionOver20                   // above 20%
)

// String returns the band as AWS prints it, "" if unknown.
func (b InterruptionBand) String() string {
	return [...]string{"", "<5%", "5-10%", "10-15%", "15-20%", ">20%"}[min(b, InterruptionOver20)]
}

// Zone returns the zone, "" if the offering is not bound to one.
func (o *Offering) Zone() string { return o.only(corev1.LabelTopologyZone) }

// CapacityType returns on-demand, spot or reserved.
func (o *Offering) CapacityType() string { return o.only(requirements.LabelCapacityType) }

func (o *Offering) only(key string) string {
	if r, ok := o.Requirements.Lookup(key); ok && !r.Complement() && len(r.Values()) == 1 {
		return r.Values()[0]
	}
	return ""
}

// Cheapest returns the cheapest available offering that meets the requirements,
// nil if there is none. Ties go to the smaller zone, then capacity type. Labels
// that the offering does not name may have any value.
func (t *InstanceType) Cheapest(reqs requirements.Set) *Offering {
	var best *Offering
	for i := range t.Offerings {
		o := &t.Offerings[i]
		if !o.Available || reqs.Intersects(o.Requirements) != nil {
			continue
		}
		if best == nil || compareOfferings(o, best) < 0 {
			best = o
		}
	}
	return best
}

func compareOfferings(a, b *Offering) int {
	switch {
	case a.Price < b.Price:
		return -1
	case a.Price > b.Price:
		return 1
	}
	if c := strings.Compare(a.Zone(), b.Zone()); c != 0 {
		return c
	}
	return strings.Compare(a.CapacityType(), b.CapacityType())
}

// Zones returns the zones in which the type has an offering, sorted.
func (t *InstanceType) Zones() []string {
	var zones []string
	for i := range t.Offerings {
		zones = append(zones, t.Offerings[i].Zone())
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}
