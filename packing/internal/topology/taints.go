package topology

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Tolerates reports whether the tolerations cover all taints, whatever their
// effect: to Karpenter a PreferNoSchedule taint is a taint like any other until
// it relaxes the pod (v1.14.1 pkg/scheduling/taints.go, Tolerates).
func Tolerates(tolerations []corev1.Toleration, taints []corev1.Taint) bool {
	_, found := Untolerated(tolerations, taints)
	return !found
}

// Untolerated returns the first taint that no toleration covers.
func Untolerated(tolerations []corev1.Toleration, taints []corev1.Taint) (corev1.Taint, bool) {
next:
	for i := range taints {
		for j := range tolerations {
			if tolerates(&tolerations[j], &taints[i]) {
				continue next
			}
		}
		return taints[i], true
	}
	return corev1.Taint{}, false
}

// tolerates is Kubernetes 1.35's Toleration.ToleratesTaint with the comparison
// operators enabled, as Karpenter calls it.
func tolerates(t *corev1.Toleration, taint *corev1.Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
		return false
	}
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		return t.Value == taint.Value
	case corev1.TolerationOpExists:
		return true
	case corev1.TolerationOpLt, corev1.TolerationOpGt:
		limit, ok1 := decimal(t.Value)
		value, ok2 := decimal(taint.Value)
		return ok1 && ok2 && (t.Operator == corev1.TolerationOpLt && value < limit || t.Operator == corev1.TolerationOpGt && value > limit)
	}
	return false
}

// decimal reads an integer as the API accepts it: no plus sign, no leading zero.
func decimal(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == text
}
