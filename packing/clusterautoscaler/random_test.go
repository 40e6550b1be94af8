package clusterautoscaler

import (
	"fmt"
	"math/rand/v2"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
)

// problem is a random problem: a cluster, its groups, the flags.
type problem struct {
	snapshot *packing.Snapshot
	groups   []*packing.NodeGroup
	options  []Option
}

// randomProblem draws a small problem with every kind of constraint that the
// engine reads; the same seed gives the same problem.
func randomProblem(seed uint64) problem {
	d := &draw{rand.New(rand.NewPCG(seed, 1))}
	p := problem{snapshot: &packing.Snapshot{}}
	for i := range 1 + d.IntN(4) {
		p.groups = append(p.groups, d.group(i))
	}
	for i := range d.IntN(6) {
		p.snapshot.Nodes = append(p.snapshot.Nodes, d.node(i, p.groups))
	}
	for _, g := range p.groups {
		n := 0
		for _, node := range p.snapshot.Nodes {
			if node.NodeGroup == g.Name {
				n++
			}
		}
		g.TargetSize = n
		g.MaxSize += n
		if d.one(5) && !g.ZeroOrMax {
			g.TargetSize = min(g.MaxSize, n+d.IntN(3))
		}
	}
	if d.one(3) {
		p.snapshot.DaemonSets = append(p.snapshot.DaemonSets, d.daemonSet())
	}
	for w := range 1 + d.IntN(6) {
		p.snapshot.Pods = append(p.snapshot.Pods, d.workload(w)...)
	}
	if d.one(3) {
		d.Shuffle(len(p.snapshot.Pods), func(i, j int) {
			p.snapshot.Pods[i], p.snapshot.Pods[j] = p.snapshot.Pods[j], p.snapshot.Pods[i]
		})
	}
	p.options = append(p.options,
		WithExpander(expanders[d.IntN(len(expanders))]),
		WithFastpathBinpacking(d.one(4)),
		WithBalanceSimilarNodeGroups(d.one(3)),
		WithSalvoScaleUp(d.one(5)),
		WithMaxNodesPerScaleUp([]int{1000, 1000, 3, 7}[d.IntN(4)]),
	)
	if d.one(4) {
		p.options = append(p.options, WithMaxNodesTotal(1+d.IntN(20)))
	}
	return p
}

type draw struct{ *rand.Rand }

// one is true once in n times.
func (d *draw) one(n int) bool { return d.IntN(n) == 0 }

func (d *draw) zone() string { return []string{"a", "b", "c"}[d.IntN(3)] }

func quantities(cpu, memory, pods int) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(int64(cpu), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(int64(memory)<<20, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(int64(pods), resource.DecimalSI),
	}
}

func (d *draw) shape() *corev1.Node {
	size := 1 << d.IntN(4)
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{
		corev1.LabelTopologyZone: d.zone(), corev1.LabelInstanceTypeStable: fmt.Sprint("size-", size), "disk": []string{"ssd", "hdd"}[d.IntN(2)],
	}}}
	n.Status.Capacity = quantities(1000*size, 2048*size, 5+10*size)
	n.Status.Allocatable = quantities(1000*size-80, 2048*size-300, 5+10*size)
	if d.one(6) {
		n.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "x", Effect: corev1.TaintEffectNoSchedule}}
	}
	return n
}

func (d *draw) group(i int) *packing.NodeGroup {
	g := &packing.NodeGroup{Name: fmt.Sprint("group-", i), MaxSize: 1 + d.IntN(30), Template: d.shape(),
		Price: float64(1+d.IntN(8)) / 8, Priority: d.IntN(3) * 10, ZeroOrMax: d.one(12)}
	if g.ZeroOrMax {
		// The original lets such a group be the similar one of another, and so grow in part.
		g.Template.Labels["atomic"] = g.Name
	}
	return g
}

func (d *draw) node(i int, groups []*packing.NodeGroup) *packing.Node {
	n := &packing.Node{Node: d.shape()}
	if g := groups[d.IntN(len(groups))]; d.one(2) && !g.ZeroOrMax {
		n.Node, n.NodeGroup = g.Template.DeepCopy(), g.Name
	}
	n.Name = fmt.Sprint("node-", i)
	n.Labels[corev1.LabelHostname] = n.Name
	if d.one(8) { // as the node controller marks a cordoned node
		n.Spec.Unschedulable = true
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
	// A node stays within what it has, and nothing there is expendable or kept from where it is.
	free := n.Status.Allocatable.Cpu().MilliValue()
	for j, p := range d.workload(100 + i) {
		requests := p.Spec.Containers[0].Resources.Requests
		free -= requests.Cpu().MilliValue()
		if j >= 4 || free < 0 {
			break
		}
		requests[corev1.ResourceMemory] = *resource.NewQuantity(32<<20, resource.BinarySI)
		p.Spec.Priority, p.Spec.Containers[0].Ports = nil, nil
		p.Spec.NodeName = n.Name
		n.Pods = append(n.Pods, p)
	}
	return n
}

func (d *draw) daemonSet() *appsv1.DaemonSet {
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "ds", Namespace: "default", UID: "ds"}}
	ds.Spec.Template.Labels = map[string]string{"app": "ds"}
	ds.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: quantities(50, 64, 0)}}}
	if d.one(3) {
		ds.Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}}
	}
	if d.one(2) {
		ds.Spec.Template.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	}
	return ds
}

func (d *draw) selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprint("w", d.IntN(6))}}
}

// workload is a handful of pods of one controller, mostly alike.
func (d *draw) workload(w int) []*corev1.Pod {
	app := fmt.Sprint("w", w%6)
	yes := true
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{"app": app},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: app, UID: types.UID(fmt.Sprint("rs-", w)), Controller: &yes}}}}
	pod.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: quantities(50*(1+d.IntN(20)), 64*(1+d.IntN(20)), 0)}}}
	delete(pod.Spec.Containers[0].Resources.Requests, corev1.ResourcePods)
	d.constrain(&pod, app)
	pods := make([]*corev1.Pod, 1+d.IntN(40))
	for i := range pods {
		p := pod.DeepCopy()
		p.Name = fmt.Sprint("w", w, "-", i)
		p.UID = types.UID(p.Name)
		if d.one(60) {
			p.OwnerReferences = nil
		}
		if d.one(60) {
			p.Labels["version"] = fmt.Sprint(i)
		}
		pods[i] = p
	}
	return pods
}

func (d *draw) constrain(pod *corev1.Pod, app string) {
	own := &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	keys := []string{corev1.LabelTopologyZone, corev1.LabelHostname}
	if d.one(5) {
		pod.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	}
	if d.one(4) {
		pod.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
	}
	if d.one(8) {
		pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: int32(80 + d.IntN(2))}}
	}
	if d.one(8) {
		p := int32(d.IntN(3)*10 - 15)
		pod.Spec.Priority = &p
	}
	for range 2 {
		if !d.one(6) {
			continue
		}
		t := corev1.TopologySpreadConstraint{MaxSkew: int32(1 + d.IntN(3)), TopologyKey: keys[d.IntN(2)], WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: own}
		if d.one(4) {
			t.WhenUnsatisfiable = corev1.ScheduleAnyway
		}
		if d.one(4) && t.WhenUnsatisfiable == corev1.DoNotSchedule {
			n := int32(1 + d.IntN(3))
			t.MinDomains = &n
		}
		if d.one(4) {
			t.LabelSelector = d.selector()
		}
		if d.one(4) {
			honor := corev1.NodeInclusionPolicyHonor
			t.NodeTaintsPolicy = &honor
		}
		pod.Spec.TopologySpreadConstraints = append(pod.Spec.TopologySpreadConstraints, t)
	}
	affinity := &corev1.Affinity{}
	if d.one(6) {
		affinity.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: keys[d.IntN(2)], LabelSelector: []*metav1.LabelSelector{own, d.selector()}[d.IntN(2)]}}}
	}
	if d.one(8) {
		affinity.PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: keys[d.IntN(2)], LabelSelector: []*metav1.LabelSelector{own, d.selector()}[d.IntN(2)]}}}
	}
	if affinity.PodAffinity != nil || affinity.PodAntiAffinity != nil {
		pod.Spec.Affinity = affinity
	}
}
