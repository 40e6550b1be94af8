package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/binwright/binwright/scenarios/replay"
)

// outputs are what a replay is written to.
type outputs struct {
	main      io.Writer
	svg       io.Writer  // nil: no picture
	decisions *decisions // nil: nobody wants them
	files     []*os.File
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
	lines := c.format == "json" || strings.HasSuffix(c.decisions, ".jsonl")
	switch c.decisions {
	case "":
	case "-":
		out.decisions = newDecisions(stdout, lines)
	default:
		if w := create(c.decisions); w != nil {
			out.decisions = newDecisions(w, lines)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, out.close())...)
	}
	return out, nil
}

func (o *outputs) close() error {
	var errs []error
	for _, f := range o.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
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
		err = writeTable(out.main, results)
	}
	if err == nil && out.svg != nil {
		err = replay.WriteSVG(out.svg, results...)
	}
	return err
}

// writeTable writes the table, and how little one seed says.
func writeTable(w io.Writer, results []*replay.Result) error {
	if err := replay.WriteTable(w, results...); err != nil || replay.Conclusion(results...) == "" {
		return err
	}
	_, err := fmt.Fprintln(w, "\n  One seed is one draw of chance: -seeds 10 shows how much of these differences is luck.")
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
