package clusterautoscaler

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/resources"
)

// testTemplate is a node of so many cores and GiB, all of them allocatable.
func testTemplate(cores, memory int) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelTopologyZone: "a"}}}
	n.Status.Capacity = quantities(1000*cores, 1024*memory, 110)
	n.Status.Allocatable = n.Status.Capacity
	return n
}

func testGroup(name string, cores, memory int, change ...func(*packing.NodeGroup)) *packing.NodeGroup {
	g := &packing.NodeGroup{Name: name, MaxSize: 10, Template: testTemplate(cores, memory), Price: float64(cores) / 10}
	for _, c := range change {
		c(g)
	}
	return g
}

// testPods are alike pods of one controller, each of so many cores and GiB.
func testPods(name string, n, cores, memory int, change ...func(*corev1.Pod)) []*corev1.Pod {
	yes := true
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint(name, "-", i), Labels: map[string]string{"app": name},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: name, UID: types.UID(name), Controller: &yes}}}}
		p.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewQuantity(int64(cores), resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(int64(memory)<<30, resource.BinarySI),
		}}}}
		for _, c := range change {
			c(p)
		}
		pods[i] = p
	}
	return pods
}

// existing is a registered node of a group.
func existing(name string, g *packing.NodeGroup, pods ...*corev1.Pod) *packing.Node {
	n := &packing.Node{Node: g.Template.DeepCopy(), NodeGroup: g.Name, Pods: pods}
	n.Name = name
	n.Labels[corev1.LabelHostname] = name
	g.TargetSize++
	return n
}

func mustRun(t *testing.T, s *packing.Snapshot, groups []*packing.NodeGroup, opts ...Option) *Run {
	t.Helper()
	p, err := New(groups, opts...)
	require.NoError(t, err)
	run, err := p.Run(context.Background(), s)
	require.NoError(t, err)
	assert.Empty(t, packing.Verify(s, run.Plan))
	assert.Equal(t, len(s.Pods), run.Plan.PodCount()+len(run.Plan.Unschedulable), "pods in the plan")
	return run
}

// sizes prints the final sizes: "a 3, b 0".
func sizes(run *Run) string {
	out := ""
	for i, f := range run.FinalSizes {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprint(f.Group.Name, " ", f.Size)
	}
	return out
}

func TestExpanders(t *testing.T) {
	// Eight pods of 1 core and 1 GiB: small takes 4 nodes of 2 and 8 (waste 0 + 3/4),
	// large 1 node of 10 and 12 (2/10 + 4/12), wide 2 nodes of 6 and 10 (4/12 + 12/20).
	groups := func() []*packing.NodeGroup {
		return []*packing.NodeGroup{
			testGroup("small", 2, 8, func(g *packing.NodeGroup) { g.Priority, g.Price = 10, 0.05 }),
			testGroup("large", 10, 12, func(g *packing.NodeGroup) { g.Priority, g.Price = 20, 1 }),
			testGroup("wide", 6, 10, func(g *packing.NodeGroup) { g.Priority, g.Price = 20, 0.5 }),
		}
	}
	price := func(nodes, each, pods, cores float64) float64 {
		s := 0.5*coreHour + 500.0/1024*gibHour
		ratio := (nodes*each + s) / (pods*(coreHour+gibHour) + s)
		return ratio * ((cores-1)*(1-math.Tanh((nodes-1)/15)) + 1) // 1 core suits an empty cluster
	}
	tests := []struct {
		chain  []Expander
		want   string
		scores []float64
		tied   int
	}{
		{[]Expander{LeastWaste}, "small 0, large 1, wide 0", []float64{0.75, 2.0/10 + 4.0/12, 4.0/12 + 12.0/20}, 1},
		{[]Expander{MostPods}, "small 4, large 0, wide 0", []float64{8, 8, 8}, 3},
		{[]Expander{LeastNodes}, "small 0, large 1, wide 0", []float64{4, 1, 2}, 1},
		{[]Expander{Priority}, "small 0, large 1, wide 0", []float64{10, 20, 20}, 2},
		{[]Expander{Price}, "small 4, large 0, wide 0", []float64{price(4, 0.05, 8, 2), price(1, 1, 8, 10), price(2, 0.5, 8, 6)}, 1},
		{[]Expander{Random}, "small 4, large 0, wide 0", nil, 3},
		{[]Expander{MostPods, Priority, Price}, "small 0, large 0, wide 2", []float64{8, 8, 8}, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.chain), func(t *testing.T) {
			run := mustRun(t, &packing.Snapshot{Pods: testPods("w", 8, 1, 1)}, groups(), WithExpander(tt.chain...))
			assert.Equal(t, tt.want, sizes(run))
			a := run.Steps[0].Attempts[0]
			assert.Len(t, a.Tied, tt.tied)
			for i, want := range tt.scores {
				assert.InDelta(t, want, a.Options[i].Scores[0].Score, 1e-12, a.Options[i].Group.Name)
			}
		})
	}
}

func TestBalancing(t *testing.T) {
	group := func(name string, size, most int) *packing.NodeGroup {
		return testGroup(name, 4, 16, func(g *packing.NodeGroup) {
			g.MaxSize, g.TargetSize = most, size
			g.Template.Labels[corev1.LabelTopologyZone] = name // zones may differ
		})
	}
	tests := []struct {
		name  string
		sizes [][2]int // from, at most
		nodes int
		want  []resize
	}{
		{"even", [][2]int{{0, 10}, {0, 10}}, 4, []resize{{0, 0, 2}, {1, 0, 2}}},
		{"the odd one goes to the first", [][2]int{{0, 10}, {0, 10}}, 3, []resize{{0, 0, 2}, {1, 0, 1}}},
		{"the smallest catches up", [][2]int{{5, 10}, {1, 10}}, 3, []resize{{1, 1, 4}}},
		{"a full group is left out", [][2]int{{3, 3}, {1, 10}}, 3, []resize{{1, 1, 4}}},
		{"what exceeds the room is dropped", [][2]int{{0, 2}, {0, 1}}, 9, []resize{{1, 0, 1}, {0, 0, 2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &run{}
			var all []int
			for i, s := range tt.sizes {
				r.groups = append(r.groups, group(fmt.Sprint(i), s[0], s[1]))
				r.targets = append(r.targets, s[0])
				all = append(all, i)
			}
			assert.ElementsMatch(t, tt.want, r.balance(all, tt.nodes))
		})
	}

	t.Run("similar groups share", func(t *testing.T) {
		groups := []*packing.NodeGroup{group("a", 0, 10), group("b", 0, 10), group("c", 0, 10)}
		groups[2].Template.Labels["team"] = "other"
		run := mustRun(t, &packing.Snapshot{Pods: testPods("w", 8, 2, 1)}, groups, WithBalanceSimilarNodeGroups(true))
		assert.Equal(t, "a 2, b 2, c 0", sizes(run))
		run = mustRun(t, &packing.Snapshot{Pods: testPods("w", 12, 2, 1)}, groups, WithBalanceSimilarNodeGroups(true), WithBalancingIgnoreLabels("team"))
		assert.Equal(t, "a 2, b 2, c 2", sizes(run))
		run = mustRun(t, &packing.Snapshot{Pods: testPods("w", 8, 2, 1)}, groups, WithBalanceSimilarNodeGroups(true), WithBalancingLabels("team"))
		assert.Equal(t, "a 4, b 0, c 0", sizes(run)) // a and b lack the label
	})
}

func TestLimits(t *testing.T) {
	pods := func() *packing.Snapshot { return &packing.Snapshot{Pods: testPods("w", 20, 1, 1)} } // 5 nodes of 4
	atMost := func(n int) []*packing.NodeGroup {
		return []*packing.NodeGroup{testGroup("a", 4, 16, func(g *packing.NodeGroup) { g.MaxSize = n })}
	}
	tests := []struct {
		name   string
		groups []*packing.NodeGroup
		opts   []Option
		want   string
		steps  int
		result Result
		why    string
	}{
		{"none", atMost(10), nil, "a 5", 1, ScaleUpNotNeeded, ""},
		{"the group's size", atMost(3), nil, "a 3", 2, ScaleUpNoOptionsAvailable, "max node group size reached"},
		{"nodes in all", atMost(10), []Option{WithMaxNodesTotal(4)}, "a 4", 2, ScaleUpLimitedByMaxNodesTotal, "max nodes total 4 reached"},
		{"nodes a scale-up", atMost(10), []Option{WithMaxNodesPerScaleUp(2)}, "a 5", 3, ScaleUpNotNeeded, ""},
		{"cores", atMost(10), []Option{WithCoresTotal(9)}, "a 2", 2, ScaleUpNoOptionsAvailable, "max cluster limit reached: cores-total"},
		{"memory", atMost(10), []Option{WithMemoryTotal(63)}, "a 3", 2, ScaleUpNoOptionsAvailable, "max cluster limit reached: memory-total"},
		{"backoff", atMost(10), []Option{WithBackedOff("a")}, "a 0", 1, ScaleUpNoOptionsAvailable, "in backoff after failed scale-up"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := mustRun(t, pods(), tt.groups, tt.opts...)
			assert.Equal(t, tt.want, sizes(run))
			assert.Len(t, run.Steps, tt.steps)
			assert.Equal(t, tt.result, run.Result)
			if tt.why != "" {
				require.NotEmpty(t, run.Plan.Unschedulable)
				reason := run.Plan.Unschedulable[0].Reasons[0]
				assert.Equal(t, packing.LimitReached, reason.Kind)
				assert.Equal(t, tt.why, reason.Message)
			}
		})
	}
}

func TestZeroOrMaxGrowsAtOnce(t *testing.T) {
	group := testGroup("atomic", 4, 16, func(g *packing.NodeGroup) { g.MaxSize, g.ZeroOrMax = 6, true })
	run := mustRun(t, &packing.Snapshot{Pods: testPods("w", 4, 1, 1)}, []*packing.NodeGroup{group})
	assert.Equal(t, "atomic 6", sizes(run))
	run = mustRun(t, &packing.Snapshot{Pods: testPods("w", 4, 1, 1)}, []*packing.NodeGroup{group}, WithMaxNodesTotal(5))
	assert.Equal(t, "atomic 0", sizes(run))
	assert.Equal(t, "atomic scale-up exceeds cluster node count limit", run.Plan.Unschedulable[0].Reasons[0].Message)
}

func TestSalvoGrowsSeveralGroupsInOneLoop(t *testing.T) {
	in := func(zone string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelTopologyZone: zone} }
	}
	groups := []*packing.NodeGroup{testGroup("a", 4, 16), testGroup("b", 4, 16, func(g *packing.NodeGroup) {
		g.Template.Labels[corev1.LabelTopologyZone] = "b"
	})}
	s := &packing.Snapshot{Pods: append(testPods("x", 8, 1, 1, in("a")), testPods("y", 4, 1, 1, in("b"))...)}
	for _, salvo := range []bool{false, true} {
		run := mustRun(t, s, groups, WithSalvoScaleUp(salvo))
		assert.Equal(t, "a 2, b 1", sizes(run))
		if salvo {
			assert.Len(t, run.Steps, 1)
			assert.Len(t, run.Steps[0].Attempts, 2)
		} else {
			assert.Len(t, run.Steps, 2)
		}
	}
}

func TestUnreadyNodesStopIt(t *testing.T) {
	unready := func(n int) (*packing.Snapshot, []*packing.NodeGroup) {
		group := testGroup("a", 4, 16)
		s := &packing.Snapshot{Pods: testPods("w", 4, 1, 1)}
		for i := range 8 {
			node := existing(fmt.Sprint("n", i), group, testPods(fmt.Sprint("full", i), 4, 1, 1)...)
			if i < n {
				node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
			}
			s.Nodes = append(s.Nodes, node)
		}
		return s, []*packing.NodeGroup{group}
	}
	s, groups := unready(3)
	assert.Equal(t, "a 9", sizes(mustRun(t, s, groups)))
	s, groups = unready(4)
	assert.Equal(t, ScaleUpNotTried, mustRun(t, s, groups).Result)
	settings := Settings{OkTotalUnreadyCount: 4, CoresTotal: 100, MemoryTotal: 1000}
	assert.Equal(t, "a 9", sizes(mustRun(t, s, groups, WithSettings(settings))))
	settings.NoScaleUpFromZero = true
	run := mustRun(t, &packing.Snapshot{Pods: testPods("w", 4, 1, 1)}, []*packing.NodeGroup{testGroup("a", 4, 16)}, WithSettings(settings))
	assert.Equal(t, "a 0", sizes(run))
}

// Cordoned nodes are not among those that max-nodes-total compares with first, but count
// where it caps.
func TestCordonedNodesAreNotReady(t *testing.T) {
	group := testGroup("a", 4, 16)
	cordoned := existing("n", group)
	cordoned.Spec.Unschedulable = true
	s := &packing.Snapshot{Pods: testPods("w", 4, 1, 1), Nodes: []*packing.Node{cordoned}}
	groups := []*packing.NodeGroup{group}
	assert.Equal(t, "a 2", sizes(mustRun(t, s, groups, WithMaxNodesTotal(2))))
	assert.Equal(t, ScaleUpNoOptionsAvailable, mustRun(t, s, groups, WithMaxNodesTotal(1)).Result)
	cordoned.Spec.Unschedulable = false
	cordoned.Pods = testPods("full", 4, 1, 1)
	assert.Equal(t, ScaleUpLimitedByMaxNodesTotal, mustRun(t, s, groups, WithMaxNodesTotal(1)).Result)
}

func TestReadiness(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	condition := func(c corev1.NodeConditionType, s corev1.ConditionStatus) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: c, Status: s, LastTransitionTime: metav1.NewTime(now.Add(-time.Hour))})
		}
	}
	taint := func(key string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key}) }
	}
	accelerator := func(n *corev1.Node) { n.Labels = map[string]string{gpuLabel: "x"} }
	tests := []struct {
		name     string
		change   []func(*corev1.Node)
		ready    bool
		template bool
	}{
		{"nothing said", nil, true, true},
		{"ready", []func(*corev1.Node){condition(corev1.NodeReady, corev1.ConditionTrue)}, true, true},
		{"not ready", []func(*corev1.Node){condition(corev1.NodeReady, corev1.ConditionFalse)}, false, false},
		{"unknown", []func(*corev1.Node){condition(corev1.NodeReady, corev1.ConditionUnknown)}, false, false},
		{"disk is full", []func(*corev1.Node){condition(corev1.NodeDiskPressure, corev1.ConditionTrue)}, false, false},
		{"disk is fine", []func(*corev1.Node){condition(corev1.NodeDiskPressure, corev1.ConditionFalse)}, true, true},
		{"no network", []func(*corev1.Node){condition(corev1.NodeNetworkUnavailable, corev1.ConditionTrue)}, false, false},
		{"memory is short", []func(*corev1.Node){condition(corev1.NodeMemoryPressure, corev1.ConditionTrue)}, true, true},
		{"tainted as not ready", []func(*corev1.Node){taint(corev1.TaintNodeNotReady)}, false, false},
		{"tainted as unreachable", []func(*corev1.Node){taint(corev1.TaintNodeUnreachable)}, true, true},
		{"starting", []func(*corev1.Node){taint("startup-taint.cluster-autoscaler.kubernetes.io/x")}, false, false},
		{"starting by a flag", []func(*corev1.Node){taint("boot")}, false, false},
		{"GPUs to come", []func(*corev1.Node){accelerator}, false, false},
		{"GPUs have come", []func(*corev1.Node){accelerator, func(n *corev1.Node) {
			n.Status.Allocatable = corev1.ResourceList{"amd.com/gpu": resource.MustParse("1")}
		}}, true, true},
		{"cordoned", []func(*corev1.Node){func(n *corev1.Node) { n.Spec.Unschedulable = true }}, true, false},
		{"to be deleted", []func(*corev1.Node){taint(toBeDeletedTaint)}, true, false},
		{"ready for a minute", []func(*corev1.Node){condition(corev1.NodeReady, corev1.ConditionTrue), func(n *corev1.Node) {
			n.Status.Conditions[0].LastTransitionTime = metav1.NewTime(now.Add(-stabilization))
		}}, true, false},
		{"disk fine for a minute", []func(*corev1.Node){condition(corev1.NodeReady, corev1.ConditionTrue), condition(corev1.NodeDiskPressure, corev1.ConditionFalse), func(n *corev1.Node) {
			n.Status.Conditions[1].LastTransitionTime = metav1.NewTime(now.Add(-stabilization))
		}}, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &run{settings: &Settings{StartupTaints: []string{"boot"}}, now: now}
			n := &corev1.Node{}
			for _, change := range tt.change {
				change(n)
			}
			assert.Equal(t, tt.ready, r.ready(n))
			assert.Equal(t, tt.template, r.goodTemplate(&member{node: n, ready: r.ready(n)}))
		})
	}
}

// Nodes that have not started yet are expected, not broken: eight of them do not stop the autoscaler.
func TestNodesThatHaveNotStartedDoNotStopIt(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	group := testGroup("a", 4, 16)
	s := &packing.Snapshot{Now: now, Pods: testPods("w", 4, 1, 1)}
	for i := range 8 {
		n := existing(fmt.Sprint("n", i), group)
		n.CreationTimestamp = metav1.NewTime(now.Add(-startup + time.Second))
		n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}}
		s.Nodes = append(s.Nodes, n)
	}
	assert.Equal(t, "a 9", sizes(mustRun(t, s, []*packing.NodeGroup{group})))
	s.Now = now.Add(time.Second) // they have had their time
	assert.Equal(t, ScaleUpNotTried, mustRun(t, s, []*packing.NodeGroup{group}).Result)
}

func TestMinSizeIsEnforcedOnlyIfAsked(t *testing.T) {
	group := testGroup("a", 4, 16, func(g *packing.NodeGroup) { g.MinSize = 3 })
	assert.Equal(t, "a 0", sizes(mustRun(t, &packing.Snapshot{}, []*packing.NodeGroup{group})))
	assert.Equal(t, "a 3", sizes(mustRun(t, &packing.Snapshot{}, []*packing.NodeGroup{group}, WithEnforceNodeGroupMinSize(true))))
}

func TestTemplates(t *testing.T) {
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "ds", Namespace: "default", UID: "ds"}}
	daemon := testPods("ds", 1, 2, 1)[0]
	ds.Spec.Template.Spec, ds.Spec.Template.Labels = daemon.Spec, daemon.Labels
	daemon.OwnerReferences[0].Kind, daemon.OwnerReferences[0].UID = "DaemonSet", "ds"

	t.Run("the provider's has every daemon", func(t *testing.T) {
		s := &packing.Snapshot{Pods: testPods("w", 4, 1, 1), DaemonSets: []*appsv1.DaemonSet{ds}}
		assert.Equal(t, "a 2", sizes(mustRun(t, s, []*packing.NodeGroup{testGroup("a", 4, 16)})))
	})
	t.Run("a real node's has those that run there", func(t *testing.T) {
		group := testGroup("a", 4, 16)
		full := testPods("full", 2, 1, 1)
		s := &packing.Snapshot{Pods: testPods("w", 4, 1, 1), Nodes: []*packing.Node{existing("n", group, append(full, daemon)...)}}
		assert.Equal(t, "a 3", sizes(mustRun(t, s, []*packing.NodeGroup{group})))
	})
	t.Run("passing taints are not inherited, labels and size are", func(t *testing.T) {
		group := testGroup("a", 4, 16)
		node := existing("n", group, testPods("full", 8, 1, 1)...)
		node.Status.Allocatable = quantities(8000, 16*1024, 110)
		node.Spec.Taints = []corev1.Taint{{Key: "status-taint.cluster-autoscaler.kubernetes.io/x", Effect: corev1.TaintEffectNoSchedule}}
		p, err := New([]*packing.NodeGroup{group})
		require.NoError(t, err)
		run, err := p.Run(context.Background(), &packing.Snapshot{Pods: testPods("w", 8, 1, 1), Nodes: []*packing.Node{node}})
		require.NoError(t, err)
		assert.Equal(t, "a 2", sizes(run))
	})
	t.Run("a node that has not started is none", func(t *testing.T) {
		group := testGroup("a", 4, 16)
		node := existing("n", group)
		node.Status.Allocatable = quantities(8000, 16*1024, 110)
		node.Spec.Taints = []corev1.Taint{{Key: "startup-taint.cluster-autoscaler.kubernetes.io/x", Effect: corev1.TaintEffectNoSchedule}}
		s := &packing.Snapshot{Pods: testPods("w", 8, 1, 1), Nodes: []*packing.Node{node}}
		assert.Equal(t, "a 3", sizes(mustRun(t, s, []*packing.NodeGroup{group})))
	})
	t.Run("deprecated labels are added", func(t *testing.T) {
		pods := testPods("w", 1, 1, 1, func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{corev1.LabelFailureDomainBetaZone: "a"}
		})
		assert.Equal(t, "a 1", sizes(mustRun(t, &packing.Snapshot{Pods: pods}, []*packing.NodeGroup{testGroup("a", 4, 16)})))
	})
}

func TestUpcomingNodesAreUsedFirst(t *testing.T) {
	group := testGroup("a", 4, 16, func(g *packing.NodeGroup) { g.TargetSize = 2 })
	run := mustRun(t, &packing.Snapshot{Pods: testPods("w", 8, 1, 1)}, []*packing.NodeGroup{group})
	assert.Equal(t, "a 2", sizes(run))
	assert.Equal(t, 8, run.Plan.PodCount())
	for _, l := range run.Plan.Launches {
		assert.True(t, l.Upcoming, l.Name)
	}
	run = mustRun(t, &packing.Snapshot{Pods: testPods("w", 12, 1, 1)}, []*packing.NodeGroup{group})
	assert.Equal(t, "a 3", sizes(run))
	assert.False(t, run.Plan.Launches[2].Upcoming)
}

func TestYoungPodsWait(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &packing.Snapshot{Now: now, Pods: testPods("w", 2, 1, 1, func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(now.Add(-time.Second)) })}
	group := []*packing.NodeGroup{testGroup("a", 4, 16)}
	assert.Equal(t, ScaleUpInCooldown, mustRun(t, s, group).Result)
	s.Now = now.Add(time.Second)
	assert.Equal(t, "a 1", sizes(mustRun(t, s, group)))
	// A pod must be older than the delay, not as old.
	assert.Equal(t, ScaleUpNotNeeded, mustRun(t, s, group, WithNewPodScaleUpDelay(2*time.Second)).Result)
	run := mustRun(t, s, group, WithNewPodScaleUpDelay(time.Minute))
	assert.Equal(t, "a 0", sizes(run))
	assert.Contains(t, run.Plan.Unschedulable[0].Reasons[0].Message, "too young")
}

func TestPodsThatAreNotLookedAt(t *testing.T) {
	groups := []*packing.NodeGroup{testGroup("a", 4, 16)}
	deleted := testPods("w", 1, 1, 1, func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(0, 0)} })
	run := mustRun(t, &packing.Snapshot{Pods: deleted}, groups)
	assert.Equal(t, ScaleUpNotNeeded, run.Result)
	assert.Equal(t, "pod is being deleted", run.Plan.Unschedulable[0].Reasons[0].Message)

	// A pod whose priority is not known is not expendable, whatever the cut-off.
	pods := append(testPods("none", 1, 4, 1), testPods("zero", 1, 4, 1, func(p *corev1.Pod) { p.Spec.Priority = new(int32) })...)
	run = mustRun(t, &packing.Snapshot{Pods: pods}, groups, WithExpendablePodsPriorityCutoff(1))
	assert.Equal(t, "a 1", sizes(run))
	assert.Equal(t, "zero-0", run.Plan.Unschedulable[0].Pod.Name)
	assert.Contains(t, run.Plan.Unschedulable[0].Reasons[0].Message, "expendable")
}

// GPUs of every vendor make a group unattractive, and pods that ask for one wait longer
// for others like them.
func TestGPUsOfEveryVendor(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, gpu := range gpuResources {
		with := testGroup("gpu", 4, 16, func(g *packing.NodeGroup) { g.Price = 0.1 })
		with.Template.Status.Allocatable[gpu] = resource.MustParse("1")
		without := testGroup("plain", 4, 16, func(g *packing.NodeGroup) { g.Price = 1 })
		s := &packing.Snapshot{Pods: testPods("w", 1, 1, 1)}
		run := mustRun(t, s, []*packing.NodeGroup{with, without}, WithExpander(Price))
		assert.Equal(t, "gpu 0, plain 1", sizes(run), gpu)

		s = &packing.Snapshot{Now: now, Pods: testPods("w", 1, 1, 1, func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[gpu] = resource.MustParse("1")
			p.CreationTimestamp = metav1.NewTime(now.Add(-29 * time.Second))
		})}
		assert.Equal(t, ScaleUpInCooldown, mustRun(t, s, []*packing.NodeGroup{with}).Result, gpu)
	}
}

func TestWhatIsNotModelledIsRefused(t *testing.T) {
	s := &packing.Snapshot{Pods: testPods("w", 1, 1, 1, func(p *corev1.Pod) {
		p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}}
	})}
	run := mustRun(t, s, []*packing.NodeGroup{testGroup("a", 4, 16)})
	require.Len(t, run.Plan.Unschedulable, 1)
	assert.Equal(t, []packing.Reason{{Kind: packing.NotSupported, Message: "dynamic resource allocation (spec.resourceClaims)"}}, run.Plan.Unschedulable[0].Reasons)
}

func TestReasonsNameTheGroups(t *testing.T) {
	groups := []*packing.NodeGroup{testGroup("small", 2, 8), testGroup("tainted", 8, 32, func(g *packing.NodeGroup) {
		g.Template.Spec.Taints = []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectNoSchedule}}
	})}
	run := mustRun(t, &packing.Snapshot{Pods: testPods("w", 1, 4, 16)}, groups)
	require.Len(t, run.Plan.Unschedulable, 1)
	assert.Equal(t, []packing.Reason{
		{Subject: "small", Message: "Insufficient cpu, Insufficient memory"},
		{Subject: "tainted", Message: "node(s) had untolerated taint(s)"},
	}, run.Plan.Unschedulable[0].Reasons)
}

func TestMixedInstancesPlanTheFirstAndNameTheOthers(t *testing.T) {
	first, second := &instancetypes.InstanceType{Name: "first"}, &instancetypes.InstanceType{Name: "second"}
	group := testGroup("a", 4, 16, func(g *packing.NodeGroup) { g.InstanceTypes = []*instancetypes.InstanceType{first, second} })
	p, err := New([]*packing.NodeGroup{group})
	require.NoError(t, err)
	plan, err := p.Pack(context.Background(), &packing.Snapshot{Pods: testPods("w", 1, 1, 1)})
	require.NoError(t, err)
	assert.Same(t, first, plan.Launches[0].InstanceType)
	assert.Equal(t, []*instancetypes.InstanceType{first, second}, plan.Launches[0].Options)
}

func TestDifferencesOfMixedInstances(t *testing.T) {
	machine := func(name string, cores, memory, pods int) *instancetypes.InstanceType {
		capacity, err := resources.FromList(quantities(1000*cores, 1024*memory, pods))
		require.NoError(t, err)
		return &instancetypes.InstanceType{Name: name, Capacity: capacity}
	}
	equal, small, crowded := machine("equal", 4, 16, 110), machine("small", 2, 32, 110), machine("crowded", 4, 16, 3)
	group := testGroup("a", 4, 16, func(g *packing.NodeGroup) { g.InstanceTypes = []*instancetypes.InstanceType{equal, small, crowded} })
	run := mustRunPlan(t, &packing.Snapshot{Pods: testPods("w", 4, 1, 1)}, group)
	differences, err := Differences(run.Plan.Launches[0])
	require.NoError(t, err)
	require.Len(t, differences, 2)
	assert.Same(t, small, differences[0].InstanceType)
	assert.Equal(t, int64(4000), differences[0].Planned.Get(corev1.ResourceCPU))
	assert.Equal(t, int64(2000), differences[0].Launched.Get(corev1.ResourceCPU))
	assert.Equal(t, resources.Vector{}.With(corev1.ResourceCPU, 2000), differences[0].Short)
	assert.Same(t, crowded, differences[1].InstanceType)
	assert.Equal(t, resources.Vector{}.With(corev1.ResourcePods, 1), differences[1].Short)

	none, err := Differences(&packing.Launch{})
	require.NoError(t, err)
	assert.Empty(t, none)
	_, err = Differences(&packing.Launch{NodeGroup: group, Pods: testPods("bad", 1, -1, 1)})
	require.ErrorIs(t, err, resources.ErrNegative)
	assert.ErrorContains(t, err, "pod default/bad-0")
}

// mustRunPlan runs without the referee: what types launch is not what the plan is for.
func mustRunPlan(t *testing.T, s *packing.Snapshot, groups ...*packing.NodeGroup) *Run {
	t.Helper()
	p, err := New(groups)
	require.NoError(t, err)
	run, err := p.Run(context.Background(), s)
	require.NoError(t, err)
	return run
}

func TestBadInputIsNamed(t *testing.T) {
	good := testGroup("a", 4, 16)
	_, err := New([]*packing.NodeGroup{good, good})
	require.ErrorIs(t, err, packing.ErrNodeGroup)
	_, err = New([]*packing.NodeGroup{nil})
	require.ErrorIs(t, err, packing.ErrNodeGroup)
	for _, o := range []Option{WithExpander(), WithExpander("grpc"), WithExpander(Price, Price), WithExpander(Random, Price), WithMaxNodesTotal(-1), WithCoresTotal(-1)} {
		_, err = New([]*packing.NodeGroup{good}, o)
		require.ErrorIs(t, err, ErrOption)
	}

	p, err := New([]*packing.NodeGroup{good})
	require.NoError(t, err)
	bad := testPods("w", 1, -1, 1)
	_, err = p.Pack(context.Background(), &packing.Snapshot{Pods: bad})
	assert.EqualError(t, err, `cluster-autoscaler: pod default/w-0: container "c": request cpu "-1": quantity is negative`)
	_, err = p.Pack(context.Background(), &packing.Snapshot{Pods: []*corev1.Pod{nil}})
	assert.EqualError(t, err, "cluster-autoscaler: pod 0 of the snapshot is nil")
	_, err = p.Pack(context.Background(), &packing.Snapshot{Nodes: []*packing.Node{nil}})
	assert.EqualError(t, err, "cluster-autoscaler: node 0 of the snapshot is nil")

	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.Pack(cancelled, &packing.Snapshot{Pods: testPods("w", 1, 1, 1)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestChance(t *testing.T) {
	groups := []*packing.NodeGroup{testGroup("a", 4, 16), testGroup("b", 4, 16, func(g *packing.NodeGroup) { g.Price = 1 })}
	s := &packing.Snapshot{Pods: testPods("w", 4, 1, 1)}
	p, err := New(groups)
	require.NoError(t, err)
	c, err := p.Chance(context.Background(), s, 40)
	require.NoError(t, err)
	// Both groups waste the same: either takes the one node.
	assert.Equal(t, 2, c.Distinct)
	assert.InDelta(t, 0.4, c.MinCost, 1e-9)
	assert.InDelta(t, 1.0, c.MaxCost, 1e-9)
	assert.Greater(t, c.MeanCost, c.MinCost)
	assert.Less(t, c.MeanCost, c.MaxCost)
	again, err := p.Chance(context.Background(), s, 40)
	require.NoError(t, err)
	assert.Equal(t, c, again)
	_, err = p.Chance(context.Background(), s, 0)
	require.ErrorIs(t, err, ErrOption)
}

func TestOnePackerServesManyAtOnce(t *testing.T) {
	for seed := range uint64(5) {
		problem := randomProblem(seed)
		p, err := New(problem.groups, problem.options...)
		require.NoError(t, err)
		want, err := p.Run(context.Background(), problem.snapshot)
		require.NoError(t, err)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				have, err := p.Run(context.Background(), problem.snapshot)
				if assert.NoError(t, err) {
					assert.Equal(t, trace(want), trace(have))
				}
			})
		}
		wait.Wait()
	}
}
