package karpenter

import (
	"context"
	"slices"
	"strings"

	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// emptiness removes every empty node that the budgets allow, the dearest first
// (pkg/controllers/disruption/emptiness.go). It needs no simulation.
func (c *cluster) emptiness(e *MethodEffort) *Command {
	var empty []*Candidate
	for _, cand := range c.candidates {
		if cand.Blocked == "" && cand.Empty {
			empty = append(empty, cand)
		}
	}
	slices.SortStableFunc(empty, byRatio)
	e.Candidates = len(empty)
	allowed := c.allowed(disruption.Empty)
	cmd := &Command{Method: methodEmptiness}
	for _, cand := range empty {
		if allowed[cand.Pool.Name] == 0 {
			e.Constrained = true
			continue
		}
		allowed[cand.Pool.Name]--
		cmd.Candidates = append(cmd.Candidates, cand)
		cmd.Savings += cand.Price
	}
	if len(cmd.Candidates) == 0 {
		return nil
	}
	return cmd
}

// byRatio puts the higher savings ratio first.
func byRatio(a, b *Candidate) int {
	switch ra, rb := a.SavingsRatio(), b.SavingsRatio(); {
	case ra > rb:
		return -1
	case ra < rb:
		return 1
	default:
		return 0
	}
}

// multi looks by binary search for the longest prefix of at least two
// candidates that can go together for at most one cheaper node
// (pkg/controllers/disruption/multinodeconsolidation.go). It makes at most as many
// simulations as the limit says (see [DisruptLimits]) and then stands by what it found.
func (c *cluster) multi(ctx context.Context, order []*Candidate, totals map[string]PoolTotals, limit int, e *MethodEffort) (*Command, error) {
	e.Candidates, c.effort = len(order), e
	allowed := c.allowed(disruption.Underutilized)
	var candidates []*Candidate
	for _, cand := range order {
		if allowed[cand.Pool.Name] == 0 {
			e.Constrained = true
			continue
		}
		allowed[cand.Pool.Name]--
		candidates = append(candidates, cand)
	}
	best, err := c.longestPrefix(ctx, candidates, totals, limit)
	// The original takes itself for done after a time-out as well.
	e.Consolidated = best == nil && err == nil && !e.Constrained
	return best, err
}

func (c *cluster) longestPrefix(ctx context.Context, candidates []*Candidate, totals map[string]PoolTotals, limit int) (*Command, error) {
	if len(candidates) < minMultiNodeBatch {
		return nil, nil
	}
	var best *Command
	low, high := 1, min(len(candidates), maxMultiNodeBatch)
	if len(candidates) <= high {
		high = len(candidates) - 1
	}
	for low <= high {
		if reached(limit, c.effort.Simulations) {
			c.effort.TimedOut = true
			break
		}
		mid := (low + high) / 2
		cmd, err := c.together(ctx, candidates[:mid+1], totals)
		if err != nil {
			return nil, err
		}
		if cmd != nil {
			best, low = cmd, mid+1
		} else {
			high = mid - 1
		}
	}
	return best, nil
}

// together evaluates a batch, with the rules that hold for several nodes only.
func (c *cluster) together(ctx context.Context, batch []*Candidate, totals map[string]PoolTotals) (*Command, error) {
	cmd, _, err := c.evaluate(ctx, batch)
	if cmd == nil || err != nil {
		return nil, err
	}
	cmd.Method = methodMulti
	if l := cmd.Replacement; l != nil {
		options := &claimOptions{types: l.Options, reqs: l.Requirements, wellKnown: c.packer.known}
		if !options.dropSameTypes(batch) {
			return nil, nil
		}
		cmd.setReplacement(l, options)
	}
	if !approved(scores(cmd, totals)) {
		return nil, nil
	}
	return cmd, nil
}

// verdicts evaluates every candidate by itself, by node name.
func (c *cluster) verdicts(ctx context.Context, order []*Candidate, totals map[string]PoolTotals) ([]*Verdict, error) {
	out := make([]*Verdict, 0, len(order))
	for _, cand := range order {
		v, err := c.verdict(ctx, cand, totals)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b *Verdict) int { return strings.Compare(a.Candidate.Node.Name, b.Candidate.Node.Name) })
	return out, nil
}

func (c *cluster) verdict(ctx context.Context, cand *Candidate, totals map[string]PoolTotals) (*Verdict, error) {
	cmd, stay, err := c.evaluate(ctx, []*Candidate{cand})
	if err != nil {
		return nil, err
	}
	v := &Verdict{Candidate: cand, Command: cmd, Reason: stay, CanPass: canPass(cand, totals)}
	if cmd != nil {
		cmd.Method = methodSingle
		v.Scores = scores(cmd, totals)
	}
	return v, nil
}

// single takes the first candidate for which something can be done, taking
// turns between the pools (pkg/controllers/disruption/singlenodeconsolidation.go).
// Karpenter leaves the order of the pools to chance; see interleave.
func (c *cluster) single(order []*Candidate, verdicts []*Verdict, allowed map[string]int) *Command {
	verdictOf := make(map[*Candidate]*Verdict, len(verdicts))
	for _, v := range verdicts {
		verdictOf[v.Candidate] = v
	}
	for _, cand := range interleave(order, nil) {
		v := verdictOf[cand]
		if allowed[cand.Pool.Name] > 0 && v.CanPass && v.Command != nil && approved(v.Scores) {
			return v.Command
		}
	}
	return nil
}

// interleave takes one candidate of each pool in turn, the pool of the best
// candidate first. Karpenter walks a map of the pools, filled in this order; Go
// starts such a walk at a random slot, and for a few pools this order is the
// likeliest by far. Pools that are named first come before the others.
func interleave(order []*Candidate, first []string) []*Candidate {
	byPool := map[string][]*Candidate{}
	var pools []string
	for _, cand := range order {
		name := cand.Pool.Name
		if byPool[name] == nil {
			pools = append(pools, name)
		}
		byPool[name] = append(byPool[name], cand)
	}
	if len(first) > 0 {
		slices.SortStableFunc(pools, func(a, b string) int {
			switch inA, inB := slices.Contains(first, a), slices.Contains(first, b); {
			case inA == inB:
				return 0
			case inA:
				return -1
			default:
				return 1
			}
		})
	}
	out := make([]*Candidate, 0, len(order))
	for turn := 0; len(out) < len(order); turn++ {
		for _, name := range pools {
			if turn < len(byPool[name]) {
				out = append(out, byPool[name][turn])
			}
		}
	}
	return out
}
