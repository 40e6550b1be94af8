package packing_test

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// The referee checks a plan, whoever made it.
func ExampleVerify() {
	machine := &instancetypes.InstanceType{Name: "m5.large", Capacity: vector("cpu=2,memory=8Gi,pods=29")}
	group := &packing.NodeGroup{
		Name: "workers", MaxSize: 1, Price: 0.096,
		Template: packing.TemplateNode(machine, packing.TemplateOptions{Zone: "us-east-1a"}),
	}
	web, db := pod("web", "cpu=1500m"), pod("db", "cpu=1")
	snapshot := &packing.Snapshot{Pods: []*corev1.Pod{web, db}}
	plan := &packing.Plan{Launches: []*packing.Launch{
		{Name: "workers-1", NodeGroup: group, Price: 0.096, Pods: []*corev1.Pod{web, db}},
	}}
	for _, violation := range packing.Verify(snapshot, plan) {
		fmt.Println(violation)
	}

	plan.Launches[0].Pods = []*corev1.Pod{web}
	plan.Unschedulable = []packing.Unschedulable{{Pod: db}}
	fmt.Println(len(packing.Verify(snapshot, plan)), "violations")
	// Output:
	// resources: node workers-1: cpu 2500m requested, 2 allocatable
	// 0 violations
}

// A NodePool decodes from the manifest that users have.
func ExampleNodePool() {
	var pool packing.NodePool
	err := json.Unmarshal([]byte(`{
		"apiVersion": "karpenter.sh/v1", "kind": "NodePool",
		"metadata": {"name": "spot"},
		"spec": {
			"template": {"spec": {"requirements": [
				{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}
			], "expireAfter": "Never"}},
			"limits": {"cpu": 100}
		}}`), &pool)
	if err != nil {
		fmt.Println(err)
		return
	}
	reqs, err := pool.Requirements()
	fmt.Println(pool.Name, reqs, pool.Spec.Template.Spec.ExpireAfter.Never, err)
	// Output: spot karpenter.sh/capacity-type In [spot] true <nil>
}

// A node group's template is made from an instance type.
func ExampleTemplateNode() {
	machine := &instancetypes.InstanceType{
		Name:         "m5.large",
		Capacity:     vector("cpu=2,memory=8Gi,pods=29"),
		Overhead:     vector("cpu=70m,memory=1Gi"),
		Requirements: requirements.FromLabels(map[string]string{corev1.LabelInstanceTypeStable: "m5.large"}),
	}
	node := packing.TemplateNode(machine, packing.TemplateOptions{Zone: "us-east-1a", Labels: map[string]string{"team": "web"}})
	fmt.Println(node.Labels)
	fmt.Println(node.Status.Allocatable.Cpu(), node.Status.Allocatable.Memory())
	// Output:
	// map[karpenter.sh/capacity-type:on-demand node.kubernetes.io/instance-type:m5.large team:web topology.kubernetes.io/zone:us-east-1a]
	// 1930m 7Gi
}
