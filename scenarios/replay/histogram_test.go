package replay

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// TestHistogramError: quantiles are within 0.1% of the time at their rank; count,
// mean, least and largest are exact.
func TestHistogramError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Times of all magnitudes, from nanoseconds to centuries.
		times := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			bits := rapid.IntRange(0, 63).Draw(t, "bits")
			return time.Duration(rapid.Uint64Range(0, 1<<bits-1).Draw(t, "time"))
		}), 1, 300).Draw(t, "times")
		var h histogram
		sum := new(big.Int)
		for _, d := range times {
			h.add(d)
			sum.Add(sum, big.NewInt(int64(d)))
		}
		sorted := slices.Sorted(slices.Values(times))
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1, rapid.Float64Range(0, 1).Draw(t, "q")} {
			want := sorted[max(1, int(math.Ceil(q*float64(len(sorted)))))-1]
			got := h.quantile(q)
			if off := math.Abs(float64(got) - float64(want)); off > float64(want)/1000 {
				t.Fatalf("quantile %v of %d times: got %d, want %d within 0.1%%", q, len(times), got, want)
			}
		}
		mean, _ := new(big.Float).SetInt(sum).Float64()
		mean /= float64(len(times)) * float64(time.Second)
		got := h.quantiles()
		if got.Count != len(times) || math.Abs(got.Mean-mean) > 1e-12*mean || got.Max != sorted[len(sorted)-1].Seconds() {
			t.Fatalf("got %+v, want count %d, mean %v, max %v", got, len(times), mean, sorted[len(sorted)-1].Seconds())
		}
	})
}

// TestHistogramEdges: the first and last time of buckets at each power of two.
func TestHistogramEdges(t *testing.T) {
	for shift := range 63 {
		for _, d := range []time.Duration{1<<shift - 1, 1 << shift, 1<<shift + 1} {
			var h histogram
			h.add(d)
			h.add(math.MaxInt64)
			assert.InDelta(t, float64(d), float64(h.quantile(0.5)), float64(d)/1000)
		}
	}
	assert.Zero(t, (&histogram{}).quantiles())
	assert.Zero(t, (&histogram{}).quantile(0.5))
}

func TestIntegralIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var i integral
		want := new(big.Int)
		for range rapid.IntRange(1, 20).Draw(t, "pieces") {
			amount := rapid.Int64Range(0, 1<<60).Draw(t, "amount")
			held := rapid.Int64Range(0, 1<<60).Draw(t, "held")
			i.add(amount, time.Duration(held))
			want.Add(want, new(big.Int).Mul(big.NewInt(amount), big.NewInt(held)))
		}
		got := new(big.Int).SetUint64(i.hi)
		got.Add(got.Lsh(got, 64), new(big.Int).SetUint64(i.lo))
		if got.Cmp(want) != 0 {
			t.Fatalf("got %v, want %v", got, want)
		}
		exact, _ := new(big.Float).SetInt(want).Float64()
		if math.Abs(i.nanoseconds()-exact) > 1e-15*exact {
			t.Fatalf("got %v, want %v", i.nanoseconds(), exact)
		}
	})
}

func TestAmountsDoNotDependOnOrder(t *testing.T) {
	prices := make([]float64, 1000)
	draws := rand.New(rand.NewPCG(3, 4))
	for i := range prices {
		prices[i] = math.Ldexp(draws.Float64()-0.2, draws.IntN(40)-20)
	}
	sum := func() (a, halves amount) {
		var other amount
		for i, p := range prices {
			a.add(p)
			if i%2 == 0 {
				halves.add(p)
			} else {
				other.add(p)
			}
		}
		halves.plus(other)
		return a, halves
	}
	want, _ := sum()
	for range 5 {
		draws.Shuffle(len(prices), func(i, j int) { prices[i], prices[j] = prices[j], prices[i] })
		got, halves := sum()
		assert.Equal(t, want, got)
		assert.Equal(t, want, halves)
	}
	var a amount
	a.add(-0.25)
	assert.Equal(t, -0.25, a.usd())
}
