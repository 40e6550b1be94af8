package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/binwright/binwright/scenarios/replay"
)

// outputs are what a replay is written to.
type outputs struct {
	main     io.Writer
	svg      io.Writer   // nil: no picture
	trace    *csv.Writer // nil: no trace
	traceErr error       // of the first row that could not be written
	files    []*os.File
}

// open creates the files that the flags name, before anything is played.
func (c *config) open(stdout io.Writer) (*outputs, error) {
	out := &outputs{main: stdout}
	var errs []error
	create := func(path string) io.Writer {
		file, err := os.Create(path)
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		out.files = append(out.files, file)
		return file
	}
	if c.output != "" {
		out.main = create(c.output)
	}
	if c.svg != "" {
		out.svg = create(c.svg)
	}
	if c.trace != "" {
		if w := create(c.trace); w != nil {
			out.trace = csv.NewWriter(w)
			out.row("autoscaler", "at_seconds", "kind", "reason", "nodes", "pods", "took_seconds")
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, out.close())...)
	}
	return out, nil
}

func (o *outputs) close() error {
	var errs []error
	if o.trace != nil {
		o.trace.Flush()
		errs = append(errs, o.trace.Error())
	}
	for _, f := range o.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (o *outputs) row(fields ...string) {
	if err := o.trace.Write(fields); err != nil && o.traceErr == nil {
		o.traceErr = err
	}
}

// observe returns what writes an autoscaler's decisions to the trace, nil if there is none.
func (o *outputs) observe(autoscaler string) func(replay.Decision) {
	if o.trace == nil {
		return nil
	}
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
	return func(d replay.Decision) {
		o.row(autoscaler, seconds(d.At), d.Kind, d.Reason, strings.Join(d.Nodes, " "), strconv.Itoa(d.Pods), seconds(d.Took))
	}
}

// write writes the results in the format asked for, and the picture.
func (c *config) write(out *outputs, results []*replay.Result) error {
	var err error
	switch c.format {
	case "json":
		err = replay.WriteJSON(out.main, results...)
	case "csv":
		err = replay.WriteCSV(out.main, results...)
	default:
		err = replay.WriteTable(out.main, results...)
	}
	if err == nil && out.svg != nil {
		err = replay.WriteSVG(out.svg, results...)
	}
	return err
}

// progress rewrites one line on a terminal, and writes nothing elsewhere.
type progress struct {
	terminal *os.File // nil: none
	last     time.Time
}

// progressEvery is how often the line is rewritten at most.
const progressEvery = 100 * time.Millisecond

func newProgress(stderr io.Writer) *progress {
	file, ok := stderr.(*os.File)
	if !ok {
		return &progress{}
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{terminal: file}
}

func (p *progress) show(text string) {
	if p.terminal != nil {
		fmt.Fprintf(p.terminal, "\r\x1b[K%s", text)
	}
}

func (p *progress) clear() { p.show("") }

// played returns what tells how much of a replay has been played, nil if nobody sees it.
func (p *progress) played(what string) func(played, all time.Duration) {
	if p.terminal == nil {
		return nil
	}
	return func(played, all time.Duration) {
		if now := time.Now(); now.Sub(p.last) >= progressEvery {
			p.last = now
			p.show(fmt.Sprintf("%s: %v of %v", what, played.Truncate(time.Minute), all))
		}
	}
}
