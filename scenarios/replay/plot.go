package replay

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/binwright/binwright/scenarios/internal/report"
)

// ErrNoSeries says that results have no samples to plot: they were replayed
// without a step.
var ErrNoSeries = errors.New("no result has a series")

// The plot's measures in pixels.
const (
	plotWidth   = 960
	plotLeft    = 76 // of the panels, where the labels of the axis end
	plotRight   = 24
	plotHead    = 30 // heading
	legendLine  = 20
	panelHeight = 150
	panelGap    = 46
	plotBottom  = 52
)

// panel is one diagram of the plot; all share the axis of time.
type panel struct {
	title string
	value func(*Sample) float64
}

var panels = []panel{
	{"Pending pods", func(s *Sample) float64 { return float64(s.PendingPods) }},
	{"Nodes, launching and leaving ones among them", func(s *Sample) float64 {
		return float64(s.LaunchingNodes + s.ReadyNodes + s.LeavingNodes)
	}},
	{"CPU requested, % of what nodes can give", func(s *Sample) float64 {
		return 100 * float64(s.RequestedMilliCPU) / float64(max(1, s.AllocatableMilliCPU))
	}},
	{"Price paid, $/h", func(s *Sample) float64 { return s.HourlyUSD }},
}

// lineStyles tell results apart by colour, for those who see it, and by dashes.
// The colours are those of Okabe and Ito, which the colour-blind can tell apart.
var lineStyles = []struct{ colour, dashes string }{
	{"#0072b2", ""}, {"#d55e00", "7 3"}, {"#009e73", "2 3"}, {"#cc79a7", "9 3 2 3"}, {"#56b4e9", "4 4"}, {"#000000", "1 2"},
}

// WriteSVG draws pending pods, nodes, the share of CPU that is requested and dollars an
// hour over virtual time, a line for each result, as an SVG picture. A value holds from its
// sample to the next. Where samples are denser than the picture, a line shows the smallest
// and the largest value of each column. Six results have each a line of its own kind. It
// returns [ErrNoSeries] if no result has samples.
func WriteSVG(w io.Writer, results ...*Result) error {
	var last time.Duration
	for _, r := range results {
		if n := len(r.Series); n > 0 {
			last = max(last, r.Duration, r.Series[n-1].At)
		}
	}
	if !slices.ContainsFunc(results, func(r *Result) bool { return len(r.Series) > 0 }) {
		return ErrNoSeries
	}
	legend := newLegend(results)
	top := plotHead + legend.lines*legendLine + panelGap - 12
	height := top + len(panels)*panelHeight + (len(panels)-1)*panelGap + plotBottom
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `+
		`font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12" fill="#222">`+"\n", plotWidth, height)
	fmt.Fprintf(out, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, height)
	writeText(out, plotLeft, 26, "start", `font-size="16" font-weight="bold"`, plotHeading(results))
	legend.write(out)
	axis := newTimeAxis(last)
	for i := range panels {
		panels[i].write(out, top+i*(panelHeight+panelGap), results, &axis)
	}
	writeText(out, (plotLeft+plotWidth-plotRight)/2, float64(height-12), "middle", "", "virtual time, "+axis.unit)
	out.WriteString("</svg>\n")
	return out.Flush()
}

// plotHeading names the scenarios.
func plotHeading(results []*Result) string {
	var names []string
	for _, r := range results {
		if !slices.Contains(names, r.Scenario) {
			names = append(names, r.Scenario)
		}
	}
	return report.Shorten(report.List(names), 90)
}

// legend says which line is whose, in as many lines of text as it takes.
type legend struct {
	entries []legendEntry
	lines   int
}

type legendEntry struct {
	name string
	x    float64
	line int
}

func newLegend(results []*Result) legend {
	const mark, letter, gap = 34, 7.5, 24
	l := legend{lines: 1}
	x := float64(plotLeft)
	for _, r := range results {
		name := columnName(r, results)
		width := mark + letter*float64(utf8.RuneCountInString(name)) + gap
		if x+width > plotWidth && x > plotLeft {
			x = plotLeft
			l.lines++
		}
		l.entries = append(l.entries, legendEntry{name, x, l.lines})
		x += width
	}
	return l
}

func (l *legend) write(out *bufio.Writer) {
	for i, e := range l.entries {
		y := float64(plotHead + e.line*legendLine)
		fmt.Fprintf(out, `<line x1="%s" y1="%s" x2="%s" y2="%[2]s" %[4]s/>`+"\n", pixel(e.x), pixel(y-4), pixel(e.x+28), lineStyle(i))
		writeText(out, e.x+34, y, "start", "", e.name)
	}
}

func lineStyle(i int) string {
	style := lineStyles[i%len(lineStyles)]
	s := fmt.Sprintf(`fill="none" stroke="%s" stroke-width="1.8"`, style.colour)
	if style.dashes != "" {
		s += fmt.Sprintf(` stroke-dasharray="%s"`, style.dashes)
	}
	return s
}

// timeAxis maps virtual time to pixels.
type timeAxis struct {
	unit  string
	per   time.Duration // one unit
	last  time.Duration
	ticks []float64 // in units
}

func newTimeAxis(last time.Duration) timeAxis {
	a := timeAxis{unit: "seconds", per: time.Second, last: max(last, time.Second)}
	for _, u := range []struct {
		unit string
		per  time.Duration
	}{{"minutes", time.Minute}, {"hours", time.Hour}, {"days", 24 * time.Hour}} {
		if a.last >= 3*u.per {
			a.unit, a.per = u.unit, u.per
		}
	}
	a.ticks = ticks(float64(a.last)/float64(a.per), a.steps()...)
	return a
}

// steps are the distances of ticks that suit the unit, as a clock has them.
func (a *timeAxis) steps() []float64 {
	switch a.per {
	case time.Hour:
		return []float64{0.5, 1, 2, 3, 6, 12}
	case 24 * time.Hour:
		return []float64{0.5, 1, 2, 7, 14, 28}
	}
	return []float64{1, 2, 5, 10, 15, 30, 60}
}

func (a *timeAxis) x(at time.Duration) float64 {
	return plotLeft + float64(plotWidth-plotLeft-plotRight)*float64(at)/float64(a.last)
}

// mostTicks is how many ticks an axis has at most, beside the one at zero.
const mostTicks = 13

// ticks are multiples from 0 to the end of the smallest of the given steps that
// leaves few enough, or of 1, 2 or 5 times a power of ten.
func ticks(end float64, steps ...float64) []float64 {
	step := 0.0
	for _, s := range steps {
		if end/s <= mostTicks {
			step = s
			break
		}
	}
	if step == 0 {
		step = niceStep(end, mostTicks)
	}
	var at []float64
	for i := 0; float64(i)*step <= end*(1+1e-9); i++ {
		at = append(at, float64(i)*step)
	}
	return at
}

// niceStep is 1, 2 or 5 times a power of ten, so that at most so many reach the end.
func niceStep(end float64, most int) float64 {
	power := math.Pow(10, math.Floor(math.Log10(end/float64(most))))
	for _, m := range []float64{1, 2, 5} {
		if end/(m*power) <= float64(most) {
			return m * power
		}
	}
	return 10 * power
}

// write draws the panel with its upper edge at top.
func (p *panel) write(out *bufio.Writer, top int, results []*Result, axis *timeAxis) {
	largest := 0.0
	for _, r := range results {
		for i := range r.Series {
			largest = max(largest, p.value(&r.Series[i]))
		}
	}
	if largest == 0 {
		largest = 1
	}
	const mostLines = 5
	step := niceStep(largest, mostLines)
	end := step * math.Ceil(largest/step)
	bottom := float64(top + panelHeight)
	y := func(v float64) float64 { return bottom - panelHeight*v/end }

	writeText(out, plotLeft, float64(top-8), "start", `font-weight="bold"`, p.title)
	for i := 0; float64(i)*step <= end*(1+1e-9); i++ {
		at := y(float64(i) * step)
		fmt.Fprintf(out, `<line x1="%d" y1="%s" x2="%d" y2="%[2]s" stroke="#ddd"/>`+"\n", plotLeft, pixel(at), plotWidth-plotRight)
		writeText(out, plotLeft-8, at+4, "end", "", tickLabel(float64(i)*step))
	}
	for _, t := range axis.ticks {
		x := plotLeft + float64(plotWidth-plotLeft-plotRight)*t*float64(axis.per)/float64(axis.last)
		fmt.Fprintf(out, `<line x1="%s" y1="%s" x2="%[1]s" y2="%s" stroke="#888"/>`+"\n", pixel(x), pixel(bottom), pixel(bottom+4))
		writeText(out, x, bottom+17, "middle", "", tickLabel(t))
	}
	fmt.Fprintf(out, `<line x1="%d" y1="%s" x2="%d" y2="%[2]s" stroke="#888"/>`+"\n", plotLeft, pixel(bottom), plotWidth-plotRight)
	for i, r := range results {
		if len(r.Series) == 0 {
			continue
		}
		fmt.Fprintf(out, `<path %s d="%s"/>`+"\n", lineStyle(i), p.path(r, axis, y))
	}
}

// path draws steps: flat from one sample to the next. Of the samples in one column
// of pixels it keeps the first, the smallest, the largest and the last.
func (p *panel) path(r *Result, axis *timeAxis, y func(float64) float64) string {
	var path strings.Builder
	for i := 0; i < len(r.Series); {
		x := axis.x(r.Series[i].At)
		first := p.value(&r.Series[i])
		low, high, final := first, first, first
		column := math.Floor(x)
		for i++; i < len(r.Series) && math.Floor(axis.x(r.Series[i].At)) == column; i++ {
			final = p.value(&r.Series[i])
			low, high = min(low, final), max(high, final)
		}
		if path.Len() == 0 {
			fmt.Fprintf(&path, "M%s %s", pixel(x), pixel(y(first)))
		} else {
			fmt.Fprintf(&path, "H%sV%s", pixel(x), pixel(y(first)))
		}
		if low != high {
			fmt.Fprintf(&path, "V%sV%sV%s", pixel(y(high)), pixel(y(low)), pixel(y(final)))
		}
	}
	fmt.Fprintf(&path, "H%s", pixel(axis.x(max(r.Duration, r.Series[len(r.Series)-1].At))))
	return path.String()
}

func writeText(out *bufio.Writer, x, y float64, anchor, style, text string) {
	fmt.Fprintf(out, `<text x="%s" y="%s" text-anchor="%s"`, pixel(x), pixel(y), anchor)
	if style != "" {
		out.WriteString(" " + style)
	}
	out.WriteByte('>')
	// Errors of out are kept until it is flushed.
	_ = xml.EscapeText(out, []byte(text))
	out.WriteString("</text>\n")
}

// pixel writes a coordinate to a tenth of a pixel.
func pixel(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

// tickLabel writes a number of an axis: "2,000", "0.25".
func tickLabel(v float64) string {
	if math.Abs(v) < 100 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return report.Number(v)
}
