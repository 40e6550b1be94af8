package replay

import (
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStudent checks intervals against two examples of the literature: vitamin C in
// eight samples of a food (Moore and McCabe, Introduction to the Practice of
// Statistics), and the extra sleep of ten patients under two drugs (Student, 1908),
// as the documentation of R's t.test has it.
func TestStudent(t *testing.T) {
	vitamin := NewEstimate([]float64{26, 31, 23, 22, 11, 22, 14, 31})
	assert.Equal(t, 22.5, vitamin.Mean)
	assert.InDelta(t, 2.54, vitamin.StdErr, 0.005)
	assert.InDelta(t, 16.5, vitamin.Low, 0.05)
	assert.InDelta(t, 28.5, vitamin.High, 0.05)
	assert.Equal(t, 8, vitamin.N)

	first := []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2}
	second := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	d, err := Paired(priced("first", first...), priced("second", second...))
	require.NoError(t, err)
	require.Equal(t, "total_usd", d.Figures[0].Figure)
	assert.InDelta(t, 0.75, d.Figures[0].A, 1e-12)
	assert.InDelta(t, 2.33, d.Figures[0].B, 1e-12)
	sleep := d.Figures[0].Estimate
	assert.InDelta(t, 1.58, sleep.Mean, 1e-12)
	assert.InDelta(t, 0.7001142, sleep.Low, 1e-7)
	assert.InDelta(t, 2.4598858, sleep.High, 1e-7)
	assert.True(t, sleep.Certain())
	assert.False(t, Estimate{Low: -1, High: 1, N: 2}.Certain())
}

// priced are results of seeds 1, 2, ... with the given costs.
func priced(autoscaler string, costs ...float64) []*Result {
	results := make([]*Result, len(costs))
	for i, c := range costs {
		results[i] = &Result{
			Scenario: "sleep", Autoscaler: autoscaler, Seed: uint64(i + 1), Duration: time.Hour, Complete: true, Cost: Cost{TotalUSD: c},
		}
	}
	return results
}

func TestOneSeedHasNoInterval(t *testing.T) {
	s, err := Summarise(priced("a", 5))
	require.NoError(t, err)
	e := s.Figures[0].Estimate
	assert.Equal(t, 5.0, e.Mean)
	assert.True(t, math.IsNaN(e.Low) && math.IsNaN(e.High) && math.IsNaN(e.StdErr))
	assert.False(t, e.Certain())
	text, err := json.Marshal(e)
	require.NoError(t, err)
	assert.Equal(t, `{"mean":5,"stdErr":null,"low":null,"high":null,"n":1}`, string(text))
	var back Estimate
	require.NoError(t, json.Unmarshal(text, &back))
	assert.True(t, math.IsNaN(back.Low))
}

// TestPairedTakesCommonSeeds: seeds that only one has, and replays cut short, do
// not count.
func TestPairedTakesCommonSeeds(t *testing.T) {
	a, b := priced("a", 1, 2, 3, 4), priced("b", 11, 12, 13)
	a[1].Complete = false
	b[2] = nil
	d, err := Paired(a, b)
	require.NoError(t, err)
	assert.Equal(t, []uint64{1}, d.Seeds)
	assert.Equal(t, 10.0, d.Figures[0].Estimate.Mean)
	s, err := Summarise(a)
	require.NoError(t, err)
	assert.Equal(t, []uint64{1, 3, 4}, s.Seeds)
}

func TestStatisticsReject(t *testing.T) {
	other := priced("a", 1)
	other[0].Scenario = "wake"
	long := priced("a", 1)
	long[0].Duration = 2 * time.Hour
	high := priced("a", 1)
	high[0].Seed = 9
	for name, test := range map[string]struct {
		a, b []*Result
		want string
	}{
		"none":               {nil, priced("b", 1), ErrNoResults.Error()},
		"none to compare":    {priced("a", 1), nil, ErrNoResults.Error()},
		"no common seed":     {high, priced("b", 1), "no seed was replayed under both a and b"},
		"two scenarios":      {other, priced("b", 1), `scenarios "wake" and "sleep"`},
		"two durations":      {long, priced("b", 1), "seed 1 was replayed for 2h0m0s and for 1h0m0s"},
		"two kinds in one":   {append(priced("a", 1), priced("b", 1)...), priced("b", 1), "not of one kind"},
		"a seed comes twice": {append(priced("a", 1), priced("a", 1)...), priced("b", 1), "two results of seed 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Paired(test.a, test.b)
			assert.ErrorContains(t, err, test.want)
		})
	}
	_, err := Summarise(nil)
	assert.ErrorIs(t, err, ErrNoResults)
	_, err = Paired(high, priced("b", 1))
	assert.ErrorIs(t, err, ErrNoResults)
}

func TestStatisticsTables(t *testing.T) {
	var a, b []*Result
	for seed := range uint64(5) {
		a = append(a, runFleet(t, "karpenter", seed+1, 6*time.Hour, 0))
		b = append(b, runFleet(t, "cluster-autoscaler", seed+1, 6*time.Hour, 0))
	}
	one, err := Summarise(a)
	require.NoError(t, err)
	two, err := Summarise(b)
	require.NoError(t, err)
	differences, err := Paired(a, b)
	require.NoError(t, err)
	table := rendered(t, func(w io.Writer) error { return WriteSummary(w, one, two) }) + "\n" +
		rendered(t, func(w io.Writer) error { return WriteDifferences(w, differences) })
	checkWidth(t, table)
	golden(t, "seeds.txt", table)

	text := rendered(t, func(w io.Writer) error {
		return WriteStatisticsJSON(w, []*Summary{one, two}, []*Differences{differences})
	})
	var document struct {
		Schema      string
		Summaries   []*Summary
		Differences []*Differences
	}
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	assert.Equal(t, StatisticsSchema, document.Schema)
	assert.Equal(t, []*Summary{one, two}, document.Summaries)
	assert.Equal(t, []*Differences{differences}, document.Differences)

	single, err := Paired(a[:1], b[:1])
	require.NoError(t, err)
	assert.Contains(t, rendered(t, func(w io.Writer) error { return WriteDifferences(w, single) }), "one seed")
	for _, x := range []*Summary{one, two} {
		x.Autoscaler = strings.Repeat("name", 20)
		for i := range x.Figures {
			x.Figures[i].Estimate.Mean *= 1e5
		}
	}
	differences.A, differences.B = one.Autoscaler, two.Autoscaler
	for i := range differences.Figures {
		f := &differences.Figures[i]
		f.A *= 1e5
		f.Estimate.Mean, f.Estimate.Low, f.Estimate.High = 1e4*f.Estimate.Mean, 1e4*f.Estimate.Low, 1e4*f.Estimate.High
	}
	checkWidth(t, rendered(t, func(w io.Writer) error { return WriteSummary(w, one, two, one) })+
		rendered(t, func(w io.Writer) error { return WriteDifferences(w, differences) }))
}

func TestFiguresHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range figures {
		assert.False(t, seen[f.name], f.name)
		seen[f.name] = true
		assert.NotEmpty(t, f.label)
	}
	assert.Len(t, figures, 31)
}
