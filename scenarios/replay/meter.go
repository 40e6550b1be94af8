package replay

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// meter adds up what happens in a replay. The kernel tells it of every change
// after it has advanced it to the moment of the change. Its memory grows with the
// length of the series and with the kinds of things counted, not with how often
// they happen: reasons that it is given must be from a small set.
type meter struct {
	now     time.Duration
	step    time.Duration
	samples []Sample
	// fault is the first call that cannot be true: see conserved.
	fault error

	pods  podMeter
	nodes nodeMeter
	bills ledger

	decisions map[decisionKey]int
}

type decisionKey struct{ kind, reason string }

// podMeter counts pods and how long they waited.
type podMeter struct {
	created, finished, deleted, gaveUp int
	evicted                            map[string]int
	// pending are created and not bound; running have started.
	pending, running   int
	toBound, toRunning histogram
	pendingTime        integral
	lost               integral
}

// ended is how many pods are no more.
func (p *podMeter) ended() int {
	n := p.finished + p.deleted + p.gaveUp
	for _, evicted := range p.evicted {
		n += evicted
	}
	return n
}

// starting are bound and do not run yet.
func (p *podMeter) starting() int { return p.created - p.ended() - p.pending - p.running }

// nodePhase is where a node is in its life.
type nodePhase uint8

const (
	phaseLaunching nodePhase = iota // from the request until the node is ready
	phaseReady
	phaseLeaving // being drained or terminated
	phases
)

// nodeMeter counts nodes, and what they give and are asked for.
type nodeMeter struct {
	in                                             [phases]int
	requested, withdrawn, launched, existing, gone int
	peak                                           int
	failures                                       map[string]int
	interrupted, expired, consolidated, scaledDown int
	requestedCPU, allocatableCPU                   int64 // milli-CPU, now
	requestedMemory, allocatableMemory             int64 // bytes, now
	requestedCPUTime, allocatableCPUTime           integral
	requestedMemoryTime, allocatableMemoryTime     integral
}

// newMeter makes a meter that takes a sample at each step, none if it is zero.
func newMeter(step time.Duration) *meter {
	return &meter{
		step:      step,
		pods:      podMeter{evicted: map[string]int{}},
		nodes:     nodeMeter{failures: map[string]int{}},
		bills:     newLedger(),
		decisions: map[decisionKey]int{},
	}
}

// advance lets time pass up to a moment, before what happens at that moment, and
// takes the samples that are due on the way. A sample of a moment is taken once
// time goes beyond it, so that all that happens at that moment is in.
func (m *meter) advance(to time.Duration) {
	if to < m.now {
		m.wrong("time goes back from %v to %v", m.now, to)
		return
	}
	if m.step > 0 {
		for next := time.Duration(len(m.samples)) * m.step; next < to; next += m.step {
			m.pass(next)
			m.samples = append(m.samples, m.sample())
		}
	}
	m.pass(to)
}

// pass adds the present state to each integral for the time up to a moment.
func (m *meter) pass(to time.Duration) {
	held := to - m.now
	if held == 0 {
		return
	}
	m.now = to
	m.pods.pendingTime.add(int64(m.pods.pending), held)
	m.bills.pass(held)
	n := &m.nodes
	n.requestedCPUTime.add(n.requestedCPU, held)
	n.allocatableCPUTime.add(n.allocatableCPU, held)
	n.requestedMemoryTime.add(n.requestedMemory, held)
	n.allocatableMemoryTime.add(n.allocatableMemory, held)
}

// wrong keeps the first thing that cannot be true.
func (m *meter) wrong(format string, args ...any) {
	if m.fault == nil {
		m.fault = fmt.Errorf("at %v: "+format, append([]any{m.now}, args...)...)
	}
}

// podCreated counts a pod, one that replaces another too. That it is pending is
// for pending to say.
func (m *meter) podCreated() { m.pods.created++ }

// pending changes the number of pods that are not bound.
func (m *meter) pending(by int) {
	m.pods.pending += by
	if m.pods.pending < 0 {
		m.wrong("%d pods are pending", m.pods.pending)
		m.pods.pending = 0
	}
}

// running changes the number of pods that run.
func (m *meter) running(by int) {
	m.pods.running += by
	if m.pods.running < 0 {
		m.wrong("%d pods run", m.pods.running)
		m.pods.running = 0
	}
}

// podBound counts how long a pod waited from its creation until it was bound.
func (m *meter) podBound(wait time.Duration) { m.wait(&m.pods.toBound, wait) }

// podRunning counts how long a pod waited from its creation until it ran.
func (m *meter) podRunning(wait time.Duration) { m.wait(&m.pods.toRunning, wait) }

func (m *meter) wait(h *histogram, wait time.Duration) {
	if wait < 0 {
		m.wrong("a pod waited for %v", wait)
		return
	}
	h.add(wait)
}

// podFinished, podDeleted, podGaveUp and podEvicted end a pod. If it was pending or
// running, pending(-1) or running(-1) says so.
func (m *meter) podFinished() { m.pods.finished++ }
func (m *meter) podDeleted()  { m.pods.deleted++ }
func (m *meter) podGaveUp()   { m.pods.gaveUp++ }

// podEvicted also counts the run time that is lost with the pod and has to be done
// again. The pod that replaces it is a pod created.
func (m *meter) podEvicted(reason string, lost time.Duration) {
	m.pods.evicted[reason]++
	if lost < 0 {
		m.wrong("an evicted pod had run for %v", lost)
		return
	}
	m.pods.lost.add(1, lost)
}

// nodeRequested counts a node that the autoscaler asks for.
func (m *meter) nodeRequested() {
	m.nodes.requested++
	m.nodes.in[phaseLaunching]++
}

// launchFailed ends a request that the provider turned down.
func (m *meter) launchFailed(reason string) {
	m.nodes.failures[reason]++
	m.leave(phaseLaunching)
}

// nodeWithdrawn ends a request that the autoscaler took back before it was launched.
func (m *meter) nodeWithdrawn() {
	m.nodes.withdrawn++
	m.leave(phaseLaunching)
}

// nodeLaunched starts the bill of a node that was requested.
func (m *meter) nodeLaunched(n nodeBill) {
	m.nodes.launched++
	m.open(n)
}

// nodeExisting starts the bill of a ready node that was there at the start.
func (m *meter) nodeExisting(n nodeBill) {
	m.nodes.existing++
	m.nodes.in[phaseReady]++
	m.open(n)
}

func (m *meter) open(n nodeBill) {
	m.bills.open(&n)
	m.nodes.peak = max(m.nodes.peak, m.bills.nodes)
	m.nodes.allocatableCPU += n.milliCPU
	m.nodes.allocatableMemory += n.memory
}

// nodeReady says that a launched node takes pods.
func (m *meter) nodeReady() {
	m.leave(phaseLaunching)
	m.nodes.in[phaseReady]++
}

// nodeLeaving says that a launched node is being drained, whether it was ready or not.
func (m *meter) nodeLeaving(wasReady bool) {
	if wasReady {
		m.leave(phaseReady)
	} else {
		m.leave(phaseLaunching)
	}
	m.nodes.in[phaseLeaving]++
}

// nodeGone ends the bill of a node that ran from its launch, or from the start if
// it existed, until now, and was in a phase last. What was requested of the node
// has to be taken off by usage before.
func (m *meter) nodeGone(n nodeBill, ran time.Duration, state nodePhase) {
	m.nodes.gone++
	m.leave(state)
	m.close(n, ran)
	m.bills.closed(&n)
	m.nodes.allocatableCPU -= n.milliCPU
	m.nodes.allocatableMemory -= n.memory
}

// nodeAtEnd bills a node that is still there at the end of the replay, once all
// that happens has happened. The node stays as it is.
func (m *meter) nodeAtEnd(n nodeBill, ran time.Duration) { m.close(n, ran) }

func (m *meter) close(n nodeBill, ran time.Duration) {
	if ran < 0 {
		m.wrong("a node %s ran for %v", n.typ, ran)
		return
	}
	m.bills.bill(&n, ran)
}

func (m *meter) leave(state nodePhase) {
	m.nodes.in[state]--
	if m.nodes.in[state] < 0 {
		m.wrong("%d nodes are in phase %d", m.nodes.in[state], state)
		m.nodes.in[state] = 0
	}
}

// usage says that what pods request of a billed node changes: CPU in milli-CPU,
// memory in bytes, daemons included. It is 0, 0 when the node is launched, and has
// to be so again before the node is gone.
func (m *meter) usage(n nodeBill, oldMilliCPU, oldMemory, newMilliCPU, newMemory int64) {
	m.nodes.requestedCPU += newMilliCPU - oldMilliCPU
	m.nodes.requestedMemory += newMemory - oldMemory
	if m.nodes.requestedCPU < 0 || m.nodes.requestedMemory < 0 {
		m.wrong("pods request %d milli-CPU and %d bytes of all nodes", m.nodes.requestedCPU, m.nodes.requestedMemory)
		m.nodes.requestedCPU, m.nodes.requestedMemory = 0, 0
	}
	m.bills.wasteRate += n.wasted(newMilliCPU, newMemory) - n.wasted(oldMilliCPU, oldMemory)
}

// interrupted, expired, consolidated and scaledDown count why nodes left.
func (m *meter) interrupted()  { m.nodes.interrupted++ }
func (m *meter) expired()      { m.nodes.expired++ }
func (m *meter) consolidated() { m.nodes.consolidated++ }
func (m *meter) scaledDown()   { m.nodes.scaledDown++ }

// decision counts what the autoscaler decided and why.
func (m *meter) decision(kind, reason string) { m.decisions[decisionKey{kind, reason}]++ }

// result is what the meter read up to now. Nodes that are still there have been
// billed by nodeAtEnd. Names, the seed, assumptions and Complete are for the
// kernel to fill in.
func (m *meter) result() *Result {
	p, n := &m.pods, &m.nodes
	evictedBy := byReason(p.evicted)
	return &Result{
		Duration: m.now,
		Cost:     m.bills.cost(),
		Wait: Waits{
			ToBound:           p.toBound.quantiles(),
			ToRunning:         p.toRunning.quantiles(),
			PendingPodSeconds: p.pendingTime.seconds(),
		},
		Pods: PodCounts{
			Created: p.created, Finished: p.finished, Deleted: p.deleted, GaveUp: p.gaveUp,
			Evicted: totalOf(evictedBy), EvictedBy: evictedBy,
			PendingAtEnd: p.pending, StartingAtEnd: p.starting(), RunningAtEnd: p.running,
			LostSeconds: p.lost.seconds(),
		},
		Nodes: NodeCounts{
			Requested: n.requested, Launched: n.launched, Terminated: n.gone,
			Existing: n.existing, AtEnd: m.bills.nodes, Peak: n.peak,
			NodeHours: m.bills.nodeTime.hours(), LaunchFailures: byReason(n.failures),
			Interruptions: n.interrupted, Expirations: n.expired,
			Consolidated: n.consolidated, ScaledDown: n.scaledDown,
		},
		Utilisation: Utilisation{
			CPU:    ratio(n.requestedCPUTime, n.allocatableCPUTime),
			Memory: ratio(n.requestedMemoryTime, n.allocatableMemoryTime),
		},
		Decisions: m.decisionCounts(),
		Series:    m.series(),
	}
}

func (m *meter) decisionCounts() []DecisionCount {
	counts := make([]DecisionCount, 0, len(m.decisions))
	for key, n := range m.decisions {
		counts = append(counts, DecisionCount{key.kind, key.reason, n})
	}
	slices.SortFunc(counts, func(a, b DecisionCount) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason))
	})
	return counts
}

// byReason lists counts, the most frequent first and of equal ones that with the
// smaller reason.
func byReason(counts map[string]int) []ReasonCount {
	out := make([]ReasonCount, 0, len(counts))
	for reason, n := range counts {
		out = append(out, ReasonCount{reason, n})
	}
	slices.SortFunc(out, func(a, b ReasonCount) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

// ratio is the quotient of two integrals, 0 over nothing.
func ratio(part, whole integral) float64 {
	of := whole.nanoseconds()
	if of == 0 {
		return 0
	}
	return math.Min(1, part.nanoseconds()/of)
}
