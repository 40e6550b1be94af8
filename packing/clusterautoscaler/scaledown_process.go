package clusterautoscaler

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// process is an autoscaler's process that also scales down. All pods have a number:
// their place in the list of pods; daemon pods of nodes that came later follow.
type process struct {
	*run
	down        *ScaleDownSettings
	options     []NodeGroupOptions // by group
	rules       drain.Rules
	controllers drain.Controllers
	budgets     drain.Budgets

	residents  []resident
	on         [][]int32 // by node: its pods, by number
	expendable [][]int32 // by node: its pods that do not count
	waiting    []int32   // pods without a node, in order
	hidden     []int32   // pods that have not arrived yet
	draining   int       // nodes whose pods are being evicted
	live       bool      // told what happens: pods are bound by others
	reports    bool      // loops list what they saw
	last       settled   // how the last loop left the process
	asked      []bool    // by group: nodes have been asked for and have not all come
	hints      hints     // of pending pods, to nodes that are on their way
	planner    planner
	order      candidateOrder // scratch
	ghosts     map[*member]*feasibility.Profile

	lastScaleUp, lastDeletion, lastFailure time.Time
}

// resident is a pod as scale-down sees it.
type resident struct {
	pod         *corev1.Pod
	class       *feasibility.Class
	budgets     []*drain.Budget
	priority    int32
	terminating bool
}

// newProcess reads a cluster.
func newProcess(ctx context.Context, p *Packer, c Cluster) (*process, error) {
	if c.Snapshot == nil {
		return nil, fmt.Errorf("the snapshot is nil")
	}
	all, nodeOf := listed(c)
	s := *c.Snapshot
	s.Pods = unbound(all)
	s.Nodes = make([]*packing.Node, len(c.Snapshot.Nodes))
	for i, n := range c.Snapshot.Nodes {
		if n != nil && n.Node != nil {
			bare := *n
			bare.Pods = nil
			s.Nodes[i] = &bare
		}
	}
	r, err := newRun(ctx, p, &s)
	if err != nil {
		return nil, err
	}
	a := &process{run: r, down: &p.settings.ScaleDown, rules: p.settings.ScaleDown.drainRules(),
		controllers: newOwners(c), ghosts: make(map[*member]*feasibility.Profile), asked: make([]bool, len(p.groups)), reports: true,
		lastScaleUp: c.Memory.LastScaleUp, lastDeletion: c.Memory.LastDeletion, lastFailure: c.Memory.LastFailure}
	for i, g := range r.groups {
		o := p.settings.groupOptions(g.Name)
		if err := o.validate(g.Name); err != nil {
			return nil, err
		}
		a.options = append(a.options, o)
		a.asked[i] = r.targets[i] > r.registered[i]
		r.launched[i] = 1
		r.requested = append(r.requested, max(0, r.targets[i]-r.registered[i]))
	}
	if a.budgets, err = drain.NewBudgets(c.Snapshot.PodDisruptionBudgets); err != nil {
		return nil, err
	}
	a.readResidents(all, nodeOf)
	if err := a.recall(c.Memory); err != nil {
		return nil, err
	}
	return a, nil
}

// begin is the moment at which a cluster is looked at: that of its snapshot, or, where
// that has none, a day after anything in it was created.
func begin(c Cluster) time.Time {
	if !c.Snapshot.Now.IsZero() {
		return c.Snapshot.Now
	}
	var youngest time.Time
	see := func(o metav1.Object) {
		if t := o.GetCreationTimestamp().Time; t.After(youngest) {
			youngest = t
		}
	}
	for _, n := range c.Snapshot.Nodes {
		see(n.Node)
		for _, p := range n.Pods {
			see(p)
		}
	}
	for _, p := range c.Snapshot.Pods {
		see(p)
	}
	return youngest.Add(24 * time.Hour)
}

// listed returns all pods that count in the order of the list, and of each the number of
// its node in the snapshot, -1 for none. Finished pods and deleted ones without a node
// are not listed (pkg/utils/kubernetes/listers.go).
func listed(c Cluster) (pods []*corev1.Pod, nodeOf []int) {
	type entry struct {
		pod   *corev1.Pod
		node  int
		place int
	}
	place := make(map[*corev1.Pod]int, len(c.Listed))
	for i, p := range c.Listed {
		place[p] = i
	}
	var entries []entry
	add := func(p *corev1.Pod, node int) {
		if p != nil && (p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || node < 0 && p.DeletionTimestamp != nil) {
			return
		}
		at, ok := place[p]
		if !ok {
			at = len(c.Listed)
		}
		entries = append(entries, entry{p, node, at})
	}
	for i, n := range c.Snapshot.Nodes {
		if n == nil {
			continue
		}
		for _, p := range n.Pods {
			add(p, i)
		}
	}
	for _, p := range c.Snapshot.Pods {
		add(p, -1)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.place - b.place })
	for _, e := range entries {
		pods, nodeOf = append(pods, e.pod), append(nodeOf, e.node)
	}
	return pods, nodeOf
}

// unbound copies the pods that are bound to a node, as they would be without it.
func unbound(pods []*corev1.Pod) []*corev1.Pod {
	out := make([]*corev1.Pod, len(pods))
	copies := make([]corev1.Pod, len(pods))
	for i, p := range pods {
		if p == nil || p.Spec.NodeName == "" {
			out[i] = p
			continue
		}
		copies[i] = *p
		copies[i].Spec.NodeName = ""
		out[i] = &copies[i]
	}
	return out
}

// readResidents puts the pods on their nodes.
func (a *process) readResidents(all []*corev1.Pod, nodeOf []int) {
	budgetsOf := make([][]*drain.Budget, len(a.pods.distinct))
	for i, k := range a.pods.distinct {
		budgetsOf[i] = a.budgets.Of(k.pod)
	}
	a.residents = make([]resident, len(all))
	a.on = make([][]int32, len(a.memberOf))
	a.expendable = make([][]int32, len(a.memberOf))
	for i, pod := range all {
		k := a.pods.kinds[i]
		a.residents[i] = resident{pod: pod, class: k.class, budgets: budgetsOf[k.index], priority: k.priority, terminating: pod.DeletionTimestamp != nil}
		if nodeOf[i] < 0 {
			a.waiting = append(a.waiting, int32(i))
			continue
		}
		a.bound[i] = true
		m := a.members[nodeOf[i]]
		if a.run.expendable(k) {
			a.expendable[m.index] = append(a.expendable[m.index], int32(i))
			continue
		}
		a.on[m.index] = append(a.on[m.index], int32(i))
		if pod.DeletionTimestamp != nil {
			m.known.terminating++ // what it counts for depends on the time
		}
		a.cluster.Place(k.class, m.index, 1)
		if pod.DeletionTimestamp == nil && (isDaemonPod(pod) || isMirrorPod(pod)) {
			m.daemons = append(m.daemons, newDaemonPod(pod, k.class))
		}
	}
}

// owners looks up the controllers of pods.
type owners struct {
	known map[ownerKey]Controller
	sets  map[ownerKey]bool // DaemonSets
}

type ownerKey struct{ kind, namespace, name string }

func newOwners(c Cluster) *owners {
	o := &owners{known: make(map[ownerKey]Controller), sets: make(map[ownerKey]bool)}
	for _, x := range c.Controllers {
		o.known[ownerKey{x.Kind, x.Namespace, x.Name}] = x
	}
	for _, d := range c.Snapshot.DaemonSets {
		o.sets[ownerKey{"DaemonSet", d.Namespace, d.Name}] = true
	}
	return o
}

// Find implements drain.Controllers.
func (o *owners) Find(kind, namespace, name string) (replicas int, found bool) {
	key := ownerKey{kind, namespace, name}
	if x, ok := o.known[key]; ok {
		return x.Replicas, !x.Missing
	}
	return -1, kind != "DaemonSet" || o.sets[key]
}

// tick is one loop at a moment (pkg/core/static_autoscaler.go, RunOnce).
func (a *process) tick(now time.Time) (*Loop, error) {
	a.now = now
	a.arrive()
	a.last.begin(a)
	out := &Loop{At: now, Result: ScaleDownNotTried, ScaleUp: ScaleUpNotTried}
	if a.reports {
		out.Pending = a.pending()
	}
	for g := range a.groups {
		if a.asked[g] = a.asked[g] && a.upcoming(g) > 0; !a.asked[g] {
			a.requested[g] = 0
		}
	}
	if err := a.refreshTemplates(); err != nil {
		return nil, err
	}
	ready, unready := a.countReady()
	if !a.tolerable(unready, len(a.members)) {
		a.planner.forget()
		a.otherwise(out, ClusterUnhealthy)
		return out, nil
	}
	if a.settings.NoScaleUpFromZero && ready == 0 {
		a.otherwise(out, ClusterUnhealthy)
		return out, nil
	}
	if a.rng != nil {
		a.cluster.Shuffle(a.rng) // the original lists its snapshot in the order of a map
	}
	l := &loop{result: ScaleUpNotTried}
	a.cluster.Fork()
	found := a.pack(l)
	a.decide(l, ready)
	out.ScaleUp = l.result
	if len(l.attempts) > 0 {
		out.Helpless, out.Options = len(l.pending), len(l.attempts[0].options)
	}
	for _, s := range l.resizes {
		out.ScaleUps = append(out.ScaleUps, ScaleUp{a.groups[s.group], s.from, s.to})
		a.requested[s.group] += s.to - s.from
		a.lastScaleUp = now
	}
	if a.down.Enabled {
		a.scaleDown(out, found)
	} else {
		a.otherwise(out, ScaleDownDisabled)
	}
	a.cluster.Revert()
	for _, s := range l.resizes {
		a.asked[s.group] = true
	}
	if err := a.ctx.Err(); err != nil {
		return nil, err
	}
	a.settleFound(out, found)
	if a.settings.EnforceNodeGroupMinSize {
		a.growToMinSize(out)
	}
	a.last.end(a, out, found)
	return out, nil
}

// settleFound binds the pods that the loop found room for on real nodes; where others
// bind pods, it only says where there is room.
func (a *process) settleFound(out *Loop, found []podOnNode) {
	goes := make(map[*corev1.Node]bool, len(out.Deletions))
	for _, d := range out.Deletions {
		goes[d.Node] = true
	}
	for _, f := range found {
		if goes[a.memberOf[f.node].node] || a.bound[f.pod] {
			continue // the node is tainted by now and the pod waits for another; or it is still being evicted
		}
		out.Bound = append(out.Bound, Move{a.residents[f.pod].pod, a.memberOf[f.node].node.Name})
		if !a.live {
			a.settleOn(f.pod, f.node)
		}
	}
}

func (a *process) growToMinSize(out *Loop) {
	for _, s := range a.toMinSize() {
		a.targets[s.group] = s.to
		a.asked[s.group] = true
		a.requested[s.group] += s.to - s.from
		a.lastScaleUp = a.now
		out.ScaleUps = append(out.ScaleUps, ScaleUp{a.groups[s.group], s.from, s.to})
	}
}

// settleOn binds a pod to a node for good.
func (a *process) settleOn(pod, node int32) {
	a.bind(pod, node)
	a.memberOf[node].podsChanged()
	a.dropWaiting(pod)
	at, _ := slices.BinarySearch(a.on[node], pod)
	a.on[node] = slices.Insert(a.on[node], at, pod)
}

// arrive hides the pods that are not there yet, or came just now: these are not yet
// known to be unschedulable.
func (a *process) arrive() {
	a.hidden = a.hidden[:0]
	for _, i := range a.waiting {
		if created := a.residents[i].pod.CreationTimestamp; !a.now.IsZero() && !created.IsZero() && !created.Time.Before(a.now) {
			a.hidden = append(a.hidden, i)
		}
	}
}

func (a *process) isHidden(pod int32) bool {
	_, ok := slices.BinarySearch(a.hidden, pod)
	return ok
}

// pending are the pods that have been created and have no node.
func (a *process) pending() []*corev1.Pod {
	out := []*corev1.Pod{}
	for _, i := range a.waiting {
		if pod := a.residents[i].pod; a.now.IsZero() || !pod.CreationTimestamp.After(a.now) {
			out = append(out, pod)
		}
	}
	return out
}

// upcoming is how many nodes of a group are still to become ready
// (calculateUpcomingNodesInNodeGroup).
func (a *process) upcoming(g int) int {
	n := a.targets[g] - a.registered[g]
	for _, m := range a.members {
		if m.group == g && m.going != goneFromCloud && a.notStarted(m) {
			n++
		}
	}
	return n
}

// absent reports whether a node is left out of the loop, templates standing in for
// it: one that has not started, of a group that is being scaled up (GetUpcomingNodes).
func (a *process) absent(m *member) bool {
	return !m.ready && m.group >= 0 && a.asked[m.group] && m.going != goneFromCloud && !a.backedOff(m.group) && a.notStarted(m)
}

// pack is run.packPending for an autoscaler at work: nodes that have not started
// are replaced by upcoming ones, pods arrive, and those for which an upcoming node was
// found are tried there again first.
func (a *process) pack(l *loop) []podOnNode {
	names := make(map[int32]upcomingNode)
	indexes := make(map[upcomingNode]int32)
	order := a.sortedByName()
	if a.rng != nil {
		a.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	for _, g := range order {
		if a.backedOff(g) || !a.asked[g] {
			continue
		}
		for n := range a.upcoming(g) {
			i := a.cluster.AddNode(a.templates[g].profile, true, a.templates[g].held)
			names[i], indexes[upcomingNode{g, n}] = upcomingNode{g, n}, i
		}
	}
	for _, m := range a.members {
		if a.absent(m) {
			a.cluster.RemoveNode(m.index)
		}
	}
	waiting := a.evicted(a.unplaced())
	if len(waiting) == 0 {
		a.hints = nil
		return nil
	}
	a.pods.byPriority(waiting)
	var found []podOnNode
	placed := make(map[int32]bool)
	next := make(hints)
	f := a.newSchedulableFilter(func(pod, node int32) {
		placed[pod] = true
		if name, ok := names[node]; ok {
			next[pod] = name
			return
		}
		found = append(found, podOnNode{pod, node})
	})
	for rest := waiting; len(rest) > 0; {
		n := 1
		for n < len(rest) && a.pods.kinds[rest[n]].priority == a.pods.kinds[rest[0]].priority {
			n++
		}
		var unhinted []int32
		for _, pod := range rest[:n] {
			hint := a.hints.of(pod)
			node, ok := indexes[hint]
			ok = ok && a.remembered(hint.group)
			if c := a.residents[pod].class; ok && a.cluster.Check(c, node) == feasibility.Fits {
				a.cluster.Place(c, node, 1)
				f.placements++
				f.placed(pod, node)
				continue
			}
			unhinted = append(unhinted, pod)
		}
		f.try(unhinted)
		rest = rest[n:]
	}
	a.hints = next
	l.pending = slices.DeleteFunc(slices.Clone(waiting), func(p int32) bool {
		return placed[p] || a.pods.daemon[p] || a.pods.young(p, a.now, a.settings.NewPodScaleUpDelay)
	})
	return found
}

// unplaced are the pods that wait and that the loop looks at.
func (a *process) unplaced() []int32 {
	var out []int32
	for _, i := range a.waiting {
		if k := a.pods.kinds[i]; !a.isHidden(i) && k.unsupported == "" && !k.terminating() && !a.run.expendable(k) {
			out = append(out, i)
		}
	}
	return out
}

func (a *process) addWaiting(pod int32) {
	at, _ := slices.BinarySearch(a.waiting, pod)
	a.waiting = slices.Insert(a.waiting, at, pod)
}

func (a *process) dropWaiting(pod int32) {
	if at, ok := slices.BinarySearch(a.waiting, pod); ok {
		a.waiting = slices.Delete(a.waiting, at, at+1)
	}
}

// upcomingNode names a node that is on its way: the n-th of a group.
type upcomingNode struct{ group, n int }

// hints are where pending pods were found to fit in the last loop
// (pkg/simulator/scheduling/hints.go).
type hints map[int32]upcomingNode

func (h hints) of(pod int32) upcomingNode {
	if name, ok := h[pod]; ok {
		return name
	}
	return upcomingNode{-1, -1}
}

// remembered reports whether a group's template is that of an earlier loop, none of its
// nodes being fit for one. Only then have the nodes on their way the names that they had:
// the original names each new template at random.
func (a *process) remembered(g int) bool {
	m := a.templateOf[g]
	return m != nil && (m.index < 0 || a.memberOf[m.index] != m || !a.goodTemplate(m))
}

// launch makes a node of a group real. It is ready and as old as the loop.
func (a *process) launch(g int) *corev1.Node {
	m := a.newMember(g)
	if m == nil {
		return nil
	}
	m.node.CreationTimestamp = metav1.NewTime(a.now)
	m.node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(a.now)}}
	for int(m.index) >= len(a.on) {
		a.on, a.expendable = append(a.on, nil), append(a.expendable, nil)
	}
	for _, d := range m.daemons {
		a.on[m.index] = append(a.on[m.index], int32(len(a.residents)))
		a.residents = append(a.residents, resident{pod: d.class.Pod, class: d.class, budgets: a.budgets.Of(d.class.Pod)})
	}
	return m.node
}

// remove takes a node away; its pods wait for another, but for those that belong to
// it or are being deleted.
func (a *process) remove(m *member) {
	for _, p := range slices.Concat(a.on[m.index], a.expendable[m.index]) {
		pod := a.residents[p].pod
		if int(p) < len(a.bound) && !drain.IsDaemon(pod) && !drain.IsMirror(pod) && pod.DeletionTimestamp == nil {
			a.bound[p] = false
			delete(a.planner.oldHints, p) // what waits is another pod
			a.addWaiting(p)
		}
	}
	a.cluster.RemoveNode(m.index)
	a.on[m.index], a.expendable[m.index] = nil, nil
	a.memberOf[m.index] = nil
	a.members = slices.DeleteFunc(a.members, func(x *member) bool { return x == m })
	a.targets[m.group]--
	a.registered[m.group]--
	if m.ready {
		a.readyCount[m.group]--
	}
}
