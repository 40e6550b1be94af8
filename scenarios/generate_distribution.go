package scenarios

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Distribution says how requests of one resource are spread over a generated
// workload. Make one with [Choices] or [LogNormal]; what is wrong with its
// parameters is told by [Generate]. The zero value asks for nothing: pods
// without a request of that resource.
type Distribution struct {
	// choices are equally likely amounts.
	choices []resource.Quantity
	// Of a log-normal distribution: the logarithm of the median and the spread,
	// the bounds, all in base units (cores, bytes), and the format of the amounts.
	mu, sigma float64
	low, high float64
	format    resource.Format

	err error
}

// Choices are equally likely amounts, such as Choices("100m", "250m", "1"). One
// amount may be there several times to make it likelier.
func Choices(amounts ...string) Distribution {
	var d Distribution
	if len(amounts) == 0 {
		d.err = errors.New("no amounts to choose from")
	}
	for _, text := range amounts {
		q, err := parseAmount(text)
		if err != nil {
			d.err = errors.Join(d.err, err)
			continue
		}
		d.choices = append(d.choices, q)
	}
	return d
}

// LogNormal is how requests of real clusters are spread: many small, few large.
// Half the amounts are below the median; sigma is the standard deviation of the
// natural logarithm (1 puts two thirds of the amounts between 0.37 and 2.7 times
// the median, 0 makes all alike). Amounts are held between low and high and
// rounded to two leading digits, binary ones for memory, as people write them.
func LogNormal(median string, sigma float64, low, high string) Distribution {
	d := Distribution{sigma: sigma}
	var amounts [3]resource.Quantity
	for i, text := range []string{median, low, high} {
		q, err := parseAmount(text)
		d.err = errors.Join(d.err, err)
		amounts[i] = q
	}
	if d.err != nil {
		return d
	}
	d.mu = math.Log(amounts[0].AsApproximateFloat64())
	d.low, d.high = amounts[1].AsApproximateFloat64(), amounts[2].AsApproximateFloat64()
	d.format = amounts[0].Format
	switch {
	case !(sigma >= 0) || math.IsInf(sigma, 0):
		d.err = fmt.Errorf("sigma %v is not a number from 0 on", sigma)
	case amounts[1].Cmp(amounts[0]) > 0 || amounts[0].Cmp(amounts[2]) > 0:
		d.err = fmt.Errorf("median %s is not between %s and %s", median, low, high)
	}
	return d
}

// parseAmount reads an amount above zero.
func parseAmount(text string) (resource.Quantity, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return q, fmt.Errorf("amount %q: %w", text, err)
	}
	if q.Sign() <= 0 {
		return q, fmt.Errorf("amount %q is not above zero", text)
	}
	return q, nil
}

// none reports whether the distribution asks for nothing.
func (d *Distribution) none() bool { return len(d.choices) == 0 && d.format == "" }

// draw returns an amount of the resource, zero if the distribution asks for nothing.
func (d *Distribution) draw(r *rand.Rand, name corev1.ResourceName) resource.Quantity {
	switch {
	case len(d.choices) > 0:
		return d.choices[r.IntN(len(d.choices))]
	case d.none():
		return resource.Quantity{}
	}
	amount := math.Exp(d.mu + d.sigma*r.NormFloat64())
	amount = min(max(amount, d.low), d.high)
	if name == corev1.ResourceCPU {
		return *resource.NewMilliQuantity(clampRound(twoDigits(amount*1000, 10), d.low*1000, d.high*1000), d.format)
	}
	return *resource.NewQuantity(clampRound(twoDigits(amount, 2), d.low, d.high), d.format)
}

// twoDigits rounds to two leading decimal digits, or to six leading binary ones.
func twoDigits(amount, base float64) float64 {
	digits := 2.0
	if base == 2 {
		digits = 6
	}
	unit := math.Pow(base, math.Floor(math.Log(amount)/math.Log(base))-digits+1)
	return math.Round(amount/max(unit, 1)) * max(unit, 1)
}

// clampRound brings a rounded amount back between the bounds, as a whole number above zero.
func clampRound(amount, low, high float64) int64 {
	return max(1, int64(math.Round(min(max(amount, low), high))))
}
