// Package disruption is the arithmetic of PodDisruptionBudgets, as the disruption controller of
// Kubernetes 1.34 does it (pkg/controller/disruption/disruption.go).
package disruption

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Status is what the controller reports of a budget that covers so many pods, of which so many are
// healthy. It allows as many disruptions as there are healthy pods beyond those desired, none
// where it cannot tell how many there should be. scale is how many pods their controllers want, false if
// that is not known; it is asked where the budget counts by it.
func Status(spec *policyv1.PodDisruptionBudgetSpec, pods, healthy int, scale func() (int, bool)) policyv1.PodDisruptionBudgetStatus {
	expected, desired, known := expectation(spec, pods, scale)
	status := policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1,
		CurrentHealthy: int32(healthy), DesiredHealthy: int32(desired), ExpectedPods: int32(expected)}
	if known && expected > 0 {
		status.DisruptionsAllowed = int32(max(0, healthy-desired))
	}
	return status
}

// expectation is how many pods a budget counts on and how many of them are to be healthy.
// Percentages are rounded up.
func expectation(spec *policyv1.PodDisruptionBudgetSpec, pods int, scale func() (int, bool)) (expected, desired int, known bool) {
	bound := spec.MaxUnavailable
	switch {
	case bound != nil:
	case spec.MinAvailable == nil:
		return 0, 0, true // a budget that demands nothing allows nothing either
	case spec.MinAvailable.Type == intstr.Int:
		return pods, spec.MinAvailable.IntValue(), true
	default:
		bound = spec.MinAvailable
	}
	if expected, known = scale(); !known {
		return 0, 0, false
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(bound, expected, true)
	if spec.MaxUnavailable != nil {
		n = max(0, expected-n)
	}
	return expected, n, err == nil
}

// HasScale reports whether controllers of a kind say how many pods they want. Those of built-in kinds do,
// but for Jobs, DaemonSets and nodes.
func HasScale(kind string) bool {
	switch kind {
	case "Job", "DaemonSet", "Node":
		return false
	}
	return true
}
