package replay

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// hazardOfSpot is a rate an hour at which every spot instance is reclaimed.
func hazardOfSpot(rate float64) func(*instancetypes.InstanceType, *instancetypes.Offering) float64 {
	return func(_ *instancetypes.InstanceType, o *instancetypes.Offering) float64 {
		if o.CapacityType() == requirements.CapacityTypeSpot {
			return rate
		}
		return 0
	}
}

// Whatever goes wrong in the cloud, every placement stands before the referee and the books add up.
func TestHarshCloudOverTheDay(t *testing.T) {
	s, err := scenarios.Named("day")
	require.NoError(t, err)
	for seed := range uint64(2) {
		for _, a := range allAutoscalers() {
			t.Run(fmt.Sprintf("%s seed %d", a.Name, seed), func(t *testing.T) {
				settings := harsh(seed, 2*time.Hour)
				settings.Cloud.Hazard = hazardOfSpot(3)
				settings.Referee = true
				r, err := Run(t.Context(), s, a, settings)
				require.NoError(t, err)
				require.Positive(t, r.Nodes.Interruptions)
				require.Positive(t, r.Pods.Created)
			})
		}
	}
}

func TestHarshCloudUnderGeneratedWork(t *testing.T) {
	for seed := range uint64(2) {
		s, err := scenarios.GenerateTimeline(arrivals.Synthetic{Seed: seed, Nodes: 6, Pods: 200, Classes: 6, For: 2 * time.Hour})
		require.NoError(t, err)
		for _, a := range allAutoscalers() {
			t.Run(fmt.Sprintf("%s seed %d", a.Name, seed), func(t *testing.T) {
				settings := harsh(seed, 0)
				settings.Cloud.Hazard = hazardOfSpot(5)
				settings.Referee = true
				r, err := Run(t.Context(), s, a, settings)
				require.NoError(t, err)
				require.Positive(t, r.Pods.Finished)
			})
		}
	}
}
