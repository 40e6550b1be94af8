package instancetypes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// offering is on sale in a zone.
func offering(zone, capacityType string, price float64) Offering {
	return Offering{
		Requirements: requirements.NewSet(
			requirements.Must(corev1.LabelTopologyZone, requirements.In, zone),
			requirements.Must(requirements.LabelCapacityType, requirements.In, capacityType),
		),
		Price: price, Available: true,
	}
}

// machine is a type with an architecture and offerings.
func machine(name, arch string, offerings ...Offering) *InstanceType {
	return &InstanceType{
		Name: name,
		Requirements: requirements.NewSet(
			requirements.Must(corev1.LabelInstanceTypeStable, requirements.In, name),
			requirements.Must(corev1.LabelArchStable, requirements.In, arch),
			requirements.Must("example.com/gpu", requirements.DoesNotExist),
		),
		Offerings: offerings,
	}
}

func names(c *Catalog) []string {
	var out []string
	for _, t := range c.Types() {
		out = append(out, t.Name)
	}
	return out
}

func TestNewCatalogRejects(t *testing.T) {
	for name, test := range map[string]struct {
		types []*InstanceType
		want  string
		is    error
	}{
		"nil":      {types: []*InstanceType{nil}, want: "instance type 0 has no name"},
		"no name":  {types: []*InstanceType{machine("a", "amd64"), machine("", "amd64")}, want: "instance type 1 has no name"},
		"twice":    {types: []*InstanceType{machine("a", "amd64"), machine("a", "arm64")}, want: `"a" is there twice`},
		"NaN":      {types: []*InstanceType{machine("a", "amd64", offering("z", "spot", math.NaN()))}, want: `"a": offering 0`, is: ErrPrice},
		"negative": {types: []*InstanceType{machine("a", "amd64", offering("z", "spot", 0), offering("z", "on-demand", -1))}, want: `"a": offering 1`, is: ErrPrice},
		"infinite": {types: []*InstanceType{machine("a", "amd64", offering("z", "spot", math.Inf(1)))}, want: `"a": offering 0`, is: ErrPrice},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewCatalog(Info{}, test.types...)
			require.ErrorContains(t, err, test.want)
			if test.is != nil {
				assert.ErrorIs(t, err, test.is)
			}
		})
	}
}

func TestCatalogKeepsItsOwnOrder(t *testing.T) {
	types := []*InstanceType{machine("b", "amd64"), machine("a", "arm64")}
	c, err := NewCatalog(Info{Region: "r", WellKnownLabels: []string{"example.com/gpu"}}, types...)
	require.NoError(t, err)
	types[0] = machine("c", "amd64") // the caller's slice is the caller's
	assert.Equal(t, []string{"b", "a"}, names(c))
	assert.Equal(t, "r", c.Info().Region)

	found, ok := c.Lookup("a")
	assert.True(t, ok)
	assert.Equal(t, "a", found.Name)
	_, ok = c.Lookup("c")
	assert.False(t, ok)

	assert.True(t, c.WellKnown("example.com/gpu"), "the provider's")
	assert.True(t, c.WellKnown(corev1.LabelTopologyZone), "Karpenter's own")
	assert.False(t, c.WellKnown("example.com/team"))
}

func TestFilterAndCompatible(t *testing.T) {
	gone := offering("zone-c", "on-demand", 1)
	gone.Available = false
	c, err := NewCatalog(Info{Region: "r", WellKnownLabels: []string{"example.com/known"}},
		machine("a", "amd64", offering("zone-a", "on-demand", 2), offering("zone-b", "spot", 1)),
		machine("b", "arm64", offering("zone-b", "on-demand", 2)),
		machine("c", "amd64", gone),
	)
	require.NoError(t, err)
	assert.Equal(t, []string{"zone-a", "zone-b", "zone-c"}, c.Zones())

	arm := c.Filter(func(it *InstanceType) bool { return it.Name != "a" })
	assert.Equal(t, []string{"b", "c"}, names(arm))
	assert.Equal(t, c.Info(), arm.Info())
	assert.True(t, arm.WellKnown("example.com/known"))
	assert.Equal(t, []string{"a", "b", "c"}, names(c), "the catalog itself stays")

	must := requirements.Must
	for name, test := range map[string]struct {
		reqs []requirements.Requirement
		want []string
	}{
		"nothing asked":      {want: []string{"a", "b"}}, // c has no available offering
		"architecture":       {reqs: []requirements.Requirement{must(corev1.LabelArchStable, requirements.In, "arm64")}, want: []string{"b"}},
		"not that":           {reqs: []requirements.Requirement{must(corev1.LabelArchStable, requirements.NotIn, "arm64")}, want: []string{"a"}},
		"zone":               {reqs: []requirements.Requirement{must(corev1.LabelTopologyZone, requirements.In, "zone-b")}, want: []string{"a", "b"}},
		"zone and spot":      {reqs: []requirements.Requirement{must(corev1.LabelTopologyZone, requirements.In, "zone-b"), must(requirements.LabelCapacityType, requirements.In, "on-demand")}, want: []string{"b"}},
		"unavailable":        {reqs: []requirements.Requirement{must(corev1.LabelTopologyZone, requirements.In, "zone-c")}},
		"absent label":       {reqs: []requirements.Requirement{must("example.com/gpu", requirements.Exists)}},
		"absence asked":      {reqs: []requirements.Requirement{must("example.com/gpu", requirements.DoesNotExist)}, want: []string{"a", "b"}},
		"nobody names label": {reqs: []requirements.Requirement{must("example.com/team", requirements.In, "x")}, want: []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, names(c.Compatible(requirements.NewSet(test.reqs...))))
		})
	}
}

func TestCheapest(t *testing.T) {
	cheapButGone := offering("zone-a", "spot", 0.1)
	cheapButGone.Available = false
	it := machine("a", "amd64",
		offering("zone-c", "on-demand", 1), offering("zone-b", "spot", 0.5), cheapButGone,
		offering("zone-b", "on-demand", 0.5), offering("zone-a", "on-demand", 1),
	)
	best := func(reqs ...requirements.Requirement) string {
		o := it.Cheapest(requirements.NewSet(reqs...))
		if o == nil {
			return ""
		}
		return o.Zone() + " " + o.CapacityType()
	}
	must := requirements.Must
	assert.Equal(t, "zone-b on-demand", best(), "equal price, equal zone: the smaller capacity type")
	assert.Equal(t, "zone-b spot", best(must(requirements.LabelCapacityType, requirements.In, "spot")))
	assert.Equal(t, "zone-a on-demand", best(must(corev1.LabelTopologyZone, requirements.NotIn, "zone-b")), "equal price: the smaller zone")
	assert.Equal(t, "zone-b on-demand", best(must("example.com/team", requirements.In, "x")), "a label that offerings do not name")
	assert.Empty(t, best(must(corev1.LabelTopologyZone, requirements.In, "zone-d")))
	assert.Empty(t, best(must(corev1.LabelTopologyZone, requirements.In, "zone-a"), must(requirements.LabelCapacityType, requirements.In, "spot")))
}

// TestCheapestDoesNotDependOnOrder shuffles offerings, prices with ties among them.
func TestCheapestDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var offerings []Offering
		for _, zone := range []string{"zone-a", "zone-b", "zone-c"} {
			for _, capacityType := range []string{"on-demand", "spot"} {
				o := offering(zone, capacityType, float64(rapid.IntRange(1, 3).Draw(t, "price")))
				o.Available = rapid.Bool().Draw(t, "available")
				offerings = append(offerings, o)
			}
		}
		want := machine("a", "amd64", offerings...).Cheapest(nil)
		got := machine("a", "amd64", rapid.Permutation(offerings).Draw(t, "order")...).Cheapest(nil)
		if want == nil || got == nil {
			if want != got {
				t.Fatalf("%v and %v", want, got)
			}
			return
		}
		if got.Zone() != want.Zone() || got.CapacityType() != want.CapacityType() || got.Price != want.Price {
			t.Fatalf("%+v and %+v", want, got)
		}
	})
}

func TestAllocatable(t *testing.T) {
	list := func(amounts ...resources.Amount) resources.Vector { return resources.Vector(amounts) }
	for name, test := range map[string]struct {
		capacity, overhead, want resources.Vector
	}{
		"less overhead": {
			capacity: list(resources.Amount{Name: "cpu", Value: 2000}, resources.Amount{Name: "memory", Value: 100}),
			overhead: list(resources.Amount{Name: "cpu", Value: 70}),
			want:     list(resources.Amount{Name: "cpu", Value: 1930}, resources.Amount{Name: "memory", Value: 100}),
		},
		"huge pages come out of memory": {
			capacity: list(resources.Amount{Name: "hugepages-2Mi", Value: 30}, resources.Amount{Name: "memory", Value: 100}),
			overhead: list(resources.Amount{Name: "memory", Value: 10}),
			want:     list(resources.Amount{Name: "hugepages-2Mi", Value: 30}, resources.Amount{Name: "memory", Value: 60}),
		},
		"not below zero for them": {
			capacity: list(resources.Amount{Name: "hugepages-1Gi", Value: 200}, resources.Amount{Name: "memory", Value: 100}),
			want:     list(resources.Amount{Name: "hugepages-1Gi", Value: 200}),
		},
		"overhead above capacity": {
			capacity: list(resources.Amount{Name: "cpu", Value: 50}),
			overhead: list(resources.Amount{Name: "cpu", Value: 70}),
			want:     list(resources.Amount{Name: "cpu", Value: -20}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			it := &InstanceType{Capacity: test.capacity, Overhead: test.overhead}
			got := it.Allocatable()
			assert.True(t, got.Equal(test.want), "%v, want %v", got, test.want)
		})
	}
}

func TestNearest(t *testing.T) {
	regions := []string{"eu-west-1", "us-east-1", "us-east-2", "us-west-1"}
	for word, want := range map[string]string{
		"us-est-1":  "us-east-1",
		"US-EAST-2": "us-east-2",
		"us-east-3": "us-east-1", // the first of equals
		"eu-wset-1": "eu-west-1",
		"useast1":   "us-east-1",
		"moon":      "",
		"":          "",
	} {
		assert.Equal(t, want, Nearest(word, regions), word)
	}
	assert.Equal(t, "m5.large", Nearest("m5.lrge", []string{"m5.large", "m6.large"}))
	assert.Empty(t, Nearest("x", nil))

	c, err := NewCatalog(Info{}, machine("m5.large", "amd64"), machine("c5.large", "amd64"))
	require.NoError(t, err)
	assert.Equal(t, "c5.large", c.Nearest("c5.larg"))
}

// TestEditDistance compares with the definition, computed without limit.
func TestEditDistance(t *testing.T) {
	var define func(a, b string) int
	define = func(a, b string) int {
		switch {
		case a == "" || b == "":
			return len(a) + len(b)
		case a[0] == b[0]:
			return define(a[1:], b[1:])
		}
		return 1 + min(define(a[1:], b), define(a, b[1:]), define(a[1:], b[1:]))
	}
	word := rapid.StringMatching(`[ab]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		limit := rapid.IntRange(0, 8).Draw(t, "limit")
		if got, want := editDistance(a, b, limit), min(define(a, b), limit); got != want {
			t.Fatalf("distance of %q and %q within %d: %d, want %d", a, b, limit, got, want)
		}
	})
}

func TestSumPrices(t *testing.T) {
	assert.Zero(t, SumPrices(nil))
	tenth := slices.Repeat([]float64{0.1}, 10)
	assert.Equal(t, 1.0, SumPrices(tenth), "where adding floats gives 0.9999999999999999")
	assert.Equal(t, 21.957642+0.096, SumPrices([]float64{21.957642, 0.096}))
	many := slices.Repeat([]float64{MaxPrice - 1e-6}, 1_000_000)
	assert.InDelta(t, 1e12, SumPrices(many), 2)
}

// TestSumPricesDoesNotDependOnOrder sums prices of very different sizes in two orders.
func TestSumPricesDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prices := rapid.SliceOfN(rapid.OneOf(
			rapid.Float64Range(0, 1e-6), rapid.Float64Range(0, 100), rapid.Float64Range(0, MaxPrice-1),
		), 0, 200).Draw(t, "prices")
		want := SumPrices(prices)
		shuffled := slices.Clone(prices)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := SumPrices(shuffled); got != want {
			t.Fatalf("%v and %v", want, got)
		}
		plain := 0.0
		for _, p := range prices {
			plain += p
		}
		if math.Abs(plain-want) > 1e-6+1e-12*plain {
			t.Fatalf("sum %v is far from %v", want, plain)
		}
	})
}

func TestCheckPrice(t *testing.T) {
	for _, price := range []float64{0, 1e-9, 0.096, MaxPrice - 1} {
		assert.NoError(t, CheckPrice(price), price)
	}
	for _, price := range []float64{-1e-9, math.NaN(), math.Inf(1), math.Inf(-1), MaxPrice} {
		assert.ErrorIs(t, CheckPrice(price), ErrPrice, price)
	}
}

func TestBandAndOriginNames(t *testing.T) {
	var bands, origins []string
	for b := InterruptionUnknown; b <= InterruptionOver20+1; b++ {
		bands = append(bands, b.String())
	}
	assert.Equal(t, []string{"", "<5%", "5-10%", "10-15%", "15-20%", ">20%", ">20%"}, bands)
	for o := Measured; o <= Estimated; o++ {
		origins = append(origins, o.String())
	}
	assert.Equal(t, []string{"measured", "derived", "estimated"}, origins)
}
