package main

import "github.com/binwright/binwright/scenarios/replay"

// verdict is what measurements say about a claim.
type verdict string

const (
	supported    verdict = "supported"
	inPart       verdict = "supported in part"
	contradicted verdict = "contradicted"
	undecided    verdict = "undecided"
	notTestable  verdict = "not testable"
)

// answer is what a measurement says about one prediction of a claim.
type answer string

const (
	holds   answer = "holds"
	fails   answer = "fails"
	unclear answer = "unclear"
)

// prediction is one thing that should be seen if a claim is true.
type prediction struct {
	// says is the prediction in words.
	says string
	// karpenter and other are the mean figures that are compared, printed.
	karpenter, other string
	// effect is by how much Karpenter is ahead, positive if the claim is right.
	effect replay.Estimate
	// least is the smallest effect that counts.
	least float64
	// form prints the effect.
	form func(float64) string
}

// answer compares the interval of the effect with the least that counts. The prediction
// holds if the whole interval is at least that, fails if no part of it is. An effect without
// an interval, of a single seed, is unclear.
func (p *prediction) answer() answer {
	switch {
	case p.effect.Low >= p.least:
		return holds
	case p.effect.High < p.least:
		return fails
	}
	return unclear
}

// judge derives the verdict on a claim from its predictions: supported if all hold,
// contradicted if all fail, supported in part if some hold; undecided if none holds and
// not all fail. A claim without predictions is not testable.
func judge(predictions []prediction) verdict {
	count := map[answer]int{}
	for i := range predictions {
		count[predictions[i].answer()]++
	}
	switch n := len(predictions); {
	case n == 0:
		return notTestable
	case count[holds] == n:
		return supported
	case count[fails] == n:
		return contradicted
	case count[holds] > 0:
		return inPart
	}
	return undecided
}

// enough is the relative difference from which on two figures count as different.
const enough = 0.05

// lower predicts that a figure is lower under Karpenter, by 5% at least. The effect is
// the share by which it is lower, seed by seed.
func lower(says string, f figure, karpenter, other []outcome) prediction {
	p := prediction{says: says, karpenter: f.form(f.estimate(karpenter).Mean), other: f.form(f.estimate(other).Mean), least: enough, form: percent}
	p.effect = replay.NewEstimate(savings(f, karpenter, other))
	return p
}

// savings are the shares by which a figure is less in a than in b, seed by seed.
func savings(f figure, a, b []outcome) []float64 {
	values := make([]float64, min(len(a), len(b)))
	for i := range values {
		values[i] = saved(f.value(a[i]), f.value(b[i]))
	}
	return values
}

// saved is the share by which a is less than b. Of nothing, all that is more counts as once as much.
func saved(a, b float64) float64 {
	switch {
	case a == b:
		return 0
	case b == 0:
		return -1
	}
	return 1 - a/b
}

// higher predicts that a figure is higher under Karpenter, by so much at least.
func higher(says string, f figure, karpenter, other []outcome, least float64) prediction {
	p := prediction{says: says, karpenter: f.form(f.estimate(karpenter).Mean), other: f.form(f.estimate(other).Mean), least: least, form: f.form}
	p.effect = replay.NewEstimate(differences(f, karpenter, other))
	return p
}

// differences are by how much a figure is more in a than in b, seed by seed.
func differences(f figure, a, b []outcome) []float64 {
	values := make([]float64, min(len(a), len(b)))
	for i := range values {
		values[i] = f.value(a[i]) - f.value(b[i])
	}
	return values
}

// cheapest is the index of the outcomes with the lowest mean cost.
func cheapest(all [][]outcome) int {
	best := 0
	for i := range all {
		if cost.estimate(all[i]).Mean < cost.estimate(all[best]).Mean {
			best = i
		}
	}
	return best
}
