package clusterautoscaler

import "github.com/binwright/binwright/packing/internal/feasibility"

// hostRule is what the rules that spread over hosts and count the same pods see of
// the nodes that there are.
type hostRule struct {
	*feasibility.HostSpread
	real  int // pods on the real host that has the fewest, feasibility.Unlimited without any
	hosts int // real hosts
}

// hostCount is a rule over hosts and what it counts on simulated nodes.
type hostCount struct {
	*hostRule
	having []int // by number of pods: how many nodes have it
	min    int   // no node has fewer
}

func (h *hostCount) tally(pods int32, nodes int) {
	for int(pods) >= len(h.having) {
		h.having = append(h.having, 0)
	}
	h.having[pods] += nodes
	h.min = min(h.min, int(pods))
}

// least is the fewest pods on any host, real or simulated.
func (h *hostCount) least() int {
	for h.min < len(h.having) && h.having[h.min] == 0 {
		h.min++
	}
	if h.min == len(h.having) {
		return h.real // no simulated node yet
	}
	return min(h.real, h.min)
}

// others is what the class's rule reckons the skew from.
func (e *runEstimate) others(c *runClass) int {
	if c.host == nil {
		return 0
	}
	return c.host.Others(e.rules[c.rule].least(), e.hosts(c))
}

// hosts is how many hosts the class's rule counts.
func (e *runEstimate) hosts(c *runClass) int { return e.rules[c.rule].hosts + e.nodes }

// untilLeastGrows returns after how many pods, placed around from a node on, the skew
// allows more than now; feasibility.Unlimited if it will not: if a host that is not
// served is among those with the least, or the rule does not count the pods or has too
// few hosts for the least to matter.
func (e *runEstimate) untilLeastGrows(c *runClass, start int) int {
	h := &e.rules[c.rule]
	least := h.least()
	if !c.host.Weighs() || c.host.Few(e.hosts(c)) || h.real == least {
		return feasibility.Unlimited
	}
	until, grows := e.walk.untilLeastGrows(start, least, h.having[least])
	if !grows {
		return feasibility.Unlimited
	}
	return until
}

// onNewHosts is onNew for a class that spreads over hosts. Nodes are filled one
// after the other, each as far as the skew allows; when one has shown how many pods
// it takes, those after it take as many.
func (e *runEstimate) onNewHosts(c *runClass, pods int) (placed int, mayAdd bool) {
	if e.nodes > 0 && !e.lastUsed() {
		return 0, true
	}
	for placed < pods {
		if !e.permits.take() {
			return placed, false
		}
		e.imagine()
		n, served, elsewhere := e.fillNew(c, min(pods-placed, e.allowance(c)))
		placed += served
		if n == 0 {
			return placed, true // a new node refuses the pod, and stays
		}
		if placed == pods || elsewhere || c.host.Few(e.hosts(c)) {
			continue
		}
		allowed := min(pods-placed, e.allowance(c))
		want := (allowed + n - 1) / n
		got := e.permits.takeUpTo(want)
		more := min(allowed, got*n)
		e.addNew(c, more/n, n)
		if more%n > 0 {
			e.addNew(c, 1, more%n)
		}
		e.placedOn(c, more)
		placed += more
		if got < want {
			return placed, false
		}
	}
	return placed, true
}

// fillNew adds a node and places pods on it until it refuses one. While it is the
// skew that refuses, other simulated nodes may take the next pod; that lets the new
// one take more in its turn. It returns how many pods the new node has, how many
// were served in all, and whether any of them went to other nodes.
func (e *runEstimate) fillNew(c *runClass, pods int) (onNew, served int, elsewhere bool) {
	e.nodes++
	last := e.fresh
	for served < pods {
		n := min(pods-served, last.roomApart(c))
		if n == 0 {
			break // room, not skew, is at fault
		}
		if n = min(n, c.host.Room(int(last.counts[c.rule]), e.others(c))); n > 0 {
			last = e.withPods(c, &last, n)
			onNew += n
			served += n
			continue
		}
		if onNew == 0 || !e.onOther(c, int(last.counts[c.rule])) {
			break
		}
		served++
		elsewhere = true
	}
	e.add(last)
	e.placedOn(c, served)
	return onNew, served, elsewhere
}

// onOther places one pod on the next node that takes it, other than the last, which
// is not among the simulated yet but counts, with so many pods.
func (e *runEstimate) onOther(c *runClass, last int) bool {
	start := e.start()
	if start == e.nodes-1 {
		start = 0 // from the last node the walk goes around
	}
	if e.simulated.nodes == 0 {
		return false
	}
	others := c.host.Others(min(e.rules[c.rule].least(), last), e.hosts(c))
	return e.onNext(c, start, others)
}
