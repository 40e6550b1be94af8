package replay

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/binwright/binwright/scenarios/internal/report"
)

const (
	// Width is the number of columns that the tables of this package keep within.
	Width = report.Width

	margin = "  "
	// abreast is how many results a table has side by side.
	abreast = 3
	// longestName is what is shown of an autoscaler's name or an instance type's.
	longestName = 24
	// breakdownRows is how many names a breakdown has before the others come together.
	breakdownRows = 6
)

// WriteTable writes results for people, those of one scenario beside each other:
// the headline figures, a column for each autoscaler, then what nodes cost by
// instance type and capacity type, what was decided why, and what was assumed. Of two
// results a column says by how much the second differs from the first, and at the
// end comes their [Conclusion]. Lines are at most [Width] columns long.
func WriteTable(w io.Writer, results ...*Result) error {
	out := bufio.NewWriter(w)
	writeAbreast(out, results, func(r *Result) string { return r.Scenario }, writeResults)
	return out.Flush()
}

// writeAbreast writes what is of one scenario together, as much as a table holds.
func writeAbreast[T any](out *bufio.Writer, all []T, scenario func(T) string, write func(*bufio.Writer, []T)) {
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && end-i < abreast && scenario(all[end]) == scenario(all[i]) {
			end++
		}
		if i > 0 {
			out.WriteByte('\n')
		}
		write(out, all[i:end])
		i = end
	}
}

// writeResults writes the table of results of one scenario.
func writeResults(out *bufio.Writer, results []*Result) {
	report.Wrapped(out, "", heading(results))
	for _, r := range results {
		if !r.Complete {
			report.Wrapped(out, margin, fmt.Sprintf("%s with seed %d was stopped after %s: its figures are of that time.",
				r.Autoscaler, r.Seed, report.Elapsed(r.Duration.Seconds())))
		}
	}
	if len(results) == 2 {
		report.Wrapped(out, margin, fmt.Sprintf("DIFFERENCE is how far %s is above (+) or below (-) %s.",
			columnName(results[1], results), columnName(results[0], results)))
	}
	out.WriteByte('\n')
	report.Aligned(out, margin, headlines(results))
	writeBreakdown(out, "INSTANCE TYPE", results, func(r *Result) []Share { return r.Cost.ByType })
	writeBreakdown(out, "CAPACITY TYPE", results, func(r *Result) []Share { return r.Cost.ByCapacityType })
	if rows := decisions(results); rows != nil {
		out.WriteByte('\n')
		report.Aligned(out, margin, rows)
	}
	writeAssumptions(out, results)
	if s := Conclusion(results...); s != "" {
		out.WriteByte('\n')
		report.Wrapped(out, margin, s)
	}
}

func heading(results []*Result) string {
	first := results[0]
	s := fmt.Sprintf("%s over %s of virtual time", first.Scenario, report.Elapsed(first.Duration.Seconds()))
	if slices.ContainsFunc(results, func(r *Result) bool { return r.Seed != first.Seed || r.Duration != first.Duration }) {
		return first.Scenario
	}
	return s + fmt.Sprintf(", seed %d", first.Seed)
}

// columnName tells results apart: by seed or time too where they differ in it.
func columnName(r *Result, results []*Result) string {
	name := report.Shorten(r.Autoscaler, longestName)
	for _, other := range results {
		if other != r && other.Autoscaler == r.Autoscaler {
			suffix := fmt.Sprintf(" #%d", r.Seed)
			return report.Shorten(r.Autoscaler, longestName-len(suffix)) + suffix
		}
	}
	return name
}

// headlines are the rows of figures that some result has.
func headlines(results []*Result) [][]string {
	header := []string{"FIGURE"}
	for _, r := range results {
		header = append(header, columnName(r, results))
	}
	if len(results) == 2 {
		header = append(header, "DIFFERENCE")
	}
	rows := [][]string{header}
	row := func(label string, trifle float64, value func(*Result) float64, form func(float64) string) {
		cells := []string{label}
		values := make([]float64, len(results))
		for i, r := range results {
			values[i] = value(r)
			cells = append(cells, form(values[i]))
		}
		if len(results) == 2 && (values[0] == values[1] || max(values[0], values[1]) >= trifle) {
			cells = append(cells, relative(values[0], values[1]))
		}
		rows = append(rows, cells)
	}
	for i, section := range sections {
		if i > 0 {
			rows = append(rows, nil)
		}
		for _, f := range section {
			if f.optional && !slices.ContainsFunc(results, func(r *Result) bool { return f.value(r) != 0 }) {
				continue
			}
			row(f.label, f.trifle, f.value, f.form)
			if f.reasons == nil {
				continue
			}
			for _, reason := range reasonsOf(results, f.reasons) {
				row("  "+report.Shorten(reason, 36), 0, func(r *Result) float64 { return float64(countOf(f.reasons(r), reason)) }, report.Number)
			}
		}
	}
	return rows
}

// relative is how much b is above or below a.
func relative(a, b float64) string {
	switch {
	case a == b:
		return "="
	case a == 0:
		return ""
	}
	share := b/a - 1
	switch {
	case math.Abs(share) < 0.0005:
		return "0.0%"
	case share >= 10:
		return "x" + report.Number(b/a)
	}
	return fmt.Sprintf("%+.1f%%", share*100)
}

// reasonsOf lists the reasons of all results, the most frequent first.
func reasonsOf(results []*Result, of func(*Result) []ReasonCount) []string {
	counts := map[string]int{}
	for _, r := range results {
		for _, c := range of(r) {
			counts[c.Reason] += c.Count
		}
	}
	var reasons []string
	for _, c := range byReason(counts) {
		reasons = append(reasons, c.Reason)
	}
	return reasons
}

func countOf(counts []ReasonCount, reason string) int {
	for _, c := range counts {
		if c.Reason == reason {
			return c.Count
		}
	}
	return 0
}

// writeBreakdown writes one split of the bill, each result on its own if they are
// too wide beside each other.
func writeBreakdown(out *bufio.Writer, title string, results []*Result, of func(*Result) []Share) {
	rows := breakdown(title, results, of)
	if rows == nil {
		return
	}
	if width(rows) > Width-len(margin) && len(results) > 1 {
		for _, r := range results {
			writeBreakdown(out, title, []*Result{r}, of)
		}
		return
	}
	out.WriteByte('\n')
	report.Aligned(out, margin, rows)
}

// width is how many columns aligned rows take.
func width(rows [][]string) int {
	total := -2
	for i := range rows[0] {
		widest := 0
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(row[i]))
		}
		total += widest + 2
	}
	return total
}

// breakdown are the rows of one split of the bill: a block of nodes, node-hours
// and dollars for each result, the names that cost most in all results first.
func breakdown(title string, results []*Result, of func(*Result) []Share) [][]string {
	names := namesOf(results, of)
	if len(names) == 0 {
		return nil
	}
	rows := [][]string{{title}, {""}}
	var has []func(name string) bool
	line := func(label string, of func(name string) bool) {
		rows, has = append(rows, []string{label}), append(has, of)
	}
	shown := names
	if len(names) > breakdownRows {
		shown = names[:breakdownRows-1]
	}
	for _, name := range shown {
		label := report.Shorten(name, longestName)
		if name == "" {
			label = "unknown"
		}
		line(label, func(n string) bool { return n == name })
	}
	if others := names[len(shown):]; len(others) > 0 {
		line(report.Count(len(others), "other"), func(n string) bool { return slices.Contains(others, n) })
	}
	for _, r := range results {
		rows[0] = append(rows[0], columnName(r, results))
		for i, cell := range block(of(r), has) {
			rows[1+i] = append(rows[1+i], cell)
		}
	}
	return rows
}

// block is a column of three figures: their units, then a line for each of the
// sets of names.
func block(shares []Share, has []func(name string) bool) []string {
	cells := [][3]string{{"nodes", "node-hours", "$"}}
	for _, in := range has {
		var sum Share
		for _, s := range shares {
			if in(s.Name) {
				sum.Nodes, sum.NodeHours, sum.USD = sum.Nodes+s.Nodes, sum.NodeHours+s.NodeHours, sum.USD+s.USD
			}
		}
		if sum.Nodes == 0 {
			cells = append(cells, [3]string{"-", "-", "-"})
			continue
		}
		cells = append(cells, [3]string{report.Whole(sum.Nodes), report.Number(sum.NodeHours), report.Money(sum.USD)})
	}
	widths := [3]int{7, 10, 8}
	for _, c := range cells {
		for i := range c {
			widths[i] = max(widths[i], len(c[i]))
		}
	}
	lines := make([]string, len(cells))
	for i, c := range cells {
		lines[i] = fmt.Sprintf("%*s %*s %*s", widths[0], c[0], widths[1], c[1], widths[2], c[2])
	}
	return lines
}

// namesOf lists the names of a split in all results, the largest sum first.
func namesOf(results []*Result, of func(*Result) []Share) []string {
	sums := map[string]amount{}
	for _, r := range results {
		for _, s := range of(r) {
			sum := sums[s.Name]
			sum.add(s.USD)
			sums[s.Name] = sum
		}
	}
	names := make([]string, 0, len(sums))
	for name := range sums {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(-cmp.Compare(sums[a].usd(), sums[b].usd()), cmp.Compare(a, b))
	})
	return names
}

// decisions are the rows of what was decided most, and why.
func decisions(results []*Result) [][]string {
	of := func(r *Result) []ReasonCount {
		counts := make([]ReasonCount, len(r.Decisions))
		for i, d := range r.Decisions {
			counts[i] = ReasonCount{d.text(), d.Count}
		}
		return counts
	}
	reasons := reasonsOf(results, of)
	if len(reasons) == 0 {
		return nil
	}
	header := []string{"DECISION"}
	width := Width - len(margin)
	for _, r := range results {
		name := columnName(r, results)
		header = append(header, name)
		width -= utf8.RuneCountInString(name) + 2
	}
	rows := [][]string{header}
	const shown = 2 * breakdownRows
	for _, reason := range reasons[:min(shown, len(reasons))] {
		cells := []string{report.Shorten(reason, width)}
		for _, r := range results {
			cells = append(cells, report.Whole(countOf(of(r), reason)))
		}
		rows = append(rows, cells)
	}
	if more := len(reasons) - shown; more > 0 {
		rows = append(rows, []string{"and " + report.Count(more, "more kind")})
	}
	return rows
}

// text is the decision as a line of a table names it.
func (d *DecisionCount) text() string {
	if d.Reason == "" {
		return d.Kind
	}
	return d.Kind + ": " + d.Reason
}

// writeAssumptions writes each assumption once, with those who make it if not all do.
func writeAssumptions(out *bufio.Writer, results []*Result) {
	var lines []string
	by := map[string][]string{}
	for _, r := range results {
		for _, a := range r.Assumptions {
			if by[a] == nil {
				lines = append(lines, a)
			}
			by[a] = append(by[a], columnName(r, results))
		}
	}
	if len(lines) == 0 {
		return
	}
	out.WriteString("\n" + margin + "ASSUMED\n")
	for _, a := range lines {
		text := a
		if len(by[a]) < len(results) {
			text = strings.Join(by[a], ", ") + ": " + a
		}
		report.Wrapped(out, margin, text)
	}
}
