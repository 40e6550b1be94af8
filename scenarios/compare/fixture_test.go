package compare

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
	"github.com/binwright/binwright/scenarios"
)

// instanceType is a machine without overhead that is sold in one zone, on
// demand at 5 cents and as spot at 2 cents a vCPU-hour.
func instanceType(name string, vCPU int64) *instancetypes.InstanceType {
	capacity := resources.MustFromList(corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(vCPU, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(vCPU<<32, resource.BinarySI),
		corev1.ResourcePods:   resource.MustParse("110"),
	})
	offering := func(capacityType string, perCPU float64) instancetypes.Offering {
		return instancetypes.Offering{
			Requirements: requirements.NewSet(
				requirements.Must(corev1.LabelTopologyZone, requirements.In, "zone-a"),
				requirements.Must(requirements.LabelCapacityType, requirements.In, capacityType),
			),
			Price: perCPU * float64(vCPU), Available: true,
		}
	}
	return &instancetypes.InstanceType{
		Name:     name,
		Capacity: capacity,
		Requirements: requirements.NewSet(
			requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, name),
			requirements.Must(corev1.LabelArchStable, requirements.In, "amd64"),
			requirements.Must(corev1.LabelOSStable, requirements.In, "linux"),
			requirements.Must(corev1.LabelTopologyZone, requirements.In, "zone-a"),
			requirements.Must(requirements.LabelCapacityType, requirements.In, "on-demand", "spot"),
		),
		Offerings: []instancetypes.Offering{offering("on-demand", 0.05), offering("spot", 0.02)},
	}
}

// fleet is a scenario of so many pods of one vCPU and 2 GiB, with one node pool.
func fleet(t *testing.T, pods int) *scenarios.Scenario {
	t.Helper()
	catalog, err := instancetypes.NewCatalog(instancetypes.Info{Provider: "test", Region: "here"},
		instanceType("small", 2), instanceType("large", 8))
	if err != nil {
		t.Fatal(err)
	}
	s := &scenarios.Scenario{
		Name: "fleet", Description: "pods of one vCPU",
		Snapshot:  &packing.Snapshot{},
		Catalog:   catalog,
		NodePools: []*packing.NodePool{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}},
	}
	for i := range pods {
		s.Snapshot.Pods = append(s.Snapshot.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("web-%d", i), UID: "uid"},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "app", Image: "app",
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("2Gi"),
				}},
			}}},
		})
	}
	return s
}

// filler puts pods, so many a node, onto nodes of one type, and leaves the rest.
type filler struct {
	scenario     *scenarios.Scenario
	instanceType string
	capacityType string
	perNode      int
	leave        int
	// drop loses that many pods, as no packer should.
	drop int
	// alternate swaps the first two nodes' pods at each call, as no packer should.
	alternate bool
	calls     *int
}

func (f filler) Name() string { return "filler" }

func (f filler) Pack(ctx context.Context, s *packing.Snapshot) (*packing.Plan, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	it, _ := f.scenario.Catalog.Lookup(f.instanceType)
	offering := it.Cheapest(requirements.NewSet(requirements.Must(requirements.LabelCapacityType, requirements.In, f.capacityType)))
	plan := &packing.Plan{Packer: f.Name()}
	pods := s.Pods[:len(s.Pods)-f.leave]
	for len(pods) > 0 {
		n := min(f.perNode, len(pods))
		plan.Launches = append(plan.Launches, &packing.Launch{
			Name:         fmt.Sprintf("node-%d", len(plan.Launches)),
			NodePool:     f.scenario.NodePools[0],
			InstanceType: it, Zone: offering.Zone(), CapacityType: offering.CapacityType(), Price: offering.Price,
			Pods: pods[:n:n],
		})
		pods = pods[n:]
	}
	for _, p := range s.Pods[len(s.Pods)-f.leave+f.drop:] {
		plan.Unschedulable = append(plan.Unschedulable, packing.Unschedulable{Pod: p, Reasons: []packing.Reason{
			{Kind: packing.Refused, Subject: "spare", Message: "no instance type fits"},
			{Kind: packing.LimitReached, Subject: "default", Message: "the limit of cpu 8 is reached"},
		}})
	}
	*f.calls++
	if f.alternate && *f.calls%2 == 0 {
		a, b := plan.Launches[0], plan.Launches[1]
		a.Pods, b.Pods = b.Pods, a.Pods
	}
	return plan, nil
}

func (f filler) engine(name string) Engine {
	return Engine{Name: name, New: func(s *scenarios.Scenario) (packing.Packer, error) {
		f.scenario, f.calls = s, new(int)
		return f, nil
	}}
}
