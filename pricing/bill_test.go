package pricing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/instancetypes"
)

func TestBill(t *testing.T) {
	bill := Bill{
		{InstanceType: "m5.large", Zone: "us-east-1a", CapacityType: "on-demand", Owner: "default", Hourly: 0.096},
		{InstanceType: "c5.large", Zone: "us-east-1b", CapacityType: "spot", Owner: "default", Hourly: 0.03},
		{InstanceType: "m5.large", Zone: "us-east-1b", CapacityType: "spot", Owner: "batch", Hourly: 0.034},
		{InstanceType: "a1.large", Zone: "us-east-1b", CapacityType: "spot", Owner: "batch", Hourly: 0.03},
	}
	assert.Equal(t, 0.19, bill.Hourly())
	assert.InDelta(t, 138.7, bill.Monthly(), 1e-9) // 0.19 x 730
	assert.Equal(t, []Share{
		{Name: "m5.large", Nodes: 2, Hourly: 0.13}, {Name: "a1.large", Nodes: 1, Hourly: 0.03}, {Name: "c5.large", Nodes: 1, Hourly: 0.03},
	}, bill.ByInstanceType())
	assert.Equal(t, []Share{{Name: "us-east-1a", Nodes: 1, Hourly: 0.096}, {Name: "us-east-1b", Nodes: 3, Hourly: 0.094}}, bill.ByZone())
	assert.Equal(t, []Share{{Name: "on-demand", Nodes: 1, Hourly: 0.096}, {Name: "spot", Nodes: 3, Hourly: 0.094}}, bill.ByCapacityType())
	assert.Equal(t, []Share{{Name: "default", Nodes: 2, Hourly: 0.126}, {Name: "batch", Nodes: 2, Hourly: 0.064}}, bill.ByOwner())
	assert.InDelta(t, 91.98, bill.ByOwner()[0].Monthly(), 1e-9) // 0.126 x 730

	assert.Zero(t, Bill(nil).Hourly())
	assert.Empty(t, Bill(nil).ByZone())
}

// TestBillDoesNotDependOnOrder: sums and splits of the same lines in any order
// are equal, and each split adds up to the whole.
func TestBillDoesNotDependOnOrder(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	line := rapid.Custom(func(t *rapid.T) Line {
		return Line{
			InstanceType: name.Draw(t, "type"), Zone: name.Draw(t, "zone"),
			CapacityType: name.Draw(t, "capacity type"), Owner: name.Draw(t, "owner"),
			Hourly: rapid.OneOf(rapid.Float64Range(0, 1e-3), rapid.Float64Range(0, 500)).Draw(t, "price"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		bill := Bill(rapid.SliceOfN(line, 0, 40).Draw(t, "lines"))
		other := Bill(rapid.Permutation(bill).Draw(t, "order"))
		if bill.Hourly() != other.Hourly() || bill.Monthly() != other.Monthly() {
			t.Fatalf("%v and %v an hour", bill.Hourly(), other.Hourly())
		}
		for split, shares := range map[string][2][]Share{
			"type":          {bill.ByInstanceType(), other.ByInstanceType()},
			"zone":          {bill.ByZone(), other.ByZone()},
			"capacity type": {bill.ByCapacityType(), other.ByCapacityType()},
			"owner":         {bill.ByOwner(), other.ByOwner()},
		} {
			if !assert.ObjectsAreEqual(shares[0], shares[1]) {
				t.Fatalf("by %s: %v and %v", split, shares[0], shares[1])
			}
			sum, nodes := 0.0, 0
			for _, s := range shares[0] {
				sum += s.Hourly
				nodes += s.Nodes
			}
			if nodes != len(bill) || sum-bill.Hourly() > 1e-6 || bill.Hourly()-sum > 1e-6 {
				t.Fatalf("by %s: %v adds up to %v and %d nodes, not %v and %d", split, shares[0], sum, nodes, bill.Hourly(), len(bill))
			}
		}
	})
}

func TestCost(t *testing.T) {
	for _, test := range []struct {
		ran  time.Duration
		want float64 // at 3.6 dollars an hour, a tenth of a cent a second
	}{
		{0, 0}, {-time.Hour, 0}, {time.Nanosecond, 0.06}, {time.Minute, 0.06}, {61 * time.Second, 0.061},
		{61*time.Second + time.Nanosecond, 0.062}, {time.Hour, 3.6}, {HoursPerMonth * time.Hour, 2628},
	} {
		assert.InDelta(t, test.want, Cost(3.6, test.ran), 1e-9, test.ran)
	}
}

func TestSpot(t *testing.T) {
	c := catalog(t)
	m5, _ := c.Lookup("m5.large")
	quote, ok := Spot(m5, "us-east-1b")
	assert.True(t, ok)
	assert.Equal(t, SpotQuote{Spot: 0.034, OnDemand: 0.096}, quote)
	assert.InDelta(t, 0.3542, quote.ShareOfOnDemand(), 1e-4)
	assert.InDelta(t, 0.6458, quote.Saving(), 1e-4)

	c5, _ := c.Lookup("c5.large")
	quote, ok = Spot(c5, "us-east-1b")
	assert.True(t, ok)
	assert.Equal(t, instancetypes.Estimated, quote.Origin)
	_, ok = Spot(c5, "us-east-1a")
	assert.False(t, ok, "not sold there")
	g5, _ := c.Lookup("g5.large")
	_, ok = Spot(g5, "us-east-1a")
	assert.False(t, ok, "reserved alone")
}

func TestInterruption(t *testing.T) {
	var monthly []float64
	for b := instancetypes.InterruptionUnknown; b <= instancetypes.InterruptionOver20; b++ {
		monthly = append(monthly, MonthlyInterruption(b))
	}
	assert.Equal(t, []float64{0, 0.025, 0.075, 0.125, 0.175, 0.25}, monthly)
	assert.Zero(t, HourlyHazard(0))
	assert.InDelta(t, 0.000394, HourlyHazard(0.25), 1e-6) // -ln(0.75) / 730
}
