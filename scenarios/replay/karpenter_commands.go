package replay

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/karpenter"
)

// Times of the queue of Karpenter v1.14.1 that carries out commands of the disruption controller
// (pkg/controllers/disruption/queue.go).
const (
	commandPolling = time.Second
	commandTimeout = 10 * time.Minute
)

// disruptionCommand is nodes that go once their replacement is ready.
type disruptionCommand struct {
	started     time.Duration
	nodes       []*node
	replacement *node
	timeout     *event
}

func names(cmd *karpenter.Command) []string {
	out := make([]string, len(cmd.Candidates))
	for i, c := range cmd.Candidates {
		out[i] = c.Node.Name
	}
	return out
}

// execute taints the nodes of a command, launches the replacement, and removes the nodes when that is ready
// (queue.go, StartCommand).
func (d *disruptionLoop) execute(cmd *karpenter.Command, took time.Duration) error {
	c := &disruptionCommand{started: d.now}
	for _, name := range names(cmd) {
		n := d.nodeNamed(name)
		if n == nil || n.state != nodeReady {
			continue
		}
		n.disrupted = true
		n.taint(karpenter.TaintDisrupted, "", corev1.TaintEffectNoSchedule)
		d.triggerNode(n)
		if err := d.replay.changed(n); err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
	}
	d.karpenterController.moved()
	pods := 0
	for _, pl := range cmd.Placements {
		pods += len(pl.Pods)
		if n := d.nodeNamed(pl.Node.Name); n != nil {
			d.nominate(n)
		}
	}
	d.decide(Decision{Kind: "consolidation", Reason: cmd.Method + " " + cmd.Decision(), Nodes: names(cmd), Pods: pods, Took: took})
	if cmd.Replacement == nil {
		return d.remove(c)
	}
	l := *cmd.Replacement
	c.replacement = d.claim(&l)
	d.commands = append(d.commands, c)
	c.timeout = d.at(d.now+commandTimeout+commandPolling, rankAutoscaler, func() error { return d.abandon(c) })
	return nil
}

// look acts upon a command at the queue's next look at it, unless that has been done; the first
// was when it started.
func (d *disruptionLoop) look(c *disruptionCommand, act func(*disruptionCommand) error) {
	at := c.started + (d.now-c.started+commandPolling-1)/commandPolling*commandPolling
	d.at(at, rankAutoscaler, func() error {
		if !slices.Contains(d.commands, c) {
			return nil
		}
		return act(c)
	})
}

// remove has the nodes of a command drained.
func (d *disruptionLoop) remove(c *disruptionCommand) error {
	for _, n := range c.nodes {
		if n.state >= nodeLeaving {
			continue
		}
		d.meter.consolidated()
		if err := d.terminate(n, evictedByConsolidation); err != nil {
			return err
		}
	}
	return nil
}

// commandOf returns the command that waits for a node.
func (d *disruptionLoop) commandOf(n *node) *disruptionCommand {
	for _, c := range d.commands {
		if c.replacement == n {
			return c
		}
	}
	return nil
}

// initialized carries out the command that waited for a node.
func (d *disruptionLoop) initialized(n *node) {
	if c := d.commandOf(n); c != nil {
		d.look(c, func(c *disruptionCommand) error {
			d.drop(c)
			return d.remove(c)
		})
	}
}

// failed gives up the command that waits for a node which will not come.
func (d *disruptionLoop) failed(n *node) {
	if c := d.commandOf(n); c != nil {
		d.look(c, d.abandon)
	}
}

func (d *disruptionLoop) drop(c *disruptionCommand) {
	c.timeout.cancel()
	d.commands = slices.DeleteFunc(d.commands, func(x *disruptionCommand) bool { return x == c })
}

// abandon lets the nodes of a command be as they were.
func (d *disruptionLoop) abandon(c *disruptionCommand) error {
	d.drop(c)
	for _, n := range c.nodes {
		if n.state != nodeReady {
			continue
		}
		n.disrupted = false
		n.untaint(karpenter.TaintDisrupted)
		d.unlistNode(n)
		if err := d.replay.changed(n); err != nil {
			return err
		}
	}
	d.decide(Decision{Kind: "rejected", Reason: "replacement failed"})
	d.karpenterController.moved()
	return nil
}
