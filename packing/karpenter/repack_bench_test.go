package karpenter_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

// BenchmarkRepack is a cluster of 1,000 nodes and 30,000 pods of which 20 nodes have
// changed since it was last seen. warm has seen it, cold has not. Pack places five
// pods that wait; Disrupt is one pass of the disruption controller that ends with its first
// command.
func BenchmarkRepack(b *testing.B) {
	catalog, err := aws.Load("us-east-1")
	if err != nil {
		b.Fatal(err)
	}
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	pool.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "100%"}}
	pool.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{
		{Key: requirements.LabelCapacityType, Operator: requirements.In, Values: []string{requirements.CapacityTypeOnDemand}},
		{Key: corev1.LabelArchStable, Operator: requirements.In, Values: []string{"amd64"}},
	}
	p, err := karpenter.New(catalog, []*packing.NodePool{pool})
	if err != nil {
		b.Fatal(err)
	}
	calls := map[string]func(s *packing.Snapshot) error{
		"Pack": func(s *packing.Snapshot) error {
			plan, err := p.Pack(context.Background(), s)
			if err == nil && plan.PodCount() != len(s.Pods) {
				err = fmt.Errorf("%d pods placed", plan.PodCount())
			}
			return err
		},
		"Disrupt": func(s *packing.Snapshot) error {
			cmd, _, err := p.Disrupt(context.Background(), s, karpenter.DisruptLimits{SkipMulti: true})
			if err == nil && cmd == nil {
				err = fmt.Errorf("no command: the benchmark measures nothing")
			}
			return err
		},
	}
	for _, mix := range []struct {
		name      string
		constrain func(app int, p *corev1.Pod)
	}{{"plain", func(int, *corev1.Pod) {}}, {"constrained", constrained}} {
		for _, call := range []string{"Pack", "Disrupt"} {
			for _, state := range []string{"cold", "warm"} {
				b.Run(fmt.Sprintf("call=%s/mix=%s/%s", call, mix.name, state), func(b *testing.B) {
					s := usedCluster(b, catalog, 1000, mix.constrain)
					for i := range 5 {
						pod := appPod(8*i, i, "")
						pod.UID, pod.Status.Phase = types.UID(pod.Name), corev1.PodPending
						mix.constrain(8*i, pod)
						s.Pods = append(s.Pods, pod)
					}
					changed := 20
					if state == "cold" {
						changed = len(s.Nodes)
					}
					if err := calls[call](s); err != nil {
						b.Fatal(err)
					}
					b.ReportAllocs()
					for at := 0; b.Loop(); at += changed {
						b.StopTimer()
						s = replaced(s, at, changed)
						b.StartTimer()
						if err := calls[call](s); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// replaced is the cluster with n nodes from a place on handed in anew.
func replaced(s *packing.Snapshot, from, n int) *packing.Snapshot {
	next := *s
	next.Nodes = slices.Clone(s.Nodes)
	for i := range n {
		at := (from + i) % len(next.Nodes)
		node := *next.Nodes[at]
		node.Pods = slices.Clone(node.Pods)
		next.Nodes[at] = &node
	}
	return &next
}
