package replay

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/karpenter"
)

// Times of Karpenter v1.14.1's termination controller (pkg/controllers/node/termination).
const (
	minDrainTime  = 5 * time.Second
	evictionRetry = 10 * time.Second // the longest delay of the eviction queue
)

// planExpiry ends a node at the age of expireAfter
// (pkg/controllers/nodeclaim/expiration/controller.go): at once, without a replacement first.
func (k *karpenterController) planExpiry(n *node) {
	if n.nodePool == nil || n.expire != nil {
		return
	}
	after := n.nodePool.Spec.Template.Spec.ExpireAfter
	if after.Never || after.Duration == 0 {
		return
	}
	age := time.Duration(0)
	if n.existing && !n.obj.CreationTimestamp.IsZero() {
		age = k.begin.Sub(n.obj.CreationTimestamp.Time)
	}
	n.expire = k.at(max(k.now, n.asked+after.Duration-age), rankAutoscaler, func() error {
		if n.state >= nodeLeaving {
			return nil
		}
		k.meter.expired()
		k.decide(Decision{Kind: "expiry", Reason: "expireAfter has passed", Nodes: []string{n.name}, Pods: len(n.pods)})
		return k.terminate(n, evictedByExpiry)
	})
}

// terminate empties a node and ends it.
func (k *karpenterController) terminate(n *node, why string) error {
	if n.state >= nodeLeaving {
		return nil
	}
	joined := n.state >= nodeJoined
	k.depart(n, why)
	n.drainBegan = k.now
	k.changedState()
	if !joined {
		return k.end(n, why)
	}
	if !n.disrupted {
		n.taint(karpenter.TaintDisrupted, "", corev1.TaintEffectNoSchedule)
	}
	if err := k.replay.changed(n); err != nil {
		return err
	}
	if grace := n.nodePool.Spec.Template.Spec.TerminationGracePeriod; grace != nil {
		k.at(k.now+grace.Duration, rankAutoscaler, func() error {
			if n.state != nodeLeaving {
				return nil
			}
			return k.end(n, why)
		})
	}
	k.triggerNode(n)
	return k.drain(n)
}

// drain evicts what may be evicted: pods of critical priority after all others
// (terminator/terminator.go). It looks again after a while at what may not.
func (k *karpenterController) drain(n *node) error {
	if n.state != nodeLeaving {
		return nil
	}
	left := false
	for _, critical := range []bool{false, true} {
		for _, p := range append([]*pod(nil), n.pods...) {
			if p.daemon || karpenter.StaysThroughDrain(p.obj) || isCritical(p) != critical {
				continue
			}
			left = true
			if p.state == podStopping || karpenter.Protected(p.obj, k.moment()) || !k.budgets.allow(p) {
				continue
			}
			if err := k.evict(p, n.leaving); err != nil {
				return err
			}
		}
		if left {
			break
		}
	}
	if left {
		k.look(n, k.now+evictionRetry)
		return nil
	}
	if until := n.drainBegan + minDrainTime; k.now < until {
		k.look(n, until)
		return nil
	}
	return k.end(n, n.leaving)
}

// look drains again at a moment.
func (k *karpenterController) look(n *node, at time.Duration) {
	n.next.cancel()
	n.next = k.at(at, rankAutoscaler, func() error { return k.drain(n) })
}

// drained goes on when a pod has left a node that is being emptied.
func (k *karpenterController) drained(n *node) error {
	if n.state != nodeLeaving || n.nodePool == nil {
		return nil
	}
	k.look(n, k.now)
	return nil
}

func isCritical(p *pod) bool {
	switch p.obj.Spec.PriorityClassName {
	case "system-cluster-critical", "system-node-critical":
		return true
	}
	return false
}
