package karpenter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
)

// failure is why a pod found no place, kept in numbers until somebody reads it.
type failure struct {
	class   *class
	demand  *demand
	refusal *refusal
	pools   []poolFailure
	// final: giving up preferences would not help.
	final   bool
	reasons []packing.Reason
}

type failureCode uint8

const (
	nodeLimit failureCode = iota
	limits
	taints
	incompatible
	topologyUnmet
	noType
	minValues
	deferred
)

// poolFailure is why a node pool could not launch a node for a pod.
type poolFailure struct {
	pool int
	code failureCode
	set  compiled.SetID
	// Of noType: whether any type met the requirements, had room, had an offering.
	met, fits, offered bool
	unmet              []unmet
}

// keep returns a failure that is to last, with what its wording needs.
func (r *run) keep(f *failure) *failure {
	kept := *f
	kept.pools = slices.Clone(f.pools)
	for i := range kept.pools {
		if why := &kept.pools[i]; why.code == noType {
			r.explainTypes(why, f.demand)
		}
	}
	return &kept
}

// explainTypes notes what the types lack that a pool's limits still allow.
func (r *run) explainTypes(why *poolFailure, d *demand) {
	set := r.w.sets.Get(why.set)
	within := r.withinLimits(why.pool)
	why.met = overlaps(r.w.types.Compatible(set), within)
	why.offered = overlaps(r.w.types.Offered(set, r.w.wellKnown), within)
	why.fits = r.p.overhead[why.pool].fits.Restrict(slices.Clone(within), nil, d.amounts)
}

// reasonsOf renders a failure, one reason a pool.
func (r *run) reasonsOf(f *failure) []packing.Reason {
	if f.reasons != nil {
		return f.reasons
	}
	switch {
	case f.refusal != nil:
		kind := packing.Refused
		if f.refusal.notSupported {
			kind = packing.NotSupported
		}
		f.reasons = []packing.Reason{{Kind: kind, Message: f.refusal.message}}
	case len(f.pools) == 0:
		f.reasons = []packing.Reason{{Kind: packing.Refused, Message: "nodepool requirements filtered out all available instance types"}}
	}
	for i := range f.pools {
		f.reasons = append(f.reasons, r.reason(f.class, f.demand, &f.pools[i]))
	}
	return f.reasons
}

func (r *run) reason(c *class, d *demand, f *poolFailure) packing.Reason {
	pl := r.w.packer.pools[f.pool]
	out := packing.Reason{Kind: packing.Refused, Subject: pl.Name}
	switch f.code {
	case nodeLimit:
		out.Kind, out.Message = packing.LimitReached, "node limits have been exhausted for nodepool"
	case limits:
		out.Kind, out.Message = packing.LimitReached, "all available instance types exceed limits for nodepool"
	case taints:
		if taint, found := topology.Untolerated(c.pod.Spec.Tolerations, pl.taints); found {
			out.Message = untolerated(taint)
		}
	case incompatible:
		out.Message = "incompatible requirements"
		if err := r.w.sets.Get(r.w.poolSets[f.pool]).Compatible(r.w.sets.Get(c.set), r.w.wellKnown); err != nil {
			out.Message += ", " + err.Error()
		} else if c.hostname != nil {
			out.Message += ", " + c.hostname.String() + " is no new node"
		}
	case topologyUnmet:
		out.Message = r.topologyMessage(c, r.w.poolSets[f.pool])
	case minValues:
		var keys []string
		for _, u := range f.unmet {
			keys = append(keys, fmt.Sprintf("%s (%d of %d)", u.key, u.has, u.min))
		}
		out.Message = "minValues requirement is not met for label(s) " + strings.Join(keys, ", ")
	case deferred:
		out.Message = "one or more instance types with compatible reserved offerings are available, but could not be reserved"
	default:
		out.Message = fmt.Sprintf("%s, requirements=%s, resources=%s", f.typesMessage(), r.w.finalOf(f.set), r.p.dims.Sparse(d.amounts))
	}
	return out
}

// typesMessage says in Karpenter's words what no instance type had
// (nodeclaim.go, InstanceTypeFilterError).
func (f *poolFailure) typesMessage() string {
	var lacks []string
	if !f.met {
		lacks = append(lacks, "met the scheduling requirements")
	}
	if !f.fits {
		lacks = append(lacks, "had enough resources")
	}
	if !f.offered {
		lacks = append(lacks, "had a required offering")
	}
	if len(lacks) == 0 {
		return "no instance type met the requirements/resources/offering tuple"
	}
	return "no instance type " + strings.Join(lacks, " or ")
}

func unsatisfiable(g *group) string {
	return fmt.Sprintf("unsatisfiable topology constraint for %s, key=%s", g.Kind, g.Key)
}

// topologyMessage names the first constraint that leaves the pod no domain.
func (r *run) topologyMessage(c *class, set compiled.SetID) string {
	one := *c
	for _, o := range c.owned {
		one.owned, one.inverse = []ownedGroup{o}, nil
		if _, ok := r.withTopology(&one, r.w.sets.Intersect(set, c.set), false); !ok {
			return unsatisfiable(o.group)
		}
	}
	for _, g := range c.inverse {
		one.owned, one.inverse = nil, []*group{g}
		if _, ok := r.withTopology(&one, r.w.sets.Intersect(set, c.set), false); !ok {
			return unsatisfiable(g)
		}
	}
	for _, o := range c.ownedHosts {
		if o.Kind == topology.Affinity {
			return unsatisfiable(o.group)
		}
	}
	return "topology constraints exclude each other"
}
