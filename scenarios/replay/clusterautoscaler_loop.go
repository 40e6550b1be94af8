package replay

import (
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
	began := time.Now()
	l, err := c.process.Loop(c.ctx, c.moment())
	if err != nil {
		return err
	}
	work := Work{Pods: l.Helpless, Nodes: len(c.nodes), Groups: l.Options,
		NodeLimit: c.scenario.ClusterAutoscaler.MaxNodesPerScaleUp, Measured: time.Since(began)}
	for _, s := range l.ScaleUps {
		work.NewNodes += s.To - s.From
	}
	took := c.settings.DecisionTime.ClusterAutoscaler(work)
	if took == 0 {
		return c.carryOut(l, 0)
	}
	c.at(c.now+took, rankAutoscaler, func() error { return c.carryOut(l, took) })
	return nil
}

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
