package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// claim is one claim with what was measured about it.
type claim struct {
	number int
	// title is what the article claims, in a few words; means is what it would mean in figures.
	title, means string
	predictions  []prediction
	tables       []table
	// notes are paragraphs: the mechanism, what it depends on; or why it cannot be tested.
	notes []string
}

func (c *claim) verdict() verdict { return judge(c.predictions) }

// table is a table of a page.
type table struct {
	caption string
	head    []string
	rows    [][]string
}

// compared is a table of figures, a row for each variant.
func compared(caption string, figures []figure, names []string, outcomes [][]outcome) table {
	t := table{caption: caption, head: []string{""}}
	for _, f := range figures {
		t.head = append(t.head, f.name)
	}
	for i, name := range names {
		t.rows = append(t.rows, figuresOf(name, figures, outcomes[i]))
	}
	return t
}

// figuresOf is one row of such a table.
func figuresOf(name string, figures []figure, outcomes []outcome) []string {
	row := []string{name}
	for _, f := range figures {
		row = append(row, plusMinus(f.estimate(outcomes), f.form))
	}
	return row
}

// page is the document.
type page struct {
	seeds       int
	claims      []claim
	published   []published
	assumptions []string
}

// command writes the page.
func (p *page) command() string {
	if p.seeds == defaultSeeds {
		return "go run ./examples/claims -o docs/claims.md"
	}
	return fmt.Sprintf("go run ./examples/claims -seeds %d -o docs/claims.md", p.seeds)
}

func (p *page) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	p.writeHead(out)
	for i := range p.claims {
		p.claims[i].write(out)
	}
	p.writePublished(out)
	fmt.Fprintf(out, "## What is assumed\n\n")
	for _, a := range p.assumptions {
		fmt.Fprintf(out, "- %s\n", a)
	}
	return out.Flush()
}

func (p *page) writeHead(out *bufio.Writer) {
	fmt.Fprintf(out, "# Nine claims for Karpenter over Cluster Autoscaler, measured\n\n")
	paragraph(out, fmt.Sprintf("Written by `%s`; do not edit. Each claim that can be tested is a pair of replays of one scenario under both, "+
		"over %d seeds unless a table says otherwise: seed by seed the same arrivals and run times. The scenarios are under "+
		"[examples/claims/scenarios](../examples/claims/scenarios). Intervals are of 95%% (Student's t over seeds), those of differences paired seed by seed.",
		p.command(), p.seeds))
	paragraph(out, fmt.Sprintf("Verdicts are computed from the figures. A prediction *holds* if its whole interval is at least what is asked "+
		"(%s where a figure is to be lower), *fails* if no part of it is, and is *unclear* otherwise. A claim is *supported* if all its predictions "+
		"hold, *contradicted* if all fail, *supported in part* if some hold, else *undecided*.", percent(enough)))
	fmt.Fprintf(out, "| | claim | verdict | its first prediction | Karpenter ahead by |\n|---|---|---|---|---|\n")
	for i := range p.claims {
		c := &p.claims[i]
		first, ahead := "-", "-"
		if len(c.predictions) > 0 {
			x := &c.predictions[0]
			first, ahead = x.says, interval(x.effect, x.form)
		}
		fmt.Fprintf(out, "| %d | %s | **%s** | %s | %s |\n", c.number, c.title, c.verdict(), first, ahead)
	}
	fmt.Fprintf(out, "\n%s\n\n", p.count())
}

// count says how many claims have which verdict.
func (p *page) count() string {
	n := map[verdict]int{}
	for i := range p.claims {
		n[p.claims[i].verdict()]++
	}
	var parts []string
	for _, v := range []verdict{supported, inPart, contradicted, undecided, notTestable} {
		if n[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[v], v))
		}
	}
	return fmt.Sprintf("Of %d claims: %s.", len(p.claims), strings.Join(parts, ", "))
}

func (c *claim) write(out *bufio.Writer) {
	fmt.Fprintf(out, "## %d. %s: %s\n\n", c.number, c.title, c.verdict())
	paragraph(out, c.means)
	if len(c.predictions) > 0 {
		fmt.Fprintf(out, "| if the claim is right | Karpenter | compared with | Karpenter ahead by | at least | |\n|---|---|---|---|---|---|\n")
		for i := range c.predictions {
			x := &c.predictions[i]
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s |\n", x.says, x.karpenter, x.other, interval(x.effect, x.form), x.form(x.least), x.answer())
		}
		fmt.Fprintln(out)
	}
	for i := range c.tables {
		c.tables[i].write(out)
	}
	for _, n := range c.notes {
		paragraph(out, n)
	}
}

func (t *table) write(out *bufio.Writer) {
	paragraph(out, t.caption+":")
	fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintln(out)
}

// columns is how wide paragraphs are.
const columns = 125

// paragraph writes text in lines of at most so many columns, and an empty line.
func paragraph(out *bufio.Writer, text string) {
	width := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case width+1+len(word) > columns:
			out.WriteByte('\n')
			width = 0
		default:
			out.WriteByte(' ')
			width++
		}
		out.WriteString(word)
		width += len(word)
	}
	out.WriteString("\n\n")
}
