package karpenter

import (
	"slices"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
)

// outcomes appends to dst what a host's set becomes with a pod of the class: one
// set for each alternative of its volumes that the set and the topology groups
// allow, in order; none if the pod cannot go there. What hangs on the host itself
// is left to [run.try]. Models the requirement part of NodeClaim.CanAdd and
// ExistingNode.CanAdd of Karpenter v1.14.1 (nodeclaim.go, existingnode.go).
func (r *run) outcomes(c *class, set compiled.SetID, isNode bool, dst []compiled.SetID) []compiled.SetID {
	if !r.compatible(set, c.set, isNode) {
		return dst
	}
	base := r.w.sets.Intersect(set, c.set)
	if c.volumes == nil || len(c.volumes.alternatives) == 0 {
		if out, ok := r.withTopology(c, base, isNode); ok {
			dst = append(dst, out)
		}
		return dst
	}
	for _, alternative := range c.volumes.alternatives {
		if !r.compatible(base, alternative, isNode) {
			continue
		}
		if out, ok := r.withTopology(c, r.w.sets.Intersect(base, alternative), isNode); ok && !slices.Contains(dst, out) {
			dst = append(dst, out)
		}
	}
	return dst
}

// compatible is asked with the strictness of the host: only a claim can still
// become what its set leaves open.
func (r *run) compatible(have, want compiled.SetID, isNode bool) bool {
	if isNode {
		return r.w.sets.CompatibleNode(have, want)
	}
	return r.w.sets.Compatible(have, want)
}

// withTopology narrows a set to the domains that the class's groups choose. Each
// group chooses by itself; choices that exclude each other refuse the pod.
// Models Topology.AddRequirements (topology.go).
func (r *run) withTopology(c *class, set compiled.SetID, isNode bool) (compiled.SetID, bool) {
	if !c.topological() {
		return set, true
	}
	narrowed := set
	for _, o := range c.owned {
		pod, node := o.key.allow(r.w, c.strict), o.key.allow(r.w, set)
		picks := r.picks[:0]
		switch o.Kind {
		case topology.Spread:
			if d, ok := o.NextSpread(o.selfSelecting, pod, node); ok {
				picks = append(picks, d)
			}
		case topology.Affinity:
			picks = o.NextAffinity(o.selfSelecting, pod, node, picks)
		default:
			picks = o.NextAntiAffinity(pod, node, picks)
		}
		r.picks = picks
		if len(picks) == 0 {
			return 0, false
		}
		narrowed = r.w.sets.Intersect(narrowed, o.key.pick(r.w, picks...))
	}
	for _, g := range c.inverse {
		r.picks = g.NextAntiAffinity(g.key.allow(r.w, c.strict), g.key.allow(r.w, set), r.picks[:0])
		if len(r.picks) == 0 {
			return 0, false
		}
		narrowed = r.w.sets.Intersect(narrowed, g.key.pick(r.w, r.picks...))
	}
	if !r.compatible(set, narrowed, isNode) {
		return 0, false
	}
	return r.w.sets.Intersect(set, narrowed), true
}

// hostAllows reports whether the groups whose domains are hosts let a pod of the
// class onto one.
func (r *run) hostAllows(c *class, domain int32) bool {
	for _, o := range c.ownedHosts {
		switch o.Kind {
		case topology.Spread:
			if !o.HostSpread(o.selfSelecting, domain) {
				return false
			}
		case topology.AntiAffinity:
			if o.Count(domain) > 0 {
				return false
			}
		default:
			if !r.hostJoins(c, o, domain) {
				return false
			}
		}
	}
	return !slices.ContainsFunc(c.inverseHosts, func(g *group) bool { return g.Count(domain) > 0 })
}

// hostJoins reports whether an affinity over hosts allows one: it has a pod to
// join, or the pod may be the first.
func (r *run) hostJoins(c *class, o ownedGroup, domain int32) bool {
	allows := r.hostAllowance(c)
	if allows != nil && !allows(domain) {
		return false
	}
	return o.Count(domain) > 0 || o.selfSelecting && o.HostMayBootstrap(allows)
}

// hostAllowance returns which hosts the pod itself requires, nil for any.
func (r *run) hostAllowance(c *class) func(domain int32) bool {
	if c.strictHostname == nil {
		return nil
	}
	return func(domain int32) bool { return c.strictHostname.Has(r.hostname(domain)) }
}

// try asks one host. outcomes are those of its set. The set returned is what the
// host's becomes; of a claim, scratch then holds the types that stay and taken
// the reservations.
func (r *run) try(c *class, d *demand, host int32, outcomes []compiled.SetID) (compiled.SetID, verdict) {
	if int(host) < len(r.nodes) {
		return r.tryNode(c, d, &r.nodes[host], outcomes)
	}
	return r.tryClaim(c, d, r.claims[int(host)-len(r.nodes)], outcomes)
}

func (r *run) tryNode(c *class, d *demand, n *nodeState, outcomes []compiled.SetID) (compiled.SetID, verdict) {
	if n.settling && c.displaced {
		return 0, never
	}
	for i, v := range d.amounts {
		if v > n.available[i] {
			return 0, full
		}
	}
	ports, volumes := n.use()
	if len(c.ports) > 0 && conflict(c.ports, ports) {
		return 0, never
	}
	if len(n.limits) > 0 {
		var mounts []mount
		if c.volumes != nil {
			mounts = c.volumes.mounts
		}
		if _, over := volumes.exceeds(n.limits, mounts); over {
			return 0, never
		}
	}
	if !r.hostAllows(c, n.host) {
		return 0, refuses
	}
	return outcomes[0], accepts
}

func (r *run) tryClaim(c *class, d *demand, cl *claim, outcomes []compiled.SetID) (compiled.SetID, verdict) {
	if len(c.ports) > 0 && conflict(c.ports, cl.ports) {
		return 0, never
	}
	if !r.hostAllows(c, cl.host) {
		return 0, refuses
	}
	o := r.p.overhead[cl.pool]
	for _, set := range outcomes {
		copy(r.scratch, cl.types)
		if !o.fits.Restrict(r.scratch, cl.requests, d.amounts) {
			return 0, full
		}
		if r.admit(c, cl, o, set, false) {
			return set, accepts
		}
	}
	if c.topological() || len(outcomes) > 1 || len(r.reservable) > 0 {
		return 0, refuses
	}
	return 0, full
}

// admit narrows scratch, the types of a claim that have room, to those that meet
// the set that the claim would have, and reports whether the claim may go on with
// them. opened claims have their types checked against their set already.
func (r *run) admit(c *class, cl *claim, o *overhead, set compiled.SetID, opening bool) bool {
	f := r.w.launchable(set)
	if opening || set != cl.set {
		r.scratch.And(f.launchable)
	}
	if o.ports && len(c.ports) > 0 {
		for i := range o.groups {
			if conflict(c.ports, o.groups[i].ports) {
				r.scratch.AndNot(o.groups[i].types)
			}
		}
	}
	if !r.scratch.Any() {
		return false
	}
	if f.minValues && !opening && len(unmetMinValues(r.w.types, r.scratch, r.w.sets.Get(set))) > 0 {
		return false
	}
	var ok bool
	r.taken, ok = r.reserve(cl, r.scratch, set)
	return ok
}
