package karpenter

import (
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/resources"

	corev1 "k8s.io/api/core/v1"
)

// resourceNodes is the name under which a pool's limits count nodes.
const resourceNodes corev1.ResourceName = "nodes"

// poolLimits is what of a pool's limits is left in a run.
type poolLimits struct {
	limited bool
	left    resources.Vector
	columns []int // of the resources in left, -1 for nodes
	// within are the types whose capacity is within what is left, largest the most
	// that any of them has of each resource in left: while that is within, so are all.
	within  compiled.Bits
	largest []int64
}

// prepareLimits takes the nodes that are there from their pools' limits.
func (r *run) prepareLimits() {
	all := r.p.shared
	if all.left == nil {
		all.left = make([]poolLimits, len(r.w.packer.pools))
		limited := false
		for i, pl := range r.w.packer.pools {
			all.left[i] = startLimits(pl, r.p.dims)
			limited = limited || pl.limited
		}
		if limited {
			for _, n := range r.p.nodes {
				if n.takes && n.pool >= 0 {
					all.left[n.pool].take(n.capacity, 1)
				}
			}
		}
	}
	r.remaining = make([]poolLimits, len(all.left))
	for i, rest := range all.left {
		rest.left = append(resources.Vector(nil), rest.left...)
		r.remaining[i] = rest
	}
	for _, position := range r.gone {
		if n := r.p.nodes[all.index[position]]; n.knownNode.active && n.pool >= 0 {
			r.remaining[n.pool].take(n.capacity, -1)
		}
	}
}

func startLimits(pl *pool, dims *compiled.Dimensions) poolLimits {
	rest := poolLimits{limited: pl.limited, left: append(resources.Vector(nil), pl.limits...)}
	for _, a := range rest.left {
		if column := dims.Column(a.Name); a.Name == resourceNodes {
			rest.columns = append(rest.columns, -1)
		} else {
			rest.columns = append(rest.columns, column)
		}
	}
	return rest
}

// take counts nodes of a capacity against the limits.
func (l *poolLimits) take(capacity resources.Vector, nodes int64) {
	for k := range l.left {
		if l.left[k].Name == resourceNodes {
			l.left[k].Value -= nodes
		} else {
			l.left[k].Value -= nodes * capacity.Get(l.left[k].Name)
		}
	}
}

// withinLimits returns the pool's types that its limits still allow. Models
// filterByRemainingResources of Karpenter v1.14.1 scheduler.go: no type has any
// "nodes", so that limit excludes all once it is below zero.
func (r *run) withinLimits(pool int) compiled.Bits {
	pl, rest := r.w.packer.pools[pool], &r.remaining[pool]
	if !rest.limited {
		return pl.options
	}
	if rest.within == nil {
		rest.within = append(compiled.Bits(nil), pl.options...)
		rest.largest = make([]int64, len(rest.left))
		for k, column := range rest.columns {
			rest.largest[k] = pl.largest(r.w.types, rest.within, column)
		}
	}
	for k := range rest.left {
		left := rest.left[k].Value
		if rest.largest[k] <= left {
			continue
		}
		for i := range rest.within.All {
			if r.capacityOf(i, rest.columns[k]) > left {
				rest.within.Clear(i)
			}
		}
		rest.largest[k] = pl.largest(r.w.types, rest.within, rest.columns[k])
	}
	return rest.within
}

// largest returns the most that any of some of the pool's types has of a column.
func (pl *pool) largest(types *compiled.Types, of compiled.Bits, column int) int64 {
	if column < 0 || column >= len(pl.byCapacity) {
		return 0
	}
	for _, i := range pl.byCapacity[column] {
		if of.Has(int(i)) {
			return types.Capacity(int(i))[column]
		}
	}
	return 0
}

// capacityOf returns what a type has of a column, 0 of one that no type has.
func (r *run) capacityOf(i, column int) int64 {
	capacity := r.w.types.Capacity(i)
	if column < 0 || column >= len(capacity) {
		return 0
	}
	return capacity[column]
}

// charge takes a new claim from its pool's limits. Models subtractMax.
func (r *run) charge(cl *claim) {
	rest := &r.remaining[cl.pool]
	if !rest.limited {
		return
	}
	quirks := r.w.packer.settings.quirks
	cheapest := -1
	if quirks&LimitsSubtractLargest == 0 {
		cheapest, _ = r.w.prices(cl.set).cheapest(cl.types)
	}
	for k := range rest.left {
		a := &rest.left[k]
		if a.Name == resourceNodes {
			if quirks&NodeLimitNotCounted == 0 {
				a.Value--
			}
			continue
		}
		if cheapest >= 0 {
			a.Value -= r.capacityOf(cheapest, rest.columns[k])
		} else {
			a.Value -= r.w.packer.pools[cl.pool].largest(r.w.types, cl.types, rest.columns[k])
		}
	}
}

// open puts the pod on a new claim of the first pool that can launch one, or says
// why none can: the failure is good until the next pod. Models addToNewNodeClaim
// of Karpenter v1.14.1 scheduler.go.
func (r *run) open(pod int32, c *class, d *demand) *failure {
	f := &r.failure
	*f = failure{class: c, demand: d, pools: f.pools[:0]}
	for i, pl := range r.w.packer.pools {
		if !pl.canLaunch {
			continue
		}
		cl, why := r.propose(c, d, i)
		if cl != nil {
			r.launch(pod, c, d, cl)
			return nil
		}
		f.pools = append(f.pools, why)
		if why.code == deferred {
			// Pools of lower weight are not tried: the reservation may come free.
			f.final = true
			return f
		}
	}
	return f
}

// propose returns a new claim of a pool for a pod of the class, not yet opened,
// or why there can be none.
func (r *run) propose(c *class, d *demand, pool int) (*claim, poolFailure) {
	why := poolFailure{pool: pool}
	rest := &r.remaining[pool]
	if left, ok := rest.left.Lookup(resourceNodes); ok && left == 0 {
		why.code = nodeLimit
		return nil, why
	}
	within := r.withinLimits(pool)
	if !within.Any() {
		why.code = limits
		return nil, why
	}
	if !c.tolerated[pool] {
		why.code = taints
		return nil, why
	}
	host := int32(r.p.hosts + len(r.claims))
	if c.hostname != nil && !c.hostname.Has(r.hostname(host)) || !r.w.sets.Compatible(r.w.poolSets[pool], c.set) {
		why.code = incompatible
		return nil, why
	}
	if !r.hostAllows(c, host) {
		why.code = topologyUnmet
		return nil, why
	}
	r.opened = r.outcomes(c, r.w.poolSets[pool], false, r.opened[:0])
	if len(r.opened) == 0 {
		why.code = topologyUnmet
		return nil, why
	}
	cl := &r.proposed
	*cl = claim{pool: pool, host: host}
	o := r.p.overhead[pool]
	for _, set := range r.opened {
		why.set = set
		copy(r.scratch, within)
		r.scratch.And(o.fits.All())
		if !o.fits.Restrict(r.scratch, nil, d.amounts) || !r.admit(c, cl, o, set, true) {
			if why.code = noType; r.scratch.Any() {
				why.code = deferred
			}
			continue
		}
		if unmet := r.unmet(set); len(unmet) > 0 {
			if r.w.packer.settings.minValues == Strict {
				why.code, why.unmet = minValues, unmet
				continue
			}
			set = r.w.sets.ID(relaxMinValues(r.w.sets.Get(set), unmet))
		}
		cl.set = set
		return cl, why
	}
	return nil, why
}

func (r *run) unmet(set compiled.SetID) []unmet {
	if !r.w.launchable(set).minValues {
		return nil
	}
	return unmetMinValues(r.w.types, r.scratch, r.w.sets.Get(set))
}

// launch opens a proposed claim with its first pod.
func (r *run) launch(pod int32, c *class, d *demand, proposed *claim) {
	at := int32(len(r.claims))
	cl := r.slab.claim(len(r.scratch), r.p.dims.Len())
	cl.pool, cl.host, cl.set = proposed.pool, proposed.host, proposed.set
	copy(cl.types, r.scratch)
	host := at + int32(len(r.nodes))
	r.claims = append(r.claims, cl)
	r.fill(cl, c, d)
	r.placed = append(r.placed, placement{pod, host})
	if r.watched != nil {
		r.steps = append(r.steps, cl.set)
	}
	r.order.open(at)
	r.changed = append(r.changed, host)
	r.record(c, cl.host, cl.set, int32(cl.pool))
	r.charge(cl)
}

// claimSlab hands out claims in batches, so that one costs no allocation of its own. The first
// is small, since most simulations of consolidation open one claim at most.
type claimSlab struct {
	batch   int
	claims  []claim
	words   []uint64
	amounts []int64
}

func (s *claimSlab) claim(words, columns int) *claim {
	const smallest, largest = 2, 256
	if len(s.claims) == 0 {
		s.batch = min(max(smallest, 4*s.batch), largest)
		s.claims = make([]claim, s.batch)
		s.words = make([]uint64, s.batch*words)
		s.amounts = make([]int64, s.batch*columns)
	}
	c := &s.claims[0]
	c.types, c.requests = s.words[:words:words], s.amounts[:columns:columns]
	s.claims, s.words, s.amounts = s.claims[1:], s.words[words:], s.amounts[columns:]
	return c
}
