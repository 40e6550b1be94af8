package karpenter

import (
	"context"
	"fmt"
	"slices"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// DisruptLimits are what a disruption controller remembers from one pass to the
// next, and what its time-outs amount to. The zero value is a controller that has
// just started and has all the time it needs.
type DisruptLimits struct {
	// SkipEmptiness, SkipMulti and SkipSingle leave a method out: the original skips each
	// that found the cluster consolidated while nothing has changed since
	// ([MethodEffort].Consolidated), and goes on after one whose command was not valid.
	SkipEmptiness, SkipMulti, SkipSingle bool
	// MultiSimulations and SingleSimulations are how many simulations multi-node and
	// single-node consolidation finish before they time out, after one and three minutes in the
	// original. 0 is without a limit, a negative number stands for none at all.
	MultiSimulations, SingleSimulations int
	// UnseenNodePools are the pools that single-node consolidation did not get to when it
	// last timed out ([Effort].UnseenNodePools): their turn comes first.
	UnseenNodePools []string
}

// Effort is how much work a pass of the disruption controller was, and what it
// leaves to the next pass.
type Effort struct {
	Emptiness, Multi, Single MethodEffort
	// UnseenNodePools are the pools that the next pass is to begin with, by name.
	UnseenNodePools []string
}

// Simulations returns how many simulations all methods made together.
func (e Effort) Simulations() int {
	return e.Emptiness.Simulations + e.Multi.Simulations + e.Single.Simulations
}

// MethodEffort is what one method did. It is zero for a method that was skipped, not
// reached, or had no candidates.
type MethodEffort struct {
	// Candidates are how many nodes the method had to choose from, budgets left aside.
	Candidates int
	// Simulations are how often it had the scheduler simulate; Pods and Nodes are how many
	// pods were scheduled and how many existing nodes they could go to, added up over the
	// simulations.
	Simulations, Pods, Nodes int
	// Constrained: a budget kept the method from looking at some candidate.
	Constrained bool
	// TimedOut: the limit of simulations was reached before the method was done.
	TimedOut bool
	// Consolidated: the method found nothing, and the original would not try it again until
	// the cluster changes or five minutes have passed.
	Consolidated bool
}

// Disrupt returns the first command that one pass of Karpenter's disruption
// controller would find at the snapshot's moment, and how much work it was:
// emptiness, then multi-node, then single-node consolidation
// (pkg/controllers/disruption/controller.go of v1.14.1). The command is nil if there
// is nothing to do. Where no limit bites it is that of [Consolidation.Command], for
// less work: nothing is computed beyond the command. Karpenter executes it only if it is
// still valid 15 seconds later, see [Packer.Validate]. Errors are those of Consolidate.
func (p *Packer) Disrupt(ctx context.Context, s *packing.Snapshot, limits DisruptLimits) (*Command, Effort, error) {
	cmd, effort, err := p.disrupt(ctx, s, limits)
	if err != nil {
		return nil, effort, fmt.Errorf("disrupt: %w", err)
	}
	return cmd, effort, nil
}

func (p *Packer) disrupt(ctx context.Context, s *packing.Snapshot, limits DisruptLimits) (*Command, Effort, error) {
	effort := Effort{UnseenNodePools: slices.Sorted(slices.Values(limits.UnseenNodePools))}
	c, err := p.newCluster(s)
	if err == nil {
		err = c.ready()
	}
	if err != nil {
		return nil, effort, err
	}
	defer c.release()
	c.brief = true
	cmd, err := c.firstCommand(ctx, limits, &effort)
	if cmd != nil {
		cmd.Candidates = detach(cmd.Candidates)
	}
	return cmd, effort, err
}

// firstCommand asks the methods in turn.
func (c *cluster) firstCommand(ctx context.Context, limits DisruptLimits, effort *Effort) (*Command, error) {
	if !limits.SkipEmptiness {
		if cmd := c.emptiness(&effort.Emptiness); cmd != nil {
			return cmd, nil
		}
	}
	order := c.consolidatable()
	if len(order) == 0 {
		return nil, nil
	}
	totals := c.totals()
	if !limits.SkipMulti {
		cmd, err := c.multi(ctx, order, totals, limits.MultiSimulations, &effort.Multi)
		if cmd != nil || err != nil {
			return cmd, err
		}
	}
	if limits.SkipSingle {
		return nil, nil
	}
	return c.firstSingle(ctx, order, totals, limits, effort)
}

// firstSingle is single-node consolidation as the controller runs it: it stops at
// the first command (pkg/controllers/disruption/singlenodeconsolidation.go).
func (c *cluster) firstSingle(ctx context.Context, order []*Candidate, totals map[string]PoolTotals, limits DisruptLimits, effort *Effort) (*Command, error) {
	e := &effort.Single
	e.Candidates, c.effort = len(order), e
	unseen := map[string]bool{}
	for _, cand := range order {
		unseen[cand.Pool.Name] = true
	}
	allowed := c.allowed(disruption.Underutilized)
	for _, cand := range interleave(order, limits.UnseenNodePools) {
		if reached(limits.SingleSimulations, e.Simulations) {
			e.TimedOut = true
			break
		}
		delete(unseen, cand.Pool.Name)
		if allowed[cand.Pool.Name] == 0 {
			e.Constrained = true
			continue
		}
		if !canPass(cand, totals) {
			continue
		}
		v, err := c.verdict(ctx, cand, totals)
		if err != nil {
			return nil, err
		}
		if v.Command != nil && approved(v.Scores) {
			return v.Command, nil
		}
	}
	effort.UnseenNodePools = effort.UnseenNodePools[:0]
	for pool := range unseen {
		effort.UnseenNodePools = append(effort.UnseenNodePools, pool)
	}
	slices.Sort(effort.UnseenNodePools)
	e.Consolidated = !e.TimedOut && !e.Constrained
	return nil, nil
}

// reached reports whether a limit of simulations lets no further one be made.
func reached(limit, made int) bool { return limit < 0 || limit > 0 && made >= limit }
