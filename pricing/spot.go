package pricing

import (
	"math"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// SpotQuote is what is known of a type's spot price in one zone.
type SpotQuote struct {
	// Spot and OnDemand are in US dollars an hour. Spot is an average over
	// weeks, not the price of a moment.
	Spot, OnDemand float64
	// Origin is that of the spot price.
	Origin instancetypes.Origin
	// Interruption is the band of the monthly share of instances reclaimed.
	Interruption instancetypes.InterruptionBand
}

// ShareOfOnDemand is the spot price over the on-demand price: 0.33 for a saving of 67%.
func (q SpotQuote) ShareOfOnDemand() float64 { return q.Spot / q.OnDemand }

// Saving is the part of the on-demand price that spot saves: 0.67 for 67%.
func (q SpotQuote) Saving() float64 { return 1 - q.ShareOfOnDemand() }

// Spot returns the quote of a type in a zone, false if the type is not offered
// there both as spot and on-demand. With a repriced catalog it is the book's quote.
func Spot(t *instancetypes.InstanceType, zone string) (SpotQuote, bool) {
	var q SpotQuote
	var spot, onDemand bool
	for i := range t.Offerings {
		o := &t.Offerings[i]
		if o.Zone() != zone {
			continue
		}
		switch o.CapacityType() {
		case requirements.CapacityTypeSpot:
			q.Spot, q.Origin, q.Interruption, spot = o.Price, o.PriceOrigin, o.Interruption, true
		case requirements.CapacityTypeOnDemand:
			q.OnDemand, onDemand = o.Price, true
		}
	}
	return q, spot && onDemand
}

// MonthlyInterruption returns the middle of a band as the chance that an
// instance is reclaimed within a month: 0.025, 0.075, 0.125, 0.175, and 0.25 for
// the open band above 20%; 0 for an unknown band. That the middle stands for
// the band is an assumption, not a figure that AWS publishes.
func MonthlyInterruption(band instancetypes.InterruptionBand) float64 {
	switch band {
	case instancetypes.InterruptionUnder5:
		return 0.025
	case instancetypes.Interruption5To10:
		return 0.075
	case instancetypes.Interruption10To15:
		return 0.125
	case instancetypes.Interruption15To20:
		return 0.175
	case instancetypes.InterruptionOver20:
		return 0.25
	}
	return 0
}

// HourlyHazard returns the constant rate of interruption an hour under which the
// chance of one within a month is p: -ln(1-p) / [HoursPerMonth]. p is from 0 to
// below 1. That interruptions come at a constant rate is an assumption; use
// another rate where there is a better one.
func HourlyHazard(p float64) float64 { return -math.Log1p(-p) / HoursPerMonth }
