package clusterautoscaler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// site is a cluster made by hand: nodes of 4 cores and 16 GiB, half an hour old.
type site struct {
	Cluster
	groups []*packing.NodeGroup
}

func newSite() *site { return &site{Cluster: Cluster{Snapshot: &packing.Snapshot{Now: noon}}} }

func (s *site) group(name string, minSize int, change ...func(*packing.NodeGroup)) {
	list := quantities(4000, 16<<10, 110)
	g := &packing.NodeGroup{Name: name, MinSize: minSize, MaxSize: 100, Price: 1,
		Template: &corev1.Node{Status: corev1.NodeStatus{Allocatable: list, Capacity: list}}}
	for _, c := range change {
		c(g)
	}
	s.groups = append(s.groups, g)
}

// node adds a node, named after its group and number, with pods of one workload each.
func (s *site) node(group string, pods ...*corev1.Pod) *packing.Node {
	g := s.groups[slices.IndexFunc(s.groups, func(g *packing.NodeGroup) bool { return g.Name == group })]
	name := fmt.Sprintf("%s-%d", group, g.TargetSize)
	g.TargetSize++
	list := quantities(4000, 16<<10, 110)
	born := metav1.NewTime(noon.Add(-30 * time.Minute))
	n := &packing.Node{NodeGroup: group, Pods: pods, Node: &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: born, Labels: map[string]string{corev1.LabelHostname: name}},
		Status: corev1.NodeStatus{Allocatable: list, Capacity: list, Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: born}}}}}
	for _, p := range pods {
		p.Spec.NodeName = name
	}
	s.Snapshot.Nodes = append(s.Snapshot.Nodes, n)
	return n
}

// worker is a pod of a replica set that requests so many thousandths of a core.
func worker(name string, cpu int64, changes ...func(*corev1.Pod)) *corev1.Pod {
	yes := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": "web"},
			CreationTimestamp: metav1.NewTime(noon.Add(-24 * time.Hour)),
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "web", Controller: &yes}}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(cpu, resource.DecimalSI)}}}}},
	}
	for _, c := range changes {
		c(p)
	}
	return p
}

func (s *site) loop(t *testing.T, options ...Option) *Loop {
	t.Helper()
	p, err := New(s.groups, options...)
	require.NoError(t, err)
	l, err := p.ScaleDown(context.Background(), s.Cluster)
	require.NoError(t, err)
	return l
}

func (s *site) run(t *testing.T, options ...Option) *History {
	t.Helper()
	p, err := New(s.groups, options...)
	require.NoError(t, err)
	h, err := p.RunFor(context.Background(), s.Cluster, Timeline{})
	require.NoError(t, err)
	return h
}

// reasons says of every node why it stays, with the pod to blame, or that it goes.
func reasons(l *Loop) map[string]string {
	out := make(map[string]string)
	for _, u := range slices.Concat(l.Unremovable, l.Others) {
		text := string(u.Reason)
		if u.BlockingPod != nil {
			text += " " + u.BlockingPod.Name
		}
		if u.Blocking != "" {
			text += " " + string(u.Blocking)
		}
		out[u.Node.Name] = text
	}
	for _, d := range l.Deletions {
		out[d.Node.Name] = "goes"
	}
	return out
}

// deletions lists what went and when.
func deletions(h *History) []string {
	var out []string
	for _, l := range h.Loops {
		for _, d := range l.Deletions {
			text := fmt.Sprintf("%v %s", l.At.Sub(noon), d.Node.Name)
			for _, m := range d.Pods {
				text += fmt.Sprintf(" %s>%s", m.Pod.Name, m.To)
			}
			out = append(out, text)
		}
	}
	return out
}

// since makes all nodes unneeded for so long.
func (s *site) since(ago time.Duration) {
	s.Memory.Unneeded = make(map[string]time.Time)
	for _, n := range s.Snapshot.Nodes {
		s.Memory.Unneeded[n.Name] = s.Snapshot.Now.Add(-ago)
	}
}

func TestUnderusedNodeGoesAfterTenMinutes(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a", worker("small", 2000)) // exactly half
	s.node("a", worker("large", 2001))
	h := s.run(t)
	// Unneeded since 0 s, it must be so for more than 10 min; its pod fits: 4001 > 4000 does not.
	require.Equal(t, map[string]string{"a-0": "NoPlaceToMovePods", "a-1": "NotUnderutilized"}, reasons(h.Loops[0]))
	require.Empty(t, deletions(h))

	s = newSite()
	s.group("a", 0)
	s.node("a", worker("small", 1000))
	s.node("a", worker("large", 3000))
	h = s.run(t)
	require.Equal(t, map[string]string{"a-0": "NotUnneededLongEnough", "a-1": "NotUnderutilized"}, reasons(h.Loops[0]))
	require.Equal(t, Utilization{CPU: 0.25}, h.Loops[0].Utilization["a-0"])
	require.Equal(t, []string{"10m10s a-0 small>a-1"}, deletions(h))
	next := h.Loops[62]
	require.Len(t, next.Pending, 1)
	require.Equal(t, "a-1", next.Bound[0].To)
	require.Equal(t, 1, h.FinalSizes[0].Size)
	require.Equal(t, 1.0, h.Cost)
	require.Empty(t, h.Pending)
}

func TestGroupOptions(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.group("b", 0)
	s.node("a")
	s.node("b")
	h := s.run(t, WithScaleDownUnneededTime(time.Minute), WithNodeGroupOptions("b", func(o *NodeGroupOptions) { o.ScaleDownUnneededTime = 0 }))
	require.Equal(t, []string{"0s b-0", "1m10s a-0"}, deletions(h), "without a time it goes at once")
}

func TestMinimalSizes(t *testing.T) {
	s := newSite()
	s.group("a", 2)
	for range 2 {
		s.node("a")
	}
	l := s.loop(t)
	require.Equal(t, ScaleDownNoCandidates, l.Result)
	require.Equal(t, map[string]string{"a-0": "NodeGroupMinSizeReached", "a-1": "NodeGroupMinSizeReached"}, reasons(l))
	require.Empty(t, l.Unremovable, "the original has no word for these")

	s.node("a")
	s.since(time.Hour)
	l = s.loop(t)
	require.Equal(t, map[string]string{"a-0": "goes", "a-1": "NodeGroupMinSizeReached", "a-2": "NodeGroupMinSizeReached"}, reasons(l))
}

func TestClusterMinimum(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	for range 3 {
		s.node("a")
	}
	s.since(time.Hour)
	l := s.loop(t, WithScaleDown(func(d *ScaleDownSettings) { d.CoresTotal = 7 }))
	require.Equal(t, map[string]string{"a-0": "goes", "a-1": "MinimalResourceLimitExceeded", "a-2": "MinimalResourceLimitExceeded"}, reasons(l),
		"12 cores less 4 are 8, less another 4 would be below 7")
	l = s.loop(t, WithScaleDown(func(d *ScaleDownSettings) { d.MemoryTotal = 32 }))
	require.Equal(t, 1, len(l.Deletions))
}

func TestCooldowns(t *testing.T) {
	for _, c := range []struct {
		name    string
		memory  Memory
		options []Option
		want    ScaleDownResult
	}{
		{"nothing happened", Memory{}, nil, ScaleDownNodeDeleteStarted},
		{"scaled up less than 10 min ago", Memory{LastScaleUp: noon.Add(-10*time.Minute + 1)}, nil, ScaleDownInCooldown},
		{"scaled up 10 min ago", Memory{LastScaleUp: noon.Add(-10 * time.Minute)}, nil, ScaleDownNodeDeleteStarted},
		{"no delay", Memory{LastScaleUp: noon}, []Option{WithScaleDownDelayAfterAdd(0)}, ScaleDownNodeDeleteStarted},
		{"deleted just now", Memory{LastDeletion: noon}, nil, ScaleDownNodeDeleteStarted},
		{"deleted within the delay", Memory{LastDeletion: noon.Add(-time.Minute)}, []Option{WithScaleDownDelayAfterDelete(2 * time.Minute)}, ScaleDownInCooldown},
		{"failed less than 3 min ago", Memory{LastFailure: noon.Add(-2 * time.Minute)}, nil, ScaleDownInCooldown},
		{"failed 3 min ago", Memory{LastFailure: noon.Add(-3 * time.Minute)}, nil, ScaleDownNodeDeleteStarted},
	} {
		s := newSite()
		s.group("a", 0)
		s.node("a")
		s.Memory = c.memory
		s.since(11 * time.Minute)
		l := s.loop(t, c.options...)
		require.Equal(t, c.want, l.Result, c.name)
		if c.want == ScaleDownInCooldown {
			require.Equal(t, map[string]string{"a-0": "InCooldown"}, reasons(l), c.name)
			require.Equal(t, noon.Add(-11*time.Minute), l.Memory.Unneeded["a-0"], "%s: timers run on", c.name)
		}
	}

	s := newSite()
	s.group("a", 0)
	s.node("a")
	s.since(time.Hour)
	s.Snapshot.Pods = []*corev1.Pod{worker("new", 100_000, func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(noon.Add(-time.Second)) })}
	require.Equal(t, ScaleDownInCooldown, s.loop(t).Result, "pods are coming in")
}

func TestUnreadyNodes(t *testing.T) {
	unready := func(n *packing.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }
	s := newSite()
	s.group("a", 0)
	unready(s.node("a"))
	s.since(19 * time.Minute)
	require.Equal(t, map[string]string{"a-0": "NotUnreadyLongEnough"}, reasons(s.loop(t)))
	s.since(20*time.Minute + 1)
	require.Equal(t, map[string]string{"a-0": "goes"}, reasons(s.loop(t)))
	require.Equal(t, map[string]string{"a-0": "ScaleDownUnreadyDisabled"}, reasons(s.loop(t, WithScaleDown(func(d *ScaleDownSettings) { d.Unready = false }))))

	for range 3 {
		unready(s.node("a"))
	}
	s.since(time.Hour)
	l := s.loop(t)
	require.Equal(t, ScaleDownNotTried, l.Result, "4 of 4 nodes are not ready")
	require.Equal(t, "ClusterUnhealthy", reasons(l)["a-3"])
	require.Empty(t, l.Memory.Unneeded, "all timers start anew")
	for _, n := range s.Snapshot.Nodes {
		n.CreationTimestamp = metav1.NewTime(noon.Add(-14 * time.Minute))
	}
	require.NotEqual(t, ScaleDownNotTried, s.loop(t).Result, "nodes that are still starting do not count")
}

func TestParallelism(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.group("full", 0)
	for range 12 {
		s.node("a")
	}
	for i := range 3 {
		s.node("a", worker(fmt.Sprintf("pod-%d", i), 100))
	}
	for range 2 {
		s.node("full", worker("full", 2500))
	}
	s.since(time.Hour)
	count := func(l *Loop) (empty, drained int) {
		for _, d := range l.Deletions {
			if d.Drain {
				drained++
			} else {
				empty++
			}
		}
		return empty, drained
	}
	for _, c := range []struct{ parallel, drain, empty, drained int }{
		{10, 1, 10, 0}, {13, 1, 12, 1}, {20, 1, 12, 1}, {20, 2, 12, 2}, {14, 5, 12, 2}, {20, 0, 12, 0}, {1, 1, 1, 0},
	} {
		l := s.loop(t, WithMaxScaleDownParallelism(c.parallel), WithMaxDrainParallelism(c.drain))
		empty, drained := count(l)
		require.Equal(t, [2]int{c.empty, c.drained}, [2]int{empty, drained}, "%+v", c)
	}
	l := s.loop(t, WithMaxScaleDownParallelism(20))
	require.Equal(t, "ParallelismReached", reasons(l)["a-13"])
}

func TestNoMoreUnneededNodesThanCanGoAreLookedFor(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	for range 5 {
		s.node("a")
	}
	l := s.loop(t, WithMaxScaleDownParallelism(1))
	require.Len(t, l.Unneeded, 2, "one in a loop, and one to spare")
	require.Equal(t, "NotUnneededOtherReason", reasons(l)["a-4"])
}

// TestGhost: the node that is to go stays as a topology domain, unless the constraint
// leaves tainted nodes out.
func TestGhost(t *testing.T) {
	for policy, want := range map[corev1.NodeInclusionPolicy]string{
		corev1.NodeInclusionPolicyIgnore: "NoPlaceToMovePods", // skew 2 - 0
		corev1.NodeInclusionPolicyHonor:  "goes",
	} {
		spread := func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone,
				WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels}, NodeTaintsPolicy: &policy}}
		}
		s := newSite()
		s.group("a", 0)
		s.group("b", 1)
		s.node("a", worker("x", 100, spread)).Labels[corev1.LabelTopologyZone] = "1"
		s.node("b", worker("y", 100, spread)).Labels[corev1.LabelTopologyZone] = "2"
		s.since(time.Hour)
		require.Equal(t, want, reasons(s.loop(t))["a-0"], policy)
	}
}

func TestUnremovableNodesAreLeftAlone(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a", worker("small", 2000))
	s.node("a", worker("large", 2500))
	h := s.run(t)
	for i, want := range map[int]string{0: "NoPlaceToMovePods", 1: "RecentlyUnremovable", 29: "RecentlyUnremovable", 30: "NoPlaceToMovePods", 31: "RecentlyUnremovable"} {
		require.Equal(t, want, reasons(h.Loops[i])["a-0"], "loop %d", i)
	}
}

func TestGroupsThatGoAsAWhole(t *testing.T) {
	s := newSite()
	s.group("a", 0, func(g *packing.NodeGroup) { g.ZeroOrMax = true })
	s.node("a")
	s.node("a", worker("large", 2500))
	s.since(time.Hour)
	require.Equal(t, map[string]string{"a-0": "AtomicScaleDownFailed", "a-1": "NotUnderutilized"}, reasons(s.loop(t)))
	s.Snapshot.Nodes[1].Pods = nil
	require.Equal(t, map[string]string{"a-0": "goes", "a-1": "goes"}, reasons(s.loop(t, WithMaxScaleDownParallelism(1))), "one group may exceed the limit")
}

// TestWhatKeepsANode puts one pod on a node that is otherwise unneeded since an hour,
// beside a node with room.
func TestWhatKeepsANode(t *testing.T) {
	annotate := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, key, value) }
	}
	owner := func(kind, name string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.OwnerReferences[0].Kind, p.OwnerReferences[0].Name = kind, name }
	}
	bare := func(p *corev1.Pod) { p.OwnerReferences = nil }
	system := func(age time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Namespace, p.CreationTimestamp = metav1.NamespaceSystem, metav1.NewTime(noon.Add(-age))
		}
	}
	disk := func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	}
	deleted := func(ago time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			at := metav1.NewTime(noon.Add(-ago))
			p.DeletionTimestamp = &at
		}
	}
	const evict = "cluster-autoscaler.kubernetes.io/safe-to-evict"
	for _, c := range []struct {
		name string
		pod  *corev1.Pod
		site func(*site)
		want string // reason, or "goes" with or without the pod
	}{
		{name: "nothing", pod: worker("p", 100), want: "goes p>b-0"},
		{name: "mirror", pod: worker("p", 100, bare, annotate(corev1.MirrorPodAnnotationKey, "x")), want: "goes"},
		{name: "long terminating", pod: worker("p", 100, bare, deleted(2*time.Minute)), want: "goes"},
		{name: "terminating", pod: worker("p", 100, deleted(time.Second)), want: "goes p>b-0"},
		{name: "finished", pod: worker("p", 100, bare, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), want: "goes"},
		{name: "expendable", pod: worker("p", 100, bare, func(p *corev1.Pod) { low := int32(-11); p.Spec.Priority = &low }), want: "goes"},
		{name: "unreplicated", pod: worker("p", 100, bare), want: "BlockedByPod p NotReplicated"},
		{name: "custom controller", pod: worker("p", 100, owner("Rollout", "web")), want: "BlockedByPod p NotReplicated"},
		{name: "controller is gone", pod: worker("p", 100), want: "BlockedByPod p ControllerNotFound",
			site: func(s *site) {
				s.Controllers = []Controller{{Kind: "ReplicaSet", Namespace: "default", Name: "web", Missing: true}}
			}},
		{name: "few replicas", pod: worker("p", 100), want: "goes p>b-0",
			site: func(s *site) {
				s.Controllers = []Controller{{Kind: "ReplicaSet", Namespace: "default", Name: "web", Replicas: 1}}
			}},
		{name: "daemon pod of a set", pod: worker("p", 100, owner("DaemonSet", "agent")), want: "goes",
			site: func(s *site) {
				s.Snapshot.DaemonSets = []*appsv1.DaemonSet{{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "agent"}}}
			}},
		{name: "daemon pod without a set", pod: worker("p", 100, owner("DaemonSet", "agent")), want: "BlockedByPod p ControllerNotFound"},
		{name: "safe to evict", pod: worker("p", 100, bare, disk, annotate(evict, "true")), want: "goes p>b-0"},
		{name: "not safe to evict", pod: worker("p", 100, annotate(evict, "false")), want: "BlockedByPod p NotSafeToEvictAnnotation"},
		{name: "on completion", pod: worker("p", 100, annotate(evict, "on-completion")), want: "BlockedByOnCompletionPod"},
		{name: "young in kube-system", pod: worker("p", 100, system(time.Minute)), want: "BlockedByPod p UnmovableKubeSystemPod"},
		{name: "old in kube-system", pod: worker("p", 100, system(2*time.Hour)), want: "goes p>b-0"},
		{name: "local storage", pod: worker("p", 100, disk), want: "BlockedByPod p LocalStorageRequested"},
		{name: "budget exhausted", pod: worker("p", 100), want: "BlockedByPod p NotEnoughPdb",
			site: func(s *site) {
				s.Snapshot.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
					Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{}}}}
			}},
		{name: "what is not modelled", pod: worker("p", 100, func(p *corev1.Pod) {
			p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}}
		}), want: "UnsupportedPod p"},
		{name: "no room", pod: worker("p", 2000), want: "NoPlaceToMovePods"},
		{name: "annotated node", pod: worker("p", 100), want: "ScaleDownDisabledAnnotation",
			site: func(s *site) {
				metav1.SetMetaDataAnnotation(&s.Snapshot.Nodes[0].ObjectMeta, scaleDownDisabled, "true")
			}},
		{name: "node being deleted", pod: worker("p", 100), want: "CurrentlyBeingDeleted",
			site: func(s *site) {
				s.Snapshot.Nodes[0].Spec.Taints = []corev1.Taint{{Key: toBeDeletedTaint, Value: fmt.Sprint(noon.Add(-time.Minute).Unix()), Effect: corev1.TaintEffectNoSchedule}}
			}},
		{name: "nothing to allocate", pod: worker("p", 100), want: "UnexpectedError",
			site: func(s *site) { delete(s.Snapshot.Nodes[0].Status.Allocatable, corev1.ResourceMemory) }},
		{name: "node of no group", pod: worker("p", 100), want: "NotAutoscaled",
			site: func(s *site) { s.Snapshot.Nodes[0].NodeGroup = ""; s.groups[0].TargetSize = 0 }},
		{name: "idle GPUs", pod: worker("p", 3000), want: "NoPlaceToMovePods", // only the GPUs count
			site: func(s *site) {
				s.Snapshot.Nodes[0].Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("4")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite()
			s.group("a", 0)
			s.group("b", 1) // stays
			s.node("a", c.pod)
			s.node("b", worker("b", 2500))
			if c.site != nil {
				c.site(s)
			}
			s.since(2 * time.Hour)
			l := s.loop(t)
			got := reasons(l)["a-0"]
			for _, d := range l.Deletions {
				for _, m := range d.Pods {
					got += " " + m.Pod.Name + ">" + m.To
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestMinReplicaCount(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a", worker("p", 100))
	s.Controllers = []Controller{{Kind: "ReplicaSet", Namespace: "default", Name: "web", Replicas: 1}}
	require.Equal(t, "BlockedByPod p MinReplicasReached", reasons(s.loop(t, WithMinReplicaCount(2)))["a-0"])
}

// TestBudgetsAreSharedByTheNodesOfALoop: two nodes with a pod each, one of which may go.
func TestBudgetsAreSharedByTheNodesOfALoop(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.group("b", 1)
	s.node("a", worker("x", 100))
	s.node("a", worker("y", 100))
	s.node("b", worker("b", 2500, func(p *corev1.Pod) { p.Labels = map[string]string{"app": "other"} }))
	s.Snapshot.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:   policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
		Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: 1}}}
	s.since(time.Hour)
	got := reasons(s.loop(t, WithMaxDrainParallelism(2)))
	require.Equal(t, "goes", got["a-0"])
	require.Contains(t, got["a-1"], "NotEnoughPdb")
}

func TestUtilizationOfDaemonAndMirrorPods(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a",
		worker("daemon", 1000, func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "DaemonSet" }),
		worker("mirror", 1000, func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, corev1.MirrorPodAnnotationKey, "x") }),
		worker("pod", 1000))
	require.Equal(t, 0.75, s.loop(t).Utilization["a-0"].CPU)
	require.Equal(t, 2.0/3, s.loop(t, WithIgnoreDaemonSetsUtilization(true)).Utilization["a-0"].CPU, "2 of 3 cores")
	require.Equal(t, 0.5, s.loop(t, WithIgnoreDaemonSetsUtilization(true),
		WithScaleDown(func(d *ScaleDownSettings) { d.IgnoreMirrorPodsUtilization = true })).Utilization["a-0"].CPU, "1 of 2 cores")
}

func TestScaleDownErrors(t *testing.T) {
	group := func() []*packing.NodeGroup { s := newSite(); s.group("a", 0); return s.groups }
	for want, options := range map[string][]Option{
		"max-scale-down-parallelism": {WithMaxScaleDownParallelism(-1)},
		"max-drain-parallelism":      {WithMaxDrainParallelism(-1)},
		"scale-down-delay-after-add": {WithScaleDownDelayAfterAdd(-1)},
		"scale-down-unneeded-time":   {WithScaleDownUnneededTime(-1)},
		"threshold":                  {WithScaleDownUtilizationThreshold(-0.1)},
	} {
		_, err := New(group(), options...)
		require.ErrorIs(t, err, ErrOption)
		require.ErrorContains(t, err, want)
	}
	p, err := New(group(), WithNodeGroupOptions("a", func(o *NodeGroupOptions) { o.ScaleDownUnreadyTime = -1 }))
	require.NoError(t, err)
	_, err = p.ScaleDown(context.Background(), Cluster{Snapshot: &packing.Snapshot{}})
	require.ErrorContains(t, err, `node group "a": scale-down-unneeded-time`)

	p, err = New(group())
	require.NoError(t, err)
	_, err = p.ScaleDown(context.Background(), Cluster{})
	require.ErrorContains(t, err, "snapshot is nil")
	_, err = p.ScaleDown(context.Background(), Cluster{Snapshot: &packing.Snapshot{Nodes: []*packing.Node{nil}}})
	require.ErrorContains(t, err, "node 0")
	_, err = p.ScaleDown(context.Background(), Cluster{Snapshot: &packing.Snapshot{Pods: []*corev1.Pod{nil}}})
	require.ErrorContains(t, err, "pod 0")
	_, err = p.ScaleDown(context.Background(), Cluster{Snapshot: &packing.Snapshot{PodDisruptionBudgets: []*policyv1.PodDisruptionBudget{{
		ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}}}}})
	require.ErrorContains(t, err, "/x: spec.selector")
	_, err = p.RunFor(context.Background(), Cluster{Snapshot: &packing.Snapshot{}}, Timeline{For: -1})
	require.ErrorIs(t, err, ErrOption)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.RunFor(cancelled, Cluster{Snapshot: &packing.Snapshot{}}, Timeline{})
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}

// TestMemoryChainsLoops: loops one by one, each with the memory of the one before, see
// and do what a run over time does while nothing in the cluster changes.
func TestMemoryChainsLoops(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.group("b", 2)
	for i := range 6 {
		s.node("a", worker(fmt.Sprint("a", i), int64(300*i)))
	}
	s.node("b", worker("b", 2500))
	s.node("b", worker("c", 1500, func(p *corev1.Pod) { p.UID = types.UID("c") }))
	h := s.run(t)
	start := s.Snapshot.Now
	for i, want := range h.Loops {
		s.Snapshot.Now = start.Add(time.Duration(i) * 10 * time.Second)
		got := s.loop(t)
		s.Memory = got.Memory
		require.Equal(t, reasons(want), reasons(got), "loop %d", i)
		require.Equal(t, names(want.Candidates), names(got.Candidates), "loop %d", i)
		require.Equal(t, names(want.Unneeded), names(got.Unneeded), "loop %d", i)
		if len(want.Deletions) > 0 {
			require.Equal(t, want.Deletions, got.Deletions)
			return
		}
	}
	t.Error("nothing was deleted")
}

func names(nodes []*corev1.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	return strings.Join(out, " ")
}

// TestWithoutAMoment: where a snapshot has no moment, ages do not matter.
func TestWithoutAMoment(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a", worker("system", 100, func(p *corev1.Pod) { p.Namespace = metav1.NamespaceSystem }))
	s.group("b", 1)
	s.node("b")
	s.Snapshot.Now = time.Time{}
	s.Snapshot.Pods = []*corev1.Pod{worker("waits", 100)}
	h := s.run(t)
	require.Len(t, h.Loops[0].Bound, 1, "it does not arrive later")
	require.Empty(t, h.Pending)
	var gone []string
	for _, l := range h.Loops {
		for _, d := range l.Deletions {
			gone = append(gone, l.At.Sub(h.Loops[0].At).String()+" "+d.Node.Name)
		}
	}
	require.Equal(t, []string{"10m10s a-0"}, gone)
}

// TestSeeds: the same seed draws the same run, and some seeds draw different ones.
func TestSeeds(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	for i := range 8 {
		s.node("a", worker(fmt.Sprint("pod-", i), 500))
	}
	seen := make(map[string]bool)
	for seed := range uint64(8) {
		first := strings.Join(deletions(s.run(t, WithSeed(seed))), "\n")
		require.Equal(t, first, strings.Join(deletions(s.run(t, WithSeed(seed))), "\n"), "seed %d", seed)
		seen[first] = true
	}
	require.Greater(t, len(seen), 1)
}

func TestNoScaleDown(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a")
	s.since(time.Hour)
	l := s.loop(t, WithScaleDown(func(d *ScaleDownSettings) { d.Enabled = false }))
	require.Equal(t, ScaleDownNotTried, l.Result)
	require.Equal(t, map[string]string{"a-0": "ScaleDownDisabled"}, reasons(l))
}

// TestNodesOnTheirWay: a node that is new and not ready is left out while its group is
// being scaled up; nodes asked for come when their time has come, and start a cooldown.
func TestNodesOnTheirWay(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	n := s.node("a")
	n.CreationTimestamp = metav1.NewTime(noon.Add(-time.Minute))
	n.Status.Conditions[0].Status = corev1.ConditionFalse
	require.Equal(t, map[string]string{"a-0": "NotUnreadyLongEnough"}, reasons(s.loop(t)), "nothing was asked for")
	s.groups[0].TargetSize++
	require.Equal(t, map[string]string{"a-0": "NotStarted"}, reasons(s.loop(t)))

	s = newSite()
	s.group("a", 0)
	s.node("a")
	s.Snapshot.Pods = []*corev1.Pod{worker("large", 3900), worker("larger", 4000)}
	p, err := New(s.groups)
	require.NoError(t, err)
	h, err := p.RunFor(context.Background(), s.Cluster, Timeline{For: 2 * time.Minute, NodeProvisionTime: 45 * time.Second})
	require.NoError(t, err)
	require.Len(t, h.Loops, 13)
	require.Equal(t, []ScaleUp{{s.groups[0], 1, 2}}, h.Loops[0].ScaleUps)
	for i, l := range h.Loops[1:] {
		require.Empty(t, l.ScaleUps, "one node is on its way, then there")
		require.Equal(t, ScaleDownInCooldown, l.Result)
		require.Equal(t, i+1 == 5, len(l.NewNodes) == 1, "after 45 s, in the loop at 50 s")
	}
	require.Empty(t, h.Pending)
	require.Equal(t, 2, h.FinalSizes[0].Size)
}
