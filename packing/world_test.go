package packing_test

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// world is a small cluster and a good plan for it, to be broken:
//
//	node n1 (zone a), n2 (zone b)   4 CPU, 16 GiB, 10 pods each; the daemon (100m) is there
//	launch l1 (zone a), l2 (zone b) of node pool "default", the same size
//	launch g1 (zone c) of node group "workers"
//
// Pods a, b, c, d, e (500m each) wait; one goes to each in turn.
type world struct {
	snapshot *packing.Snapshot
	plan     *packing.Plan
	pool     *packing.NodePool
	group    *packing.NodeGroup
	machine  *instancetypes.InstanceType
	pods     map[string]*corev1.Pod
}

func newWorld() *world {
	w := &world{pods: map[string]*corev1.Pod{}}
	w.machine = &instancetypes.InstanceType{
		Name:     "m.xlarge",
		Capacity: vector("cpu=4,memory=16Gi,pods=10"),
		Requirements: requirements.NewSet(
			requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, "m.xlarge"),
			requirements.Must(corev1.LabelArchStable, requirements.In, "amd64"),
			requirements.Must(corev1.LabelOSStable, requirements.In, "linux")),
	}
	for _, zone := range []string{"a", "b", "c"} {
		for capacityType, price := range map[string]float64{"on-demand": 0.2, "spot": 0.08} {
			w.machine.Offerings = append(w.machine.Offerings, instancetypes.Offering{
				Price: price, Available: true,
				Requirements: requirements.FromLabels(map[string]string{corev1.LabelTopologyZone: zone, requirements.LabelCapacityType: capacityType}),
			})
		}
	}
	w.pool = &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	w.pool.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{
		{Key: corev1.LabelArchStable, Operator: requirements.In, Values: []string{"amd64"}},
		{Key: requirements.LabelCapacityType, Operator: requirements.In, Values: []string{"on-demand", "spot"}},
	}
	w.pool.Spec.Limits = list("cpu=16,nodes=4")
	w.group = &packing.NodeGroup{
		Name: "workers", MaxSize: 2, TargetSize: 1, Price: 0.2,
		Template:      packing.TemplateNode(w.machine, packing.TemplateOptions{Zone: "c"}),
		InstanceTypes: []*instancetypes.InstanceType{w.machine},
	}
	agent := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "agent"}}
	agent.Spec.Template.Labels = map[string]string{"app": "agent"}
	agent.Spec.Template.Spec.Containers = containers("cpu=100m")
	w.snapshot = &packing.Snapshot{DaemonSets: []*appsv1.DaemonSet{agent}}
	for i, zone := range []string{"a", "b"} {
		name := fmt.Sprint("n", i+1)
		n := packing.TemplateNode(w.machine, packing.TemplateOptions{Zone: zone})
		n.Name = name
		n.Labels[corev1.LabelHostname] = name
		daemon := pod("agent-"+name, "cpu=100m")
		daemon.Namespace = "kube-system"
		daemon.Labels = map[string]string{"app": "agent"}
		daemon.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "agent"}}
		w.snapshot.Nodes = append(w.snapshot.Nodes, &packing.Node{Node: n, Pods: []*corev1.Pod{daemon}})
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "left"} {
		w.pods[name] = pod(name, "cpu=500m")
		w.snapshot.Pods = append(w.snapshot.Pods, w.pods[name])
	}
	w.plan = &packing.Plan{
		Launches: []*packing.Launch{
			w.launch("l1", "a", w.pods["c"]),
			w.launch("l2", "b", w.pods["d"]),
			{Name: "g1", NodeGroup: w.group, InstanceType: w.machine, Zone: "c", CapacityType: "on-demand", Price: 0.2, Pods: []*corev1.Pod{w.pods["e"]}},
		},
		Placements: []packing.Placement{
			{Node: w.snapshot.Nodes[0], Pods: []*corev1.Pod{w.pods["a"]}},
			{Node: w.snapshot.Nodes[1], Pods: []*corev1.Pod{w.pods["b"]}},
		},
		Unschedulable: []packing.Unschedulable{{Pod: w.pods["left"]}},
	}
	return w
}

func (w *world) launch(name, zone string, pods ...*corev1.Pod) *packing.Launch {
	return &packing.Launch{
		Name: name, NodePool: w.pool, InstanceType: w.machine,
		Zone: zone, CapacityType: "on-demand", Price: 0.2, Pods: pods,
	}
}

// move takes a pod from where the plan has it to a node or launch.
func (w *world) move(name, to string) {
	drop := func(pods []*corev1.Pod) []*corev1.Pod {
		return slices.DeleteFunc(pods, func(p *corev1.Pod) bool { return p == w.pods[name] })
	}
	for i := range w.plan.Placements {
		p := &w.plan.Placements[i]
		if p.Pods = drop(p.Pods); p.Node.Name == to {
			p.Pods = append(p.Pods, w.pods[name])
		}
	}
	for _, l := range w.plan.Launches {
		if l.Pods = drop(l.Pods); l.Name == to {
			l.Pods = append(l.Pods, w.pods[name])
		}
	}
	w.plan.Unschedulable = slices.DeleteFunc(w.plan.Unschedulable, func(u packing.Unschedulable) bool { return u.Pod == w.pods[name] })
}

// bind puts a further pod on node n1 or n2 of the snapshot.
func (w *world) bind(node int, p *corev1.Pod) {
	w.snapshot.Nodes[node-1].Pods = append(w.snapshot.Nodes[node-1].Pods, p)
}

func (w *world) label(labels map[string]string, names ...string) {
	for _, name := range names {
		w.pods[name].Labels = labels
	}
}

// require sets the required node affinity of a pod to OR-ed terms of one expression each.
func (w *world) require(name string, exprs ...corev1.NodeSelectorRequirement) {
	selector := &corev1.NodeSelector{}
	for _, e := range exprs {
		selector.NodeSelectorTerms = append(selector.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{e}})
	}
	w.pods[name].Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: selector}}
}

func vector(text string) resources.Vector { return resources.MustFromList(list(text)) }

// list reads "cpu=4,memory=16Gi".
func list(text string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, part := range split(text, ",") {
		kv := split(part, "=")
		out[corev1.ResourceName(kv[0])] = resource.MustParse(kv[1])
	}
	return out
}

func split(s, sep string) (parts []string) {
	for _, p := range strings.Split(s, sep) {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

func containers(requests string) []corev1.Container {
	return []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: list(requests)}}}
}

func pod(name, requests string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{Containers: containers(requests)},
	}
}

func expr(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
}

func term(key string, labels map[string]string) corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: labels}}
}

func affinity(terms ...corev1.PodAffinityTerm) *corev1.Affinity {
	return &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
}

func antiAffinity(terms ...corev1.PodAffinityTerm) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
}

func spread(key string, maxSkew int32, labels map[string]string) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{
		TopologyKey: key, MaxSkew: maxSkew, WhenUnsatisfiable: corev1.DoNotSchedule,
		LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
	}
}

func ptr[T any](v T) *T { return &v }

var web = map[string]string{"app": "web"}

const (
	zone = corev1.LabelTopologyZone
	host = corev1.LabelHostname
)
