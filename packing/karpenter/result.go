package karpenter

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// priceList orders instance types by what they cost under one set of requirements.
type priceList struct {
	price    []float64 // by type, +Inf if it has no available compatible offering
	offering []int32   // by type, the cheapest offering
	order    []int32   // types that have one, cheapest first, then by name
	// worst is, by type, the dearest offering of the capacity type that would be launched;
	// nil until consolidation asks.
	worst   []float64
	options map[uint64][]launchOptions
}

// launchOptions is a set of types and the slice that launches share.
type launchOptions struct {
	types, kept compiled.Bits // before and after the cut at maxInstanceTypes
	list        []*instancetypes.InstanceType
}

// prices returns the price list of a set.
func (w *workspace) prices(id compiled.SetID) *priceList {
	f := w.fact(id)
	if f.prices != nil {
		return f.prices
	}
	n := w.types.Len()
	l := &priceList{price: make([]float64, n), offering: make([]int32, n), options: map[uint64][]launchOptions{}}
	for i := range n {
		l.price[i] = math.Inf(1)
		t := w.types.Type(i)
		var best *instancetypes.Offering
		for k := range t.Offerings {
			o := &t.Offerings[k]
			if !o.Available || !w.sets.Compatible(id, w.offeringSet(o)) {
				continue
			}
			if best == nil || cmp.Or(cmp.Compare(o.Price, best.Price), strings.Compare(o.Zone(), best.Zone()), strings.Compare(o.CapacityType(), best.CapacityType())) < 0 {
				best = o
				l.price[i], l.offering[i] = o.Price, int32(k)
			}
		}
		if best != nil {
			l.order = append(l.order, int32(i))
		}
	}
	slices.SortFunc(l.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(l.price[a], l.price[b]), strings.Compare(w.types.Type(int(a)).Name, w.types.Type(int(b)).Name), cmp.Compare(a, b))
	})
	w.fact(id).prices = l
	return l
}

// offeringSet numbers the requirements of an offering; offerings that share a
// slice are looked up once.
func (w *workspace) offeringSet(o *instancetypes.Offering) compiled.SetID {
	if len(o.Requirements) == 0 {
		return 0
	}
	at := &o.Requirements[0]
	id, ok := w.offeringSets[at]
	if !ok {
		id = w.sets.ID(o.Requirements)
		w.offeringSets[at] = id
	}
	return id
}

// cheapest returns the cheapest of some types, -1 if none has an offering.
func (l *priceList) cheapest(types compiled.Bits) (int, float64) {
	for _, i := range l.order {
		if types.Has(int(i)) {
			return int(i), l.price[i]
		}
	}
	return -1, math.Inf(1)
}

// plan states what the run decided.
func (r *run) plan() *packing.Plan {
	plan := &packing.Plan{Packer: r.w.packer.Name()}
	podsOf := r.podsByHost()
	failed := map[int32]*failure{}
	for pod, f := range r.failures {
		failed[pod] = f
	}
	plan.Launches = make([]*packing.Launch, 0, len(r.claims))
	launches := make([]packing.Launch, len(r.claims))
	for i, cl := range r.claims {
		l := &launches[i]
		pods := podsOf[int32(len(r.nodes)+i)]
		if f := r.describe(l, cl, i); f != nil {
			for _, at := range pods.indices {
				failed[at] = f
			}
			continue
		}
		l.Pods = pods.pods
		plan.Launches = append(plan.Launches, l)
	}
	plan.Placements = r.placements(podsOf)
	indices := make([]int32, 0, len(failed))
	for pod := range failed {
		indices = append(indices, pod)
	}
	slices.Sort(indices)
	for _, pod := range indices {
		plan.Unschedulable = append(plan.Unschedulable, packing.Unschedulable{Pod: r.p.pods[pod], Reasons: r.reasonsOf(failed[pod])})
	}
	return plan
}

// placements lists the existing nodes that got pods, in the snapshot's order.
func (r *run) placements(podsOf map[int32]*hostPods) []packing.Placement {
	var filled []int32
	for host := range podsOf {
		if int(host) < len(r.nodes) {
			filled = append(filled, host)
		}
	}
	slices.SortFunc(filled, func(a, b int32) int { return r.nodes[a].position - r.nodes[b].position })
	out := make([]packing.Placement, len(filled))
	for k, i := range filled {
		out[k] = packing.Placement{Node: r.nodes[i].Node, Pods: podsOf[i].pods}
	}
	return out
}

type hostPods struct {
	pods    []*corev1.Pod
	indices []int32
}

// podsByHost sorts the placements by host, in two slices that all hosts share.
func (r *run) podsByHost() map[int32]*hostPods {
	counts := make(map[int32]int, len(r.claims))
	for _, at := range r.placed {
		counts[at.host]++
	}
	all := make([]hostPods, len(counts))
	out := make(map[int32]*hostPods, len(counts))
	pods := make([]*corev1.Pod, len(r.placed))
	indices := make([]int32, len(r.placed))
	for _, at := range r.placed {
		h := out[at.host]
		if h == nil {
			n := counts[at.host]
			h = &all[len(out)]
			h.pods, pods = pods[:0:n], pods[n:]
			h.indices, indices = indices[:0:n], indices[n:]
			out[at.host] = h
		}
		h.pods, h.indices = append(h.pods, r.p.pods[at.pod]), append(h.indices, at.pod)
	}
	return out
}

// describe fills in a launch, or says why the claim cannot be launched after all.
func (r *run) describe(l *packing.Launch, cl *claim, number int) *failure {
	w := r.w
	set := r.finalSet(cl)
	prices := w.prices(set)
	list, kept := w.launchOptions(set, cl.types)
	if w.packer.settings.minValues == Strict && w.launchable(set).minValues {
		if unmet := unmetMinValues(w.types, kept, w.sets.Get(set)); len(unmet) > 0 {
			return &failure{pools: []poolFailure{{pool: cl.pool, code: minValues, unmet: unmet}}}
		}
	}
	pl := w.packer.pools[cl.pool]
	l.Name = launchName(pl.Name, number+1)
	l.NodePool = pl.NodePool
	l.Options = list
	l.Requirements = w.finalOf(set)
	if best, _ := prices.cheapest(cl.types); best >= 0 {
		t := w.types.Type(best)
		o := &t.Offerings[prices.offering[best]]
		l.InstanceType, l.Zone, l.CapacityType, l.Price = t, o.Zone(), o.CapacityType(), o.Price
	}
	return nil
}

// launchName numbers a pool's launches from 00001.
func launchName(pool string, number int) string {
	digits := strconv.Itoa(number)
	const width = 5
	return pool + "-" + "00000"[:max(0, width-len(digits))] + digits
}

// finalSet is the claim's set once scheduling is over: a claim that holds
// reservations is narrowed to them. Models FinalizeScheduling.
func (r *run) finalSet(cl *claim) compiled.SetID {
	if len(cl.reserved) == 0 {
		return cl.set
	}
	all := &r.w.packer.reservations
	ids := make([]string, len(cl.reserved))
	for i, id := range cl.reserved {
		ids[i] = all.ids[id]
	}
	set := slices.DeleteFunc(slices.Clone(r.w.sets.Get(cl.set)), func(q requirements.Requirement) bool { return q.Key() == requirements.LabelCapacityType })
	return r.w.sets.ID(set.Add(
		requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeReserved),
		requirements.Must(all.label, requirements.In, ids...),
	))
}

// finalOf returns a set without what only the simulation reads.
func (w *workspace) finalOf(id compiled.SetID) requirements.Set {
	f := w.fact(id)
	if f.final == nil {
		f.final = slices.DeleteFunc(slices.Clone(w.sets.Get(id)), func(q requirements.Requirement) bool {
			return q.Key() == requirements.LabelRegistered || q.Key() == requirements.LabelInitialized || q.Key() == corev1.LabelHostname
		})
	}
	return f.final
}

// launchOptions returns the types of a claim, cheapest first, at most
// maxInstanceTypes of them, and which those are. Equal claims get one slice.
func (w *workspace) launchOptions(set compiled.SetID, types compiled.Bits) (list []*instancetypes.InstanceType, kept compiled.Bits) {
	l := w.prices(set)
	h := types.Hash()
	for _, o := range l.options[h] {
		if o.types.Equal(types) {
			return o.list, o.kept
		}
	}
	types = slices.Clone(types)
	kept = types
	if types.Count() > maxInstanceTypes {
		kept = w.truncate(l, types)
	}
	list = make([]*instancetypes.InstanceType, 0, kept.Count())
	for _, i := range l.order {
		if kept.Has(int(i)) {
			list = append(list, w.types.Type(int(i)))
		}
	}
	if len(list) < cap(list) {
		for i := range kept.All {
			if math.IsInf(l.price[i], 1) {
				list = append(list, w.types.Type(i))
			}
		}
	}
	l.options[h] = append(l.options[h], launchOptions{types, kept, list})
	return list, kept
}

// truncate keeps the cheapest types, as many as a claim may name. Where types cost
// the same, which of them stay is up to sort.Slice over the types in their order.
func (w *workspace) truncate(l *priceList, types compiled.Bits) compiled.Bits {
	var order []int
	for i := range types.All {
		order = append(order, i)
	}
	sort.Slice(order, func(a, b int) bool { return l.price[order[a]] < l.price[order[b]] })
	kept := compiled.NewBits(w.types.Len())
	for _, i := range order[:maxInstanceTypes] {
		kept.Set(i)
	}
	return kept
}
