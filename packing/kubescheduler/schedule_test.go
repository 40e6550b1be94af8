package kubescheduler

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

func TestNodesComeAndGo(t *testing.T) {
	s := scheduler(t, aNode("a", "z", "cpu=2,memory=4Gi"), aNode("b", "z", "cpu=4,memory=8Gi"))
	c := classOf(t, s, aPod("", "cpu=1500m,memory=1Gi"))

	_, err := s.AddNode(aNode("a", "z", "cpu=2"))
	require.ErrorIs(t, err, ErrNode)
	require.ErrorIs(t, s.UpdateNode(0, aNode("b", "z", "cpu=2")), ErrNode)
	require.ErrorIs(t, s.UpdateNode(7, aNode("a", "z", "cpu=2")), ErrNode)
	_, err = s.AddNode(aNode("bad", "z", "cpu=-1"))
	require.ErrorContains(t, err, "node bad: status.allocatable")
	require.Equal(t, 2, s.Len())

	s.Bind(c, 1)
	cpu, memory := s.Requested(1)
	require.Equal(t, [2]int64{1500, 1 << 30}, [2]int64{cpu, memory})
	cpu, memory = s.Allocatable(1)
	require.Equal(t, [2]int64{4000, 8 << 30}, [2]int64{cpu, memory})
	require.Equal(t, 1, s.Pods(1))
	id, ok := s.Lookup("b")
	require.True(t, ok)
	require.EqualValues(t, 1, id)

	s.RemoveNode(1) // with its pod
	s.RemoveNode(1)
	require.Nil(t, s.Node(1))
	_, ok = s.Lookup("b")
	require.False(t, ok)
	id, err = s.AddNode(aNode("c", "z", "cpu=2,memory=4Gi"))
	require.NoError(t, err)
	require.EqualValues(t, 1, id, "the id is given again")
	cpu, memory = s.Requested(id)
	require.Zero(t, cpu+memory)
	require.Zero(t, s.Pods(id))
	_, ok, _ = s.Schedule(c)
	require.True(t, ok)
}

func TestTaintsCordonsAndLabels(t *testing.T) {
	plain := func() *corev1.Node { return aNode("a", "z", "cpu=2,memory=4Gi") }
	s := scheduler(t, plain())
	selecting := classOf(t, s, aPod("", "cpu=100m", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }))
	any := classOf(t, s, aPod("", "cpu=100m"))
	because := func(c *Class) string {
		_, ok, why := s.Schedule(c)
		if ok {
			return ""
		}
		return why.String()
	}
	require.Empty(t, because(any))
	require.Equal(t, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", because(selecting))

	cordoned := plain()
	cordoned.Spec.Unschedulable = true
	require.NoError(t, s.UpdateNode(0, cordoned))
	require.Equal(t, "0/1 nodes are available: 1 node(s) were unschedulable.", because(any))

	require.NoError(t, s.UpdateNode(0, aNode("a", "z", "cpu=2,memory=4Gi", tainted(corev1.TaintEffectNoSchedule, "gone"))))
	require.Equal(t, "0/1 nodes are available: 1 node(s) had untolerated taint(s).", because(any))

	s.Bind(any, 0) // pods stay through an update
	require.NoError(t, s.UpdateNode(0, aNode("a", "z", "cpu=2,memory=4Gi", labelled("disk=ssd"))))
	require.Empty(t, because(any))
	require.Empty(t, because(selecting))
	require.Equal(t, 1, s.Pods(0))

	require.NoError(t, s.UpdateNode(0, aNode("a", "z", "cpu=150m,memory=4Gi")))
	require.Equal(t, "0/1 nodes are available: 1 insufficient resources.", because(any))
	s.Unbind(any, 0)
	require.Empty(t, because(any))
}

// Counts of spread and affinity follow a node to another zone.
func TestUpdateMovesCounts(t *testing.T) {
	zone := corev1.LabelTopologyZone
	s := scheduler(t, aNode("a", "a", "cpu=2,memory=4Gi"), aNode("b", "b", "cpu=2,memory=4Gi"))
	bind(t, s, aPod("app=db", ""), 0, 1)
	near := classOf(t, s, aPod("app=web", "", nearTo(10, zone, "app=db")))
	id, _, _ := s.Schedule(near)
	require.EqualValues(t, 0, id)
	bind(t, s, aPod("", "cpu=1,memory=2Gi"), 0, 1) // only the preference speaks for it
	id, _, _ = s.Schedule(near)
	require.EqualValues(t, 0, id)
	require.NoError(t, s.UpdateNode(0, aNode("a", "b", "cpu=2,memory=4Gi"))) // now in one zone: no preference
	id, _, _ = s.Schedule(near)
	require.EqualValues(t, 1, id)
}

func TestNoNodes(t *testing.T) {
	s := scheduler(t)
	id, ok, why := s.Schedule(classOf(t, s, aPod("", "")))
	require.Equal(t, None, id)
	require.False(t, ok)
	require.Equal(t, "0/0 nodes are available.", why.String())
}

func TestNamedNodes(t *testing.T) {
	s := scheduler(t, aNode("a", "", "cpu=2,memory=4Gi"), aNode("b", "", "cpu=2,memory=4Gi"), aNode("c", "", "cpu=2,memory=4Gi"))
	id, ok, _ := s.Schedule(classOf(t, s, aPod("", "", onNodes("c"))))
	require.True(t, ok)
	require.EqualValues(t, 2, id)
	require.Equal(t, 1, s.start, "one node was examined")
	_, ok, why := s.Schedule(classOf(t, s, aPod("", "", onNodes("gone"))))
	require.False(t, ok)
	require.EqualValues(t, 3, why.By[NodeAffinity])
	_, ok, why = s.Schedule(classOf(t, s, aPod("", "cpu=3", onNodes("a", "b"))))
	require.False(t, ok)
	require.Equal(t, "0/3 nodes are available: 2 insufficient resources, 1 node(s) didn't match Pod's node affinity/selector.", why.String())
}

func TestUnsupported(t *testing.T) {
	s := scheduler(t, aNode("a", "", "cpu=2,memory=4Gi"))
	c := classOf(t, s, aPod("", "", func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}} }))
	require.NotEmpty(t, c.Unsupported)
	_, ok, why := s.Schedule(c)
	require.False(t, ok)
	require.Equal(t, "0/1 nodes are available: 1 what the pod asks for is not modelled.", why.String())
	_, ok = s.Preempt(Preemptor{Class: c, Nominated: None, Pods: func(NodeID) []Bound { return nil }})
	require.False(t, ok)
}

// Zones take turns, in the order in which they came.
func TestOrder(t *testing.T) {
	s := scheduler(t, aNode("a1", "a", "cpu=1"), aNode("a2", "a", "cpu=1"), aNode("a3", "a", "cpu=1"), aNode("b1", "b", "cpu=1"), aNode("c1", "c", "cpu=1"))
	require.Equal(t, []NodeID{0, 3, 4, 1, 2}, s.Order())
	s.RemoveNode(0)
	require.Equal(t, []NodeID{1, 3, 4, 2}, s.Order())
	s.RemoveNode(3)
	id, err := s.AddNode(aNode("b2", "b", "cpu=1")) // the zone has come back, as the last
	require.NoError(t, err)
	require.Equal(t, []NodeID{1, 4, id, 2}, s.Order())
}

// The search goes on where the last one ended.
func TestStartRotates(t *testing.T) {
	s := scheduler(t)
	for i := range 300 {
		_, err := s.AddNode(aNode(fmt.Sprint("n", i), "", "cpu=2,memory=4Gi"))
		require.NoError(t, err)
	}
	c := classOf(t, s, aPod("", "cpu=100m,memory=100Mi"))
	for _, want := range []NodeID{0, 144, 288, 132} { // 48 percent of 300 at a time
		id, ok, _ := s.Schedule(c)
		require.True(t, ok)
		require.Equal(t, want, id)
	}
}

// Among equals it is the top of a heap, for any list.
func TestAboveInHeap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := scheduler(t)
	for range 2000 {
		n := 1 + rng.IntN(40)
		h := &scored{}
		nodes, totals := make([]NodeID, n), make([]int64, n)
		for i := range n {
			nodes[i], totals[i] = NodeID(i), rng.Int64N(3)
			h.names, h.totals = append(h.names, fmt.Sprint(i)), append(h.totals, totals[i])
		}
		heap.Init(h)
		require.Equal(t, h.names[0], fmt.Sprint(s.pick(nodes, totals)), "%v", totals)
	}
}

func TestSeedDrawsAmongEqualsAndRepeats(t *testing.T) {
	run := func(seed uint64) (out []NodeID) {
		s, err := New(nil, WithSeed(seed))
		require.NoError(t, err)
		for i := range 8 {
			_, err := s.AddNode(aNode(fmt.Sprint("n", i), "", "cpu=2,memory=4Gi"))
			require.NoError(t, err)
		}
		c := classOf(t, s, aPod("", "cpu=100m,memory=100Mi"))
		for range 40 {
			id, _, _ := s.Schedule(c)
			out = append(out, id)
		}
		return out
	}
	first := run(1)
	require.Equal(t, first, run(1))
	require.NotEqual(t, first, run(2))
	seen := map[NodeID]bool{}
	for _, id := range first {
		seen[id] = true
	}
	require.Len(t, seen, 8, "40 draws among 8")
}

func TestClasses(t *testing.T) {
	s := scheduler(t)
	pod := aPod("app=web", "cpu=1", ownedBy("ReplicaSet"))
	c := classOf(t, s, pod)
	same := &corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	same.Name = "another"
	require.Same(t, c, classOf(t, s, same), "made from the same template")
	require.Same(t, c, classOf(t, s, pod.DeepCopy()), "alike")
	for name, other := range map[string]*corev1.Pod{
		"labels":     aPod("app=other", "cpu=1", ownedBy("ReplicaSet")),
		"requests":   aPod("app=web", "cpu=2", ownedBy("ReplicaSet")),
		"controller": aPod("app=web", "cpu=1", ownedBy("Job")),
		"priority":   aPod("app=web", "cpu=1", ownedBy("ReplicaSet"), prioritised(5)),
		"preference": aPod("app=web", "cpu=1", ownedBy("ReplicaSet"), prefersNodes(1, "disk", "ssd")),
		"affinity":   aPod("app=web", "cpu=1", ownedBy("ReplicaSet"), nearTo(1, "zone", "app=db")),
		"image":      aPod("app=web", "cpu=1", ownedBy("ReplicaSet"), func(p *corev1.Pod) { p.Spec.Containers[0].Image = "web" }),
		"terminating": aPod("app=web", "cpu=1", ownedBy("ReplicaSet"), func(p *corev1.Pod) {
			p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		}),
	} {
		require.NotSame(t, c, classOf(t, s, other), name)
	}
	copied := &corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if got, err := s.Class(copied); err != nil || got != c {
			t.Fatal("not found")
		}
	}), "a pod of a template that is known costs nothing")
}

func TestClassErrors(t *testing.T) {
	s := scheduler(t)
	for want, pod := range map[string]*corev1.Pod{
		`pod default/pod: container "app"`:                                           aPod("", "cpu=-1"),
		`pod default/pod: spec.priorityClassName: there is no priority class "gold"`: aPod("", "", func(p *corev1.Pod) { p.Spec.PriorityClassName = "gold" }),
		"pod default/pod: spec.topologySpreadConstraints[0]: maxSkew 0":              aPod("", "", spreadOver("zone", 0, corev1.ScheduleAnyway, "")),
		"pod default/pod: spec.affinity.podAffinity: term 0: topologyKey is empty":   aPod("", "", nearTo(3, "", "app=x")),
		"pod default/pod: spec.affinity.nodeAffinity: preferred term 0: matchExpressions[0]": aPod("", "", prefersNodes(1, "disk", "ssd"), func(p *corev1.Pod) {
			p.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].Preference.MatchExpressions[0].Values = nil
		}),
	} {
		_, err := s.Class(pod)
		require.ErrorContains(t, err, want)
	}
}

func TestPriorities(t *testing.T) {
	never := corev1.PreemptNever
	s, err := New(&packing.Snapshot{PriorityClasses: []*schedulingv1.PriorityClass{
		{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Value: 100},
		{ObjectMeta: metav1.ObjectMeta{Name: "meek"}, Value: 50, PreemptionPolicy: &never},
		{ObjectMeta: metav1.ObjectMeta{Name: "usual"}, Value: 7, GlobalDefault: true},
	}})
	require.NoError(t, err)
	named := func(name string) *Class {
		return classOf(t, s, aPod("", "", func(p *corev1.Pod) { p.Spec.PriorityClassName = name }))
	}
	gold, meek, usual := named("gold"), named("meek"), named("")
	require.Equal(t, []int32{100, 50, 7, 2_000_001_000}, []int32{gold.Priority, meek.Priority, usual.Priority, named("system-node-critical").Priority})
	require.True(t, meek.PreemptsNever)
	require.False(t, gold.PreemptsNever)
	require.EqualValues(t, 9, classOf(t, s, aPod("", "", prioritised(9))).Priority)

	require.True(t, Less(gold, meek, 2*time.Second, time.Second), "by priority first")
	require.False(t, Less(meek, gold, time.Second, 2*time.Second))
	require.True(t, Less(gold, gold, time.Second, 2*time.Second), "then by time")
	require.False(t, Less(gold, gold, time.Second, time.Second))

	_, err = New(&packing.Snapshot{PriorityClasses: []*schedulingv1.PriorityClass{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, {ObjectMeta: metav1.ObjectMeta{Name: "a"}}}})
	require.ErrorContains(t, err, "priorityclass a: stated twice")
	require.False(t, errors.Is(err, ErrNode))
}

// However many nodes have come and gone, answers and memory stay those of the nodes that there are.
func TestLongLife(t *testing.T) {
	s := scheduler(t, aNode("stays", "a", "cpu=4,memory=8Gi"))
	web := aPod("app=web", "cpu=100m", ownedBy("ReplicaSet"), awayFrom(0, corev1.LabelHostname, "app=web"))
	bind(t, s, web, 0, 1)
	for i := range 5000 {
		id, err := s.AddNode(aNode(fmt.Sprint("n", i), "b", "cpu=4,memory=8Gi"))
		require.NoError(t, err)
		got, ok, _ := s.Schedule(classOf(t, s, web))
		require.True(t, ok)
		require.Equal(t, id, got, "the other has one already")
		bind(t, s, web, id, 1)
		_, ok, _ = s.Schedule(classOf(t, s, web))
		require.False(t, ok)
		s.RemoveNode(id)
	}
	require.Less(t, s.indexes, 1100)
	require.Len(t, s.nodes, 2)
	require.LessOrEqual(t, len(s.keys[corev1.LabelHostname].nodes), 2)
	require.Equal(t, 1, s.Pods(0))
}

// A table that is dropped for want of memory is made anew.
func TestVerdictsAreBounded(t *testing.T) {
	s := scheduler(t, aNode("a", "", "cpu=4,memory=8Gi"), aNode("b", "", "cpu=4,memory=8Gi"))
	first := classOf(t, s, aPod("", "cpu=1", prefersNodes(5, corev1.LabelHostname, "b")))
	id, _, _ := s.Schedule(first)
	require.EqualValues(t, 1, id)
	s.cached = maxVerdicts
	_, ok, _ := s.Schedule(classOf(t, s, aPod("", "cpu=2")))
	require.True(t, ok)
	require.Nil(t, first.shape.verdicts)
	require.Equal(t, 2, s.cached)
	id, _, _ = s.Schedule(first)
	require.EqualValues(t, 1, id)
}
