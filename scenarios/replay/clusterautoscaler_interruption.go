package replay

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// How the loss of a node without notice is noticed: the node controller after a grace period
// (--node-monitor-grace-period 50 s), the cloud's node lifecycle controller at its next look
// (5 s), and the garbage collector of pods, which waits 40 s and looks every 20 s.
const nodeLossNoticed = 50*time.Second + 5*time.Second + 40*time.Second + 10*time.Second

const taintInterrupted = "aws-node-termination-handler/spot-itn"

// noticed implements autoscaler. The handler cordons the node and evicts its pods. It is a pod of a
// DaemonSet that tolerates everything and uses the network of its host, so it runs once the node
// has joined, ready or not; a notice that came before is still there to be read.
func (c *caController) noticed(n *node) error {
	if !c.handler || n.state < nodeJoined || n.state > nodeReady {
		return nil
	}
	c.decide(Decision{Kind: "interruption", Reason: "spot interruption notice", Nodes: []string{n.name}, Pods: len(n.pods)})
	n.update(func(o *corev1.Node) {
		o.Spec.Unschedulable = true
		o.Spec.Taints = append(o.Spec.Taints,
			corev1.Taint{Key: taintInterrupted, Effect: corev1.TaintEffectNoSchedule},
			corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	})
	n.leaving = evictedByInterruption
	if err := c.changed(n); err != nil {
		return err
	}
	return c.evictAll(n, evictedByInterruption)
}

// evictAll evicts what may be evicted and tries again while the node is there.
func (c *caController) evictAll(n *node, why string) error {
	left := false
	for _, p := range slices.Clone(n.pods) {
		if p.daemon || p.state == podStopping {
			continue
		}
		if c.replay.budgets.allow(p) {
			if err := c.evict(p, why); err != nil {
				return err
			}
			continue
		}
		left = true
	}
	if left {
		c.at(c.now+5*time.Second, rankAutoscaler, func() error {
			if !n.billed() {
				return nil
			}
			return c.evictAll(n, why)
		})
	}
	return nil
}

func (c *caController) reclaimed(n *node) error {
	if err := c.abandonDeletion(n); err != nil {
		return err
	}
	if c.handler {
		return c.end(n, evictedByInterruption)
	}
	c.decide(Decision{Kind: "interruption", Reason: "reclaimed without a handler", Nodes: []string{n.name}, Pods: len(n.pods)})
	if err := c.vanish(n, evictedByInterruption, nodeLossNoticed); err != nil {
		return err
	}
	if g := c.groupOf(n); g != nil {
		c.fill(g) // the group replaces the instance by itself
	}
	return nil
}
