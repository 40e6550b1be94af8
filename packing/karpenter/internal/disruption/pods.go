// Package disruption holds the rules by which Karpenter judges whether pods may
// be moved, what moving them costs, and how many nodes a pool lets go at once:
// pure functions of objects and a moment, without a simulation.
package disruption

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Labels, annotations and taints of Karpenter v1.14.1 (pkg/apis/v1) that stop or
// accompany a disruption.
const (
	AnnotationDoNotDisrupt = "karpenter.sh/do-not-disrupt"
	TaintDisrupted         = "karpenter.sh/disrupted"
)

// Terminal reports whether a pod has run to its end.
func Terminal(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
}

func active(p *corev1.Pod) bool { return !Terminal(p) && p.DeletionTimestamp == nil }

func ownedBy(p *corev1.Pod, apiVersion, kind string) bool {
	for _, o := range p.OwnerReferences {
		if o.APIVersion == apiVersion && o.Kind == kind {
			return true
		}
	}
	return false
}

// OwnedByDaemonSet reports whether a DaemonSet keeps the pod on its node.
func OwnedByDaemonSet(p *corev1.Pod) bool { return ownedBy(p, "apps/v1", "DaemonSet") }

// OwnedByNode reports whether the pod is the mirror of a static pod.
func OwnedByNode(p *corev1.Pod) bool { return ownedBy(p, "v1", "Node") }

// Reschedulable reports whether a pod needs a place elsewhere when its node
// goes: it is active, or a StatefulSet brings it back, and it belongs to no
// DaemonSet and no node (pkg/utils/pod/scheduling.go, IsReschedulable).
func Reschedulable(p *corev1.Pod) bool {
	returns := active(p) || ownedBy(p, "apps/v1", "StatefulSet") && p.DeletionTimestamp != nil
	return returns && !OwnedByDaemonSet(p) && !OwnedByNode(p)
}

// Protected reports whether the pod's do-not-disrupt annotation holds at a
// moment: "true", or a positive duration since the pod's start that has not
// passed; anything else counts as absent (IsDoNotDisruptActive).
func Protected(p *corev1.Pod, now time.Time) bool {
	always, grace := Protection(p)
	return always || grace > 0 && (p.Status.StartTime == nil || now.Sub(p.Status.StartTime.Time) < grace)
}

// Protection is what the pod's do-not-disrupt annotation says: always, or for so long
// from the pod's start on; 0 if it says neither.
func Protection(p *corev1.Pod) (always bool, grace time.Duration) {
	value, ok := p.Annotations[AnnotationDoNotDisrupt]
	if !ok {
		return false, 0
	}
	if value == "true" {
		return true, 0
	}
	grace, err := time.ParseDuration(value)
	if err != nil || grace <= 0 {
		return false, 0
	}
	return false, grace
}

// Disruptable reports whether the pod itself lets its node be disrupted.
func Disruptable(p *corev1.Pod, now time.Time) bool { return !active(p) || !Protected(p, now) }

// evictable reports whether the eviction API would be called for the pod
// (IsEvictable): PodDisruptionBudgets of other pods do not matter.
func evictable(p *corev1.Pod, now time.Time) bool {
	return active(p) && !toleratesDisrupted(p) && !OwnedByNode(p) && !Protected(p, now)
}

// StaysThroughDrain reports whether draining a node leaves the pod there.
func StaysThroughDrain(p *corev1.Pod) bool { return toleratesDisrupted(p) || OwnedByNode(p) }

// toleratesDisrupted reports whether the pod tolerates the taint
// karpenter.sh/disrupted:NoSchedule and thus stays on a node that is drained.
func toleratesDisrupted(p *corev1.Pod) bool {
	for _, t := range p.Spec.Tolerations {
		if t.Effect != "" && t.Effect != corev1.TaintEffectNoSchedule {
			continue
		}
		if t.Key != "" && t.Key != TaintDisrupted {
			continue
		}
		equal := t.Operator == "" || t.Operator == corev1.TolerationOpEqual
		if t.Operator == corev1.TolerationOpExists || equal && t.Value == "" {
			return true
		}
	}
	return false
}

// Bounds and scales of the cost of an eviction (pkg/utils/disruption/disruption.go).
const (
	maxEvictionCost   = 10.0
	deletionCostScale = 1 << 27
	priorityScale     = 1 << 25
)

// EvictionCost is what it costs to evict a pod: 1, plus its deletion cost over
// 2^27, plus its priority over 2^25, clamped to [-10, 10]. A deletion cost that
// is no number counts as absent.
func EvictionCost(p *corev1.Pod) float64 {
	cost := 1.0
	if text, ok := p.Annotations[corev1.PodDeletionCost]; ok {
		if c, err := strconv.ParseFloat(text, 64); err == nil {
			cost += c / deletionCostScale
		}
	}
	if p.Spec.Priority != nil {
		cost += float64(*p.Spec.Priority) / priorityScale
	}
	return min(max(cost, -maxEvictionCost), maxEvictionCost)
}

// NodeBaseCost is the cost of disrupting a node without pods. Each pod adds its eviction cost if that is
// positive: the denominator of the savings ratio (pkg/controllers/disruption/types.go).
const NodeBaseCost = 1.0

// LifetimeRemaining is the share of a node's lifetime, from 0 to 1, that is left
// before it expires; 1 if it never does.
func LifetimeRemaining(created, now time.Time, expireAfter time.Duration, never bool) float64 {
	if never {
		return 1
	}
	total := expireAfter.Seconds()
	return min(max((total-now.Sub(created).Seconds())/total, 0), 1)
}
