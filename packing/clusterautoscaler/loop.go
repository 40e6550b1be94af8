package clusterautoscaler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Result is how a loop's scale-up ended, by the original's names
// (pkg/processors/status/scale_up_status_processor.go).
type Result string

// The results of a loop.
const (
	// ScaleUpSuccessful: some group grew.
	ScaleUpSuccessful Result = "ScaleUpSuccessful"
	// ScaleUpError: the cluster has as many nodes, those on their way counted, as it may have.
	ScaleUpError Result = "ScaleUpError"
	// ScaleUpNoOptionsAvailable: no group helps any of the pods.
	ScaleUpNoOptionsAvailable Result = "ScaleUpNoOptionsAvailable"
	// ScaleUpNotNeeded: no pods are left that need help.
	ScaleUpNotNeeded Result = "ScaleUpNotNeeded"
	// ScaleUpNotTried: the cluster is unhealthy.
	ScaleUpNotTried Result = "ScaleUpNotTried"
	// ScaleUpInCooldown: all pods are so new that more may follow.
	ScaleUpInCooldown Result = "ScaleUpInCooldown"
	// ScaleUpLimitedByMaxNodesTotal: as many nodes are ready as there may be in all.
	ScaleUpLimitedByMaxNodesTotal Result = "ScaleUpLimitedByMaxNodesTotal"
)

// member is a registered node.
type member struct {
	index    int32 // in the cluster
	node     *corev1.Node
	group    int // -1: none
	ready    bool
	daemons  []daemonPod     // daemon and mirror pods that run there
	existing *packing.Node   // of the snapshot, or
	launch   *packing.Launch // launched since
	placed   []int32         // pods bound since
	// Of a process: how far a deletion of the node has come, and what is known of its pods.
	going goingState
	known standing
}

// daemonPod is a pod that a template takes over from a real node.
type daemonPod struct {
	class *feasibility.Class
	owner types.UID // of its DaemonSet,
	owned bool      // if it has one
}

func newDaemonPod(p *corev1.Pod, c *feasibility.Class) daemonPod {
	d := daemonPod{class: c}
	if o := controllerOf(p); o != nil && o.Kind == "DaemonSet" {
		d.owner, d.owned = o.UID, true
	}
	return d
}

// run is an autoscaler's process at work on one snapshot.
type run struct {
	ctx      context.Context
	settings *Settings
	groups   []*packing.NodeGroup
	snapshot *packing.Snapshot
	now      time.Time
	rng      *rand.Rand // nil: the first of tied options
	longWay  bool       // place every pod by itself
	reckoned int        // estimates made by arithmetic

	scratch runScratch
	shapes  *shapes // of the attempt at hand
	// scoredLast is the order of the last estimate.
	scoredLast scoredOrder

	universe *feasibility.Universe
	cluster  *feasibility.Cluster
	walk     nodeWalk
	pods     *podTable
	bound    []bool
	unbound  int
	// elsewhereOf are the nodes that may take pods of a class while new ones are
	// filled, for the attempt at hand.
	elsewhereOf map[*feasibility.Class][]int32
	daemons     []daemon

	members    []*member
	memberOf   []*member // by index in the cluster, nil for none
	targets    []int     // by group
	templates  []*template
	templateOf []*member // by group: whose template it is
	launched   []int     // by group: nodes made so far
	registered []int     // by group: nodes that are there
	readyCount []int     // by group: those of them that are ready
	// requested are the nodes asked for that a scale-up still waits for, by group; nil where
	// every node that is missing is waited for. backoff is up to when groups are left alone.
	requested []int
	backoff   []time.Time
}

func newRun(ctx context.Context, p *Packer, s *packing.Snapshot) (*run, error) {
	r := &run{
		ctx: ctx, settings: &p.settings, groups: p.groups, snapshot: s, now: s.Now,
		universe:   feasibility.NewUniverse(s),
		bound:      make([]bool, len(s.Pods)),
		unbound:    len(s.Pods),
		templates:  make([]*template, len(p.groups)),
		templateOf: make([]*member, len(p.groups)),
		launched:   make([]int, len(p.groups)),
		registered: make([]int, len(p.groups)),
		readyCount: make([]int, len(p.groups)),
	}
	if p.settings.Seed != nil {
		r.rng = rand.New(rand.NewPCG(*p.settings.Seed, 0))
	}
	for _, g := range p.groups {
		r.targets = append(r.targets, g.TargetSize)
	}
	priorities := make(map[string]int32)
	for _, c := range s.PriorityClasses {
		priorities[c.Name] = c.Value
	}
	var err error
	if r.pods, err = readPods(r.universe, s.Pods, priorities); err != nil {
		return nil, err
	}
	if r.daemons, err = readDaemons(r.universe, s.DaemonSets); err != nil {
		return nil, err
	}
	r.cluster = r.universe.NewCluster()
	if err := r.readNodes(priorities); err != nil {
		return nil, err
	}
	for i, g := range r.groups {
		// A target below the nodes that there are is one not yet acted upon by the cloud.
		if n := r.registered[i]; r.targets[i] < n {
			return nil, fmt.Errorf("%w: node group %q: target size %d is below its %d nodes", packing.ErrNodeGroup, g.Name, r.targets[i], n)
		}
	}
	return r, nil
}

// readNodes adds the snapshot's nodes with their pods; expendable pods do not count.
func (r *run) readNodes(priorities map[string]int32) error {
	byName := make(map[string]int, len(r.groups))
	for i, g := range r.groups {
		byName[g.Name] = i
	}
	for i, n := range r.snapshot.Nodes {
		if n == nil || n.Node == nil {
			return fmt.Errorf("node %d of the snapshot is nil", i)
		}
		group := -1
		if n.NodeGroup != "" {
			g, ok := byName[n.NodeGroup]
			if !ok {
				g = -1
			}
			group = g
		}
		profile, err := r.universe.Profile(n.Node)
		if err != nil {
			return err
		}
		m := &member{node: n.Node, group: group, ready: r.ready(n.Node), existing: n}
		var held []feasibility.Held
		for _, pod := range n.Pods {
			if priority, ok := podPriority(pod, priorities); ok && priority < r.settings.ExpendablePodsPriorityCutoff {
				continue
			}
			class, err := r.universe.Class(pod)
			if err != nil {
				return fmt.Errorf("node %s: %w", n.Name, err)
			}
			held = append(held, feasibility.Held{Class: class, Pods: 1})
			if pod.DeletionTimestamp == nil && (isDaemonPod(pod) || isMirrorPod(pod)) {
				m.daemons = append(m.daemons, newDaemonPod(pod, class))
			}
		}
		r.register(m, r.cluster.AddNode(profile, false, held))
	}
	return nil
}

func (r *run) register(m *member, index int32) {
	m.index = index
	if m.group >= 0 {
		r.registered[m.group]++
		if m.ready {
			r.readyCount[m.group]++
		}
	}
	r.members = append(r.members, m)
	for int(index) >= len(r.memberOf) {
		r.memberOf = append(r.memberOf, nil)
	}
	r.memberOf[index] = m
}

func isDaemonPod(p *corev1.Pod) bool {
	o := controllerOf(p)
	return o != nil && o.Kind == "DaemonSet" || p.Annotations[daemonSetPodAnnotation] == "true"
}

func isMirrorPod(p *corev1.Pod) bool {
	_, ok := p.Annotations[corev1.MirrorPodAnnotationKey]
	return ok
}

// loop is what one loop saw and did.
type loop struct {
	result   Result
	waiting  int     // pods without a real node at the end
	pending  []int32 // the pods that needed help
	attempts []*attempt
	resizes  []resize // all of them, toMinSize included
}

// once is one loop of the autoscaler (pkg/core/static_autoscaler.go, RunOnce). Pods
// that it finds room for on real nodes are bound there; groups that it scales up
// have their new target size.
func (r *run) once() (*loop, error) {
	l := &loop{result: ScaleUpNotTried}
	if err := r.refreshTemplates(); err != nil {
		return nil, err
	}
	ready, unready := r.countReady()
	if !r.tolerable(unready, len(r.members)) || r.settings.NoScaleUpFromZero && ready == 0 {
		return l, nil
	}
	if r.rng != nil {
		r.cluster.Shuffle(r.rng) // the original lists its snapshot in the order of a map
	}
	r.cluster.Fork()
	found := r.packPending(l)
	r.decide(l, ready)
	r.cluster.Revert()
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	for _, f := range found {
		r.bind(f.pod, f.node)
	}
	r.unbound -= len(found)
	l.waiting = r.unbound
	if r.settings.EnforceNodeGroupMinSize {
		l.apply(r, r.toMinSize())
	}
	return l, nil
}

func (l *loop) apply(r *run, resizes []resize) {
	for _, s := range resizes {
		r.targets[s.group] = s.to
	}
	l.resizes = append(l.resizes, resizes...)
}

type podOnNode struct{ pod, node int32 }

// packPending adds the upcoming nodes and packs what fits on the nodes there are.
// It leaves the pods that need help in the loop and returns those that found room
// on real nodes.
func (r *run) packPending(l *loop) []podOnNode {
	order := r.sortedByName()
	if r.rng != nil {
		r.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	for _, g := range order {
		if r.backedOff(g) {
			continue
		}
		for range r.targets[g] - r.registered[g] {
			r.cluster.AddNode(r.templates[g].profile, true, r.templates[g].held)
		}
	}
	var pending []int32
	for i := range r.pods.pods {
		if k := r.pods.kinds[i]; !r.bound[i] && k.unsupported == "" && !k.terminating() && !r.expendable(k) {
			pending = append(pending, int32(i))
		}
	}
	r.pods.byPriority(pending)
	var found []podOnNode
	left := r.filterOutSchedulable(pending, func(pod, node int32) {
		if int(node) < len(r.memberOf) {
			found = append(found, podOnNode{pod, node})
		}
	})
	l.pending = slices.DeleteFunc(left, func(p int32) bool {
		return r.pods.daemon[p] || r.pods.young(p, r.now, r.settings.NewPodScaleUpDelay)
	})
	return found
}

// expendable reports whether pods neither cause a scale-up nor count where they run
// (pkg/core/utils/expendable.go). Those whose priority is not known do.
func (r *run) expendable(k *kind) bool {
	return k.prioritized && k.priority < r.settings.ExpendablePodsPriorityCutoff
}

// decide is the part of a loop that scales up.
func (r *run) decide(l *loop, ready int) {
	switch total := r.settings.MaxNodesTotal; {
	case len(l.pending) == 0:
		l.result = ScaleUpNotNeeded
		return
	case total > 0 && ready >= total:
		l.result = ScaleUpLimitedByMaxNodesTotal
		return
	case r.allNew(l.pending):
		l.result = ScaleUpInCooldown
		return
	}
	pods := slices.Clone(l.pending)
	for {
		a := r.scaleUp(pods, r.cluster.Len())
		l.attempts = append(l.attempts, a)
		l.result = a.result
		if a.result != ScaleUpSuccessful {
			return
		}
		l.apply(r, a.resizes)
		if !r.settings.SalvoScaleUp || len(a.resizes) == 0 {
			return
		}
		if pods = r.afterSalvo(a, pods); len(pods) == 0 {
			return
		}
	}
}

// afterSalvo puts the nodes of a scale-up and the pods that caused it into the
// snapshot and returns the pods that are left; none if the pods do not fit there,
// which ends the salvo (addLatestScaleUpResultsToClusterSnapshot).
func (r *run) afterSalvo(a *attempt, pods []int32) []int32 {
	first := r.cluster.Len()
	added := slices.Clone(a.resizes)
	slices.SortFunc(added, func(a, b resize) int { return cmp.Compare(r.groups[a.group].Name, r.groups[b.group].Name) })
	for _, s := range added {
		for range s.to - s.from {
			r.cluster.AddNode(r.templates[s.group].profile, true, r.templates[s.group].held)
		}
	}
	helped := make(map[int32]bool)
	for _, p := range a.best.estimate.placed {
		for _, pod := range p.group.pods[:p.placed] {
			fresh := func(place int, _ int32) bool { return place >= first }
			if r.walk.next(r.cluster, p.group.kind.class, fresh) < 0 {
				return nil
			}
			helped[pod] = true
		}
	}
	return slices.DeleteFunc(pods, func(p int32) bool { return helped[p] })
}

// newPods is how long pods are held back while all of them are new
// (static_autoscaler.go, unschedulablePodTimeBuffer and its like for GPUs).
const (
	newPods    = 2 * time.Second
	newGPUPods = 30 * time.Second
)

// allNew reports whether all pods are so young that more may be coming.
func (r *run) allNew(pods []int32) bool {
	if r.now.IsZero() {
		return false
	}
	young := func(p int32, buffer time.Duration) bool {
		created := r.pods.pods[p].CreationTimestamp
		return !created.IsZero() && created.Add(buffer).After(r.now)
	}
	gpu, gpuYoung, all := false, true, true
	for _, p := range pods {
		all = all && young(p, newPods)
		if r.pods.kinds[p].requestsGPU() {
			gpu, gpuYoung = true, gpuYoung && young(p, newGPUPods)
		}
	}
	return all || gpu && gpuYoung
}

// settle makes the nodes that groups lack real, in the order of the groups, and
// returns how many came.
func (r *run) settle() int {
	came := 0
	for g, group := range r.groups {
		for range r.targets[g] - r.registered[g] {
			if m := r.newMember(g); m != nil {
				m.launch.Upcoming = r.registered[g]-1 < group.TargetSize
				came++
			}
		}
	}
	return came
}

// newMember makes a node of a group real and returns it.
func (r *run) newMember(g int) *member {
	t := r.templates[g]
	launch := r.newLaunch(r.groups[g], t, r.launched[g])
	node := new(*t.node()) // shares all but name and labels with the template
	node.Name = launch.Name
	node.Labels = maps.Clone(node.Labels)
	node.Labels[corev1.LabelHostname] = launch.Name
	delete(node.Labels, templateNodeLabel)
	r.launched[g]++
	profile, err := r.universe.Profile(node)
	if err != nil {
		return nil // the template, which is the same but for its name, was read before
	}
	m := &member{node: node, group: g, ready: true, launch: launch}
	for _, h := range t.held {
		for range h.Pods {
			m.daemons = append(m.daemons, newDaemonPod(h.Class.Pod, h.Class))
		}
	}
	r.register(m, r.cluster.AddNode(profile, false, t.held))
	return m
}
