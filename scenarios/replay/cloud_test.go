package replay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/instancetypes"
)

// A better band is taken first where it costs little more, and never where it costs much more.
func TestSpotAllocation(t *testing.T) {
	offer := func(name string, price float64, band instancetypes.InterruptionBand) pool {
		return pool{&instancetypes.InstanceType{Name: name}, &instancetypes.Offering{Price: price, Interruption: band}}
	}
	for _, c := range []struct {
		name     string
		strategy Allocation
		pools    []pool
		want     []string
	}{
		{"the band decides where prices are close", PriceCapacityOptimized, []pool{
			offer("cheapest", 1.00, instancetypes.Interruption10To15), offer("calm", 1.09, instancetypes.InterruptionUnder5),
			offer("middling", 1.05, instancetypes.Interruption5To10)}, []string{"calm", "middling", "cheapest"}},
		{"the price decides where they are not", PriceCapacityOptimized, []pool{
			offer("dear", 1.74, instancetypes.InterruptionUnder5), offer("cheapest", 1.00, instancetypes.InterruptionOver20),
			offer("next", 1.20, instancetypes.InterruptionOver20)}, []string{"cheapest", "next", "dear"}},
		{"of one band the cheapest", PriceCapacityOptimized, []pool{
			offer("b", 1.05, instancetypes.Interruption5To10), offer("a", 1.00, instancetypes.Interruption5To10)}, []string{"a", "b"}},
		{"an unknown band is none to pay for", PriceCapacityOptimized, []pool{
			offer("unknown", 1.02, instancetypes.InterruptionUnknown), offer("restless", 1.00, instancetypes.InterruptionOver20),
			offer("known", 1.05, instancetypes.Interruption15To20)}, []string{"known", "restless", "unknown"}},
		{"price alone", LowestPrice, []pool{
			offer("calm", 1.01, instancetypes.InterruptionUnder5), offer("cheapest", 1.00, instancetypes.InterruptionOver20)}, []string{"cheapest", "calm"}},
		{"nothing to choose from", PriceCapacityOptimized, nil, nil},
	} {
		s := newSupply(&Cloud{SpotAllocation: c.strategy}, 1)
		s.allocate(c.pools)
		var got []string
		for _, p := range c.pools {
			got = append(got, p.instanceType.Name)
		}
		require.Equal(t, c.want, got, c.name)
	}
}
