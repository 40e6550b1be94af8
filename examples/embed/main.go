// Command embed shows what another autoscaler writes to decide with Binwright:
// its pending pods and its nodes go in as they come from the API server, what to
// launch and which pod goes where comes out.
//
//	go run ./examples/embed
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

func main() {
	if err := decide(context.Background(), pendingPods(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// decide is all there is to it.
func decide(ctx context.Context, pods []*corev1.Pod, out io.Writer) error {
	catalog, err := aws.Load("us-east-1")
	if err != nil {
		return err
	}
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	packer, err := karpenter.New(catalog, []*packing.NodePool{pool})
	if err != nil {
		return err
	}
	plan, err := packer.Pack(ctx, &packing.Snapshot{Pods: pods})
	if err != nil {
		return err
	}
	for _, l := range plan.Launches {
		fmt.Fprintf(out, "launch %s (%s, %s) at $%.4f/h for %d pods\n", l.InstanceType.Name, l.CapacityType, l.Zone, l.Price, len(l.Pods))
	}
	for _, u := range plan.Unschedulable {
		fmt.Fprintf(out, "pod %s stays: %s\n", u.Pod.Name, u.Reasons[0].Message)
	}
	return nil
}

// pendingPods stands for what an informer would hand out: ten pods that fit and
// one that no machine can hold.
func pendingPods() []*corev1.Pod {
	var pods []*corev1.Pod
	for i := range 10 {
		pods = append(pods, pod(fmt.Sprintf("web-%d", i), "1500m"))
	}
	return append(pods, pod("monster", "5000"))
}

func pod(name, cpu string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse(cpu),
				corev1.ResourceMemory: resource.MustParse("2Gi"),
			}},
		}}},
	}
}
