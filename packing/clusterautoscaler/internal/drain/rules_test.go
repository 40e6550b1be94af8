package drain

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// defaults are those of the original's flags.
func defaults() Rules {
	return Rules{SkipNodesWithSystemPods: true, SkipNodesWithLocalStorage: true, SkipNodesWithCustomControllerPods: true,
		BlockingSystemPodTimeout: time.Hour}
}

// table is controllers by name: how many replicas they want. Others are missing.
type table map[string]int

func (t table) Find(kind, namespace, name string) (int, bool) {
	n, ok := t[kind+"/"+name]
	return n, ok
}

// pod makes a pod of the replica set "web", three hours old, and changes it.
func pod(changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p", Labels: map[string]string{"app": "web"},
		CreationTimestamp: metav1.NewTime(now.Add(-3 * time.Hour))}}
	owned("apps/v1", "ReplicaSet", "web")(p)
	for _, change := range changes {
		change(p)
	}
	return p
}

func owned(version, kind, name string) func(*corev1.Pod) {
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, Controller: &yes}}
	}
}

func bare(p *corev1.Pod) { p.OwnerReferences = nil }

func annotated(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, key, value) }
}

func system(age time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Namespace = metav1.NamespaceSystem
		p.CreationTimestamp = metav1.NewTime(now.Add(-age))
	}
}

func deleted(ago time.Duration, grace int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		at := metav1.NewTime(now.Add(-ago))
		p.DeletionTimestamp, p.Spec.TerminationGracePeriodSeconds = &at, &grace
	}
}

func phase(phase corev1.PodPhase, policy corev1.RestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Phase, p.Spec.RestartPolicy = phase, policy }
}

func volumes(sources ...corev1.VolumeSource) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for i, s := range sources {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: string(rune('a' + i)), VolumeSource: s})
		}
	}
}

var (
	hostPath = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/data"}}
	onDisk   = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	inMemory = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}
	config   = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}
)

func TestRules(t *testing.T) {
	minimum := defaults()
	minimum.MinReplicaCount = 3
	lenient := Rules{BlockingSystemPodTimeout: time.Hour}
	exhausted, spare := []*Budget{{Allowed: 0}}, []*Budget{{Allowed: 1}}
	all := table{"ReplicaSet/web": 2, "ReplicationController/old": 2, "StatefulSet/db": 2, "Job/batch": 2, "DaemonSet/agent": 0}
	for _, c := range []struct {
		name    string
		pod     *corev1.Pod
		rules   Rules
		known   Controllers
		budgets []*Budget
		outcome Outcome
		reason  Reason
	}{
		{name: "replicated pod", pod: pod()},
		{name: "mirror pod, though it has no controller", pod: pod(bare, annotated(corev1.MirrorPodAnnotationKey, "x")), outcome: Skip},
		{name: "terminating past grace and half a minute", pod: pod(bare, deleted(61*time.Second, 30)), outcome: Skip},
		{name: "terminating, half a minute not yet over", pod: pod(bare, deleted(60*time.Second, 30)), outcome: Block, reason: NotReplicated},

		{name: "replica set is gone", pod: pod(), known: table{}, outcome: Block, reason: ControllerNotFound},
		{name: "replica set is gone, even if safe to evict", pod: pod(annotated(safeToEvict, "true")), known: table{}, outcome: Block, reason: ControllerNotFound},
		{name: "replica set is gone, but controllers are not read", pod: pod(), rules: lenient, known: table{}},
		{name: "replication controller is gone", pod: pod(owned("v1", "ReplicationController", "old")), known: table{}, outcome: Block, reason: ControllerNotFound},
		{name: "stateful set is gone", pod: pod(owned("apps/v1", "StatefulSet", "db")), known: table{}, outcome: Block, reason: ControllerNotFound},
		{name: "stateful set of another group is not looked up", pod: pod(owned("example.com/v1", "StatefulSet", "db")), known: table{}},
		{name: "job is gone", pod: pod(owned("batch/v1", "Job", "batch")), known: table{}, outcome: Block, reason: ControllerNotFound},
		{name: "daemon set is gone", pod: pod(owned("apps/v1", "DaemonSet", "agent")), known: table{}, outcome: Block, reason: ControllerNotFound},
		{name: "daemon set of another group is not looked up", pod: pod(owned("example.com/v1", "DaemonSet", "agent")), known: table{}},
		{name: "marked as daemon pod: its controller is not looked up", pod: pod(annotated(daemonSetPod, "true")), known: table{}},
		{name: "controllers are there", pod: pod(), known: all},
		{name: "replica set below the minimal count", pod: pod(), rules: minimum, known: all, outcome: Block, reason: MinReplicasReached},
		{name: "replication controller below the minimal count", pod: pod(owned("v1", "ReplicationController", "old")), rules: minimum, known: all, outcome: Block, reason: MinReplicasReached},
		{name: "replica set that does not say how many", pod: pod(), rules: minimum, known: table{"ReplicaSet/web": -1}},
		{name: "the count of a stateful set does not matter", pod: pod(owned("apps/v1", "StatefulSet", "db")), rules: minimum, known: all},
		{name: "the count of a job does not matter", pod: pod(owned("batch/v1", "Job", "batch")), rules: minimum, known: all},

		{name: "daemon pod with local data and not safe to evict", pod: pod(owned("apps/v1", "DaemonSet", "agent"), volumes(hostPath), annotated(safeToEvict, "false")), known: all},
		{name: "safe to evict without controller, with local data, in kube-system, no budget left",
			pod: pod(bare, system(time.Minute), volumes(hostPath), annotated(safeToEvict, "true")), budgets: exhausted},
		{name: "failed", pod: pod(bare, phase(corev1.PodFailed, corev1.RestartPolicyAlways))},
		{name: "succeeded for good", pod: pod(bare, phase(corev1.PodSucceeded, corev1.RestartPolicyOnFailure))},
		{name: "succeeded, never to be restarted", pod: pod(bare, phase(corev1.PodSucceeded, corev1.RestartPolicyNever))},
		{name: "succeeded, but to be restarted", pod: pod(bare, phase(corev1.PodSucceeded, corev1.RestartPolicyAlways)), outcome: Block, reason: NotReplicated},
		{name: "evicted on completion, though it has no controller", pod: pod(bare, annotated(safeToEvict, "on-completion")), outcome: Wait},

		{name: "no controller", pod: pod(bare), outcome: Block, reason: NotReplicated},
		{name: "no controller, even if that flag is off", pod: pod(bare), rules: lenient, outcome: Block, reason: NotReplicated},
		{name: "custom controller", pod: pod(owned("example.com/v1", "Rollout", "web")), outcome: Block, reason: NotReplicated},
		{name: "custom controller, allowed", pod: pod(owned("example.com/v1", "Rollout", "web")), rules: lenient},

		{name: "kube-system without budget", pod: pod(system(59 * time.Minute)), outcome: Block, reason: UnmovableKubeSystemPod},
		{name: "kube-system without budget, an hour old", pod: pod(system(time.Hour)), outcome: Block, reason: UnmovableKubeSystemPod},
		{name: "kube-system without budget, more than an hour old", pod: pod(system(time.Hour + time.Second))},
		{name: "kube-system without budget, old, passes with local data too", pod: pod(system(2*time.Hour), volumes(hostPath))},
		{name: "kube-system of unknown age", pod: pod(system(0), func(p *corev1.Pod) { p.CreationTimestamp = metav1.Time{} }), outcome: Block, reason: UnmovableKubeSystemPod},
		{name: "kube-system with a budget", pod: pod(system(time.Minute)), budgets: spare},
		{name: "kube-system, allowed", pod: pod(system(time.Minute)), rules: lenient},
		{name: "kube-system without controller: that comes first", pod: pod(system(time.Minute), bare), outcome: Block, reason: NotReplicated},

		{name: "not safe to evict", pod: pod(annotated(safeToEvict, "false")), outcome: Block, reason: NotSafeToEvictAnnotation},
		{name: "not safe to evict comes before local data", pod: pod(annotated(safeToEvict, "false"), volumes(hostPath)), outcome: Block, reason: NotSafeToEvictAnnotation},
		{name: "host path", pod: pod(volumes(config, hostPath)), outcome: Block, reason: LocalStorageRequested},
		{name: "empty dir on disk", pod: pod(volumes(onDisk)), outcome: Block, reason: LocalStorageRequested},
		{name: "empty dir in memory", pod: pod(volumes(inMemory, config))},
		{name: "local data allowed by flag", pod: pod(volumes(hostPath)), rules: lenient},
		{name: "local volumes that may be lost", pod: pod(volumes(onDisk, hostPath), annotated(safeToEvictVolumes, "a,b"))},
		{name: "one local volume that may not be lost", pod: pod(volumes(onDisk, hostPath), annotated(safeToEvictVolumes, "a")), outcome: Block, reason: LocalStorageRequested},
		{name: "names are not trimmed", pod: pod(volumes(onDisk, hostPath), annotated(safeToEvictVolumes, "a, b")), outcome: Block, reason: LocalStorageRequested},

		{name: "budget exhausted", pod: pod(), budgets: exhausted, outcome: Block, reason: NotEnoughPdb},
		{name: "one of two budgets exhausted", pod: pod(), budgets: append(append([]*Budget{}, spare...), exhausted...), outcome: Block, reason: NotEnoughPdb},
		{name: "budget left", pod: pod(), budgets: spare},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := c.rules
			if rules == (Rules{}) {
				rules = defaults()
			}
			outcome, reason := rules.Judge(c.pod, State{Now: now, Controllers: c.known, Budgets: c.budgets})
			if outcome != c.outcome || reason != c.reason {
				t.Errorf("outcome %d %q, want %d %q", outcome, reason, c.outcome, c.reason)
			}
		})
	}
}

func TestBudgets(t *testing.T) {
	select1 := func(name, namespace string, allowed int32, selector *metav1.LabelSelector) *policyv1.PodDisruptionBudget {
		return &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
			Spec:   policyv1.PodDisruptionBudgetSpec{Selector: selector},
			Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed}}
	}
	web := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	b, err := NewBudgets([]*policyv1.PodDisruptionBudget{
		select1("web", "default", 2, web),
		select1("elsewhere", "other", 0, web),
		select1("nothing", "default", 0, nil),
		select1("everything", "default", 5, &metav1.LabelSelector{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	of := b.Of(pod())
	if len(of) != 2 || of[0] != b[0] || of[1] != b[3] {
		t.Fatalf("budgets of the pod: %v", of)
	}
	if !b.Take([][]*Budget{of, of}) {
		t.Error("two pods may go at once")
	}
	if b[0].Allowed != 0 || b[3].Allowed != 3 {
		t.Errorf("%d and %d are left, want 0 and 3", b[0].Allowed, b[3].Allowed)
	}
	if b.Take([][]*Budget{of}) {
		t.Error("a third pod may not go at once")
	}
	if b.Reset(); b[0].Allowed != 2 || b[3].Allowed != 5 {
		t.Errorf("%d and %d after reset, want 2 and 5", b[0].Allowed, b[3].Allowed)
	}
	if b.Take([][]*Budget{of, of, of}) {
		t.Error("three pods may not go at once")
	}
	if _, err := NewBudgets([]*policyv1.PodDisruptionBudget{select1("bad", "default", 0,
		&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}})}); err == nil {
		t.Error("an unknown operator is no error")
	}
}
