package replay

import (
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// snapshot is the cluster as engines read it: some pods that wait, and some nodes.
func (r *replay) snapshot(pods []*corev1.Pod, nodes []*packing.Node) *packing.Snapshot {
	s := *r.scenario.Snapshot
	s.Pods, s.Nodes, s.Now = pods, nodes, r.moment()
	s.PodDisruptionBudgets = r.budgets.objects()
	return &s
}

// show returns a node as engines read it. While nothing about it changes it is the same
// object, so that engines need not read it again.
func (n *node) show(claim *packing.NodeClaim) *packing.Node {
	if n.view != nil && sameClaim(n.view.Claim, claim) {
		return n.view
	}
	v := &packing.Node{Node: n.obj, Price: n.bill.price, Claim: claim, Pods: make([]*corev1.Pod, len(n.pods))}
	for i, p := range n.pods {
		v.Pods[i] = p.obj
	}
	if n.nodeGroup != nil {
		v.NodeGroup = n.nodeGroup.Name
	}
	n.view = v
	return v
}

func sameClaim(a, b *packing.NodeClaim) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// judge has the referee look at a pod that is to be bound.
func (r *replay) judge(p *pod, n *node) error {
	var nodes []*packing.Node
	var there *packing.Node
	for _, x := range r.nodes {
		if !x.registered() {
			continue
		}
		v := &packing.Node{Node: x.obj}
		for _, y := range x.pods {
			v.Pods = append(v.Pods, y.obj)
		}
		if nodes = append(nodes, v); x == n {
			there = v
		}
	}
	s := r.snapshot([]*corev1.Pod{p.obj}, nodes)
	s.DaemonSets = nil // those that come have their room by now
	plan := &packing.Plan{Packer: "kube-scheduler", Placements: []packing.Placement{{Node: there, Pods: s.Pods}}}
	var errs []error
	for _, v := range packing.Verify(s, plan, packing.WithNodePools(r.scenario.NodePools...)) {
		errs = append(errs, fmt.Errorf("the referee: %s", v))
	}
	return errors.Join(errs...)
}

func capacityTypeOf(n *corev1.Node) string {
	if t := n.Labels[requirements.LabelCapacityType]; t != "" {
		return t
	}
	return requirements.CapacityTypeOnDemand
}

// staysWithNode reports whether a pod belongs to its node: a daemon pod or a static one.
func staysWithNode(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "DaemonSet" || o.Kind == "Node" })
}

func ownedByDaemonSet(d *appsv1.DaemonSet) metav1.OwnerReference {
	yes := true
	uid := d.UID
	if uid == "" {
		uid = uidOf(d.Namespace, "DaemonSet/"+d.Name)
	}
	return metav1.OwnerReference{APIVersion: "apps/v1", Kind: "DaemonSet", Name: d.Name, UID: uid, Controller: &yes}
}

// daemonTolerations are those that the DaemonSet controller adds to all of its pods
// (pkg/controller/daemon/util/daemonset_util.go).
var daemonTolerations = []corev1.Toleration{
	{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeDiskPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeMemoryPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodePIDPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
}
