package karpenter

import (
	"context"
	"fmt"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// Validation is what became of a command by the time at which Karpenter executes it.
type Validation struct {
	// Command is what is executed, nil if the command is no longer valid: its candidates
	// are those of the snapshot that it was validated in, of emptiness those that may
	// still go. Placements and replacement stay as they were found.
	Command *Command
	// Rejection says why not, "" if it is valid; Message says it in words.
	Rejection Rejection
	Message   string
	// Effort is the simulation that the validation took; emptiness needs none.
	Effort MethodEffort
}

// Rejection tells apart why a command is no longer valid, as the original names it.
type Rejection string

// Why a command is rejected.
const (
	RejectedByChurn      Rejection = "churn"      // a candidate is gone or may no longer be disrupted
	RejectedByBudget     Rejection = "budget"     // the budgets have no room for it any more
	RejectedByScheduling Rejection = "scheduling" // its pods would now go elsewhere
)

// Validate repeats for a command what Karpenter repeats 15 seconds after it found
// it, on the cluster as it is then (pkg/controllers/disruption/validation.go of v1.14.1):
// the candidates, found again by the names of their nodes, are still candidates; the
// budgets still let them go; and but for emptiness a new simulation still places their
// pods with as many new nodes, at most one, which could become any of the types that the
// command would launch. Errors are those of Consolidate, about the pods that the simulation schedules.
func (p *Packer) Validate(ctx context.Context, cmd *Command, s *packing.Snapshot) (*Validation, error) {
	c, err := p.newCluster(s)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	found := c.again(cmd)
	if err := c.readyFor(found); err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	defer c.release()
	v, err := c.validate(ctx, cmd, found)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	if v.Command != nil {
		v.Command.Candidates = detach(v.Command.Candidates)
	}
	return v, nil
}

// validate looks at the candidates of a command, as far as they were found again.
func (c *cluster) validate(ctx context.Context, cmd *Command, found []*Candidate) (*Validation, error) {
	v := &Validation{}
	v.Effort.Candidates, c.effort = len(found), &v.Effort
	if cmd.Method == methodEmptiness {
		c.validateEmpty(v, cmd, found)
		return v, nil
	}
	if missing := len(cmd.Candidates) - len(found); missing != 0 {
		v.reject(RejectedByChurn, "%d candidates are no longer valid", missing)
		return v, nil
	}
	allowed := c.allowed(disruption.Underutilized)
	for _, cand := range found {
		if allowed[cand.Pool.Name] == 0 {
			v.Effort.Constrained = true
			v.reject(RejectedByBudget, "node %s can no longer be disrupted without violating budgets", cand.Node.Name)
			return v, nil
		}
		allowed[cand.Pool.Name]--
	}
	sim, err := c.simulate(ctx, found, nil)
	if err != nil {
		return nil, err
	}
	if sim.stay.Class != "" {
		v.reject(RejectedByScheduling, "%s", sim.stay.Message)
	} else if !sameOutcome(cmd, sim.plan.Launches) {
		v.reject(RejectedByScheduling, "scheduling simulation produced new results")
	} else {
		v.accept(cmd, found)
	}
	return v, nil
}

// again returns the candidates of a command as the snapshot has them, by name and
// in the command's order (the original's is that of a Go map), without those that its
// method would not take any more.
func (c *cluster) again(cmd *Command) []*Candidate {
	var found []*Candidate
	for _, before := range cmd.Candidates {
		cand := c.named(before.Node.Name, before.position)
		if cand == nil {
			continue
		}
		if c.judge(cand); cand.Blocked != "" {
			continue
		}
		if cmd.Method == methodEmptiness && cand.Empty || cmd.Method != methodEmptiness && cand.Excluded == "" {
			found = append(found, cand)
		}
	}
	return found
}

// named returns a candidate by the name of its node, nil if there is none. It is looked for first where it was in the
// list of nodes, then before, as nodes that have gone leave no gap.
func (c *cluster) named(name string, position int) *Candidate {
	for i := min(position, len(c.byPosition)-1); i >= 0; i-- {
		if cand := c.byPosition[i]; cand.Node.Name == name {
			return cand
		}
	}
	for i := position + 1; i < len(c.byPosition); i++ {
		if cand := c.byPosition[i]; cand.Node.Name == name {
			return cand
		}
	}
	return nil
}

// validateEmpty keeps of a command of emptiness what still may go: it stands for
// each node by itself.
func (c *cluster) validateEmpty(v *Validation, cmd *Command, found []*Candidate) {
	if len(found) == 0 {
		v.reject(RejectedByChurn, "%d candidates are no longer valid", len(cmd.Candidates))
		return
	}
	allowed := c.allowed(disruption.Empty)
	valid := found[:0]
	for _, cand := range found {
		if allowed[cand.Pool.Name] == 0 {
			v.Effort.Constrained = true
			continue
		}
		allowed[cand.Pool.Name]--
		valid = append(valid, cand)
	}
	if len(valid) == 0 {
		v.reject(RejectedByBudget, "%d candidates would violate disruption budgets", len(cmd.Candidates))
		return
	}
	v.accept(cmd, valid)
	v.Command.Savings = 0
	for _, cand := range valid {
		v.Command.Savings += cand.Price
	}
}

func (v *Validation) accept(cmd *Command, found []*Candidate) {
	valid := *cmd
	valid.Candidates = found
	v.Command = &valid
}

func (v *Validation) reject(why Rejection, format string, args ...any) {
	v.Rejection, v.Message = why, fmt.Sprintf(format, args...)
}

// sameOutcome reports whether the launches of a new simulation bear a command out.
// They are not filtered by price, so that they may leave more types open than the
// command does (validateCommand).
func sameOutcome(cmd *Command, launches []*packing.Launch) bool {
	if cmd.Replacement == nil || len(launches) != 1 {
		return cmd.Replacement == nil && len(launches) == 0
	}
	options := make(map[string]bool, len(launches[0].Options))
	for _, t := range launches[0].Options {
		options[t.Name] = true
	}
	return !anyMissing(cmd.Replacement.Options, options)
}

func anyMissing(types []*instancetypes.InstanceType, from map[string]bool) bool {
	for _, t := range types {
		if !from[t.Name] {
			return true
		}
	}
	return false
}
