package karpenter

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// TaintDisrupted is the key of the taint that Karpenter puts on nodes that it empties.
const TaintDisrupted = disruption.TaintDisrupted

// Protected reports whether a pod's annotation karpenter.sh/do-not-disrupt holds at a
// moment: it is "true", or a duration since the pod's start that has not passed.
func Protected(p *corev1.Pod, now time.Time) bool { return disruption.Protected(p, now) }

// StaysThroughDrain reports whether a pod stays on a node that Karpenter empties: it
// tolerates the taint of such nodes, or is the mirror of a static pod
// (v1.14.1 pkg/utils/pod/scheduling.go, IsDrainable).
func StaysThroughDrain(p *corev1.Pod) bool { return disruption.StaysThroughDrain(p) }

// ProtectedFor returns for how long from its start on a pod's annotation
// karpenter.sh/do-not-disrupt protects it; 0 if not for a time: never, or for ever.
func ProtectedFor(p *corev1.Pod) time.Duration {
	_, grace := disruption.Protection(p)
	return grace
}

// ToBeMoved returns those pods of nodes that are being deleted for which Karpenter provides
// elsewhere: they belong to no DaemonSet and no node, are not protected at the moment, no budget
// blocks them for good, and they run or are brought back by a StatefulSet
// (v1.14.1 pkg/utils/pdb/pdb.go, IsCurrentlyReschedulable). An error names a budget
// whose selector is bad.
func ToBeMoved(pods []*corev1.Pod, budgets []*policyv1.PodDisruptionBudget, now time.Time) ([]*corev1.Pod, error) {
	limits, err := disruption.NewLimits(budgets)
	if err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	var out []*corev1.Pod
	for _, p := range pods {
		if limits.CurrentlyReschedulable(p, now) {
			out = append(out, p)
		}
	}
	return out, nil
}
