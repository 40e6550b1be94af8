package arrivals

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Curve is a quantity over time: arrivals an hour, or a load in milli-CPU.
type Curve interface {
	// At returns the value at a moment since the start.
	At(t time.Duration) float64
	// Max returns a bound that no value is above.
	Max() float64
	// Validate returns a [*SpecError] if the curve's parameters make no sense.
	Validate() error
}

// maxValue bounds what a curve may reach: a million arrivals an hour, or the load
// of a million cores.
const maxValue = 1e9

// Flat is a curve of one value.
type Flat float64

// At implements [Curve].
func (f Flat) At(time.Duration) float64 { return float64(f) }

// Max implements [Curve].
func (f Flat) Max() float64 { return float64(f) }

// Validate implements [Curve].
func (f Flat) Validate() error {
	var p problems
	p.number("value", float64(f), 0, maxValue)
	return p.err()
}

// Day is a curve that follows day and week: a sine over 24 hours with its
// highest value at one hour and its lowest twelve hours from there.
type Day struct {
	// Base is the value at the quietest hour, Peak that at the busiest.
	Base, Peak float64
	// PeakHour is the busiest hour of the clock, from 0 to 24.
	PeakHour float64
	// WeekendFactor multiplies the values of Saturday and Sunday; nil: 1.
	WeekendFactor *float64
	// Start is what the clock shows when the stream starts, see [WeekTime].
	Start time.Duration
}

// At implements [Curve].
func (d Day) At(t time.Duration) float64 {
	clock := d.Start + t
	hour := float64(clock%day) / float64(time.Hour)
	v := d.Base + (d.Peak-d.Base)*(1+math.Cos(2*math.Pi*(hour-d.PeakHour)/24))/2
	if d.WeekendFactor != nil && clock/day%7 >= 5 {
		v *= *d.WeekendFactor
	}
	return v
}

// Max implements [Curve].
func (d Day) Max() float64 {
	if d.WeekendFactor != nil {
		return d.Peak * max(1, *d.WeekendFactor)
	}
	return d.Peak
}

// Validate implements [Curve].
func (d Day) Validate() error {
	var p problems
	p.number("base", d.Base, 0, maxValue)
	p.number("peak", d.Peak, 0, maxValue)
	if d.Peak < d.Base {
		p.add("peak", "%v is below base %v", d.Peak, d.Base)
	}
	p.number("peakHour", d.PeakHour, 0, 24)
	if d.WeekendFactor != nil {
		p.number("weekendFactor", *d.WeekendFactor, 0, 1000)
	}
	p.duration("start", d.Start, 0, 7*day)
	return p.err()
}

// WeekTime returns how far into its week a moment is, counted from Monday
// 00:00 UTC: what curves that follow the clock take as their Start.
func WeekTime(t time.Time) time.Duration {
	t = t.UTC()
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return time.Duration((int(t.Weekday())+6)%7)*day + t.Sub(midnight)
}

// Point is one value of a curve through points.
type Point struct {
	At    time.Duration
	Value float64
}

// Points is a curve that is linear between points. Before the first and after
// the last it keeps their values.
type Points struct {
	// Points in order of time.
	Points []Point
	// Daily repeats the curve each day: points are then hours of the clock, and
	// the last is joined to the first of the next day.
	Daily bool
	// Start is what the clock shows when the stream starts, see [WeekTime]. Only
	// daily curves read it.
	Start time.Duration
}

// At implements [Curve].
func (c Points) At(t time.Duration) float64 {
	p := c.Points
	if c.Daily {
		t = (c.Start + t) % day
	}
	i, _ := slices.BinarySearchFunc(p, t, func(p Point, t time.Duration) int {
		if p.At <= t {
			return -1
		}
		return 1
	})
	switch last := len(p) - 1; {
	case i > 0 && i <= last:
		return between(p[i-1], p[i], t)
	case !c.Daily && i == 0:
		return p[0].Value
	case !c.Daily:
		return p[last].Value
	case i == 0:
		return between(Point{p[last].At - day, p[last].Value}, p[0], t)
	default:
		return between(p[last], Point{p[0].At + day, p[0].Value}, t)
	}
}

// between interpolates.
func between(a, b Point, t time.Duration) float64 {
	return a.Value + (b.Value-a.Value)*float64(t-a.At)/float64(b.At-a.At)
}

// Max implements [Curve].
func (c Points) Max() float64 {
	highest := 0.0
	for _, p := range c.Points {
		highest = max(highest, p.Value)
	}
	return highest
}

// Validate implements [Curve].
func (c Points) Validate() error {
	var p problems
	if len(c.Points) == 0 {
		p.add("points", "is empty; a curve takes at least one point")
	}
	for i, point := range c.Points {
		field := fmt.Sprintf("points[%d]", i)
		p.moment(field+".at", point.At, c.Daily)
		if i > 0 && point.At <= c.Points[i-1].At {
			p.add(field+".at", "%v is not after %v, the point before it", point.At, c.Points[i-1].At)
		}
		p.number(field+".value", point.Value, 0, maxValue)
	}
	p.duration("start", c.Start, 0, 7*day)
	return p.err()
}
