package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/instancetypes"
)

// TestCloudAssumptions: what a result says to be assumed of the cloud is what was.
func TestCloudAssumptions(t *testing.T) {
	const byBand = "spot instances are reclaimed at a constant rate, by the middle of their published monthly band"
	c := DefaultCloud()
	require.Equal(t, []string{"spot capacity is allocated by price-capacity-optimized, on the band of interruptions as the depth of a pool and for a tenth more at most",
		byBand, "the cloud always has capacity"}, c.assumptions())
	c.SpotAllocation, c.Hazard = LowestPrice, NoHazard
	require.Equal(t, []string{"spot capacity is allocated by lowest-price", "no spot instance is reclaimed", "the cloud always has capacity"}, c.assumptions())
	c.Hazard = func(*instancetypes.InstanceType, *instancetypes.Offering) float64 { return 1 }
	c.SpotShortagesPerDay, c.Shortages = 4, []Shortage{{For: time.Hour}}
	require.Equal(t, []string{"spot capacity is allocated by lowest-price", "spot instances are reclaimed at rates that the settings give",
		"each spot offering runs out of capacity 4 times a day, for 30m0s on average", "the cloud lacks capacity at the times given (1)"}, c.assumptions())
}
