package clusterautoscaler

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
)

// PodArrived says that a pod waits for a node.
func (a *Autoscaler) PodArrived(pod *corev1.Pod) error {
	if _, known := a.numbers[nameOf(pod)]; known {
		return fmt.Errorf("pod %s/%s %w", pod.Namespace, pod.Name, ErrKnown)
	}
	if finished(pod) || pod.DeletionTimestamp != nil {
		return nil
	}
	k, err := a.kindOf(pod)
	if err != nil {
		return err
	}
	a.waiting = append(a.waiting, a.number(pod, k))
	return nil
}

// PodBound says that a pod has been bound to a node; it need not have been known before.
func (a *Autoscaler) PodBound(pod *corev1.Pod, node string) error {
	m := a.nodes[node]
	if m == nil {
		return fmt.Errorf("pod %s/%s: node %s %w", pod.Namespace, pod.Name, node, ErrUnknown)
	}
	if finished(pod) {
		a.PodGone(pod)
		return nil
	}
	k, err := a.kindOf(pod)
	if err != nil {
		return err
	}
	a.put(pod, k, m)
	return nil
}

// PodChanged says that a pod that is known is another now: its labels or annotations have changed, it is
// being deleted, or it has finished. A pod that is not known is no error: the autoscaler
// has no use for a waiting pod that is being deleted, nor for one that has finished.
func (a *Autoscaler) PodChanged(pod *corev1.Pod) error {
	n, known := a.numbers[nameOf(pod)]
	switch {
	case !known:
		return nil
	case finished(pod), a.at[n] == waitsForNode && pod.DeletionTimestamp != nil:
		a.PodGone(pod)
		return nil
	}
	k, err := a.kindOf(pod)
	if err != nil {
		return err
	}
	if a.at[n] == waitsForNode {
		a.describe(n, pod, k)
		a.changed = true
		return nil
	}
	a.put(pod, k, a.memberOf[a.at[n]])
	return nil
}

// PodGone says that a pod has finished or was deleted, wherever it was. A pod that is not
// known is none.
func (a *Autoscaler) PodGone(pod *corev1.Pod) {
	if n, known := a.numbers[nameOf(pod)]; known {
		a.lift(n)
		a.forgetPod(n)
	}
}

// finished reports whether a pod counts no more (pkg/utils/kubernetes/listers.go).
func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// put puts a pod on a node, wherever it was before.
func (a *Autoscaler) put(pod *corev1.Pod, k *kind, m *member) {
	n, known := a.numbers[nameOf(pod)]
	if known {
		a.lift(n)
		a.describe(n, pod, k)
	} else {
		n = a.number(pod, k)
	}
	a.bound[n], a.at[n], a.changed = true, m.index, true
	if a.run.expendable(k) {
		a.expendable[m.index] = insert(a.expendable[m.index], n)
		return
	}
	a.on[m.index] = insert(a.on[m.index], n)
	a.cluster.Place(k.class, m.index, 1)
	a.podsOf(m, &a.residents[n], 1)
}

// lift takes a pod off its node, or off those that wait.
func (a *Autoscaler) lift(n int32) {
	a.changed = true
	if a.at[n] == waitsForNode {
		a.dropWaiting(n)
		delete(a.process.hints, n)
		return
	}
	m := a.memberOf[a.at[n]]
	x := &a.residents[n]
	if a.run.expendable(a.pods.kinds[n]) {
		a.expendable[m.index] = without(a.expendable[m.index], n)
		return
	}
	a.on[m.index] = without(a.on[m.index], n)
	a.cluster.Place(x.class, m.index, -1)
	a.podsOf(m, x, -1)
}

// podsOf forgets what was known of a node's pods, of which one came or went.
func (a *Autoscaler) podsOf(m *member, x *resident, by int) {
	m.podsChanged()
	if x.terminating {
		m.known.terminating += by
	}
	if isDaemonPod(x.pod) || isMirrorPod(x.pod) {
		a.refreshDaemons(m)
	}
}

// insert puts a number in its place in a sorted list.
func insert(list []int32, n int32) []int32 {
	at, _ := slices.BinarySearch(list, n)
	return slices.Insert(list, at, n)
}

// without takes a number off a sorted list.
func without(list []int32, n int32) []int32 {
	at, ok := slices.BinarySearch(list, n)
	if !ok {
		return list
	}
	return slices.Delete(list, at, at+1)
}

// kindOf finds a pod's kind, as if it were not bound. Pods of one controller share slices
// and maps of their template, by which they are told to be alike.
func (a *Autoscaler) kindOf(pod *corev1.Pod) (*kind, error) {
	t := a.pods
	a.scratch = *pod
	a.scratch.Spec.NodeName = ""
	var uid *types.UID
	if owner := controllerOf(pod); owner != nil {
		uid = &owner.UID
	}
	k := t.index.find(&a.scratch, uid)
	if k.pod == &a.scratch { // a new one
		own := a.scratch
		k.pod = &own
	}
	if k.class == nil {
		if err := k.compile(a.universe, a.priorities); err != nil {
			return nil, err
		}
	}
	t.distinct, t.controllers = t.index.distinct, len(t.index.owners)-1
	for int(k.index) >= len(a.budgetsOf) {
		a.budgetsOf = append(a.budgetsOf, a.budgets.Of(t.distinct[len(a.budgetsOf)].pod))
	}
	return k, nil
}

// number gives a new pod a number.
func (a *Autoscaler) number(pod *corev1.Pod, k *kind) int32 {
	n := int32(len(a.residents))
	t := a.pods
	t.pods, t.kinds, t.daemon = append(t.pods, nil), append(t.kinds, nil), append(t.daemon, false)
	a.bound, a.at = append(a.bound, false), append(a.at, waitsForNode)
	a.residents = append(a.residents, resident{})
	a.numbers[nameOf(pod)] = n
	a.changed = true
	a.describe(n, pod, k)
	return n
}

// describe takes over what a pod is.
func (a *Autoscaler) describe(n int32, pod *corev1.Pod, k *kind) {
	t := a.pods
	t.pods[n], t.kinds[n], t.daemon[n] = pod, k, isDaemonPod(pod)
	a.residents[n] = resident{pod: pod, class: k.class, budgets: a.budgetsOf[k.index], priority: k.priority,
		terminating: pod.DeletionTimestamp != nil}
}

// forgetPod forgets a pod that is nowhere any more.
func (a *Autoscaler) forgetPod(n int32) {
	delete(a.numbers, nameOf(a.residents[n].pod))
	a.forgetHints(n)
	t := a.pods
	t.pods[n], t.kinds[n], a.residents[n] = nil, nil, resident{}
	a.at[n], a.bound[n] = forgotten, true
	a.podsGone++
}

// NodeJoined says that a node has registered, with the pods that are on it.
func (a *Autoscaler) NodeJoined(n *packing.Node) error {
	if a.nodes[n.Name] != nil {
		return fmt.Errorf("node %s %w", n.Name, ErrKnown)
	}
	profile, err := a.universe.Profile(n.Node)
	if err != nil {
		return err
	}
	for _, pod := range n.Pods {
		if _, err := a.kindOf(pod); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	m := &member{node: n.Node, group: -1, ready: a.ready(n.Node), existing: n}
	if n.NodeGroup != "" {
		m.group = a.groupNamed(n.NodeGroup)
	}
	a.register(m, a.cluster.AddNode(profile, false, nil))
	a.on, a.expendable = append(a.on, nil), append(a.expendable, nil)
	a.nodes[n.Name], a.changed = m, true
	for _, pod := range n.Pods {
		if finished(pod) {
			continue
		}
		k, err := a.kindOf(pod)
		if err != nil {
			return err
		}
		a.put(pod, k, m)
	}
	return nil
}

// NodeChanged says that a node is another now: it has become ready, was tainted or
// cordoned, or offers more. Its group stays.
func (a *Autoscaler) NodeChanged(n *corev1.Node) error {
	m := a.nodes[n.Name]
	if m == nil {
		return fmt.Errorf("node %s %w", n.Name, ErrUnknown)
	}
	profile, err := a.universe.Profile(n)
	if err != nil {
		return err
	}
	was := m.node
	counts := m.group >= 0 && m.going != goneFromCloud
	if counts && m.ready {
		a.readyCount[m.group]--
	}
	m.node, m.ready, a.changed = n, a.ready(n), true
	if counts && m.ready {
		a.readyCount[m.group]++
	}
	delete(a.ghosts, m)
	m.podsChanged()
	m.known.staleTemplate = m.group >= 0 && a.templateOf[m.group] == m
	if was.Labels[corev1.LabelHostname] != n.Labels[corev1.LabelHostname] ||
		!equality.Semantic.DeepEqual(was.Status.Allocatable, n.Status.Allocatable) {
		a.outdated = true
		return nil
	}
	held := slices.Clone(a.cluster.Held(m.index))
	for _, h := range held {
		a.cluster.Place(h.Class, m.index, -h.Pods)
	}
	a.cluster.Replace(m.index, profile)
	for _, h := range held {
		a.cluster.Place(h.Class, m.index, h.Pods)
	}
	return nil
}

// NodeGone says that a node is no longer registered; pods that are still on it are gone
// too. The target size of its group falls if the node was being deleted; it does not if the machine
// was lost, unless the cloud says so.
func (a *Autoscaler) NodeGone(name string) error {
	m := a.nodes[name]
	if m == nil {
		return fmt.Errorf("node %s %w", name, ErrUnknown)
	}
	for _, n := range slices.Concat(a.on[m.index], a.expendable[m.index]) {
		a.lift(n)
		a.forgetPod(n)
	}
	switch {
	case m.group < 0 || m.going == goneFromCloud:
	case m.underDeletion():
		a.leaveCloud(m)
	default:
		a.unregister(m)
	}
	a.endDeletion(m)
	a.cluster.RemoveNode(m.index)
	a.on[m.index], a.expendable[m.index], a.memberOf[m.index] = nil, nil, nil
	a.members = slices.DeleteFunc(a.members, func(x *member) bool { return x == m })
	delete(a.nodes, name)
	delete(a.ghosts, m)
	delete(a.planner.until, m.index)
	delete(a.planner.candidates, m.index)
	a.nodesGone++
	a.changed = true
	return nil
}
