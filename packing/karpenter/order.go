package karpenter

import "sort"

// claimOrder keeps the claims of a run in the order in which they are tried.
//
// Karpenter sorts its claims by number of pods with sort.Slice before each pass
// over them, always the same slice (v1.14.1 scheduler.go, add). That sort is not
// stable, and which of several claims with equally many pods comes first decides
// where pods go, so the permutation has to be the same.
//
// Sorting is not needed to know it. Between two sorts at most one claim changes:
// it has one pod more, or it is new and last. On such input Go's pattern-defeating
// quicksort (package sort, pdqsort_func) does one of three things:
//   - up to 12 elements it is an insertion sort, and from 50 on it notices that the
//     slice is nearly sorted and shifts the one element: either way a claim moves
//     behind those that have as many pods as it had before, so to the front of those
//     that have as many as it has now, and a new claim moves behind all with one pod;
//   - in between it finds the slice unsorted but too short for shifting, and
//     partitions it;
//   - from 50 on it samples six pairs of neighbours, and if the claim that grew is
//     the first of one, it takes the slice for unsorted and partitions it.
//
// The first is done by moving one run of claims; for the others the sort is run.
type claimOrder struct {
	at     []int32 // claims in order
	counts []int32 // pods by claim
	// upTo[n] is how many claims have at most n pods.
	upTo []int32
	// keys order the claims as `at` does: they only grow, so that a key noted before
	// is never above the present one. The upper part is the number of pods.
	keys        []uint64
	front, back uint64
}

const (
	keyBits      = 40
	keyMiddle    = 1 << (keyBits - 1)
	insertionMax = 12 // the longest slice that package sort sorts by insertion
	shiftingMin  = 50 // the shortest on which it shifts an element that is out of order
)

func newClaimOrder() *claimOrder {
	return &claimOrder{front: keyMiddle, back: keyMiddle, upTo: make([]int32, 2)}
}

// Len, Less and Swap let package sort order the claims as sort.Slice would: both
// run the same algorithm.
func (o *claimOrder) Len() int           { return len(o.at) }
func (o *claimOrder) Less(i, j int) bool { return o.counts[o.at[i]] < o.counts[o.at[j]] }
func (o *claimOrder) Swap(i, j int)      { o.at[i], o.at[j] = o.at[j], o.at[i] }

// open adds a claim with one pod.
func (o *claimOrder) open(claim int32) {
	n := len(o.at)
	o.at = append(o.at, claim)
	o.counts = append(o.counts, 1)
	o.keys = append(o.keys, 0)
	place := int(o.upTo[1])
	for c := 1; c < len(o.upTo); c++ {
		o.upTo[c]++
	}
	if place < n && n+1 > insertionMax && n+1 < shiftingMin {
		o.sort()
		return
	}
	copy(o.at[place+1:], o.at[place:n])
	o.at[place] = claim
	o.keys[claim] = 1<<keyBits | o.back
	o.back++
}

// grow gives a claim one pod more.
func (o *claimOrder) grow(claim int32) {
	was := o.counts[claim]
	o.counts[claim] = was + 1
	if int(was)+1 >= len(o.upTo) {
		o.upTo = append(o.upTo, o.upTo[len(o.upTo)-1])
	}
	end := int(o.upTo[was])
	o.upTo[was]--
	place := int(o.upTo[was-1])
	for o.at[place] != claim {
		place++
	}
	if place+1 < end && !o.shifts(place) {
		o.sort()
		return
	}
	copy(o.at[place:], o.at[place+1:end])
	o.at[end-1] = claim
	o.front--
	o.keys[claim] = uint64(was+1)<<keyBits | o.front
}

// shifts reports whether the sort would move just the claim at a place, which has
// more pods than the one after it.
func (o *claimOrder) shifts(place int) bool {
	n := len(o.at)
	if n <= insertionMax {
		return true
	}
	if n < shiftingMin {
		return false
	}
	// choosePivot looks at i-1, i and i+1 for i at each quarter.
	for i := n / 4; i <= n/4*3; i += n / 4 {
		if place == i-1 || place == i {
			return false
		}
	}
	return true
}

// sort runs the sort itself and numbers the claims anew.
func (o *claimOrder) sort() {
	sort.Sort(o)
	for _, claim := range o.at {
		o.keys[claim] = uint64(o.counts[claim])<<keyBits | o.back
		o.back++
	}
}
