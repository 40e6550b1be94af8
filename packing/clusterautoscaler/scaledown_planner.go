package clusterautoscaler

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// planner finds out which nodes could be done without (pkg/core/scaledown/planner,
// unneeded and unremovable). Nodes are known by their index in the cluster.
type planner struct {
	unneeded   []*removal
	candidates map[int32]bool      // unneeded in the last loop
	until      map[int32]time.Time // unremovable until then
	reasons    map[int32]Unremovable
	// Where pods were found to fit in this loop and the last, by pod.
	hints, oldHints map[int32]int32
	update          time.Time
	interval        time.Duration

	// Of the loop at hand: pods by node as the simulation goes on, as they were before,
	// and whether a node may receive pods.
	on, before  [][]int32
	destination []bool
	moved       bool // some pod was put where it had not been put before
	failed      bool // some removal failed in the simulation
}

// removal is a node that could go.
type removal struct {
	*member
	since     time.Time
	threshold time.Duration
	pods      []int32 // to be moved
	to        []int32 // nodes that they go to
	waits     bool    // for pods to finish
	risky     bool    // its pods cannot all go at once by their budgets
}

func (p *planner) forget() { p.unneeded = nil }

// scaleDown is the part of a loop that scales down; found are the pods that the
// loop has put on nodes so far (static_autoscaler.go, scaleDown).
func (a *process) scaleDown(out *Loop, found []podOnNode) {
	pl := &a.planner
	pl.moved, pl.failed = false, false
	pl.on = pl.on[:0]
	for _, pods := range a.on {
		pl.on = append(pl.on, slices.Clip(pods))
	}
	for _, f := range found {
		pl.on[f.node] = append(pl.on[f.node], f.pod)
	}
	pl.before = append(pl.before[:0], pl.on...)
	pl.destination = slices.Grow(pl.destination[:0], len(a.memberOf))[:len(a.memberOf)]
	clear(pl.destination)
	for _, m := range a.members {
		pl.destination[m.index] = !m.underDeletion() && !a.absent(m)
	}
	candidates := a.candidates()
	if a.reports {
		for _, m := range candidates {
			out.Candidates = append(out.Candidates, m.node)
		}
	}
	a.budgets.Reset()
	a.findUnneeded(out, candidates)
	var chosen []*removal
	reason := WaitingForOthers
	switch {
	case out.ScaleUp == ScaleUpInCooldown || a.inCooldown():
		out.Result, reason = ScaleDownInCooldown, WaitingForCooldown
	case len(candidates) == 0:
		out.Result = ScaleDownNoCandidates
	default:
		out.Result = ScaleDownNoNodeDeleted
		empty, loaded := a.removable()
		if chosen = a.crop(empty, loaded); len(chosen) > 0 {
			out.Result = ScaleDownNodeDeleteStarted
			a.lastDeletion = a.now
		}
	}
	for _, n := range chosen {
		out.Deletions = append(out.Deletions, a.deletion(n))
	}
	a.otherwise(out, reason)
}

// deletion says what goes with a node: the pods that are on it, not those that the
// simulation has moved there. Pods that it has not moved go nowhere.
func (a *process) deletion(n *removal) NodeDeletion {
	d := NodeDeletion{Node: n.node, Group: a.groups[n.group], Drain: len(n.pods) > 0}
	if !d.Drain {
		return d
	}
	for _, p := range a.planner.before[n.index] {
		pod := a.residents[p].pod
		if drain.IsDaemon(pod) || drain.IsMirror(pod) {
			continue
		}
		move := Move{Pod: pod}
		if i := slices.Index(n.pods, p); i >= 0 {
			move.To = a.memberOf[n.to[i]].node.Name
		}
		d.Pods = append(d.Pods, move)
	}
	return d
}

func (a *process) inCooldown() bool {
	lasts := func(since time.Time, d time.Duration) bool { return !since.IsZero() && since.Add(d).After(a.now) }
	return lasts(a.lastScaleUp, a.down.DelayAfterAdd) || lasts(a.lastFailure, a.down.DelayAfterFailure) ||
		lasts(a.lastDeletion, a.down.DelayAfterDelete)
}

// otherwise lists what stays for reasons that the original reports, then all other
// nodes; those that could go stay for the reason given.
func (a *process) otherwise(out *Loop, reason UnremovableReason) {
	if !a.reports {
		return
	}
	goes := make(map[*corev1.Node]bool)
	for _, d := range out.Deletions {
		goes[d.Node] = true
	}
	unneeded := make(map[int32]bool)
	for _, n := range a.planner.unneeded {
		unneeded[n.index] = true
	}
	for _, m := range a.members {
		u, reported := a.planner.reasons[m.index]
		switch {
		case goes[m.node]:
			continue
		case out.Result == ScaleDownNotTried:
			u = Unremovable{Reason: reason}
		case reported:
			out.Unremovable = append(out.Unremovable, u)
			continue
		case m.group < 0:
			u.Reason = NotAutoscaled
		case a.absent(m):
			u.Reason = NotStarted
		case m.underDeletion():
			u.Reason = CurrentlyBeingDeleted
		case unneeded[m.index]:
			u.Reason = reason
		case a.targets[m.group] <= a.groups[m.group].MinSize:
			u.Reason = NodeGroupMinSizeReached
		default:
			u.Reason = NotUnneededOtherReason
		}
		u.Node = m.node
		out.Others = append(out.Others, u)
	}
}

// findUnneeded simulates the removal of the candidates in their order, each in the
// cluster that the ones before left (planner.go, UpdateClusterState).
func (a *process) findUnneeded(out *Loop, candidates []*member) {
	pl := &a.planner
	if pl.interval == 0 {
		pl.interval = max(a.down.Defaults.ScaleDownUnneededTime, 1)
	}
	if !pl.update.IsZero() {
		pl.interval = min(pl.interval, max(1, a.now.Sub(pl.update))) // two loops of one moment are next to each other
	}
	pl.update = a.now
	pl.reasons = make(map[int32]Unremovable, a.reported(len(candidates)))
	for index, until := range pl.until {
		if a.memberOf[index] == nil || a.absent(a.memberOf[index]) || !until.After(a.now) {
			delete(pl.until, index)
		}
	}
	eligible := a.eligibleOf(out, candidates)
	a.cluster.Fork()
	var removable []*removal
	individual := 0
	for _, m := range eligible {
		if individual >= a.unneededLimit() || a.ctx.Err() != nil {
			break
		}
		n, why := a.simulate(m)
		if n == nil {
			pl.until[m.index] = a.now.Add(a.down.UnremovableNodeRecheckTimeout)
			pl.failed = true
			a.report(m, why)
			continue
		}
		removable = append(removable, n)
		out.Unneeded = append(out.Unneeded, m.node)
		if !a.groups[m.group].ZeroOrMax {
			individual++
		}
	}
	a.cluster.Revert()
	a.keepTimes(removable)
	pl.oldHints, pl.hints = pl.hints, make(map[int32]int32, len(pl.hints))
}

// eligibleOf are the candidates whose removal is to be simulated; those that are being
// deleted are not looked at.
func (a *process) eligibleOf(out *Loop, candidates []*member) []*member {
	if a.reports {
		out.Utilization = make(map[string]Utilization, len(candidates))
	}
	var eligible []*member
	for _, m := range candidates {
		if m.underDeletion() {
			continue
		}
		reason, u, looked := a.eligible(m)
		if looked && a.reports {
			out.Utilization[m.node.Name] = u
		}
		if reason != "" {
			a.report(m, Unremovable{Node: m.node, Reason: reason})
			continue
		}
		eligible = append(eligible, m)
	}
	return eligible
}

// reported is how much room reports on so many nodes want.
func (a *process) reported(nodes int) int {
	if a.reports {
		return nodes
	}
	return 0
}

// report keeps why a node stays, if that is asked for.
func (a *process) report(m *member, why Unremovable) {
	if a.reports {
		a.planner.reasons[m.index] = why
	}
}

// keepTimes replaces the unneeded nodes, of which those that were unneeded before
// are so since then (unneeded/nodes.go, Update).
func (a *process) keepTimes(removable []*removal) {
	pl := &a.planner
	since := make(map[*member]time.Time, len(pl.unneeded))
	for _, n := range pl.unneeded {
		since[n.member] = n.since
	}
	pl.unneeded = removable
	pl.candidates = make(map[int32]bool, len(removable))
	for _, n := range removable {
		pl.candidates[n.index] = true
		n.since = a.now
		if t, ok := since[n.member]; ok {
			n.since = t
		}
		n.threshold = a.options[n.group].ScaleDownUnneededTime
		if !n.ready {
			n.threshold = a.options[n.group].ScaleDownUnreadyTime
		}
	}
}

// unneededLimit is how many unneeded nodes are looked for: as many more than there
// are as may go in two loops, but no more than could go while they wait
// (unneededNodesLimit).
func (a *process) unneededLimit() int {
	n := a.down.MaxParallelism
	wait := max(a.down.Defaults.ScaleDownUnneededTime, a.planner.interval)
	loops := 1
	if a.planner.interval > 0 {
		loops = int(wait / a.planner.interval)
	}
	return min(len(a.planner.unneeded)+2*n, n*loops+n)
}

// simulate removes a node and looks for places for its pods
// (pkg/simulator/cluster.go, SimulateNodeRemoval). If it succeeds the node is gone and
// the pods are on others; if not, nothing has changed, and the reason is returned.
func (a *process) simulate(m *member) (*removal, Unremovable) {
	pods := len(a.planner.on[m.index])
	n := &removal{member: m, pods: make([]int32, 0, pods)}
	budgets := make([][]*drain.Budget, 0, pods)
	for _, p := range a.planner.on[m.index] {
		x := &a.residents[p]
		outcome, why := a.rules.Judge(x.pod, drain.State{Now: a.now, Controllers: a.controllers, Budgets: x.budgets})
		switch {
		case outcome == drain.Block:
			return nil, Unremovable{Node: m.node, Reason: BlockedByPod, BlockingPod: x.pod, Blocking: why}
		case outcome == drain.Wait:
			n.waits = true
		case outcome == drain.Move && !drain.IsDaemon(x.pod):
			if x.class.Unsupported() != "" {
				return nil, Unremovable{Node: m.node, Reason: UnsupportedPod, BlockingPod: x.pod}
			}
			n.pods = append(n.pods, p)
			budgets = append(budgets, x.budgets)
		}
	}
	if len(n.pods) > 0 {
		a.cluster.Fork()
		if !a.movePods(n) {
			a.cluster.Revert()
			return nil, Unremovable{Node: m.node, Reason: NoPlaceToMovePods}
		}
		a.cluster.Commit()
	}
	a.cluster.RemoveNode(m.index)
	a.planner.destination[m.index] = false
	for i, p := range n.pods {
		a.planner.on[n.to[i]] = append(a.planner.on[n.to[i]], p)
	}
	n.risky = !a.budgets.Take(budgets)
	return n, Unremovable{}
}

// movePods strips a node, leaves it as a ghost with the taint of deletion, whose
// topology domain still counts, and puts its pods on other nodes, those of the
// highest priority first, and first where they were found to fit before
// (findPlaceFor, hinting_simulator.go TrySchedulePods). After a failure the pods of
// lower priorities are still tried, which moves the node walk on.
func (a *process) movePods(n *removal) bool {
	for held := a.cluster.Held(n.index); len(held) > 0; held = a.cluster.Held(n.index) {
		h := held[len(held)-1]
		a.cluster.Place(h.Class, n.index, -h.Pods)
	}
	a.cluster.Replace(n.index, a.ghost(n.member))
	n.to = make([]int32, len(n.pods))
	order := make([]int, len(n.pods))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return int(a.residents[n.pods[j]].priority) - int(a.residents[n.pods[i]].priority)
	})
	all := true
	for len(order) > 0 {
		same := 1
		for same < len(order) && a.residents[n.pods[order[same]]].priority == a.residents[n.pods[order[0]]].priority {
			same++
		}
		all = a.moveGroup(n, order[:same]) && all
		order = order[same:]
	}
	return all
}

// moveGroup moves pods of one priority, and stops at the first that fits nowhere.
func (a *process) moveGroup(n *removal, order []int) bool {
	pl := &a.planner
	rest := make([]int, 0, len(order))
	for _, i := range order {
		p := n.pods[i]
		node, ok := pl.hints[p]
		if !ok {
			node, ok = pl.oldHints[p]
		}
		class := a.residents[p].class
		if ok && node != n.index && pl.destination[node] && a.cluster.Check(class, node) == feasibility.Fits {
			a.cluster.Place(class, node, 1)
			pl.hints[p], n.to[i] = node, node
			continue
		}
		rest = append(rest, i)
	}
	accept := func(_ int, node int32) bool {
		return node != n.index && int(node) < len(pl.destination) && pl.destination[node]
	}
	for _, i := range rest {
		node := a.walk.next(a.cluster, a.residents[n.pods[i]].class, accept)
		if node < 0 {
			return false
		}
		pl.hints[n.pods[i]], n.to[i] = node, node
		pl.moved = true
	}
	return true
}

// ghost is the profile of a node that is about to be deleted.
func (a *process) ghost(m *member) *feasibility.Profile {
	if g := a.ghosts[m]; g != nil {
		return g
	}
	node := *m.node
	node.Spec.Taints = append(slices.Clip(node.Spec.Taints), corev1.Taint{Key: toBeDeletedTaint, Effect: corev1.TaintEffectNoSchedule})
	profile, err := a.universe.Profile(&node)
	if err != nil {
		return a.cluster.Profile(m.index) // the node, which is the same but for a taint, was read before
	}
	a.ghosts[m] = profile
	return profile
}

// recall takes up what an autoscaler knew; nodes and pods that are gone are forgotten.
func (a *process) recall(from Memory) error {
	pl := &a.planner
	pl.until = make(map[int32]time.Time)
	pl.candidates, pl.hints = make(map[int32]bool), make(map[int32]int32)
	pl.update, pl.interval, a.walk = from.update, from.interval, from.walk
	byName := make(map[string]*member, len(a.members))
	for _, m := range a.members {
		byName[m.node.Name] = m
		if until, ok := from.Unremovable[m.node.Name]; ok {
			pl.until[m.index] = until
		}
		if since, ok := from.Unneeded[m.node.Name]; ok {
			pl.unneeded = append(pl.unneeded, &removal{member: m, since: since})
			pl.candidates[m.index] = true
		}
	}
	for _, name := range from.candidates {
		if m := byName[name]; m != nil {
			pl.candidates[m.index] = true
		}
	}
	if len(from.hints) > 0 {
		pl.oldHints = make(map[int32]int32, len(from.hints))
		for i := range a.residents {
			if m := byName[from.hints[podKey(a.residents[i].pod)]]; m != nil {
				pl.oldHints[int32(i)] = m.index
			}
		}
	}
	for name, since := range from.Unneeded {
		if byName[name] == nil { // it still counts among those of the last loop
			pl.unneeded = append(pl.unneeded, &removal{member: &member{index: -1, node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}}, since: since})
		}
	}
	return a.recallRequests(from, byName)
}

func podKey(p *corev1.Pod) string { return fmt.Sprintf("%s/%s", p.Namespace, p.Name) }

// memory is what the next loop needs to know.
func (a *process) memory() Memory {
	pl := &a.planner
	out := Memory{Unneeded: make(map[string]time.Time), Unremovable: make(map[string]time.Time), hints: make(map[string]string),
		LastScaleUp: a.lastScaleUp, LastDeletion: a.lastDeletion, LastFailure: a.lastFailure,
		walk: a.walk, update: pl.update, interval: pl.interval}
	for _, n := range pl.unneeded {
		out.Unneeded[n.node.Name] = n.since
	}
	for index := range pl.candidates {
		if m := a.memberOf[index]; m != nil {
			out.candidates = append(out.candidates, m.node.Name)
		}
	}
	slices.Sort(out.candidates)
	for index, until := range pl.until {
		if m := a.memberOf[index]; m != nil {
			out.Unremovable[m.node.Name] = until
		}
	}
	for p, node := range pl.oldHints {
		if m := a.memberOf[node]; m != nil && int(p) < len(a.bound) {
			out.hints[podKey(a.residents[p].pod)] = m.node.Name
		}
	}
	a.rememberRequests(&out)
	return out
}
