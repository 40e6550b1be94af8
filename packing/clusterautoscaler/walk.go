package clusterautoscaler

import "github.com/binwright/binwright/packing/internal/feasibility"

// nodeWalk is the order in which nodes are tried: from the one after the last
// success on, around. It lives as long as the autoscaler's process
// (pkg/simulator/clustersnapshot/scheduling_opts.go, lastIndexOrderMapping).
type nodeWalk struct {
	last int // place of the last success among the nodes of the snapshot then
}

// next places a pod of a class on the first node that takes it, beginning after
// the last success, and returns the node, or -1. Cordoned nodes are passed over,
// and those below the first place that counts.
func (w *nodeWalk) next(cl *feasibility.Cluster, c *feasibility.Class, accept func(place int, node int32) bool) int32 {
	order := cl.Order()
	n := len(order)
	if n == 0 {
		return -1
	}
	at := (w.last + 1) % n
	for range n {
		node := order[at]
		if (accept == nil || accept(at, node)) && cl.HasRoom(c, node) && !cl.Profile(node).Unschedulable() && cl.Check(c, node) == feasibility.Fits {
			w.last = at
			cl.Place(c, node, 1)
			return node
		}
		if at++; at == n {
			at = 0
		}
	}
	return -1
}
