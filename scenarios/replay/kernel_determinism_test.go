package replay

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/scenarios"
)

// harsh are settings under which everything goes wrong now and then.
func harsh(seed uint64, last time.Duration) Settings {
	s := DefaultSettings("aws")
	s.Seed, s.For = seed, last
	s.Cloud.NeverJoin, s.Cloud.SpotShortagesPerDay = 0.1, 12
	s.Cloud.Hazard = hazardOfSpot(1)
	return s
}

func allAutoscalers() []Autoscaler {
	return []Autoscaler{Karpenter(), ClusterAutoscaler(), ClusterAutoscalerWithoutHandler()}
}

func TestSameSeedGivesTheSameBytes(t *testing.T) {
	for _, a := range allAutoscalers() {
		t.Run(a.Name, func(t *testing.T) {
			run := func(seed uint64) string {
				s, err := scenarios.Named("day") // read anew, so that no replay leaves anything behind
				require.NoError(t, err)
				r, err := Run(t.Context(), s, a, harsh(seed, 30*time.Minute))
				require.NoError(t, err)
				return asJSON(t, r)
			}
			first := run(7)
			require.Equal(t, first, run(7))
			require.NotEqual(t, first, run(8), "the seed decides nothing")
		})
	}
}

// One processor or many, one worker or several: the same bytes.
func TestReplaysDoNotDependOnProcessors(t *testing.T) {
	s, err := scenarios.Named("day")
	require.NoError(t, err)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, a := range allAutoscalers() {
		t.Run(a.Name, func(t *testing.T) {
			run := func(ctx context.Context, seed uint64) (*Result, error) {
				return Run(ctx, s, a, harsh(seed, 15*time.Minute))
			}
			play := func(processors, workers int) []*Result {
				runtime.GOMAXPROCS(processors)
				results, err := Seeds(t.Context(), 3, workers, run, nil)
				require.NoError(t, err)
				return results
			}
			one := play(1, 1)
			require.Equal(t, asJSON(t, one...), asJSON(t, play(8, 1)...), "processors")
			require.Equal(t, asJSON(t, one...), asJSON(t, play(8, 3)...), "workers")
			alone, err := run(t.Context(), one[1].Seed)
			require.NoError(t, err)
			require.Equal(t, asJSON(t, one[1]), asJSON(t, alone), "a replay among others")
		})
	}
}
