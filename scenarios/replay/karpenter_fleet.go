package replay

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unsafe"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// maxInstanceTypes is how many types Karpenter's AWS provider v1.14.1 asks the cloud for at most
// (pkg/providers/instance/instance.go).
const maxInstanceTypes = 60

// fleet is what the AWS provider asks the cloud for: the offerings of one capacity type, reserved ones
// before spot before on-demand, of the 60 types of the claim that are cheapest.
// Unless the claim has minValues, types with accelerators and bare-metal ones are left out if there
// are others, and spot offerings that cost more than the cheapest on-demand one
// (pkg/providers/instance/instance.go and filter/filter.go).
func (k *karpenterController) fleet(l *packing.Launch) []pool {
	types := k.launchable(l)
	if !l.Requirements.HasMinValues() {
		types = withoutDearSpot(withoutExotic(types))
	}
	for i := range types {
		types[i].price = slices.MinFunc(types[i].pools, func(a, b offered) int { return cmp.Compare(a.offering.Price, b.offering.Price) }).offering.Price
	}
	slices.SortFunc(types, func(a, b fleetType) int {
		if a.price != b.price {
			return cmp.Compare(a.price, b.price)
		}
		return strings.Compare(a.of.Name, b.of.Name)
	})
	types = types[:min(len(types), maxInstanceTypes)]
	for _, capacityType := range []string{requirements.CapacityTypeReserved, requirements.CapacityTypeSpot, requirements.CapacityTypeOnDemand} {
		var pools []pool
		for _, f := range types {
			for _, p := range f.pools {
				if p.capacityType == capacityType {
					pools = append(pools, p.pool)
				}
			}
		}
		if len(pools) == 0 {
			continue
		}
		slices.SortStableFunc(pools, byPrice)
		if capacityType == requirements.CapacityTypeSpot {
			k.supply.allocate(pools)
		}
		return pools
	}
	return nil
}

// fleetType is an instance type with what a claim may launch of it, at least one pool.
type fleetType struct {
	of    *instancetypes.InstanceType
	pools []offered
	price float64 // of the cheapest
}

type offered struct {
	pool
	capacityType string
}

// launchable are the types of a claim with what may be launched of them.
func (k *karpenterController) launchable(l *packing.Launch) []fleetType {
	types := make([]fleetType, 0, len(l.Options))
	var all []offered
	asked := map[*requirements.Requirement]string{} // offerings of one zone and capacity type share their requirements
	for _, t := range l.Options {
		first := len(all)
		for i := range t.Offerings {
			o := &t.Offerings[i]
			if !o.Available {
				continue
			}
			capacityType, known := asked[unsafe.SliceData(o.Requirements)]
			if !known {
				if l.Requirements.Compatible(o.Requirements, k.scenario.Catalog.WellKnown) == nil {
					capacityType = o.CapacityType()
				}
				asked[unsafe.SliceData(o.Requirements)] = capacityType
			}
			if capacityType != "" && !k.lacked(pool{t, o}) {
				all = append(all, offered{pool{t, o}, capacityType})
			}
		}
		if len(all) > first {
			types = append(types, fleetType{of: t, pools: slices.Clip(all[first:])})
		}
	}
	return types
}

// lacked reports whether an offering is left out because it lacked capacity lately.
func (k *karpenterController) lacked(p pool) bool {
	if len(k.unavailable) == 0 {
		return false
	}
	_, out := k.unavailable[p.key()]
	return out
}

// exoticResources are those of accelerators.
var exoticResources = []corev1.ResourceName{"aws.amazon.com/neuron", "aws.amazon.com/neuroncore", "amd.com/gpu", "nvidia.com/gpu", "habana.ai/gaudi"}

func (f fleetType) exotic() bool {
	return strings.Contains(f.of.Name, "metal") || slices.ContainsFunc(exoticResources, func(name corev1.ResourceName) bool { return f.of.Capacity.Get(name) != 0 })
}

func withoutExotic(types []fleetType) []fleetType {
	if !slices.ContainsFunc(types, func(f fleetType) bool { return !f.exotic() }) {
		return types
	}
	return slices.DeleteFunc(types, fleetType.exotic)
}

// withoutDearSpot drops spot offerings that cost more than the cheapest on-demand one.
func withoutDearSpot(types []fleetType) []fleetType {
	cheapest := math.Inf(1)
	for _, f := range types {
		for _, p := range f.pools {
			if p.capacityType == requirements.CapacityTypeOnDemand {
				cheapest = min(cheapest, p.offering.Price)
			}
		}
	}
	for i := range types {
		types[i].pools = slices.DeleteFunc(types[i].pools, func(p offered) bool {
			return p.capacityType == requirements.CapacityTypeSpot && p.offering.Price > cheapest
		})
	}
	return slices.DeleteFunc(types, func(f fleetType) bool { return len(f.pools) == 0 })
}
