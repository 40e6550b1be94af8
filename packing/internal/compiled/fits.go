package compiled

import "slices"

// Fits answers which instance types have room for so much: for each resource the
// types are in order of what they leave to pods, so that an answer is a binary
// search for each resource and the intersection of as many bitsets.
// It is immutable and safe for concurrent use.
type Fits struct {
	columns []fitColumn
	never   Bits // all types, less those that fit nothing
	words   int
}

type fitColumn struct {
	values []int64 // distinct, ascending
	types  []Bits  // types[i] leave at least values[i]
}

// NewFits orders types 0 to n-1 by room. room returns what a type leaves to pods
// by column; a type with a negative amount of any resource fits no pod at all
// (Karpenter v1.14.1 pkg/utils/resources/resources.go, Fits), nor does one for
// which room returns nil.
func NewFits(n, columns int, room func(i int) []int64) *Fits {
	f := &Fits{columns: make([]fitColumn, columns), never: NewBits(n), words: len(NewBits(n))}
	rooms := make([][]int64, n)
	for i := range n {
		r := room(i)
		if r == nil || slices.Min(r) < 0 {
			continue
		}
		rooms[i] = r
		f.never.Set(i)
	}
	order := make([]int, 0, n)
	for c := range f.columns {
		order = order[:0]
		for i, r := range rooms {
			if r != nil {
				order = append(order, i)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch x, y := rooms[a][c], rooms[b][c]; {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		})
		col := &f.columns[c]
		at := NewBits(n)
		for k, i := range order {
			at.Set(i)
			if k+1 == len(order) || rooms[order[k+1]][c] != rooms[i][c] {
				col.values = append(col.values, rooms[i][c])
				col.types = append(col.types, slices.Clone(at))
			}
		}
		slices.Reverse(col.values)
		slices.Reverse(col.types)
	}
	return f
}

// All returns the types that fit at least an empty request.
func (f *Fits) All() Bits { return f.never }

// Restrict removes from types those without room for the sum of two requests
// (either may be nil) and reports whether any is left. Columns beyond those of
// the types are resources that no type has.
func (f *Fits) Restrict(types Bits, a, b []int64) bool {
	n := max(len(a), len(b))
	for c := range n {
		need := at(a, c) + at(b, c)
		if need <= 0 {
			continue
		}
		if c >= len(f.columns) {
			clear(types)
			return false
		}
		col := &f.columns[c]
		values := col.values
		if len(values) == 0 || need > values[len(values)-1] {
			clear(types)
			return false
		}
		if need <= values[0] {
			continue
		}
		lo, hi := 0, len(values)-1 // values[hi] >= need
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if values[mid] >= need {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		types.And(col.types[hi])
	}
	types.And(f.never)
	return types.Any()
}

// Largest returns the most that any of some types leaves of a column, 0 if none has it.
func (f *Fits) Largest(of Bits, column int) int64 {
	if column >= len(f.columns) {
		return 0
	}
	col := &f.columns[column]
	for k := len(col.values) - 1; k >= 0; k-- {
		for i, w := range col.types[k] {
			if w&of[i] != 0 {
				return col.values[k]
			}
		}
	}
	return 0
}

func at(v []int64, i int) int64 {
	if i < len(v) {
		return v[i]
	}
	return 0
}
