package kubescheduler_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/kubescheduler"
)

// A pod goes to the node that scores best; it is there once it is bound.
func Example() {
	s, err := kubescheduler.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"small", "large"} {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		n.Status.Allocatable = corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("10"),
		}
		if name == "large" {
			n.Status.Allocatable[corev1.ResourceCPU] = resource.MustParse("4")
		}
		if _, err := s.AddNode(n); err != nil {
			fmt.Println(err)
			return
		}
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}
	pod.Spec.Containers = []corev1.Container{{Name: "app"}}
	pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1500m"), corev1.ResourceMemory: resource.MustParse("2Gi"),
	}
	class, err := s.Class(pod)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 4 {
		id, ok, why := s.Schedule(class)
		if !ok {
			fmt.Println(why)
			break
		}
		s.Bind(class, id)
		fmt.Println(s.Node(id).Name)
	}
	// Output:
	// large
	// small
	// large
	// 0/2 nodes are available: 2 insufficient resources.
}
