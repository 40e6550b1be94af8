package karpenter_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

// converge consolidates to the end and puts every step before the referee.
func converge(t testing.TB, p *karpenter.Packer, s *packing.Snapshot) *karpenter.Convergence {
	t.Helper()
	c, err := p.Converge(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range c.Steps {
		if r := step.Command.Replacement; r != nil && r.InstanceType == nil {
			continue // it is never launched
		}
		cluster, plan := step.Command.Plan(step.Before)
		for _, v := range packing.Verify(cluster, plan) {
			t.Errorf("step %d: %s", i+1, v)
		}
	}
	return c
}

func stepsOf(c *karpenter.Convergence) string {
	var lines []string
	for _, step := range c.Steps {
		lines = append(lines, fmt.Sprintf("%s, leaves %.2f", summary(step.Command), step.Price))
	}
	return strings.Join(append(lines, string(c.End)), "\n")
}

// whereabouts lists nodes with the pods on them, then the pods that wait.
func whereabouts(s *packing.Snapshot) string {
	var lines []string
	names := func(pods []*corev1.Pod) (out []string) {
		for _, p := range pods {
			out = append(out, p.Name)
		}
		return out
	}
	for _, n := range s.Nodes {
		for _, p := range n.Pods {
			if p.Spec.NodeName != n.Name {
				lines = append(lines, fmt.Sprintf("pod %s says it is on %s", p.Name, p.Spec.NodeName))
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", n.Name, n.Labels[corev1.LabelInstanceTypeStable], strings.Join(names(n.Pods), " ")))
	}
	lines = append(lines, "waiting: "+strings.Join(names(s.Pods), " "))
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

// An empty node goes first, then two together, then the last is replaced by what is
// just large enough, which nothing beats.
func TestConvergeEndsWithNothingLeftToDo(t *testing.T) {
	s := clusterOf(
		used("empty", 16, "default"),
		used("a", 8, "default", podNamed("a1", "1500m", "1Gi")),
		used("b", 8, "default", podNamed("b1", "500m", "1Gi")),
		used("c", 8, "default", podNamed("c1", "500m", "1Gi")),
	)
	before := whereabouts(s)
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	c := converge(t, p, s)
	// 2.5 CPUs in all need an m4: 1.6 + 2.4 at first, 0.4 in the end.
	expect(t, stepsOf(c), `
emptiness delete empty saves 1.60, leaves 2.40
multi replace a b c by m4 saves 2.00, leaves 0.40
converged`)
	if math.Abs(c.Before-4) > 1e-9 || math.Abs(c.After-0.4) > 1e-9 {
		t.Errorf("before %v, after %v", c.Before, c.After)
	}
	expect(t, whereabouts(c.Final), "replacement-002 m4: a1 b1 c1\nwaiting:")
	expect(t, whereabouts(s), before) // the caller's cluster stays as it was
	again := converge(t, p, c.Final)
	if len(again.Steps) > 0 || again.End != karpenter.Converged {
		t.Errorf("a consolidated cluster is consolidated again: %s", stepsOf(again))
	}
}

// A budget of one node makes a step of each; the sequence is cut off after fifty.
func TestConvergeIsBounded(t *testing.T) {
	pool := poolNamed("default", onDemand)
	pool.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "1"}}
	s := clusterOf()
	for i := range karpenter.MaxConsolidationSteps + 10 {
		s.Nodes = append(s.Nodes, used(fmt.Sprintf("n%02d", i), 4, "default"))
	}
	c := converge(t, packerOf(t, machines(t), []*packing.NodePool{pool}), s)
	if c.End != karpenter.StepsReached || len(c.Steps) != karpenter.MaxConsolidationSteps || len(c.Final.Nodes) != 10 {
		t.Errorf("%s after %d steps, %d nodes left", c.End, len(c.Steps), len(c.Final.Nodes))
	}
}

// A pool that leaves the capacity type open counts as one that may launch spot. If
// the catalog sells no spot, the replacement, held to spot, can never be launched.
func TestConvergeEndsWhereALaunchFails(t *testing.T) {
	s := clusterOf(used("n", 8, "default", podNamed("p", "1", "1Gi")))
	c := converge(t, packerOf(t, machines(t), []*packing.NodePool{poolNamed("default")}), s)
	if c.End != karpenter.LaunchFailed || len(c.Steps) != 1 || c.Steps[0].Node != nil {
		t.Errorf("%s: %s", c.End, stepsOf(c))
	}
	if c.Before != c.After || len(c.Final.Nodes) != 1 {
		t.Errorf("a failed launch changes the cluster: %s", whereabouts(c.Final))
	}
}

// Karpenter launches nothing for a pod that its budget never lets go, although the
// budget, by a status that is out of date, allows a disruption now.
func TestConvergeLeavesPodsOfBlockingBudgetsWaiting(t *testing.T) {
	b := budgetFor("never", 1)
	none := intstr.FromInt32(0)
	b.Spec.MaxUnavailable = &none
	b.Spec.Selector.MatchLabels = map[string]string{"app": "kept"}
	s := clusterOf(
		used("n", 4, "default", podNamed("kept", "3", "1Gi", labelled("app", "kept")), podNamed("free", "500m", "1Gi")),
		used("room", 8, "default", podsNamed("q", 7, "1", "1Gi")...), // 1 CPU is left: no room for kept
	)
	s.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{b}
	c := converge(t, packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)}), s)
	expect(t, stepsOf(c), "single delete n saves 0.40, leaves 0.80\nconverged")
	if len(c.Steps[0].MadePending) != 1 || c.Steps[0].MadePending[0].Name != "kept" {
		t.Errorf("made pending: %v", c.Steps[0].MadePending)
	}
	expect(t, whereabouts(c.Final), "room m8: q-00 q-01 q-02 q-03 q-04 q-05 q-06 free\nwaiting: kept")
}

// A replacement joins with the labels of pool and offering, open to be consolidated in turn.
func TestReplacementJoinsWithLabelsAndPrice(t *testing.T) {
	pool := poolNamed("default", onDemand)
	pool.Spec.Template.Labels = map[string]string{"team": "a"}
	c := converge(t, packerOf(t, machines(t), []*packing.NodePool{pool}), clusterOf(used("n", 8, "default", podNamed("p", "1", "1Gi"))))
	n := c.Steps[0].Node
	for key, want := range map[string]string{
		packing.LabelNodePool: "default", "team": "a", corev1.LabelHostname: "replacement-001", corev1.LabelInstanceTypeStable: "m1",
		requirements.LabelInitialized: "true", requirements.LabelCapacityType: requirements.CapacityTypeOnDemand,
	} {
		if n.Labels[key] != want {
			t.Errorf("label %s is %q, want %q", key, n.Labels[key], want)
		}
	}
	if n.Price != 0.1 || !n.Claim.Consolidatable {
		t.Errorf("price %v, claim %+v", n.Price, n.Claim)
	}
}

// One packer consolidates several clusters at once, each as if it were alone.
func TestConsolidationsRunConcurrently(t *testing.T) {
	p := packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)})
	cluster := func(k int) *packing.Snapshot {
		s := clusterOf()
		for i := range 6 + k {
			s.Nodes = append(s.Nodes, used(fmt.Sprintf("n%d", i), int64(4<<(i%3)), "default", podsNamed(fmt.Sprintf("p%d", i), 1+(i+k)%4, "700m", "1Gi")...))
		}
		return s
	}
	const clusters, rounds = 4, 3
	alone := make([]string, clusters)
	for k := range alone {
		alone[k] = stepsOf(converge(t, p, cluster(k)))
	}
	var wg sync.WaitGroup
	for k := range clusters {
		for range rounds {
			wg.Add(1)
			go func() {
				defer wg.Done()
				c, err := p.Converge(context.Background(), cluster(k))
				if err != nil {
					t.Error(err)
				} else if got := stepsOf(c); got != alone[k] {
					t.Errorf("cluster %d together with others:\n%s\nalone:\n%s", k, got, alone[k])
				}
			}()
		}
	}
	wg.Wait()
}
