package scenarios_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/binwright/binwright/packing/resources"
	"github.com/binwright/binwright/scenarios"
)

// A Deployment and what the autoscalers may launch for it, in one file.
func ExampleRead() {
	const manifests = `
apiVersion: binwright.dev/v1alpha1
kind: Scenario
metadata: {name: shop}
spec:
  catalog: {provider: aws, region: eu-west-1}
  nodeGroups:
  - {name: web, instanceTypes: [m6i.xlarge], zones: [eu-west-1a], maxSize: 10}
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: default}
spec:
  template:
    spec:
      requirements:
      - {key: karpenter.sh/capacity-type, operator: In, values: [spot, on-demand]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, resources: {limits: {cpu: 500m, memory: 1Gi}}}
`
	s, err := scenarios.Read(strings.NewReader(manifests), "shop.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	requests, err := resources.PodRequests(s.Snapshot.Pods[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %d pods of %v each\n", s.Name, len(s.Snapshot.Pods), requests)
	for _, g := range s.NodeGroups {
		fmt.Printf("group %s: up to %d of %s at $%v an hour\n", g.Name, g.MaxSize, g.InstanceTypes[0].Name, g.Price)
	}
	// Output:
	// shop: 3 pods of cpu 500m, memory 1Gi each
	// group web: up to 10 of m6i.xlarge at $0.214 an hour
}

// Every mistake is told at once, and where it is.
func ExampleLoadError() {
	const manifests = `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - {name: a, resources: {requests: {cpu: 2x, memory: 1 GB}}}
---
apiVersion: binwright.dev/v1alpha1
kind: Scenario
metadata: {name: x}
spec:
  nodeGrups: []
`
	_, err := scenarios.Read(strings.NewReader(manifests), "input.yaml")
	var load *scenarios.LoadError
	if errors.As(err, &load) {
		for _, p := range load.Problems {
			fmt.Println(p)
		}
	}
	// Output:
	// input.yaml: document 1: Pod default/a: spec.containers[0].resources.requests[cpu]: "2x" is not a quantity (such as 500m, 2 or 1Gi)
	// input.yaml: document 1: Pod default/a: spec.containers[0].resources.requests[memory]: "1 GB" is not a quantity (such as 500m, 2 or 1Gi)
	// input.yaml: document 2: Scenario x: spec.nodeGrups: is an unknown field (did you mean "nodeGroups"?)
}

// A recorded workload: two pods share GPUs, which are cut into ten slices.
func ExampleReadTrace() {
	const trace = `name,cpu_milli,memory_mib,num_gpu,gpu_milli,creation_time,deletion_time,scheduled_time
train-0,11900,47104,1,1000,0,7200,60
infer-0,4000,16384,1,460,30,,40
`
	s, err := scenarios.ReadTrace(strings.NewReader(trace), "trace.csv", scenarios.WithGPUSlices(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range s.Timeline {
		gpus := l.Pod.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"]
		ran, known := l.Ran()
		fmt.Println(l.Pod.Name, "came at", l.Created, "with", gpus.String(), "slices; ran", ran, known)
	}
	// Output:
	// train-0 came at 0s with 10 slices; ran 1h59m0s true
	// infer-0 came at 30s with 5 slices; ran 0s false
}

// What users do over time: a batch at two in the morning, and a service that is
// scaled by the clock.
func ExampleScenario_Events() {
	const manifests = `
apiVersion: binwright.dev/v1alpha1
kind: Scenario
metadata: {name: night}
spec:
  catalog: {region: us-east-1}
  timeline:
    for: 24h
    deployments:
    - {name: web, replicas: [{at: 8h, replicas: 20}]}
    jobs:
    - {name: nightly, arrivals: {batch: {at: 2h, pods: 2}}, runs: {constant: 10m}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, resources: {requests: {cpu: 500m}}}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: nightly}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: work, resources: {requests: {cpu: 2}}}]}
`
	s, err := scenarios.Read(strings.NewReader(manifests), "night.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	events, err := s.Events(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(s.StartingPods()), "pods at the start of", s.Horizon())
	for e, ok := events.Next(); ok; e, ok = events.Next() {
		switch {
		case e.Submit != nil:
			fmt.Println(e.At, "submit", e.Submit.Pod.Name, "for", e.Submit.Runs)
		case e.Scale != nil:
			fmt.Println(e.At, "scale", e.Scale.Kind, e.Scale.Controller, "to", e.Scale.Replicas)
		}
	}
	// Output:
	// 3 pods at the start of 24h0m0s
	// 2h0m0s submit nightly-0-0 for 10m0s
	// 2h0m0s submit nightly-0-1 for 10m0s
	// 8h0m0s scale Deployment default/web to 20
}
