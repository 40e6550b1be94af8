package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/binwright/binwright/scenarios/replay"
)

// fleetOf says which instance types a replay used and how many nodes of each.
func fleetOf(o outcome) string {
	parts := make([]string, 0, len(o.Cost.ByType))
	for _, s := range o.Cost.ByType {
		parts = append(parts, fmt.Sprintf("%d %s", s.Nodes, s.Name))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// socialNetwork is SimKube's first comparison, ten runs of each.
func socialNetwork(ctx context.Context, l *lab) (published, error) {
	const runs = 10
	files := []string{"social-network", "on-demand-pool", "agents"}
	variants := []variant{karpenterOn(files...), clusterAutoscalerOn(files...).with("Cluster Autoscaler, random expander")}
	for i := range variants {
		variants[i].seeds = runs
	}
	all, err := l.replayAll(ctx, variants...)
	if err != nil {
		return published{}, err
	}
	t := table{caption: fmt.Sprintf("What %d runs launched", runs), head: []string{"", "different fleets", "types used in all", "types a run", "cost of a run", "most frequent fleet"}}
	var fleets, kinds []float64
	for i, v := range variants {
		times, used, frequent := map[string]int{}, map[string]bool{}, ""
		for _, o := range all[i] {
			f := fleetOf(o)
			if times[f]++; times[f] > times[frequent] {
				frequent = f
			}
			for _, s := range o.Cost.ByType {
				used[s.Name] = true
			}
		}
		fleets, kinds = append(fleets, float64(len(times))), append(kinds, float64(len(used)))
		t.rows = append(t.rows, []string{v.name, number(fleets[i]), number(kinds[i]), plusMinus(types.estimate(all[i]), number), plusMinus(cost.estimate(all[i]), dollars),
			fmt.Sprintf("%s (%d of %d)", frequent, times[frequent], runs)})
	}
	return published{
		title:  "SimKube: ten runs of one trace",
		source: "SimKube's first published comparison: in each of ten runs Karpenter launched 7 c6a.xlarge and one m6i.8xlarge; Cluster Autoscaler with the random expander used 17 types",
		figures: []reproduction{
			{what: "Karpenter, different fleets in ten runs", low: 1, high: 1, found: single(fleets[0]), form: number},
			{what: "Cluster Autoscaler, types used in ten runs", low: 17, high: 17, found: single(kinds[1]), form: number, tolerance: 0.25},
		},
		tables: []table{t},
		assumed: "the trace is not at hand, so 27 services of one CPU and 1 GiB a pod, 12 of them scaled to 3 and then to 5 replicas, and 30 groups of one type each. " +
			"Which types are launched cannot be compared, only what varies from run to run.",
		says: "Karpenter decides alike from the same pods: it takes the cheapest types that fit. The random expander draws a group at each scale-up, so that the number of types " +
			"grows with the number of scale-ups, runs and groups. It is not the default any more.",
	}, nil
}

// savingsOfMoving are what others say that moving to Karpenter saves.
func savingsOfMoving(ctx context.Context, l *lab) (published, error) {
	d, err := playShop(ctx, l)
	if err != nil {
		return published{}, err
	}
	vendors, sober := [2]float64{0.25, 0.70}, [2]float64{0.05, 0.10}
	p := published{
		title:   "What moving to Karpenter saves: 5% to 10%, or 25% to 70%",
		source:  "5% to 10% over more than a thousand clusters (Salesforce); 25% to 70% in vendors' stories",
		assumed: "the day of the small web shop, rows of the table of claim 8.",
		says: "Moves differ in what else they change. From plain groups on demand, shapes, spot and the autoscaler change at once; the last row changes the first two " +
			"and keeps Cluster Autoscaler. What is left for the autoscaler alone is in the rows between. It depends on how much was tuned before and how much may run on spot.",
	}
	for _, move := range []struct {
		what     string
		to, from int
		said     [2]float64
	}{
		{"plain groups on demand to Karpenter with spot", d.karpenter, d.plain, vendors},
		{"plain groups on demand to Karpenter on demand", d.firm, d.plain, sober},
		{"tuned groups with spot to Karpenter with spot", d.karpenter, d.other, sober},
		{"plain groups on demand to tuned groups with spot, no Karpenter", d.other, d.plain, vendors},
	} {
		found := replay.NewEstimate(savings(cost, d.outcomes[move.to], d.outcomes[move.from]))
		p.figures = append(p.figures, reproduction{what: "from " + move.what, low: move.said[0], high: move.said[1], found: found, form: percent})
	}
	return p, nil
}

// throughput is that of Karpenter's own benchmark.
func throughput(context.Context, *lab) (published, error) {
	const pods, took, perSecond = 20_000, 35.7, 680.0
	solve := func(pods, nodes int) float64 {
		return replay.OriginalTime{}.Karpenter(replay.Work{Pods: pods, NewNodes: nodes}).Seconds()
	}
	rate := func(pods int) float64 { return float64(pods) / solve(pods, pods/5) }
	return published{
		title:  "Karpenter's throughput: 680 pods a second",
		source: "the project's own benchmark on its author's machine, January 2025: 680 pods a second over all sizes, 20,000 pods in 35.7 s",
		figures: []reproduction{
			{what: "20,000 pods, five a node", low: took, high: took, found: single(solve(pods, pods/5)), form: seconds, tolerance: 0.25},
			{what: "pods a second at 5,000 pods", low: perSecond, high: perSecond, found: single(rate(5000)), form: number, tolerance: 0.25},
			{what: "pods a second at 20,000 pods", low: perSecond, high: perSecond, found: single(rate(pods)), form: number, tolerance: 0.25},
		},
		assumed: "the fit to measurements of the original with 1,000 to 10,000 pods and one worker, carried on to 20,000. No replay, so no interval.",
		says: fmt.Sprintf("A Solve's time grows with pods times nodes, so that a rate holds for one size: by the fit %s pods a second at 1,000 pods and %s at 20,000, where %s of the time goes with the nodes. "+
			"A fifth of the benchmark's pods exclude each other from a node, which makes the nodes a fifth of the pods whatever the packing.",
			number(rate(1000)), number(rate(pods)), percent(1-solve(pods, 0)/solve(pods, pods/5))),
	}, nil
}

// slowed has Karpenter's decisions take a multiple of the original's measured time.
type slowed struct {
	replay.OriginalTime
	factor float64
}

// Karpenter implements [replay.DecisionTime].
func (s slowed) Karpenter(w replay.Work) time.Duration {
	return time.Duration(float64(s.OriginalTime.Karpenter(w)) * s.factor)
}

// slowField is a report from the field.
func slowField(ctx context.Context, l *lab) (published, error) {
	const reported, watched = 62 * 60.0, 3 * time.Hour
	v := karpenterOn(largeFiles...).with("Karpenter, 2,090 pods", batches(209))
	v.seeds = 2
	// last is when the last pod is bound, infinite if some never are while one watches.
	last := func(factor float64) (float64, error) {
		set := func(s *replay.Settings) { s.DecisionTime, s.For = slowed{factor: factor}, watched }
		o, err := l.replay(ctx, v.under(fmt.Sprintf("%s, decisions %.4g times as slow", v.name, factor), set))
		if err != nil {
			return 0, err
		}
		for _, one := range o {
			if one.Pods.PendingAtEnd > 0 {
				return math.Inf(1), nil
			}
		}
		return waitMax.estimate(o).Mean, nil
	}
	after := func(x float64) string {
		if math.IsInf(x, 1) {
			return fmt.Sprintf("never within %s", seconds(watched.Seconds()))
		}
		return seconds(x)
	}
	t := table{caption: "Until the last of 2,090 pods is bound, if a Solve is slower than measured (2 seeds)", head: []string{"times as slow", "last pod bound after"}}
	low, high := 1.0, 4096.0
	normal, err := last(low)
	if err != nil {
		return published{}, err
	}
	for range 7 {
		middle := math.Round(math.Sqrt(low * high))
		y, err := last(middle)
		if err != nil {
			return published{}, err
		}
		if y < reported {
			low = middle
		} else {
			high = middle
		}
	}
	for _, factor := range []float64{1, 10, 100, low, high} {
		y, err := last(factor)
		if err != nil {
			return published{}, err
		}
		t.rows = append(t.rows, []string{number(factor), after(y)})
	}
	return published{
		title:   "Karpenter in the field: 2,089 pods in 62 minutes",
		source:  "a user's log, issue 5505 of aws/karpenter-provider-aws",
		figures: []reproduction{{what: "2,090 pods of ten workloads, last pod bound", low: reported, high: reported, found: single(normal), form: seconds, tolerance: 0.25}},
		tables:  []table{t},
		assumed: "the ten workloads of claim 2; the reporter's pods are not known, nor the version.",
		says: fmt.Sprintf("A Solve would have to be between %s and %s times as slow as measured for the last pod to come as late as reported: it is then cut off after a minute, and what did not get its turn waits for the next. "+
			"Preferences make a Solve about five times as slow ([README](../README.md#measured)), a controller short of CPU or throttled by the API adds to that.", number(low), number(high)),
	}, nil
}
