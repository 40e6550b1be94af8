package compiled_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

func wellKnown(key string) bool { return key == "zone" }

// aRequirement draws from few keys and values, so that pairs meet.
var aRequirement = rapid.Custom(func(t *rapid.T) requirements.Requirement {
	key := rapid.SampledFrom([]string{"zone", "arch", "team", "cpus"}).Draw(t, "key")
	if key == "cpus" && rapid.Bool().Draw(t, "bounded") {
		op := rapid.SampledFrom([]corev1.NodeSelectorOperator{requirements.Gt, requirements.Lt, requirements.Gte, requirements.Lte}).Draw(t, "op")
		return requirements.Must(key, op, fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "bound")))
	}
	op := rapid.SampledFrom([]corev1.NodeSelectorOperator{requirements.In, requirements.NotIn, requirements.Exists, requirements.DoesNotExist}).Draw(t, "op")
	if op == requirements.Exists || op == requirements.DoesNotExist {
		return requirements.Must(key, op)
	}
	values := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"0", "1", "2", "3", "a"}), 1, 3, rapid.ID[string]).Draw(t, "values")
	return requirements.Must(key, op, values...)
})

var aSet = rapid.Custom(func(t *rapid.T) requirements.Set {
	return requirements.NewSet(rapid.SliceOfN(aRequirement, 0, 4).Draw(t, "requirements")...)
})

// Numbers say what the sets behind them say.
func TestSetsKeepTheAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sets := compiled.NewSets(wellKnown)
		drawn := rapid.SliceOfN(aSet, 1, 6).Draw(t, "sets")
		for _, a := range drawn {
			if id := sets.ID(a); !sets.Get(id).Equal(a) || id != sets.ID(slices.Clone(a)) {
				t.Fatalf("%v has the number %d of %v", a, id, sets.Get(id))
			}
		}
		for range 2 { // the second time from memory
			for _, a := range drawn {
				for _, b := range drawn {
					x, y := sets.ID(a), sets.ID(b)
					if got, want := sets.Get(sets.Intersect(x, y)), a.Intersect(b); x != y && !got.Equal(want) {
						t.Fatalf("%v and %v: got %v, want %v", a, b, got, want)
					}
					if got, want := sets.Compatible(x, y), a.Compatible(b, wellKnown) == nil; got != want {
						t.Fatalf("%v for %v: claim %v, want %v", a, b, got, want)
					}
					if got, want := sets.CompatibleNode(x, y), a.Compatible(b, nil) == nil; got != want {
						t.Fatalf("%v for %v: node %v, want %v", a, b, got, want)
					}
				}
			}
		}
	})
}

// The bitsets of types are those of asking each type.
func TestTypesAreThoseThatMeetTheRequirements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []*instancetypes.InstanceType
		for i := range rapid.IntRange(1, 90).Draw(t, "types") {
			it := &instancetypes.InstanceType{Name: fmt.Sprint("t", i), Requirements: aSet.Draw(t, "labels").Add(requirements.Must("name", requirements.In, fmt.Sprint("t", i)))}
			for range rapid.IntRange(0, 3).Draw(t, "offerings") {
				it.Offerings = append(it.Offerings, instancetypes.Offering{Requirements: aSet.Draw(t, "offering"), Available: rapid.Bool().Draw(t, "available")})
			}
			list = append(list, it)
		}
		c, err := instancetypes.NewCatalog(instancetypes.Info{}, list...)
		if err != nil {
			t.Fatal(err)
		}
		types := compiled.NewTypes(c)
		set := aSet.Draw(t, "set")
		meet, offered := types.Compatible(set), types.Offered(set, wellKnown)
		for i, it := range list {
			if got, want := meet.Has(i), it.Requirements.Intersects(set) == nil; got != want {
				t.Fatalf("%s with %v meets %v: got %v, want %v", it.Name, it.Requirements, set, got, want)
			}
			want := slices.ContainsFunc(it.Offerings, func(o instancetypes.Offering) bool {
				return o.Available && set.Compatible(o.Requirements, wellKnown) == nil
			})
			if got := offered.Has(i); got != want {
				t.Fatalf("%s has an offering for %v: got %v, want %v", it.Name, set, got, want)
			}
		}
	})
}

// Types with room are those that have it, resource by resource; a negative amount
// leaves room for nothing.
func TestFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(-1, 6)
		rooms := rapid.SliceOfN(rapid.SliceOfN(amount, 3, 3), 1, 130).Draw(t, "rooms")
		f := compiled.NewFits(len(rooms), 3, func(i int) []int64 { return rooms[i] })
		wants := rapid.SliceOfN(rapid.Int64Range(0, 4), 4, 4)
		a, b := wants.Draw(t, "a"), wants.Draw(t, "b")
		got := compiled.AllBits(len(rooms))
		any := f.Restrict(got, a, b)
		for i, room := range rooms {
			fits := slices.Min(room) >= 0 && a[3]+b[3] == 0
			for k := range room {
				fits = fits && a[k]+b[k] <= room[k]
			}
			if got.Has(i) != fits {
				t.Fatalf("room %v for %v and %v: got %v, want %v", room, a, b, got.Has(i), fits)
			}
			any = any || fits
		}
		if any != got.Any() {
			t.Fatalf("any is %v", any)
		}
		largest := int64(0)
		for _, room := range rooms {
			if slices.Min(room) >= 0 {
				largest = max(largest, room[1])
			}
		}
		if got := f.Largest(compiled.AllBits(len(rooms)), 1); got != largest {
			t.Fatalf("the largest is %d, want %d", got, largest)
		}
	})
}

// Overhead of a resource that the type does not have does not count; huge pages
// come out of memory.
func TestAllocatable(t *testing.T) {
	it := &instancetypes.InstanceType{
		Name: "huge",
		Capacity: resources.Vector{
			{Name: corev1.ResourceCPU, Value: 4000}, {Name: "hugepages-2Mi", Value: 1 << 30}, {Name: corev1.ResourceMemory, Value: 8 << 30},
		},
		Overhead: resources.Vector{{Name: corev1.ResourceCPU, Value: 100}, {Name: corev1.ResourceEphemeralStorage, Value: 1 << 30}},
	}
	c, err := instancetypes.NewCatalog(instancetypes.Info{}, it)
	if err != nil {
		t.Fatal(err)
	}
	types := compiled.NewTypes(c)
	got := types.Dimensions.Sparse(types.Allocatable(0))
	want := resources.Vector{{Name: corev1.ResourceCPU, Value: 3900}, {Name: "hugepages-2Mi", Value: 1 << 30}, {Name: corev1.ResourceMemory, Value: 7 << 30}}
	if !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 150
		members := rapid.SliceOfDistinct(rapid.IntRange(0, n-1), rapid.ID[int])
		a, b := members.Draw(t, "a"), members.Draw(t, "b")
		of := func(list []int) compiled.Bits {
			bits := compiled.NewBits(n)
			for _, i := range list {
				bits.Set(i)
			}
			return bits
		}
		and, or, not := of(a), of(a), of(a)
		and.And(of(b))
		or.Or(of(b))
		not.AndNot(of(b))
		for i := range n {
			x, y := slices.Contains(a, i), slices.Contains(b, i)
			if and.Has(i) != (x && y) || or.Has(i) != (x || y) || not.Has(i) != (x && !y) {
				t.Fatalf("%d: and %v, or %v, and not %v of %v and %v", i, and.Has(i), or.Has(i), not.Has(i), x, y)
			}
		}
		var listed []int
		for i := range of(a).All {
			listed = append(listed, i)
		}
		slices.Sort(a)
		if !slices.Equal(listed, a) || of(a).Count() != len(a) || of(a).Any() != (len(a) > 0) {
			t.Fatalf("listed %v of %v", listed, a)
		}
		if all := compiled.AllBits(n); all.Count() != n || all.Has(n) {
			t.Fatalf("all %d are %d", n, all.Count())
		}
	})
}
