package arrivals

import (
	"fmt"
	"time"
)

// Reclaiming is one moment at which the cloud takes back spot instances.
type Reclaiming struct {
	At time.Duration
	// Share as in [Reclaim].
	Share float64
}

// Reclaims are spot instances that the cloud takes back at set times.
type Reclaims struct {
	// Times in order.
	Times []Reclaiming
	// Daily repeats them each day: times are then hours of the clock.
	Daily bool
	// Start is what the clock shows when the stream starts, see [WeekTime]. Only
	// daily times read it.
	Start time.Duration
	// Until is when the stream ends.
	Until time.Duration
}

// Validate returns a [*SpecError] with everything that is wrong.
func (r *Reclaims) Validate() error {
	var p problems
	if len(r.Times) == 0 {
		p.add("reclaims", "is empty")
	}
	for i, x := range r.Times {
		if !(x.Share > 0 && x.Share <= 1) {
			p.add(fmt.Sprintf("reclaims[%d].share", i), "%v is not above 0 and up to 1", x.Share)
		}
	}
	p.times("reclaims", ".at", len(r.Times), func(i int) time.Duration { return r.Times[i].At }, r.Daily, r.Start)
	p.until(r.Until)
	return p.err()
}

// Stream returns the times as Reclaim events. The error is that of Validate.
func (r *Reclaims) Stream() (Stream, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	times := r.Times
	return &occurrences{
		n: len(times), at: func(i int) time.Duration { return times[i].At }, daily: r.Daily, start: r.Start, until: r.Until,
		make: func(i int) Event { return Event{Reclaim: &Reclaim{Share: times[i].Share}} },
	}, nil
}
