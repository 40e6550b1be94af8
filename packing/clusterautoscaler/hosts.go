package clusterautoscaler

import (
	"slices"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// hostRule is what the rules that spread over hosts and count the same pods see of
// the nodes that there are.
type hostRule struct {
	*feasibility.HostSpread
	least int // pods on the host that has the fewest, feasibility.Unlimited without hosts
	count int // hosts
}

// least is the fewest pods on any host, real or simulated, that the class's rule counts.
func (e *runEstimate) least(c *runClass) int {
	least := e.rules[c.rule].least
	for i := range e.runs {
		least = min(least, int(e.runs[i].counts[c.rule]))
	}
	return least
}

// hosts is how many hosts the class's rule counts.
func (e *runEstimate) hosts(c *runClass) int { return e.rules[c.rule].count + e.nodes }

// untilLeastGrows returns after how many pods, placed around from a node on, no host
// has as few as the least any more; that is within the first round, since the skew
// never keeps pods from the least. It is feasibility.Unlimited if the least cannot
// grow: if a host that is not served is among them, or the rule does not count the
// pods or has too few hosts for the least to matter.
func (e *runEstimate) untilLeastGrows(c *runClass, start int) int {
	least := e.least(c)
	if c.host.Weight(c.Class) == 0 || c.host.Few(e.hosts(c)) || e.rules[c.rule].least == least {
		return feasibility.Unlimited
	}
	served, until := 0, 0
	stuck := false
	e.around(start, func(i, from, to int) bool {
		s := &e.runs[i]
		if s.room > 0 {
			served += to - from
		}
		if int(s.counts[c.rule]) == least {
			until = served
			stuck = stuck || s.room == 0
		}
		return !stuck
	})
	if stuck {
		return feasibility.Unlimited
	}
	return until
}

// onNewHosts is onNew for a class that spreads over hosts. Nodes are filled one
// after the other, each as far as the skew allows; when one has shown how many pods
// it takes, those after it take as many.
func (e *runEstimate) onNewHosts(c *runClass, pods int) (placed int, mayAdd bool) {
	if n := len(e.runs); n > 0 && !e.runs[n-1].used {
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
		e.add(c, more/n, n)
		if more%n > 0 {
			e.add(c, 1, more%n)
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
		n := min(pods-served, last.fits(c))
		if n == 0 {
			break // room, not skew, is at fault
		}
		if n = min(n, c.host.Room(c.Class, int(last.counts[c.rule]), e.least(c), e.hosts(c))); n > 0 {
			last = e.withPods(c, &last, n)
			onNew += n
			served += n
			continue
		}
		if onNew == 0 || !e.onOther(c, &last) {
			break
		}
		served++
		elsewhere = true
	}
	last.nodes = 1
	e.append(last)
	e.placedOn(c, served)
	return onNew, served, elsewhere
}

// onOther places one pod on the next node that takes it, other than the last. The
// last is not among the runs yet, but counts.
func (e *runEstimate) onOther(c *runClass, last *simRun) bool {
	least := min(e.least(c), int(last.counts[c.rule]))
	any := false
	for i := range e.runs {
		s := &e.runs[i]
		if s.room = s.fits(c); s.room > 0 {
			s.room = min(s.room, c.host.Room(c.Class, int(s.counts[c.rule]), least, e.hosts(c)))
		}
		any = any || s.room > 0
	}
	if !any {
		return false
	}
	start := e.start()
	if start == e.nodes-1 {
		start = 0 // from the last node the walk goes around
	}
	e.walkOver(c, start, 1)
	return true
}

// withPods returns a node with more pods of a class on it.
func (e *runEstimate) withPods(c *runClass, s *simRun, pods int) simRun {
	next := simRun{nodes: 1, free: e.cloneFree(s.free), held: s.held, counts: s.counts, used: true}
	c.Take(next.free, pods)
	if c.excluding && !slices.Contains(s.held, c.Class) {
		next.held = append(slices.Clip(s.held), c.Class)
	}
	if c.weights != nil {
		next.counts = slices.Clone(s.counts)
		for i, w := range c.weights {
			next.counts[i] += w * int32(pods)
		}
	}
	return next
}
