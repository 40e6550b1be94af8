package resources_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/binwright/binwright/packing/resources"
)

func ExamplePodRequests() {
	request := func(cpu string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		Containers:     []corev1.Container{{Name: "app", Resources: request("500m")}},
		InitContainers: []corev1.Container{{Name: "migrate", Resources: request("2")}},
	}}
	requests, err := resources.PodRequests(pod)
	fmt.Println(requests, err)
	// Output: cpu 2 <nil>
}

func ExampleVector_FirstOver() {
	node := resources.MustFromList(corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("4"),
		corev1.ResourceMemory: resource.MustParse("8Gi"),
	})
	name, over := resources.Vector{{Name: corev1.ResourceMemory, Value: 9 << 30}}.FirstOver(node)
	fmt.Println(name, over)
	// Output: memory true
}
