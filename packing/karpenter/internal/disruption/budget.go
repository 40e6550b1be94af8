package disruption

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binwright/binwright/packing"
)

// Reasons for a disruption, as budgets name them.
const (
	Empty         = "Empty"
	Underutilized = "Underutilized"
	Drifted       = "Drifted"
)

// Unbounded is what a pool allows that has no budget in force.
const Unbounded = math.MaxInt32

// Allowed returns how many of a pool's nodes may be disrupted for a reason at a
// moment: the least of its budgets in force (percentages of nodes rounded up),
// [Unbounded] without any. A budget that cannot be read allows none, whatever
// its reasons (pkg/apis/v1/nodepool.go, MustGetAllowedDisruptions).
func Allowed(pool *packing.NodePool, nodes int, reason string, now time.Time) int {
	allowed := Unbounded
	for i := range pool.Spec.Disruption.Budgets {
		b := &pool.Spec.Disruption.Budgets[i]
		n, err := budgetAllows(b, nodes, now)
		if err != nil {
			return 0
		}
		if len(b.Reasons) == 0 || slices.Contains(b.Reasons, reason) {
			allowed = min(allowed, n)
		}
	}
	return allowed
}

// CheckBudgets returns the first reason why a pool's budgets cannot be read, with the field.
func CheckBudgets(pool *packing.NodePool) error {
	for i := range pool.Spec.Disruption.Budgets {
		if _, err := budgetAllows(&pool.Spec.Disruption.Budgets[i], 1, time.Time{}); err != nil {
			return fmt.Errorf("node pool %q: spec.disruption.budgets[%d]: %w", pool.Name, i, err)
		}
	}
	return nil
}

func budgetAllows(b *packing.Budget, nodes int, now time.Time) (int, error) {
	inForce, err := budgetInForce(b, now)
	if err != nil {
		return 0, err
	}
	if !inForce {
		return Unbounded, nil
	}
	if percent, ok := strings.CutSuffix(b.Nodes, "%"); ok {
		n, err := strconv.Atoi(percent)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("nodes %q is neither a number nor a percentage", b.Nodes)
		}
		return (n*nodes + 99) / 100, nil
	}
	n, err := strconv.Atoi(b.Nodes)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("nodes %q is neither a number nor a percentage", b.Nodes)
	}
	return n, nil
}

// budgetInForce reports whether the schedule has fired within the budget's
// duration before now; a budget with neither is always in force.
func budgetInForce(b *packing.Budget, now time.Time) (bool, error) {
	if b.Schedule == nil && b.Duration == nil {
		return true, nil
	}
	line := ""
	if b.Schedule != nil {
		line = *b.Schedule
	}
	schedule, err := ParseSchedule(line)
	if err != nil {
		return false, err
	}
	var window time.Duration
	if b.Duration != nil {
		window = b.Duration.Duration
	}
	next, ok := schedule.Next(now.UTC().Add(-window))
	return ok && !next.After(now.UTC()), nil
}
