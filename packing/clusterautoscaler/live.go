package clusterautoscaler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
)

// ErrUnknown is wrapped where an [Autoscaler] is told of a node or a group that it does
// not know, ErrKnown where it is told of a pod or a node as new that it knows already.
var (
	ErrUnknown = errors.New("is not known")
	ErrKnown   = errors.New("is there already")
)

// Autoscaler is an autoscaler's process on a live cluster: it is told what changes, and
// asked for one loop at a time. A loop decides as [Packer.ScaleDown] does on the same
// cluster with the memory of the loop before, and costs what has changed.
//
// Pods are known by namespace and name, nodes and groups by name. Objects are shared, not
// copied; what an object says is read when the autoscaler is told of it. Pods are listed in
// the order in which they became known, nodes likewise. Storage objects, namespaces,
// priority classes and daemon sets are those of the cluster it started with.
//
// It is not safe for concurrent use. After an error of [Autoscaler.Loop] it must not be
// used any more; after any other error nothing has changed.
type Autoscaler struct {
	*process
	packer *Packer
	start  packing.Snapshot // what does not change, and the budgets as they are

	priorities map[string]int32
	numbers    map[podName]int32
	at         []int32 // by pod: the node that it is on, or unplaced, or forgotten
	nodes      map[string]*member
	budgetsOf  [][]*drain.Budget // by kind
	scratch    corev1.Pod

	podsGone, nodesGone      int
	freshKinds, freshClasses int  // there were so many when all was numbered last
	outdated                 bool // a node changed in what it offers
	changed                  bool // something has been told since the last loop
}

type podName struct{ namespace, name string }

func nameOf(p *corev1.Pod) podName { return podName{p.Namespace, p.Name} }

// Where a pod is that is on no node.
const (
	waitsForNode int32 = -1
	forgotten    int32 = -2
)

// Start starts an autoscaler on a cluster as it is. Errors are those of [Packer.ScaleDown].
func (p *Packer) Start(c Cluster) (*Autoscaler, error) {
	if c.Snapshot == nil {
		return nil, fmt.Errorf("%s: the snapshot is nil", Name)
	}
	a := &Autoscaler{packer: p, start: *c.Snapshot, priorities: make(map[string]int32)}
	a.start.Pods, a.start.Nodes = nil, nil
	a.start.PodDisruptionBudgets = slices.Clone(c.Snapshot.PodDisruptionBudgets)
	for _, x := range a.start.PriorityClasses {
		a.priorities[x.Name] = x.Value
	}
	if err := a.read(p, c); err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return a, nil
}

// read numbers all pods and nodes of a cluster.
func (a *Autoscaler) read(p *Packer, c Cluster) error {
	process, err := newProcess(context.Background(), p, c)
	if err != nil {
		return err
	}
	process.live = true
	a.process, a.budgetsOf = process, nil
	for _, k := range a.pods.distinct {
		own := *k.pod // the pod may come to name its node
		k.pod = &own
		a.budgetsOf = append(a.budgetsOf, a.budgets.Of(k.pod))
	}
	a.podsGone, a.nodesGone, a.outdated, a.changed = 0, 0, false, true
	a.freshKinds, a.freshClasses = len(a.pods.distinct), a.universe.Classes()
	a.numbers = make(map[podName]int32, len(a.residents))
	a.at = make([]int32, len(a.residents))
	for i := range a.residents {
		name := nameOf(a.residents[i].pod)
		if _, twice := a.numbers[name]; twice {
			return fmt.Errorf("pod %s/%s: there are two of that name", name.namespace, name.name)
		}
		a.numbers[name], a.at[i] = int32(i), waitsForNode
	}
	a.nodes = make(map[string]*member, len(a.members))
	for _, m := range a.members {
		if a.nodes[m.node.Name] != nil {
			return fmt.Errorf("node %s: there are two of that name", m.node.Name)
		}
		a.nodes[m.node.Name] = m
		for _, p := range slices.Concat(a.on[m.index], a.expendable[m.index]) {
			a.at[p] = m.index
		}
	}
	return nil
}

// SetReports says whether loops list what they saw: pending pods, candidates, utilization
// and reasons. It is on at the start. Without it a loop tells ScaleUp, ScaleUps, Helpless, Options,
// Result, Unneeded, Deletions and Bound alone.
func (a *Autoscaler) SetReports(on bool) { a.reports = on }

// Loop is one loop at a moment, which must not be before that of the loop before. Target
// sizes grow by what it decides. Deletions are proposed: the caller taints the nodes, drains
// and deletes them, and tells [Autoscaler.DeletionStarted] before the next loop. Pods are not bound: Bound says
// where waiting pods have room, as the scheduler should find too. NewNodes and Memory are
// left out. The only errors are those of a cancelled context and of a node that cannot be a template.
func (a *Autoscaler) Loop(ctx context.Context, now time.Time) (*Loop, error) {
	if a.outdated || a.crowded() {
		if err := a.renew(); err != nil {
			return nil, fmt.Errorf("%s: %w", Name, err)
		}
	}
	a.ctx, a.changed = ctx, false
	l, err := a.tick(now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return l, nil
}

// Memory is what the autoscaler knows, for [Packer.ScaleDown] or another start.
func (a *Autoscaler) Memory() Memory { return a.memory() }

// TargetSize is the size that a group is to have; 0 if it is not known.
func (a *Autoscaler) TargetSize(group string) int {
	if g := a.groupNamed(group); g >= 0 {
		return a.targets[g]
	}
	return 0
}

// SetTargetSize takes over a group's target size from the cloud, as after a launch that
// failed: a smaller size also ends the wait for that many nodes. Sizes that loops raise
// and deletions lower need not be told.
func (a *Autoscaler) SetTargetSize(group string, n int) error {
	g := a.groupNamed(group)
	if g < 0 {
		return fmt.Errorf("node group %q %w", group, ErrUnknown)
	}
	if n < 0 {
		return fmt.Errorf("node group %q: target size %d is negative", group, n)
	}
	if n < a.targets[g] {
		a.requested[g] = max(0, a.requested[g]-(a.targets[g]-n))
	}
	a.changed = a.changed || a.targets[g] != n
	a.targets[g] = n
	return nil
}

// BackOff leaves a group alone up to a moment, itself included: it is not scaled up, and nodes that it still
// lacks are not reckoned with. The caller owns how long (see [DefaultActuation]).
func (a *Autoscaler) BackOff(group string, until time.Time) error {
	g := a.groupNamed(group)
	if g < 0 {
		return fmt.Errorf("node group %q %w", group, ErrUnknown)
	}
	if a.backoff == nil {
		a.backoff = make([]time.Time, len(a.groups))
	}
	a.backoff[g], a.changed = until, true
	return nil
}

// ScalingUp reports whether nodes of a group that a scale-up asked for are still to come.
func (a *Autoscaler) ScalingUp(group string) bool {
	g := a.groupNamed(group)
	return g >= 0 && a.asked[g] && a.upcoming(g) > 0
}

// EndScaleUp stops the wait for the nodes of a group, as the original does once
// --max-node-provision-time has passed since it last scaled the group up: nodes that it
// lacks are reckoned with no more. Its target size stays.
func (a *Autoscaler) EndScaleUp(group string) {
	if g := a.groupNamed(group); g >= 0 && a.asked[g] {
		a.asked[g], a.requested[g], a.changed = false, 0, true
	}
}

func (a *Autoscaler) groupNamed(name string) int {
	return slices.IndexFunc(a.groups, func(g *packing.NodeGroup) bool { return g.Name == name })
}

// DeletionStarted says that the deletion of a node has begun. Until it ends the node counts
// against the parallelism and the minimal size of its group, no pod is expected to move there, and with a drain
// its pods are taken to need another place. That the node is tainted is told by [Autoscaler.NodeChanged].
func (a *Autoscaler) DeletionStarted(node string, drain bool) error {
	m := a.nodes[node]
	if m == nil {
		return fmt.Errorf("node %s %w", node, ErrUnknown)
	}
	a.endDeletion(m)
	if m.going == staying {
		m.going = underway
		if drain {
			m.going = drainedNow
			a.draining++
		}
	}
	a.changed = true
	return nil
}

// DeletionEnded says how the deletion of a node ended. If it failed the node stays as it
// is; that its taint was taken off is told by [Autoscaler.NodeChanged]. If not, the cloud has lowered the group's
// target size, and the node stays registered until [Autoscaler.NodeGone].
//
// A drain that fails starts no cooldown in the original, only a deletion that could not be
// begun: see [Autoscaler.ScaleDownFailed].
func (a *Autoscaler) DeletionEnded(node string, failed bool) error {
	m := a.nodes[node]
	if m == nil {
		return fmt.Errorf("node %s %w", node, ErrUnknown)
	}
	a.changed = true
	a.endDeletion(m)
	if !failed && m.going == staying {
		a.leaveCloud(m)
		m.going = goneFromCloud
	}
	return nil
}

// ScaleDownFailed starts the cooldown after a failure: a deletion could not be begun,
// since a node could not be tainted.
func (a *Autoscaler) ScaleDownFailed(at time.Time) { a.lastFailure, a.changed = at, true }

// endDeletion forgets a deletion in progress.
func (a *Autoscaler) endDeletion(m *member) {
	if m.going == drainedNow {
		a.draining--
	}
	if m.underDeletion() {
		m.going = staying
	}
}

// leaveCloud takes a node that was deleted off its group.
func (a *Autoscaler) leaveCloud(m *member) {
	if m.group >= 0 {
		a.targets[m.group]--
		a.unregister(m)
	}
}

// unregister takes a node off those of its group that are there.
func (a *Autoscaler) unregister(m *member) {
	a.registered[m.group]--
	if m.ready {
		a.readyCount[m.group]--
	}
}

// BudgetChanged takes over how many pods of a disruption budget may go now
// (status.disruptionsAllowed). The budget must be one that the autoscaler started with, by
// namespace and name, with the same selector.
func (a *Autoscaler) BudgetChanged(b *policyv1.PodDisruptionBudget) error {
	for i, known := range a.start.PodDisruptionBudgets {
		if known.Namespace == b.Namespace && known.Name == b.Name {
			if a.budgets[i].SetAllowed(b.Status.DisruptionsAllowed) {
				a.changed = true
			}
			a.start.PodDisruptionBudgets[i] = b
			return nil
		}
	}
	return fmt.Errorf("pod disruption budget %s/%s %w", b.Namespace, b.Name, ErrUnknown)
}

// ControllerChanged takes over an owner of pods, or that it is gone.
func (a *Autoscaler) ControllerChanged(c Controller) {
	a.controllers.(*owners).known[ownerKey{c.Kind, c.Namespace, c.Name}] = c
	a.changed = true
}

// crowded reports whether most of what is numbered is gone, so that it is time to number
// all anew: what an autoscaler keeps must not grow with what ever was.
func (a *Autoscaler) crowded() bool {
	const spare = 4096
	return a.podsGone > 3*(len(a.residents)-a.podsGone)+spare ||
		a.nodesGone > len(a.members)+spare/16 ||
		len(a.pods.distinct) > 2*a.freshKinds+spare ||
		a.universe.Classes() > 2*a.freshClasses+spare
}

// renew starts again from the cluster as it is, with all that the autoscaler knows.
func (a *Autoscaler) renew() error {
	was := *a.process
	groups := make([]*packing.NodeGroup, len(was.groups))
	there := make([]int, len(was.groups))
	for _, m := range was.members {
		if m.group >= 0 {
			there[m.group]++
		}
	}
	for i, g := range was.groups {
		sized := *g
		sized.TargetSize = max(was.targets[i], there[i])
		groups[i] = &sized
	}
	if err := a.read(&Packer{groups: groups, settings: a.packer.settings}, a.present()); err != nil {
		return err
	}
	p := a.process
	p.groups, p.targets, p.backoff = was.groups, was.targets, was.backoff
	p.controllers, p.reports, p.rng, p.now = was.controllers, was.reports, was.rng, was.now
	for i, m := range p.members {
		before := was.members[i]
		m.going = before.going
		switch {
		case m.going == drainedNow:
			p.draining++
		case m.going == goneFromCloud && m.group >= 0:
			a.unregister(m)
		}
	}
	return nil
}

// present is the cluster as it is.
func (a *Autoscaler) present() Cluster {
	s := a.start
	s.Now = a.now
	c := Cluster{Snapshot: &s, Memory: a.memory()}
	for _, m := range a.members {
		n := &packing.Node{Node: m.node}
		if m.group >= 0 {
			n.NodeGroup = a.groups[m.group].Name
		}
		for _, p := range slices.Sorted(slices.Values(slices.Concat(a.on[m.index], a.expendable[m.index]))) {
			n.Pods = append(n.Pods, a.residents[p].pod)
		}
		s.Nodes = append(s.Nodes, n)
	}
	for _, p := range a.waiting {
		s.Pods = append(s.Pods, a.residents[p].pod)
	}
	for i, at := range a.at {
		if at != forgotten {
			c.Listed = append(c.Listed, a.residents[i].pod)
		}
	}
	return c
}

// refreshDaemons lists a node's daemon and mirror pods again, in order.
func (a *Autoscaler) refreshDaemons(m *member) {
	m.daemons = nil
	for _, p := range a.on[m.index] {
		if pod := a.residents[p].pod; pod.DeletionTimestamp == nil && (isDaemonPod(pod) || isMirrorPod(pod)) {
			m.daemons = append(m.daemons, newDaemonPod(pod, a.residents[p].class))
		}
	}
	m.known.staleTemplate = m.group >= 0 && a.templateOf[m.group] == m
}

// forgetHints drops where a pod was found to fit.
func (a *Autoscaler) forgetHints(pod int32) {
	delete(a.planner.hints, pod)
	delete(a.planner.oldHints, pod)
	delete(a.hints, pod)
}
