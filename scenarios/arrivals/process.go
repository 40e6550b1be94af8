package arrivals

import (
	"math"
	"math/rand/v2"
	"time"
)

// Process says when pods arrive. It is one of [Poisson], [Bursts] and [Batch].
type Process interface {
	// Validate returns a [*SpecError] if the process' parameters make no sense.
	Validate() error
	// arrivals returns a function that gives one arrival after the other, in order
	// of time, until the end.
	arrivals(r *rand.Rand, until time.Duration) func() (arrival, bool)
}

// arrival is when a pod arrives, and with which others: those of one group are
// of one Job.
type arrival struct {
	at           time.Duration
	group, index int
}

// Bounds of processes.
const (
	maxRate = 1e6 // arrivals an hour
	maxPods = 1_000_000
)

// Poisson is a process of independent arrivals at a rate that may change over
// time. Rates that change are had by thinning (P. A. W. Lewis and G. S. Shedler,
// "Simulation of nonhomogeneous Poisson processes by thinning", 1979): arrivals
// at the highest rate, each kept with the share that the rate at its moment has
// of the highest.
type Poisson struct {
	// Rate is in arrivals an hour.
	Rate Curve
}

// Validate implements [Process].
func (q Poisson) Validate() error {
	var p problems
	if q.Rate == nil {
		p.add("rate", "is missing")
		return p.err()
	}
	p.under("rate", q.Rate.Validate())
	if len(p) == 0 && (q.Rate.Max() <= 0 || q.Rate.Max() > maxRate) {
		p.add("rate", "its highest value %v is not above 0 and up to %v an hour", q.Rate.Max(), maxRate)
	}
	return p.err()
}

func (q Poisson) arrivals(r *rand.Rand, until time.Duration) func() (arrival, bool) {
	highest := q.Rate.Max()
	mean := float64(time.Hour) / highest
	_, flat := q.Rate.(Flat)
	var at time.Duration
	group := -1
	return func() (arrival, bool) {
		for {
			if !advance(&at, mean*r.ExpFloat64(), until) {
				return arrival{}, false
			}
			if flat || r.Float64()*highest < q.Rate.At(at) {
				group++
				return arrival{at: at, group: group}, true
			}
		}
	}
}

// advance moves on by a number of nanoseconds, and reports whether that is
// before the end. It is exact where a sum of durations would overflow.
func advance(at *time.Duration, by float64, until time.Duration) bool {
	if by >= float64(until-*at) {
		*at = until
		return false
	}
	*at += time.Duration(by)
	return *at < until
}

// Bursts is an on-off process: quiet for an exponentially distributed time, then
// a number of pods one after the other.
type Bursts struct {
	// Every is the mean time from the last pod of a burst to the first of the next.
	Every time.Duration
	// Pods are in each burst, which is one Job.
	Pods int
	// Spacing is the time between two pods of a burst.
	Spacing time.Duration
}

// Validate implements [Process].
func (b Bursts) Validate() error {
	var p problems
	p.duration("every", b.Every, time.Second, MaxUntil)
	p.count("pods", b.Pods, 1, maxPods)
	p.duration("spacing", b.Spacing, 0, day)
	return p.err()
}

func (b Bursts) arrivals(r *rand.Rand, until time.Duration) func() (arrival, bool) {
	next := arrival{group: -1, index: b.Pods - 1}
	return func() (arrival, bool) {
		gap := float64(b.Spacing)
		if next.index++; next.index == b.Pods {
			next.group, next.index = next.group+1, 0
			gap = float64(b.Every) * r.ExpFloat64()
		}
		if !advance(&next.at, gap, until) {
			return arrival{}, false
		}
		return next, true
	}
}

// Batch submits a number of pods each day at an hour, as one Job a day.
type Batch struct {
	// At is the time of day.
	At time.Duration
	// Pods are submitted each day.
	Pods int
	// Jitter spreads them: each comes at a uniformly distributed moment from At to
	// so much later. 0: all at once.
	Jitter time.Duration
	// Start is what the clock shows when the stream starts, see [WeekTime]. Pods
	// that were due before are left out.
	Start time.Duration
}

// Validate implements [Process].
func (b Batch) Validate() error {
	var p problems
	p.moment("at", b.At, true)
	p.count("pods", b.Pods, 1, maxPods)
	p.duration("jitter", b.Jitter, 0, day)
	p.duration("start", b.Start, 0, 7*day)
	return p.err()
}

func (b Batch) arrivals(r *rand.Rand, until time.Duration) func() (arrival, bool) {
	// The first day is the one whose pods are not all due before the start: with
	// jitter that can be the day before.
	first := b.At - b.Start%day - day
	for first+b.Jitter < 0 {
		first += day
	}
	var next arrival
	share := 0.0 // of the jitter that has passed
	return func() (arrival, bool) {
		for {
			if next.index == b.Pods {
				next.group, next.index, share = next.group+1, 0, 0
			}
			// Of k numbers uniform above share the smallest, so that the day's moments
			// come in order without being kept.
			k := float64(b.Pods - next.index)
			share += (1 - share) * -math.Expm1(-r.ExpFloat64()/k)
			next.at = first + time.Duration(next.group)*day + time.Duration(share*float64(b.Jitter))
			if next.at >= until {
				return arrival{}, false
			}
			one := next
			next.index++
			if one.at >= 0 {
				return one, true
			}
		}
	}
}
