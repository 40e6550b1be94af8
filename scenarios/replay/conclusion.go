package replay

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/scenarios/internal/report"
)

const (
	// sameCost is the relative difference below which two costs are called the same.
	sameCost = 0.0005
	// leastCause is the part of the difference between two costs from which on a cause is named.
	leastCause = 0.1
)

// Conclusion says in a few sentences what differs between two results of one
// scenario and why, from their figures alone: the cost and where it comes from, how
// long pods waited, how many were evicted, and work that one of them did not do. It
// speaks of these two replays; whether the next seed would show the same is what
// [Paired] estimates. It is empty unless there are two results that were played for
// the same time.
func Conclusion(results ...*Result) string {
	if len(results) != 2 || results[0].Scenario != results[1].Scenario || results[0].Duration != results[1].Duration {
		return ""
	}
	cheap, dear := results[0], results[1]
	if dear.Cost.TotalUSD < cheap.Cost.TotalUSD {
		cheap, dear = dear, cheap
	}
	name := func(r *Result) string { return columnName(r, results) }
	sentences := []string{concludeCost(cheap, dear, name), concludePods(cheap, dear, name)}
	if s := concludeWork(cheap, dear, name); s != "" {
		sentences = append(sentences, s)
	}
	return strings.Join(sentences, " ")
}

// concludeCost compares two bills. Their difference is that of what no pod
// requested, of commitments not used, and of what was paid for what pods did
// request; the sentence names those that make up a tenth of it or more.
func concludeCost(cheap, dear *Result, name func(*Result) string) string {
	difference := dear.Cost.TotalUSD - cheap.Cost.TotalUSD
	if difference <= sameCost*dear.Cost.TotalUSD {
		return fmt.Sprintf("%s and %s cost the same.", name(cheap), name(dear))
	}
	s := fmt.Sprintf("%s costs %s less than %s ($%s over %s)", name(cheap), report.Percent(difference/dear.Cost.TotalUSD), name(dear),
		report.Money(difference), report.Elapsed(cheap.Duration.Seconds()))
	why, although := costCauses(cheap, dear, leastCause*difference)
	if len(why) > 0 {
		s += ": " + report.List(why)
	}
	if len(although) > 0 {
		s += ", although " + report.List(although)
	}
	return s + "."
}

// costCauses are the parts of the bill that make up at least so much of the
// difference, the largest first: those for it, and those against it.
func costCauses(cheap, dear *Result, atLeast float64) (why, although []string) {
	requested := func(r *Result) float64 { return r.Cost.TotalUSD - r.Cost.WasteUSD - r.Cost.UnusedCommitmentUSD }
	type cause struct {
		effect float64
		text   string
	}
	causes := []cause{
		{dear.Cost.WasteUSD - cheap.Cost.WasteUSD, fmt.Sprintf(
			"$%s of its bill is for capacity that no pod requested rather than $%s (%s of CPU and %s of memory requested, against %s and %s)",
			report.Money(cheap.Cost.WasteUSD), report.Money(dear.Cost.WasteUSD),
			report.Percent(cheap.Utilisation.CPU), report.Percent(cheap.Utilisation.Memory),
			report.Percent(dear.Utilisation.CPU), report.Percent(dear.Utilisation.Memory))},
		{requested(dear) - requested(cheap), fmt.Sprintf("what pods did request costs $%s rather than $%s%s",
			report.Money(requested(cheap)), report.Money(requested(dear)), concludeSpot(cheap, dear))},
		{dear.Cost.UnusedCommitmentUSD - cheap.Cost.UnusedCommitmentUSD, fmt.Sprintf("$%s rather than $%s of commitments are left unused",
			report.Money(cheap.Cost.UnusedCommitmentUSD), report.Money(dear.Cost.UnusedCommitmentUSD))},
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return cmp.Compare(math.Abs(b.effect), math.Abs(a.effect)) })
	for _, c := range causes {
		switch {
		case c.effect >= atLeast:
			why = append(why, c.text)
		case c.effect <= -atLeast:
			although = append(although, c.text)
		}
	}
	return why, although
}

// concludeSpot says how much of the nodes' time was on spot instances, if that differs.
func concludeSpot(cheap, dear *Result) string {
	a, b := report.Percent(spotShare(cheap)), report.Percent(spotShare(dear))
	if a == b {
		return ""
	}
	return fmt.Sprintf(" (%s of node-hours on spot, against %s)", a, b)
}

// spotShare is the part of node-hours that ran on spot instances.
func spotShare(r *Result) float64 {
	spot, all := 0.0, 0.0
	for _, s := range r.Cost.ByCapacityType {
		if all += s.NodeHours; s.Name == requirements.CapacityTypeSpot {
			spot += s.NodeHours
		}
	}
	if all == 0 {
		return 0
	}
	return spot / all
}

// concludePods compares waits and evictions.
func concludePods(a, b *Result, name func(*Result) string) string {
	return fmt.Sprintf("With %s pods wait %s on average until they are bound (99th percentile %s) and %s; with %s %s (%s) and %s.",
		name(a), report.Elapsed(a.Wait.ToBound.Mean), report.Elapsed(a.Wait.ToBound.P99), evicted(a, " are evicted"),
		name(b), report.Elapsed(b.Wait.ToBound.Mean), report.Elapsed(b.Wait.ToBound.P99), evicted(b, ""))
}

// evicted says how many pods were evicted, and for what reason most of them.
func evicted(r *Result, verb string) string {
	if r.Pods.Evicted == 0 {
		return "none" + verb
	}
	s := report.Whole(r.Pods.Evicted) + verb
	reasons := reasonsOf([]*Result{r}, func(r *Result) []ReasonCount { return r.Pods.EvictedBy })
	switch len(reasons) {
	case 0:
		return s
	case 1:
		return s + " (by " + report.Shorten(reasons[0], 40) + ")"
	}
	return s + " (most by " + report.Shorten(reasons[0], 40) + ")"
}

// concludeWork says that the bills are for unequal work, if more pods were left
// without a node by one than by the other.
func concludeWork(a, b *Result, name func(*Result) string) string {
	left := func(r *Result) int { return r.Pods.GaveUp + r.Pods.PendingAtEnd }
	if left(a) == left(b) {
		return ""
	}
	if left(a) < left(b) {
		a, b = b, a
	}
	return fmt.Sprintf("With %s %s gave up or wait at the end, with %s %s: the bills are for unequal work.",
		name(a), report.Count(left(a), "pod"), name(b), report.Whole(left(b)))
}

// concluded are the figures that the conclusion of a comparison over seeds speaks
// of, as it calls them.
var concluded = []struct{ figure, text string }{
	{"total_usd", "cost"}, {"to_bound_mean_seconds", "the mean wait until bound"}, {"to_bound_p99_seconds", "its 99th percentile"},
	{"pods_evicted", "evictions"},
}

// Conclusion says which of the most important figures differ by more than chance
// explains: cost, waits and evictions. A figure is clear if its interval lies on one
// side of zero.
func (d *Differences) Conclusion() string {
	if len(d.Seeds) < 2 {
		return "With one seed nothing tells a difference from luck."
	}
	var clear, unclear []string
	for _, c := range concluded {
		i := slices.IndexFunc(d.Figures, func(x Difference) bool { return x.Figure == c.figure })
		at := slices.IndexFunc(figures, func(f figure) bool { return f.name == c.figure })
		if i < 0 {
			continue
		}
		e, form := &d.Figures[i].Estimate, figures[at].form
		if e.Certain() {
			clear = append(clear, fmt.Sprintf("%s (%s, 95%% interval %s to %s)", c.text,
				signed(e.Mean, form), signed(e.Low, form), signed(e.High, form)))
		} else {
			unclear = append(unclear, c.text)
		}
	}
	over := fmt.Sprintf("Over %s %s differs from %s", report.Count(len(d.Seeds), "seed"), d.B, d.A)
	switch {
	case len(clear) == 0:
		return over + " in none of " + report.List(unclear) + " by more than chance explains."
	case len(unclear) == 0:
		return over + " by more than chance explains in " + report.List(clear) + "."
	}
	return over + " by more than chance explains in " + report.List(clear) + ", but not in " + report.List(unclear) + "."
}
