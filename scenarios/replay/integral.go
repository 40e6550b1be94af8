package replay

import (
	"math"
	"math/bits"
	"time"
)

// integral adds up whole amounts over time exactly, in 128 bits, so that it does
// not matter into how many pieces time is cut. Amounts are not negative. Its zero
// value is ready to use.
type integral struct{ hi, lo uint64 }

// add counts an amount that held for a time.
func (i *integral) add(amount int64, held time.Duration) {
	hi, lo := bits.Mul64(uint64(amount), uint64(held))
	var carry uint64
	i.lo, carry = bits.Add64(i.lo, lo, 0)
	i.hi, _ = bits.Add64(i.hi, hi, carry)
}

func (i *integral) plus(other integral) {
	var carry uint64
	i.lo, carry = bits.Add64(i.lo, other.lo, 0)
	i.hi, _ = bits.Add64(i.hi, other.hi, carry)
}

// nanoseconds is the integral in amounts x nanoseconds, to the precision of a float64.
func (i integral) nanoseconds() float64 { return math.Ldexp(float64(i.hi), 64) + float64(i.lo) }

func (i integral) seconds() float64 { return i.nanoseconds() / float64(time.Second) }

func (i integral) hours() float64 { return i.nanoseconds() / float64(time.Hour) }

// billionths is how many units of a sum of money make a US dollar.
const billionths = 1_000_000_000

// amount is a sum of US dollars exact to a billionth, so that the order in which
// it is added up does not matter; it may be below zero.
type amount struct{ dollars, fraction int64 }

// add counts US dollars, rounded once to a billionth.
func (a *amount) add(usd float64) {
	whole := math.Floor(usd)
	a.dollars += int64(whole)
	a.fraction += int64(math.Round((usd - whole) * billionths))
	a.dollars += a.fraction / billionths
	a.fraction %= billionths
}

func (a *amount) plus(other amount) {
	a.dollars += other.dollars
	a.fraction += other.fraction
	a.dollars += a.fraction / billionths
	a.fraction %= billionths
}

func (a amount) usd() float64 { return float64(a.dollars) + float64(a.fraction)/billionths }
