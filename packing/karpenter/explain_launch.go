package karpenter

import (
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

type setID = compiled.SetID

// LaunchExplanation says why a launch is not cheaper.
type LaunchExplanation struct {
	Launch *packing.Launch
	// Remaining is how many instance types the claim could still become.
	Remaining int
	// Cheaper are the types of the pool's catalog that cost less than the launch
	// where they are cheapest, and what removed each, the cheapest first.
	Cheaper []Removed
}

// Removed is an instance type that a claim cannot become.
type Removed struct {
	InstanceType *instancetypes.InstanceType
	// Price is that of its cheapest available offering anywhere, in US dollars an hour.
	Price float64
	// By is the first constraint that removed it.
	By string
	// Pod is the pod with which that constraint came, nil if it was the node pool's.
	Pod *corev1.Pod
}

// explainLaunches follows each claim pod by pod and notes where cheaper types
// dropped out.
func (r *run) explainLaunches(plan *packing.Plan) []*LaunchExplanation {
	byName := make(map[string]*packing.Launch, len(plan.Launches))
	for _, l := range plan.Launches {
		byName[l.Name] = l
	}
	stepsOf := make([][]int, len(r.claims))
	for i, at := range r.placed {
		if k := int(at.host) - len(r.nodes); k >= 0 {
			stepsOf[k] = append(stepsOf[k], i)
		}
	}
	var out []*LaunchExplanation
	for i, cl := range r.claims {
		l := byName[launchName(r.w.packer.pools[cl.pool].Name, i+1)]
		if l == nil {
			continue
		}
		e := &LaunchExplanation{Launch: l, Remaining: cl.types.Count()}
		for _, t := range r.w.packer.pools[cl.pool].listed {
			price := lowest(r.w.types.Type(t))
			if price < l.Price && !cl.types.Has(t) {
				removed := r.whyRemoved(cl, t, stepsOf[i])
				removed.Price = price
				e.Cheaper = append(e.Cheaper, removed)
			}
		}
		slices.SortStableFunc(e.Cheaper, func(a, b Removed) int {
			switch {
			case a.Price < b.Price:
				return -1
			case a.Price > b.Price:
				return 1
			}
			return 0
		})
		out = append(out, e)
	}
	return out
}

func lowest(t *instancetypes.InstanceType) float64 {
	price := math.Inf(1)
	for i := range t.Offerings {
		if o := &t.Offerings[i]; o.Available {
			price = min(price, o.Price)
		}
	}
	return price
}

// whyRemoved finds the first step of a claim that a type did not survive.
func (r *run) whyRemoved(cl *claim, t int, steps []int) Removed {
	out := Removed{InstanceType: r.w.types.Type(t)}
	pl := r.w.packer.pools[cl.pool]
	if !pl.options.Has(t) {
		out.By = "node pool: " + r.excludes(pl.claim, t)
		return out
	}
	o := r.p.overhead[cl.pool]
	total := make([]int64, r.p.dims.Len())
	one := compiled.NewBits(r.w.types.Len())
	for _, step := range steps {
		pod := r.placed[step].pod
		out.Pod = r.p.pods[pod]
		clear(one)
		one.Set(t)
		if d := r.p.demands[r.p.demandOf[pod]]; !o.fits.Restrict(one, total, d.amounts) {
			out.By = r.shortOf(cl.pool, t, total, d.amounts)
			return out
		} else {
			for i, v := range d.amounts {
				total[i] = compiled.Saturated(total[i], v)
			}
		}
		if set := r.steps[step]; !r.w.launchable(set).launchable.Has(t) {
			out.By = r.excludes(r.w.sets.Get(set), t)
			return out
		}
	}
	for _, step := range steps {
		pod := r.placed[step].pod
		if conflict(r.p.classes[r.p.classOf[pod]].ports, o.daemonsOf(t).ports) {
			out.Pod = r.p.pods[pod]
			out.By = "a host port is taken by daemon pods"
			return out
		}
	}
	// Nothing but limits is left; what nodes before this one left of them is not kept.
	out.Pod = nil
	out.By = fmt.Sprintf("limits of the node pool (%s)", pl.limits)
	return out
}

// daemonsOf returns the group of daemon pods that run on a type.
func (o *overhead) daemonsOf(t int) *overheadGroup {
	for i := range o.groups {
		if o.groups[i].types.Has(t) {
			return &o.groups[i]
		}
	}
	return &overheadGroup{}
}

// excludes names the requirement that a type does not meet or, if it meets all,
// says that it has no offering.
func (r *run) excludes(set requirements.Set, t int) string {
	it := r.w.types.Type(t)
	if err := it.Requirements.Intersects(set); err != nil {
		if e, ok := err.(*requirements.IncompatibleError); ok {
			return "requires " + e.Want.String()
		}
		return err.Error()
	}
	for _, key := range []string{corev1.LabelTopologyZone, requirements.LabelCapacityType} {
		if q, ok := set.Lookup(key); ok && it.Cheapest(requirements.NewSet(q)) == nil {
			return "no available offering for " + q.String()
		}
	}
	return "no available offering for its zone and capacity type together"
}

// shortOf names the resource that the pods and the daemon pods together exceed.
func (r *run) shortOf(pool, t int, total, more []int64) string {
	alloc := r.w.types.Allocatable(t)
	daemons := r.p.overhead[pool].daemonsOf(t).amounts
	if daemons == nil {
		daemons = make([]int64, len(total))
	}
	for i, v := range more {
		have := int64(0)
		if i < len(alloc) {
			have = alloc[i]
		}
		if want := total[i] + v + daemons[i]; v > 0 && want > have {
			name := r.p.dims.Name(i)
			text := fmt.Sprintf("%s: %s of %s allocatable", name, quantity(name, want), quantity(name, have))
			if daemons[i] > 0 {
				text += fmt.Sprintf(" (%s of it for daemon pods)", quantity(name, daemons[i]))
			}
			return text
		}
	}
	return "resources"
}

func quantity(name corev1.ResourceName, value int64) string {
	q := resources.Amount{Name: name, Value: value}.Quantity()
	return q.String()
}
