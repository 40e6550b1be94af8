package replay

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// trigger tells the batcher of a pod that waits.
func (k *karpenterController) trigger(p *pod) {
	p.queue.triggered = k.now
	k.triggerAgain()
}

// triggerNode tells it of a node that has been tainted or deleted: its pods need a place. Each
// such event starts the ten seconds anew after which the node triggers again, until it is
// gone (provisioning/controller.go, NodeController).
func (k *karpenterController) triggerNode(n *node) {
	k.unlistNode(n)
	n.triggers, n.triggered = true, k.now
	k.triggerAgain()
}

func (k *karpenterController) triggerAgain() {
	k.batch.add(k.now)
	k.batch.trigger(k.now)
	if !k.batch.solving {
		k.planClose()
	}
}

// unlist forgets a pod that no longer waits, unlistNode a node that is not disrupted, or no more.
func (k *karpenterController) unlist(p *pod) {
	if k.pending[p] {
		delete(k.pending, p)
		k.batch.remove(p.queue.triggered)
	}
}

func (k *karpenterController) unlistNode(n *node) {
	if n.triggers {
		n.triggers = false
		k.batch.remove(n.triggered)
	}
}

func (k *karpenterController) planClose() {
	k.window.cancel()
	k.window = k.at(max(k.now, k.batch.closes()), rankAutoscaler, k.closeBatch)
}

// closeBatch begins a Solve.
func (k *karpenterController) closeBatch() error {
	if closes := k.batch.closes(); closes > k.now {
		k.planClose() // prolonged meanwhile
		return nil
	}
	k.batch.begin(k.now)
	if k.launching > 0 { // the cluster state is not synced: this batch is lost, pods trigger again
		k.rest()
		return nil
	}
	return k.solve()
}

// rest ends a Solve: the next window opens at once or with the next trigger.
func (k *karpenterController) rest() {
	if k.batch.end(k.now) {
		k.planClose()
		return
	}
	next, ok := k.batch.after(k.now)
	k.window.cancel()
	if !ok {
		return
	}
	k.window = k.at(next, rankAutoscaler, func() error {
		k.batch.trigger(k.now)
		k.planClose()
		return nil
	})
}

// answer is what a Solve found that launched nothing: until something changes, the same
// question gets the same answer.
type answer struct {
	changes uint64
	nodes   []*node // that are meant for the pods
	took    time.Duration
}

// solve decides for the pods that wait and for those of nodes that go.
func (k *karpenterController) solve() error {
	if a := k.last; a != nil && a.changes == k.changes {
		k.conclude(a.took, func() { k.nominateAll(a.nodes) })
		return nil
	}
	pods, err := k.provisionable()
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		k.rest()
		return nil
	}
	nodes := k.views()
	work := Work{Pods: len(pods), Nodes: len(nodes), Bound: k.boundPods()}
	pods, cut := k.cutOff(pods, work)
	s := k.snapshot(objects(pods), nodes)
	began, changes := time.Now(), k.changes
	plan, err := k.packer.Pack(k.ctx, s)
	if err != nil {
		return err
	}
	work.Pods, work.NewNodes, work.Measured = len(pods), len(plan.Launches), time.Since(began)
	took := k.settings.DecisionTime.Karpenter(work)
	if cut {
		took = solveTimeout
	}
	k.conclude(took, func() {
		k.apply(plan, took)
		if k.last = nil; len(plan.Launches) == 0 && !k.clocked() {
			k.last = &answer{changes, k.nodesOf(plan), took}
		}
	})
	return nil
}

// conclude acts upon a Solve when it is done.
func (k *karpenterController) conclude(took time.Duration, act func()) {
	k.at(k.now+took, rankAutoscaler, func() error {
		act()
		k.rest()
		return nil
	})
}

// clocked reports whether some pod of a node that goes is protected for a time only: which
// pods are provided for then changes by itself.
func (k *karpenterController) clocked() bool {
	return slices.ContainsFunc(k.nodes, func(n *node) bool {
		return n.going() && slices.ContainsFunc(n.pods, func(p *pod) bool { return karpenter.ProtectedFor(p.obj) > 0 })
	})
}

// going reports whether Karpenter empties a node or is about to.
func (n *node) going() bool { return n.state == nodeLeaving || n.disrupted }

// waiting are the pods that wait, in the order in which they were created
// (pkg/utils/pod/scheduling.go, IsProvisionable).
func (k *karpenterController) waiting() []*pod {
	waiting := make([]*pod, 0, len(k.pending))
	for p := range k.pending {
		if p.queue.nominee == nil {
			waiting = append(waiting, p)
		}
	}
	slices.SortFunc(waiting, func(a, b *pod) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.queue.seq, b.queue.seq))
	})
	return waiting
}

// provisionable are the pods to be provided for: those that wait, and those that will
// have to leave nodes that are going (provisioner.go, Schedule).
func (k *karpenterController) provisionable() ([]*pod, error) {
	out := k.waiting()
	var there []*pod
	for _, n := range k.nodes {
		if n.going() {
			there = append(there, n.pods...)
		}
	}
	if len(there) == 0 {
		return out, nil
	}
	moved, err := karpenter.ToBeMoved(objects(there), k.budgets.objects(), k.moment())
	if err != nil {
		return nil, err
	}
	for _, p := range there {
		if len(moved) > 0 && p.obj == moved[0] {
			out, moved = append(out, p), moved[1:]
		}
	}
	return out, nil
}

func objects(pods []*pod) []*corev1.Pod {
	out := make([]*corev1.Pod, len(pods))
	for i, p := range pods {
		out[i] = p.obj
	}
	return out
}

// cutOff keeps as many pods as a Solve gets through before its time-out, those that it takes up
// first: the largest in CPU, then memory, then the oldest (queue.go).
func (k *karpenterController) cutOff(pods []*pod, w Work) ([]*pod, bool) {
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
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b *pod) int {
		return cmp.Or(-cmp.Compare(a.cpu, b.cpu), -cmp.Compare(a.memory, b.memory),
			a.obj.CreationTimestamp.Compare(b.obj.CreationTimestamp.Time), cmp.Compare(a.obj.UID, b.obj.UID))
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

// apply launches what a Solve decided, and has the nodes wait for their pods that it found room on.
func (k *karpenterController) apply(plan *packing.Plan, took time.Duration) {
	k.nominateAll(k.nodesOf(plan))
	for _, l := range plan.Launches {
		k.claim(l)
		k.decide(Decision{Kind: "launch", Reason: "provisioned", Nodes: []string{l.Name}, Pods: len(l.Pods), Took: took})
	}
}

// nodesOf are the nodes that pods were placed on.
func (k *karpenterController) nodesOf(plan *packing.Plan) []*node {
	var out []*node
	for _, pl := range plan.Placements {
		if n := k.nodeNamed(pl.Node.Name); n != nil {
			out = append(out, n)
		}
	}
	return out
}

func (k *karpenterController) nominateAll(nodes []*node) {
	for _, n := range nodes {
		k.nominate(n)
	}
}

func (k *karpenterController) nominate(n *node) {
	n.nominatedUntil, n.viewUntil = k.now+max(leastNomination, nominationFactor*k.batch.longest), 0
	k.at(n.nominatedUntil, rankAutoscaler, func() error {
		if n.nominatedUntil <= k.now {
			k.disruption.wake()
		}
		return nil
	})
}

// claim asks the cloud for a node.
func (k *karpenterController) claim(l *packing.Launch) *node {
	n := &node{name: k.name(l.NodePool.Name), launch: l, nodePool: l.NodePool, id: noNode}
	l.Name = n.name
	k.launching++
	k.disruption.wake() // its polls go out of step until the cloud answers
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
	k.moved()
	k.disruption.failed(n)
	return nil
}

// flushMissing leaves the offerings out that launches found without capacity.
func (k *karpenterController) flushMissing() error {
	missing := k.missing
	k.missing = nil
	return k.exclude(missing)
}
