package compare

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Schema names the form of what [WriteJSON] writes. Fields may be added under
// the same name; it changes if one changes its meaning or goes.
const Schema = "binwright.dev/comparison/v1"

// WriteJSON writes comparisons as one JSON document: {"schema": ..., "comparisons": [...]}
// with the fields of [Comparison]. Amounts of CPU are in milli-CPU, memory in bytes,
// cost in US dollars, times in seconds.
func WriteJSON(w io.Writer, comparisons []*Comparison) error {
	if comparisons == nil {
		comparisons = []*Comparison{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Schema      string        `json:"schema"`
		Comparisons []*Comparison `json:"comparisons"`
	}{Schema, comparisons})
}

// csvColumn is one column of WriteCSV.
type csvColumn struct {
	name  string
	value func(*Comparison, *Result) string
}

// csvColumns is the schema of WriteCSV: columns are only ever added at the end.
var csvColumns = []csvColumn{
	{"scenario", func(c *Comparison, _ *Result) string { return c.Scenario.Name }},
	{"region", func(c *Comparison, _ *Result) string { return c.Scenario.Region }},
	{"engine", func(_ *Comparison, r *Result) string { return r.Engine }},
	{"error", func(_ *Comparison, r *Result) string { return r.Error }},
	{"pods", func(c *Comparison, _ *Result) string { return strconv.Itoa(c.Scenario.Pods) }},
	{"pods_placed", func(_ *Comparison, r *Result) string { return strconv.Itoa(r.PodsPlaced) }},
	{"pods_left", func(_ *Comparison, r *Result) string { return strconv.Itoa(r.PodsLeft) }},
	{"nodes", func(_ *Comparison, r *Result) string { return strconv.Itoa(r.Nodes) }},
	{"existing_nodes_used", func(_ *Comparison, r *Result) string { return strconv.Itoa(r.ExistingNodesUsed) }},
	{"spot_nodes", func(_ *Comparison, r *Result) string { return strconv.Itoa(r.SpotNodes) }},
	{"usd_per_hour", func(_ *Comparison, r *Result) string { return fixed(r.HourlyUSD, 6) }},
	{"usd_per_month", func(_ *Comparison, r *Result) string { return fixed(r.MonthlyUSD, 2) }},
	{"list_usd_per_hour", func(_ *Comparison, r *Result) string { return fixed(r.ListHourlyUSD, 6) }},
	{"cpu_requested_milli", func(_ *Comparison, r *Result) string { return decimal(r.CPU.Requested) }},
	{"cpu_allocatable_milli", func(_ *Comparison, r *Result) string { return decimal(r.CPU.Allocatable) }},
	{"memory_requested_bytes", func(_ *Comparison, r *Result) string { return decimal(r.Memory.Requested) }},
	{"memory_allocatable_bytes", func(_ *Comparison, r *Result) string { return decimal(r.Memory.Allocatable) }},
	{"overcommitted_nodes", func(_ *Comparison, r *Result) string { return strconv.Itoa(r.Overcommitted) }},
	{"decision_seconds", func(_ *Comparison, r *Result) string { return fixed(r.DecisionSeconds, 6) }},
	{"setup_seconds", func(_ *Comparison, r *Result) string { return fixed(r.SetupSeconds, 6) }},
	{"runs", func(_ *Comparison, r *Result) string { return strconv.Itoa(r.Runs) }},
	{"verified", func(_ *Comparison, r *Result) string { return strconv.FormatBool(r.Verified) }},
	{"problems", func(_ *Comparison, r *Result) string { return strings.Join(r.Problems, "; ") }},
	{"deviations", func(_ *Comparison, r *Result) string { return strings.Join(r.Deviations, "; ") }},
	{"instance_types", func(_ *Comparison, r *Result) string { return mixField(r.InstanceTypes) }},
}

// WriteCSV writes a header and one row for each engine of each comparison. Units
// are in the column names; instance_types is "count type capacity-type" joined
// by "; ".
func WriteCSV(w io.Writer, comparisons []*Comparison) error {
	out := csv.NewWriter(w)
	row := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		row[i] = c.name
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, c := range comparisons {
		for i := range c.Results {
			for j, column := range csvColumns {
				row[j] = column.value(c, &c.Results[i])
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func mixField(mix []InstanceCount) string {
	parts := make([]string, len(mix))
	for i, m := range mix {
		parts[i] = strings.TrimSpace(fmt.Sprintf("%d %s %s", m.Nodes, m.InstanceType, m.CapacityType))
	}
	return strings.Join(parts, "; ")
}

func fixed(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
