package instancetypes

import (
	"errors"
	"fmt"
	"math"
)

// MaxPrice bounds prices in US dollars an hour: those at or above it are taken
// for mistakes. It keeps the sums of [SumPrices] exact.
const MaxPrice = 1e6

// ErrPrice says that a price is not a finite number of US dollars from 0 to
// below [MaxPrice].
var ErrPrice = errors.New("price is not a number of US dollars an hour from 0 to below 1,000,000")

// CheckPrice returns an error that wraps [ErrPrice] if a price in US dollars an
// hour is negative, not finite, or not below [MaxPrice].
func CheckPrice(price float64) error {
	if price >= 0 && price < MaxPrice { // false for NaN
		return nil
	}
	return fmt.Errorf("%w: %v", ErrPrice, price)
}

// priceScale is a billionth of a dollar, finer than any price list.
const priceScale = 1e9

// SumPrices adds prices in US dollars exactly to a billionth of a dollar: each
// is rounded once and the sum is over integers, so that order does not matter.
// Prices must pass [CheckPrice], as those of every [Catalog] do.
func SumPrices(prices []float64) float64 {
	var dollars, billionths int64
	for _, p := range prices {
		whole := math.Floor(p)
		dollars += int64(whole)
		billionths += int64(math.Round((p - whole) * priceScale))
	}
	return float64(dollars) + float64(billionths)/priceScale
}
