package scenarios

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios/internal/disruption"
)

// completeBudgets works out the status of PodDisruptionBudgets that have none, as
// those written by hand: without it disruptionsAllowed would be 0, and nothing
// could ever be evicted. A status from a cluster is left as it is.
func completeBudgets(s *packing.Snapshot, budgets []*policyv1.PodDisruptionBudget) {
	var pods map[string][]*corev1.Pod
	var scales map[controller]int
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
func podsByNamespace(s *packing.Snapshot) (map[string][]*corev1.Pod, map[controller]int) {
	pods, scales := map[string][]*corev1.Pod{}, map[controller]int{}
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

// budgetStatus is what the disruption controller reports of a budget that covers some pods.
func budgetStatus(spec *policyv1.PodDisruptionBudgetSpec, pods []*corev1.Pod, scales map[controller]int) policyv1.PodDisruptionBudgetStatus {
	current := 0
	for _, p := range pods {
		if healthy(p) {
			current++
		}
	}
	return disruption.Status(spec, len(pods), current, func() (int, bool) { return expectedScale(pods, scales) })
}

// expectedScale sums the scales of the controllers of pods; pods without a controller count nothing. It is
// not known if one of them has none.
func expectedScale(pods []*corev1.Pod, scales map[controller]int) (expected int, known bool) {
	seen := map[controller]bool{}
	for _, p := range pods {
		c, ok := controllerOf(p)
		if !ok || seen[c] {
			continue
		}
		if !disruption.HasScale(c.kind) {
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
