package replay

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/binwright/binwright/scenarios/internal/report"
)

// WriteSummary writes summaries for people, those of one scenario beside each
// other: the mean of each headline figure over seeds and, behind the sign, half
// the width of its interval of 95%. Lines are at most [Width] columns long.
func WriteSummary(w io.Writer, summaries ...*Summary) error {
	out := bufio.NewWriter(w)
	writeAbreast(out, summaries, func(s *Summary) string { return s.Scenario }, writeSummaries)
	return out.Flush()
}

func writeSummaries(out *bufio.Writer, summaries []*Summary) {
	report.Wrapped(out, "", summaries[0].Scenario+": means over seeds, with 95% confidence")
	out.WriteByte('\n')
	header, seeds := []string{"FIGURE"}, []string{""}
	for _, s := range summaries {
		header = append(header, report.Shorten(s.Autoscaler, longestName))
		seeds = append(seeds, report.Count(len(s.Seeds), "seed"))
	}
	report.Aligned(out, margin, sectionRows([][]string{header, seeds}, func(f *figure) []string {
		var cells []string
		something := false
		for _, s := range summaries {
			e := estimateOf(s.Figures, f.name)
			something = something || e.Mean != 0
			cells = append(cells, e.text(f.form))
		}
		if f.optional && !something {
			return nil
		}
		return cells
	}))
}

// sectionRows are the header's rows and the cells of each figure that has some, a blank
// line between sections.
func sectionRows(rows [][]string, cells func(*figure) []string) [][]string {
	for i, section := range sections {
		if i > 0 {
			rows = append(rows, nil)
		}
		for j := range section {
			if c := cells(&section[j]); c != nil {
				rows = append(rows, append([]string{section[j].label}, c...))
			}
		}
	}
	return rows
}

// text is the mean and half the width of its interval.
func (e Estimate) text(form func(float64) string) string {
	if e.N < 2 {
		return form(e.Mean)
	}
	return form(e.Mean) + " ± " + form((e.High-e.Low)/2)
}

func estimateOf(figures []FigureEstimate, name string) Estimate {
	i := slices.IndexFunc(figures, func(f FigureEstimate) bool { return f.Figure == name })
	if i < 0 {
		return Estimate{}
	}
	return figures[i].Estimate
}

// WriteDifferences writes for people by how much two autoscalers differ on the
// same seeds: the mean of each headline figure, that of the differences with its
// interval of 95%, whether the interval lies on one side of zero, and the conclusion.
// Lines are at most [Width] columns long, as long as no figure reaches a billion.
func WriteDifferences(w io.Writer, d *Differences) error {
	out := bufio.NewWriter(w)
	a, b := report.Shorten(d.A, longestName-6), report.Shorten(d.B, longestName-6)
	report.Wrapped(out, "", fmt.Sprintf("%s: %s against %s on the same %s, with 95%% confidence",
		d.Scenario, d.B, d.A, report.Count(len(d.Seeds), "seed")))
	out.WriteByte('\n')
	header := [][]string{{"FIGURE", a, b, "DIFFERENCE", "FROM", "TO", ""}}
	report.Aligned(out, margin, sectionRows(header, func(f *figure) []string {
		i := slices.IndexFunc(d.Figures, func(x Difference) bool { return x.Figure == f.name })
		if i < 0 {
			return nil
		}
		x := &d.Figures[i]
		if f.optional && x.A == 0 && x.B == 0 {
			return nil
		}
		return append([]string{f.form(x.A), f.form(x.B), signed(x.Estimate.Mean, f.form)}, x.Estimate.interval(f.form)...)
	}))
	out.WriteByte('\n')
	report.Wrapped(out, margin, d.Conclusion())
	return out.Flush()
}

// interval is from, to, and what it says.
func (e Estimate) interval(form func(float64) string) []string {
	switch {
	case e.N < 2:
		return []string{"-", "-", "one seed"}
	case e.Low == 0 && e.High == 0:
		return []string{form(0), form(0), "the same"}
	case e.Certain():
		return []string{signed(e.Low, form), signed(e.High, form), map[bool]string{true: "more", false: "less"}[e.Mean > 0]}
	}
	return []string{signed(e.Low, form), signed(e.High, form), "unclear"}
}

func signed(x float64, form func(float64) string) string {
	if x > 0 {
		return "+" + form(x)
	}
	return form(x)
}
