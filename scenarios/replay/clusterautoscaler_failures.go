package replay

import (
	"time"

	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// refreshInterval is how old the autoscaler's view of the groups may be: a launch that failed,
// and an instance that has not joined, is seen at the first loop that looks at the cloud again.
// One that follows on an instance's end does (cloudprovider/aws/aws_manager.go).
const refreshInterval = time.Minute

// backoff is for how long a group is left alone after failures (pkg/utils/backoff). A scale-up
// that succeeds neither ends it nor makes the next one shorter.
type backoff struct {
	duration      time.Duration // 0: none is remembered
	failed, until time.Duration
}

// fail notes a failure and returns until when the group is left alone: for twice as long as the
// last time, but only as long if it was left alone already.
func (b *backoff) fail(now time.Duration, a *clusterautoscaler.Actuation) time.Duration {
	switch {
	case b.duration == 0 || b.failed+a.BackoffReset < now:
		b.duration = a.InitialBackoff
	case b.until < now:
		b.duration = min(2*b.duration, a.MaxBackoff)
	}
	b.failed, b.until = now, now+b.duration
	return min(b.until, now+a.BackoffReset)
}

// backOff leaves a group alone after a failure.
func (c *caController) backOff(g *group, why string) error {
	c.decide(Decision{Kind: "rejected", Reason: "scale-up of " + g.Name + " " + why})
	return c.process.BackOff(g.Name, c.begin.Add(g.backoff.fail(c.now, &c.actuation)))
}

// observe has the autoscaler look at its groups, as it does at the beginning of a loop: for
// scale-ups that have timed out, launches that failed, and instances that have not joined
// (pkg/clusterstate/clusterstate.go, UpdateNodes; static_autoscaler.go, removeOldUnregisteredNodes
// and deleteCreatedNodesWithErrors).
func (c *caController) observe() error {
	fresh := c.refresh()
	for _, g := range c.groups {
		if c.process.ScalingUp(g.Name) && g.expected < c.now {
			if err := c.backOff(g, "timed out"); err != nil {
				return err
			}
			c.process.EndScaleUp(g.Name)
		}
		if fresh && g.failed > 0 {
			if err := c.withdraw(g); err != nil {
				return err
			}
		}
	}
	return c.endUnregistered()
}

// refresh looks at the cloud if it is time to, and reports whether it did. Loops that were left
// out have looked too.
func (c *caController) refresh() bool {
	for {
		looked := c.scans.next(c.refreshed + refreshInterval)
		if looked >= c.now {
			break
		}
		c.refreshed = looked
	}
	if c.now < c.refreshed+refreshInterval {
		return false
	}
	c.refreshed = c.now
	for _, n := range c.nodes {
		if n.state == nodeBooting && n.nodeGroup != nil && n.seen == 0 {
			n.seen = c.now
		}
	}
	return true
}

// refreshSoon has the next loop look at the cloud.
func (c *caController) refreshSoon() { c.refreshed = c.now - refreshInterval }

// withdraw gives up what a group could not launch, all that it has not launched yet with it
// (cloudprovider/aws/auto_scaling_groups.go, DeleteInstances of placeholders), but
// not below its minimal size: up to that the group goes on trying.
func (c *caController) withdraw(g *group) error {
	if c.process.ScalingUp(g.Name) {
		if err := c.backOff(g, "failed"); err != nil {
			return err
		}
	}
	target := c.process.TargetSize(g.Name)
	if target > g.MinSize {
		c.refreshSoon()
		target -= g.failed
		for i := len(c.nodes) - 1; i >= 0; i-- {
			if n := c.nodes[i]; n.nodeGroup == g.NodeGroup && n.state == nodeLaunching {
				c.drop(n)
				target--
			}
		}
	}
	g.failed = 0
	if err := c.process.SetTargetSize(g.Name, max(g.MinSize, target)); err != nil {
		return err
	}
	c.fill(g)
	return nil
}

// endUnregistered ends the instances that have not joined in time, as far as their groups'
// minimal sizes allow. That alone leaves no group alone.
func (c *caController) endUnregistered() error {
	for i := len(c.nodes) - 1; i >= 0; i-- {
		n := c.nodes[i]
		if n.state != nodeBooting || n.seen == 0 || n.seen+c.actuation.MaxNodeProvisionTime >= c.now {
			continue
		}
		g := c.groupOf(n)
		target := c.process.TargetSize(g.Name)
		if target <= g.MinSize {
			continue
		}
		if err := c.process.SetTargetSize(g.Name, target-1); err != nil {
			return err
		}
		c.decide(Decision{Kind: "rejected", Reason: registrationTimeout, Nodes: []string{n.name}})
		if err := c.end(n, evictedByFailure); err != nil {
			return err
		}
		c.refreshSoon()
	}
	return nil
}

// cloudDue is the next moment at which observe could find something, 0 if there is none.
func (c *caController) cloudDue() time.Duration {
	due := time.Duration(0)
	at := func(t time.Duration) {
		if due == 0 || t < due {
			due = t
		}
	}
	for _, g := range c.groups {
		if g.failed > 0 {
			at(c.refreshed + refreshInterval)
		}
		if g.expected >= c.now && c.process.ScalingUp(g.Name) {
			at(g.expected + 1)
		}
	}
	for _, n := range c.nodes {
		switch {
		case n.state != nodeBooting || n.nodeGroup == nil:
		case n.seen == 0:
			at(c.refreshed + refreshInterval)
		case n.seen+c.actuation.MaxNodeProvisionTime >= c.now:
			at(n.seen + c.actuation.MaxNodeProvisionTime + 1)
		}
	}
	return due
}
