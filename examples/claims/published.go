package main

import (
	"bufio"
	"fmt"

	"github.com/binwright/binwright/scenarios/replay"
)

// published are figures of one source, beside what is found here.
type published struct {
	title, source string
	figures       []reproduction
	tables        []table
	assumed       string
	says          string // what explains the difference, with figures found by replay
}

// reproduction is one published number beside the one found.
type reproduction struct {
	what string
	// low and high are as published, equal if it is one number.
	low, high float64
	found     replay.Estimate
	form      func(float64) string
	// tolerance is relative.
	tolerance float64
}

// outcome compares what is found, with its interval if it has one, with the published range
// widened by the tolerance: the two meet or do not.
func (r *reproduction) outcome() string {
	from, to := r.found.Mean, r.found.Mean
	if r.found.N > 1 {
		from, to = r.found.Low, r.found.High
	}
	switch {
	case to < r.low*(1-r.tolerance):
		return "contradicted: less is found"
	case from > r.high*(1+r.tolerance):
		return "contradicted: more is found"
	}
	return "reproduced"
}

func (r *reproduction) published() string {
	if r.low == r.high {
		return r.form(r.low)
	}
	return r.form(r.low) + " to " + r.form(r.high)
}

func (p *page) writePublished(out *bufio.Writer) {
	fmt.Fprintf(out, "# Published figures, reproduced or contradicted\n\n")
	paragraph(out, "A figure is reproduced if the interval found here meets the published range, widened by the tolerance. "+
		"Published figures rarely say all of their settings: what was assumed is told, and what would have to be so for the figure to come out is found by replay.")
	for i := range p.published {
		f := &p.published[i]
		fmt.Fprintf(out, "## %s\n\n", f.title)
		paragraph(out, "Source: "+f.source+".")
		fmt.Fprintf(out, "| figure | published | found | tolerance | |\n|---|---|---|---|---|\n")
		for j := range f.figures {
			r := &f.figures[j]
			fmt.Fprintf(out, "| %s | %s | %s | %s | **%s** |\n", r.what, r.published(), interval(r.found, r.form), percent(r.tolerance), r.outcome())
		}
		fmt.Fprintln(out)
		for j := range f.tables {
			f.tables[j].write(out)
		}
		paragraph(out, "Assumed: "+f.assumed)
		paragraph(out, f.says)
	}
}

// single is a figure that does not depend on the seed.
func single(x float64) replay.Estimate { return replay.NewEstimate([]float64{x}) }
