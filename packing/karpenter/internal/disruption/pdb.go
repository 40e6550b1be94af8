package disruption

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Limits are PodDisruptionBudgets as Karpenter reads them (pkg/utils/pdb/pdb.go).
type Limits []limit

type limit struct {
	namespace, name string
	selector        labels.Selector
	allowed         int32 // status.disruptionsAllowed
	blocksAll       bool  // it can never allow a disruption
	freesUnhealthy  bool  // unhealthy pods may always be evicted
}

// NewLimits reads budgets. Errors name the budget whose selector is bad.
func NewLimits(budgets []*policyv1.PodDisruptionBudget) (Limits, error) {
	limits := make(Limits, 0, len(budgets))
	for _, b := range budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return nil, fmt.Errorf("pod disruption budget %s/%s: selector: %w", b.Namespace, b.Name, err)
		}
		policy := b.Spec.UnhealthyPodEvictionPolicy
		limits = append(limits, limit{
			namespace: b.Namespace, name: b.Name, selector: selector,
			allowed:        b.Status.DisruptionsAllowed,
			blocksAll:      isNone(b.Spec.MaxUnavailable) || isAll(b.Spec.MinAvailable),
			freesUnhealthy: policy != nil && *policy == policyv1.AlwaysAllow,
		})
	}
	return limits, nil
}

func isNone(v *intstr.IntOrString) bool {
	return v != nil && (v.Type == intstr.Int && v.IntVal == 0 || v.Type == intstr.String && v.StrVal == "0%")
}

func isAll(v *intstr.IntOrString) bool {
	return v != nil && v.Type == intstr.String && v.StrVal == "100%"
}

// Blocking returns, for the first pod that cannot be evicted now, which budgets
// forbid it: one that allows no disruption, or several, which Kubernetes does
// not evict under. It is empty if each pod by itself could be evicted.
func (l Limits) Blocking(pods []*corev1.Pod, now time.Time) string {
	for _, p := range pods {
		if names := l.blockers(p, now, func(b *limit) bool { return b.allowed == 0 }); names != "" {
			return names
		}
	}
	return ""
}

// CurrentlyReschedulable reports whether a pod would really leave its node now,
// so that capacity for it makes sense: it is reschedulable, not protected, and
// no budget blocks it for good.
func (l Limits) CurrentlyReschedulable(p *corev1.Pod, now time.Time) bool {
	return Reschedulable(p) && Disruptable(p, now) &&
		l.blockers(p, now, func(b *limit) bool { return b.blocksAll }) == ""
}

func (l Limits) blockers(p *corev1.Pod, now time.Time, blocks func(*limit) bool) string {
	if !evictable(p, now) {
		return ""
	}
	var matching []*limit
	for i := range l {
		if l[i].namespace == p.Namespace && l[i].selector.Matches(labels.Set(p.Labels)) {
			matching = append(matching, &l[i])
		}
	}
	if len(matching) > 1 {
		names := make([]string, len(matching))
		for i, b := range matching {
			names[i] = b.namespace + "/" + b.name
		}
		return strings.Join(names, " ")
	}
	for _, b := range matching {
		if b.freesUnhealthy && unready(p) {
			return ""
		}
		if blocks(b) {
			return b.namespace + "/" + b.name
		}
	}
	return ""
}

func unready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionFalse {
			return true
		}
	}
	return false
}
