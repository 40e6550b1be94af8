package clusterautoscaler

import (
	"cmp"
	"slices"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// option is what scaling up one group would bring.
type option struct {
	group    int
	nodes    int
	similar  []int
	estimate estimation
	scores   []OptionScore
}

// attempt is one try to scale up: what was considered and what came of it.
type attempt struct {
	result  Result
	groups  []*podGroup // equivalence groups of the pods to help
	skipped []string    // by node group: why it was not considered, "" if it was
	refused [][]feasibility.Refusal
	options []*option
	best    *option
	tied    []*option
	resizes []resize
}

// scaleUp considers all groups for the pods and picks one
// (pkg/core/scaleup/orchestrator/orchestrator.go, ScaleUp).
func (r *run) scaleUp(pods []int32, nodes int) *attempt {
	a := &attempt{result: ScaleUpNoOptionsAvailable, groups: r.pods.group(pods), skipped: make([]string, len(r.groups))}
	if r.rng != nil { // the original keeps its groups of pods in a map
		r.rng.Shuffle(len(a.groups), func(i, j int) { a.groups[i], a.groups[j] = a.groups[j], a.groups[i] })
	}
	r.elsewhereOf = make(map[*feasibility.Class][]int32)
	r.shapes, r.scoredLast = r.newShapes(a.groups), scoredOrder{}
	quota := r.newQuota()
	valid := r.validGroups(a, quota, nodes)
	accepted := r.acceptedGroups(a, valid)
	for _, g := range valid {
		if r.ctx.Err() != nil {
			return a
		}
		if o := r.option(g, accepted, nodes); o != nil {
			a.options = append(a.options, o)
		}
	}
	if len(a.options) == 0 {
		return a
	}
	a.best, a.tied = r.choose(a.options)
	if a.best == nil {
		return a
	}
	// No more nodes than the cluster may have (GetCappedNewNodeCount).
	count := a.best.nodes
	if total := r.settings.MaxNodesTotal; total > 0 && nodes+count > total {
		if count = total - nodes; count < 1 {
			a.result = ScaleUpError
			return a
		}
	}
	count, _ = quota.allows(r.templates[a.best.group], count)
	a.resizes = r.share(a.best.group, count, accepted, quota)
	a.result = ScaleUpSuccessful
	return a
}

// validGroups are the groups that can be scaled up at all, in the given order
// (filterValidScaleUpNodeGroups).
func (r *run) validGroups(a *attempt, q *quota, nodes int) []int {
	var valid []int
	for i, g := range r.groups {
		switch {
		case !r.healthy(i):
			a.skipped[i] = "not ready for scale-up: too many nodes are unready"
			continue
		case r.backedOff(i):
			a.skipped[i] = "in backoff after failed scale-up"
			continue
		case r.targets[i] >= g.MaxSize:
			a.skipped[i] = "max node group size reached"
			continue
		}
		n := 1
		if g.ZeroOrMax {
			n = g.MaxSize - r.targets[i]
			if total := r.settings.MaxNodesTotal; total != 0 && nodes+n > total {
				a.skipped[i] = "atomic scale-up exceeds cluster node count limit"
				continue
			}
		}
		if _, exceeded := q.allows(r.templates[i], n); exceeded != "" {
			a.skipped[i] = "max cluster limit reached: " + exceeded
			continue
		}
		valid = append(valid, i)
	}
	return valid
}

// acceptedGroups finds for each valid node group the pods that pass on a fresh node
// of it; the first pod speaks for its group (SchedulablePodGroups). Alike pods get
// one answer: nothing changes while they are asked. Groups that are not valid have nil.
func (r *run) acceptedGroups(a *attempt, valid []int) [][]*podGroup {
	accepted := make([][]*podGroup, len(r.groups))
	a.refused = make([][]feasibility.Refusal, len(r.groups))
	const unknown = feasibility.Refusal(255)
	for _, g := range valid {
		verdicts := make([]feasibility.Refusal, r.universe.Classes())
		for i := range verdicts {
			verdicts[i] = unknown
		}
		r.cluster.Fork()
		node := r.cluster.AddNode(r.templates[g].profile, true, r.templates[g].held)
		accepted[g] = []*podGroup{}
		for _, pods := range a.groups {
			class := pods.kind.class
			if verdicts[class.Index] == unknown {
				verdicts[class.Index] = r.cluster.Check(class, node)
			}
			if verdicts[class.Index] == feasibility.Fits {
				accepted[g] = append(accepted[g], pods)
				pods.schedulable = true
			}
		}
		r.cluster.Revert()
		a.refused[g] = verdicts
	}
	return accepted
}

// option estimates one group; nil if it would help no pod (ComputeExpansionOption).
func (r *run) option(group int, accepted [][]*podGroup, nodes int) *option {
	if len(accepted[group]) == 0 {
		return nil
	}
	o := &option{group: group, similar: r.similarGroups(group, accepted)}
	o.estimate = r.estimate(accepted[group], r.templates[group], r.nodeLimit(group, o.similar, nodes))
	o.nodes = o.estimate.nodes
	if o.nodes > 0 && r.groups[group].ZeroOrMax {
		o.nodes = r.groups[group].MaxSize
	}
	if o.nodes == 0 || len(o.estimate.placed) == 0 {
		return nil
	}
	return o
}

// share divides new nodes between a group and its similar ones, each within its
// quota (balanceScaleUps).
func (r *run) share(group, nodes int, accepted [][]*podGroup, q *quota) []resize {
	groups := []int{group}
	for _, s := range r.similarGroups(group, accepted) {
		if _, exceeded := q.allows(r.templates[s], 1); exceeded == "" {
			groups = append(groups, s)
		}
	}
	resizes := r.balance(groups, nodes)
	for i := range resizes {
		s := &resizes[i]
		allowed, _ := q.allows(r.templates[s.group], s.to-s.from)
		s.to = s.from + allowed
		q.consume(r.templates[s.group], allowed)
	}
	return slices.DeleteFunc(resizes, func(s resize) bool { return s.to == s.from })
}

// toMinSize grows groups that are below their minimal size
// (ScaleUpToNodeGroupMinSize). The original caps the growth by comparing the
// group's own size, not the cluster's, with max-nodes-total; so does this.
func (r *run) toMinSize() []resize {
	var out []resize
	q := r.newQuota()
	for i, g := range r.groups {
		if r.targets[i] >= g.MinSize || !r.safe(i) {
			continue
		}
		if _, exceeded := q.allows(r.templates[i], 1); exceeded != "" {
			continue
		}
		n, _ := q.allows(r.templates[i], g.MinSize-r.targets[i])
		if total := r.settings.MaxNodesTotal; total > 0 && n+r.targets[i] > total {
			if n = total - r.targets[i]; n < 1 {
				continue
			}
		}
		out = append(out, resize{group: i, from: r.targets[i], to: r.targets[i] + n})
	}
	return out
}

// safe reports whether a group may be scaled up now (NodeGroupScaleUpSafety).
func (r *run) safe(group int) bool { return r.healthy(group) && !r.backedOff(group) }

func (r *run) backedOff(group int) bool {
	return r.backoff != nil && !r.backoff[group].IsZero() && !r.backoff[group].Before(r.now) || slices.Contains(r.settings.BackedOff, r.groups[group].Name)
}

// sortedByName returns the numbers of the groups in the order of their names.
func (r *run) sortedByName() []int {
	order := make([]int, len(r.groups))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(r.groups[a].Name, r.groups[b].Name) })
	return order
}
