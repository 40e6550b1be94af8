package karpenter

import (
	"fmt"

	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// Stay is a node that the next command leaves, and why.
type Stay struct {
	Candidate *Candidate
	Reason    StayReason
}

// Stays returns the nodes that the next command (Command) leaves alone, by name,
// each with the reason.
func (c *Consolidation) Stays() []Stay {
	goes := map[*Candidate]bool{}
	next := c.Command()
	if next != nil {
		for _, cand := range next.Candidates {
			goes[cand] = true
		}
	}
	verdicts := make(map[*Candidate]*Verdict, len(c.Verdicts))
	for _, v := range c.Verdicts {
		verdicts[v.Candidate] = v
	}
	stays := make([]Stay, 0, len(c.Nodes)-len(goes))
	for _, cand := range c.Nodes {
		if !goes[cand] {
			stays = append(stays, Stay{cand, stayReason(cand, verdicts[cand])})
		}
	}
	return stays
}

// stayReason is why a node stays; verdict is nil for nodes that are no candidates
// of consolidation.
func stayReason(cand *Candidate, verdict *Verdict) StayReason {
	switch {
	case cand.Blocked != "":
		return StayReason{Class: StayBlocked, Message: cand.Blocked}
	case cand.Empty:
		return StayReason{Class: StayBudget, Message: budgetMessage(cand, disruption.Empty)}
	case cand.DisruptionCost <= disruption.NodeBaseCost && !consolidatable(cand.Node):
		return StayReason{Class: StayExcluded, Message: "node is empty, and consolidateAfter has not passed yet"}
	case cand.Excluded != "":
		return StayReason{Class: StayExcluded, Message: cand.Excluded}
	case verdict.Reason.Class != "":
		return verdict.Reason
	default:
		return StayReason{Class: StayLater, Message: fmt.Sprintf("it could go alone (%s, saves $%.4f/h), but another command comes first",
			verdict.Command.Decision(), verdict.Command.Savings)}
	}
}

// hindrance says what stands in the way of a command that could be executed by
// itself: the policy Balanced, or the budgets of the pool.
func (c *cluster) hindrance(v *Verdict, allowed map[string]int) StayReason {
	switch {
	case v.Command == nil:
		return v.Reason
	case !v.CanPass || !approved(v.Scores):
		s := v.Scores[0]
		return StayReason{Class: StayBalanced, Message: fmt.Sprintf(
			"its %s would save %.1f%% of its node pool's cost for %.1f%% of the disruption, a ratio of %.2f; the policy Balanced wants %.2f",
			v.Command.Decision(), 100*s.SavingsFraction, 100*s.DisruptionFraction, s.Value(), BalancedThreshold)}
	case allowed[v.Candidate.Pool.Name] == 0:
		return StayReason{Class: StayBudget, Message: budgetMessage(v.Candidate, disruption.Underutilized)}
	default:
		return StayReason{}
	}
}

func budgetMessage(cand *Candidate, reason string) string {
	return fmt.Sprintf("the disruption budgets of node pool %q let no further node go for the reason %s", cand.Pool.Name, reason)
}
