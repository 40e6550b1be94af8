package scaleup

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// Outcome is what came of a case, in the recorded form.
type Outcome struct {
	Options []Option `json:"options"`
	Chosen  []Resize `json:"chosen"`
	Tied    []string `json:"tied,omitempty"`
	Loop    Loop     `json:"loop"`
}

// Option is what one group offered.
type Option struct {
	ID        string   `json:"id"`
	NodeCount int      `json:"nodeCount"`
	Pods      []string `json:"pods"`
	Similar   []string `json:"similar,omitempty"`
}

// Resize is a group's growth.
type Resize struct {
	ID    string `json:"id"`
	Delta int    `json:"delta"`
}

// Loop is the whole series of loops.
type Loop struct {
	Steps         []Step         `json:"steps"`
	Final         map[string]int `json:"final"`
	Unschedulable []string       `json:"unschedulable"`
	Cost          float64        `json:"cost"`
	Result        string         `json:"result"`
}

// Step is a loop that scaled up.
type Step struct {
	ScaleUps []Resize `json:"scaleUps"`
	Pending  int      `json:"pending"`
	Tied     []string `json:"tied,omitempty"`
}

// Recorded is what the original did: in runs of its own, and with map order fixed.
type Recorded struct {
	Canonical Outcome   `json:"canonical"`
	Variants  []Outcome `json:"variants"`
}

// ReadRecorded reads the recorded outcomes of a case.
func ReadRecorded(file []byte) (*Recorded, error) {
	var f struct {
		Upstream *Recorded `json:"upstream"`
	}
	if err := json.Unmarshal(file, &f); err != nil {
		return nil, err
	}
	if f.Upstream == nil {
		return nil, fmt.Errorf("no recorded outcome (upstream)")
	}
	return f.Upstream, nil
}

// FromRun puts a run into the recorded form.
func FromRun(run *clusterautoscaler.Run) *Outcome {
	out := &Outcome{Options: []Option{}, Chosen: []Resize{}, Loop: Loop{
		Steps: []Step{}, Final: map[string]int{}, Unschedulable: []string{}, Cost: run.Cost, Result: string(run.Result)}}
	reached := false // the expander, by an earlier step
	for _, s := range run.Steps {
		step := Step{Pending: s.Waiting}
		for _, u := range s.ScaleUps {
			step.ScaleUps = append(step.ScaleUps, Resize{u.Group.Name, u.To - u.From})
		}
		slices.SortFunc(step.ScaleUps, func(a, b Resize) int { return strings.Compare(a.ID, b.ID) })
		for _, a := range s.Attempts {
			if len(a.Tied) > 1 {
				for _, t := range a.Tied {
					step.Tied = append(step.Tied, a.Options[t].Group.Name)
				}
			}
			if reached || len(a.Options) == 0 {
				continue
			}
			reached = true
			for _, o := range a.Options {
				out.Options = append(out.Options, option(o))
			}
			out.Chosen = append(out.Chosen, step.ScaleUps...)
			out.Tied = step.Tied
		}
		if len(step.ScaleUps) > 0 {
			out.Loop.Steps = append(out.Loop.Steps, step)
		}
	}
	for _, f := range run.FinalSizes {
		out.Loop.Final[f.Group.Name] = f.Size
	}
	for _, u := range run.Plan.Unschedulable {
		out.Loop.Unschedulable = append(out.Loop.Unschedulable, u.Pod.Name)
	}
	slices.Sort(out.Loop.Unschedulable)
	return out
}

func option(o clusterautoscaler.Candidate) Option {
	out := Option{ID: o.Group.Name, NodeCount: o.Nodes}
	for _, p := range o.Pods() {
		out.Pods = append(out.Pods, p.Name)
	}
	slices.Sort(out.Pods)
	for _, g := range o.Similar {
		out.Similar = append(out.Similar, g.Name)
	}
	slices.Sort(out.Similar)
	return out
}

// Difference returns the first difference between what we decided and what was
// recorded, "" if there is none.
func (o *Outcome) Difference(recorded *Outcome) string {
	if len(o.Options) != len(recorded.Options) {
		return fmt.Sprintf("options: %d, recorded %d", len(o.Options), len(recorded.Options))
	}
	for i := range o.Options {
		have, want := o.Options[i], recorded.Options[i]
		switch {
		case have.ID != want.ID || have.NodeCount != want.NodeCount:
			return fmt.Sprintf("option %d: %s takes %d nodes, recorded %s %d", i, have.ID, have.NodeCount, want.ID, want.NodeCount)
		case !slices.Equal(have.Pods, want.Pods):
			return fmt.Sprintf("option %s: %d pods %v, recorded %d %v", have.ID, len(have.Pods), less(have.Pods, want.Pods), len(want.Pods), less(want.Pods, have.Pods))
		case !slices.Equal(have.Similar, want.Similar):
			return fmt.Sprintf("option %s: similar %v, recorded %v", have.ID, have.Similar, want.Similar)
		}
	}
	if !slices.Equal(o.Chosen, recorded.Chosen) {
		return fmt.Sprintf("chosen %v, recorded %v", o.Chosen, recorded.Chosen)
	}
	for i := range min(len(o.Loop.Steps), len(recorded.Loop.Steps)) {
		if have, want := o.Loop.Steps[i], recorded.Loop.Steps[i]; !slices.Equal(have.ScaleUps, want.ScaleUps) || have.Pending != want.Pending {
			return fmt.Sprintf("step %d: %v for %d pods, recorded %v for %d", i, have.ScaleUps, have.Pending, want.ScaleUps, want.Pending)
		}
	}
	switch have, want := o.Loop, recorded.Loop; {
	case len(have.Steps) != len(want.Steps):
		return fmt.Sprintf("steps: %d, recorded %d", len(have.Steps), len(want.Steps))
	case !maps.Equal(have.Final, want.Final):
		return fmt.Sprintf("final sizes %v, recorded %v", have.Final, want.Final)
	case !slices.Equal(have.Unschedulable, want.Unschedulable):
		return fmt.Sprintf("unschedulable: %d %v, recorded %d %v", len(have.Unschedulable), less(have.Unschedulable, want.Unschedulable), len(want.Unschedulable), less(want.Unschedulable, have.Unschedulable))
	case math.Abs(have.Cost-want.Cost) > 1e-9*math.Max(1, want.Cost):
		return fmt.Sprintf("cost %v, recorded %v", have.Cost, want.Cost)
	case have.Result != want.Result:
		return fmt.Sprintf("result %s, recorded %s", have.Result, want.Result)
	}
	return ""
}

// less returns what only the first list has.
func less(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
