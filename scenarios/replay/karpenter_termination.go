package replay

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/karpenter"
)

// Times of Karpenter v1.14.1's termination controller (pkg/controllers/node/termination/controller.go).
const (
	drainLook    = time.Second // how often it looks at a node that is not drained
	minDrainTime = 5 * time.Second
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
	n.drainBegan, n.next = k.now, nil
	if n.disrupted {
		k.moved() // it has been marked before
	} else {
		k.changedState()
	}
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
		n.drainUntil = k.now + grace.Duration
	}
	k.triggerNode(n)
	return k.drain(n)
}
