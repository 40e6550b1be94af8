package pricing

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// offering is on sale in a zone.
func offering(zone, capacityType string, price float64) instancetypes.Offering {
	return instancetypes.Offering{
		Requirements: requirements.NewSet(
			requirements.Must(corev1.LabelTopologyZone, requirements.In, zone),
			requirements.Must(requirements.LabelCapacityType, requirements.In, capacityType),
		),
		Price: price, Available: true,
	}
}

// catalog has m5.large and c5.large in two zones, on demand and as spot, the
// spot price of c5.large being an estimate; and a reserved g5.large.
func catalog(t testing.TB) *instancetypes.Catalog {
	t.Helper()
	estimate := offering("us-east-1b", "spot", 0.03)
	estimate.PriceOrigin = instancetypes.Estimated
	c, err := instancetypes.NewCatalog(instancetypes.Info{Region: "us-east-1", Provenance: []string{"a test"}},
		&instancetypes.InstanceType{Name: "m5.large", Offerings: []instancetypes.Offering{
			offering("us-east-1a", "on-demand", 0.096), offering("us-east-1a", "spot", 0.032),
			offering("us-east-1b", "on-demand", 0.096), offering("us-east-1b", "spot", 0.034),
		}},
		&instancetypes.InstanceType{Name: "c5.large", Offerings: []instancetypes.Offering{
			offering("us-east-1b", "on-demand", 0.085), estimate,
		}},
		&instancetypes.InstanceType{Name: "g5.large", Offerings: []instancetypes.Offering{offering("us-east-1a", "reserved", 0)}},
	)
	require.NoError(t, err)
	return c
}

// prices lists "type zone capacity type" and price.
func prices(c *instancetypes.Catalog) map[string]float64 {
	out := map[string]float64{}
	for _, it := range c.Types() {
		for i := range it.Offerings {
			o := &it.Offerings[i]
			out[it.Name+" "+o.Zone()+" "+o.CapacityType()] = o.Price
		}
	}
	return out
}

func newTable(t testing.TB, rows ...Row) *Table {
	t.Helper()
	table, err := NewTable(rows...)
	require.NoError(t, err)
	return table
}

func TestApply(t *testing.T) {
	list := prices(catalog(t))
	for name, test := range map[string]struct {
		options []Option
		want    map[string]float64 // what differs from the list
	}{
		"nothing": {},
		"30% off on-demand": {
			options: []Option{OnDemandDiscount(0.30)},
			want: map[string]float64{
				"m5.large us-east-1a on-demand": 0.0672, "m5.large us-east-1b on-demand": 0.0672, "c5.large us-east-1b on-demand": 0.0595,
			},
		},
		"5% off spot": {
			options: []Option{SpotDiscount(0.05)},
			want: map[string]float64{
				"m5.large us-east-1a spot": 0.0304, "m5.large us-east-1b spot": 0.0323, "c5.large us-east-1b spot": 0.0285,
			},
		},
		"commitment in place of the discount": {
			options: []Option{OnDemandDiscount(0.30), FixedPrice("c5.large", 0.04)},
			want: map[string]float64{
				"m5.large us-east-1a on-demand": 0.0672, "m5.large us-east-1b on-demand": 0.0672, "c5.large us-east-1b on-demand": 0.04,
			},
		},
		"table before all": {
			options: []Option{SpotDiscount(0.5), FixedPrice("m5.large", 0.05), WithTable(newTable(t,
				Row{InstanceType: "m5.large", Hourly: 0.06},
				Row{InstanceType: "m5.large", CapacityType: "spot", Hourly: 0.02},
				Row{InstanceType: "m5.large", Zone: "us-east-1b", Hourly: 0.07},
				Row{InstanceType: "m5.large", Zone: "us-east-1b", CapacityType: "spot", Hourly: 0.01},
				Row{InstanceType: "g5.large", Hourly: 0.3},
			))},
			want: map[string]float64{
				"m5.large us-east-1a on-demand": 0.06, "m5.large us-east-1a spot": 0.02,
				"m5.large us-east-1b on-demand": 0.07, "m5.large us-east-1b spot": 0.01,
				"c5.large us-east-1b spot": 0.015, "g5.large us-east-1a reserved": 0.3,
			},
		},
		"all for nothing": {
			options: []Option{OnDemandDiscount(1)},
			want: map[string]float64{
				"m5.large us-east-1a on-demand": 0, "m5.large us-east-1b on-demand": 0, "c5.large us-east-1b on-demand": 0,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			book, err := NewBook(test.options...)
			require.NoError(t, err)
			c := catalog(t)
			applied, err := book.Apply(c)
			require.NoError(t, err)
			want := prices(c)
			assert.Equal(t, list, want, "the catalog itself stays")
			for key, price := range test.want {
				require.Contains(t, want, key)
				want[key] = price
			}
			assert.Equal(t, want, prices(applied))
			assert.Equal(t, "prices: "+book.String(), applied.Info().Provenance[1])
			assert.Len(t, c.Info().Provenance, 1)
		})
	}
}

func TestApplySharesWhatDoesNotChange(t *testing.T) {
	c := catalog(t)
	book, err := NewBook(FixedPrice("m5.large", 0.05))
	require.NoError(t, err)
	applied, err := book.Apply(c)
	require.NoError(t, err)
	assert.NotSame(t, c.Types()[0], applied.Types()[0])
	assert.Same(t, c.Types()[1], applied.Types()[1])
	assert.Same(t, c.Types()[2], applied.Types()[2])
}

// TestApplyPriceOrigin: what the user states is known, even at the same figure; a
// share of an estimate is an estimate.
func TestApplyPriceOrigin(t *testing.T) {
	origin := func(options ...Option) instancetypes.Origin {
		book, err := NewBook(options...)
		require.NoError(t, err)
		applied, err := book.Apply(catalog(t))
		require.NoError(t, err)
		return applied.Types()[1].Offerings[1].PriceOrigin
	}
	assert.Equal(t, instancetypes.Estimated, origin())
	assert.Equal(t, instancetypes.Estimated, origin(SpotDiscount(0.1)))
	assert.Equal(t, instancetypes.Measured, origin(WithTable(newTable(t, Row{InstanceType: "c5.large", Hourly: 0.03}))))
}

func TestApplyUnknownType(t *testing.T) {
	book, err := NewBook(FixedPrice("m5.lrge", 1), FixedPrice("q9.nano", 1), FixedPrice("c5.large", 1))
	require.NoError(t, err)
	_, err = book.Apply(catalog(t))
	require.ErrorIs(t, err, ErrUnknownInstanceType)
	assert.EqualError(t, err, "price book: fixed price: unknown instance type \"m5.lrge\", did you mean \"m5.large\"?\n"+
		"fixed price: unknown instance type \"q9.nano\"")
}

func TestUnused(t *testing.T) {
	rows := []Row{
		{InstanceType: "m5.large", CapacityType: "spot", Hourly: 1},
		{InstanceType: "m5.lrge", Hourly: 1},
		{InstanceType: "m5.large", Zone: "us-east-1f", Hourly: 1},
		{InstanceType: "c5.large", Hourly: 1},
		{InstanceType: "c5.large", CapacityType: "reserved", Hourly: 1},
	}
	book, err := NewBook(WithTable(newTable(t, rows...)))
	require.NoError(t, err)
	assert.Equal(t, []Row{rows[1], rows[2], rows[4]}, book.Unused(catalog(t)))
	assert.Empty(t, (&Book{}).Unused(catalog(t)))
}

func TestNewBookRejects(t *testing.T) {
	for name, test := range map[string]struct {
		option Option
		is     error
		want   string
	}{
		"discount above all":   {OnDemandDiscount(1.5), ErrDiscount, "on-demand discount: discount is not a share from 0 to 1: 1.5"},
		"discount in percent":  {OnDemandDiscount(30), ErrDiscount, "30"},
		"negative discount":    {SpotDiscount(-0.1), ErrDiscount, "spot discount"},
		"discount NaN":         {SpotDiscount(math.NaN()), ErrDiscount, "NaN"},
		"negative fixed price": {FixedPrice("m5.large", -1), instancetypes.ErrPrice, "fixed price of m5.large"},
		"fixed price NaN":      {FixedPrice("m5.large", math.NaN()), instancetypes.ErrPrice, "NaN"},
		"infinite fixed price": {FixedPrice("m5.large", math.Inf(1)), instancetypes.ErrPrice, "+Inf"},
		"no type":              {FixedPrice("", 1), nil, "the instance type has no name"},
		"commitment to none":   {WithCommitment(Commitment{"m5.large", 0, 1}), ErrCount, "commitment to m5.large: count is not a number of instances from 1 on: 0"},
		"commitment for less":  {WithCommitment(Commitment{"m5.large", 1, -1}), instancetypes.ErrPrice, "commitment to m5.large"},
		"commitment NaN":       {WithCommitment(Commitment{"m5.large", 1, math.NaN()}), instancetypes.ErrPrice, "NaN"},
		"commitment to riches": {WithCommitment(Commitment{"m5.large", 1 << 40, 1}), instancetypes.ErrPrice, "all 1099511627776 instances"},
		"commitment unnamed":   {WithCommitment(Commitment{"", 1, 1}), nil, "commitment: the instance type has no name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewBook(test.option)
			require.ErrorContains(t, err, test.want)
			if test.is != nil {
				assert.ErrorIs(t, err, test.is)
			}
		})
	}
	_, err := NewBook(OnDemandDiscount(2), SpotDiscount(3))
	assert.ErrorContains(t, err, "on-demand discount")
	assert.ErrorContains(t, err, "spot discount", "all problems at once")
}

func TestNewTableRejects(t *testing.T) {
	_, err := NewTable(
		Row{InstanceType: "a", Hourly: 1}, Row{Hourly: 1}, Row{InstanceType: "b", Hourly: math.Inf(1)}, Row{InstanceType: "a", Hourly: 2},
	)
	assert.EqualError(t, err, "price table: row 1: the instance type has no name\n"+
		"row 2: b: "+instancetypes.ErrPrice.Error()+": +Inf\n"+
		"row 3: a is priced already in row 0")
}

func TestBookString(t *testing.T) {
	book, err := NewBook(OnDemandDiscount(0.3), SpotDiscount(0.055), FixedPrice("a", 1), WithTable(newTable(t, Row{InstanceType: "b"})))
	require.NoError(t, err)
	assert.Equal(t, "on-demand less 30%, spot less 5.5%, 1 fixed by commitment, 1 from the user's table", book.String())
	assert.Equal(t, "as in the catalog", (&Book{}).String())
}

// TestDiscountNeverRaisesAPrice also checks that a discounted price can be sold.
func TestDiscountNeverRaisesAPrice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		book, err := NewBook(OnDemandDiscount(rapid.Float64Range(0, 1).Draw(t, "share")))
		if err != nil {
			t.Fatal(err)
		}
		o := offering("z", "on-demand", rapid.Float64Range(0, instancetypes.MaxPrice-1).Draw(t, "price"))
		got := book.Price("a", &o)
		// Rounding to a billionth may add half of one.
		if instancetypes.CheckPrice(got) != nil || got > o.Price+0.5e-9+o.Price*1e-15 {
			t.Fatalf("%v became %v", o.Price, got)
		}
	})
}
