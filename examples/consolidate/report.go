package main

import (
	"context"
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/compare"
)

// report is what the program prints; its JSON form is stable.
type report struct {
	Schema      string   `json:"schema"`
	Scenario    string   `json:"scenario"`
	Description string   `json:"description,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Nodes       int      `json:"nodes"`
	// PendingPods are counted before and after.
	PendingPods int `json:"pendingPods"`
	// Pass are the commands of one pass, of which the first is executed.
	Pass  []command `json:"pass"`
	Stays []stay    `json:"stays"`
	// Sequence is what happens until nothing is left to do.
	Sequence         []step   `json:"sequence"`
	End              string   `json:"end"`
	HourlyBefore     float64  `json:"hourlyBefore"`
	HourlyAfter      float64  `json:"hourlyAfter"`
	NodesAfter       int      `json:"nodesAfter"`
	PendingPodsAfter int      `json:"pendingPodsAfter"`
	Violations       []string `json:"violations,omitempty"`
}

type command struct {
	Method      string       `json:"method"`
	Decision    string       `json:"decision"`
	Nodes       []string     `json:"nodes"`
	Replacement *replacement `json:"replacement,omitempty"`
	Savings     float64      `json:"savingsHourly"`
}

type replacement struct {
	NodePool     string  `json:"nodePool"`
	InstanceType string  `json:"instanceType,omitempty"`
	Zone         string  `json:"zone,omitempty"`
	CapacityType string  `json:"capacityType,omitempty"`
	Price        float64 `json:"priceHourly"`
	// Options counts the instance types that the launch leaves open.
	Options int `json:"options"`
}

type stay struct {
	Node         string  `json:"node"`
	NodePool     string  `json:"nodePool,omitempty"`
	InstanceType string  `json:"instanceType,omitempty"`
	CapacityType string  `json:"capacityType,omitempty"`
	Price        float64 `json:"priceHourly"`
	// SavingsRatio orders the candidates of consolidation, the highest first.
	SavingsRatio float64 `json:"savingsRatio"`
	Class        string  `json:"class"`
	Reason       string  `json:"reason"`
}

type step struct {
	command
	// Name is that of the replacement in later steps.
	Name        string  `json:"replacementName,omitempty"`
	MadePending int     `json:"madePending,omitempty"`
	Hourly      float64 `json:"hourlyAfter"`
}

// newReport consolidates the scenario's cluster once, and to the end.
func newReport(ctx context.Context, s *scenarios.Scenario) (*report, error) {
	engine := compare.Karpenter()
	packer, err := engine.New(s)
	if err != nil {
		return nil, err
	}
	consolidator, ok := packer.(*karpenter.Packer)
	if !ok {
		return nil, fmt.Errorf("engine %s does not consolidate", engine.Name)
	}
	found, err := consolidator.Consolidate(ctx, s.Snapshot)
	if err != nil {
		return nil, err
	}
	converged, err := consolidator.Converge(ctx, s.Snapshot)
	if err != nil {
		return nil, err
	}
	r := &report{
		Schema: "binwright.dev/consolidation/v1", Scenario: s.Name, Description: s.Description, Warnings: s.Warnings,
		Nodes: len(s.Snapshot.Nodes), PendingPods: len(s.Snapshot.Pods), Pass: []command{}, Stays: []stay{}, Sequence: []step{},
		End: string(converged.End), HourlyBefore: micro(converged.Before), HourlyAfter: micro(converged.After),
		NodesAfter: len(converged.Final.Nodes), PendingPodsAfter: len(converged.Final.Pods),
	}
	for _, cmd := range []*karpenter.Command{found.Emptiness, found.Multi, found.Single} {
		if cmd != nil {
			r.Pass = append(r.Pass, commandOf(cmd))
		}
	}
	for _, st := range found.Stays() {
		r.Stays = append(r.Stays, stayOf(st))
	}
	for i, st := range converged.Steps {
		row := step{command: commandOf(st.Command), MadePending: len(st.MadePending), Hourly: micro(st.Price)}
		if st.Node != nil {
			row.Name = st.Node.Name
		}
		r.Sequence = append(r.Sequence, row)
		if st.Command.Replacement != nil && st.Node == nil {
			continue // it cannot be launched, which the end of the sequence says
		}
		cluster, plan := st.Command.Plan(st.Before)
		for _, v := range packing.Verify(cluster, plan, packing.WithNodePools(s.NodePools...), packing.Tolerate(engine.Deviations...)) {
			r.Violations = append(r.Violations, fmt.Sprintf("step %d: %s", i+1, v))
		}
	}
	return r, nil
}

func commandOf(cmd *karpenter.Command) command {
	c := command{Method: cmd.Method, Decision: cmd.Decision(), Savings: micro(cmd.Savings)}
	for _, cand := range cmd.Candidates {
		c.Nodes = append(c.Nodes, cand.Node.Name)
	}
	if l := cmd.Replacement; l != nil {
		c.Replacement = &replacement{NodePool: l.Owner(), Zone: l.Zone, CapacityType: l.CapacityType, Price: micro(l.Price), Options: len(l.Options)}
		if l.InstanceType != nil {
			c.Replacement.InstanceType = l.InstanceType.Name
		}
	}
	return c
}

func stayOf(st karpenter.Stay) stay {
	n := st.Candidate.Node
	return stay{
		Node: n.Name, NodePool: n.NodePool(), InstanceType: n.Labels[corev1.LabelInstanceTypeStable],
		CapacityType: n.Labels[requirements.LabelCapacityType], Price: micro(n.Price), SavingsRatio: micro(st.Candidate.SavingsRatio()),
		Class: string(st.Reason.Class), Reason: st.Reason.Message,
	}
}

// micro rounds to a millionth, which is finer than any price.
func micro(dollars float64) float64 { return math.Round(dollars*1e6) / 1e6 }
