package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/binwright/binwright/scenarios/compare"
)

// writeTables prints the report for people, within compare.Width columns.
func writeTables(w io.Writer, r *report) error {
	out := bufio.NewWriter(w)
	title := "Scenario " + r.Scenario
	if r.Description != "" {
		title += ": " + r.Description
	}
	paragraph(out, title)
	fmt.Fprintf(out, "%d nodes, %d pods wait, $%.4f/h for the nodes of all node pools\n", r.Nodes, r.PendingPods, r.HourlyBefore)
	for _, warning := range r.Warnings {
		paragraph(out, "warning: "+warning)
	}

	fmt.Fprint(out, "\nOne pass: the first command is executed\n\n")
	if len(r.Pass) == 0 {
		fmt.Fprintln(out, "Nothing can be consolidated.")
	} else {
		rows := [][]string{{"METHOD", "DECISION", "SAVES $/H", "REPLACEMENT", "NODES"}}
		for _, c := range r.Pass {
			rows = append(rows, []string{c.Method, c.Decision, dollars(c.Savings), replacementText(c.Replacement), strings.Join(c.Nodes, " ")})
		}
		writeTable(out, rows, 2)
	}

	fmt.Fprint(out, "\nNodes that the first command leaves, and why\n\n")
	rows := [][]string{{"NODE", "NODEPOOL", "TYPE", "$/H", "RATIO", "WHY IT STAYS"}}
	for _, st := range r.Stays {
		rows = append(rows, []string{st.Node, orDash(st.NodePool), orDash(st.InstanceType), dollars(st.Price), dollars(st.SavingsRatio), st.Reason})
	}
	writeTable(out, rows, 3, 4)

	fmt.Fprint(out, "\nSequence until nothing is left to do\n\n")
	if len(r.Sequence) > 0 {
		rows = [][]string{{"STEP", "METHOD", "DECISION", "SAVES $/H", "LEAVES $/H", "REPLACEMENT", "NODES"}}
		for i, st := range r.Sequence {
			rows = append(rows, []string{fmt.Sprint(i + 1), st.Method, st.Decision, dollars(st.Savings), dollars(st.Hourly), replacementText(st.Replacement), strings.Join(st.Nodes, " ")})
		}
		writeTable(out, rows, 0, 3, 4)
		fmt.Fprintln(out)
	}
	saved := 0.0
	if r.HourlyBefore > 0 {
		saved = 100 * (1 - r.HourlyAfter/r.HourlyBefore)
	}
	fmt.Fprintf(out, "%s: $%.4f/h before, $%.4f/h after, %.1f%% less; %d nodes before, %d after; %d pods wait then\n",
		ending(r.End), r.HourlyBefore, r.HourlyAfter, saved, r.Nodes, r.NodesAfter, r.PendingPodsAfter)
	return out.Flush()
}

func ending(end string) string {
	switch end {
	case "maxSteps":
		return "Cut off, for it goes on and on"
	case "launchFailed":
		return "Stopped at a replacement that nothing on offer can become"
	default:
		return "Consolidated"
	}
}

func replacementText(r *replacement) string {
	switch {
	case r == nil:
		return "-"
	case r.InstanceType == "":
		return "none on offer"
	default:
		return fmt.Sprintf("%s %s %s", r.InstanceType, r.CapacityType, dollars(r.Price))
	}
}

func dollars(amount float64) string { return fmt.Sprintf("%.4f", amount) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// maxCell is how wide a column but the last may be.
const maxCell = 30

// writeTable aligns columns, those listed to the right, and breaks the last one
// between words so that lines keep within compare.Width.
func writeTable(out *bufio.Writer, rows [][]string, right ...int) {
	last := len(rows[0]) - 1
	widths := make([]int, last)
	for _, row := range rows {
		for i := range widths {
			row[i] = shorten(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	indent := 0
	for _, w := range widths {
		indent += w + 2
	}
	for _, row := range rows {
		var line strings.Builder
		for i, w := range widths {
			pad := strings.Repeat(" ", w-utf8.RuneCountInString(row[i]))
			if slices.Contains(right, i) {
				line.WriteString(pad + row[i] + "  ")
			} else {
				line.WriteString(row[i] + pad + "  ")
			}
		}
		for i, text := range wrap(row[last], compare.Width-indent) {
			if i > 0 {
				line.WriteString("\n" + strings.Repeat(" ", indent))
			}
			line.WriteString(text)
		}
		fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
	}
}

// shorten keeps both ends of a long cell: names of nodes differ in either.
func shorten(cell string) string {
	runes := []rune(cell)
	if len(runes) <= maxCell {
		return cell
	}
	const end = 10
	return string(runes[:maxCell-3-end]) + "..." + string(runes[len(runes)-end:])
}

func paragraph(out *bufio.Writer, text string) {
	for _, line := range wrap(text, compare.Width) {
		fmt.Fprintln(out, line)
	}
}

// wrap breaks a text between words, and words longer than the width anywhere.
func wrap(text string, width int) []string {
	width = max(width, 1)
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		runes := []rune(word)
		for len(runes) > 0 {
			line := &lines[len(lines)-1]
			free := width - utf8.RuneCountInString(*line)
			switch {
			case *line == "":
				n := min(len(runes), width)
				*line, runes = string(runes[:n]), runes[n:]
			case len(runes)+1 <= free:
				*line, runes = *line+" "+string(runes), nil
			default:
				lines = append(lines, "")
			}
		}
	}
	return lines
}
