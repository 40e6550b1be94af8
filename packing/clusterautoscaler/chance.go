package clusterautoscaler

import (
	"context"
	"fmt"
	"slices"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
)

// Chance is how far the outcomes of a decision spread that the original leaves to
// chance: to the order of maps, and to draws between equal options.
type Chance struct {
	// Runs is how many outcomes were drawn.
	Runs int
	// MinCost, MeanCost and MaxCost are of the final sizes of the groups, in US
	// dollars an hour.
	MinCost, MeanCost, MaxCost float64
	// Distinct is how many different sets of final sizes there were.
	Distinct int
	// Agreement is the share of runs, from 0 to 1, that ended in the most frequent one.
	Agreement float64
	// MinUnschedulable and MaxUnschedulable are how many pods were left.
	MinUnschedulable, MaxUnschedulable int
}

// Chance draws outcomes with the seeds from 0 on (see [WithSeed]) and sums them up. Errors
// are those of [Packer.Run]; at least one run is needed.
func (p *Packer) Chance(ctx context.Context, s *packing.Snapshot, runs int) (*Chance, error) {
	if runs < 1 {
		return nil, fmt.Errorf("%w: %d runs: at least one is needed", ErrOption, runs)
	}
	out := &Chance{Runs: runs}
	costs := make([]float64, runs)
	sizes := make(map[string]int)
	for i := range runs {
		seeded := &Packer{groups: p.groups, settings: p.settings}
		seed := uint64(i)
		seeded.settings.Seed = &seed
		run, err := seeded.Run(ctx, s)
		if err != nil {
			return nil, err
		}
		costs[i] = run.Cost
		left := len(run.Plan.Unschedulable)
		if i == 0 {
			out.MinUnschedulable = left
		}
		out.MinUnschedulable, out.MaxUnschedulable = min(out.MinUnschedulable, left), max(out.MaxUnschedulable, left)
		final := make([]int, len(run.FinalSizes))
		for j, f := range run.FinalSizes {
			final[j] = f.Size
		}
		sizes[fmt.Sprint(final)]++
	}
	out.MinCost, out.MaxCost = slices.Min(costs), slices.Max(costs)
	out.MeanCost = instancetypes.SumPrices(costs) / float64(runs)
	out.Distinct = len(sizes)
	most := 0
	for _, n := range sizes {
		most = max(most, n)
	}
	out.Agreement = float64(most) / float64(runs)
	return out, nil
}
