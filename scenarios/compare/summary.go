package compare

import (
	"bufio"
	"fmt"
	"io"

	"github.com/binwright/binwright/pricing"
	"github.com/binwright/binwright/scenarios/internal/report"
)

// WriteSummary writes what a month costs with each engine in every scenario, if
// there are several, and how the figures of the tables are to be read.
func WriteSummary(w io.Writer, comparisons []*Comparison) error {
	out := bufio.NewWriter(w)
	if len(comparisons) > 1 {
		writeMonths(out, comparisons)
	}
	if len(comparisons) > 0 {
		out.WriteByte('\n')
		report.Wrapped(out, "", fmt.Sprintf("NODES are launched, EXISTING ones are there already and take pods. "+
			"Cost is that of the launched nodes, a month being %d hours. CPU and MEMORY are what is requested of what is "+
			"allocatable on launched nodes, daemon pods included. DECIDED IN is the median time of one decision (%s), without reading "+
			"the scenario. VERIFIED: the referee found no rule broken and no pod lost.", pricing.HoursPerMonth, report.Count(runs(comparisons), "run")))
	}
	return out.Flush()
}

func runs(comparisons []*Comparison) int {
	for _, c := range comparisons {
		for _, r := range c.Results {
			return r.Runs
		}
	}
	return 0
}

func writeMonths(out *bufio.Writer, comparisons []*Comparison) {
	header := []string{"$/MONTH"}
	for _, r := range comparisons[0].Results {
		header = append(header, report.Shorten(r.Engine, longestName))
	}
	rows := [][]string{header}
	for _, c := range comparisons {
		row := []string{report.Shorten(c.Scenario.Name, 40)}
		for i := range c.Results {
			row = append(row, c.Results[i].month())
		}
		rows = append(rows, row)
	}
	out.WriteByte('\n')
	report.Aligned(out, "", rows)
}

// month is the monthly cost, marked where it does not cover every pod.
func (r *Result) month() string {
	switch {
	case r.Error != "":
		return "-"
	case r.PodsLeft > 0:
		return fmt.Sprintf("%s (%s left)", report.Money(r.MonthlyUSD), report.Count(r.PodsLeft, "pod"))
	default:
		return report.Money(r.MonthlyUSD)
	}
}
