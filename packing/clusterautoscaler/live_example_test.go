package clusterautoscaler_test

import (
	"context"
	"fmt"
	"time"

	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// A live autoscaler is asked for loops only when they could decide anything new, and told
// what came of its proposals.
func ExamplePacker_Start() {
	groups, cluster := quietCluster()
	packer, err := clusterautoscaler.New(groups)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := packer.Start(cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	a.SetReports(false)
	start := cluster.Snapshot.Now
	due, loops := start, 0
	for now := start; now.Sub(start) < 20*time.Minute; now = now.Add(10 * time.Second) {
		if due.IsZero() || due.After(now) {
			continue
		}
		loop, err := a.Loop(context.Background(), now)
		if err != nil {
			fmt.Println(err)
			return
		}
		loops++
		for _, d := range loop.Deletions {
			fmt.Println(now.Sub(start), d.Node.Name, "goes")
			if err := remove(a, d, now); err != nil {
				fmt.Println(err)
				return
			}
		}
		due = a.Next(now)
	}
	fmt.Printf("%d of 120 loops were run, %d nodes are left\n", loops, a.TargetSize("workers"))
	// Output:
	// 10m10s node-1 goes
	// 10 of 120 loops were run, 2 nodes are left
}

// remove taints, drains and deletes a node in no time; its pods come again elsewhere.
func remove(a *clusterautoscaler.Autoscaler, d clusterautoscaler.NodeDeletion, now time.Time) error {
	tainted := d.Node.DeepCopy()
	tainted.Spec.Taints = append(tainted.Spec.Taints, clusterautoscaler.DeletionTaint(now))
	if err := a.NodeChanged(tainted); err != nil {
		return err
	}
	if err := a.DeletionStarted(d.Node.Name, d.Drain); err != nil {
		return err
	}
	for _, m := range d.Pods {
		a.PodGone(m.Pod)
		again := m.Pod.DeepCopy()
		again.Name += "-again"
		if err := a.PodBound(again, m.To); err != nil {
			return err
		}
	}
	if err := a.DeletionEnded(d.Node.Name, false); err != nil {
		return err
	}
	return a.NodeGone(d.Node.Name)
}
