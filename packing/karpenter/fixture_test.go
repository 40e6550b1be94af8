package karpenter_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

var zones = []string{"zone-a", "zone-b", "zone-c"}

func offering(zone, capacityType string, price float64) instancetypes.Offering {
	return instancetypes.Offering{
		Requirements: requirements.NewSet(
			requirements.Must(corev1.LabelTopologyZone, requirements.In, zone),
			requirements.Must(requirements.LabelCapacityType, requirements.In, capacityType),
		),
		Price:     price,
		Available: true,
	}
}

// machine is an instance type of so many CPUs with 4 GiB each, on demand in all
// zones at ten cents a CPU.
func machine(name string, cpus int64, labels ...requirements.Requirement) *instancetypes.InstanceType {
	t := &instancetypes.InstanceType{
		Name: name,
		Capacity: resources.Vector{
			{Name: corev1.ResourceCPU, Value: cpus * 1000},
			{Name: corev1.ResourceMemory, Value: cpus * 4 << 30},
			{Name: corev1.ResourcePods, Value: 110},
		},
		Requirements: requirements.NewSet(append([]requirements.Requirement{
			requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, name),
			requirements.Must(corev1.LabelTopologyZone, requirements.In, zones...),
			requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeOnDemand),
		}, labels...)...),
	}
	for _, z := range zones {
		t.Offerings = append(t.Offerings, offering(z, requirements.CapacityTypeOnDemand, 0.1*float64(cpus)))
	}
	return t
}

func catalogOf(t testing.TB, types ...*instancetypes.InstanceType) *instancetypes.Catalog {
	t.Helper()
	c, err := instancetypes.NewCatalog(instancetypes.Info{Provider: "test"}, types...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func poolNamed(name string, edits ...func(*packing.NodePool)) *packing.NodePool {
	p := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func limited(resourceName corev1.ResourceName, amount string) func(*packing.NodePool) {
	return func(p *packing.NodePool) {
		p.Spec.Limits = corev1.ResourceList{resourceName: resource.MustParse(amount)}
	}
}

func podNamed(name, cpu, memory string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name), CreationTimestamp: metav1.NewTime(time.Unix(1, 0))},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:      "main",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}},
		}}},
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func podsNamed(prefix string, n int, cpu, memory string, edits ...func(*corev1.Pod)) []*corev1.Pod {
	var out []*corev1.Pod
	for i := range n {
		out = append(out, podNamed(fmt.Sprintf("%s-%02d", prefix, i), cpu, memory, edits...))
	}
	return out
}

func inZone(zone string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelTopologyZone: zone} }
}

func labelled(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels = map[string]string{key: value} }
}

func nodeNamed(name string, cpus int64, pool string, pods ...*corev1.Pod) *packing.Node {
	labels := map[string]string{corev1.LabelHostname: name, corev1.LabelTopologyZone: "zone-a"}
	if pool != "" {
		labels[packing.LabelNodePool] = pool
		labels[requirements.LabelRegistered], labels[requirements.LabelInitialized] = "true", "true"
	}
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(cpus, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(cpus*4<<30, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(110, resource.DecimalSI),
	}
	return &packing.Node{
		Node: &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Status:     corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
		},
		Pods: pods,
	}
}

func packerOf(t testing.TB, c *instancetypes.Catalog, pools []*packing.NodePool, opts ...karpenter.Option) *karpenter.Packer {
	t.Helper()
	p, err := karpenter.New(c, pools, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pack packs and checks that no pod is lost and that every refusal has a reason.
func pack(t testing.TB, p *karpenter.Packer, s *packing.Snapshot) *packing.Plan {
	t.Helper()
	plan, err := p.Pack(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.PodCount() + len(plan.Unschedulable); got != len(s.Pods) {
		t.Fatalf("%d pods in the plan, %d in the snapshot", got, len(s.Pods))
	}
	for _, u := range plan.Unschedulable {
		if len(u.Reasons) == 0 {
			t.Errorf("pod %s has no place and no reason", u.Pod.Name)
		}
	}
	return plan
}

// describe prints a plan in short: launches with type, zone and pods, nodes that
// are given pods, pods left with the first reason.
func describe(plan *packing.Plan) string {
	var lines []string
	names := func(pods []*corev1.Pod) string {
		var out []string
		for _, p := range pods {
			out = append(out, p.Name)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	for _, l := range plan.Launches {
		lines = append(lines, fmt.Sprintf("%s: %s %s %s: %s", l.NodePool.Name, l.InstanceType.Name, l.Zone, l.CapacityType, names(l.Pods)))
	}
	for _, p := range plan.Placements {
		lines = append(lines, fmt.Sprintf("node %s: %s", p.Node.Name, names(p.Pods)))
	}
	for _, u := range plan.Unschedulable {
		lines = append(lines, fmt.Sprintf("left %s: %s: %s", u.Pod.Name, u.Reasons[0].Kind, u.Reasons[0].Message))
	}
	return strings.Join(lines, "\n")
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if want = strings.TrimSpace(want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
