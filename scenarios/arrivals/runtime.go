package arrivals

import (
	"math"
	"math/rand/v2"
	"time"
)

// RunTime says how long pods run. It is one of [Constant], [LogNormal] and
// [Exponential].
type RunTime interface {
	// Mean returns the expected run time.
	Mean() time.Duration
	// Validate returns a [*SpecError] if the distribution's parameters make no sense.
	Validate() error
	draw(r *rand.Rand) time.Duration
}

// Constant is a run time that all pods have; negative: until the end.
type Constant time.Duration

// Mean implements [RunTime].
func (c Constant) Mean() time.Duration { return time.Duration(c) }

// Validate implements [RunTime].
func (c Constant) Validate() error {
	var p problems
	p.duration("constant", time.Duration(c), math.MinInt64, MaxUntil)
	return p.err()
}

func (c Constant) draw(*rand.Rand) time.Duration { return time.Duration(c) }

// LogNormal is how run times of batch work are spread: many short, few long.
type LogNormal struct {
	// Median is what half of the run times are below.
	Median time.Duration
	// Sigma is the standard deviation of the natural logarithm.
	Sigma float64
	// Min and Max hold run times between them: those outside are moved to the
	// bound. A Max of 0 is [MaxUntil].
	Min, Max time.Duration
}

// Mean implements [RunTime]: the closed form of the distribution with its bounds.
func (l LogNormal) Mean() time.Duration {
	mu := math.Log(float64(l.Median))
	// below is P(X < x), partial is E[X; X < x].
	below := func(x float64) float64 { return normal((math.Log(x) - mu) / l.Sigma) }
	whole := math.Exp(mu + l.Sigma*l.Sigma/2)
	partial := func(x float64) float64 { return whole * normal((math.Log(x)-mu)/l.Sigma-l.Sigma) }
	low, high := bounds(l.Min, l.Max)
	if l.Sigma == 0 {
		return time.Duration(min(max(float64(l.Median), low), high))
	}
	mean := partial(high) + high*(1-below(high))
	if low > 0 {
		mean += low*below(low) - partial(low)
	}
	return time.Duration(mean)
}

// normal is the distribution function of the standard normal distribution.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// bounds returns bounds of run times as numbers. Where none is stated above, no
// replay lasts longer than MaxUntil.
func bounds(low, high time.Duration) (float64, float64) {
	if high == 0 {
		high = MaxUntil
	}
	return float64(low), float64(high)
}

// Validate implements [RunTime].
func (l LogNormal) Validate() error {
	var p problems
	p.duration("median", l.Median, 1, MaxUntil)
	p.number("sigma", l.Sigma, 0, 10)
	p.bounds(l.Min, l.Max)
	return p.err()
}

func (p *problems) bounds(low, high time.Duration) {
	p.duration("min", low, 0, MaxUntil)
	p.duration("max", high, 0, MaxUntil)
	if high != 0 && high < low {
		p.add("max", "%v is below min %v", high, low)
	}
}

func (l LogNormal) draw(r *rand.Rand) time.Duration {
	return hold(float64(l.Median)*math.Exp(l.Sigma*r.NormFloat64()), l.Min, l.Max)
}

// hold brings a run time between its bounds.
func hold(d float64, low, high time.Duration) time.Duration {
	least, most := bounds(low, high)
	return time.Duration(min(max(d, least), most))
}

// Exponential is a run time without memory.
type Exponential struct {
	// Average is the mean before the bounds hold.
	Average time.Duration
	// Min and Max are as those of [LogNormal].
	Min, Max time.Duration
}

// Mean implements [RunTime]: the closed form of the distribution with its bounds.
func (e Exponential) Mean() time.Duration {
	low, high := bounds(e.Min, e.Max)
	m := float64(e.Average)
	return time.Duration(low + m*(math.Exp(-low/m)-math.Exp(-high/m)))
}

// Validate implements [RunTime].
func (e Exponential) Validate() error {
	var p problems
	p.duration("mean", e.Average, 1, MaxUntil)
	p.bounds(e.Min, e.Max)
	return p.err()
}

func (e Exponential) draw(r *rand.Rand) time.Duration {
	return hold(float64(e.Average)*r.ExpFloat64(), e.Min, e.Max)
}
