package replay

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
)

// Schemas name the forms of what [WriteJSON] and [WriteStatisticsJSON] write.
// Fields may be added under the same name; it changes if one changes its meaning
// or goes.
const (
	Schema           = "binwright.dev/replay/v1"
	StatisticsSchema = "binwright.dev/replay-statistics/v1"
)

// WriteJSON writes results as one JSON document: {"schema": ..., "results": [...]}
// with the fields of [Result].
func WriteJSON(w io.Writer, results ...*Result) error {
	return writeDocument(w, struct {
		Schema  string    `json:"schema"`
		Results []*Result `json:"results"`
	}{Schema, notNil(results)})
}

// WriteStatisticsJSON writes summaries and differences, either of which may be
// missing, as one JSON document: {"schema": ..., "summaries": [...], "differences": [...]}.
func WriteStatisticsJSON(w io.Writer, summaries []*Summary, differences []*Differences) error {
	return writeDocument(w, struct {
		Schema      string         `json:"schema"`
		Summaries   []*Summary     `json:"summaries"`
		Differences []*Differences `json:"differences"`
	}{StatisticsSchema, notNil(summaries), notNil(differences)})
}

func writeDocument(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// WriteCSV writes a header and a row for each result: scenario, autoscaler, seed,
// duration and whether it is complete, then the headline figures with their units
// in their names. Evictions and failures by reason come last, each as "count
// reason" joined by "; ". Columns are only ever added.
func WriteCSV(w io.Writer, results ...*Result) error {
	out := csv.NewWriter(w)
	header := []string{"scenario", "autoscaler", "seed", "duration_seconds", "complete"}
	for i := range figures {
		header = append(header, figures[i].name)
	}
	if err := out.Write(append(header, "pods_evicted_by", "launch_failures_by")); err != nil {
		return err
	}
	for _, r := range results {
		row := []string{
			r.Scenario, r.Autoscaler, strconv.FormatUint(r.Seed, 10), decimal(r.Duration.Seconds()), strconv.FormatBool(r.Complete),
		}
		for i := range figures {
			row = append(row, decimal(figures[i].value(r)))
		}
		if err := out.Write(append(row, reasonField(r.Pods.EvictedBy), reasonField(r.Nodes.LaunchFailures))); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// seriesColumns are the columns of WriteSeriesCSV after the three that name the result.
var seriesColumns = []struct {
	name  string
	value func(*Sample) float64
}{
	{"at_seconds", func(s *Sample) float64 { return s.At.Seconds() }},
	{"pending_pods", func(s *Sample) float64 { return float64(s.PendingPods) }},
	{"running_pods", func(s *Sample) float64 { return float64(s.RunningPods) }},
	{"launching_nodes", func(s *Sample) float64 { return float64(s.LaunchingNodes) }},
	{"ready_nodes", func(s *Sample) float64 { return float64(s.ReadyNodes) }},
	{"leaving_nodes", func(s *Sample) float64 { return float64(s.LeavingNodes) }},
	{"usd_per_hour", func(s *Sample) float64 { return s.HourlyUSD }},
	{"cost_usd", func(s *Sample) float64 { return s.CostUSD }},
	{"cpu_requested_milli", func(s *Sample) float64 { return float64(s.RequestedMilliCPU) }},
	{"cpu_allocatable_milli", func(s *Sample) float64 { return float64(s.AllocatableMilliCPU) }},
	{"memory_requested_bytes", func(s *Sample) float64 { return float64(s.RequestedMemoryBytes) }},
	{"memory_allocatable_bytes", func(s *Sample) float64 { return float64(s.AllocatableMemoryBytes) }},
}

// WriteSeriesCSV writes a header and a row for each sample of each result.
func WriteSeriesCSV(w io.Writer, results ...*Result) error {
	out := csv.NewWriter(w)
	row := []string{"scenario", "autoscaler", "seed"}
	for _, c := range seriesColumns {
		row = append(row, c.name)
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, r := range results {
		row[0], row[1], row[2] = r.Scenario, r.Autoscaler, strconv.FormatUint(r.Seed, 10)
		for i := range r.Series {
			for j, c := range seriesColumns {
				row[3+j] = decimal(c.value(&r.Series[i]))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// decimal writes a number without an exponent, to a billionth.
func decimal(x float64) string {
	s := strconv.FormatFloat(x, 'f', 9, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func reasonField(counts []ReasonCount) string {
	parts := make([]string, len(counts))
	for i, c := range counts {
		parts[i] = strconv.Itoa(c.Count) + " " + c.Reason
	}
	return strings.Join(parts, "; ")
}
