package compare

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/binwright/binwright/scenarios/internal/report"
)

// Width is the number of columns that [WriteTable] keeps within.
const Width = report.Width

// margin is what everything below a scenario's heading is indented by.
const margin = "  "

// WriteTable writes one comparison for people: what was compared, a row for each
// engine, the mix of instance types, what went wrong, and the conclusion. Lines
// are at most [Width] columns long.
func WriteTable(w io.Writer, c *Comparison) error {
	out := bufio.NewWriter(w)
	writeHeading(out, &c.Scenario)
	writeRows(out, c.Results)
	writeMixes(out, c.Results)
	for i := range c.Results {
		writeNotes(out, &c.Results[i])
	}
	if c.Conclusion != "" {
		out.WriteByte('\n')
		report.Wrapped(out, margin, c.Conclusion)
	}
	return out.Flush()
}

func writeHeading(out *bufio.Writer, s *Subject) {
	heading := s.Name
	if s.Description != "" {
		heading += ": " + s.Description
	}
	report.Wrapped(out, "", heading)
	facts := []string{
		report.Count(s.Pods, "pod"), report.Count(s.ExistingNodes, "existing node"), report.Count(s.DaemonSets, "daemon set"),
		report.Count(s.NodePools, "node pool"), report.Count(s.NodeGroups, "node group"),
	}
	if s.InstanceTypes > 0 {
		facts = append(facts, strings.TrimSpace(fmt.Sprintf("%s of %s %s", report.Count(s.InstanceTypes, "instance type"), s.Provider, s.Region)))
	}
	report.Wrapped(out, margin, strings.Join(facts, ", "))
	const shown = 5
	for i, warning := range s.Warnings {
		if i == shown {
			report.Wrapped(out, margin, fmt.Sprintf("and %s more", report.Count(len(s.Warnings)-shown, "warning")))
			break
		}
		report.Wrapped(out, margin, "warning: "+warning)
	}
}

var columns = []string{"ENGINE", "NODES", "EXISTING", "PLACED", "LEFT", "$/H", "$/MONTH", "CPU", "MEMORY", "DECIDED IN", "VERIFIED"}

// writeRows writes the table proper: the first column aligned left, figures right.
func writeRows(out *bufio.Writer, results []Result) {
	rows := [][]string{columns}
	for i := range results {
		rows = append(rows, results[i].cells())
	}
	out.WriteByte('\n')
	report.Aligned(out, margin, rows)
}

const longestName = 24

func (r *Result) cells() []string {
	name := report.Shorten(r.Engine, longestName)
	if r.Error != "" {
		cells := []string{name}
		for range columns[1:] {
			cells = append(cells, "-")
		}
		return cells
	}
	verified := "yes"
	if !r.Verified {
		verified = "NO"
	}
	return []string{
		name, report.Whole(r.Nodes), report.Whole(r.ExistingNodesUsed), report.Whole(r.PodsPlaced), report.Whole(r.PodsLeft),
		report.Money(r.HourlyUSD), report.Money(r.MonthlyUSD), report.Percent(r.CPU.Share()), report.Percent(r.Memory.Share()),
		report.Duration(r.DecisionSeconds), verified,
	}
}

// writeMixes writes what each engine launches, the most frequent types first, as
// many as the line holds.
func writeMixes(out *bufio.Writer, results []Result) {
	width := 0
	for i := range results {
		width = max(width, utf8.RuneCountInString(report.Shorten(results[i].Engine, longestName)))
	}
	out.WriteByte('\n')
	for i := range results {
		r := &results[i]
		if r.Error != "" {
			continue
		}
		name := report.Shorten(r.Engine, longestName)
		label := margin + name + strings.Repeat(" ", width-utf8.RuneCountInString(name)) + "  "
		out.WriteString(label + mixLine(r.InstanceTypes, Width-utf8.RuneCountInString(label)) + "\n")
	}
}

func mixLine(mix []InstanceCount, width int) string {
	if len(mix) == 0 {
		return "launches nothing"
	}
	line := ""
	for i, m := range mix {
		entry := report.Whole(m.Nodes) + " " + m.InstanceType
		if m.CapacityType != "" && m.CapacityType != "on-demand" {
			entry += " " + m.CapacityType
		}
		if i > 0 {
			entry = ", " + entry
		}
		more := " and " + report.Count(len(mix)-i, "more kind")
		reserve := 0
		if i < len(mix)-1 {
			reserve = len(more)
		}
		if utf8.RuneCountInString(line+entry)+reserve > width {
			return report.Shorten(line, width-len(more)) + more
		}
		line += entry
	}
	return line
}

// writeNotes writes what a row cannot hold: errors, violations, pods left, nodes
// that would be over-committed.
func writeNotes(out *bufio.Writer, r *Result) {
	note := func(format string, args ...any) {
		report.Wrapped(out, margin, r.Engine+": "+fmt.Sprintf(format, args...))
	}
	if r.Error != "" {
		note("no plan: %s", r.Error)
	}
	// few notes the first lines of many.
	few := func(lines []string, prefix, noun string) {
		const shown = 3
		for _, line := range lines[:min(shown, len(lines))] {
			note("%s%s", prefix, report.Shorten(line, 300))
		}
		if more := len(lines) - shown; more > 0 {
			note("and %s", report.Count(more, "more "+noun))
		}
	}
	few(r.Problems, "NOT VERIFIED: ", "problem")
	few(r.Deviations, "as the original does: ", "deviation")
	left := make([]string, len(r.Left))
	for i, l := range r.Left {
		left[i] = fmt.Sprintf("leaves %s, %s: %s", report.Count(l.Pods, "pod"), l.Kind, l.Reason)
	}
	few(left, "", "reason")
	if r.Overcommitted > 0 {
		note("%s more than the instance type can give once it has joined: the template promises too much",
			map[bool]string{true: "1 node is given", false: report.Count(r.Overcommitted, "node") + " are given"}[r.Overcommitted == 1])
	}
}
