package replay

import (
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// deletion is a node's deletion under way (pkg/core/scaledown/actuation).
type deletion struct {
	since time.Duration // when the eviction of its pods began
	pods  []*pod        // that have to be gone before the node is
}

// toBeDeleted is the taint of nodes that Cluster Autoscaler deletes.
const toBeDeleted = "ToBeDeletedByClusterAutoscaler"

// delete carries out the deletion of a node: taint, wait, drain, delete.
func (c *caController) delete(d clusterautoscaler.NodeDeletion) error {
	n := c.named[d.Node.Name]
	if n == nil {
		return nil // it went while the loop was at work
	}
	if err := c.process.DeletionStarted(n.name, d.Drain); err != nil {
		return err
	}
	after := c.now + c.actuation.DeleteDelayAfterTaint
	if !n.billed() { // its instance is gone, and the cloud will say so when it is asked to end it
		c.at(after, rankAutoscaler, func() error {
			if n.state == nodeGone {
				return nil
			}
			c.dirty()
			return c.process.DeletionEnded(n.name, true)
		})
		return nil
	}
	reason := "empty"
	if d.Drain {
		reason = "drained"
	}
	c.decide(Decision{Kind: "scale-down", Reason: reason, Nodes: []string{n.name}, Pods: len(d.Pods)})
	n.deletion = &deletion{}
	n.taint(toBeDeleted, strconv.FormatInt(c.moment().Unix(), 10), corev1.TaintEffectNoSchedule)
	if err := c.changed(n); err != nil {
		return err
	}
	c.later(n, after, func() error { return c.beginDeletion(n, d.Drain) })
	return nil
}

// later goes on with a deletion at a moment, unless it has ended by then.
func (c *caController) later(n *node, at time.Duration, do func() error) {
	d := n.deletion
	c.at(at, rankAutoscaler, func() error {
		if n.deletion != d || !n.billed() {
			return nil
		}
		return do()
	})
}

// beginDeletion deletes an empty node or begins to drain one, if the pods that are there by now
// allow it (actuator.go, deleteNodesAsync).
func (c *caController) beginDeletion(n *node, drain bool) error {
	if err := c.reportBudgets(); err != nil {
		return err
	}
	may, err := c.process.MayDelete(n.name, drain, c.moment())
	switch {
	case err != nil:
		return err
	case !may:
		return c.failDeletion(n)
	case !drain:
		return c.finishDeletion(n)
	}
	n.deletion.since = c.now
	for _, p := range n.pods {
		// Pods of a priority that is not reckoned with go with the node.
		if !p.daemon && int(p.priority) >= c.scenario.ClusterAutoscaler.ExpendablePodsPriorityCutoff {
			n.deletion.pods = append(n.deletion.pods, p)
		}
	}
	return c.evictFrom(n, n.deletion.pods)
}

// evictFrom evicts pods that may be evicted, and tries the others again until the time for it is
// over (drain.go, evictPod).
func (c *caController) evictFrom(n *node, pods []*pod) error {
	var left []*pod
	for _, p := range pods {
		switch {
		case p.state == podStopping || p.state == podGone:
		case !c.replay.budgets.allow(p):
			left = append(left, p)
		default:
			if err := c.evict(p, evictedByScaleDown); err != nil {
				return err
			}
		}
	}
	if len(left) == 0 {
		return c.awaitGone(n, c.now)
	}
	again := c.now + c.actuation.EvictionRetryTime
	c.later(n, again, func() error {
		if again >= n.deletion.since+c.actuation.MaxPodEvictionTime {
			return c.failDeletion(n)
		}
		return c.evictFrom(n, left)
	})
	return nil
}

// awaitGone deletes a node once the pods that were evicted since a moment are gone (drain.go,
// waitPodsToDisappear).
func (c *caController) awaitGone(n *node, since time.Duration) error {
	if c.now >= since+c.actuation.MaxGracefulTermination+c.actuation.PodEvictionHeadroom {
		return c.failDeletion(n)
	}
	if slices.ContainsFunc(n.deletion.pods, func(p *pod) bool { return p.state != podGone }) {
		c.later(n, c.now+c.actuation.GonePollInterval, func() error { return c.awaitGone(n, since) })
		return nil
	}
	return c.finishDeletion(n)
}

// finishDeletion has the cloud end a node, which it refuses where the group is at its minimal size.
func (c *caController) finishDeletion(n *node) error {
	if g := c.groupOf(n); g != nil && c.process.TargetSize(g.Name) <= g.MinSize {
		return c.failDeletion(n)
	}
	n.deletion = nil
	c.meter.scaledDown()
	if err := c.process.DeletionEnded(n.name, false); err != nil {
		return err
	}
	c.refreshSoon()
	c.dirty()
	return c.end(n, evictedByScaleDown)
}

// failDeletion lets a node be as it was.
func (c *caController) failDeletion(n *node) error {
	if err := c.abandonDeletion(n); err != nil {
		return err
	}
	c.decide(Decision{Kind: "rejected", Reason: "deletion failed", Nodes: []string{n.name}})
	n.untaint(toBeDeleted)
	return c.changed(n)
}

// abandonDeletion ends a deletion without the node, if there is one.
func (c *caController) abandonDeletion(n *node) error {
	if n.deletion == nil {
		return nil
	}
	n.deletion = nil
	c.dirty()
	return c.process.DeletionEnded(n.name, true)
}
