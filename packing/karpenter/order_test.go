package karpenter

import (
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// sorted is the long way: the slice that Karpenter sorts before each pass.
type sorted struct {
	claims []int32
	counts map[int32]int32
}

func (s *sorted) sort() {
	sort.Slice(s.claims, func(a, b int) bool { return s.counts[s.claims[a]] < s.counts[s.claims[b]] })
}

// The order known without sorting is the order that sorting gives, whatever claim
// grows and however many there are: below 13, from 13 to 49, and from 50 on
// package sort does different things.
func TestClaimOrderIsThatOfSorting(t *testing.T) {
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(seed, 7))
		order, long := newClaimOrder(), &sorted{counts: map[int32]int32{}}
		openings := 1 + rng.IntN(8) // one claim in so many placements
		reach := 1 + rng.IntN(40)   // how far down the order claims grow
		for step := range 2500 {
			n := len(long.claims)
			if n == 0 || n < 400 && rng.IntN(openings) == 0 {
				claim := int32(n)
				order.open(claim)
				long.claims = append(long.claims, claim)
				long.counts[claim] = 1
			} else {
				at := rng.IntN(min(n, reach))
				if rng.IntN(20) == 0 {
					at = rng.IntN(n)
				}
				claim := long.claims[at]
				order.grow(claim)
				long.counts[claim]++
			}
			long.sort()
			if !slices.Equal(order.at, long.claims) {
				t.Fatalf("seed %d, step %d, %d claims: order %v, sorted %v", seed, step, len(long.claims), order.at, long.claims)
			}
			checkKeys(t, order)
		}
	}
}

// checkKeys checks that keys rise along the order.
func checkKeys(t *testing.T, o *claimOrder) {
	t.Helper()
	for i := 1; i < len(o.at); i++ {
		if o.keys[o.at[i-1]] >= o.keys[o.at[i]] {
			t.Fatalf("claims %d and %d: keys %x and %x do not rise", o.at[i-1], o.at[i], o.keys[o.at[i-1]], o.keys[o.at[i]])
		}
	}
}

// Keys never fall: a heap that still holds an old key holds one that is too small.
func TestClaimKeysOnlyGrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	order := newClaimOrder()
	last := map[int32]uint64{}
	for range 3000 {
		if n := len(order.at); n == 0 || n < 120 && rng.IntN(6) == 0 {
			order.open(int32(n))
		} else {
			order.grow(order.at[rng.IntN(n)])
		}
		for claim, key := range order.keys {
			if key < last[int32(claim)] {
				t.Fatalf("key of claim %d fell from %x to %x", claim, last[int32(claim)], key)
			}
			last[int32(claim)] = key
		}
	}
}
