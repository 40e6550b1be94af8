package replay

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/karpenter"
)

// Times of Karpenter v1.14.1's disruption controller (pkg/controllers/disruption).
const (
	pollingPeriod      = 10 * time.Second
	unsyncedPoll       = time.Second
	validationDelay    = 15 * time.Second
	multiNodeTimeout   = time.Minute
	singleNodeTimeout  = 3 * time.Minute
	revalidation       = 5 * time.Minute // after so long without a change the cluster counts as changed
	replacementPolling = time.Second
	commandTimeout     = 10 * time.Minute
)

// disruptionLoop is the disruption controller: one pass after the other, each of which finds
// one command at most, and the commands under way.
//
// The original polls every ten seconds. The loop passes over polls that could find nothing: while
// each method has found the cluster consolidated, nothing has changed since, and no node has
// come of age for consolidation.
type disruptionLoop struct {
	*karpenterController
	tick   *event
	anchor time.Duration // a moment of the last poll
	busy   bool

	changedAt time.Duration // when the cluster last changed
	stamp     uint64        // moves on with each change
	// By method (emptiness, multi- and single-node): at which stamp it found nothing, and
	// whether that was for want of any candidate.
	done     [3]uint64
	none     [3]bool
	flags    uint64 // of the nodes, when the last pass looked at them
	unseen   []string
	commands []*disruptionCommand
}

// disruptionCommand is nodes that go once their replacement is ready.
type disruptionCommand struct {
	nodes       []*node
	replacement *node
	timeout     *event
}

func (d *disruptionLoop) init(k *karpenterController) {
	d.karpenterController = k
	d.stamp = 1
	d.plan(k.now + pollingPeriod)
}

// changed marks the cluster as changed and plans the next poll.
func (d *disruptionLoop) changed() {
	if d.karpenterController == nil {
		return
	}
	d.stamp++
	d.changedAt = d.now
	if d.busy {
		return
	}
	next := d.nextPoll(d.now)
	if d.tick == nil || d.tick.do == nil || d.tick.at > next {
		d.plan(next)
	}
}

// nextPoll is the first poll after a moment, pollFrom the first at or after it.
func (d *disruptionLoop) nextPoll(t time.Duration) time.Duration {
	return d.anchor + (t-d.anchor)/pollingPeriod*pollingPeriod + pollingPeriod
}

func (d *disruptionLoop) pollFrom(t time.Duration) time.Duration { return d.nextPoll(t - 1) }

func (d *disruptionLoop) plan(at time.Duration) {
	d.tick.cancel()
	d.tick = d.at(at, rankAutoscaler, d.poll)
}

func (d *disruptionLoop) poll() error {
	d.tick = nil
	if d.launching > 0 {
		d.plan(d.now + unsyncedPoll)
		return nil
	}
	revalidate := false
	for next := d.pollFrom(d.changedAt + revalidation); next <= d.now; next = d.pollFrom(d.changedAt + revalidation) {
		d.changedAt, revalidate = next, next == d.now
	}
	aged := d.nodeFlags() != d.flags
	for i := range d.done {
		// What found no candidate finds one that has come of age; what found the cluster
		// consolidated looks again only now and then.
		if aged && (d.none[i] || revalidate) || revalidate && d.scheduled() {
			d.done[i] = 0
		}
	}
	return d.pass(karpenter.DisruptLimits{})
}

// pass looks for a command with the methods that the limits leave.
func (d *disruptionLoop) pass(limits karpenter.DisruptLimits) error {
	limits.SkipEmptiness = limits.SkipEmptiness || d.done[0] == d.stamp
	limits.SkipMulti = limits.SkipMulti || d.done[1] == d.stamp
	limits.SkipSingle = limits.SkipSingle || d.done[2] == d.stamp
	if limits.SkipEmptiness && limits.SkipMulti && limits.SkipSingle {
		if d.busy { // the pass goes on after a command that no longer held
			d.endPass()
		} else {
			d.sleep()
		}
		return nil
	}
	d.flags = d.nodeFlags()
	nodes := d.views()
	work := Work{Nodes: len(nodes), Bound: d.boundPods()}
	work.Pods = work.Bound / max(1, work.Nodes)
	limits.MultiSimulations = simulations(d.settings.DecisionTime, work, multiNodeTimeout)
	limits.SingleSimulations = simulations(d.settings.DecisionTime, work, singleNodeTimeout)
	limits.UnseenNodePools = d.unseen
	began := time.Now()
	cmd, effort, err := d.packer.Disrupt(d.ctx, d.snapshot(objects(d.waiting()), nodes), limits)
	if err != nil {
		return err
	}
	d.unseen = effort.UnseenNodePools
	skipped := [3]bool{limits.SkipEmptiness, limits.SkipMulti, limits.SkipSingle}
	for i, e := range []karpenter.MethodEffort{effort.Emptiness, effort.Multi, effort.Single} {
		if cmd != nil && cmd.Method == methods[i] {
			break
		}
		if !skipped[i] && !e.TimedOut && !(e.Constrained && d.scheduled()) {
			d.done[i], d.none[i] = d.stamp, e.Candidates == 0
		}
	}
	took := time.Duration(0)
	if n := effort.Simulations(); n > 0 {
		work.Simulations, work.Measured = n, time.Since(began)
		work.Pods = (effort.Multi.Pods + effort.Single.Pods) / n
		took = d.settings.DecisionTime.Karpenter(work)
	}
	d.busy = true
	d.at(d.now+took, rankAutoscaler, func() error {
		if cmd == nil {
			d.endPass()
			return nil
		}
		d.at(d.now+validationDelay, rankAutoscaler, func() error { return d.validate(cmd, took) })
		return nil
	})
	return nil
}

// methods are those of the disruption controller, in order.
var methods = [3]string{"emptiness", "multi", "single"}

// simulations is how many simulations fit into a time-out, 0 for any number.
func simulations(t DecisionTime, w Work, timeout time.Duration) int {
	one := t.Karpenter(w)
	if one <= 0 {
		return 0
	}
	if _, measured := t.(MeasuredTime); measured {
		return 0
	}
	return int(timeout/one) + 1
}

// endPass plans the next poll.
func (d *disruptionLoop) endPass() {
	d.busy = false
	d.anchor = d.now
	d.plan(d.now + pollingPeriod)
}

// sleep waits for what could let a pass find something: a change, or a node that comes of age.
func (d *disruptionLoop) sleep() {
	next := time.Duration(math.MaxInt64)
	if d.scheduled() {
		next = d.changedAt + revalidation
	}
	none := d.none[0] || d.none[1] || d.none[2]
	for _, n := range d.nodes {
		if n.nodePool == nil || n.state != nodeReady {
			continue
		}
		at := n.settles()
		if n.nodePool.Spec.Disruption.ConsolidateAfter.Never || at <= d.now {
			continue
		}
		if !none {
			at = max(at, d.changedAt+revalidation)
		}
		next = min(next, at)
	}
	if next < math.MaxInt64 {
		d.plan(d.pollFrom(next))
	}
}

// scheduled reports whether some budget or pod holds by the clock.
func (d *disruptionLoop) scheduled() bool {
	for _, p := range d.scenario.NodePools {
		for i := range p.Spec.Disruption.Budgets {
			if p.Spec.Disruption.Budgets[i].Schedule != nil {
				return true
			}
		}
	}
	return false
}

// nodeFlags sums up which nodes consolidation may look at.
func (d *disruptionLoop) nodeFlags() uint64 {
	h := uint64(14695981039346656037)
	for _, n := range d.nodes {
		bit := uint64(1)
		if n.nodePool != nil && n.state == nodeReady && d.settled(n) {
			bit = 2
		}
		if n.nominatedUntil > d.now {
			bit |= 4
		}
		h = (h ^ bit) * 1099511628211
	}
	return h
}

// validate looks at a command again, 15 s after it was found, and carries it out if it still holds.
func (d *disruptionLoop) validate(cmd *karpenter.Command, took time.Duration) error {
	v, err := d.packer.Validate(d.ctx, cmd, d.snapshot(objects(d.waiting()), d.views()))
	if err != nil {
		return err
	}
	if v.Command == nil {
		d.decide(Decision{Kind: "rejected", Reason: string(v.Rejection), Nodes: names(cmd), Took: took})
		// The methods that come after go on.
		return d.pass(karpenter.DisruptLimits{SkipEmptiness: true, SkipMulti: cmd.Method != "emptiness", SkipSingle: cmd.Method == "single"})
	}
	if err := d.execute(v.Command, took); err != nil {
		return err
	}
	d.busy = false
	d.anchor = d.now
	d.plan(d.now)
	return nil
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
	c := &disruptionCommand{}
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
	pods := 0
	for _, pl := range cmd.Placements {
		pods += len(pl.Pods)
		if n := d.nodeNamed(pl.Node.Name); n != nil {
			d.nominate(n)
		}
	}
	d.decide(Decision{Kind: "consolidation", Reason: cmd.Method + " " + cmd.Decision(), Nodes: names(cmd), Pods: pods, Took: took})
	d.changed()
	if cmd.Replacement == nil {
		return d.remove(c)
	}
	l := *cmd.Replacement
	c.replacement = d.claim(&l)
	d.commands = append(d.commands, c)
	c.timeout = d.at(d.now+commandTimeout, rankAutoscaler, func() error { return d.abandon(c) })
	return nil
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
func (d *disruptionLoop) initialized(n *node) error {
	c := d.commandOf(n)
	if c == nil {
		return nil
	}
	d.drop(c)
	d.at(d.now+replacementPolling, rankAutoscaler, func() error { return d.remove(c) })
	return nil
}

// failed and gone give up the command whose replacement will not come.
func (d *disruptionLoop) failed(n *node) error {
	if c := d.commandOf(n); c != nil {
		return d.abandon(c)
	}
	return nil
}

func (d *disruptionLoop) gone(n *node) error { return d.failed(n) }

func (d *disruptionLoop) drop(c *disruptionCommand) {
	c.timeout.cancel()
	for i := range d.commands {
		if d.commands[i] == c {
			d.commands = append(d.commands[:i], d.commands[i+1:]...)
			return
		}
	}
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
	d.changed()
	return nil
}
