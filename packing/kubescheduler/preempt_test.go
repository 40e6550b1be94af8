package kubescheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// full is a cluster of nodes with 4 CPU and 8 GiB each, and the pods on them by node.
type full struct {
	t    *testing.T
	s    *Scheduler
	pods map[NodeID][]Bound
	ids  int64
}

func newFull(t *testing.T, nodes ...string) *full {
	f := &full{t: t, s: scheduler(t), pods: map[NodeID][]Bound{}}
	for _, n := range nodes {
		_, err := f.s.AddNode(aNode(n, "", "cpu=4,memory=8Gi"))
		require.NoError(t, err)
	}
	return f
}

// put binds a pod and returns its number.
func (f *full) put(id NodeID, requests string, priority int32, start time.Duration, change ...func(*Bound)) int64 {
	f.ids++
	b := Bound{Class: classOf(f.t, f.s, aPod("app=old", requests, prioritised(priority))), Start: start, ID: f.ids}
	for _, c := range change {
		c(&b)
	}
	f.s.Bind(b.Class, id)
	f.pods[id] = append(f.pods[id], b)
	return b.ID
}

func within(budgets ...int32) func(*Bound) { return func(b *Bound) { b.Budgets = budgets } }

// preempt asks for a pod and returns the node, the victims and how many budgets they breach.
func (f *full) preempt(pod *corev1.Pod, allowed ...int32) (NodeID, []int64, int) {
	p, ok := f.s.Preempt(Preemptor{Class: classOf(f.t, f.s, pod), Nominated: None, DisruptionsAllowed: allowed,
		Pods: func(id NodeID) []Bound { return f.pods[id] }})
	if !ok {
		return None, nil, 0
	}
	var victims []int64
	for _, v := range p.Victims {
		victims = append(victims, v.ID)
	}
	return p.Node, victims, p.Violations
}

func important(requests string) *corev1.Pod { return aPod("app=new", requests, prioritised(100)) }

func TestPreemptsTheLeastImportant(t *testing.T) {
	f := newFull(t, "a")
	f.put(0, "cpu=2", 10, 0)
	low := f.put(0, "cpu=2", 5, 0)
	node, victims, _ := f.preempt(important("cpu=2"))
	require.EqualValues(t, 0, node)
	require.Equal(t, []int64{low}, victims)
}

func TestPreemptsTheYoungestOfEquals(t *testing.T) {
	f := newFull(t, "a")
	f.put(0, "cpu=2", 5, 1*time.Hour)
	young := f.put(0, "cpu=2", 5, 2*time.Hour)
	_, victims, _ := f.preempt(important("cpu=2"))
	require.Equal(t, []int64{young}, victims)
}

// A pod that does not help stays, even if others of more importance go.
func TestReprievesWhatDoesNotHelp(t *testing.T) {
	f := newFull(t, "a")
	big := f.put(0, "cpu=3", 20, 0)
	f.put(0, "cpu=1", 1, 0) // 1 CPU alone is not enough, and beside the new pod there is room for it
	_, victims, _ := f.preempt(important("cpu=3"))
	require.Equal(t, []int64{big}, victims)
}

func TestVictimsAreInOrderOfImportance(t *testing.T) {
	f := newFull(t, "a")
	c := f.put(0, "cpu=1", 3, 0, within(0))
	a := f.put(0, "cpu=1", 9, 0)
	b := f.put(0, "cpu=1", 5, 0, within(0))
	d := f.put(0, "cpu=1", 9, time.Second)
	node, victims, violations := f.preempt(important("cpu=4"), 1)
	require.EqualValues(t, 0, node)
	require.Equal(t, []int64{a, d, b, c}, victims)
	require.Equal(t, 1, violations, "the budget allows one, which the more important one takes")
}

func TestNoPreemption(t *testing.T) {
	for name, c := range map[string]struct {
		pod   *corev1.Pod
		setUp func(*full)
	}{
		"nothing of lower priority": {important("cpu=2"), func(f *full) { f.put(0, "cpu=4", 100, 0) }},
		"larger than the node":      {important("cpu=5"), func(f *full) { f.put(0, "cpu=4", 1, 0) }},
		"others keep too much": {important("cpu=3"), func(f *full) {
			f.put(0, "cpu=2", 100, 0)
			f.put(0, "cpu=2", 1, 0)
		}},
		"never": {aPod("", "cpu=2", prioritised(100), func(p *corev1.Pod) {
			never := corev1.PreemptNever
			p.Spec.PreemptionPolicy = &never
		}), func(f *full) { f.put(0, "cpu=4", 1, 0) }},
		"a taint is no matter of pods": {important("cpu=2"), func(f *full) {
			f.put(0, "cpu=4", 1, 0)
			require.NoError(f.t, f.s.UpdateNode(0, aNode("a", "", "cpu=4,memory=8Gi", tainted(corev1.TaintEffectNoSchedule, "x"))))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFull(t, "a")
			c.setUp(f)
			node, victims, _ := f.preempt(c.pod)
			require.Equal(t, None, node)
			require.Empty(t, victims)
		})
	}
}

// The criteria among nodes, one after the other.
func TestPicksTheNodeOfLeastHarm(t *testing.T) {
	for name, c := range map[string]struct {
		setUp   func(*full) // the second node is the better one
		allowed []int32
	}{
		"fewer breached budgets, whatever the priorities": {func(f *full) {
			f.put(0, "cpu=4", 1, 0, within(0))
			f.put(1, "cpu=4", 50, 0)
		}, []int32{0}},
		"lower highest priority": {func(f *full) {
			f.put(0, "cpu=4", 9, 0)
			f.put(1, "cpu=2", 8, 0)
			f.put(1, "cpu=2", 8, 0)
		}, nil},
		"lower sum of priorities": {func(f *full) {
			f.put(0, "cpu=2", 8, 0)
			f.put(0, "cpu=2", 7, 0)
			f.put(1, "cpu=2", 8, 0)
			f.put(1, "cpu=2", 6, 0)
		}, nil},
		"fewer victims": {func(f *full) { // one more victim adds at least 2^31 to the sum, so this decides there already
			f.put(0, "cpu=2", -2147483648, 0)
			f.put(0, "cpu=2", -2147483648, 0)
			f.put(1, "cpu=4", -2147483648, 0)
		}, nil},
		"later start of the oldest": {func(f *full) {
			f.put(0, "cpu=2", 8, 1*time.Hour)
			f.put(0, "cpu=2", 8, 9*time.Hour)
			f.put(1, "cpu=2", 8, 2*time.Hour)
			f.put(1, "cpu=2", 8, 3*time.Hour)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFull(t, "a", "b")
			c.setUp(f)
			node, _, _ := f.preempt(important("cpu=4"), c.allowed...)
			require.EqualValues(t, 1, node)
		})
	}
	f := newFull(t, "a", "b") // equal in all: the first
	f.put(0, "cpu=4", 1, 0)
	f.put(1, "cpu=4", 1, 0)
	node, _, _ := f.preempt(important("cpu=4"))
	require.EqualValues(t, 0, node)
}

// On one node, a pod whose budget has nothing left is put back before a more important one without.
func TestSparesWhatABudgetProtects(t *testing.T) {
	f := newFull(t, "a")
	f.put(0, "cpu=2", 1, 0, within(0))
	other := f.put(0, "cpu=2", 9, 0)
	_, victims, violations := f.preempt(important("cpu=2"), 0)
	require.Equal(t, []int64{other}, victims)
	require.Zero(t, violations)
	// With one disruption allowed the less important one goes.
	_, victims, _ = f.preempt(important("cpu=2"), 1)
	require.Equal(t, []int64{1}, victims)
}

// What keeps a pod away can be a rule rather than room.
func TestPreemptsForAntiAffinity(t *testing.T) {
	f := newFull(t, "a")
	old := f.put(0, "cpu=1", 1, 0)
	f.put(0, "cpu=1", 100, 0)
	bind(t, f.s, aPod("app=calm", "", prioritised(1)), 0, 1)
	f.pods[0] = append(f.pods[0], Bound{Class: classOf(t, f.s, aPod("app=calm", "", prioritised(1))), ID: 77})
	pod := aPod("app=new", "cpu=1", prioritised(50), awayFrom(0, corev1.LabelHostname, "app=old"))
	node, victims, _ := f.preempt(pod)
	require.Equal(t, None, node, "one of higher priority is in the way, too: %v", victims)

	f.s.Unbind(f.pods[0][1].Class, 0)
	f.pods[0] = append(f.pods[0][:1], f.pods[0][2])
	node, victims, _ = f.preempt(pod)
	require.EqualValues(t, 0, node)
	require.Equal(t, []int64{old}, victims)
}

// Preempt is a question only: afterwards the cluster is as it was.
func TestPreemptChangesNothing(t *testing.T) {
	f := newFull(t, "a", "b")
	f.put(0, "cpu=4", 1, 0)
	f.put(1, "cpu=2", 1, 0)
	first, _, _ := f.preempt(important("cpu=3"))
	for range 3 {
		again, _, _ := f.preempt(important("cpu=3"))
		require.Equal(t, first, again)
	}
	_, ok, _ := f.s.Schedule(classOf(t, f.s, important("cpu=3")))
	require.False(t, ok)
	cpu, _ := f.s.Requested(0)
	require.EqualValues(t, 4000, cpu)
}

// Room that is being made for a pod is not given to one of lower or equal priority, and is to a higher one.
func TestNominated(t *testing.T) {
	f := newFull(t, "a")
	waiting := classOf(t, f.s, important("cpu=3"))
	f.s.Nominate(waiting, 0)
	goes := func(priority int32) bool {
		_, ok, _ := f.s.Schedule(classOf(t, f.s, aPod("", "cpu=2", prioritised(priority))))
		return ok
	}
	require.False(t, goes(1))
	require.True(t, goes(101))
	_, ok, _ := f.s.Schedule(classOf(t, f.s, aPod("", "cpu=1")))
	require.True(t, ok, "beside it there is room")

	id, ok, _ := f.s.ScheduleNominated(waiting, 0)
	require.True(t, ok, "it is not in its own way")
	require.EqualValues(t, 0, id)
	f.s.Nominate(waiting, 0)
	_, ok, _ = f.s.ScheduleNominated(waiting, 0)
	require.False(t, ok, "another of its class is")

	f.s.Denominate(waiting, 0)
	f.s.Denominate(waiting, 0)
	f.s.Denominate(waiting, 0)
	require.True(t, goes(1))
	require.Zero(t, f.s.nominees)

	f.s.Nominate(waiting, 0)
	f.s.RemoveNode(0)
	require.Zero(t, f.s.nominees)
	f.s.Denominate(waiting, 0)
}

// The nominated node is taken if it fits, whatever scores better.
func TestNominatedNodeComesFirst(t *testing.T) {
	f := newFull(t, "a", "b")
	f.put(1, "cpu=2", 1, 0)
	c := classOf(t, f.s, important("cpu=1"))
	f.s.Nominate(c, 1)
	id, _, _ := f.s.Schedule(c)
	require.EqualValues(t, 0, id)
	id, _, _ = f.s.ScheduleNominated(c, 1)
	require.EqualValues(t, 1, id)
}

// While its victims are on their way out a pod preempts no others.
func TestWaitsForTerminatingVictims(t *testing.T) {
	f := newFull(t, "a", "b")
	f.put(0, "cpu=4", 1, 0)
	f.put(1, "cpu=4", 1, 0)
	c := classOf(t, f.s, important("cpu=4"))
	ask := func() bool {
		_, ok := f.s.Preempt(Preemptor{Class: c, Nominated: 0, Pods: func(id NodeID) []Bound { return f.pods[id] }})
		return ok
	}
	f.s.Nominate(c, 0)
	require.True(t, ask())
	f.pods[0][0].Terminating = true
	require.False(t, ask())
	// The node has become useless to it: it looks for another.
	require.NoError(t, f.s.UpdateNode(0, aNode("a", "", "cpu=4,memory=8Gi", func(n *corev1.Node) { n.Spec.Unschedulable = true })))
	require.True(t, ask())
}
