package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/replay"
)

// playSeeds replays the scenario with many seeds under each autoscaler and writes
// their statistics. Of an interrupted study the seeds that are complete count.
func (c *config) playSeeds(ctx context.Context, s *scenarios.Scenario, out *outputs, stderr io.Writer) int {
	var all [][]*replay.Result
	var failed error
	for _, a := range c.autoscalers {
		told := newProgress(stderr)
		results, err := replay.Seeds(ctx, c.seeds, runtime.GOMAXPROCS(0), func(ctx context.Context, seed uint64) (*replay.Result, error) {
			settings, err := c.settings(s, seed)
			if err != nil {
				return nil, err
			}
			return replay.Run(ctx, s, a, settings)
		}, func(done, total int) { told.show(fmt.Sprintf("%s, %s: %d of %d seeds", s.Name, a.Name, done, total)) })
		told.clear()
		all = append(all, results)
		if failed = errors.Join(failed, err); ctx.Err() != nil {
			break
		}
	}
	if err := c.writeStatistics(out, all); err != nil {
		return cannotWrite(stderr, err)
	}
	return ended(stderr, failed)
}

// writeStatistics writes the results' summaries and, of two autoscalers, their
// differences; as CSV the results themselves.
func (c *config) writeStatistics(out *outputs, all [][]*replay.Result) error {
	var summaries []*replay.Summary
	var complete []*replay.Result
	for _, results := range all {
		summary, err := replay.Summarise(results)
		if errors.Is(err, replay.ErrNoResults) {
			continue
		} else if err != nil {
			return err
		}
		summaries = append(summaries, summary)
		for _, r := range results {
			if r != nil && r.Complete {
				complete = append(complete, r)
			}
		}
	}
	if len(summaries) == 0 {
		return nil
	}
	if c.format == "csv" {
		return replay.WriteCSV(out.main, complete...)
	}
	var differences []*replay.Differences
	if len(all) == 2 {
		d, err := replay.Paired(all[0], all[1])
		switch {
		case err == nil:
			differences = append(differences, d)
		case !errors.Is(err, replay.ErrNoResults):
			return err
		}
	}
	if c.format == "json" {
		return replay.WriteStatisticsJSON(out.main, summaries, differences)
	}
	if err := replay.WriteSummary(out.main, summaries...); err != nil {
		return err
	}
	for _, d := range differences {
		if _, err := fmt.Fprintln(out.main); err != nil {
			return err
		}
		if err := replay.WriteDifferences(out.main, d); err != nil {
			return err
		}
	}
	return nil
}
