package clusterautoscaler

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
)

// liveWorld is a cluster to which random things happen, told to autoscalers as they do. It
// keeps its own account, from which a snapshot is made. In a calm one few pods wait.
type liveWorld struct {
	*draw
	t       *testing.T
	tell    []*Autoscaler
	groups  []*packing.NodeGroup // with target sizes
	options []Option
	base    packing.Snapshot
	known   []Controller
	backoff map[string]time.Time
	now     time.Time

	pods  []*livePod // in the order in which they became known
	nodes []*packing.Node
	born  int // names given
	calm  bool
	// slow lets deletions take their time; going are those begun, by node, and whether the
	// cloud has deleted the machine.
	slow  bool
	going map[string]bool
	// memory is that of a reader of snapshots, which no snapshot tells that a request came to less.
	memory Memory
}

type livePod struct {
	pod  *corev1.Pod
	node string // "" while it waits
}

func newLiveWorld(t *testing.T, seed uint64) *liveWorld {
	p, c := scaleDownProblem(seed)
	w := &liveWorld{going: map[string]bool{}, draw: &draw{rand.New(rand.NewPCG(seed, 3))}, t: t, base: *p.snapshot, known: c.Controllers, now: noon,
		groups: p.groups, backoff: map[string]time.Time{}}
	w.options = append(p.options, func(s *Settings) { s.Seed = nil })
	for _, n := range p.snapshot.Nodes {
		bare := *n
		bare.Pods = nil
		w.nodes = append(w.nodes, &bare)
		for _, pod := range n.Pods {
			w.pods = append(w.pods, &livePod{pod, n.Name})
		}
	}
	w.calm = seed%2 == 1
	for _, pod := range p.snapshot.Pods {
		if !w.calm {
			w.pods = append(w.pods, &livePod{pod, ""})
		}
	}
	w.base.Nodes, w.base.Pods = nil, nil
	if len(w.base.PodDisruptionBudgets) == 0 && w.one(2) {
		w.base.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "b"},
			Spec: policyv1.PodDisruptionBudgetSpec{Selector: w.selector()}, Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: 1}}}
	}
	return w
}

// start starts another autoscaler that is told what happens.
func (w *liveWorld) start() *Autoscaler {
	a, err := w.packer().Start(w.cluster(Memory{}))
	require.NoError(w.t, err)
	w.tell = append(w.tell, a)
	return a
}

// packer is one for the groups as they are.
func (w *liveWorld) packer() *Packer {
	groups := make([]*packing.NodeGroup, len(w.groups))
	var off []string
	for i, g := range w.groups {
		sized := *g
		groups[i] = &sized
		if !w.backoff[g.Name].Before(w.now) {
			off = append(off, g.Name)
		}
	}
	p, err := New(groups, append(slices.Clip(w.options), WithBackedOff(off...))...)
	require.NoError(w.t, err)
	return p
}

func (w *liveWorld) cluster(m Memory) Cluster {
	s := w.base
	s.Now = w.now
	c := Cluster{Snapshot: &s, Controllers: w.known, Memory: m}
	at := make(map[string]*packing.Node)
	for _, n := range w.nodes {
		own := *n
		at[n.Name] = &own
		s.Nodes = append(s.Nodes, &own)
	}
	for _, p := range w.pods {
		c.Listed = append(c.Listed, p.pod)
		if p.node == "" {
			s.Pods = append(s.Pods, p.pod)
		} else {
			at[p.node].Pods = append(at[p.node].Pods, p.pod)
		}
	}
	return c
}

func (w *liveWorld) each(do func(*Autoscaler) error) {
	for _, a := range w.tell {
		require.NoError(w.t, do(a))
	}
}

func (w *liveWorld) name(prefix string) string {
	w.born++
	return fmt.Sprint(prefix, "-live-", w.born)
}

// happen lets one random thing happen.
func (w *liveWorld) happen() {
	switch w.IntN(14) {
	case 0:
		w.arrive()
	case 1, 2:
		w.bindOne()
	case 3, 4:
		w.podEnds()
	case 5:
		w.podTerminates()
	case 6, 7, 8:
		w.nodeJoins()
	case 9, 10:
		w.nodeChanges()
	case 11:
		w.nodeIsLost()
	case 12:
		w.cloudAnswers()
	case 13:
		w.objectsChange()
	}
}

func (w *liveWorld) arrive() {
	pods := w.workload(w.IntN(12))
	most, age := 8, 20
	if w.calm {
		most, age = 2, 3
	}
	for _, p := range pods[:min(len(pods), 1+w.IntN(most))] {
		p.Name = w.name("pod")
		p.UID = types.UID(p.Name)
		p.CreationTimestamp = metav1.NewTime(w.now.Add(-time.Duration(w.IntN(age)) * time.Second))
		w.pods = append(w.pods, &livePod{p, ""})
		w.each(func(a *Autoscaler) error { return a.PodArrived(p) })
	}
}

// bindOne binds a pod to some node, whether it fits or not; or a daemon pod comes.
func (w *liveWorld) bindOne() {
	if len(w.nodes) == 0 {
		return
	}
	n := w.nodes[w.IntN(len(w.nodes))]
	if w.one(4) {
		w.daemonOn(n)
		return
	}
	if p := w.anyPod(func(p *livePod) bool { return p.node == "" }); p != nil {
		w.bind(p, n.Name)
	}
}

func (w *liveWorld) bind(p *livePod, node string) {
	p.node = node
	if w.one(2) { // the API server hands out another object
		p.pod = p.pod.DeepCopy()
	}
	p.pod.Spec.NodeName = node
	w.each(func(a *Autoscaler) error { return a.PodBound(p.pod, node) })
}

func (w *liveWorld) daemonOn(n *packing.Node) {
	yes := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: w.name("ds"), Labels: map[string]string{"app": "ds"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "ds", UID: "ds", Controller: &yes}}}}
	p.Spec.NodeName = n.Name
	p.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: quantities(50, 64, 0)}}}
	delete(p.Spec.Containers[0].Resources.Requests, corev1.ResourcePods)
	w.pods = append(w.pods, &livePod{p, n.Name})
	w.each(func(a *Autoscaler) error { return a.PodBound(p, n.Name) })
}

func (w *liveWorld) anyPod(which func(*livePod) bool) *livePod {
	var some []*livePod
	for _, p := range w.pods {
		if which(p) {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[w.IntN(len(some))]
}

func (w *liveWorld) podEnds() {
	p := w.anyPod(func(p *livePod) bool { return true })
	if p == nil {
		return
	}
	w.pods = slices.DeleteFunc(w.pods, func(x *livePod) bool { return x == p })
	if w.one(2) {
		w.each(func(a *Autoscaler) error { a.PodGone(p.pod); return nil })
		return
	}
	done := p.pod.DeepCopy()
	done.Status.Phase = corev1.PodSucceeded
	w.each(func(a *Autoscaler) error { return a.PodChanged(done) })
}

// podTerminates marks a pod as being deleted, some of them long since, or changes its annotations.
func (w *liveWorld) podTerminates() {
	p := w.anyPod(func(p *livePod) bool { return p.node != "" })
	if p == nil {
		return
	}
	if w.one(2) { // in place or as another object
		p.pod = p.pod.DeepCopy()
	}
	if w.one(3) {
		p.pod.Annotations = map[string]string{"cluster-autoscaler.kubernetes.io/safe-to-evict": []string{"true", "false"}[w.IntN(2)]}
	} else {
		at := metav1.NewTime(w.now.Add(-time.Duration(w.IntN(90)) * time.Second))
		p.pod.DeletionTimestamp = &at
	}
	w.each(func(a *Autoscaler) error { return a.PodChanged(p.pod) })
}

// nodeJoins registers a node that a group lacks, ready or not, or one without a group.
func (w *liveWorld) nodeJoins() {
	var lacking []*packing.NodeGroup
	for _, g := range w.groups {
		if w.registered(g.Name) < g.TargetSize {
			lacking = append(lacking, g)
		}
	}
	n := &packing.Node{Node: w.shape()}
	if len(lacking) > 0 {
		g := lacking[w.IntN(len(lacking))]
		n.Node, n.NodeGroup = g.Template.DeepCopy(), g.Name
	} else if !w.one(4) {
		return
	}
	n.Name = w.name("node")
	n.Labels[corev1.LabelHostname] = n.Name
	n.CreationTimestamp = metav1.NewTime(w.now)
	w.condition(n.Node, w.one(2))
	told := *n
	if w.one(3) {
		pods := w.workload(w.IntN(12))
		p := pods[0]
		p.Name = w.name("pod")
		p.Spec.NodeName = n.Name
		told.Pods = []*corev1.Pod{p}
		w.pods = append(w.pods, &livePod{p, n.Name})
	}
	w.nodes = append(w.nodes, n)
	w.each(func(a *Autoscaler) error { return a.NodeJoined(&told) })
}

func (w *liveWorld) condition(n *corev1.Node, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastTransitionTime: metav1.NewTime(w.now)}}
}

func (w *liveWorld) registered(group string) int {
	n := 0
	for _, x := range w.nodes {
		if x.NodeGroup == group && !w.going[x.Name] {
			n++
		}
	}
	return n
}

func (w *liveWorld) nodeChanges() {
	if len(w.nodes) == 0 {
		return
	}
	n := w.nodes[w.IntN(len(w.nodes))]
	next := n.Node.DeepCopy()
	switch w.IntN(6) {
	case 0, 1, 2:
		w.condition(next, !reportsReady(next))
	case 3:
		next.Spec.Unschedulable = !next.Spec.Unschedulable
	case 4:
		next.Spec.Taints = append(next.Spec.Taints, DeletionTaint(w.now))
		if w.one(2) {
			next.Spec.Taints = nil
		}
	case 5:
		next.Status.Allocatable = quantities(1000*(1+w.IntN(8)), 4096, 20)
	}
	n.Node = next
	w.each(func(a *Autoscaler) error { return a.NodeChanged(next) })
}

func (w *liveWorld) nodeIsLost() {
	if len(w.nodes) > 0 && w.one(3) {
		w.nodeGoes(w.nodes[w.IntN(len(w.nodes))].Name)
	}
}

// nodeGoes takes a node away; some of its pods come again.
func (w *liveWorld) nodeGoes(name string) {
	if gone, begun := w.going[name]; begun && !gone { // the size falls when a machine goes that was being deleted
		w.shrink(name)
	}
	delete(w.going, name)
	w.nodes = slices.DeleteFunc(w.nodes, func(n *packing.Node) bool { return n.Name == name })
	w.each(func(a *Autoscaler) error { return a.NodeGone(name) })
	var again []*corev1.Pod
	w.pods = slices.DeleteFunc(w.pods, func(p *livePod) bool {
		if p.node == name && !isDaemonPod(p.pod) && w.one(2) {
			again = append(again, p.pod)
		}
		return p.node == name
	})
	for _, old := range again {
		p := old.DeepCopy()
		p.Name, p.Spec.NodeName, p.DeletionTimestamp = w.name("pod"), "", nil
		p.CreationTimestamp = metav1.NewTime(w.now)
		w.pods = append(w.pods, &livePod{p, ""})
		w.each(func(a *Autoscaler) error { return a.PodArrived(p) })
	}
}

// cloudAnswers lowers what a group lacks, or backs it off.
func (w *liveWorld) cloudAnswers() {
	g := w.groups[w.IntN(len(w.groups))]
	if w.one(2) {
		w.backoff[g.Name] = w.now.Add(time.Duration(w.IntN(300)) * time.Second)
		w.each(func(a *Autoscaler) error { return a.BackOff(g.Name, w.backoff[g.Name]) })
		return
	}
	there := w.registered(g.Name)
	was := g.TargetSize
	g.TargetSize = there + w.IntN(max(1, g.TargetSize-there+1))
	if waits, ok := w.memory.requests[g.Name]; ok {
		w.memory.requests[g.Name] = max(0, waits-max(0, was-g.TargetSize))
	}
	w.each(func(a *Autoscaler) error { return a.SetTargetSize(g.Name, g.TargetSize) })
}

func (w *liveWorld) objectsChange() {
	if len(w.base.PodDisruptionBudgets) > 0 && w.one(2) {
		b := w.base.PodDisruptionBudgets[0].DeepCopy()
		b.Status.DisruptionsAllowed = int32(w.IntN(3))
		w.base.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{b}
		w.each(func(a *Autoscaler) error { return a.BudgetChanged(b) })
		return
	}
	c := Controller{Kind: "ReplicaSet", Namespace: "default", Name: fmt.Sprint("w", w.IntN(6)), Missing: w.one(2), Replicas: w.IntN(3)}
	w.known = append(slices.Clip(w.known), c)
	w.each(func(a *Autoscaler) error { a.ControllerChanged(c); return nil })
}

// follow carries out what a loop decided: pods are bound where they have room, mostly, and nodes are
// deleted before the next loop.
func (w *liveWorld) follow(l *Loop) {
	for _, s := range l.ScaleUps {
		for _, g := range w.groups {
			if g.Name == s.Group.Name {
				g.TargetSize = s.To
			}
		}
	}
	for _, m := range l.Bound {
		if w.one(8) {
			continue
		}
		for _, p := range w.pods {
			if p.pod == m.Pod {
				w.bind(p, m.To)
			}
		}
	}
	for _, d := range l.Deletions {
		name := d.Node.Name
		if w.one(6) {
			continue // another autoscaler's, say
		}
		if w.slow {
			w.mark(d.Node, DeletionTaint(w.now))
			w.going[name] = false
			w.each(func(a *Autoscaler) error { return a.DeletionStarted(name, d.Drain) })
			continue
		}
		w.each(func(a *Autoscaler) error { return a.DeletionStarted(name, d.Drain) })
		if w.one(3) {
			w.each(func(a *Autoscaler) error { return a.DeletionEnded(name, false) })
		}
		for _, g := range w.groups {
			if g.Name == d.Group.Name {
				g.TargetSize--
			}
		}
		w.nodeGoes(name)
	}
}

// proceed lets some of the deletions that were begun end.
func (w *liveWorld) proceed() {
	for _, name := range slices.Sorted(maps.Keys(w.going)) {
		switch {
		case w.one(4) && w.going[name]:
			w.nodeGoes(name)
		case w.one(6) && !w.going[name]:
			w.shrink(name)
			w.going[name] = true
			w.each(func(a *Autoscaler) error { return a.DeletionEnded(name, false) })
		case w.one(12) && !w.going[name]:
			delete(w.going, name)
			w.mark(w.nodes[slices.IndexFunc(w.nodes, func(n *packing.Node) bool { return n.Name == name })].Node)
			w.each(func(a *Autoscaler) error { return a.DeletionEnded(name, true) })
		}
	}
}

// mark gives a node these taints.
func (w *liveWorld) mark(n *corev1.Node, taints ...corev1.Taint) {
	next := n.DeepCopy()
	next.Spec.Taints = taints
	w.nodes[slices.IndexFunc(w.nodes, func(x *packing.Node) bool { return x.Name == n.Name })].Node = next
	w.each(func(a *Autoscaler) error { return a.NodeChanged(next) })
}

func (w *liveWorld) shrink(node string) {
	at := w.nodes[slices.IndexFunc(w.nodes, func(n *packing.Node) bool { return n.Name == node })].NodeGroup
	for _, g := range w.groups {
		if g.Name == at {
			g.TargetSize--
		}
	}
}

func reportsReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}
