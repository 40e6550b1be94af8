package karpenter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// TestConvergenceOfRandomClusters consolidates clusters with spread, affinity and
// anti-affinity among the pods. Each step keeps the rules and makes the cluster
// cheaper, no pod is lost, none that ran is left waiting, and a packer that has seen
// other clusters decides the same.
func TestConvergenceOfRandomClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 3))
	catalog := simulationCatalog(t)
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	pool.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{
		{Key: requirements.LabelCapacityType, Operator: requirements.In, Values: []string{requirements.CapacityTypeOnDemand}}}
	used, err := New(catalog, []*packing.NodePool{pool})
	if err != nil {
		t.Fatal(err)
	}
	steps, replacements := 0, 0
	for cluster := range 40 {
		s := simulationCluster(rng, catalog)
		c, err := used.Converge(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		found, err := used.Consolidate(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		if first := found.Command(); (first == nil) != (len(c.Steps) == 0) || first != nil && toldCommand(first) != toldCommand(c.Steps[0].Command) {
			t.Errorf("cluster %d: the sequence starts with another command than one pass finds", cluster)
		}
		price := c.Before
		for i, step := range c.Steps {
			if steps++; step.Node != nil {
				replacements++
			}
			if step.Price >= price {
				t.Errorf("cluster %d, step %d: %v $/h, before it %v", cluster, i+1, step.Price, price)
			}
			price = step.Price
			if len(step.MadePending) > 0 && step.Command.Method != methodEmptiness {
				t.Errorf("cluster %d, step %d: %d pods have no place", cluster, i+1, len(step.MadePending))
			}
			reduced, plan := step.Command.Plan(step.Before)
			for _, v := range packing.Verify(reduced, plan) {
				if v.Rule != packing.RuleTopologySpread && v.Rule != packing.RulePodAffinity { // Karpenter counts domains it could open
					t.Errorf("cluster %d, step %d: %s", cluster, i+1, v)
				}
			}
		}
		if c.End != Converged {
			t.Errorf("cluster %d ends as %s", cluster, c.End)
		}
		if got, want := podNames(c.Final), podNames(s); !slices.Equal(got, want) {
			t.Errorf("cluster %d: pods %v, at first %v", cluster, got, want)
		}
		fresh, err := New(catalog, []*packing.NodePool{pool})
		if err != nil {
			t.Fatal(err)
		}
		again, err := fresh.Converge(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := told(c), told(again); a != b {
			t.Errorf("cluster %d: one packer says\n%s\nanother\n%s", cluster, a, b)
		}
	}
	if steps < 40 || replacements < 10 {
		t.Errorf("%d steps, %d replacements: the clusters have too little to consolidate", steps, replacements)
	}
}

func podNames(s *packing.Snapshot) []string {
	var names []string
	for _, p := range s.Pods {
		names = append(names, p.Name)
	}
	for _, n := range s.Nodes {
		for _, p := range n.Pods {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// told is all that a sequence decides.
func told(c *Convergence) string {
	text := fmt.Sprintln(c.End, c.Before, c.After)
	for _, step := range c.Steps {
		text += fmt.Sprintln(step.Price, toldCommand(step.Command))
	}
	return text
}

// toldCommand is all that a command decides.
func toldCommand(cmd *Command) string {
	text := fmt.Sprint(cmd.Method, cmd.Savings)
	for _, cand := range cmd.Candidates {
		text += " " + cand.Node.Name
	}
	if r := cmd.Replacement; r != nil {
		text += fmt.Sprint(" ", r.Requirements, r.InstanceType.Name, r.Zone, len(r.Options))
	}
	for _, pl := range cmd.Placements {
		for _, p := range pl.Pods {
			text += " " + p.Name + "@" + pl.Node.Name
		}
	}
	return text
}
