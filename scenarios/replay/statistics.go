package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// ErrNoResults says that there is no complete result to estimate from.
var ErrNoResults = errors.New("no complete result of a replay")

// confidence is the level of intervals.
const confidence = 0.95

// Estimate is the mean of one figure over replays with different seeds, and how
// well they determine it.
type Estimate struct {
	Mean float64
	// StdErr is the standard error of the mean. Low and High bound the mean with a
	// confidence of 95%, by Student's t distribution with N-1 degrees of freedom,
	// which takes the figure as normally distributed over seeds. All three are NaN
	// if N is 1, and null in JSON.
	StdErr, Low, High float64
	// N is the number of seeds.
	N int
}

// NewEstimate estimates the mean of a figure from its values over seeds, one at least;
// without any it is NaN.
func NewEstimate(values []float64) Estimate {
	n := len(values)
	if n < 2 {
		return Estimate{Mean: stat.Mean(values, nil), StdErr: math.NaN(), Low: math.NaN(), High: math.NaN(), N: n}
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	e := Estimate{Mean: mean, StdErr: stat.StdErr(deviation, float64(n)), N: n}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile((1 + confidence) / 2)
	e.Low, e.High = mean-t*e.StdErr, mean+t*e.StdErr
	return e
}

// Certain says whether the whole interval is above or below zero.
func (e Estimate) Certain() bool { return e.Low > 0 || e.High < 0 }

// estimateJSON is the form of an Estimate in JSON.
type estimateJSON struct {
	Mean   float64  `json:"mean"`
	StdErr *float64 `json:"stdErr"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
	N      int      `json:"n"`
}

// MarshalJSON writes what is not known as null.
func (e Estimate) MarshalJSON() ([]byte, error) {
	out := estimateJSON{Mean: e.Mean, N: e.N}
	if e.N > 1 {
		out.StdErr, out.Low, out.High = &e.StdErr, &e.Low, &e.High
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Estimate) UnmarshalJSON(data []byte) error {
	var in estimateJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	known := func(x *float64) float64 {
		if x == nil {
			return math.NaN()
		}
		return *x
	}
	*e = Estimate{Mean: in.Mean, StdErr: known(in.StdErr), Low: known(in.Low), High: known(in.High), N: in.N}
	return nil
}

// FigureEstimate is a headline figure of a result, estimated. Its name holds the
// unit and is that of a column of [WriteCSV].
type FigureEstimate struct {
	Figure   string   `json:"figure"`
	Estimate Estimate `json:"estimate"`
}

// Summary is what replays of one scenario under one autoscaler say together.
type Summary struct {
	Scenario   string `json:"scenario"`
	Autoscaler string `json:"autoscaler"`
	// Seeds are those of the complete results, which alone are counted.
	Seeds   []uint64         `json:"seeds"`
	Figures []FigureEstimate `json:"figures"`
}

// Summarise estimates each headline figure from the complete results. A quantile
// of waits is the mean over seeds of that quantile. Errors wrap [ErrNoResults], or
// say that the results are not of one scenario under one autoscaler.
func Summarise(results []*Result) (*Summary, error) {
	whole, err := ofOneKind(results)
	if err != nil {
		return nil, fmt.Errorf("summary: %w", err)
	}
	s := &Summary{Scenario: whole[0].Scenario, Autoscaler: whole[0].Autoscaler}
	for _, r := range whole {
		s.Seeds = append(s.Seeds, r.Seed)
	}
	for i := range figures {
		s.Figures = append(s.Figures, FigureEstimate{figures[i].name, NewEstimate(valuesOf(&figures[i], whole))})
	}
	return s, nil
}

// Difference is by how much a headline figure of B differs from that of A.
type Difference struct {
	Figure string `json:"figure"`
	// A and B are the means over the seeds.
	A float64 `json:"a"`
	B float64 `json:"b"`
	// Estimate is of B - A, seed by seed.
	Estimate Estimate `json:"estimate"`
}

// Differences compare two autoscalers on one scenario, seed by seed.
type Differences struct {
	Scenario string `json:"scenario"`
	// A and B are the autoscalers.
	A string `json:"a"`
	B string `json:"b"`
	// Seeds are those that both have a complete result of, which alone are counted.
	Seeds   []uint64     `json:"seeds"`
	Figures []Difference `json:"figures"`
}

// Paired compares replays under two autoscalers on the same seeds. Both meet the
// same arrivals on the same seed, so that the difference on one seed varies less
// than the figures themselves, and its interval is narrower. Errors wrap
// [ErrNoResults] if no seed has a complete result of both, or say that the results
// are not of one scenario, or a seed comes twice.
func Paired(a, b []*Result) (*Differences, error) {
	as, err := ofOneKind(a)
	if err != nil {
		return nil, fmt.Errorf("paired comparison: %w", err)
	}
	bs, err := ofOneKind(b)
	if err != nil {
		return nil, fmt.Errorf("paired comparison: %w", err)
	}
	if as[0].Scenario != bs[0].Scenario {
		return nil, fmt.Errorf("paired comparison: results of scenarios %q and %q", as[0].Scenario, bs[0].Scenario)
	}
	bySeed := make(map[uint64]*Result, len(bs))
	for _, r := range bs {
		bySeed[r.Seed] = r
	}
	d := &Differences{Scenario: as[0].Scenario, A: as[0].Autoscaler, B: bs[0].Autoscaler}
	var pairA, pairB []*Result
	for _, r := range as {
		if other := bySeed[r.Seed]; other != nil {
			if r.Duration != other.Duration {
				return nil, fmt.Errorf("paired comparison: seed %d was replayed for %v and for %v", r.Seed, r.Duration, other.Duration)
			}
			pairA, pairB = append(pairA, r), append(pairB, other)
			d.Seeds = append(d.Seeds, r.Seed)
		}
	}
	if len(d.Seeds) == 0 {
		return nil, fmt.Errorf("paired comparison: %w: no seed was replayed under both %s and %s", ErrNoResults, d.A, d.B)
	}
	for i := range figures {
		f := &figures[i]
		x, y := valuesOf(f, pairA), valuesOf(f, pairB)
		by := make([]float64, len(x))
		for j := range x {
			by[j] = y[j] - x[j]
		}
		d.Figures = append(d.Figures, Difference{f.name, stat.Mean(x, nil), stat.Mean(y, nil), NewEstimate(by)})
	}
	return d, nil
}

// ofOneKind returns the complete results, in their order, if they are of one
// scenario under one autoscaler for one duration, each of another seed.
func ofOneKind(results []*Result) ([]*Result, error) {
	var whole []*Result
	seen := make(map[uint64]bool, len(results))
	for _, r := range results {
		if r == nil || !r.Complete {
			continue
		}
		if len(whole) > 0 {
			first := whole[0]
			if r.Scenario != first.Scenario || r.Autoscaler != first.Autoscaler || r.Duration != first.Duration {
				return nil, fmt.Errorf("results are not of one kind: %q under %q for %v, and %q under %q for %v",
					first.Scenario, first.Autoscaler, first.Duration, r.Scenario, r.Autoscaler, r.Duration)
			}
		}
		if seen[r.Seed] {
			return nil, fmt.Errorf("two results of seed %d", r.Seed)
		}
		seen[r.Seed] = true
		whole = append(whole, r)
	}
	if len(whole) == 0 {
		return nil, ErrNoResults
	}
	return whole, nil
}

func valuesOf(f *figure, results []*Result) []float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = f.value(r)
	}
	return values
}
