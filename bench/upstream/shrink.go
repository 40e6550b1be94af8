package upstream

import (
	"fmt"
	"slices"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
)

// Shrink returns a problem as small as it can find of which holds is still true:
// it drops nodes, daemon sets, pods, pods that are bound, pools and instance types, in
// ever smaller pieces, until nothing more can go or holds was asked attempts
// times. The problem itself is not changed.
func Shrink(p *recorded.Problem, attempts int, holds func(*recorded.Problem) bool) *recorded.Problem {
	asked := 0
	try := func(smaller *recorded.Problem) bool {
		asked++
		return asked <= attempts && holds(smaller)
	}
	for smallest, again := p, true; ; again = false {
		before := size(smallest)
		for _, part := range parts {
			smallest = shrinkPart(smallest, part, try)
		}
		if asked >= attempts || size(smallest) == before && !again {
			return renamed(smallest, p.Name+"-small")
		}
	}
}

// part is a list within a problem: how long it is, and the problem with only
// those of its elements that keep accepts.
type part struct {
	length func(*recorded.Problem) int
	only   func(p *recorded.Problem, keep func(i int) bool) *recorded.Problem
}

var parts = []part{
	{
		func(p *recorded.Problem) int { return len(p.Snapshot.Pods) },
		inSnapshot(func(s *packing.Snapshot, keep func(int) bool) { s.Pods = only(s.Pods, keep) }),
	}, {
		func(p *recorded.Problem) int { return len(p.Snapshot.Nodes) },
		inSnapshot(func(s *packing.Snapshot, keep func(int) bool) { s.Nodes = only(s.Nodes, keep) }),
	}, {
		func(p *recorded.Problem) int { return len(p.Snapshot.DaemonSets) },
		inSnapshot(func(s *packing.Snapshot, keep func(int) bool) { s.DaemonSets = only(s.DaemonSets, keep) }),
	}, {
		func(p *recorded.Problem) int { return len(boundPods(p.Snapshot)) },
		inSnapshot(onlyBound),
	}, {
		func(p *recorded.Problem) int { return len(p.NodePools) },
		func(p *recorded.Problem, keep func(int) bool) *recorded.Problem {
			q := *p
			q.NodePools = only(p.NodePools, keep)
			return &q
		},
	}, {
		func(p *recorded.Problem) int { return len(p.Catalog.Types()) },
		func(p *recorded.Problem, keep func(int) bool) *recorded.Problem {
			q, i := *p, -1
			q.Catalog = p.Catalog.Filter(func(*instancetypes.InstanceType) bool { i++; return keep(i) })
			return &q
		},
	},
}

func inSnapshot(change func(s *packing.Snapshot, keep func(int) bool)) func(*recorded.Problem, func(int) bool) *recorded.Problem {
	return func(p *recorded.Problem, keep func(int) bool) *recorded.Problem {
		q, s := *p, *p.Snapshot
		change(&s, keep)
		q.Snapshot = &s
		return &q
	}
}

func only[T any](list []T, keep func(int) bool) []T {
	var out []T
	for i, x := range list {
		if keep(i) {
			out = append(out, x)
		}
	}
	return out
}

// boundPods names the bound pods of all nodes by node and position.
func boundPods(s *packing.Snapshot) [][2]int {
	var out [][2]int
	for i, n := range s.Nodes {
		for j := range n.Pods {
			out = append(out, [2]int{i, j})
		}
	}
	return out
}

func onlyBound(s *packing.Snapshot, keep func(int) bool) {
	nodes := make([]*packing.Node, len(s.Nodes))
	for i, n := range s.Nodes {
		clone := *n
		clone.Pods = nil
		nodes[i] = &clone
	}
	for i, at := range boundPods(s) {
		if keep(i) {
			nodes[at[0]].Pods = append(nodes[at[0]].Pods, s.Nodes[at[0]].Pods[at[1]])
		}
	}
	s.Nodes = nodes
}

// shrinkPart drops pieces of one list: first halves, at last single elements.
func shrinkPart(p *recorded.Problem, list part, try func(*recorded.Problem) bool) *recorded.Problem {
	for piece := (list.length(p) + 1) / 2; piece > 0; piece /= 2 {
		for from := 0; from < list.length(p); {
			smaller := list.only(p, func(i int) bool { return i < from || i >= from+piece })
			if try(smaller) {
				p = smaller
			} else {
				from += piece
			}
		}
	}
	return p
}

func size(p *recorded.Problem) int {
	n := 0
	for _, list := range parts {
		n += list.length(p)
	}
	return n
}

func renamed(p *recorded.Problem, name string) *recorded.Problem {
	q := *p
	q.Name = name
	q.Features = append(slices.Clone(p.Features), fmt.Sprintf("shrunk-to-%d", size(p)))
	return &q
}
