package karpenter_test

import (
	"context"
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

// fuzzed is what a fuzzer can say of a cluster.
type fuzzed struct {
	Pods, Bound []*corev1.Pod
	Node        *corev1.Node
	Pool        *packing.NodePool
	Ignore      bool
}

// Whatever a cluster says, Pack returns a plan in which every pod is once, or an
// error; it never panics.
func FuzzPack(f *testing.F) {
	preferring := podNamed("c", "1", "1Gi", spread(corev1.LabelTopologyZone, nil), func(p *corev1.Pod) {
		p.Spec.TopologySpreadConstraints[0].WhenUnsatisfiable = corev1.ScheduleAnyway
		p.Spec.TopologySpreadConstraints[0].MatchLabelKeys = []string{"app"}
		p.Spec.Affinity = &corev1.Affinity{
			PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			}}},
			NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: onArch("arm64")}}},
		}
	})
	two := 2
	for _, seed := range []fuzzed{
		{Pods: podsNamed("a", 3, "1", "1Gi")},
		{Pods: []*corev1.Pod{preferring}, Pool: poolNamed("default", limited("nodes", "3"))},
		{Pods: podsNamed("b", 2, "2", "1Gi", inZone("zone-b")), Node: nodeNamed("n1", 4, "default").Node, Bound: podsNamed("x", 1, "1", "1Gi"),
			Pool: poolNamed("default", func(p *packing.NodePool) {
				p.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{{Key: corev1.LabelInstanceTypeStable, Operator: requirements.Exists, MinValues: &two}}
				p.Spec.Template.Spec.Taints = []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectPreferNoSchedule}}
			})},
	} {
		data, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	catalog := catalogOf(f, machine("small", 2), machine("large", 8, requirements.Must(corev1.LabelArchStable, requirements.In, "arm64")))
	f.Fuzz(func(t *testing.T, data []byte) {
		var in fuzzed
		if json.Unmarshal(data, &in) != nil {
			return
		}
		if in.Pool == nil {
			in.Pool = poolNamed("default")
		}
		policy := karpenter.Respect
		if in.Ignore {
			policy = karpenter.Ignore
		}
		packer, err := karpenter.New(catalog, []*packing.NodePool{in.Pool}, karpenter.WithPreferencePolicy(policy))
		if err != nil {
			return
		}
		s := &packing.Snapshot{Pods: in.Pods}
		if in.Node != nil {
			s.Nodes = []*packing.Node{{Node: in.Node, Pods: in.Bound}}
		}
		plan, err := packer.Pack(context.Background(), s)
		if err != nil {
			return
		}
		if got := plan.PodCount() + len(plan.Unschedulable); got != len(s.Pods) {
			t.Fatalf("%d pods in the plan, %d in the snapshot", got, len(s.Pods))
		}
	})
}
