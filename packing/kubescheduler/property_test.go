package kubescheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// TestDecidesAsTheReference lets nodes and pods come, change and go at random and compares every
// decision with the reference: the nodes found, their totals, the one picked.
func TestDecidesAsTheReference(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 40
	}
	decisions, choices := 0, 0
	for seed := range uint64(runs) {
		w := newTwins(t, seed)
		initial := 4 + w.rng.IntN(8)
		if seed%25 == 0 {
			initial = 130 // not all nodes are examined
		}
		for range initial {
			w.addNode()
		}
		for range 60 {
			w.step()
		}
		decisions, choices = decisions+w.decisions, choices+w.choices
	}
	require.Greater(t, choices, decisions/2, "the worlds leave too little choice to test anything")
}

// twins are a scheduler and the reference in the same state.
type twins struct {
	t      *testing.T
	rng    *rand.Rand
	seed   uint64
	s      *Scheduler
	ref    *reference
	ids    map[string]NodeID
	names  int
	bound  []bound
	shared []*corev1.Pod

	decisions, choices int
}

type bound struct {
	pod   *corev1.Pod
	class *Class
	node  *refNode
}

func newTwins(t *testing.T, seed uint64) *twins {
	s, err := New(nil)
	require.NoError(t, err)
	w := &twins{t: t, rng: rand.New(rand.NewPCG(seed, 7)), seed: seed, s: s, ref: &reference{}, ids: map[string]NodeID{}}
	for i := range 6 {
		w.shared = append(w.shared, randomPod(w.rng, fmt.Sprint("template-", i)))
	}
	return w
}

func (w *twins) addNode() {
	w.names++
	n := randomNode(w.rng, fmt.Sprint("n", w.names))
	id, err := w.s.AddNode(n)
	require.NoError(w.t, err)
	w.ids[n.Name] = id
	w.ref.add(&refNode{Node: n})
}

func (w *twins) step() {
	switch k := w.rng.IntN(20); {
	case k == 0:
		w.addNode()
	case k == 1 && len(w.ref.nodes) > 2:
		n := w.ref.nodes[w.rng.IntN(len(w.ref.nodes))]
		if w.rng.IntN(2) == 0 { // else its pods go with it
			for _, b := range w.bound {
				if b.node == n {
					w.s.Unbind(b.class, w.ids[n.Name])
				}
			}
		}
		w.s.RemoveNode(w.ids[n.Name])
		w.bound = slices.DeleteFunc(w.bound, func(b bound) bool { return b.node == n })
		w.ref.remove(n)
	case k == 2:
		n := w.ref.nodes[w.rng.IntN(len(w.ref.nodes))]
		changed := randomNode(w.rng, n.Name)
		changed.Status.Allocatable = n.Status.Allocatable
		if zoneOf(changed) != zoneOf(n.Node) { // a node that moves comes last in its new zone
			w.ref.remove(n)
			n.Node = changed
			w.ref.add(n)
		}
		n.Node = changed
		require.NoError(w.t, w.s.UpdateNode(w.ids[n.Name], changed))
	case k < 7 && len(w.bound) > 0:
		at := w.rng.IntN(len(w.bound))
		b := w.bound[at]
		w.s.Unbind(b.class, w.ids[b.node.Name])
		at2 := slices.Index(b.node.pods, b.pod)
		b.node.pods = slices.Delete(b.node.pods, at2, at2+1)
		w.bound = slices.Delete(w.bound, at, at+1)
	default:
		w.decide()
	}
}

func (w *twins) decide() {
	pod := oneOf(w.rng, w.shared...)
	if w.rng.IntN(3) == 0 {
		pod = randomPod(w.rng, "single")
	}
	pod = &corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	class, err := w.s.Class(pod)
	require.NoError(w.t, err)
	id, ok, _ := w.s.Schedule(class)
	found, totals, picked := w.ref.decide(pod)
	w.decisions++

	require.Equal(w.t, len(found) > 0, ok, "seed %d", w.seed)
	require.Equal(w.t, w.ref.start, w.s.start, "seed %d: start of the next search", w.seed)
	var names []string
	for _, n := range w.s.scratch.nodes {
		names = append(names, w.s.Node(n).Name)
	}
	var want []string
	for _, n := range found {
		want = append(want, n.Name)
	}
	require.Equal(w.t, want, names, "seed %d: nodes found", w.seed)
	if !ok {
		return
	}
	if len(found) > 1 {
		w.choices++
		require.Equal(w.t, totals, w.s.scratch.totals[:len(found)], "seed %d: totals of %v for %v", w.seed, want, pod.Spec)
	}
	require.Equal(w.t, picked, w.s.Node(id).Name, "seed %d", w.seed)
	at := slices.IndexFunc(w.ref.nodes, func(n *refNode) bool { return n.Name == picked })
	w.s.Bind(class, id)
	w.ref.nodes[at].pods = append(w.ref.nodes[at].pods, pod)
	w.bound = append(w.bound, bound{pod, class, w.ref.nodes[at]})
}

// TestPlansPassTheReferee binds random pods one after the other and has the referee look at the result.
func TestPlansPassTheReferee(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 11))
		s, err := New(nil, WithSeed(seed))
		require.NoError(t, err)
		snapshot, plan := &packing.Snapshot{}, &packing.Plan{}
		for i := range 3 + rng.IntN(9) {
			n := randomNode(rng, fmt.Sprint("n", i))
			_, err := s.AddNode(n)
			require.NoError(t, err)
			snapshot.Nodes = append(snapshot.Nodes, &packing.Node{Node: n})
			plan.Placements = append(plan.Placements, packing.Placement{Node: snapshot.Nodes[i]})
		}
		placed := 0
		for i := range 60 {
			pod := randomPod(rng, fmt.Sprint("p", i))
			snapshot.Pods = append(snapshot.Pods, pod)
			class, err := s.Class(pod)
			require.NoError(t, err)
			if id, ok, _ := s.Schedule(class); ok {
				s.Bind(class, id)
				plan.Placements[id].Pods = append(plan.Placements[id].Pods, pod)
				placed++
			} else {
				plan.Unschedulable = append(plan.Unschedulable, packing.Unschedulable{Pod: pod})
			}
		}
		require.Positive(t, placed, "seed %d", seed)
		require.Empty(t, packing.Verify(snapshot, plan), "seed %d", seed)
	}
}
