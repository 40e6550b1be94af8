package drain

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Budget is a pod disruption budget in use.
type Budget struct {
	// Allowed is how many more of its pods may go (status.disruptionsAllowed).
	Allowed int32

	initial   int32
	namespace string
	selector  labels.Selector
}

// Budgets are all pod disruption budgets of a cluster.
type Budgets []*Budget

// NewBudgets reads budgets. Errors name the budget and the field.
func NewBudgets(pdbs []*policyv1.PodDisruptionBudget) (Budgets, error) {
	out := make(Budgets, 0, len(pdbs))
	for _, p := range pdbs {
		selector, err := metav1.LabelSelectorAsSelector(p.Spec.Selector)
		if err != nil {
			return nil, fmt.Errorf("pod disruption budget %s/%s: spec.selector: %w", p.Namespace, p.Name, err)
		}
		out = append(out, &Budget{initial: p.Status.DisruptionsAllowed, Allowed: p.Status.DisruptionsAllowed,
			namespace: p.Namespace, selector: selector})
	}
	return out, nil
}

// Reset forgets what was taken.
func (b Budgets) Reset() {
	for _, x := range b {
		x.Allowed = x.initial
	}
}

// Of returns the budgets that select a pod.
func (b Budgets) Of(pod *corev1.Pod) []*Budget {
	var out []*Budget
	for _, x := range b {
		if x.namespace == pod.Namespace && x.selector.Matches(labels.Set(pod.Labels)) {
			out = append(out, x)
		}
	}
	return out
}

// Take counts pods as gone, each given by the budgets that select it, and reports
// whether all of them could go at once (RemainingPdbTracker: CanRemovePods, RemovePods).
func (b Budgets) Take(pods [][]*Budget) (atOnce bool) {
	atOnce = true
	for _, budgets := range pods {
		for _, x := range budgets {
			x.Allowed--
			if x.Allowed < 0 {
				atOnce = false
			}
		}
	}
	return atOnce
}

// SetAllowed takes over how many pods may go, and reports whether that has changed.
func (x *Budget) SetAllowed(n int32) bool {
	changed := x.initial != n
	x.initial, x.Allowed = n, n
	return changed
}
