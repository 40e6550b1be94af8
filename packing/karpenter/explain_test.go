package karpenter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

func tell(e *karpenter.PodExplanation) string {
	var b strings.Builder
	for _, a := range e.Attempts {
		if a.GaveUp != "" {
			fmt.Fprintf(&b, "gave up %s\n", a.GaveUp)
		}
		for _, t := range a.Tried {
			fmt.Fprintf(&b, "%s %s: %s\n", t.Kind, t.Name, t.Refusal)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestExplainAPod(t *testing.T) {
	preferD := func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
			Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"zone-d"}}}},
		}}}}
	}
	tainted := poolNamed("tainted", func(p *packing.NodePool) {
		p.Spec.Template.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	})
	asked := podNamed("asked", "500m", "1Gi", preferD)
	s := &packing.Snapshot{
		Pods:  []*corev1.Pod{podNamed("big", "2", "1Gi"), asked},
		Nodes: []*packing.Node{nodeNamed("n1", 1, "", podNamed("bound", "900m", "1Gi"))},
	}
	packer := packerOf(t, catalogOf(t, machine("small", 2)), []*packing.NodePool{poolNamed("default"), tainted})
	e, err := packer.Explain(context.Background(), s, asked)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, tell(e.Pods[0]), `
node n1: not enough cpu: wants 500m, 100m left
claim default-00001: no instance type left has enough cpu: 500m beside 2 of other pods
pool tainted: did not tolerate taint (taint=gpu:NoSchedule)
pool default: no instance type met the scheduling requirements or had a required offering, requirements=karpenter.sh/nodepool In [default], topology.kubernetes.io/zone In [zone-d], resources=cpu 500m, memory 1Gi, pods 1
gave up a preferred node affinity: topology.kubernetes.io/zone In zone-d
node n1: not enough cpu: wants 500m, 100m left
claim default-00001: no instance type left has enough cpu: 500m beside 2 of other pods
pool tainted: did not tolerate taint (taint=gpu:NoSchedule)
pool default:`)
	if got, want := describe(e.Plan), describe(pack(t, packer, s)); got != want {
		t.Errorf("explained, the plan is\n%s\nnot\n%s", got, want)
	}
	if _, err := packer.Explain(context.Background(), s, podNamed("stranger", "1", "1Gi")); err == nil {
		t.Error("no error for a pod that is not in the snapshot")
	}
}

// The refusal that each place gives is what a reader is told: one place for each rule.
func TestExplainEveryRefusal(t *testing.T) {
	hostPort := func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 443}} }
	apart := func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "db"}
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
		}}}}
	}
	taintedNode := nodeNamed("n1-tainted", 4, "")
	taintedNode.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	gone := nodeNamed("n2-gone", 4, "")
	now := metav1.Now()
	gone.DeletionTimestamp = &now
	bound := podNamed("db", "1", "1Gi", labelled("app", "db"))
	asked := podNamed("asked", "500m", "1Gi", hostPort, apart, inZone("zone-a"))
	s := &packing.Snapshot{
		Pods: []*corev1.Pod{asked},
		Nodes: []*packing.Node{
			taintedNode, gone,
			nodeNamed("n3-port", 4, "", podNamed("web", "1", "1Gi", hostPort)),
			nodeNamed("n4-apart", 4, "", bound),
			nodeNamed("n5-over", 1, "", podNamed("fat", "2", "1Gi")),
		},
	}
	packer := packerOf(t, catalogOf(t, machine("small", 2)), []*packing.NodePool{poolNamed("default")})
	e, err := packer.Explain(context.Background(), s, asked)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, tell(e.Pods[0]), `
node n1-tainted: did not tolerate taint (taint=gpu:NoSchedule)
node n2-gone: the node is being deleted
node n3-port: a host port is taken
node n4-apart: unsatisfiable topology constraint for pod anti-affinity, key=kubernetes.io/hostname, 1 pods counted there
node n5-over: the node is overcommitted
pool default:`)
}

// Why is the launch not cheaper: one type lacks room, one is excluded by the pool,
// one by a pod, one has no offering left.
func TestExplainALaunch(t *testing.T) {
	arm := requirements.Must(corev1.LabelArchStable, requirements.In, "arm64")
	amd := requirements.Must(corev1.LabelArchStable, requirements.In, "amd64")
	small, cheapArm, sold, big := machine("small", 2, amd), machine("arm", 3, arm), machine("sold-out", 4, amd), machine("big", 8, amd)
	excluded := machine("excluded", 5, amd)
	for i := range sold.Offerings {
		sold.Offerings[i].Available = sold.Offerings[i].Zone() == "zone-c"
	}
	pool := poolNamed("default", func(p *packing.NodePool) {
		p.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{{Key: corev1.LabelInstanceTypeStable, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"excluded"}}}
	})
	onAMD := func(p *corev1.Pod) {
		p.Spec.NodeSelector = map[string]string{corev1.LabelArchStable: "amd64", corev1.LabelTopologyZone: "zone-a"}
	}
	s := &packing.Snapshot{
		Pods:       []*corev1.Pod{podNamed("a", "1500m", "1Gi", onAMD), podNamed("b", "400m", "1Gi")},
		DaemonSets: []*appsv1.DaemonSet{daemonSet("agent", "200m")},
	}
	e, err := packerOf(t, catalogOf(t, small, cheapArm, sold, excluded, big), []*packing.NodePool{pool}).Explain(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	l := e.Launches[0]
	var lines []string
	for _, r := range l.Cheaper {
		by := "the pool"
		if r.Pod != nil {
			by = "pod " + r.Pod.Name
		}
		lines = append(lines, fmt.Sprintf("%s at %.2f: %s: %s", r.InstanceType.Name, r.Price, by, r.By))
	}
	expect(t, fmt.Sprintf("%s of %d\n%s", l.Launch.InstanceType.Name, l.Remaining, strings.Join(lines, "\n")), `
big of 1
small at 0.20: pod b: cpu: 2100m of 2 allocatable (200m of it for daemon pods)
arm at 0.30: pod a: requires kubernetes.io/arch In [amd64]
sold-out at 0.40: pod a: no available offering for topology.kubernetes.io/zone In [zone-a]
excluded at 0.50: the pool: node pool: requires node.kubernetes.io/instance-type NotIn [excluded]`)
}

// A type can also be beyond the pool's limits, or run a daemon pod that has the port.
func TestExplainLimitsAndPorts(t *testing.T) {
	small, big, bigger := machine("small", 2), machine("big", 8), machine("bigger", 16)
	big.Offerings = []instancetypes.Offering{offering("zone-a", requirements.CapacityTypeOnDemand, 0.01)}
	ported := machine("ported", 4)
	ported.Offerings = []instancetypes.Offering{offering("zone-a", requirements.CapacityTypeOnDemand, 0.02)}
	onPorted := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelInstanceTypeStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"ported"}}}}
	hostPort := []corev1.ContainerPort{{HostPort: 443}}
	agent := daemonSet("agent", "100m", onPorted)
	agent.Spec.Template.Spec.Containers[0].Ports = hostPort
	s := &packing.Snapshot{
		Pods:       []*corev1.Pod{podNamed("web", "1", "1Gi", func(p *corev1.Pod) { p.Spec.Containers[0].Ports = hostPort })},
		DaemonSets: []*appsv1.DaemonSet{agent},
	}
	pools := []*packing.NodePool{poolNamed("default", limited(corev1.ResourceCPU, "6"))}
	e, err := packerOf(t, catalogOf(t, small, big, bigger, ported), pools).Explain(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	l := e.Launches[0]
	lines := []string{l.Launch.InstanceType.Name}
	for _, r := range l.Cheaper {
		lines = append(lines, fmt.Sprintf("%s: %s", r.InstanceType.Name, r.By))
	}
	expect(t, strings.Join(lines, "\n"), `
small
big: limits of the node pool (cpu 6)
ported: a host port is taken by daemon pods`)
}
