package compiled

import "math/bits"

// Bits is a set of small integers. Sets that are combined have equal lengths.
type Bits []uint64

// NewBits returns an empty set with room for the integers below n.
func NewBits(n int) Bits { return make(Bits, (n+63)/64) }

// AllBits returns the set of the integers below n.
func AllBits(n int) Bits {
	b := NewBits(n)
	for i := range b {
		b[i] = ^uint64(0)
	}
	if tail := n % 64; tail != 0 {
		b[len(b)-1] = 1<<tail - 1
	}
	return b
}

// Set adds i.
func (b Bits) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Clear removes i.
func (b Bits) Clear(i int) { b[i>>6] &^= 1 << (i & 63) }

// Has reports whether i is in the set; what lies beyond its room is not.
func (b Bits) Has(i int) bool { return i>>6 < len(b) && b[i>>6]>>(i&63)&1 != 0 }

// And removes what is not in c.
func (b Bits) And(c Bits) {
	for i, w := range c {
		b[i] &= w
	}
}

// Or adds what is in c.
func (b Bits) Or(c Bits) {
	for i, w := range c {
		b[i] |= w
	}
}

// AndNot removes what is in c.
func (b Bits) AndNot(c Bits) {
	for i, w := range c {
		b[i] &^= w
	}
}

// Any reports whether the set has a member.
func (b Bits) Any() bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

// Count returns the number of members.
func (b Bits) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// Equal reports whether both sets have the same members.
func (b Bits) Equal(c Bits) bool {
	for i, w := range b {
		if c[i] != w {
			return false
		}
	}
	return true
}

// Hash returns a number that equal sets share.
func (b Bits) Hash() uint64 {
	h := uint64(14695981039346656037)
	for _, w := range b {
		h = (h ^ w) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	return h
}

// All yields the members in ascending order.
func (b Bits) All(yield func(int) bool) {
	for i, w := range b {
		for w != 0 {
			if !yield(i<<6 + bits.TrailingZeros64(w)) {
				return
			}
			w &= w - 1
		}
	}
}
