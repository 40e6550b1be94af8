package replay

import (
	"cmp"
	"slices"
	"time"
	"unsafe"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

// trigger tells the batcher of a pod that waits.
func (k *karpenterController) trigger(p *pod) {
	p.queue.triggered = k.now
	k.batch.add(k.now)
	k.batch.trigger(k.now)
	if !k.solving {
		k.planClose()
	}
}

// unlist forgets a pod that no longer waits.
func (k *karpenterController) unlist(p *pod) {
	if k.pending[p] {
		delete(k.pending, p)
		k.batch.remove(p.queue.triggered)
	}
}

func (k *karpenterController) planClose() {
	k.window.cancel()
	k.window = k.at(max(k.now, k.batch.closes()), rankAutoscaler, k.closeBatch)
}

// reawaken has waiting pods trigger again after a time in which it would have been of no use.
func (k *karpenterController) reawaken() {
	if k.solving || k.batch.open || len(k.pending) == 0 {
		return
	}
	next, _ := k.batch.after(k.now)
	k.window.cancel()
	k.window = k.at(next, rankAutoscaler, func() error {
		k.batch.trigger(k.now)
		k.planClose()
		return nil
	})
}

// closeBatch begins a Solve.
func (k *karpenterController) closeBatch() error {
	if closes := k.batch.closes(); closes > k.now {
		k.planClose() // prolonged meanwhile
		return nil
	}
	k.batch.open = false
	if k.launching > 0 { // the cluster state is not synced: this batch is lost, pods trigger again
		k.reawaken()
		return nil
	}
	return k.solve()
}

// solve decides for the pods that wait and for those of nodes that go.
func (k *karpenterController) solve() error {
	pods := k.provisionable()
	if len(pods) == 0 {
		k.rest()
		return nil
	}
	nodes := k.views()
	work := Work{Pods: len(pods), Nodes: len(nodes), Bound: k.boundPods()}
	pods, cut := k.cutOff(pods, work)
	s := k.snapshot(pods, nodes)
	began := time.Now()
	plan, err := k.packer.Pack(k.ctx, s)
	if err != nil {
		return err
	}
	work.Pods, work.NewNodes, work.Measured = len(pods), len(plan.Launches), time.Since(began)
	took := k.settings.DecisionTime.Karpenter(work)
	if cut {
		took = solveTimeout
	}
	k.solving = true
	k.at(k.now+took, rankAutoscaler, func() error {
		k.solving = false
		return k.apply(plan, took)
	})
	return nil
}

// provisionable are the pods to be provided for: those that wait, in the order in which they were
// created, and those that will have to leave nodes that are going
// (pkg/utils/pod/scheduling.go, IsProvisionable; provisioner.go, Schedule).
func (k *karpenterController) provisionable() []*corev1.Pod {
	waiting := make([]*pod, 0, len(k.pending))
	for p := range k.pending {
		if p.queue.nominee == nil {
			waiting = append(waiting, p)
		}
	}
	slices.SortFunc(waiting, func(a, b *pod) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.queue.seq, b.queue.seq))
	})
	out := make([]*corev1.Pod, 0, len(waiting))
	for _, p := range waiting {
		out = append(out, p.obj)
	}
	for _, n := range k.nodes {
		if n.state != nodeLeaving && !n.disrupted {
			continue
		}
		for _, p := range n.pods {
			if !p.daemon && p.state != podStopping && !protected(p, k.moment()) {
				out = append(out, p.obj)
			}
		}
	}
	return out
}

// cutOff keeps as many pods as a Solve gets through before its time-out, those that it takes up
// first: the largest in CPU, then memory (queue.go).
func (k *karpenterController) cutOff(pods []*corev1.Pod, w Work) ([]*corev1.Pod, bool) {
	if k.settings.DecisionTime.Karpenter(w) <= solveTimeout {
		return pods, false
	}
	n := len(pods) - 1
	for ; n > 1; n-- {
		if w.Pods = n; k.settings.DecisionTime.Karpenter(w) <= solveTimeout {
			break
		}
		if n > 1000 {
			n -= n / 100
		}
	}
	size := func(p *corev1.Pod) (int64, int64) {
		var cpu, memory int64
		for i := range p.Spec.Containers {
			r := p.Spec.Containers[i].Resources.Requests
			cpu += r.Cpu().MilliValue()
			memory += r.Memory().Value()
		}
		return cpu, memory
	}
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b *corev1.Pod) int {
		ac, am := size(a)
		bc, bm := size(b)
		return cmp.Or(-cmp.Compare(ac, bc), -cmp.Compare(am, bm))
	})
	return sorted[:max(n, 1)], true
}

func (k *karpenterController) boundPods() int {
	n := 0
	for _, x := range k.nodes {
		n += len(x.pods)
	}
	return n
}

// rest ends a pass: the next begins with a pod's next trigger.
func (k *karpenterController) rest() {
	if k.batch.open { // triggered while solving
		k.batch.opened, k.batch.last = k.now, max(k.batch.last, k.now)
		k.planClose()
		return
	}
	k.reawaken()
}

// apply launches what a Solve decided, and has the nodes wait for their pods that it found room on.
func (k *karpenterController) apply(plan *packing.Plan, took time.Duration) error {
	for _, pl := range plan.Placements {
		if n := k.nodeNamed(pl.Node.Name); n != nil {
			k.nominate(n)
		}
	}
	for _, l := range plan.Launches {
		k.claim(l)
		k.decide(Decision{Kind: "launch", Reason: "provisioned", Nodes: []string{l.Name}, Pods: len(l.Pods), Took: took})
	}
	if len(plan.Launches) == 0 && len(k.pending) > 0 && !k.batch.open {
		// Until something changes, the same question would get the same answer.
		k.quiet = true
		return nil
	}
	k.rest()
	return nil
}

func (k *karpenterController) nominate(n *node) {
	n.nominatedUntil, n.viewUntil = k.now+max(leastNomination, nominationFactor*k.batch.longest), 0
	k.at(n.nominatedUntil, rankAutoscaler, func() error {
		k.disruption.changed()
		return nil
	})
}

// claim asks the cloud for a node.
func (k *karpenterController) claim(l *packing.Launch) *node {
	n := &node{name: k.name(l.NodePool.Name), launch: l, nodePool: l.NodePool, id: noNode}
	l.Name = n.name
	k.nominate(n)
	k.launching++
	k.request(n, k.settings.Latencies.Launch, func() (pool, string, bool) {
		got, without, why, ok := k.supply.take(k.fleet(l), k.now)
		k.missing = append(k.missing, without...)
		return got, why, ok
	}, k.launchFailed)
	return n
}

// launchFailed ends a claim that the cloud had no capacity for. Its pods are provided for
// again; what lacked capacity is left out.
func (k *karpenterController) launchFailed(n *node, _ string) error {
	k.launching--
	if err := k.flushMissing(); err != nil {
		return err
	}
	k.changedState()
	return k.disruption.failed(n)
}

// flushMissing leaves the offerings out that launches found without capacity.
func (k *karpenterController) flushMissing() error {
	missing := k.missing
	k.missing = nil
	return k.exclude(missing)
}

// fleet is what the AWS provider asks the cloud for: offerings of the claim's types that meet its
// requirements, reserved ones before spot before on-demand, of the 60 types that are cheapest
// (pkg/providers/instance/instance.go). Spot offerings that cost more than the cheapest on-demand one are left out.
func (k *karpenterController) fleet(l *packing.Launch) []pool {
	by := map[string][]pool{}
	asked := map[*requirements.Requirement]string{} // offerings of one zone and capacity type share their requirements
	for _, t := range l.Options {
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
				by[capacityType] = append(by[capacityType], pool{t, o})
			}
		}
	}
	for _, pools := range by {
		slices.SortStableFunc(pools, byPrice)
	}
	if pools := by[requirements.CapacityTypeReserved]; len(pools) > 0 {
		return pools
	}
	onDemand := firstTypes(by[requirements.CapacityTypeOnDemand])
	spot := by[requirements.CapacityTypeSpot]
	if len(onDemand) > 0 {
		spot = slices.DeleteFunc(spot, func(p pool) bool { return p.offering.Price > onDemand[0].offering.Price })
	}
	if spot = firstTypes(spot); len(spot) > 0 {
		k.supply.allocate(spot)
		return spot
	}
	return onDemand
}

// lacked reports whether an offering is left out because it lacked capacity lately.
func (k *karpenterController) lacked(p pool) bool {
	if len(k.unavailable) == 0 {
		return false
	}
	_, out := k.unavailable[p.key()]
	return out
}

// firstTypes keeps the offerings of the first so many types.
func firstTypes(pools []pool) []pool {
	seen := map[string]bool{}
	for i, p := range pools {
		if !seen[p.instanceType.Name] && len(seen) == maxInstanceTypes {
			rest := slices.DeleteFunc(slices.Clone(pools[i:]), func(p pool) bool { return !seen[p.instanceType.Name] })
			return append(slices.Clip(pools[:i]), rest...)
		}
		seen[p.instanceType.Name] = true
	}
	return pools
}

// protected reports whether a pod may not be disrupted at a moment by its own annotation.
func protected(p *pod, now time.Time) bool { return karpenter.Protected(p.obj, now) }
