package resources

import (
	"math"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"
)

func TestFromList(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "0"},
		{"memory=1Gi cpu=2", "cpu 2, memory 1Gi"}, // sorted by name
		{"cpu=100u", "cpu 1m"},                    // rounded up to a milli-CPU
		{"cpu=1500m", "cpu 1500m"},
		{"memory=1k", "memory 1k"},
		{"memory=128974848", "memory 123Mi"},
		{"memory=100m", "memory 1"}, // a tenth of a byte
		{"pods=110 nvidia.com/gpu=4", "nvidia.com/gpu 4, pods 110"},
		{"hugepages-1Gi=2Gi ephemeral-storage=10Gi", "ephemeral-storage 10Gi, hugepages-1Gi 2Gi"},
		{"cpu=0", "cpu 0"},
		{"memory=0e1000000000", "memory 0"},
	} {
		v, err := FromList(list(c.in))
		require.NoError(t, err)
		require.Equal(t, c.want, v.String(), c.in)
	}
	require.EqualValues(t, 2000, MustFromList(list("cpu=2")).Get("cpu"), "milli-CPU")
	require.EqualValues(t, 1<<30, MustFromList(list("memory=1Gi")).Get("memory"), "bytes")
}

func TestFromListErrors(t *testing.T) {
	for _, c := range []struct {
		in  string
		err error
	}{
		{"cpu=-1m", ErrNegative},
		{"memory=-1Gi", ErrNegative},
		{"memory=1e30", ErrTooLarge},
		{"memory=1e1000000000", ErrTooLarge}, // at once: nobody writes out a billion digits
		{"cpu=1152921504606846977m", ErrTooLarge},
		{"pods=1152921504606846977", ErrTooLarge}, // 2^60 + 1
	} {
		_, err := FromList(list(c.in))
		require.ErrorIs(t, err, c.err, c.in)
		require.Panics(t, func() { MustFromList(list(c.in)) })
	}
	_, err := FromList(list("pods=1152921504606846976 cpu=1152921504606846976m"))
	require.NoError(t, err, "the largest")

	_, err = FromList(list("memory=-1 cpu=-2 pods=1"))
	require.EqualError(t, err, "cpu \"-2\": quantity is negative\nmemory \"-1\": quantity is negative", "in a fixed order")
}

func TestArithmetic(t *testing.T) {
	a, b := MustFromList(list("cpu=1 memory=2Gi")), MustFromList(list("cpu=500m pods=3"))
	require.Equal(t, "cpu 1500m, memory 2Gi, pods 3", a.Add(b).String())
	require.Equal(t, "cpu 500m, memory 2Gi, pods -3", a.Sub(b).String())
	require.Equal(t, "cpu 1, memory 2Gi, pods 3", a.Max(b).String())
	require.Equal(t, "cpu 1, memory 2Gi, pods 0", a.Sub(b).Max(nil).Max(a).String(), "Max(nil) clamps at zero")
	require.Equal(t, "cpu 1, memory 2Gi", a.String(), "vectors do not change")

	require.Equal(t, "cpu 1, memory 1Gi", a.With("memory", 1<<30).String())
	require.Equal(t, "cpu 1, example.com/x 7, memory 2Gi", a.With("example.com/x", 7).String())
	require.Equal(t, "cpu 1, memory 2Gi", a.String())

	value, ok := a.Lookup("pods")
	require.False(t, ok)
	require.Zero(t, value)
}

func TestSaturation(t *testing.T) {
	most, least := Vector{{"x", math.MaxInt64}}, Vector{{"x", math.MinInt64}}
	one := Vector{{"x", 1}}
	require.Equal(t, most, most.Add(one))
	require.Equal(t, least, least.Sub(one))
	require.Equal(t, least, least.Add(Vector{{"x", -1}}))
	require.Equal(t, most, most.Sub(Vector{{"x", -1}}))
	require.Equal(t, most, Vector(nil).Sub(least), "there is no +2^63")
}

func TestFits(t *testing.T) {
	node := MustFromList(list("cpu=4 memory=8Gi pods=10"))
	for _, c := range []struct {
		in   string
		over corev1.ResourceName
	}{
		{"cpu=4 memory=8Gi pods=10", ""},
		{"cpu=4001m", "cpu"},
		{"cpu=5 memory=9Gi", "cpu"}, // the first by name
		{"nvidia.com/gpu=1", "nvidia.com/gpu"},
		{"nvidia.com/gpu=0", ""}, // zero fits where there is none
		{"", ""},
	} {
		v := MustFromList(list(c.in))
		name, over := v.FirstOver(node)
		require.Equal(t, c.over, name, c.in)
		require.Equal(t, c.over != "", over, c.in)
		require.Equal(t, !over, v.Fits(node), c.in)
	}
	require.True(t, MustFromList(list("cpu=0")).Fits(Vector{{"cpu", -5}}), "even where it is overdrawn")
}

func TestEqual(t *testing.T) {
	require.True(t, Vector(nil).Equal(MustFromList(list("cpu=0"))))
	require.True(t, MustFromList(list("cpu=1 pods=0")).Equal(MustFromList(list("cpu=1000m"))))
	require.False(t, MustFromList(list("cpu=1")).Equal(MustFromList(list("cpu=1 pods=1"))))
	require.False(t, MustFromList(list("cpu=1 pods=1")).Equal(MustFromList(list("cpu=1"))))
}

func TestListRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawn(t, "v")
		back, err := FromList(v.List())
		if err != nil || !back.Equal(v) || len(back) != len(v) {
			t.Fatalf("%s became %s: %v", v, back, err)
		}
	})
}

func drawn(t *rapid.T, label string) Vector {
	var v Vector
	for _, name := range []corev1.ResourceName{"cpu", "ephemeral-storage", "memory", "nvidia.com/gpu", "pods"} {
		if rapid.Bool().Draw(t, label+" has "+string(name)) {
			v = append(v, Amount{name, rapid.Int64Range(0, Max).Draw(t, label+" "+string(name))})
		}
	}
	return v
}

func TestVectorLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawn(t, "a"), drawn(t, "b"), drawn(t, "c")
		check := func(ok bool, law string) {
			if !ok {
				t.Fatalf("%s: %s; %s; %s", law, a, b, c)
			}
		}
		check(a.Add(b).Equal(b.Add(a)), "sums commute")
		check(a.Add(b).Add(c).Equal(a.Add(b.Add(c))), "sums are associative")
		check(a.Add(b).Sub(b).Equal(a), "differences undo sums")
		check(a.Max(b).Equal(b.Max(a)) && a.Max(a).Equal(a) && a.Max(b).Max(c).Equal(a.Max(b.Max(c))), "maxima form a semilattice")
		check(a.Fits(a.Max(b)) && a.Fits(a.Add(b)), "a vector fits into more")
		check(a.Fits(b) == a.Max(b).Equal(b), "fits means that the maximum is the other")
		for _, v := range []Vector{a.Add(b), a.Sub(b), a.Max(b), a.With("memory", 1)} {
			for i := 1; i < len(v); i++ {
				check(v[i-1].Name < v[i].Name, "sorted by name, each once")
			}
		}
	})
}

// FuzzFromList feeds quantities as manifests write them: an error, or an amount in range that no
// conversion has lowered.
func FuzzFromList(f *testing.F) {
	for _, seed := range []string{"1", "500m", "2x", "-1Gi", "1e30", "0.1", "1Ei", "9223372036854775807", "1e-10", ".5", "+3k", "1e1000000000"} {
		f.Add("cpu", seed)
		f.Add("memory", seed)
	}
	// ParseQuantity itself takes very long over a large negative exponent.
	tooSmall := regexp.MustCompile(`[eE]-\d{5,}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		if tooSmall.MatchString(text) {
			return
		}
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return
		}
		v, err := FromList(corev1.ResourceList{corev1.ResourceName(name): q})
		if err != nil {
			require.ErrorContains(t, err, name)
			require.Empty(t, v)
			return
		}
		value := v.Get(corev1.ResourceName(name))
		require.GreaterOrEqual(t, value, int64(0))
		require.LessOrEqual(t, value, Max)
		if value == 0 {
			require.True(t, q.IsZero())
			return
		}
		back := v[0].Quantity()
		require.LessOrEqual(t, q.Cmp(back), 0, "%s became %s", text, back.String())
	})
}
