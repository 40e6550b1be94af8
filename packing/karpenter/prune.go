package karpenter

import (
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// incumbent is the nodes that a simulation takes away, as what it finds has to be better: a command follows only if
// their pods find places on nodes that stay and on at most one new node, which is cheaper. While pods are placed new
// nodes only get more and dearer, so that a simulation can be broken off, or spared, once it is plain that it finds
// nothing better. That says that there is no command, not why.
type incumbent struct {
	price float64 // of the nodes, in US dollars an hour
	// spotStays: all are spot, and a replacement that may be spot is not wanted.
	spotStays bool
}

// incumbentOf returns the incumbent of taking nodes away.
func (c *cluster) incumbentOf(gone []*Candidate) *incumbent {
	p := c.packer
	// A reservation could make a replacement that may be spot one that is not, and so could another
	// pod that asks for a capacity type.
	old := &incumbent{spotStays: !p.settings.spotToSpot && len(p.reservations.capacity) == 0 &&
		!c.problem.m.nodeKeys[requirements.LabelCapacityType]}
	for _, cand := range gone {
		old.price += cand.Price
		old.spotStays = old.spotStays && cand.node.spot
	}
	return old
}

// unbeaten reports whether a new node that may become one of some types is no better, nor will be
// when more pods join it: they narrow the types and the offerings.
func (old *incumbent) unbeaten(w *workspace, set compiled.SetID, types compiled.Bits) bool {
	if old.spotStays && w.allowsSpot(set) {
		return true
	}
	_, price := w.prices(set).cheapest(types)
	return price >= old.price
}

func (w *workspace) allowsSpot(set compiled.SetID) bool {
	f := w.fact(set)
	if f.spot == nil {
		f.spot = new(w.sets.Get(set).Get(requirements.LabelCapacityType).Has(requirements.CapacityTypeSpot))
	}
	return *f.spot
}

// outdone reports whether the nodes that the run has opened so far are no better than those that go.
func (r *run) outdone() bool {
	switch len(r.claims) {
	case 0:
		return false
	case 1:
		return r.incumbent.unbeaten(r.w, r.claims[0].set, r.claims[0].types)
	default:
		return true
	}
}

// fruitless reports whether it is plain without a simulation that taking nodes away comes to nothing: some
// of their pods would all have to go to one new node, and none that has room for them is better.
func (c *cluster) fruitless(gone []*Candidate, old *incumbent) bool {
	for _, cand := range gone {
		c.gone[cand.position] = true
	}
	left, known := c.walk(gone)
	if !known {
		left = c.homeless(gone)
	}
	for _, cand := range gone {
		c.gone[cand.position] = false
	}
	return left.hopeless || len(left.kinds) > 0 && !c.improves(left, old)
}

// pruning is what is needed to see ahead of simulations, for one cluster after the other.
type pruning struct {
	cluster int
	fits    []fitting // by kind
	left    unplaced
	queue   []movingKind
	room    residual
	types   compiled.Bits
}

// unplaced are pods that no node takes that stays: they would have to go to one new node.
type unplaced struct {
	hopeless bool // not even that would do
	kinds    []int32
	amounts  []int64
}

func (s *unplaced) reset() { s.hopeless, s.kinds, s.amounts = false, s.kinds[:0], s.amounts[:0] }

func (s *unplaced) add(m *memory, k int32) {
	s.kinds = append(s.kinds, k)
	for i, v := range m.demandOf(k).amounts {
		if i == len(s.amounts) {
			s.amounts = append(s.amounts, 0)
		}
		s.amounts[i] = compiled.Saturated(s.amounts[i], v)
	}
}

// improves reports whether some pool has a type with room for the pods that may be better.
func (c *cluster) improves(pods *unplaced, old *incumbent) bool {
	p, types := c.problem, c.problem.w.pruning.types
	for i, pl := range p.w.packer.pools {
		if !pl.canLaunch {
			continue
		}
		set, ok := c.claimSet(i, pods)
		if !ok {
			continue
		}
		types = append(types[:0], pl.options...)
		p.w.pruning.types = types
		types.And(p.overhead[i].fits.All())
		types.And(p.w.launchable(set).launchable)
		if p.overhead[i].fits.Restrict(types, nil, pods.amounts) && !old.unbeaten(p.w, set, types) {
			return true
		}
	}
	return false
}

// claimSet returns what a claim of a pool would have to meet for some pods.
func (c *cluster) claimSet(pool int, pods *unplaced) (compiled.SetID, bool) {
	p := c.problem
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
