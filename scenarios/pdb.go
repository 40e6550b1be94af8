package scenarios

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/packing"
)

// completeBudgets works out the status of PodDisruptionBudgets that have none, as
// those written by hand: without it disruptionsAllowed would be 0, and nothing
// could ever be evicted. A status from a cluster is left as it is.
//
// It models the disruption controller of Kubernetes 1.34
// (pkg/controller/disruption/disruption.go).
func completeBudgets(s *packing.Snapshot, budgets []*policyv1.PodDisruptionBudget) {
	var pods map[string][]*corev1.Pod
	var scales map[controller]int32
	for _, b := range budgets {
		if !reflect.ValueOf(b.Status).IsZero() {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			continue // validation tells
		}
		if scales == nil {
			pods, scales = podsByNamespace(s)
		}
		var covered []*corev1.Pod
		for _, p := range pods[b.Namespace] {
			if selector.Matches(labels.Set(p.Labels)) {
				covered = append(covered, p)
			}
		}
		b.Status = budgetStatus(&b.Spec, covered, scales)
	}
}

// controller identifies what made a pod, also where a manifest states no UID.
type controller struct{ namespace, kind, name string }

func controllerOf(p *corev1.Pod) (controller, bool) {
	ref := metav1.GetControllerOfNoCopy(p)
	if ref == nil {
		return controller{}, false
	}
	return controller{p.Namespace, ref.Kind, ref.Name}, true
}

// podsByNamespace returns all pods, and how many each controller has, those that
// wait included. After the controllers of a scenario have made their pods, that
// is the number of replicas they want.
func podsByNamespace(s *packing.Snapshot) (map[string][]*corev1.Pod, map[controller]int32) {
	pods, scales := map[string][]*corev1.Pod{}, map[controller]int32{}
	add := func(list []*corev1.Pod) {
		for _, p := range list {
			pods[p.Namespace] = append(pods[p.Namespace], p)
			if c, ok := controllerOf(p); ok {
				scales[c]++
			}
		}
	}
	add(s.Pods)
	for _, n := range s.Nodes {
		add(n.Pods)
	}
	return pods, scales
}

// budgetStatus is what the disruption controller reports of a budget that covers
// some pods. It allows as many disruptions as there are healthy pods beyond those
// desired, none where it cannot tell how many there should be.
func budgetStatus(spec *policyv1.PodDisruptionBudgetSpec, pods []*corev1.Pod, scales map[controller]int32) policyv1.PodDisruptionBudgetStatus {
	status := policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1}
	for _, p := range pods {
		if healthy(p) {
			status.CurrentHealthy++
		}
	}
	var known bool
	if status.ExpectedPods, status.DesiredHealthy, known = expectation(spec, pods, scales); known && status.ExpectedPods > 0 {
		status.DisruptionsAllowed = max(0, status.CurrentHealthy-status.DesiredHealthy)
	}
	return status
}

// expectation returns how many pods a budget counts on and how many of them are
// to be healthy; known is false if their controllers state no scale. Percentages
// are of the controllers' replicas and rounded up.
func expectation(spec *policyv1.PodDisruptionBudgetSpec, pods []*corev1.Pod, scales map[controller]int32) (expected, desired int32, known bool) {
	switch {
	case spec.MaxUnavailable != nil:
		if expected, known = expectedScale(pods, scales); !known {
			return 0, 0, false
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(spec.MaxUnavailable, int(expected), true)
		return expected, max(0, expected-int32(n)), err == nil
	case spec.MinAvailable != nil && spec.MinAvailable.Type == intstr.Int:
		return int32(len(pods)), spec.MinAvailable.IntVal, true
	case spec.MinAvailable != nil:
		if expected, known = expectedScale(pods, scales); !known {
			return 0, 0, false
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, int(expected), true)
		return expected, int32(n), err == nil
	default:
		return 0, 0, true // a budget that demands nothing allows nothing either
	}
}

// expectedScale sums the scales of the controllers of pods; pods without a
// controller count nothing. Jobs, DaemonSets and nodes have no scale: the
// controller then allows no disruption at all.
func expectedScale(pods []*corev1.Pod, scales map[controller]int32) (int32, bool) {
	seen := map[controller]bool{}
	expected := int32(0)
	for _, p := range pods {
		c, ok := controllerOf(p)
		if !ok || seen[c] {
			continue
		}
		switch c.kind {
		case "Job", "DaemonSet", "Node":
			return 0, false
		}
		seen[c] = true
		expected += scales[c]
	}
	return expected, true
}

// healthy reports whether a pod counts as available: it is bound, not
// terminating, and ready. A pod that reports no conditions at all was written by
// hand and is taken to run well.
func healthy(p *corev1.Pod) bool {
	if p.Spec.NodeName == "" || p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return len(p.Status.Conditions) == 0
}
