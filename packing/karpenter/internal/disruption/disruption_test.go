package disruption

import (
	"math"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/packing"
)

var now = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC) // a Sunday

func owned(kind, apiVersion string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "x"}}
}

func TestReschedulable(t *testing.T) {
	deleted := metav1.NewTime(now)
	for _, tc := range []struct {
		name string
		pod  corev1.Pod
		want bool
	}{
		{"plain", corev1.Pod{}, true},
		{"finished", corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}, false},
		{"terminating", corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted}}, false},
		{"terminating, comes back", corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, OwnerReferences: owned("StatefulSet", "apps/v1")}}, true},
		{"daemon", corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: owned("DaemonSet", "apps/v1")}}, false},
		{"mirror", corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: owned("Node", "v1")}}, false},
		{"DaemonSet of another group", corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: owned("DaemonSet", "example.com/v1")}}, true},
	} {
		if got := Reschedulable(&tc.pod); got != tc.want {
			t.Errorf("%s: Reschedulable = %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestProtected(t *testing.T) {
	started := metav1.NewTime(now.Add(-time.Hour))
	for value, want := range map[string]bool{"true": true, "false": false, "59m": false, "61m": true, "1h": false, "-2h": false, "0s": false, "soon": false} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{AnnotationDoNotDisrupt: value}}}
		p.Status.StartTime = &started
		if got := Protected(p, now); got != want {
			t.Errorf("do-not-disrupt %q an hour after the start: %v, want %v", value, got, want)
		}
	}
	unstarted := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{AnnotationDoNotDisrupt: "1m"}}}
	if !Protected(unstarted, now) {
		t.Error("a pod without a start time is protected while its age is unknown")
	}
	unstarted.Status.Phase = corev1.PodFailed
	if !Disruptable(unstarted, now) {
		t.Error("a pod that has ended protects nothing")
	}
}

func TestEvictionCost(t *testing.T) {
	priority := func(n int32) *int32 { return &n }
	for _, tc := range []struct {
		name     string
		deletion string
		priority *int32
		want     float64
	}{
		{"plain", "", nil, 1},
		{"deletion cost", "134217728", nil, 2},                    // 1 + 2^27/2^27
		{"negative deletion cost", "-268435456", nil, -1},         // 1 - 2
		{"priority", "", priority(1 << 25), 2},                    // 1 + 1
		{"both", "67108864", priority(1 << 24), 2},                // 1 + 0.5 + 0.5
		{"clamped above", "", priority(1_000_000_000), 10},        // 1 + 29.8
		{"clamped below", "-2147483647", priority(-1 << 30), -10}, // 1 - 16 - 32
		{"not a number", "much", nil, 1},
	} {
		p := &corev1.Pod{}
		if tc.deletion != "" {
			p.Annotations = map[string]string{corev1.PodDeletionCost: tc.deletion}
		}
		p.Spec.Priority = tc.priority
		if got := EvictionCost(p); math.Abs(got-tc.want) > 1e-7 {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestLifetimeRemaining(t *testing.T) {
	for _, tc := range []struct {
		age, life time.Duration
		never     bool
		want      float64
	}{
		{0, 10 * time.Hour, false, 1},
		{4 * time.Hour, 10 * time.Hour, false, 0.6},
		{11 * time.Hour, 10 * time.Hour, false, 0},
		{11 * time.Hour, 0, true, 1},
	} {
		if got := LifetimeRemaining(now.Add(-tc.age), now, tc.life, tc.never); got != tc.want {
			t.Errorf("age %v of %v: %v, want %v", tc.age, tc.life, got, tc.want)
		}
	}
}

func budget(name string, allowed int32, change func(*policyv1.PodDisruptionBudget)) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}},
		Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed},
	}
	if change != nil {
		change(b)
	}
	return b
}

func TestLimits(t *testing.T) {
	zero, hundred := intstr.FromInt32(0), intstr.FromString("100%")
	always := policyv1.AlwaysAllow
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", Labels: map[string]string{"app": "a"}}}
		if change != nil {
			change(p)
		}
		return p
	}
	unhealthy := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	}
	for _, tc := range []struct {
		name     string
		budgets  []*policyv1.PodDisruptionBudget
		pod      *corev1.Pod
		blocking string
		moves    bool
	}{
		{"room left", []*policyv1.PodDisruptionBudget{budget("b", 1, nil)}, pod(nil), "", true},
		{"none left for now", []*policyv1.PodDisruptionBudget{budget("b", 0, nil)}, pod(nil), "default/b", true},
		{"max unavailable 0", []*policyv1.PodDisruptionBudget{budget("b", 0, func(b *policyv1.PodDisruptionBudget) { b.Spec.MaxUnavailable = &zero })}, pod(nil), "default/b", false},
		{"min available 100%", []*policyv1.PodDisruptionBudget{budget("b", 0, func(b *policyv1.PodDisruptionBudget) { b.Spec.MinAvailable = &hundred })}, pod(nil), "default/b", false},
		{"two budgets", []*policyv1.PodDisruptionBudget{budget("b", 5, nil), budget("c", 5, nil)}, pod(nil), "default/b default/c", false},
		{"other namespace", []*policyv1.PodDisruptionBudget{budget("b", 0, nil)}, pod(func(p *corev1.Pod) { p.Namespace = "prod" }), "", true},
		{"unhealthy, always allowed", []*policyv1.PodDisruptionBudget{budget("b", 0, func(b *policyv1.PodDisruptionBudget) { b.Spec.UnhealthyPodEvictionPolicy = &always })}, pod(unhealthy), "", true},
		{"unhealthy, by default", []*policyv1.PodDisruptionBudget{budget("b", 0, nil)}, pod(unhealthy), "default/b", true},
		{"stays on a disrupted node", []*policyv1.PodDisruptionBudget{budget("b", 0, nil)}, pod(func(p *corev1.Pod) {
			p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		}), "", true},
	} {
		limits, err := NewLimits(tc.budgets)
		if err != nil {
			t.Fatal(err)
		}
		if got := limits.Blocking([]*corev1.Pod{tc.pod}, now); got != tc.blocking {
			t.Errorf("%s: blocked by %q, want %q", tc.name, got, tc.blocking)
		}
		if got := limits.CurrentlyReschedulable(tc.pod, now); got != tc.moves {
			t.Errorf("%s: reschedulable now = %v, want %v", tc.name, got, tc.moves)
		}
	}
	shared := map[string]string{"app": "a"}
	limits, err := NewLimits([]*policyv1.PodDisruptionBudget{{ObjectMeta: metav1.ObjectMeta{Namespace: "one", Name: "b"},
		Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: shared}}}})
	if err != nil {
		t.Fatal(err)
	}
	for namespace, want := range map[string]string{"one": "one/b", "two": ""} { // in any order
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Labels: shared}}
		if got := limits.Blocking([]*corev1.Pod{pod}, now); got != want {
			t.Errorf("a pod of namespace %s is blocked by %q, want %q", namespace, got, want)
		}
	}
	bad := budget("bad", 0, func(b *policyv1.PodDisruptionBudget) {
		b.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
	})
	if _, err := NewLimits([]*policyv1.PodDisruptionBudget{bad}); err == nil {
		t.Error("a bad selector is no error")
	}
}

func TestToleratesDisrupted(t *testing.T) {
	for _, tc := range []struct {
		t    corev1.Toleration
		want bool
	}{
		{corev1.Toleration{Operator: corev1.TolerationOpExists}, true},
		{corev1.Toleration{Key: TaintDisrupted, Operator: corev1.TolerationOpExists}, true},
		{corev1.Toleration{Key: TaintDisrupted, Operator: corev1.TolerationOpEqual}, true},
		{corev1.Toleration{Key: TaintDisrupted, Value: "x"}, false},
		{corev1.Toleration{Key: "other", Operator: corev1.TolerationOpExists}, false},
		{corev1.Toleration{Key: TaintDisrupted, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}, false},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{Tolerations: []corev1.Toleration{tc.t}}}
		if got := toleratesDisrupted(p); got != tc.want {
			t.Errorf("%+v: %v, want %v", tc.t, got, tc.want)
		}
	}
}

func TestScheduleNext(t *testing.T) {
	at := func(text string) time.Time {
		tm, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	for _, tc := range []struct{ line, from, want string }{
		{"@hourly", "2025-06-01 12:00", "2025-06-01 13:00"},
		{"@daily", "2025-06-01 12:00", "2025-06-02 00:00"},
		{"@weekly", "2025-06-02 00:00", "2025-06-08 00:00"},
		{"*/15 * * * *", "2025-06-01 12:07", "2025-06-01 12:15"},
		{"30 23 * * *", "2025-06-01 23:30", "2025-06-02 23:30"},
		{"0 9 * * mon-fri", "2025-05-31 08:00", "2025-06-02 09:00"},
		{"0 22 * * sat", "2025-06-01 12:00", "2025-06-07 22:00"},
		{"0 0 13 * fri", "2025-06-01 12:00", "2025-06-06 00:00"}, // either day field matches
		{"0 0 29 2 *", "2025-06-01 12:00", "2028-02-29 00:00"},
		{"5,10 3 1 jan,JUL *", "2025-06-01 12:00", "2025-07-01 03:05"},
		{"0 0 */10 * fri", "2025-06-01 12:00", "2025-06-06 00:00"}, // a star with a step is a restriction: Friday or the 1st, 11th, 21st, 31st
		{"0 10-12/2 * * *", "2025-06-01 10:30", "2025-06-01 12:00"},
		{"0 5/6 * * *", "2025-06-01 06:00", "2025-06-01 11:00"}, // from 5 on, every 6 hours
		{"0 0 31 12 *", "2025-12-31 00:00", "2026-12-31 00:00"},
	} {
		s, err := ParseSchedule(tc.line)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := s.Next(at(tc.from))
		if !ok || !got.Equal(at(tc.want)) {
			t.Errorf("%q after %s: %s, want %s", tc.line, tc.from, got.Format("2006-01-02 15:04"), tc.want)
		}
	}
	never, err := ParseSchedule("0 0 30 2 *")
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := never.Next(now); ok {
		t.Errorf("30 February comes on %v", at)
	}
	for _, line := range []string{"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7", "*/0 * * * *", "5-1 * * * *", "x * * * *", "@often"} {
		if _, err := ParseSchedule(line); err == nil {
			t.Errorf("schedule %q is accepted", line)
		}
	}
}

func TestAllowed(t *testing.T) {
	line := func(s string) *string { return &s }
	length := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	for _, tc := range []struct {
		name    string
		budgets []packing.Budget
		nodes   int
		want    int
	}{
		{"none", nil, 7, Unbounded},
		{"number", []packing.Budget{{Nodes: "3"}}, 7, 3},
		{"percentage rounds up", []packing.Budget{{Nodes: "10%"}}, 11, 2}, // 1.1
		{"the least", []packing.Budget{{Nodes: "3"}, {Nodes: "50%"}}, 4, 2},
		{"other reason", []packing.Budget{{Nodes: "0", Reasons: []string{Drifted}}, {Nodes: "5"}}, 7, 5},
		{"this reason", []packing.Budget{{Nodes: "0", Reasons: []string{Drifted, Empty}}, {Nodes: "5"}}, 7, 0},
		{"schedule in force", []packing.Budget{{Nodes: "0", Schedule: line("0 9 * * *"), Duration: length(8 * time.Hour)}}, 7, 0},
		{"schedule over", []packing.Budget{{Nodes: "0", Schedule: line("0 9 * * *"), Duration: length(2 * time.Hour)}}, 7, Unbounded},
		{"unreadable, other reason", []packing.Budget{{Nodes: "many", Reasons: []string{Drifted}}}, 7, 0},
		{"unreadable schedule", []packing.Budget{{Nodes: "5", Schedule: line("never"), Duration: length(time.Hour)}}, 7, 0},
	} {
		pool := &packing.NodePool{Spec: packing.NodePoolSpec{Disruption: packing.Disruption{Budgets: tc.budgets}}}
		if got := Allowed(pool, tc.nodes, Empty, now); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
	bad := &packing.NodePool{Spec: packing.NodePoolSpec{Disruption: packing.Disruption{Budgets: []packing.Budget{{Nodes: "1"}, {Nodes: "-1"}}}}}
	if err := CheckBudgets(bad); err == nil {
		t.Error("a negative budget is accepted")
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, line := range []string{"@daily", "*/5 1-3 * jan mon-fri", "0 0 30 2 *", "? ? ? ? ?", "5/2 * 1,2 * 0"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s, err := ParseSchedule(line)
		if err != nil {
			return
		}
		if next, ok := s.Next(now); ok && !next.After(now) {
			t.Errorf("schedule %q: the next firing %v is not after %v", line, next, now)
		}
	})
}
