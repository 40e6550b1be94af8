package karpenter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestToBeMoved(t *testing.T) {
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	start, end := metav1.NewTime(now.Add(-time.Hour)), metav1.NewTime(now.Add(time.Minute))
	budget := func(name string, maxUnavailable intstr.IntOrString) *policyv1.PodDisruptionBudget {
		return &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &maxUnavailable, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{name: "yes"}}}}
	}
	budgets := []*policyv1.PodDisruptionBudget{budget("none", intstr.FromInt32(0)), budget("busy", intstr.FromInt32(1)), budget("one", intstr.FromString("50%"))}
	owned := func(kind string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: map[string]string{"Node": "v1"}[kind], Kind: kind}}
			if kind != "Node" {
				p.OwnerReferences[0].APIVersion = "apps/v1"
			}
		}
	}
	label := func(key string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Labels[key] = "yes" } }
	protect := func(value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations["karpenter.sh/do-not-disrupt"] = value }
	}
	stopping := func(p *corev1.Pod) { p.DeletionTimestamp = &end }
	tolerant := func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}} }
	for _, c := range []struct {
		name   string
		change []func(*corev1.Pod)
		want   bool
	}{
		{"a pod", nil, true},
		{"stopping", []func(*corev1.Pod){stopping}, false},
		{"stopping, of a StatefulSet", []func(*corev1.Pod){stopping, owned("StatefulSet")}, true},
		{"of a DaemonSet", []func(*corev1.Pod){owned("DaemonSet")}, false},
		{"static", []func(*corev1.Pod){owned("Node")}, false},
		{"protected", []func(*corev1.Pod){protect("true")}, false},
		{"protected for longer", []func(*corev1.Pod){protect("61m")}, false},
		{"protected for a time that has passed", []func(*corev1.Pod){protect("60m")}, true},
		{"behind a budget that never allows", []func(*corev1.Pod){label("none")}, false},
		{"behind a budget that does not allow now", []func(*corev1.Pod){label("busy")}, true},
		{"behind two budgets", []func(*corev1.Pod){label("busy"), label("one")}, false},
		{"not evicted at all", []func(*corev1.Pod){label("none"), tolerant}, true},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", Labels: map[string]string{}, Annotations: map[string]string{}}}
		p.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &start}
		for _, change := range c.change {
			change(p)
		}
		got, err := ToBeMoved([]*corev1.Pod{p}, budgets, now)
		require.NoError(t, err)
		require.Len(t, got, map[bool]int{true: 1}[c.want], c.name)
	}
	bad := budget("bad", intstr.FromInt32(1))
	bad.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}
	_, err := ToBeMoved(nil, []*policyv1.PodDisruptionBudget{bad}, now)
	require.ErrorContains(t, err, "default/bad")
}

func TestProtectedFor(t *testing.T) {
	for value, want := range map[string]time.Duration{"90s": 90 * time.Second, "true": 0, "-5m": 0, "soon": 0, "": 0} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"karpenter.sh/do-not-disrupt": value}}}
		require.Equal(t, want, ProtectedFor(p), value)
	}
}
