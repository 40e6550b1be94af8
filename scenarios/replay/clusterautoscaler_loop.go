package replay

import (
	"slices"
	"time"

	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/scenarios"
)

// actuationOf reads how decisions are carried out from the flags of a scenario.
func actuationOf(s *scenarios.ClusterAutoscalerSettings) clusterautoscaler.Actuation {
	a := clusterautoscaler.DefaultActuation()
	a.ScanInterval, a.FrequentLoops = s.ScanInterval.Duration, s.FrequentLoopsEnabled
	a.DeleteDelayAfterTaint = s.NodeDeleteDelayAfterTaint.Duration
	a.MaxPodEvictionTime = s.MaxPodEvictionTime.Duration
	a.MaxGracefulTermination = time.Duration(s.MaxGracefulTerminationSec) * time.Second
	a.MaxNodeProvisionTime = s.MaxNodeProvisionTime.Duration
	a.InitialBackoff, a.MaxBackoff = s.InitialNodeGroupBackoffDuration.Duration, s.MaxNodeGroupBackoffDuration.Duration
	a.BackoffReset = s.NodeGroupBackoffResetTimeout.Duration
	if a.ScanInterval <= 0 {
		a.ScanInterval = clusterautoscaler.DefaultActuation().ScanInterval
	}
	return a
}

// loop is one scan. Scans at which the autoscaler could not decide anything new are left out.
func (c *caController) loop() error {
	c.scan, c.scans.atWork = nil, true
	if err := c.observe(); err != nil {
		return err
	}
	if err := c.reportBudgets(); err != nil {
		return err
	}
	waiting := c.waiting()
	began := time.Now()
	l, err := c.process.Loop(c.ctx, c.moment())
	if err != nil {
		return err
	}
	work := Work{Pods: waiting, Nodes: len(c.nodes), Groups: len(c.groups), Measured: time.Since(began)}
	for _, s := range l.ScaleUps {
		work.NewNodes += s.To - s.From
	}
	if l.ScaleUp == clusterautoscaler.ScaleUpNotNeeded || l.ScaleUp == clusterautoscaler.ScaleUpInCooldown {
		work.Pods = 0 // nothing was estimated
	}
	took := c.settings.DecisionTime.ClusterAutoscaler(work)
	if took == 0 {
		return c.carryOut(l, 0)
	}
	c.at(c.now+took, rankAutoscaler, func() error { return c.carryOut(l, took) })
	return nil
}

// waiting is how many pods wait for a node.
func (c *caController) waiting() int { return c.meter.pods.pending }

// carryOut does what a loop decided and plans the next.
func (c *caController) carryOut(l *clusterautoscaler.Loop, took time.Duration) error {
	for _, s := range l.ScaleUps {
		g := c.byName[s.Group.Name]
		g.expected = c.now + c.actuation.MaxNodeProvisionTime
		c.decide(Decision{Kind: "scale-up", Reason: g.Name, Nodes: c.fill(g), Took: took})
	}
	for _, d := range l.Deletions {
		if err := c.delete(d); err != nil {
			return err
		}
	}
	if c.scans.end(c.now, len(l.ScaleUps)+len(l.Deletions) > 0) {
		c.plan(c.now)
		return nil
	}
	c.planNext()
	return nil
}

// planNext plans the next loop that could decide something.
func (c *caController) planNext() {
	due := c.cloudDue()
	if next := c.process.Next(c.moment()); !next.IsZero() && (due == 0 || next.Sub(c.begin) < due) {
		due = max(next.Sub(c.begin), c.now)
	}
	if due > 0 {
		c.plan(c.scans.next(due))
	}
}

// reportBudgets tells the process what the disruption budgets allow by now.
func (c *caController) reportBudgets() error {
	now := c.replay.budgets.objects()
	for i, b := range now {
		if b == c.budgets[i] {
			continue
		}
		if err := c.process.BudgetChanged(b); err != nil {
			return err
		}
	}
	c.budgets = now
	return nil
}

// delete carries out the deletion of a node (pkg/core/scaledown/actuation): taint, wait, drain, delete.
func (c *caController) delete(d clusterautoscaler.NodeDeletion) error {
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == d.Node.Name })
	if i < 0 {
		return nil // it went while the loop was at work
	}
	n := c.nodes[i]
	if err := c.process.DeletionStarted(n.name, d.Drain); err != nil {
		return err
	}
	if !n.billed() { // its instance is gone, and the cloud will say so when it is asked to end it
		c.at(c.now+c.actuation.DeleteDelayAfterTaint, rankAutoscaler, func() error {
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
	if err := c.taintForDeletion(n); err != nil {
		return err
	}
	c.at(c.now+c.actuation.DeleteDelayAfterTaint, rankAutoscaler, func() error { return c.beginDeletion(n, d.Drain) })
	return nil
}

// deletion is a node's deletion under way.
type deletion struct {
	evicting time.Duration // since when, if it is being drained
	draining bool
	deadline *event
}

func (c *caController) beginDeletion(n *node, drain bool) error {
	if n.deletion == nil || !n.billed() {
		return nil
	}
	if !drain {
		if c.movable(n) > 0 { // a pod came before the taint
			return c.failDeletion(n)
		}
		return c.finishDeletion(n)
	}
	n.deletion.draining, n.deletion.evicting = true, c.now
	return c.drainOnce(n)
}

// movable is how many pods have to go before the node may.
func (c *caController) movable(n *node) int {
	count := 0
	for _, p := range n.pods {
		if !p.daemon {
			count++
		}
	}
	return count
}

// drainOnce evicts what may be evicted, again and again until the time for it is over.
func (c *caController) drainOnce(n *node) error {
	if n.deletion == nil || !n.billed() {
		return nil
	}
	blocked := false
	for _, p := range slices.Clone(n.pods) {
		if p.daemon || p.state == podStopping {
			continue
		}
		if !c.replay.budgets.allow(p) {
			blocked = true
			continue
		}
		if err := c.evict(p, evictedByScaleDown); err != nil {
			return err
		}
	}
	switch {
	case blocked && c.now-n.deletion.evicting >= c.actuation.MaxPodEvictionTime:
		return c.failDeletion(n)
	case blocked:
		c.at(c.now+c.actuation.EvictionRetryTime, rankAutoscaler, func() error { return c.drainOnce(n) })
	default:
		longest := c.actuation.MaxGracefulTermination + c.actuation.PodEvictionHeadroom
		n.deletion.deadline = c.at(c.now+longest, rankAutoscaler, func() error {
			if n.deletion == nil || c.movable(n) == 0 {
				return nil
			}
			return c.failDeletion(n)
		})
	}
	return c.emptied(n)
}

// emptied deletes a drained node once its last pod is gone.
func (c *caController) emptied(n *node) error {
	if n.deletion == nil || !n.deletion.draining || !n.billed() || c.movable(n) > 0 {
		return nil
	}
	return c.finishDeletion(n)
}

func (c *caController) finishDeletion(n *node) error {
	n.deletion.deadline.cancel()
	n.deletion = nil
	c.meter.scaledDown()
	if err := c.process.DeletionEnded(n.name, false); err != nil {
		return err
	}
	c.dirty()
	return c.end(n, evictedByScaleDown)
}

// failDeletion lets a node be as it was.
func (c *caController) failDeletion(n *node) error {
	n.deletion.deadline.cancel()
	n.deletion = nil
	if err := c.process.DeletionEnded(n.name, true); err != nil {
		return err
	}
	c.decide(Decision{Kind: "rejected", Reason: "deletion failed", Nodes: []string{n.name}})
	n.untaint(toBeDeleted)
	c.dirty()
	return c.changed(n)
}
