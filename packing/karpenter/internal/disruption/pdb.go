package disruption

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Limits are PodDisruptionBudgets as Karpenter reads them (pkg/utils/pdb/pdb.go). They serve one goroutine
// at a time and remember which budgets match pods that have their labels in common.
type Limits struct {
	all      []limit
	matching map[labelled][]*limit
}

// labelled are pods of a namespace that share their labels.
type labelled struct {
	namespace string
	labels    unsafe.Pointer
	n         int
}

type limit struct {
	namespace, name string
	selector        labels.Selector
	allowed         int32 // status.disruptionsAllowed
	blocksAll       bool  // it can never allow a disruption
	freesUnhealthy  bool  // unhealthy pods may always be evicted
}

// NewLimits reads budgets. Errors name the budget whose selector is bad.
func NewLimits(budgets []*policyv1.PodDisruptionBudget) (*Limits, error) {
	limits := &Limits{all: make([]limit, 0, len(budgets)), matching: map[labelled][]*limit{}}
	for _, b := range budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return nil, fmt.Errorf("pod disruption budget %s/%s: selector: %w", b.Namespace, b.Name, err)
		}
		policy := b.Spec.UnhealthyPodEvictionPolicy
		limits.all = append(limits.all, limit{
			namespace: b.Namespace, name: b.Name, selector: selector,
			allowed:        b.Status.DisruptionsAllowed,
			blocksAll:      isNone(b.Spec.MaxUnavailable) || isAll(b.Spec.MinAvailable),
			freesUnhealthy: policy != nil && *policy == policyv1.AlwaysAllow,
		})
	}
	return limits, nil
}

// None reports whether there are no budgets.
func (l *Limits) None() bool { return len(l.all) == 0 }

// of returns the budgets that match a pod.
func (l *Limits) of(p *corev1.Pod) []*limit {
	if l.None() {
		return nil
	}
	key := labelled{p.Namespace, reflect.ValueOf(p.Labels).UnsafePointer(), len(p.Labels)}
	matching, known := l.matching[key]
	if !known {
		for i := range l.all {
			if l.all[i].namespace == p.Namespace && l.all[i].selector.Matches(labels.Set(p.Labels)) {
				matching = append(matching, &l.all[i])
			}
		}
		l.matching[key] = matching
	}
	return matching
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
func (l *Limits) Blocking(pods []*corev1.Pod, now time.Time) string {
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
func (l *Limits) CurrentlyReschedulable(p *corev1.Pod, now time.Time) bool {
	return Reschedulable(p) && Disruptable(p, now) &&
		l.blockers(p, now, func(b *limit) bool { return b.blocksAll }) == ""
}

func (l *Limits) blockers(p *corev1.Pod, now time.Time, blocks func(*limit) bool) string {
	matching := l.of(p)
	if len(matching) == 0 || !evictable(p, now) {
		return ""
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
