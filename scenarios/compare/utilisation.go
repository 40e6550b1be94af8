package compare

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// measureUtilisation sums requests and allocatable over the launched nodes.
// Errors name the pod or the daemon set whose requests cannot be read.
func (r *Result) measureUtilisation(s *packing.Snapshot, plan *packing.Plan) error {
	daemons, err := readDaemons(s.DaemonSets)
	if err != nil {
		return err
	}
	for _, l := range plan.Launches {
		node := l.Node()
		allocatable, err := resources.FromList(node.Status.Allocatable)
		if err != nil {
			return fmt.Errorf("node %s: allocatable: %w", l.Name, err)
		}
		var requested resources.Vector
		for _, pod := range l.Pods {
			request, err := resources.PodRequests(pod)
			if err != nil {
				return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
			}
			requested = requested.Add(request)
		}
		requested = requested.With(corev1.ResourcePods, int64(len(l.Pods)))
		requested = requested.Add(daemonRequests(daemons, node))
		r.LaunchedMilliCPU += node.Status.Capacity.Cpu().MilliValue()
		r.CPU.add(requested, allocatable, corev1.ResourceCPU)
		r.Memory.add(requested, allocatable, corev1.ResourceMemory)
		if l.InstanceType != nil && !requested.Fits(l.InstanceType.Allocatable()) {
			r.Overcommitted++
		}
	}
	return nil
}

func (u *Utilisation) add(requested, allocatable resources.Vector, name corev1.ResourceName) {
	u.Requested += requested.Get(name)
	u.Allocatable += allocatable.Get(name)
}

// DaemonRequests returns what daemon sets take of a node, the number of their
// pods included: a packer of your own must leave that room on what it launches.
// Errors name the daemon set whose template cannot be read.
func DaemonRequests(sets []*appsv1.DaemonSet, node *corev1.Node) (resources.Vector, error) {
	daemons, err := readDaemons(sets)
	if err != nil {
		return nil, err
	}
	return daemonRequests(daemons, node), nil
}

func daemonRequests(daemons []daemon, node *corev1.Node) resources.Vector {
	var sum resources.Vector
	for i := range daemons {
		if daemons[i].runsOn(node) {
			sum = sum.Add(daemons[i].request)
		}
	}
	return sum
}

// daemon is a daemon set as far as it weighs on a node.
type daemon struct {
	request      resources.Vector
	alternatives []requirements.Set
	tolerations  []corev1.Toleration
}

func readDaemons(sets []*appsv1.DaemonSet) ([]daemon, error) {
	daemons := make([]daemon, 0, len(sets))
	for _, set := range sets {
		pod := &corev1.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
		request, err := resources.PodRequests(pod)
		if err != nil {
			return nil, fmt.Errorf("daemon set %s/%s: %w", set.Namespace, set.Name, err)
		}
		alternatives, err := requirements.FromPod(pod)
		if err != nil {
			return nil, fmt.Errorf("daemon set %s/%s: %w", set.Namespace, set.Name, err)
		}
		daemons = append(daemons, daemon{request.With(corev1.ResourcePods, 1), alternatives, pod.Spec.Tolerations})
	}
	return daemons, nil
}

// runsOn reports whether the daemon set controller puts a pod on the node: one
// alternative matches its labels, and each taint that repels pods is tolerated.
// Taints that the controller tolerates for every daemon pod, such as not-ready,
// are not on a node that is planned.
func (d *daemon) runsOn(node *corev1.Node) bool {
	matches := false
	for _, set := range d.alternatives {
		matches = matches || set.MatchesLabels(node.Labels)
	}
	if !matches {
		return false
	}
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if taint.Effect != corev1.TaintEffectPreferNoSchedule && !tolerated(taint, d.tolerations) {
			return false
		}
	}
	return true
}

func tolerated(taint *corev1.Taint, tolerations []corev1.Toleration) bool {
	return slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool {
		return t.ToleratesTaint(klog.Logger{}, taint, false)
	})
}
