package requirements

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// universe is what properties ask of Has: integers around the bounds drawn, and words.
var universe = []string{"", "a", "b", "c", "-3", "-2", "-1", "0", "1", "2", "3", "4", "5", "007", "1.5", "99999999999999999999"}

// drawn is any requirement on key k with values and bounds from the universe.
func drawn(t *rapid.T, label string) Requirement {
	values := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "-1", "0", "1", "2", "3", "007"}), 0, 4).Draw(t, label+" values")
	bound := strconv.Itoa(rapid.IntRange(-3, 5).Draw(t, label+" bound"))
	op := rapid.SampledFrom([]corev1.NodeSelectorOperator{In, NotIn, Exists, DoesNotExist, Gt, Lt, Gte, Lte}).Draw(t, label+" operator")
	switch op {
	case Exists, DoesNotExist:
		values = nil
	case Gt, Lt, Gte, Lte:
		values = []string{bound}
	}
	r := Must("k", op, values...)
	return r.WithMinValues(rapid.IntRange(0, 2).Draw(t, label+" minValues"))
}

// compound is the intersection of one to three, which reaches bounded NotIn and the like.
func compound(t *rapid.T, label string) Requirement {
	r := drawn(t, label)
	for i := range rapid.IntRange(0, 2).Draw(t, label+" more") {
		r = r.Intersect(drawn(t, label+strconv.Itoa(i)))
	}
	return r
}

func TestIntersectIsAnAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := compound(t, "a"), compound(t, "b"), compound(t, "c")
		ab := a.Intersect(b)
		if !ab.Equal(b.Intersect(a)) {
			t.Fatalf("commutes: %s and %s: %s, %s", a, b, ab, b.Intersect(a))
		}
		if left, right := ab.Intersect(c), a.Intersect(b.Intersect(c)); !left.Equal(right) {
			t.Fatalf("is associative: %s, %s, %s: %s, %s", a, b, c, left, right)
		}
		if !a.Intersect(a).Equal(a) {
			t.Fatalf("is idempotent: %s: %s", a, a.Intersect(a))
		}
		if anything := (Requirement{key: "k", complement: true}); !a.Intersect(anything).Equal(a) {
			t.Fatalf("Exists is neutral: %s: %s", a, a.Intersect(anything))
		}
		for _, v := range universe {
			if ab.Has(v) != (a.Has(v) && b.Has(v)) {
				t.Fatalf("%s and %s is %s, which has %q: %v", a, b, ab, v, ab.Has(v))
			}
		}
	})
}

// Intersects is exact but for one thing that upstream does alike: of two complements it compares
// only the bounds.
func TestIntersectsTellsWhetherAnythingIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := compound(t, "a"), compound(t, "b")
		ab := a.Intersect(b)
		if got, want := a.Intersects(b), ab.Len() > 0; got != want {
			t.Fatalf("%s and %s: %v, intersection %s", a, b, got, ab)
		}
		if a.Intersects(b) != b.Intersects(a) {
			t.Fatalf("%s and %s: not symmetric", a, b)
		}
		for _, v := range universe {
			if ab.Has(v) && !a.Intersects(b) {
				t.Fatalf("%s and %s share %q", a, b, v)
			}
		}
	})
}

func TestAnyIsAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := compound(t, "r")
		if v := r.Any(); v != "" && !r.Has(v) {
			t.Fatalf("%s does not have %q", r, v)
		} else if v == "" {
			for _, u := range universe[1:] {
				if _, err := strconv.ParseInt(u, 10, 64); r.Has(u) && (err == nil || !r.Complement()) {
					t.Fatalf("%s has %q", r, u)
				}
			}
		}
	})
}

// Sets: the same laws, key by key, and what they say of labels.
func TestSetAlgebra(t *testing.T) {
	someSet := func(t *rapid.T, label string) Set {
		var reqs []Requirement
		for _, key := range []string{"k", "l", "m"} {
			if rapid.Bool().Draw(t, label+" "+key) {
				r := compound(t, label+" "+key)
				r.key = key
				reqs = append(reqs, r)
			}
		}
		return NewSet(reqs...)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := someSet(t, "a"), someSet(t, "b"), someSet(t, "c")
		if !a.Intersect(b).Equal(b.Intersect(a)) {
			t.Fatalf("commutes: %s and %s", a, b)
		}
		if !a.Intersect(b).Intersect(c).Equal(a.Intersect(b.Intersect(c))) {
			t.Fatalf("is associative: %s, %s, %s", a, b, c)
		}
		if !a.Intersect(a).Equal(a) {
			t.Fatalf("is idempotent: %s", a)
		}
		if (a.Intersects(b) == nil) != (b.Intersects(a) == nil) {
			t.Fatalf("Intersects is symmetric: %s and %s", a, b)
		}
		if a.Compatible(b, nil) == nil && a.Intersects(b) != nil {
			t.Fatalf("compatible without intersecting: %s and %s", a, b)
		}
		labels := map[string]string{}
		for _, key := range []string{"k", "l", "m"} {
			if v := rapid.SampledFrom(append([]string{"-"}, universe...)).Draw(t, "label "+key); v != "-" {
				labels[key] = v
			}
		}
		if a.MatchesLabels(labels) && b.MatchesLabels(labels) {
			if err := a.Intersects(b); err != nil {
				t.Fatalf("%v matches %s and %s: %v", labels, a, b, err)
			}
			if len(labels) == 3 && !a.Intersect(b).MatchesLabels(labels) {
				t.Fatalf("%v matches %s and %s, not both at once", labels, a, b)
			}
		}
		if err := FromLabels(labels).Compatible(a, nil); a.MatchesLabels(labels) && err != nil {
			t.Fatalf("%v matches %s: %v", labels, a, err)
		}
	})
}

// FuzzRequirement feeds New what a manifest may hold: it errs or gives a set that keeps its laws.
func FuzzRequirement(f *testing.F) {
	f.Add("zone", "In", "a,b", "NotIn", "b", "a")
	f.Add("beta.kubernetes.io/arch", "Gt", "4", "Lt", "6", "5")
	f.Add("k", "Gt", "9223372036854775807", "Gte", "-9223372036854775808", "1")
	f.Add("k", "Lt", "-9223372036854775808", "Lte", "+7", "007")
	f.Add("k", "Exists", "", "DoesNotExist", "", "")
	f.Fuzz(func(t *testing.T, key, op1, values1, op2, values2, asked string) {
		parse := func(op, values string) (Requirement, bool) {
			var list []string
			if values != "" {
				list = strings.Split(values, ",")
			}
			r, err := New(key, corev1.NodeSelectorOperator(op), list...)
			return r, err == nil
		}
		a, ok := parse(op1, values1)
		if !ok {
			return
		}
		require.Equal(t, NormalizeKey(key), a.Key())
		require.NotEmpty(t, a.String())
		if v := a.Any(); v != "" {
			require.True(t, a.Has(v), "%s, %q", a, v)
		}
		b, ok := parse(op2, values2)
		if !ok {
			return
		}
		both := a.Intersect(b)
		require.True(t, both.Equal(b.Intersect(a)), "%s and %s", a, b)
		require.True(t, both.Intersect(a).Equal(both), "%s and %s", a, b)
		require.Equal(t, a.Has(asked) && b.Has(asked), both.Has(asked), "%s and %s, %q", a, b, asked)
		require.Equal(t, both.Len() > 0, a.Intersects(b), "%s and %s", a, b)
	})
}
