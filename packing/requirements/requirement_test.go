package requirements

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestNewByOperator(t *testing.T) {
	for _, c := range []struct {
		name      string
		op        corev1.NodeSelectorOperator
		values    []string
		text      string
		allows    []string
		refuses   []string
		allowance int // Len
	}{
		{"In", In, []string{"b", "a", "b"}, "k In [a b]", []string{"a", "b"}, []string{"", "c"}, 2},
		{"In nothing", In, nil, "k DoesNotExist", nil, []string{"", "a"}, 0},
		{"In the empty value", In, []string{""}, "k In []", []string{""}, []string{"a"}, 1},
		{"NotIn", NotIn, []string{"b", "a"}, "k NotIn [a b]", []string{"", "c", "1"}, []string{"a", "b"}, math.MaxInt64 - 2},
		{"NotIn nothing", NotIn, nil, "k Exists", []string{"a"}, nil, math.MaxInt64},
		{"Exists", Exists, nil, "k Exists", []string{"", "a", "1"}, nil, math.MaxInt64},
		{"DoesNotExist", DoesNotExist, nil, "k DoesNotExist", nil, []string{"", "a", "1"}, 0},
		{"Gt", Gt, []string{"4"}, "k Exists >=5", []string{"5", "400"}, []string{"4", "-5", "a", "", "5.5"}, math.MaxInt64},
		{"Gte", Gte, []string{"4"}, "k Exists >=4", []string{"4", "5"}, []string{"3", "a"}, math.MaxInt64},
		{"Lt", Lt, []string{"4"}, "k Exists <=3", []string{"3", "-7"}, []string{"4", "a"}, math.MaxInt64},
		{"Lte", Lte, []string{"4"}, "k Exists <=4", []string{"4", "0"}, []string{"5", "a"}, math.MaxInt64},
		{"Gt a negative", Gt, []string{"-3"}, "k Exists >=-2", []string{"-2", "0"}, []string{"-3"}, math.MaxInt64},
		{"Gt the largest integer", Gt, []string{"9223372036854775807"}, "k DoesNotExist", nil, []string{"9223372036854775807"}, 0},
		{"Lt the smallest integer", Lt, []string{"-9223372036854775808"}, "k DoesNotExist", nil, []string{"-9223372036854775808"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := New("k", c.op, c.values...)
			require.NoError(t, err)
			require.Equal(t, c.text, r.String())
			require.Equal(t, c.allowance, r.Len())
			for _, v := range c.allows {
				require.True(t, r.Has(v), "%s has %q", r, v)
			}
			for _, v := range c.refuses {
				require.False(t, r.Has(v), "%s has %q", r, v)
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	for _, c := range []struct {
		op     corev1.NodeSelectorOperator
		values []string
		err    error
	}{
		{"Near", []string{"a"}, ErrOperator},
		{"", nil, ErrOperator},
		{"in", []string{"a"}, ErrOperator}, // operators are case-sensitive
		{Exists, []string{"a"}, ErrValues},
		{DoesNotExist, []string{"a"}, ErrValues},
		{Gt, nil, ErrValues},
		{Gt, []string{"1", "2"}, ErrValues},
		{Lt, []string{"x"}, ErrValues},
		{Gte, []string{"1.5"}, ErrValues},
		{Lte, []string{"9223372036854775808"}, ErrValues}, // beyond int64
	} {
		_, err := New("k", c.op, c.values...)
		require.ErrorIs(t, err, c.err, "%s %q", c.op, c.values)
		require.ErrorContains(t, err, "k ", "the key is named")
		require.Panics(t, func() { Must("k", c.op, c.values...) })
	}
}

func TestNewDoesNotKeepTheCallersSlice(t *testing.T) {
	values := []string{"b", "a"}
	r := Must("k", In, values...)
	values[0] = "z"
	require.Equal(t, []string{"a", "b"}, r.Values())
}

// Every pair of operators, both ways round.
func TestIntersectByOperators(t *testing.T) {
	in := Must("k", In, "1", "5", "a")
	notIn := Must("k", NotIn, "5", "z")
	exists := Must("k", Exists)
	never := Must("k", DoesNotExist)
	gt := Must("k", Gt, "3") // 4 and more
	lt := Must("k", Lt, "6") // 5 and less
	gte := Must("k", Gte, "6")
	lte := Must("k", Lte, "4")
	for _, c := range []struct {
		a, b Requirement
		want string
	}{
		{in, in, "k In [1 5 a]"},
		{in, Must("k", In, "5", "b"), "k In [5]"},
		{in, Must("k", In, "b"), "k DoesNotExist"},
		{in, notIn, "k In [1 a]"},
		{in, exists, "k In [1 5 a]"},
		{in, never, "k DoesNotExist"},
		{in, gt, "k In [5]"},
		{in, lt, "k In [1 5]"},
		{in, gte, "k DoesNotExist"},
		{in, lte, "k In [1]"},
		{notIn, Must("k", NotIn, "b"), "k NotIn [5 b z]"},
		{notIn, exists, "k NotIn [5 z]"},
		{notIn, never, "k DoesNotExist"},
		{notIn, gt, "k NotIn [5] >=4"}, // z is no integer: the bound excludes it already
		{notIn, lt, "k NotIn [5] <=5"},
		{notIn, gte, "k Exists >=6"}, // and 5 is below this one
		{notIn, lte, "k Exists <=4"},
		{exists, exists, "k Exists"},
		{exists, never, "k DoesNotExist"},
		{exists, gt, "k Exists >=4"},
		{never, never, "k DoesNotExist"},
		{never, gt, "k DoesNotExist"},
		{gt, lt, "k Exists >=4 <=5"},
		{gt, gte, "k Exists >=6"},
		{gt, lte, "k Exists >=4 <=4"},
		{lt, lte, "k Exists <=4"},
		{lt, gte, "k DoesNotExist"}, // crossed
		{gte, lte, "k DoesNotExist"},
	} {
		require.Equal(t, c.want, c.a.Intersect(c.b).String(), "%s and %s", c.a, c.b)
		require.Equal(t, c.want, c.b.Intersect(c.a).String(), "%s and %s", c.b, c.a)
		require.Equal(t, c.a.Intersect(c.b).Len() > 0, c.a.Intersects(c.b), "%s and %s", c.a, c.b)
	}
}

// As upstream, Intersects looks at bounds but not at whether exclusions use a bounded range up.
func TestIntersectsDoesNotCountARange(t *testing.T) {
	five := Must("k", Gte, "5").Intersect(Must("k", Lte, "5"))
	not5 := Must("k", NotIn, "5")
	require.True(t, five.Intersects(not5))
	require.False(t, five.Intersect(not5).Has("5"))
	require.Empty(t, five.Intersect(not5).Any())
}

func TestMinValues(t *testing.T) {
	in := Must("k", In, "a", "b").WithMinValues(2)
	require.Equal(t, 2, in.MinValues())
	require.Equal(t, "k In [a b] minValues 2", in.String())
	require.Equal(t, 3, in.Intersect(Must("k", Exists).WithMinValues(3)).MinValues(), "the larger holds")
	require.Equal(t, 2, in.Intersect(Must("k", In, "c")).MinValues(), "even where nothing is left")
	require.Equal(t, 2, Must("k", Gt, "5").WithMinValues(2).Intersect(Must("k", Lt, "5")).MinValues(), "or bounds cross")
	require.False(t, in.Equal(Must("k", In, "a", "b")))
	require.True(t, in.WithMinValues(0).Equal(Must("k", In, "a", "b")))
}

func TestBounds(t *testing.T) {
	r := Must("k", Gt, "1").Intersect(Must("k", Lt, "9"))
	low, ok := r.Gte()
	require.True(t, ok)
	require.EqualValues(t, 2, low)
	high, ok := r.Lte()
	require.True(t, ok)
	require.EqualValues(t, 8, high)
	require.Equal(t, Exists, r.Operator())
	_, ok = r.Intersect(Must("k", In, "5")).Gte()
	require.False(t, ok, "a finite set needs no bounds")
}

func TestAny(t *testing.T) {
	for _, c := range []struct {
		r    Requirement
		want string
	}{
		{Must("k", In, "b", "a"), "a"},
		{Must("k", DoesNotExist), ""},
		{Must("k", Exists), "0"},
		{Must("k", NotIn, "0", "1", "3"), "2"},
		{Must("k", Gt, "7"), "8"},
		{Must("k", Lt, "-7"), "-8"},
		{Must("k", Lte, "0").Intersect(Must("k", NotIn, "0", "-1")), "-2"},
		{Must("k", Gte, "-5").Intersect(Must("k", Lte, "-5")).Intersect(Must("k", NotIn, "-5")), ""},
		{Must("k", Gte, "9223372036854775807"), "9223372036854775807"},
		{Must("k", Gte, "9223372036854775807").Intersect(Must("k", NotIn, "9223372036854775807")), ""},
		{Must("k", Lte, "-9223372036854775808").Intersect(Must("k", NotIn, "-9223372036854775808")), ""},
	} {
		require.Equal(t, c.want, c.r.Any(), "%s", c.r)
	}
}

func TestStringShortensLongLists(t *testing.T) {
	require.Equal(t, "k In [a b c d e and 2 others]", Must("k", In, "g", "f", "e", "d", "c", "b", "a").String())
}

func TestNormalizeKey(t *testing.T) {
	for alias, stable := range map[string]string{
		"failure-domain.beta.kubernetes.io/zone":   "topology.kubernetes.io/zone",
		"failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
		"beta.kubernetes.io/instance-type":         "node.kubernetes.io/instance-type",
		"beta.kubernetes.io/arch":                  "kubernetes.io/arch",
		"beta.kubernetes.io/os":                    "kubernetes.io/os",
	} {
		require.Equal(t, stable, NormalizeKey(alias))
		require.Equal(t, stable, NormalizeKey(stable))
		require.Equal(t, alias, deprecatedAlias(stable))
		require.Equal(t, stable, Must(alias, Exists).Key())
		require.True(t, WellKnown(stable))
		require.False(t, WellKnown(alias), "keys are normalised first")
	}
	require.Equal(t, "team", NormalizeKey("team"))
	require.Empty(t, deprecatedAlias("team"))
	require.False(t, WellKnown("team"))
}
