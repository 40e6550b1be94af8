package scenarios

import (
	"bytes"
	"fmt"
	"time"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// GenerateTimeline makes a scenario that lasts: the work of a synthetic cluster
// (see arrivals.Synthetic) over a cluster that starts without nodes, in the frame
// that [GenerateScenario] puts around its pods. Pods are not made here but one by
// one by [Scenario.Events], so that half a million of them take no memory. With
// [WithNow] the clock of its days starts at that moment unless w.Start is set.
// Errors wrap arrivals.ErrSpec or are, of options, those of [Load].
func GenerateTimeline(w arrivals.Synthetic, opts ...Option) (*Scenario, error) {
	if now := newSettings(opts).now; !now.IsZero() && w.Start == 0 {
		w.Start = arrivals.WeekTime(now)
	}
	jobs, err := w.Jobs()
	if err != nil {
		return nil, err
	}
	s, err := Read(bytes.NewReader(generatedFrame), "generate_scenario.yaml", opts...)
	if err != nil {
		return nil, fmt.Errorf("generated scenario: %w", err)
	}
	s.Activity = Activity{For: jobs[0].Until, Jobs: jobs}
	s.Description = fmt.Sprintf("Generated: about %s of %s over %v, filling about %s, seed %d",
		plural(w.Pods, "pod"), plural(len(jobs), "kind")+" of work", s.Activity.For.Round(time.Minute), plural(w.Nodes, "node"), w.Seed)
	return s, nil
}
