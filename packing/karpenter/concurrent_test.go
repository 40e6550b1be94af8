package karpenter_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// One packer serves many at once, and each gets the plan that it would get alone.
func TestPackConcurrently(t *testing.T) {
	packer := packerOf(t, catalogOf(t, machine("small", 2), machine("large", 8)), []*packing.NodePool{poolNamed("default")})
	snapshots := make([]*packing.Snapshot, 4)
	want := make([]string, len(snapshots))
	for i := range snapshots {
		s := &packing.Snapshot{Nodes: []*packing.Node{nodeNamed("n1", 4, "default")}}
		for k := range 12 {
			s.Pods = append(s.Pods, podNamed(fmt.Sprintf("p%d", k), fmt.Sprintf("%d00m", 1+(k*7+i)%15), "1Gi",
				spread([]string{corev1.LabelTopologyZone, corev1.LabelHostname}[i%2], nil)))
		}
		snapshots[i] = s
		want[i] = describe(pack(t, packer, s))
	}
	var group sync.WaitGroup
	for i := range 4 * len(snapshots) {
		group.Go(func() {
			k := i % len(snapshots)
			plan, err := packer.Pack(context.Background(), snapshots[k])
			if err != nil {
				t.Error(err)
				return
			}
			if got := describe(plan); got != want[k] {
				t.Errorf("snapshot %d: got\n%s\nwant\n%s", k, got, want[k])
			}
		})
	}
	group.Wait()
}
