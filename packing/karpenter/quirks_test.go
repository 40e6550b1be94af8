package karpenter_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

func daemonSet(name, cpu string, terms ...corev1.NodeSelectorTerm) *appsv1.DaemonSet {
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"}}
	ds.Spec.Template.Spec = podNamed(name, cpu, "1Mi").Spec
	if len(terms) > 0 {
		ds.Spec.Template.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	}
	return ds
}

func onArch(arch string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{arch}}}}
}

// A daemon that runs on arm64 or amd64: grouping the amd64 type drops the first
// term for the arm64 type, which then seems free of the daemon.
func TestDaemonPodsMutate(t *testing.T) {
	arch := func(a string) requirements.Requirement {
		return requirements.Must(corev1.LabelArchStable, requirements.In, a)
	}
	c := catalogOf(t, machine("amd", 2, arch("amd64")), machine("arm", 2, arch("arm64")))
	pools := []*packing.NodePool{poolNamed("default")}
	s := &packing.Snapshot{
		Pods:       []*corev1.Pod{podNamed("p", "1500m", "1Gi")},
		DaemonSets: []*appsv1.DaemonSet{daemonSet("agent", "1", onArch("arm64"), onArch("amd64"))},
	}
	expect(t, describe(pack(t, packerOf(t, c, pools), s)), "default: arm zone-a on-demand: p")
	sane := packerOf(t, c, pools, karpenter.WithQuirks(karpenter.AllQuirks&^karpenter.DaemonPodsMutate))
	if plan := pack(t, sane, s); len(plan.Unschedulable) != 1 {
		t.Errorf("the pod does not fit beside the daemon: got\n%s", describe(plan))
	}
}

// A limit of ten CPUs and types of two and eight: the first claim could become the
// large type, so the original leaves room for nothing but another small one.
func TestLimitsSubtractLargest(t *testing.T) {
	c := catalogOf(t, machine("small", 2), machine("large", 8))
	pools := []*packing.NodePool{poolNamed("default", limited(corev1.ResourceCPU, "10"))}
	s := &packing.Snapshot{Pods: []*corev1.Pod{
		podNamed("a", "2", "1Gi", inZone("zone-a")), podNamed("b", "2", "1Gi", inZone("zone-b")), podNamed("c", "2", "1Gi", inZone("zone-c")),
	}}
	if plan := pack(t, packerOf(t, c, pools), s); len(plan.Launches) != 2 || len(plan.Unschedulable) != 1 {
		t.Errorf("want two launches and one pod left, got\n%s", describe(plan))
	}
	sane := packerOf(t, c, pools, karpenter.WithQuirks(karpenter.AllQuirks&^karpenter.LimitsSubtractLargest))
	if plan := pack(t, sane, s); len(plan.Launches) != 3 {
		t.Errorf("want three launches, got\n%s", describe(plan))
	}
}

func TestNodeLimitNotCounted(t *testing.T) {
	c := catalogOf(t, machine("small", 2))
	s := &packing.Snapshot{Pods: podsNamed("p", 4, "2", "1Gi")}
	for _, tc := range []struct {
		name   string
		limit  string
		quirks karpenter.Quirks
		nodes  int
	}{
		{"new claims do not count", "2", karpenter.AllQuirks, 4},
		{"an exhausted limit holds", "0", karpenter.AllQuirks, 0},
		{"without the quirk they count", "2", karpenter.AllQuirks &^ karpenter.NodeLimitNotCounted, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pools := []*packing.NodePool{poolNamed("default", limited("nodes", tc.limit))}
			plan := pack(t, packerOf(t, c, pools, karpenter.WithQuirks(tc.quirks)), s)
			if len(plan.Launches) != tc.nodes {
				t.Errorf("want %d launches, got\n%s", tc.nodes, describe(plan))
			}
			for _, u := range plan.Unschedulable {
				if u.Reasons[0].Kind != packing.LimitReached {
					t.Errorf("pod %s is left for %v, want a limit", u.Pod.Name, u.Reasons)
				}
			}
		})
	}
}

func spread(key string, minDomains *int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "web"}
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule, MinDomains: minDomains,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		}}
	}
}

// The second pod asks for four zones where there are three. Merged with the first
// pod's constraint, that goes unnoticed.
func TestTopologyGroupsMerge(t *testing.T) {
	c := catalogOf(t, machine("small", 2))
	pools := []*packing.NodePool{poolNamed("default")}
	four := int32(4)
	s := &packing.Snapshot{Pods: append(podsNamed("plain", 3, "2", "1Gi", spread(corev1.LabelTopologyZone, nil)),
		podsNamed("strict", 3, "2", "1Gi", spread(corev1.LabelTopologyZone, &four))...)}
	if plan := pack(t, packerOf(t, c, pools), s); len(plan.Unschedulable) != 0 {
		t.Errorf("merged, all pods have a place: got\n%s", describe(plan))
	}
	sane := packerOf(t, c, pools, karpenter.WithQuirks(karpenter.AllQuirks&^karpenter.TopologyGroupsMerge))
	if plan := pack(t, sane, s); len(plan.Unschedulable) == 0 {
		t.Errorf("apart, a fourth zone is missing: got\n%s", describe(plan))
	}
}

// The selectors of both deployments have one hash, so that the first one's, which
// keeps the second's pods apart, stands for the second's own, which does not.
func TestTopologyGroupsMergeByHash(t *testing.T) {
	apart := func(app string, not ...string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Labels = map[string]string{"app": app}
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
					TopologyKey: corev1.LabelHostname,
					LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
						{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: not},
					}},
				}},
			}}
		}
	}
	c := catalogOf(t, machine("small", 2))
	pools := []*packing.NodePool{poolNamed("default")}
	s := &packing.Snapshot{Pods: append(podsNamed("first", 1, "1", "1Gi", apart("web-2", "web-2", "web-3")),
		podsNamed("second", 2, "500m", "512Mi", apart("web-4", "web-4", "web-5"))...)}
	if plan := pack(t, packerOf(t, c, pools), s); len(plan.Launches) != 3 {
		t.Errorf("merged, each pod has a node: got\n%s", describe(plan))
	}
	sane := packerOf(t, c, pools, karpenter.WithQuirks(karpenter.AllQuirks&^karpenter.TopologyGroupsMerge))
	if plan := pack(t, sane, s); len(plan.Launches) != 2 {
		t.Errorf("apart, the second deployment shares a node: got\n%s", describe(plan))
	}
}

// A type that the pool excludes names a zone of its own, where the spread then
// waits for pods that can never come.
func TestUnreachableDomainsCount(t *testing.T) {
	far := machine("far", 2)
	far.Requirements = requirements.NewSet(
		requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, "far"),
		requirements.Must(corev1.LabelTopologyZone, requirements.In, "zone-z"),
	)
	far.Offerings = nil
	c := catalogOf(t, machine("small", 2), far)
	pools := []*packing.NodePool{poolNamed("default")}
	s := &packing.Snapshot{Pods: podsNamed("p", 6, "2", "1Gi", spread(corev1.LabelTopologyZone, nil))}
	if plan := pack(t, packerOf(t, c, pools), s); len(plan.Launches) != 3 {
		t.Errorf("want one pod a zone and the rest left, got\n%s", describe(plan))
	}
	sane := packerOf(t, c, pools, karpenter.WithQuirks(karpenter.AllQuirks&^karpenter.UnreachableDomainsCount))
	if plan := pack(t, sane, s); len(plan.Launches) != 6 {
		t.Errorf("want six launches, got\n%s", describe(plan))
	}
}
