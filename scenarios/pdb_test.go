package scenarios

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/packing"
)

// replica is a pod of the controller of that kind, bound to a node if it runs.
func replica(kind string, i int, running bool, conditions ...corev1.PodCondition) *corev1.Pod {
	yes := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "apps", Name: fmt.Sprintf("%s-%d", kind, i), Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: "web", Controller: &yes}},
	}}
	if running {
		p.Spec.NodeName = "n1"
	}
	p.Status.Conditions = conditions
	return p
}

func replicas(kind string, running, waiting int) []*corev1.Pod {
	var pods []*corev1.Pod
	for i := range running + waiting {
		pods = append(pods, replica(kind, i, i < running))
	}
	return pods
}

func TestBudgetStatusIsThatOfTheDisruptionController(t *testing.T) {
	num := func(n int) *intstr.IntOrString { v := intstr.FromInt32(int32(n)); return &v }
	share := func(s string) *intstr.IntOrString { v := intstr.FromString(s); return &v }
	ready := func(s corev1.ConditionStatus) corev1.PodCondition {
		return corev1.PodCondition{Type: corev1.PodReady, Status: s}
	}
	ending := replica("ReplicaSet", 1, true)
	ending.DeletionTimestamp = &metav1.Time{}
	bare := replicas("ReplicaSet", 3, 0)
	for _, p := range bare {
		p.OwnerReferences = nil
	}
	for _, tc := range []struct {
		name                       string
		min, max                   *intstr.IntOrString
		pods                       []*corev1.Pod
		healthy, expected, desired int32
		allowed                    int32
	}{
		{"maxUnavailable number", nil, num(1), replicas("ReplicaSet", 4, 0), 4, 4, 3, 1},      // 4 - (4 - 1)
		{"maxUnavailable share", nil, share("20%"), replicas("ReplicaSet", 9, 0), 9, 9, 7, 2}, // ceil(1.8) = 2
		{"maxUnavailable, one waits", nil, num(1), replicas("ReplicaSet", 3, 1), 3, 4, 3, 0},  // 3 - (4 - 1)
		{"maxUnavailable beyond all", nil, num(9), replicas("ReplicaSet", 2, 0), 2, 2, 0, 2},  // desired is not negative
		{"maxUnavailable none", nil, num(0), replicas("ReplicaSet", 2, 0), 2, 2, 2, 0},        // 2 - 2
		{"minAvailable number", num(2), nil, replicas("ReplicaSet", 3, 0), 3, 3, 2, 1},        // 3 - 2
		{"minAvailable more than there are", num(5), nil, replicas("ReplicaSet", 3, 0), 3, 3, 5, 0},
		{"minAvailable share", share("50%"), nil, replicas("StatefulSet", 5, 0), 5, 5, 3, 2},    // ceil(2.5) = 3
		{"minAvailable all", share("100%"), nil, replicas("StatefulSet", 5, 0), 5, 5, 5, 0},     // 5 - 5
		{"minAvailable number of a Job's pods", num(1), nil, replicas("Job", 3, 0), 3, 3, 1, 2}, // needs no scale
		{"maxUnavailable of a Job's pods", nil, num(1), replicas("Job", 3, 0), 3, 0, 0, 0},      // a Job has no scale
		{"maxUnavailable of pods without a controller", nil, num(1), bare, 3, 0, 0, 0},          // nothing is expected
		{"minAvailable of pods without a controller", num(1), nil, bare, 3, 3, 1, 2},            // 3 - 1
		{"neither", nil, nil, replicas("ReplicaSet", 3, 0), 3, 0, 0, 0},
		{"no pods", num(0), nil, nil, 0, 0, 0, 0},
		{"one not ready", nil, num(2), []*corev1.Pod{replica("ReplicaSet", 0, true, ready("True")), replica("ReplicaSet", 1, true, ready("False"))}, 1, 2, 0, 1},
		{"one terminates", nil, num(2), []*corev1.Pod{replica("ReplicaSet", 0, true), ending}, 1, 2, 0, 1},
		{"conditions without readiness", nil, num(2), []*corev1.Pod{replica("ReplicaSet", 0, true, corev1.PodCondition{Type: corev1.PodScheduled, Status: "True"})}, 0, 1, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &policyv1.PodDisruptionBudget{
				ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "web"},
				Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: tc.min, MaxUnavailable: tc.max, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
			}
			stranger := replica("ReplicaSet", 99, true)
			stranger.Namespace = "elsewhere"
			s := &packing.Snapshot{Nodes: []*packing.Node{{Node: &corev1.Node{}, Pods: []*corev1.Pod{stranger}}}}
			for _, p := range tc.pods {
				if p.Spec.NodeName == "" {
					s.Pods = append(s.Pods, p)
				} else {
					s.Nodes[0].Pods = append(s.Nodes[0].Pods, p)
				}
			}
			completeBudgets(s, []*policyv1.PodDisruptionBudget{b})
			got := b.Status
			if got.CurrentHealthy != tc.healthy || got.ExpectedPods != tc.expected || got.DesiredHealthy != tc.desired || got.DisruptionsAllowed != tc.allowed {
				t.Errorf("healthy %d, expected %d, desired %d, allowed %d; want %d, %d, %d, %d",
					got.CurrentHealthy, got.ExpectedPods, got.DesiredHealthy, got.DisruptionsAllowed, tc.healthy, tc.expected, tc.desired, tc.allowed)
			}
		})
	}
}

// What a cluster reports stays: there a status of 0 allowed disruptions has its reasons.
func TestBudgetStatusOfAClusterStays(t *testing.T) {
	b := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "apps"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{}},
		Status:     policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 3, ExpectedPods: 2, DesiredHealthy: 1},
	}
	one := intstr.FromInt32(1)
	b.Spec.MaxUnavailable = &one
	want := b.Status
	s := &packing.Snapshot{Nodes: []*packing.Node{{Node: &corev1.Node{}, Pods: replicas("ReplicaSet", 2, 0)}}}
	completeBudgets(s, []*policyv1.PodDisruptionBudget{b})
	if d := cmp.Diff(want, b.Status); d != "" {
		t.Errorf("status (- want, + got):\n%s", d)
	}
}

// A loaded scenario has the figures: of 45 web pods 20% may be away, 9; 36 are
// to be healthy, and only the 15 that are bound already run.
func TestLoadedBudgetsHaveAStatus(t *testing.T) {
	s, err := Named("half-full")
	if err != nil {
		t.Fatal(err)
	}
	want := policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1, CurrentHealthy: 15, ExpectedPods: 45, DesiredHealthy: 36}
	web := slices.IndexFunc(s.Snapshot.PodDisruptionBudgets, func(b *policyv1.PodDisruptionBudget) bool { return b.Name == "web" })
	if d := cmp.Diff(want, s.Snapshot.PodDisruptionBudgets[web].Status); d != "" {
		t.Errorf("status of web (- want, + got):\n%s", d)
	}
	for _, n := range s.Snapshot.Nodes {
		for _, p := range n.Pods {
			if p.Status.Phase != corev1.PodRunning {
				t.Fatalf("pod %s is bound and %s", p.Name, p.Status.Phase)
			}
		}
	}
}
