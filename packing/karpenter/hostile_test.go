package karpenter_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// Words that meet often, among them some that no API server would let pass.
var (
	aKey = rapid.SampledFrom([]string{
		corev1.LabelTopologyZone, corev1.LabelHostname, corev1.LabelInstanceTypeStable, packing.LabelNodePool,
		"karpenter.sh/capacity-type", "beta.kubernetes.io/arch", "app", "", "a b/c",
	})
	aValue    = rapid.SampledFrom([]string{"zone-a", "zone-b", "n1", "small", "default", "web", "on-demand", "3", "-1", ""})
	aQuantity = rapid.SampledFrom([]string{"0", "1", "250m", "1Gi", "-1", "1e18", "1e30", "100E", "1n"})
	aName     = rapid.SampledFrom([]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods, "nvidia.com/gpu", "hugepages-2Mi", "nodes", ""})
)

func aSelector(t *rapid.T) *metav1.LabelSelector {
	if rapid.IntRange(0, 4).Draw(t, "selector") == 0 {
		return nil
	}
	s := &metav1.LabelSelector{MatchLabels: rapid.MapOfN(aKey, aValue, 0, 2).Draw(t, "matchLabels")}
	if rapid.Bool().Draw(t, "expression") {
		s.MatchExpressions = []metav1.LabelSelectorRequirement{{
			Key: aKey.Draw(t, "key"), Values: rapid.SliceOfN(aValue, 0, 2).Draw(t, "values"),
			Operator: rapid.SampledFrom([]metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist", "Near"}).Draw(t, "operator"),
		}}
	}
	return s
}

func aTerm(t *rapid.T) corev1.NodeSelectorTerm {
	op := rapid.SampledFrom([]corev1.NodeSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "In", "In"})
	if rapid.IntRange(0, 30).Draw(t, "bad operator") == 0 {
		op = rapid.Just(corev1.NodeSelectorOperator("Near"))
	}
	var exprs []corev1.NodeSelectorRequirement
	for range rapid.IntRange(0, 2).Draw(t, "expressions") {
		e := corev1.NodeSelectorRequirement{Key: aKey.Draw(t, "key"), Operator: op.Draw(t, "operator")}
		switch e.Operator {
		case "Gt", "Lt":
			e.Values = []string{"3"}
		case "In", "NotIn":
			e.Values = rapid.SliceOfN(aValue, 0, 3).Draw(t, "values")
		}
		exprs = append(exprs, e)
	}
	return corev1.NodeSelectorTerm{MatchExpressions: exprs}
}

func podTerms(t *rapid.T) []corev1.PodAffinityTerm {
	var out []corev1.PodAffinityTerm
	for range rapid.IntRange(0, 2).Draw(t, "terms") {
		out = append(out, corev1.PodAffinityTerm{
			TopologyKey: aKey.Draw(t, "topologyKey"), LabelSelector: aSelector(t),
			Namespaces: rapid.SliceOfN(aValue, 0, 1).Draw(t, "namespaces"), NamespaceSelector: func() *metav1.LabelSelector {
				if rapid.IntRange(0, 8).Draw(t, "namespaceSelector") > 0 {
					return nil
				}
				return &metav1.LabelSelector{}
			}(),
			MatchLabelKeys: rapid.SliceOfN(aKey, 0, 1).Draw(t, "matchLabelKeys"),
		})
	}
	return out
}

func weighted(terms []corev1.PodAffinityTerm) []corev1.WeightedPodAffinityTerm {
	var out []corev1.WeightedPodAffinityTerm
	for i, term := range terms {
		out = append(out, corev1.WeightedPodAffinityTerm{Weight: int32(i), PodAffinityTerm: term})
	}
	return out
}

func aHostilePod(t *rapid.T, name string) *corev1.Pod {
	p := podNamed(name, "1", "1Gi")
	p.Labels = rapid.MapOfN(aKey, aValue, 0, 2).Draw(t, "labels")
	if rapid.IntRange(0, 3).Draw(t, "requests") == 0 {
		p.Spec.Containers[0].Resources.Requests[aName.Draw(t, "resource")] = resource.MustParse(aQuantity.Draw(t, "quantity"))
	}
	p.Spec.NodeSelector = rapid.MapOfN(aKey, aValue, 0, 1).Draw(t, "nodeSelector")
	for range rapid.IntRange(0, 2).Draw(t, "spreads") {
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew: rapid.Int32Range(-1, 3).Draw(t, "maxSkew"), TopologyKey: aKey.Draw(t, "topologyKey"), LabelSelector: aSelector(t),
			WhenUnsatisfiable: rapid.SampledFrom([]corev1.UnsatisfiableConstraintAction{corev1.DoNotSchedule, corev1.ScheduleAnyway, "Perhaps"}).Draw(t, "when"),
			MinDomains:        rapid.Ptr(rapid.Int32Range(-1, 4), true).Draw(t, "minDomains"),
			MatchLabelKeys:    rapid.SliceOfN(aKey, 0, 1).Draw(t, "matchLabelKeys"),
		})
	}
	if rapid.Bool().Draw(t, "affinity") {
		a := &corev1.Affinity{
			PodAffinity:     &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: podTerms(t), PreferredDuringSchedulingIgnoredDuringExecution: weighted(podTerms(t))},
			PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: podTerms(t), PreferredDuringSchedulingIgnoredDuringExecution: weighted(podTerms(t))},
			NodeAffinity:    &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 3, Preference: aTerm(t)}}},
		}
		if rapid.Bool().Draw(t, "required") {
			a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: rapid.SliceOfN(rapid.Custom(aTerm), 0, 3).Draw(t, "or")}
		}
		p.Spec.Affinity = a
	}
	if rapid.IntRange(0, 5).Draw(t, "port") == 0 {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: rapid.Int32Range(-1, 2).Draw(t, "hostPort"), Protocol: "SCTP"}}
	}
	return p
}

// Pods as no API server would let them pass: an error that says so or a plan with
// every pod in it once, from a packer that goes on serving; with Explain the same plan.
func TestHostilePods(t *testing.T) {
	packer := packerOf(t, catalogOf(t, machine("small", 2), machine("large", 8)), []*packing.NodePool{
		poolNamed("default"),
		poolNamed("tainted", limited(corev1.ResourceCPU, "40"), func(p *packing.NodePool) {
			p.Spec.Template.Spec.Taints = []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectPreferNoSchedule}}
			p.Spec.Template.Labels = map[string]string{"app": "web"}
		}),
	})
	plans := 0
	rapid.Check(t, func(t *rapid.T) {
		s := &packing.Snapshot{Nodes: []*packing.Node{nodeNamed("n1", 4, "default", podNamed("bound", "1", "1Gi", labelled("app", "web")))}}
		for i := range rapid.IntRange(1, 8).Draw(t, "pods") {
			s.Pods = append(s.Pods, aHostilePod(t, string(rune('a'+i))))
		}
		plan, err := packer.Pack(context.Background(), s)
		if err != nil {
			return
		}
		plans++
		if got := plan.PodCount() + len(plan.Unschedulable); got != len(s.Pods) {
			t.Fatalf("%d pods in the plan, %d in the snapshot", got, len(s.Pods))
		}
		e, err := packer.Explain(context.Background(), s, s.Pods...)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := describe(e.Plan), describe(plan); got != want {
			t.Fatalf("explained\n%s\nnot\n%s", got, want)
		}
		checkPlaces(t, e)
	})
	if plans == 0 {
		t.Error("no snapshot could be packed: the test says nothing")
	}
}

// checkPlaces checks that what asking in order found is where the plan has the pod.
func checkPlaces(t *rapid.T, e *karpenter.Explanation) {
	at := map[*corev1.Pod]string{}
	for _, l := range e.Plan.Launches {
		for _, p := range l.Pods {
			at[p] = l.Name
		}
	}
	for _, pl := range e.Plan.Placements {
		for _, p := range pl.Pods {
			at[p] = pl.Node.Name
		}
	}
	for _, pod := range e.Pods {
		said := ""
		for _, a := range pod.Attempts {
			if placed := a.Placed(); placed != nil && placed.Kind != karpenter.NewNodeClaim {
				said = placed.Name
			} else if placed != nil {
				said = at[pod.Pod]
			}
		}
		if said != at[pod.Pod] {
			t.Fatalf("pod %s is on %q, asking in order finds %q", pod.Pod.Name, at[pod.Pod], said)
		}
	}
}
