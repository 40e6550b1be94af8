package arrivals

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// ErrSpec is wrapped by every error about what a stream is to be made of.
var ErrSpec = errors.New("not a valid timeline")

// MaxUntil bounds how long a stream may last: ten years.
const MaxUntil = 10 * 366 * day

// day is a day of the clock; the clock has no leap seconds and no daylight saving.
const day = 24 * time.Hour

// FieldError is one mistake, at a field named as manifests do: "rate.peakHour".
type FieldError struct{ Field, Message string }

// SpecError is every mistake found in what a stream is to be made of. It wraps [ErrSpec].
type SpecError struct{ Problems []FieldError }

// Error lists the mistakes, one a line.
func (e *SpecError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%v: %s: %s", ErrSpec, p.Field, p.Message)
	}
	return b.String()
}

// Unwrap returns [ErrSpec].
func (e *SpecError) Unwrap() error { return ErrSpec }

// problems collects mistakes.
type problems []FieldError

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, FieldError{field, fmt.Sprintf(format, args...)})
}

// under adds the mistakes of a part of the spec.
func (p *problems) under(field string, err error) {
	var spec *SpecError
	if !errors.As(err, &spec) {
		return
	}
	for _, e := range spec.Problems {
		*p = append(*p, FieldError{field + "." + e.Field, e.Message})
	}
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &SpecError{Problems: p}
}

// number checks that a number is finite and within bounds.
func (p *problems) number(field string, v, low, high float64) {
	if !(v >= low && v <= high) || math.IsInf(v, 0) {
		p.add(field, "%v is not a number from %v to %v", v, low, high)
	}
}

// duration checks that a duration is within bounds.
func (p *problems) duration(field string, d, low, high time.Duration) {
	if d < low || d > high {
		p.add(field, "%v is not from %v to %v", d, low, high)
	}
}

// count checks that a number of things is within bounds.
func (p *problems) count(field string, n, low, high int) {
	if n < low || n > high {
		p.add(field, "%d is not from %d to %d", n, low, high)
	}
}

// moment checks when something happens: measured from the start or, if it does
// each day, an hour of the clock.
func (p *problems) moment(field string, at time.Duration, daily bool) {
	if !daily {
		p.duration(field, at, 0, MaxUntil)
	} else if at < 0 || at >= day {
		p.add(field, "%v is no hour of the day, from 0s to below 24h", at)
	}
}

// until checks the end of a stream.
func (p *problems) until(d time.Duration) { p.duration("until", d, 1, MaxUntil) }
