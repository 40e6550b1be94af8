package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// Where Karpenter's consolidation always decides the same, so do we, section by
// section; elsewhere ours is one of its recorded decisions (in longer, where only a
// longer recording shows it).
func TestConsolidationDecidesAsRecorded(t *testing.T) {
	for _, path := range goldens(t, "karpenter-consolidation") {
		name := filepath.Base(path[:len(path)-len(".json")])
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, err := compareConsolidation(data)
			if err != nil {
				t.Fatal(err)
			}
			if first.verdict == differs {
				t.Errorf("%s: %s", first.verdict, first.difference)
			}
			again, err := compareConsolidation(data)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first.outcome, again.outcome) {
				t.Error("a second consolidation of the same cluster decided differently")
			}
		})
	}
}

// Every step of a sequence is a plan that keeps the rules: the pods of the nodes
// that go, on the nodes that stay and on the replacement. No pod is lost, and no
// step makes the cluster dearer.
func TestConsolidationStepsKeepTheRules(t *testing.T) {
	for _, path := range goldens(t, "karpenter-consolidation") {
		name := filepath.Base(path[:len(path)-len(".json")])
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := recorded.ReadConsolidation(bytes.NewReader(data))
		if err != nil {
			t.Fatal(name, err)
		}
		p, err := f.Input.Problem()
		if err != nil {
			t.Fatal(name, err)
		}
		packer, err := p.Packer()
		if err != nil {
			t.Fatal(name, err)
		}
		converged, err := packer.Converge(context.Background(), p.Snapshot)
		if err != nil {
			t.Fatal(name, err)
		}
		price := converged.Before
		for i, step := range converged.Steps {
			if step.Price > price+1e-9 {
				t.Errorf("%s: step %d makes the cluster dearer: %v, was %v", name, i+1, step.Price, price)
			}
			price = step.Price
			if r := step.Command.Replacement; r != nil && r.InstanceType == nil {
				if converged.End != karpenter.LaunchFailed {
					t.Errorf("%s: step %d has a replacement that cannot be launched, and the sequence ends as %s", name, i+1, converged.End)
				}
				continue
			}
			cluster, plan := step.Command.Plan(step.Before)
			for _, v := range packing.Verify(cluster, plan, packing.WithNodePools(p.NodePools...)) {
				if !slices.Contains(quirky, v.Rule) {
					t.Errorf("%s: step %d: %s", name, i+1, v)
				}
			}
		}
		if lost := lostPods(p.Snapshot, converged.Final); lost != 0 {
			t.Errorf("%s: %d pods lost", name, lost)
		}
	}
}

// lostPods counts pods of the first cluster that are neither on a node nor waiting in
// the last, those aside that go with their node: daemons, and pods that have ended.
func lostPods(first, last *packing.Snapshot) int {
	pods := map[string]bool{}
	for _, s := range last.Pods {
		pods[s.Namespace+"/"+s.Name] = true
	}
	for _, n := range last.Nodes {
		for _, p := range n.Pods {
			pods[p.Namespace+"/"+p.Name] = true
		}
	}
	lost := 0
	count := func(list []*corev1.Pod) {
		for _, p := range list {
			if comesBack(p) && !pods[p.Namespace+"/"+p.Name] {
				lost++
			}
		}
	}
	count(first.Pods)
	for _, n := range first.Nodes {
		count(n.Pods)
	}
	return lost
}

// comesBack reports whether a pod lives on when its node goes.
func comesBack(p *corev1.Pod) bool {
	for _, o := range p.OwnerReferences {
		if o.Kind == "DaemonSet" || o.Kind == "Node" {
			return false
		}
	}
	return p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}
