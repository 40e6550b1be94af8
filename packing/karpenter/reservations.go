package karpenter

import (
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// reservations are the capacity reservations of a catalog.
type reservations struct {
	label    string
	ids      []string
	capacity []int // instances left, by reservation
	// offered are the available offerings of reserved capacity, by type.
	offered map[int][]reservedOffering
	types   compiled.Bits // types with such an offering
}

type reservedOffering struct {
	reqs        requirements.Set
	reservation int
}

// compileReservations collects them. Of several offerings of one reservation the
// smallest capacity counts (Karpenter v1.14.1 reservationmanager.go).
func compileReservations(types *compiled.Types, label string) reservations {
	r := reservations{label: label, offered: map[int][]reservedOffering{}, types: compiled.NewBits(types.Len())}
	index := map[string]int{}
	for i := range types.Len() {
		t := types.Type(i)
		for k := range t.Offerings {
			o := &t.Offerings[k]
			if o.CapacityType() != requirements.CapacityTypeReserved {
				continue
			}
			id := o.Requirements.Get(label).Any()
			at, known := index[id]
			if !known {
				at = len(r.ids)
				index[id] = at
				r.ids = append(r.ids, id)
				r.capacity = append(r.capacity, o.ReservationCapacity)
			}
			r.capacity[at] = min(r.capacity[at], o.ReservationCapacity)
			if o.Available {
				r.offered[i] = append(r.offered[i], reservedOffering{o.Requirements, at})
				r.types.Set(i)
			}
		}
	}
	return r
}

// reserve returns the reservations that a claim with these types and
// requirements holds or could take. ok is false if there are compatible ones but
// none to be had, or if the claim would lose all that it holds: the pod is then
// deferred rather than placed on capacity that is paid twice. Simulations of
// consolidation defer nothing: they fall back to other capacity.
// Models offeringsToReserve of Karpenter v1.14.1 nodeclaim.go.
func (r *run) reserve(c *claim, types compiled.Bits, set compiled.SetID) (take []int32, ok bool) {
	w := r.w
	all := &w.packer.reservations
	if !w.packer.settings.reservedCapacity || len(all.ids) == 0 {
		return nil, true
	}
	compatible := false
	for i := range types.All {
		for _, o := range all.offered[i] {
			if !w.sets.Compatible(set, w.sets.ID(o.reqs)) {
				continue
			}
			compatible = true
			id := int32(o.reservation)
			if (c.holds(id) || r.reservable[id] > 0) && !contains(take, id) {
				take = append(take, id)
			}
		}
	}
	strict := !r.p.simulating
	if strict && len(take) == 0 && (compatible || len(c.reserved) > 0) {
		return nil, false
	}
	return take, true
}

// hold makes the claim hold these reservations and no others.
func (r *run) hold(c *claim, take []int32) {
	for _, id := range take {
		if !c.holds(id) {
			r.reservable[id]--
		}
	}
	for _, id := range c.reserved {
		if !contains(take, id) {
			r.reservable[id]++
		}
	}
	c.reserved = take
}

func (c *claim) holds(id int32) bool { return contains(c.reserved, id) }

func contains(ids []int32, id int32) bool {
	for _, x := range ids {
		if x == id {
			return true
		}
	}
	return false
}
