package clusterautoscaler

import "slices"

// removable splits the unneeded nodes that may go now into those without pods to
// move and the others; the reasons of those that may not are recorded (planner.go
// NodesToDelete, unneeded/nodes.go RemovableAt).
func (a *process) removable() (empty, loaded []*removal) {
	sizes := slices.Clone(a.targets)
	for _, m := range a.members {
		if m.underDeletion() && m.group >= 0 {
			sizes[m.group]-- // it goes, though the target size does not say so yet
		}
	}
	left := a.spare()
	unneeded := a.planner.unneeded
	if a.rng != nil { // the original keeps them in a map
		unneeded = slices.Clone(unneeded)
		a.rng.Shuffle(len(unneeded), func(i, j int) { unneeded[i], unneeded[j] = unneeded[j], unneeded[i] })
	}
	for _, n := range unneeded {
		if len(n.pods) == 0 {
			empty = a.ifRemovable(empty, n, sizes, left)
		}
	}
	for _, n := range unneeded {
		if len(n.pods) > 0 {
			loaded = a.ifRemovable(loaded, n, sizes, left)
		}
	}
	slices.SortStableFunc(loaded, func(x, y *removal) int {
		switch {
		case x.risky == y.risky:
			return 0
		case y.risky:
			return -1
		}
		return 1
	})
	all := a.wholeGroups(append(slices.Clip(empty), loaded...))
	empty, loaded = nil, nil
	for _, n := range all {
		switch {
		case n.waits:
			a.stays(n, BlockedByOnCompletionPod)
		case len(n.pods) > 0:
			loaded = append(loaded, n)
		default:
			empty = append(empty, n)
		}
	}
	return empty, loaded
}

func (a *process) stays(n *removal, why UnremovableReason) {
	a.report(n.member, Unremovable{Node: n.node, Reason: why})
}

// ifRemovable appends a node that may go to a list, and takes it from what its group
// and the cluster can spare.
func (a *process) ifRemovable(list []*removal, n *removal, sizes []int, left *quota) []*removal {
	p := a.cluster.Profile(n.index)
	switch {
	case n.threshold > 0 && !n.since.Add(n.threshold).Before(a.now):
		if n.ready {
			a.stays(n, NotUnneededLongEnough)
		} else {
			a.stays(n, NotUnreadyLongEnough)
		}
		return list
	case sizes[n.group] <= a.groups[n.group].MinSize:
		a.stays(n, NodeGroupMinSizeReached)
		return list
	case p.Cores > left.cores || p.Memory > left.memory:
		a.stays(n, MinimalResourceLimitExceeded)
		return list
	}
	left.cores, left.memory = left.cores-p.Cores, left.memory-p.Memory
	sizes[n.group]--
	return append(list, n)
}

// spare is what the cluster has beyond the minima of cores and memory
// (pkg/resourcequotas/factory.go, NewMinQuotasTracker).
func (a *process) spare() *quota {
	q := &quota{cores: -a.down.CoresTotal, memory: -a.down.MemoryTotal * gib}
	for _, i := range a.cluster.Order() {
		p := a.cluster.Profile(i)
		q.cores += p.Cores
		q.memory += p.Memory
	}
	q.cores, q.memory = max(0, q.cores), max(0, q.memory)
	return q
}

// wholeGroups keeps nodes of groups that go as a whole only if all of their nodes go;
// these come last (pkg/processors/nodes/scale_down_set_processor.go).
func (a *process) wholeGroups(nodes []*removal) []*removal {
	var out, atomic []*removal
	count := make([]int, len(a.groups))
	for _, n := range nodes {
		if !a.groups[n.group].ZeroOrMax {
			out = append(out, n)
			continue
		}
		atomic = append(atomic, n)
		count[n.group]++
	}
	slices.SortStableFunc(atomic, func(x, y *removal) int { return x.group - y.group })
	for _, n := range atomic {
		if count[n.group] == a.targets[n.group] || count[n.group] == a.registered[n.group] {
			out = append(out, n)
		} else {
			a.stays(n, AtomicScaleDownFailed)
		}
	}
	return out
}

// bucket is the nodes of one group that may go.
type bucket struct {
	group int
	nodes []*removal
}

// crop chooses as many nodes as may go at once, empty ones first, group by group
// (pkg/core/scaledown/budgets/budgets.go, CropNodes). Groups that go as a whole go
// first; one of them may exceed what is allowed.
func (a *process) crop(empty, loaded []*removal) []*removal {
	parallel, drains := a.parallelism()
	emptyOnes, emptyWhole := a.buckets(empty)
	loadedOnes, loadedWhole := a.buckets(loaded)
	var first, second []*removal
	overflow := true
	for _, b := range emptyWhole {
		var also []*removal
		for _, d := range loadedWhole {
			if d.group == b.group {
				also = d.nodes
			}
		}
		if parallel < len(b.nodes)+len(also) || drains < len(also) {
			if parallel == 0 || len(also) > 0 && drains == 0 || !overflow {
				break
			}
		}
		first, second = append(first, b.nodes...), append(second, also...)
		parallel -= len(b.nodes) + len(also)
		drains -= len(also)
		overflow = false
	}
	drains = min(parallel, drains)
	for _, b := range loadedWhole {
		if slices.ContainsFunc(emptyWhole, func(e *bucket) bool { return e.group == b.group }) {
			continue
		}
		if drains < len(b.nodes) && (drains == 0 || !overflow) {
			break
		}
		second = append(second, b.nodes...)
		parallel -= len(b.nodes)
		drains -= len(b.nodes)
		overflow = false
	}
	first, taken := cropEach(first, emptyOnes, parallel)
	parallel -= taken
	second, _ = cropEach(second, loadedOnes, min(parallel, drains))
	return append(first, second...)
}

// buckets gathers nodes by group, in the order in which the groups appear; groups
// that go as a whole apart.
func (a *process) buckets(nodes []*removal) (ones, whole []*bucket) {
	known := make(map[int]*bucket)
	for _, n := range nodes {
		b := known[n.group]
		if b == nil {
			b = &bucket{group: n.group}
			known[n.group] = b
			if a.groups[n.group].ZeroOrMax {
				whole = append(whole, b)
			} else {
				ones = append(ones, b)
			}
		}
		b.nodes = append(b.nodes, n)
	}
	return ones, whole
}

func cropEach(chosen []*removal, buckets []*bucket, budget int) ([]*removal, int) {
	left := budget
	for _, b := range buckets {
		if left < 1 {
			break
		}
		n := min(left, len(b.nodes))
		chosen = append(chosen, b.nodes[:n]...)
		left -= n
	}
	return chosen, budget - left
}
