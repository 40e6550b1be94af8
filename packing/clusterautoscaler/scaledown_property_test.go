package clusterautoscaler

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

// scaleDownProblem makes a random problem one of scale-down too: minimal sizes,
// budgets, controllers, marks that keep pods, short times.
func scaleDownProblem(seed uint64) (problem, Cluster) {
	p := randomProblem(seed)
	d := &draw{rand.New(rand.NewPCG(seed, 2))}
	for _, g := range p.groups {
		g.MinSize = min(d.IntN(3), g.TargetSize)
	}
	p.snapshot.Now = noon
	for _, n := range p.snapshot.Nodes {
		n.CreationTimestamp = metav1.NewTime(noon.Add(-time.Duration(d.IntN(40)) * time.Minute))
		if d.one(10) {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
		}
		for _, pod := range n.Pods {
			if d.one(20) {
				metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "cluster-autoscaler.kubernetes.io/safe-to-evict",
					[]string{"true", "false", "on-completion"}[d.IntN(3)])
			}
		}
	}
	for _, pod := range p.snapshot.Pods {
		pod.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(d.IntN(20)-10) * time.Minute))
	}
	c := Cluster{Snapshot: p.snapshot}
	if d.one(3) {
		p.snapshot.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "b"}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: d.selector()},
			Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: int32(d.IntN(4))}}}
	}
	if d.one(4) {
		c.Controllers = []Controller{{Kind: "ReplicaSet", Namespace: "default", Name: "w1", Missing: d.one(2)}}
	}
	p.options = append(p.options,
		WithScaleDownUnneededTime(time.Duration(d.IntN(4))*time.Minute),
		WithScaleDownUnreadyTime(5*time.Minute),
		WithScaleDownDelayAfterAdd(time.Duration(d.IntN(3))*time.Minute),
		WithMaxScaleDownParallelism(1+d.IntN(10)),
		WithMaxDrainParallelism(1+d.IntN(3)),
		WithScaleDownUtilizationThreshold([]float64{0.5, 0.5, 0.8, 1}[d.IntN(4)]),
		WithEnforceNodeGroupMinSize(d.one(3)),
	)
	if d.one(4) {
		p.options = append(p.options, WithSeed(seed))
	}
	return p, c
}

// world follows a run from outside: which node holds which pods.
type world struct {
	nodes map[string]*packing.Node
	where map[*corev1.Pod]string // "" while the pod waits
	sizes map[string]int
}

func newWorld(p problem) *world {
	w := &world{nodes: map[string]*packing.Node{}, where: map[*corev1.Pod]string{}, sizes: map[string]int{}}
	for _, n := range p.snapshot.Nodes {
		w.nodes[n.Name] = &packing.Node{Node: n.Node, NodeGroup: n.NodeGroup}
		for _, pod := range n.Pods {
			w.where[pod] = n.Name
		}
	}
	for _, pod := range p.snapshot.Pods {
		w.where[pod] = ""
	}
	for _, g := range p.groups {
		w.sizes[g.Name] = g.TargetSize
	}
	return w
}

// snapshot is the world without one node, whose pods wait.
func (w *world) snapshot(p problem, without string, waiting []Move) *packing.Snapshot {
	s := &packing.Snapshot{Now: p.snapshot.Now, DaemonSets: p.snapshot.DaemonSets}
	held := map[string][]*corev1.Pod{}
	for pod, at := range w.where {
		held[at] = append(held[at], pod)
	}
	for name, n := range w.nodes {
		if name != without {
			s.Nodes = append(s.Nodes, &packing.Node{Node: n.Node, NodeGroup: n.NodeGroup, Pods: held[name]})
		}
	}
	for _, m := range waiting {
		pod := m.Pod.DeepCopy()
		pod.Spec.NodeName = ""
		s.Pods = append(s.Pods, pod)
	}
	return s
}

// TestScaleDownHolds follows runs over virtual time: no pod is lost or in two places, no
// group falls below its minimal size or grows above its maximal one, every node goes or
// stays for a reason, and the referee accepts where the pods of drained nodes are to go.
func TestScaleDownHolds(t *testing.T) {
	drained, emptied := 0, 0
	for seed := range seeds(t) / 2 {
		p, c := scaleDownProblem(seed)
		packer, err := New(p.groups, p.options...)
		if err != nil {
			t.Fatal(err)
		}
		h, err := packer.RunFor(context.Background(), c, Timeline{For: 12 * time.Minute, Interval: 20 * time.Second, NodeProvisionTime: 30 * time.Second})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w := newWorld(p)
		for _, l := range h.Loops {
			w.follow(t, seed, p, l)
			for _, d := range l.Deletions {
				if d.Drain {
					drained++
				} else {
					emptied++
				}
			}
			if t.Failed() {
				return
			}
		}
		waiting := 0
		for _, at := range w.where {
			if at == "" {
				waiting++
			}
		}
		if waiting != len(h.Pending) {
			t.Fatalf("seed %d: %d pods are said to wait, %d do", seed, len(h.Pending), waiting)
		}
		for _, f := range h.FinalSizes {
			if f.Size != w.sizes[f.Group.Name] {
				t.Fatalf("seed %d: %s is said to have %d nodes, it has %d", seed, f.Group.Name, f.Size, w.sizes[f.Group.Name])
			}
		}
	}
	if drained == 0 || emptied == 0 {
		t.Errorf("%d nodes were drained and %d empty ones went: the problems are too easy", drained, emptied)
	}
	t.Logf("%d nodes were drained and %d empty ones went", drained, emptied)
}

func (w *world) follow(t *testing.T, seed uint64, p problem, l *Loop) {
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("seed %d, %v: "+format, append([]any{seed, l.At.Sub(noon)}, args...)...)
	}
	for _, n := range l.NewNodes {
		w.nodes[n.Name] = &packing.Node{Node: n}
	}
	for _, pod := range l.Pending {
		if at, ok := w.where[pod]; !ok || at != "" {
			fail("pod %s waits, but it is on %q", pod.Name, at)
		}
	}
	told := map[string]int{}
	for _, u := range append(append([]Unremovable{}, l.Unremovable...), l.Others...) {
		told[u.Node.Name]++
	}
	for _, d := range l.Deletions {
		told[d.Node.Name]++
	}
	for name := range w.nodes {
		if told[name] != 1 {
			fail("node %s is accounted for %d times", name, told[name])
		}
	}
	for _, m := range l.Bound {
		if at, ok := w.where[m.Pod]; !ok || at != "" || w.nodes[m.To] == nil {
			fail("pod %s is bound to %s, but it is on %q", m.Pod.Name, m.To, at)
		}
	}
	for _, s := range l.ScaleUps {
		if w.sizes[s.Group.Name] += s.To - s.From; w.sizes[s.Group.Name] > s.Group.MaxSize {
			fail("%s has %d nodes, at most %d are allowed", s.Group.Name, w.sizes[s.Group.Name], s.Group.MaxSize)
		}
	}
	for _, d := range l.Deletions {
		w.referee(t, seed, p, d)
	}
	for _, m := range l.Bound {
		w.where[m.Pod] = m.To
	}
	for _, d := range l.Deletions {
		for pod, at := range w.where {
			if at == d.Node.Name {
				w.where[pod] = ""
			}
		}
		delete(w.nodes, d.Node.Name)
		if w.sizes[d.Group.Name]--; w.sizes[d.Group.Name] < d.Group.MinSize {
			fail("%s has %d nodes, at least %d are wanted", d.Group.Name, w.sizes[d.Group.Name], d.Group.MinSize)
		}
	}
}

// referee asks packing.Verify about the moves of one node. The simulation moved
// them in a cluster without the nodes removed before, and counts the removed node as a
// domain, so that only the rules of single nodes can be checked.
func (w *world) referee(t *testing.T, seed uint64, p problem, d NodeDeletion) {
	s := w.snapshot(p, d.Node.Name, d.Pods)
	plan := &packing.Plan{Packer: Name}
	for _, n := range s.Nodes {
		var pods []*corev1.Pod
		for i, m := range d.Pods {
			if m.To == n.Name {
				pods = append(pods, s.Pods[i])
			}
		}
		if len(pods) > 0 {
			plan.Placements = append(plan.Placements, packing.Placement{Node: n, Pods: pods})
		}
	}
	for _, v := range packing.Verify(s, plan, packing.Tolerate(packing.RuleTopologySpread, packing.RulePodAffinity, packing.RuleDaemons)) {
		t.Errorf("seed %d, %s: %s", seed, d.Node.Name, v)
	}
}
