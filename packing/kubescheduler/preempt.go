package kubescheduler

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Bound is a pod on a node as preemption sees it.
type Bound struct {
	Class *Class
	// Start is when the pod started, since any fixed moment. One that has not started counts as
	// starting now, and its user says when that is.
	Start time.Duration
	// Budgets are the pod disruption budgets that select the pod and have not yet counted its
	// disruption, as indexes of [Preemptor.DisruptionsAllowed].
	Budgets []int32
	// Terminating says that the pod is on its way out because it was preempted.
	Terminating bool
	// ID is the user's own.
	ID int64
}

// Preemptor is a pod for which no node was found, and what preemption needs to know beside the cluster.
type Preemptor struct {
	Class *Class
	// Nominated is the node that the pod is already nominated to, [None] if there is none.
	Nominated NodeID
	// Pods lists the pods on a node: at least all whose priority is below the preemptor's, each as the class
	// that is bound there. It is asked for one node at a time, and only for nodes with such pods. What it gives is not
	// kept: it may be the same slice each time.
	Pods func(NodeID) []Bound
	// DisruptionsAllowed is what is left of each pod disruption budget.
	DisruptionsAllowed []int32
}

// Preemption is the node to be freed for a pod.
type Preemption struct {
	Node NodeID
	// Victims are the pods to be evicted, most important first.
	Victims []Bound
	// Violations is how many of them breach a disruption budget.
	Violations int
}

// Bounds of how many candidates are compared (apis/config/v1/defaults.go, DefaultPreemptionArgs).
const (
	minCandidatesPercent = 10
	minCandidates        = 100
)

// Preempt finds the node on which the fewest and least important pods have to go so that a
// pod fits, as the plugin DefaultPreemption does for a pod that [Scheduler.Schedule] found no node for
// (pkg/scheduler/framework/preemption/preemption.go,
// plugins/defaultpreemption/default_preemption.go). It changes nothing: its user evicts the
// victims, takes back nominations of lower priority on the node, and nominates the pod. The answer is false if
// no preemption helps, if the pod never preempts, or if its nominated node is already being freed.
func (s *Scheduler) Preempt(p Preemptor) (Preemption, bool) {
	c := p.Class
	if c.PreemptsNever || c.Unsupported != "" || !s.ranks.below(c.Priority) || s.beingFreed(p) {
		return Preemption{}, false
	}
	nodes := s.helped(c, p.Nominated)
	if len(nodes) == 0 {
		return Preemption{}, false
	}
	enough := min(len(nodes), max(minCandidates, len(nodes)*minCandidatesPercent/100))
	offset := 0
	if s.draws != nil {
		offset = s.draws.IntN(len(nodes))
	}
	var good, violating []Preemption
	for i := range nodes {
		candidate, ok := s.victims(p, nodes[(offset+i)%len(nodes)])
		if !ok {
			continue
		}
		if candidate.Violations == 0 {
			good = append(good, candidate)
		} else {
			violating = append(violating, candidate)
		}
		if len(good) > 0 && len(good)+len(violating) >= enough {
			break
		}
	}
	return s.leastHarm(append(good, violating...))
}

// beingFreed reports whether a pod of lower priority is still on its way out of the nominated node, so that
// there is nothing to do but wait (PodEligibleToPreemptOthers).
func (s *Scheduler) beingFreed(p Preemptor) bool {
	if n := s.at(p.Nominated); n == nil || !n.ranks.below(p.Class.Priority) {
		return false
	}
	if r := s.passes(p.Class, int32(p.Nominated), p.Nominated); r != feasibility.Fits && !s.resolvable(p.Class, r, p.Nominated) {
		return false
	}
	return slices.ContainsFunc(p.Pods(p.Nominated), func(b Bound) bool {
		return b.Terminating && b.Class.Priority < p.Class.Priority
	})
}

// helped returns the nodes that refuse a pod for a reason that the absence of other pods may remove.
func (s *Scheduler) helped(c *Class, nominated NodeID) []NodeID {
	var out []NodeID
	order := s.tree.list()
	if c.byName {
		order = s.named(c)
	}
	for _, id := range order {
		if r := s.passes(c, int32(id), nominated); r != feasibility.Fits && s.resolvable(c, r, id) {
			out = append(out, id)
		}
	}
	return out
}

// resolvable reports whether a refusal of a node can be removed. More than the node has when
// it is empty cannot be had (noderesources/fit.go).
func (s *Scheduler) resolvable(c *Class, r feasibility.Refusal, id NodeID) bool {
	return Reason(r).resolvable() && (r != feasibility.Resources || c.filter.Within(s.nodes[id].profile))
}

// victims picks the pods of one node that have to go (SelectVictimsOnNode): all of lower priority
// are taken off, and put back as long as the pod still fits, those whose eviction breaches a budget first,
// more important ones before others.
func (s *Scheduler) victims(p Preemptor, id NodeID) (Preemption, bool) {
	if !s.nodes[id].ranks.below(p.Class.Priority) {
		return Preemption{}, false
	}
	lower := s.scratch.lower[:0]
	for _, b := range p.Pods(id) {
		if b.Class.Priority < p.Class.Priority {
			lower = append(lower, b)
		}
	}
	s.scratch.lower = lower
	if len(lower) == 0 {
		return Preemption{}, false
	}
	index := s.nodes[id].index
	s.cluster.Fork()
	defer s.cluster.Revert()
	for i := range lower {
		s.cluster.Place(lower[i].Class.filter, index, -1)
	}
	if s.passes(p.Class, int32(id), p.Nominated) != feasibility.Fits {
		return Preemption{}, false
	}
	slices.SortStableFunc(lower, byImportance)
	breaches := s.breaches(lower, p.DisruptionsAllowed)
	out := Preemption{Node: id}
	for _, breaching := range [2]bool{true, false} {
		for i := range lower {
			if breaches[i] != breaching {
				continue
			}
			s.cluster.Place(lower[i].Class.filter, index, 1)
			if s.passes(p.Class, int32(id), p.Nominated) == feasibility.Fits {
				continue
			}
			s.cluster.Place(lower[i].Class.filter, index, -1)
			out.Victims = append(out.Victims, lower[i])
			if breaching {
				out.Violations++
			}
		}
	}
	slices.SortStableFunc(out.Victims, byImportance)
	return out, len(out.Victims) > 0
}

// byImportance puts pods of higher priority first, then those that have run longer
// (pkg/scheduler/util/utils.go, MoreImportantPod).
func byImportance(a, b Bound) int {
	return cmp.Or(cmp.Compare(b.Class.Priority, a.Class.Priority), cmp.Compare(a.Start, b.Start))
}

// breaches says of each pod whether a budget is used up by it and those before it
// (filterPodsWithPDBViolation).
func (s *Scheduler) breaches(pods []Bound, allowed []int32) []bool {
	left := append(s.scratch.allowed[:0], allowed...)
	out := append(s.scratch.breaches[:0], make([]bool, len(pods))...)
	for i := range pods {
		for _, budget := range pods[i].Budgets {
			if left[budget]--; left[budget] < 0 {
				out[i] = true
			}
		}
	}
	s.scratch.allowed, s.scratch.breaches = left, out
	return out
}

// leastHarm picks among candidates (pickOneNodeForPreemption): the fewest breached budgets, then the lowest
// priority of the most important victim, the lowest sum of priorities, the fewest victims, and the
// latest start of the oldest victim of the highest priority.
func (s *Scheduler) leastHarm(candidates []Preemption) (Preemption, bool) {
	if len(candidates) == 0 {
		return Preemption{}, false
	}
	for _, harm := range [...]func(*Preemption) int64{
		func(c *Preemption) int64 { return int64(c.Violations) },
		func(c *Preemption) int64 { return int64(c.Victims[0].Class.Priority) },
		func(c *Preemption) int64 {
			var sum int64
			for i := range c.Victims {
				sum += int64(c.Victims[i].Class.Priority) + math.MaxInt32 + 1 // none is below 0
			}
			return sum
		},
		func(c *Preemption) int64 { return int64(len(c.Victims)) },
		func(c *Preemption) int64 {
			// Victims are in order of importance: the first is the oldest of its priority.
			return -int64(c.Victims[0].Start)
		},
	} {
		least := int64(math.MaxInt64)
		for i := range candidates {
			least = min(least, harm(&candidates[i]))
		}
		candidates = slices.DeleteFunc(candidates, func(c Preemption) bool { return harm(&c) > least })
	}
	if s.draws != nil {
		return candidates[s.draws.IntN(len(candidates))], true
	}
	return candidates[0], true
}
