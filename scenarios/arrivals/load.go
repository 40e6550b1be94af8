package arrivals

import (
	"math"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// What a [Loads] is unless it says otherwise.
const (
	// DefaultLoadStep is how often a load is looked at: the period of the HPA
	// controller (kube-controller-manager, --horizontal-pod-autoscaler-sync-period).
	DefaultLoadStep = 15 * time.Second
	// DefaultNoiseTime is how long noise remembers.
	DefaultNoiseTime = 10 * time.Minute
	// loadChange is the share by which a load must change to be told again.
	loadChange = 0.01
)

// Loads is the load on a controller over time.
type Loads struct {
	Controller types.NamespacedName
	Kind       string
	// CPU is what all pods together use, in milli-CPU.
	CPU Curve
	// Noise is the standard deviation of the load's logarithm around the curve; the
	// mean stays that of the curve. It is an Ornstein-Uhlenbeck process: what is
	// above the curve now still is in a while, and forgotten in NoiseTime or so.
	Noise float64
	// NoiseTime is after how long the correlation of the noise is 1/e; 0 is
	// [DefaultNoiseTime].
	NoiseTime time.Duration
	// Step is how often the load is looked at; 0 is [DefaultLoadStep]. It is told
	// only where it differs by 1% or more from what was told last.
	Step time.Duration
	// Until is when the stream ends.
	Until time.Duration
}

// Validate returns a [*SpecError] with everything that is wrong.
func (l *Loads) Validate() error {
	var p problems
	p.controller(l.Controller, l.Kind)
	if l.CPU == nil {
		p.add("load", "is missing")
	} else {
		p.under("load", l.CPU.Validate())
	}
	p.number("noise", l.Noise, 0, 2)
	p.duration("noiseTime", l.NoiseTime, 0, MaxUntil)
	if l.Step != 0 {
		p.duration("step", l.Step, time.Second, day)
	}
	p.until(l.Until)
	return p.err()
}

// Stream returns the Load events of a seed, the first at 0. The error is that of
// Validate.
func (l *Loads) Stream(seed uint64) (Stream, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	s := &loads{Loads: *l, random: NewRand(seed, "load/"+l.Kind+"/"+l.Controller.String()), told: -1}
	if s.Step == 0 {
		s.Step = DefaultLoadStep
	}
	if s.NoiseTime == 0 {
		s.NoiseTime = DefaultNoiseTime
	}
	s.keeps = math.Exp(-float64(s.Step) / float64(s.NoiseTime))
	s.fresh = l.Noise * math.Sqrt(1-s.keeps*s.keeps)
	s.deviation = l.Noise * s.random.NormFloat64()
	return s, nil
}

// loads is the stream of one Loads.
type loads struct {
	Loads
	random *rand.Rand
	// Of the noise: how much of the deviation a step keeps, the spread of what it
	// adds, and the deviation now.
	keeps, fresh, deviation float64
	at                      time.Duration
	told                    float64 // negative: nothing so far
}

// Next implements [Stream].
func (l *loads) Next() (Event, bool) {
	for l.at < l.Until {
		at := l.at
		v := l.CPU.At(at)
		if l.Noise > 0 {
			v *= math.Exp(l.deviation - l.Noise*l.Noise/2)
			l.deviation = l.keeps*l.deviation + l.fresh*l.random.NormFloat64()
		}
		l.at += l.Step
		if l.told >= 0 && math.Abs(v-l.told) < loadChange*l.told || v == l.told {
			continue
		}
		l.told = v
		return Event{At: at, Load: &Load{Controller: l.Controller, Kind: l.Kind, CPU: v}}, true
	}
	return Event{}, false
}
