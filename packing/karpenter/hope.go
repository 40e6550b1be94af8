package karpenter

import (
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// hope is what a simulation has to come to if a command is to follow: the pods of
// the nodes that go find places on nodes that stay and on at most one new node, which is
// cheaper. It only sinks while pods are placed, so a simulation can be given up, or spared, once it
// is lost. That says that there is no command, not why.
type hope struct {
	price float64 // of the nodes that go, in US dollars an hour
	// spotStays: all that go are spot, and so would be a replacement that may be; it is not wanted.
	spotStays bool
}

// hopeFor returns what the simulation of taking nodes away needs.
func (c *cluster) hopeFor(gone []*Candidate) *hope {
	p := c.packer
	// A reservation could make a replacement that may be spot one that is not, and so could another
	// pod that asks for a capacity type.
	h := &hope{spotStays: !p.settings.spotToSpot && len(p.reservations.capacity) == 0 &&
		!c.sim.p.m.nodeKeys[requirements.LabelCapacityType]}
	for _, cand := range gone {
		h.price += cand.Price
		h.spotStays = h.spotStays && cand.node.spot
	}
	return h
}

// lost reports whether a new node that may become one of some types is no replacement, nor
// will be when more pods join it: they narrow the types and the offerings.
func (h *hope) lost(w *workspace, set compiled.SetID, types compiled.Bits) bool {
	if h.spotStays && w.allowsSpot(set) {
		return true
	}
	_, price := w.prices(set).cheapest(types)
	return price >= h.price
}

func (w *workspace) allowsSpot(set compiled.SetID) bool {
	f := w.fact(set)
	if f.spot == nil {
		f.spot = new(w.sets.Get(set).Get(requirements.LabelCapacityType).Has(requirements.CapacityTypeSpot))
	}
	return *f.spot
}

// hopeLost reports whether what the run has opened so far rules a command out.
func (r *run) hopeLost() bool {
	switch len(r.claims) {
	case 0:
		return false
	case 1:
		return r.hope.lost(r.w, r.claims[0].set, r.claims[0].types)
	default:
		return true
	}
}

// hopeless reports whether no simulation is needed to see that taking nodes away comes to nothing:
// some of their pods would all have to go to one new node, and none that holds them is cheaper.
func (c *cluster) hopeless(gone []*Candidate, h *hope) bool {
	for _, cand := range gone {
		c.gone[cand.position] = true
	}
	need, known := c.walk(gone)
	if !known {
		need = c.homeless(gone)
	}
	for _, cand := range gone {
		c.gone[cand.position] = false
	}
	return need.none || len(need.kinds) > 0 && !c.holds(need, h)
}

// prospects is what seeing ahead of simulations works with, for one cluster after the other.
type prospects struct {
	cluster int
	fits    []fitting // by kind
	need    need
	queue   []movingKind
	left    leftovers
	types   compiled.Bits
}

// need is pods that no node takes that stays: they would have to go to one new node.
type need struct {
	none    bool // not even that would do
	kinds   []int32
	amounts []int64
}

func (s *need) reset() { s.none, s.kinds, s.amounts = false, s.kinds[:0], s.amounts[:0] }

func (s *need) add(m *memory, k int32) {
	s.kinds = append(s.kinds, k)
	for i, v := range m.demandOf(k).amounts {
		if i == len(s.amounts) {
			s.amounts = append(s.amounts, 0)
		}
		s.amounts[i] = compiled.Saturated(s.amounts[i], v)
	}
}

// holds reports whether some pool has a type that holds the pods and leaves hope.
func (c *cluster) holds(pods *need, h *hope) bool {
	p, types := c.sim.p, c.sim.p.w.prospects.types
	for i, pl := range p.w.packer.pools {
		if !pl.canLaunch {
			continue
		}
		set, ok := c.claimSet(i, pods)
		if !ok {
			continue
		}
		types = append(types[:0], pl.options...)
		p.w.prospects.types = types
		types.And(p.overhead[i].fits.All())
		types.And(p.w.launchable(set).launchable)
		if p.overhead[i].fits.Restrict(types, nil, pods.amounts) && !h.lost(p.w, set, types) {
			return true
		}
	}
	return false
}

// claimSet returns what a claim of a pool would have to meet for some pods.
func (c *cluster) claimSet(pool int, pods *need) (compiled.SetID, bool) {
	p := c.sim.p
	set := p.w.poolSets[pool]
	for i, k := range pods.kinds {
		if i > 0 && k == pods.kinds[i-1] {
			continue
		}
		class := p.m.kindList[k].class
		if !class.tolerated[pool] || !p.w.sets.Compatible(set, class.set) {
			return 0, false
		}
		set = p.w.sets.Intersect(set, class.set)
	}
	return set, true
}
