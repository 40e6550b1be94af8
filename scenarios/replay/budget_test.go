package replay

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// budgetsOver are budgets in namespace default, one of each bound, that let so many of all pods be away.
func budgetsOver(t *testing.T, maxUnavailable ...string) *budgets {
	t.Helper()
	var objects []*policyv1.PodDisruptionBudget
	for i, bound := range maxUnavailable {
		o := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("budget-", i)}}
		o.Spec.Selector, o.Spec.MaxUnavailable = &metav1.LabelSelector{}, new(intstr.Parse(bound))
		objects = append(objects, o)
	}
	b, err := newBudgets(objects)
	require.NoError(t, err)
	return b
}

// controlled is a running pod of a namespace whose controller is of a kind, if it is of any.
func controlled(namespace, kind string) *pod {
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	if kind != "" {
		o.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Controller: new(true)}}
	}
	return &pod{obj: o, state: podRunning}
}

// Of two pods one may go if it is known that two are wanted: of a Job or a DaemonSet that is not, and
// pods that nobody controls are not wanted.
func TestBudgetCountsByScale(t *testing.T) {
	for kind, want := range map[string]int{"ReplicaSet": 1, "Job": 0, "DaemonSet": 0, "Node": 0, "": 0} {
		b := budgetsOver(t, "1")
		for range 2 {
			b.changed(controlled("default", kind))
		}
		require.Equal(t, want, b.all[0].allowed(), kind)
	}
}

// The replicas of a workload count once, however many of its pods are there.
func TestBudgetCountsReplicasOnce(t *testing.T) {
	b := budgetsOver(t, "50%")
	w := &workload{Controller: arrivals.Controller{Kind: "Deployment"}, replicas: 4}
	var pods []*pod
	for range 4 {
		p := controlled("default", "ReplicaSet")
		p.owner = w
		b.changed(p)
		pods = append(pods, p)
	}
	require.Equal(t, 2, b.all[0].allowed())
	require.True(t, b.allow(pods[0]))
	for _, p := range pods[:2] {
		p.state = podStopping
		b.changed(p)
	}
	require.Equal(t, 0, b.all[0].allowed())
	require.False(t, b.allow(pods[2]))
	pods[3].state = podStarting
	require.True(t, b.allow(pods[3]), "it does not run yet")
}

// A pod of another namespace is none of a budget's business. One that two budgets select goes by neither's leave.
func TestBudgetsOfAPod(t *testing.T) {
	b := budgetsOver(t, "100%", "100%")
	p, elsewhere := controlled("default", "ReplicaSet"), controlled("elsewhere", "ReplicaSet")
	b.changed(p)
	b.changed(elsewhere)
	require.Equal(t, []int32{1, 1}, b.allowances())
	require.Equal(t, []int32{0, 1}, b.indexes(p))
	require.Empty(t, b.indexes(elsewhere))
	require.False(t, b.allow(p))
	require.True(t, b.allow(elsewhere))
}
