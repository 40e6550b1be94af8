package replay

import (
	"time"

	"github.com/binwright/binwright/packing/karpenter"
)

// Delays of the eviction queue of Karpenter v1.14.1
// (pkg/controllers/node/termination/terminator/eviction.go).
const (
	firstEvictionRetry = 100 * time.Millisecond
	lastEvictionRetry  = 10 * time.Second
)

// drain is one look of the termination controller at a node that goes
// (terminator/terminator.go, Drain): pods whose grace period would outlast the node's are deleted;
// of the others the first group that is not gone is handed to the eviction queue.
//
// The original looks every second. The replay passes over looks at which nothing could be done: it looks
// when a pod has left the node and when the time has come for one that is there.
func (k *karpenterController) drain(n *node) error {
	if n.state != nodeLeaving {
		return nil
	}
	n.next = nil
	if err := k.deleteExpiring(n); err != nil {
		return err
	}
	group := firstGroup(n)
	if group == nil {
		if until := n.drainBegan + minDrainTime; k.now < until {
			k.look(n, until)
			return nil
		}
		return k.end(n, n.leaving)
	}
	for _, p := range group {
		if p.state != podStopping && !p.evicting && !karpenter.Protected(p.obj, k.moment()) {
			p.evicting = true
			if err := k.tryEviction(p, n, firstEvictionRetry); err != nil {
				return err
			}
		}
	}
	k.lookLater(n, group)
	return nil
}

// firstGroup returns those pods of a node that go first, nil if none is left that
// has to go: critical ones after all others, daemon pods after others of their kind.
func firstGroup(n *node) []*pod {
	var groups [4][]*pod
	for _, p := range n.pods {
		if karpenter.StaysThroughDrain(p.obj) {
			continue
		}
		i := 0
		if isCritical(p) {
			i = 2
		}
		if p.daemon {
			i++
		}
		groups[i] = append(groups[i], p)
	}
	for _, group := range groups {
		if len(group) > 0 {
			return group
		}
	}
	return nil
}

func isCritical(p *pod) bool {
	switch p.obj.Spec.PriorityClassName {
	case "system-cluster-critical", "system-node-critical":
		return true
	}
	return false
}

// deleteExpiring deletes pods that would not have ended by the end of the node's
// terminationGracePeriod if they had their own (DeleteExpiringPods). Nothing protects them.
func (k *karpenterController) deleteExpiring(n *node) error {
	if n.drainUntil == 0 {
		return nil
	}
	grace := max((n.drainUntil - k.now).Truncate(time.Second), time.Second)
	for _, p := range append([]*pod(nil), n.pods...) {
		if karpenter.StaysThroughDrain(p.obj) || k.now <= n.drainUntil-p.grace() {
			continue
		}
		if p.state == podStopping {
			if k.begin.Add(n.drainUntil).Before(p.obj.DeletionTimestamp.Time) {
				k.hurry(p, grace)
			}
			continue
		}
		if err := k.stopOnNode(p, n, grace); err != nil {
			return err
		}
	}
	return nil
}

func (k *karpenterController) stopOnNode(p *pod, n *node, grace time.Duration) error {
	if p.daemon {
		k.stopDaemon(p, grace)
		return nil
	}
	return k.stop(p, n.leaving, grace)
}

// tryEviction evicts a pod if budgets allow it, and tries again after a delay that doubles.
func (k *karpenterController) tryEviction(p *pod, n *node, retry time.Duration) error {
	if p.node != n || p.state != podStarting && p.state != podRunning {
		return nil
	}
	if k.budgets.allow(p) {
		return k.stopOnNode(p, n, p.grace())
	}
	k.at(k.now+retry, rankAutoscaler, func() error { return k.tryEviction(p, n, min(2*retry, lastEvictionRetry)) })
	return nil
}

// look looks at a node at the first of its looks from a moment on.
func (k *karpenterController) look(n *node, from time.Duration) {
	at := n.drainBegan + (from-n.drainBegan+drainLook-1)/drainLook*drainLook
	if n.next != nil && n.next.at <= at {
		return
	}
	n.next.cancel()
	n.next = k.at(at, rankAutoscaler, func() error { return k.drain(n) })
}

// lookLater looks again when something can be done for a pod that is there by the clock alone.
func (k *karpenterController) lookLater(n *node, group []*pod) {
	for _, p := range group {
		if until := k.protectedUntil(p); until > k.now && p.state != podStopping {
			k.look(n, until)
		}
	}
	if n.drainUntil == 0 {
		return
	}
	for _, p := range n.pods {
		// After that moment, not at it.
		if at := n.drainUntil - p.grace(); at >= k.now && p.state != podStopping && !karpenter.StaysThroughDrain(p.obj) {
			k.look(n, at+1)
		}
	}
}

// drained goes on when a pod has left a node that is being emptied.
func (k *karpenterController) drained(n *node) error {
	if n.state == nodeLeaving && n.nodePool != nil {
		k.look(n, k.now)
	}
	return nil
}
