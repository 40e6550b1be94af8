package replay

import (
	"math"
	"slices"
	"time"

	"github.com/binwright/binwright/packing/karpenter"
)

// Times of Karpenter v1.14.1's disruption controller (pkg/controllers/disruption).
const (
	pollingPeriod     = 10 * time.Second
	unsyncedPoll      = time.Second
	validationDelay   = 15 * time.Second
	multiNodeTimeout  = time.Minute
	singleNodeTimeout = 3 * time.Minute
	revalidation      = 5 * time.Minute // after so long without a change the cluster counts as changed
)

// disruptionLoop is the disruption controller: one pass after the other, each of which finds
// one command at most, and the commands under way.
//
// The original polls every ten seconds. The loop passes over polls that could find nothing: while
// each method rests, see [methodState], and no node has come of age for consolidation.
type disruptionLoop struct {
	*karpenterController
	tick   *event
	anchor time.Duration // a moment of the last poll
	busy   bool

	changedAt time.Duration // when the cluster last changed
	stamp     uint64        // moves on with each change
	moves     uint64        // moves on with all that a method could see
	methods   [3]methodState
	flags     uint64 // of the nodes, when they were last looked at
	unseen    []string
	commands  []*disruptionCommand
}

// methodState is what a method of disruption (emptiness, multi- and single-node consolidation)
// has found so far.
type methodState struct {
	// consolidated is at which stamp it found the cluster consolidated. The original does not try
	// it again until the cluster changes, or five minutes have passed.
	consolidated uint64
	// idle: it found nothing without that, for want of candidates or because of budgets. The original tries
	// it at each poll; it finds nothing until something moves.
	idle bool
	// stale: something has moved since it looked.
	stale bool
}

func (d *disruptionLoop) init(k *karpenterController) {
	d.karpenterController = k
	d.stamp = 1
	d.plan(k.now + pollingPeriod)
}

// changed marks the cluster as changed, as the original's cluster state does
// (pkg/controllers/state/cluster.go, MarkUnconsolidated).
func (d *disruptionLoop) changed() {
	if d.karpenterController == nil {
		return
	}
	d.stamp++
	d.changedAt = d.now
	d.moved()
}

// moved notes that something is different that the original's cluster state does not count as a
// change.
func (d *disruptionLoop) moved() {
	if d.karpenterController == nil {
		return
	}
	d.shift()
	d.wake()
}

func (d *disruptionLoop) shift() {
	d.moves++
	for i := range d.methods {
		d.methods[i].idle, d.methods[i].stale = false, true
	}
}

// wake has the loop poll when the original does next.
func (d *disruptionLoop) wake() {
	if d.karpenterController == nil || d.busy {
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
	if flags := d.nodeFlags(); flags != d.flags {
		d.flags = flags
		d.shift()
	}
	d.revalidate()
	return d.pass(karpenter.DisruptLimits{})
}

// revalidate has the methods look again that found the cluster consolidated, once five minutes have passed
// without a change, if they could find something.
func (d *disruptionLoop) revalidate() {
	for next := d.pollFrom(d.changedAt + revalidation); next <= d.now; next = d.pollFrom(d.changedAt + revalidation) {
		d.changedAt = next
		for i := range d.methods {
			if m := &d.methods[i]; next == d.now && (m.stale || d.scheduled()) {
				m.consolidated = 0
			}
		}
	}
}

func (d *disruptionLoop) rests(method int) bool {
	m := &d.methods[method]
	return m.idle || m.consolidated == d.stamp
}

// looked notes what became of a method that found no command. The original takes the cluster for
// consolidated as it is at the end: what has changed while the method was at work is lost on it.
func (d *disruptionLoop) looked(method int, e karpenter.MethodEffort, moves uint64) {
	m := &d.methods[method]
	m.stale = moves != d.moves
	if e.Consolidated {
		m.consolidated = d.stamp
		return
	}
	m.idle = !m.stale && !e.TimedOut && !(e.Constrained && d.scheduled())
}

// pass looks for a command with the methods that the limits leave.
func (d *disruptionLoop) pass(limits karpenter.DisruptLimits) error {
	skipped := [3]bool{limits.SkipEmptiness || d.rests(0), limits.SkipMulti || d.rests(1), limits.SkipSingle || d.rests(2)}
	limits.SkipEmptiness, limits.SkipMulti, limits.SkipSingle = skipped[0], skipped[1], skipped[2]
	if skipped == [3]bool{true, true, true} {
		if d.busy { // the pass goes on after a command that no longer held
			d.endPass()
		} else {
			d.sleep()
		}
		return nil
	}
	nodes := d.views()
	work := Work{Nodes: len(nodes), Bound: d.boundPods()}
	work.Pods = work.Bound / max(1, work.Nodes)
	limits.MultiSimulations = simulations(d.settings.DecisionTime, work, multiNodeTimeout)
	if n := simulations(d.settings.DecisionTime, work, singleNodeTimeout); n != 0 {
		limits.SingleSimulations = max(0, n) + 1 // it looks at the clock before each node
	}
	limits.UnseenNodePools = d.unseen
	began := time.Now()
	cmd, effort, err := d.packer.Disrupt(d.ctx, d.snapshot(objects(d.waiting()), nodes), limits)
	if err != nil {
		return err
	}
	d.unseen = effort.UnseenNodePools
	efforts := [3]karpenter.MethodEffort{effort.Emptiness, effort.Multi, effort.Single}
	times := d.times(efforts, work, time.Since(began))
	took, moves := time.Duration(0), d.moves
	for i, e := range efforts {
		took += times[i]
		if cmd != nil && cmd.Method == methods[i] {
			break
		}
		if !skipped[i] {
			d.at(d.now+took, rankAutoscaler, func() error {
				d.looked(i, e, moves)
				return nil
			})
		}
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

// simulations is how many simulations are finished within a time, 0 for any number, -1 for none.
func simulations(t DecisionTime, w Work, within time.Duration) int {
	one := t.Karpenter(w)
	if _, measured := t.(MeasuredTime); measured || one <= 0 {
		return 0
	}
	if n := int(within / one); n > 0 {
		return n
	}
	return -1
}

// times are how long the methods took. Multi-node consolidation is broken off at its time-out, in the
// middle of a simulation.
func (d *disruptionLoop) times(efforts [3]karpenter.MethodEffort, work Work, measured time.Duration) (times [3]time.Duration) {
	all := 0
	for _, e := range efforts {
		all += e.Simulations
	}
	for i, e := range efforts {
		if n := e.Simulations; n > 0 {
			work.Simulations, work.Pods = n, e.Pods/n
			work.Measured = measured * time.Duration(n) / time.Duration(all)
			times[i] = d.settings.DecisionTime.Karpenter(work)
		}
	}
	if efforts[1].TimedOut {
		times[1] = multiNodeTimeout
	}
	return times
}

// endPass plans the next poll.
func (d *disruptionLoop) endPass() {
	d.busy = false
	d.anchor = d.now
	d.plan(d.now + pollingPeriod)
}

// sleep waits for what could let a pass find something: a change, or a node that comes of age.
func (d *disruptionLoop) sleep() {
	d.anchor = d.now
	next := time.Duration(math.MaxInt64)
	idle := false
	for _, m := range d.methods {
		idle = idle || m.idle
		if m.stale || d.scheduled() {
			next = d.changedAt + revalidation
		}
	}
	for _, n := range d.nodes {
		at := d.nextTurn(n)
		if !idle && at < math.MaxInt64 {
			at = max(at, d.changedAt+revalidation)
		}
		next = min(next, at)
	}
	if next < math.MaxInt64 {
		d.plan(d.pollFrom(next))
	}
}

// nextTurn is when the passing of time alone may next make a candidate of a node.
func (d *disruptionLoop) nextTurn(n *node) time.Duration {
	next := time.Duration(math.MaxInt64)
	if n.nodePool == nil || n.state != nodeReady {
		return next
	}
	soon := func(at time.Duration) {
		if at > d.now {
			next = min(next, at)
		}
	}
	if !n.nodePool.Spec.Disruption.ConsolidateAfter.Never {
		soon(n.settles())
	}
	soon(n.nominatedUntil)
	if d.guards {
		for _, p := range n.pods {
			soon(d.protectedUntil(p))
		}
	}
	return next
}

// scheduled reports whether some budget holds by the clock.
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
		if d.guards && slices.ContainsFunc(n.pods, func(p *pod) bool { return d.protectedUntil(p) > d.now }) {
			bit |= 8
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
