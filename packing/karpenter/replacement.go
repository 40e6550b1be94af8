package karpenter

import (
	"math"
	"slices"
	"sort"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// claimOptions are the instance types and the requirements of a replacement
// while consolidation narrows them.
type claimOptions struct {
	types     []*instancetypes.InstanceType
	reqs      requirements.Set
	wellKnown func(string) bool
	// verdicts are what is known of offerings; those alike share their requirements.
	verdicts map[*requirements.Requirement]offeringVerdict
}

// offeringVerdict is what the claim makes of offerings with the same requirements.
type offeringVerdict struct {
	allowed bool
	// ofType is, in the order of launchOrder, whether it is of the capacity type.
	ofType [len(launchOrder)]bool
}

func (o *claimOptions) verdict(of *instancetypes.Offering) offeringVerdict {
	if len(of.Requirements) == 0 {
		return o.judge(of)
	}
	key := &of.Requirements[0]
	v, ok := o.verdicts[key]
	if !ok {
		if o.verdicts == nil {
			o.verdicts = map[*requirements.Requirement]offeringVerdict{}
		}
		v = o.judge(of)
		o.verdicts[key] = v
	}
	return v
}

func (o *claimOptions) judge(of *instancetypes.Offering) offeringVerdict {
	v := offeringVerdict{allowed: o.reqs.Compatible(of.Requirements, o.wellKnown) == nil}
	for i, capacityType := range launchOrder {
		v.ofType[i] = capacityType.Compatible(of.Requirements, o.wellKnown) == nil
	}
	return v
}

// allows reports whether the claim may take an offering now.
func (o *claimOptions) allows(of *instancetypes.Offering) bool {
	return of.Available && o.verdict(of).allowed
}

// sortByPrice orders the types by their cheapest available offering that the
// claim allows. The original sorts twice with sort.Slice, from the catalog's
// order; types of one price keep the order that leaves them in
// (pkg/cloudprovider/types.go, OrderByPrice).
func (o *claimOptions) sortByPrice(catalog *instancetypes.Catalog) {
	prices := make(map[*instancetypes.InstanceType]float64, len(o.types))
	for _, t := range o.types {
		price := math.MaxFloat64
		for i := range t.Offerings {
			if of := &t.Offerings[i]; of.Price < price && o.allows(of) {
				price = of.Price
			}
		}
		prices[t] = price
	}
	byPrice := func(types []*instancetypes.InstanceType) {
		sort.Slice(types, func(i, j int) bool { return prices[types[i]] < prices[types[j]] })
	}
	position := make(map[*instancetypes.InstanceType]int, len(catalog.Types()))
	for i, t := range catalog.Types() {
		position[t] = i
	}
	types := slices.Clone(o.types)
	slices.SortFunc(types, func(a, b *instancetypes.InstanceType) int { return position[a] - position[b] })
	byPrice(types) // when the scheduler truncates its results
	byPrice(types) // when consolidation takes them up
	o.types = types
}

// launchOrder is the order in which a launch prefers capacity types.
var launchOrder = [...]requirements.Set{
	requirements.NewSet(requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeReserved)),
	requirements.NewSet(requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeSpot)),
	requirements.NewSet(requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeOnDemand)),
}

// worstLaunchPrice is the dearest offering of the capacity type that would be
// launched: reserved before spot before on-demand (WorstLaunchPrice).
func (o *claimOptions) worstLaunchPrice(t *instancetypes.InstanceType) float64 {
	for capacityType := range launchOrder {
		worst, found := 0.0, false
		for i := range t.Offerings {
			of := &t.Offerings[i]
			if !o.allows(of) || !o.verdict(of).ofType[capacityType] {
				continue
			}
			if !found || of.Price > worst {
				worst, found = of.Price, true
			}
		}
		if found {
			return worst
		}
	}
	return math.MaxFloat64
}

// anyCheaper reports whether keepCheaper would keep any type.
func (o *claimOptions) anyCheaper(price float64) bool {
	return slices.ContainsFunc(o.types, func(t *instancetypes.InstanceType) bool { return o.worstLaunchPrice(t) < price })
}

// keepCheaper keeps the types whose worst launch price is below a price and
// reports whether what remains still meets minValues
// (RemoveInstanceTypeOptionsByPriceAndMinValues).
func (o *claimOptions) keepCheaper(price float64) bool {
	kept := make([]*instancetypes.InstanceType, 0, len(o.types))
	for _, t := range o.types {
		if o.worstLaunchPrice(t) < price {
			kept = append(kept, t)
		}
	}
	o.types = kept
	_, ok := o.minValues()
	return ok
}

// keepLaunchable keeps the types with an available offering that the claim allows.
func (o *claimOptions) keepLaunchable() {
	kept := make([]*instancetypes.InstanceType, 0, len(o.types))
	for _, t := range o.types {
		for i := range t.Offerings {
			if o.allows(&t.Offerings[i]) {
				kept = append(kept, t)
				break
			}
		}
	}
	o.types = kept
}

// minValues returns how many of the first types meet all minValues, and whether
// all types together do. No types at all count as meeting them (SatisfiesMinValues).
func (o *claimOptions) minValues() (needed int, ok bool) {
	if !o.reqs.HasMinValues() {
		return 0, true
	}
	seen := map[string]map[string]bool{}
	met := true
	for i, t := range o.types {
		met = true
		for _, r := range o.reqs {
			if r.MinValues() == 0 {
				continue
			}
			if seen[r.Key()] == nil {
				seen[r.Key()] = map[string]bool{}
			}
			for _, v := range t.Requirements.Get(r.Key()).Values() {
				seen[r.Key()][v] = true
			}
			met = met && len(seen[r.Key()]) >= r.MinValues()
		}
		if met {
			return i + 1, true
		}
	}
	return len(o.types), met
}

// cheapest returns the cheapest available offering that the claim allows of the
// first type, as the savings of a command are estimated (EstimatedSavings).
func (o *claimOptions) cheapestOfFirst() float64 {
	if len(o.types) == 0 {
		return 0
	}
	price, found := 0.0, false
	for i := range o.types[0].Offerings {
		of := &o.types[0].Offerings[i]
		if o.allows(of) && (!found || of.Price < price) {
			price, found = of.Price, true
		}
	}
	return price
}

// dropSameTypes keeps a replacement from being one of the nodes that it
// replaces: if a type of theirs is among the options, only types cheaper than
// the cheapest such node stay (filterOutSameInstanceType). It reports whether
// any remain and meet minValues.
func (o *claimOptions) dropSameTypes(gone []*Candidate) bool {
	cheapest := map[string]float64{}
	existing := map[string]bool{}
	for _, c := range gone {
		existing[c.InstanceType.Name] = true
		price, found := 0.0, false
		for i := range c.InstanceType.Offerings {
			of := &c.InstanceType.Offerings[i]
			if c.node.labels.Compatible(of.Requirements, o.wellKnown) == nil && (!found || of.Price < price) {
				price, found = of.Price, true
			}
		}
		if known, ok := cheapest[c.InstanceType.Name]; found && (!ok || price < known) {
			cheapest[c.InstanceType.Name] = price
		}
	}
	limit := math.MaxFloat64
	for _, t := range o.types {
		if existing[t.Name] {
			limit = min(limit, cheapest[t.Name])
		}
	}
	return o.keepCheaper(limit) && len(o.types) > 0
}

// anyCheaper reports whether some type that a claim may still become has a worst launch price
// below a price. It is [claimOptions.anyCheaper] on numbered sets.
func (w *workspace) anyCheaper(cl *claim, price float64) bool {
	l := w.prices(cl.set)
	if l.worst == nil {
		l.worst = make([]float64, w.types.Len())
		for i := range l.worst {
			l.worst[i] = w.worstLaunchPrice(cl.set, w.types.Type(i))
		}
	}
	for i := range cl.types.All {
		if l.worst[i] < price {
			return true
		}
	}
	return false
}

func (w *workspace) worstLaunchPrice(set compiled.SetID, t *instancetypes.InstanceType) float64 {
	for _, capacityType := range launchOrder {
		worst, found := 0.0, false
		for i := range t.Offerings {
			of := &t.Offerings[i]
			if of.Available && (!found || of.Price > worst) && w.sets.Compatible(set, w.offeringSet(of)) &&
				capacityType.Compatible(of.Requirements, w.wellKnown) == nil {
				worst, found = of.Price, true
			}
		}
		if found {
			return worst
		}
	}
	return math.MaxFloat64
}
