package replay

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/pricing"
)

// day is a day under two autoscalers.
func day(t testing.TB) []*Result {
	committed := pricing.Commitment{InstanceType: "m6i.2xlarge", Count: 3, HourlyUSD: 0.24}
	return []*Result{
		runFleet(t, "karpenter", 1, 24*time.Hour, 10*time.Minute),
		runFleet(t, "cluster-autoscaler", 1, 24*time.Hour, 10*time.Minute, committed),
	}
}

// rendered is what a writer writes.
func rendered(t testing.TB, write func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, write(&out))
	return out.String()
}

func checkWidth(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), Width, line)
	}
}

func TestTable(t *testing.T) {
	results := day(t)
	results[0].Assumptions = append(results[0].Assumptions, "Consolidation is simulated one candidate at a time.")
	cut := runFleet(t, "karpenter", 1<<63, time.Hour, 0)
	cut.Complete, cut.Scenario = false, "stopped"
	table := rendered(t, func(w io.Writer) error { return WriteTable(w, append(results, cut)...) })
	checkWidth(t, table)
	golden(t, "day.txt", table)
}

// TestWideTable: long names and large numbers stay within the width.
func TestWideTable(t *testing.T) {
	var results []*Result
	for i := range 4 {
		r := runFleet(t, "an-autoscaler-with-a-name-beyond-all-measure", uint64(i), time.Hour, 0)
		r.Scenario = strings.Repeat("a long name ", 20)
		r.Cost.TotalUSD, r.Wait.PendingPodSeconds, r.Nodes.NodeHours = 123456789.12, 1e11, 1e8
		r.Cost.ByType = []Share{{strings.Repeat("x", 60), 12345678, 12345678.9, 123456789.12}, {"", 1, 1, 1}}
		r.Pods.EvictedBy = []ReasonCount{{strings.Repeat("because ", 20), 1234567890}}
		r.Decisions = []DecisionCount{{"launch", strings.Repeat("because ", 20), 1234567890}}
		results = append(results, r)
	}
	table := rendered(t, func(w io.Writer) error { return WriteTable(w, results...) })
	checkWidth(t, table)
	assert.Contains(t, table, "123,456,789.12")
	assert.Contains(t, table, "#2", "results of one autoscaler are told apart by seed")
	assert.Contains(t, table, "unknown", "an empty name")
	assert.Empty(t, rendered(t, func(w io.Writer) error { return WriteTable(w) }))
}

func TestRelative(t *testing.T) {
	for _, test := range []struct {
		a, b float64
		want string
	}{{0, 0, "="}, {2, 2, "="}, {0, 1, ""}, {2, 1, "-50.0%"}, {1, 1.5, "+50.0%"}, {1, 1.0001, "0.0%"}, {1, 2000, "x2,000"}, {1, 0, "-100.0%"}} {
		assert.Equal(t, test.want, relative(test.a, test.b), "from %v to %v", test.a, test.b)
	}
}

func TestJSON(t *testing.T) {
	results := []*Result{runFleet(t, "karpenter", 7, 2*time.Hour, 30*time.Minute), newMeter(0).result()}
	text := rendered(t, func(w io.Writer) error { return WriteJSON(w, results...) })
	golden(t, "hours.json", text)
	assert.NotContains(t, text, "null", "an empty list is []")

	var document struct {
		Schema  string
		Results []*Result
	}
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	assert.Equal(t, Schema, document.Schema)
	results[1].Assumptions, results[1].Series = []string{}, []Sample{}
	assert.Equal(t, results, document.Results, "what is written can be read")
	assert.Equal(t, "{\n  \"schema\": \"binwright.dev/replay/v1\",\n  \"results\": []\n}\n", rendered(t, func(w io.Writer) error { return WriteJSON(w) }))
}

func TestCSV(t *testing.T) {
	results := day(t)
	text := rendered(t, func(w io.Writer) error { return WriteCSV(w, results...) })
	golden(t, "day.csv", text)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)

	series := rendered(t, func(w io.Writer) error { return WriteSeriesCSV(w, results...) })
	rows, err = csv.NewReader(strings.NewReader(series)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+2*(24*6+1))
	assert.Equal(t, []string{"scenario", "autoscaler", "seed", "at_seconds"}, rows[0][:4])
	assert.Equal(t, []string{"day-and-night", "karpenter", "1", "600"}, rows[2][:4])
}

func TestDecimal(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 10: "10", 0.25: "0.25", 1e15: "1000000000000000", 1.0 / 3: "0.333333333", -5: "-5"} {
		assert.Equal(t, want, decimal(x))
	}
}

// elements counts the elements of a well-formed document.
func elements(t *testing.T, text string) map[string]int {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	counts := map[string]int{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok {
			counts[start.Name.Local]++
		}
	}
}

func TestSVG(t *testing.T) {
	results := day(t)
	results[1].Autoscaler = `a "<b>" & c` + "\x00"
	text := rendered(t, func(w io.Writer) error { return WriteSVG(w, results...) })
	assert.Equal(t, len(panels)*len(results), elements(t, text)["path"], "a line for each result in each panel")
	assert.Contains(t, text, "virtual time, hours")
	assert.NotContains(t, text, "NaN")
	assert.NotContains(t, text, "Inf")
	golden(t, "day.svg", rendered(t, func(w io.Writer) error { return WriteSVG(w, day(t)...) }))

	require.ErrorIs(t, WriteSVG(io.Discard), ErrNoSeries)
	require.ErrorIs(t, WriteSVG(io.Discard, newMeter(0).result()), ErrNoSeries)
}

// TestSVGOfLittleOrMuch: one sample of nothing, and more samples than pixels.
func TestSVGOfLittleOrMuch(t *testing.T) {
	little := rendered(t, func(w io.Writer) error { return WriteSVG(w, newMeter(time.Second).result()) })
	elements(t, little)
	assert.NotContains(t, little, "NaN")

	dense := runFleet(t, "karpenter", 1, 24*time.Hour, time.Second)
	text := rendered(t, func(w io.Writer) error { return WriteSVG(w, dense) })
	elements(t, text)
	assert.Less(t, len(text), 3*plotWidth*6*8, "what does not show is left out of 86,401 samples")
}

// TestLegend: a legend too long for a line goes on in the next.
func TestLegend(t *testing.T) {
	var results []*Result
	for i := range 7 {
		results = append(results, &Result{Autoscaler: "cluster-autoscaler", Seed: uint64(i)})
	}
	l := newLegend(results)
	assert.Equal(t, 2, l.lines)
	assert.Equal(t, legendEntry{"cluster-autoscaler #0", plotLeft, 1}, l.entries[0])
	assert.Equal(t, float64(plotLeft), l.entries[4].x)
	assert.Equal(t, 2, l.entries[6].line)
}

// TestSVGShowsTheExtremes: of a column of pixels the smallest and largest value show.
func TestSVGShowsTheExtremes(t *testing.T) {
	r := &Result{Duration: time.Hour}
	for i := range 100_000 {
		r.Series = append(r.Series, Sample{At: time.Duration(i) * time.Hour / 100_000})
	}
	r.Series[54_321].PendingPods = 10
	axis := newTimeAxis(time.Hour)
	path := panels[0].path(r, &axis, func(v float64) float64 { return v })
	assert.Contains(t, path, "V10V0")
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		last  time.Duration
		unit  string
		ticks []float64
	}{
		{0, "seconds", []float64{0, 1}},
		{90 * time.Second, "seconds", []float64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}},
		{24 * time.Hour, "hours", []float64{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24}},
		{7 * 24 * time.Hour, "days", []float64{0, 1, 2, 3, 4, 5, 6, 7}},
		{10_000 * 24 * time.Hour, "days", []float64{0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000}},
	} {
		axis := newTimeAxis(test.last)
		assert.Equal(t, test.unit, axis.unit)
		assert.Equal(t, test.ticks, axis.ticks)
	}
	assert.Equal(t, 0.2, niceStep(0.9, 5))
	assert.Equal(t, 200.0, niceStep(1000, 5))
	assert.Equal(t, 500.0, niceStep(1001, 5))
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWritersReportErrors(t *testing.T) {
	results := []*Result{runFleet(t, "karpenter", 1, time.Hour, time.Minute)}
	summary, err := Summarise(results)
	require.NoError(t, err)
	differences, err := Paired(results, results)
	require.NoError(t, err)
	for name, err := range map[string]error{
		"table": WriteTable(fullDisk{}, results...), "json": WriteJSON(fullDisk{}, results...), "csv": WriteCSV(fullDisk{}, results...),
		"series": WriteSeriesCSV(fullDisk{}, results...), "svg": WriteSVG(fullDisk{}, results...),
		"summary": WriteSummary(fullDisk{}, summary), "differences": WriteDifferences(fullDisk{}, differences),
		"statistics": WriteStatisticsJSON(fullDisk{}, []*Summary{summary}, nil),
	} {
		assert.Error(t, err, name)
	}
}
