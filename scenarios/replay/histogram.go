package replay

import (
	"math"
	"math/bits"
	"time"
)

// histogram holds times in buckets that are linear within each power of two, so
// that its size does not depend on how many times it holds. Count, mean, least
// and largest are exact; a quantile is the middle of its bucket, which is within
// 1/1024 (below 0.1%) of every time in the bucket. The zero value is empty.
type histogram struct {
	count       int
	sum         integral
	least, most time.Duration
	exact       [2 * perOctave]uint64  // of times below 2*perOctave nanoseconds
	octaves     [64]*[perOctave]uint64 // by bits.Len64 of the time, made when first met
}

// perOctave is the number of buckets from one power of two to the next: a bucket
// is 1/512 of its lower end wide at most, and its middle half of that off.
const (
	perOctaveBits = 9
	perOctave     = 1 << perOctaveBits
)

// add counts one time; it may not be negative.
func (h *histogram) add(d time.Duration) {
	if h.count == 0 || d < h.least {
		h.least = d
	}
	h.most = max(h.most, d)
	h.count++
	h.sum.add(1, d)
	v := uint64(d)
	if v < 2*perOctave {
		h.exact[v]++
		return
	}
	octave := bits.Len64(v)
	if h.octaves[octave] == nil {
		h.octaves[octave] = new([perOctave]uint64)
	}
	// The highest bit is the octave's; the next ones are the bucket.
	h.octaves[octave][v>>(octave-1-perOctaveBits)-perOctave]++
}

// quantile returns the time at rank ceil(q*count), the least at q = 0.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := uint64(max(1, math.Ceil(q*float64(h.count))))
	if rank >= uint64(h.count) {
		return h.most
	}
	var seen uint64
	for v, n := range h.exact {
		if seen += n; seen >= rank {
			return time.Duration(v)
		}
	}
	for octave, buckets := range h.octaves {
		if buckets == nil {
			continue
		}
		for i, n := range buckets {
			if seen += n; seen >= rank {
				shift := octave - 1 - perOctaveBits
				middle := (uint64(perOctave+i) << shift) + (uint64(1)<<shift)/2
				return min(max(time.Duration(middle), h.least), h.most)
			}
		}
	}
	return h.most
}

// quantiles is what a report shows of the histogram.
func (h *histogram) quantiles() Quantiles {
	if h.count == 0 {
		return Quantiles{}
	}
	return Quantiles{
		Count: h.count,
		Mean:  h.sum.seconds() / float64(h.count),
		P50:   h.quantile(0.50).Seconds(),
		P90:   h.quantile(0.90).Seconds(),
		P99:   h.quantile(0.99).Seconds(),
		Max:   h.most.Seconds(),
	}
}
