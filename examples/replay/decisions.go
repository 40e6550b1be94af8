package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/binwright/binwright/scenarios/replay"
)

// decisions writes what autoscalers decide as they decide it, a line each.
type decisions struct {
	write func(autoscaler string, d *replay.Decision) error
	// err is that of the first line that could not be written; no more are tried.
	err error
}

// newDecisions writes objects of JSON, or rows of CSV below a header.
func newDecisions(w io.Writer, lines bool) *decisions {
	if lines {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return &decisions{write: func(autoscaler string, d *replay.Decision) error {
			return encoder.Encode(decisionLine{autoscaler, d.At.Seconds(), d.Kind, d.Reason, append([]string{}, d.Nodes...), d.Pods, d.Took.Seconds()})
		}}
	}
	rows := csv.NewWriter(w)
	row := func(fields ...string) error {
		if err := rows.Write(fields); err != nil {
			return err
		}
		rows.Flush() // so that who watches sees it
		return rows.Error()
	}
	seconds := func(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }
	return &decisions{
		err: row("autoscaler", "at_seconds", "kind", "reason", "nodes", "pods", "took_seconds"),
		write: func(autoscaler string, d *replay.Decision) error {
			return row(autoscaler, seconds(d.At.Seconds()), d.Kind, d.Reason, strings.Join(d.Nodes, " "), strconv.Itoa(d.Pods), seconds(d.Took.Seconds()))
		},
	}
}

// decisionLine is a decision as a line of JSON.
type decisionLine struct {
	Autoscaler  string   `json:"autoscaler"`
	AtSeconds   float64  `json:"atSeconds"`
	Kind        string   `json:"kind"`
	Reason      string   `json:"reason"`
	Nodes       []string `json:"nodes"`
	Pods        int      `json:"pods"`
	TookSeconds float64  `json:"tookSeconds"`
}

// of returns what a replay under an autoscaler tells its decisions, nil if nobody wants them.
func (x *decisions) of(autoscaler string) func(replay.Decision) {
	if x == nil {
		return nil
	}
	return func(d replay.Decision) {
		if x.err == nil {
			x.err = x.write(autoscaler, &d)
		}
	}
}
