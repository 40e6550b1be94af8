package karpenter

import (
	"time"

	corev1 "k8s.io/api/core/v1"

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
