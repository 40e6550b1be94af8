package clusterautoscaler

// nodeLimit is how many nodes one estimate may add: the least of
// max-nodes-per-scaleup, the room of the group and its similar ones, and what
// max-nodes-total leaves. 0 is no limit, below 0 is none at all
// (pkg/estimator: threshold_based_limiter.go, static_threshold.go,
// sng_capacity_threshold.go, cluster_capacity_threshold.go). The original's limits
// on time (10 s a group, 5 min in all) are not modelled.
func (r *run) nodeLimit(group int, similar []int, nodes int) int {
	limit := tighter(0, r.settings.MaxNodesPerScaleUp)
	room := r.room(group)
	for _, s := range similar {
		room += r.room(s)
	}
	if room <= 0 {
		room = -1
	}
	limit = tighter(limit, room)
	if total := r.settings.MaxNodesTotal; total > 0 {
		if left := total - nodes; left > 0 {
			limit = tighter(limit, left)
		} else {
			limit = -1
		}
	}
	return limit
}

// room is how many nodes a group may still add.
func (r *run) room(group int) int { return max(0, r.groups[group].MaxSize-r.targets[group]) }

// tighter combines two limits (getMinLimit).
func tighter(base, other int) int {
	switch {
	case base < 0 || other < 0:
		return -1
	case (base == 0 || base > other) && other > 0:
		return other
	}
	return base
}

// permits counts the nodes that an estimate adds.
type permits struct {
	limit int
	used  int
}

// left reports whether another node may be added.
func (p *permits) left() bool { return p.limit == 0 || p.limit > 0 && p.used < p.limit }

// take reports whether one more node may be added, and counts it.
func (p *permits) take() bool { return p.takeUpTo(1) == 1 }

// takeUpTo takes as many of n permissions as there are.
func (p *permits) takeUpTo(n int) int {
	if p.limit < 0 {
		return 0
	}
	if p.limit > 0 {
		n = min(n, p.limit-p.used)
	}
	p.used += n
	return n
}
