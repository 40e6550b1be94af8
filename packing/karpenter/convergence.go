package karpenter

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// MaxConsolidationSteps bounds a sequence of commands; a cluster that is not
// consolidated by then is one in which consolidation goes round in circles.
const MaxConsolidationSteps = 50

// ConvergenceEnd says how a sequence of consolidation commands ended.
type ConvergenceEnd string

// How a sequence ends.
const (
	Converged    ConvergenceEnd = "converged"    // nothing is left to do
	StepsReached ConvergenceEnd = "maxSteps"     // MaxConsolidationSteps were made
	LaunchFailed ConvergenceEnd = "launchFailed" // a replacement has no offering
)

// Convergence is the sequence of commands that consolidates a cluster.
type Convergence struct {
	Steps []ConvergenceStep
	End   ConvergenceEnd
	// Before and After are the prices of the nodes of all pools in US dollars an hour.
	Before, After float64
	// Final is the cluster after the last step.
	Final *packing.Snapshot
}

// ConvergenceStep is one command, executed at once.
type ConvergenceStep struct {
	Command *Command
	// Before is the cluster in which the command was found.
	Before *packing.Snapshot
	// Node is the replacement as it joined, nil if the command only deletes.
	Node *packing.Node
	// MadePending are pods of the nodes that went for which the command had no
	// place: those that a PodDisruptionBudget blocks for good.
	MadePending []*corev1.Pod
	// Price of the nodes of all pools after the step, in US dollars an hour.
	Price float64
}

// Converge repeats consolidation, executing each command at once on a clock that
// stands still, until nothing is left to do: emptiness first, then multi-node,
// then single-node consolidation. A replacement arrives initialized, at its
// cheapest offering; displaced pods are where the simulation put them; pods that
// waited wait on. Errors are those of Consolidate.
func (p *Packer) Converge(ctx context.Context, s *packing.Snapshot) (*Convergence, error) {
	out := &Convergence{End: StepsReached, Final: s, Before: p.poolPrice(s)}
	for step := 1; step <= MaxConsolidationSteps; step++ {
		cmd, _, err := p.disrupt(ctx, out.Final, DisruptLimits{})
		if err != nil {
			return nil, fmt.Errorf("converge: step %d: %w", step, err)
		}
		if cmd == nil {
			out.End = Converged
			break
		}
		if cmd.Replacement != nil && cmd.Replacement.InstanceType == nil {
			out.Steps = append(out.Steps, ConvergenceStep{Command: cmd, Before: out.Final, Price: p.poolPrice(out.Final)})
			out.End = LaunchFailed
			break
		}
		next, st := execute(out.Final, cmd, fmt.Sprintf("replacement-%03d", step))
		out.Final, st.Price = next, p.poolPrice(next)
		out.Steps = append(out.Steps, st)
	}
	out.After = p.poolPrice(out.Final)
	return out, nil
}

// poolPrice is the price of all nodes that belong to a pool.
func (p *Packer) poolPrice(s *packing.Snapshot) float64 {
	var prices []float64
	for _, n := range s.Nodes {
		if !managed(n) {
			continue
		}
		t, _ := p.catalogOf(n.NodePool()).Lookup(n.Labels[corev1.LabelInstanceTypeStable])
		prices = append(prices, nodePrice(n, t))
	}
	return instancetypes.SumPrices(prices)
}

// execute returns the cluster after a command.
func execute(s *packing.Snapshot, cmd *Command, name string) (*packing.Snapshot, ConvergenceStep) {
	step := ConvergenceStep{Command: cmd, Before: s}
	gone := make(map[*packing.Node]bool, len(cmd.Candidates))
	for _, cand := range cmd.Candidates {
		gone[cand.Node] = true
	}
	next := *s
	next.Nodes = make([]*packing.Node, 0, len(s.Nodes)+1)
	copies := make(map[*packing.Node]*packing.Node, len(s.Nodes))
	for _, n := range s.Nodes {
		if gone[n] {
			continue
		}
		c := *n
		c.Pods = slices.Clone(n.Pods)
		copies[n] = &c
		next.Nodes = append(next.Nodes, &c)
	}
	destination := map[*corev1.Pod]*packing.Node{}
	for _, pl := range cmd.Placements {
		for _, pod := range pl.Pods {
			destination[pod] = copies[pl.Node]
		}
	}
	if l := cmd.Replacement; l != nil {
		step.Node = joined(l, name, s)
		for _, pod := range l.Pods {
			destination[pod] = step.Node
		}
		next.Nodes = append(next.Nodes, step.Node)
	}
	next.Pods = slices.Clone(s.Pods)
	for _, cand := range cmd.Candidates {
		for _, pod := range cand.known.pods {
			moved := evicted(pod)
			if n := destination[pod]; n != nil {
				moved.Spec.NodeName = n.Name
				n.Pods = append(n.Pods, moved)
				continue
			}
			step.MadePending = append(step.MadePending, moved)
			next.Pods = append(next.Pods, moved)
		}
	}
	return &next, step
}

// joined is a replacement once it has joined the cluster, open to be
// consolidated in turn as soon as its pool allows.
func joined(l *packing.Launch, name string, s *packing.Snapshot) *packing.Node {
	launch := *l
	launch.Name = name
	n := launch.Node()
	n.CreationTimestamp = metav1.NewTime(s.Now)
	n.Labels[requirements.LabelRegistered] = "true"
	n.Labels[requirements.LabelInitialized] = "true"
	after := l.NodePool.Spec.Disruption.ConsolidateAfter
	return &packing.Node{Node: n, Price: l.Price, Claim: &packing.NodeClaim{
		Consolidatable: !after.Never,
		Initialized:    s.Now.Add(-after.Duration),
	}}
}
