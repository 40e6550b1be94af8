package karpenter

import "math"

// BalancedThreshold is 1/k with Karpenter's k of 2: a move of a Balanced pool is
// approved if its share of the savings is at least that much of its share of the
// disruption (pkg/apis/v1/nodepool.go, BalancedK).
const BalancedThreshold = 0.5

// PoolTotals are what moves of a Balanced pool are measured against.
type PoolTotals struct {
	Cost           float64 // US dollars an hour of all nodes of the pool
	DisruptionCost float64 // of all nodes of the pool
}

// Score is the Balanced policy's verdict on a move, for one pool.
type Score struct {
	Pool               string
	SavingsFraction    float64 // of the pool's cost
	DisruptionFraction float64 // of the pool's disruption cost
}

// Value is the savings fraction over the disruption fraction.
func (s Score) Value() float64 {
	switch {
	case s.SavingsFraction <= 0:
		return 0
	case s.DisruptionFraction == 0:
		return math.Inf(1)
	}
	return s.SavingsFraction / s.DisruptionFraction
}

// Approved reports whether the value reaches 1/2.
func (s Score) Approved() bool { return s.Value() >= BalancedThreshold }

// totals sums cost and disruption cost by pool over all nodes, candidates or
// not (pkg/controllers/disruption/balanced.go, computeNodePoolTotals; the cost
// is that of pkg/state/cost). Pools without a candidate have none.
func (c *cluster) totals() map[string]PoolTotals {
	type sums struct {
		tracked, candidates, disruption float64
		has                             bool
	}
	pools := make([]sums, len(c.packer.nodePools))
	for _, cand := range c.candidates {
		if cand.Pool == nil {
			continue
		}
		p := &pools[cand.poolAt]
		p.tracked += cand.node.tracked
		if cand.Blocked == "" {
			p.has = true
			p.candidates += cand.Price
			p.disruption += cand.DisruptionCost
		} else {
			p.disruption += cand.StateCost
		}
	}
	totals := make(map[string]PoolTotals, len(pools))
	for i, p := range pools {
		if !p.has {
			continue
		}
		cost := p.tracked
		if cost <= 0 {
			cost = p.candidates
		}
		totals[c.packer.nodePools[i].Name] = PoolTotals{Cost: cost, DisruptionCost: p.disruption}
	}
	return totals
}

func score(pool string, savings, disruptionCost float64, totals PoolTotals) Score {
	if totals.Cost <= 0 || totals.DisruptionCost <= 0 {
		return Score{Pool: pool}
	}
	return Score{Pool: pool, SavingsFraction: savings / totals.Cost, DisruptionFraction: disruptionCost / totals.DisruptionCost}
}

// canPass reports whether the best move of a node, its plain deletion, could be
// approved; if not, no replacement is worth simulating (CanPassThreshold).
func canPass(c *Candidate, totals map[string]PoolTotals) bool {
	if c.Pool.Spec.Disruption.ConsolidationPolicy != Balanced {
		return true
	}
	t, ok := totals[c.Pool.Name]
	if !ok || t.Cost <= 0 {
		return true
	}
	return score(c.Pool.Name, c.Price, c.DisruptionCost, t).Approved()
}

// scores judges a command for each Balanced pool that it touches, in the order
// of the candidates. In a move across pools each is credited with savings in
// proportion to its share of the price (EvaluateBalancedMove).
func scores(cmd *Command, totals map[string]PoolTotals) []Score {
	var pools []string
	prices, costs := map[string]float64{}, map[string]float64{}
	whole := 0.0
	for _, cand := range cmd.Candidates {
		name := cand.Pool.Name
		if _, seen := prices[name]; !seen {
			pools = append(pools, name)
		}
		prices[name] += cand.Price
		costs[name] += cand.DisruptionCost
		whole += cand.Price
	}
	var out []Score
	for _, name := range pools {
		if poolOf(cmd, name).Spec.Disruption.ConsolidationPolicy != Balanced {
			continue
		}
		savings := cmd.Savings
		if whole > 0 && len(pools) > 1 {
			savings *= prices[name] / whole
		}
		out = append(out, score(name, savings, costs[name], totals[name]))
	}
	return out
}

func approved(scores []Score) bool {
	for _, s := range scores {
		if !s.Approved() {
			return false
		}
	}
	return true
}
