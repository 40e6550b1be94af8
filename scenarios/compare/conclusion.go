package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/binwright/binwright/scenarios/internal/report"
)

// sameCost is the relative difference below which two costs are called the same.
const sameCost = 0.0005

// conclude says what differs and why, from the figures alone.
func conclude(results []Result) string {
	var ran []*Result
	for i := range results {
		if results[i].Error == "" {
			ran = append(ran, &results[i])
		}
	}
	switch len(ran) {
	case 0:
		return ""
	case 1:
		return ran[0].summary()
	}
	most := slices.MaxFunc(ran, func(a, b *Result) int { return cmp.Compare(a.PodsPlaced, b.PodsPlaced) }).PodsPlaced
	var complete, behind []*Result
	for _, r := range ran {
		if r.PodsPlaced == most {
			complete = append(complete, r)
		} else {
			behind = append(behind, r)
		}
	}
	var sentences []string
	if s := concludeCost(complete); s != "" {
		sentences = append(sentences, s)
	}
	for _, r := range behind {
		sentences = append(sentences, concludeBehind(r, complete[0], most))
	}
	return strings.Join(sentences, " ")
}

func (r *Result) summary() string {
	return fmt.Sprintf("%s launches %s at $%s an hour for %s.",
		r.Engine, report.Count(r.Nodes, "node"), report.Money(r.HourlyUSD), report.Count(r.PodsPlaced, "pod"))
}

// concludeBehind compares costs a pod, for the bills are for unequal work.
func concludeBehind(r, complete *Result, most int) string {
	s := fmt.Sprintf("%s places %s fewer than %s", r.Engine, report.Count(most-r.PodsPlaced, "pod"), complete.Engine)
	if len(r.Left) > 0 {
		s += fmt.Sprintf(" (%s)", report.Shorten(r.Left[0].Reason, 100))
	}
	if r.PodsPlaced == 0 {
		return s + "."
	}
	perPod := func(r *Result) float64 { return r.MonthlyUSD / float64(r.PodsPlaced) }
	return fmt.Sprintf("%s, so the bills are for unequal work: a placed pod costs $%s a month there and $%s with %s.",
		s, report.Money(perPod(r)), report.Money(perPod(complete)), complete.Engine)
}

// concludeCost compares the costs of engines that place the same number of pods:
// the cheapest with each of the others, and the reasons against the next.
func concludeCost(results []*Result) string {
	if len(results) < 2 {
		return ""
	}
	ranked := slices.Clone(results)
	slices.SortStableFunc(ranked, func(a, b *Result) int { return cmp.Compare(a.HourlyUSD, b.HourlyUSD) })
	cheapest := ranked[0]
	rest := ranked[1:]
	same := 0
	for same < len(rest) && rest[same].HourlyUSD-cheapest.HourlyUSD <= sameCost*rest[same].HourlyUSD {
		same++
	}
	names := []string{cheapest.Engine}
	for _, r := range rest[:same] {
		names = append(names, r.Engine)
	}
	if same == len(rest) {
		return concludeSame(names, ranked)
	}
	var differences []string
	for _, r := range rest[same:] {
		differences = append(differences, fmt.Sprintf("%s less than %s ($%s a month)",
			report.Percent(1-cheapest.HourlyUSD/r.HourlyUSD), r.Engine, report.Money(r.MonthlyUSD-cheapest.MonthlyUSD)))
	}
	s := names[0] + " costs "
	if len(names) > 1 {
		s = report.List(names) + " cost the same, "
	}
	s += report.List(differences)
	next := rest[same]
	why, although := causes(cheapest, next, len(names) > 1)
	if len(why) > 0 {
		s += ": "
		if len(rest) > same+1 {
			s += "against " + next.Engine + " "
		}
		s += report.List(why)
	}
	if len(although) > 0 {
		s += ", although " + report.List(although)
	}
	return s + "."
}

func concludeSame(names []string, ranked []*Result) string {
	if ranked[0].Nodes == 0 {
		return fmt.Sprintf("%s launch no node.", report.List(names))
	}
	s := fmt.Sprintf("%s cost the same", report.List(names))
	nodes := make([]string, len(ranked))
	equal := true
	for i, r := range ranked {
		nodes[i] = fmt.Sprintf("%s with %s", report.Count(r.Nodes, "node"), r.Engine)
		equal = equal && r.Nodes == ranked[0].Nodes
	}
	if equal {
		return fmt.Sprintf("%s, $%s a month, with %s each.", s, report.Money(ranked[0].MonthlyUSD), report.Count(ranked[0].Nodes, "node"))
	}
	return fmt.Sprintf("%s, $%s a month: %s.", s, report.Money(ranked[0].MonthlyUSD), report.List(nodes))
}

// causes splits the ratio of two costs into three factors whose product it is:
// virtual CPUs launched, list price of one, and what is paid of the list price. Why names
// the factors that make the first plan cheaper, the strongest first, although
// those that work against it. Factors of less than a tenth of the whole effect
// are left out.
func causes(cheap, dear *Result, plural bool) (why, although []string) {
	cheapCPU, dearCPU := cheap.launchedCPU(), dear.launchedCPU()
	if cheapCPU == 0 || dearCPU == 0 || cheap.ListHourlyUSD == 0 || dear.ListHourlyUSD == 0 || cheap.HourlyUSD == 0 {
		return nil, nil
	}
	type factor struct {
		effect         float64
		text, contrary string
	}
	listPerCPU := func(r *Result) float64 { return r.ListHourlyUSD / r.launchedCPU() }
	paid := func(r *Result) float64 { return r.HourlyUSD / r.ListHourlyUSD }
	it := func(singular, plural string) string { return "it " + singular }
	if plural {
		it = func(singular, plural string) string { return "they " + plural }
	}
	capacity := fmt.Sprintf("%s %s vCPU in %s rather than %s in %s (%s of CPU and %s of memory requested, against %s and %s)",
		it("launches", "launch"), report.Number(cheapCPU), report.Count(cheap.Nodes, "node"), report.Number(dearCPU), report.Count(dear.Nodes, "node"),
		report.Percent(cheap.CPU.Share()), report.Percent(cheap.Memory.Share()), report.Percent(dear.CPU.Share()), report.Percent(dear.Memory.Share()))
	price := func(word string) string {
		return fmt.Sprintf("%s %s types (%s rather than %s on demand for a vCPU-hour)", it("buys", "buy"), word,
			report.Cents(listPerCPU(cheap)), report.Cents(listPerCPU(dear)))
	}
	discount := fmt.Sprintf("%s %s below the on-demand price rather than %s (%s of %s nodes spot, against %s of %s)",
		it("pays", "pay"), report.Percent(1-paid(cheap)), report.Percent(1-paid(dear)),
		report.Whole(cheap.SpotNodes), report.Whole(cheap.Nodes), report.Whole(dear.SpotNodes), report.Whole(dear.Nodes))
	factors := []factor{
		{math.Log(dearCPU / cheapCPU), capacity, capacity},
		{math.Log(listPerCPU(dear) / listPerCPU(cheap)), price("cheaper"), price("dearer")},
		{math.Log(paid(dear) / paid(cheap)), discount, discount},
	}
	whole := math.Log(dear.HourlyUSD / cheap.HourlyUSD)
	slices.SortStableFunc(factors, func(a, b factor) int { return cmp.Compare(math.Abs(b.effect), math.Abs(a.effect)) })
	for _, f := range factors {
		switch {
		case f.effect >= 0.1*whole:
			why = append(why, f.text)
		case f.effect <= -0.1*whole:
			although = append(although, f.contrary)
		}
	}
	return why, although
}

// launchedCPU is the virtual CPUs of the launched nodes.
func (r *Result) launchedCPU() float64 {
	return float64(r.LaunchedMilliCPU) / 1000
}
