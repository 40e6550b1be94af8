package main

import (
	"context"
	"fmt"
	"time"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/replay"
)

var (
	burstFiles  = []string{"burst", "on-demand-pool", "agents"}
	paddedFiles = []string{"burst", "on-demand-pool", "agents", "placeholders"}
	largeFiles  = []string{"large", "on-demand-pool", "agents"}
)

// ready is the wait up to which a pod counts as having found a node ready: kube-scheduler
// takes the pods of a burst one by one.
const ready = 5.0 // seconds

// proactive is claim 1.
func proactive(ctx context.Context, l *lab) (claim, error) {
	all, err := l.replayAll(ctx, karpenterOn(burstFiles...), clusterAutoscalerOn(burstFiles...), karpenterOn(paddedFiles...), clusterAutoscalerOn(paddedFiles...))
	if err != nil {
		return claim{}, err
	}
	early := figure{"", func(o outcome) float64 { return ready - o.Wait.ToBound.P50 }, seconds}
	bare := prediction{
		says:      fmt.Sprintf("without headroom, half the pods of a burst are bound within %s", seconds(ready)),
		karpenter: seconds(waitMedian.estimate(all[0]).Mean), other: seconds(ready),
		effect: early.estimate(all[0]), form: seconds,
	}
	return claim{
		number: 1, title: "Proactive scaling",
		means:       "Nodes are ready before pods need them: pods that come to a full cluster do not wait for a node to start.",
		predictions: []prediction{bare, lower("with headroom of low-priority pods, which both can have, half the pods wait less", waitMedian, all[2], all[3])},
		tables: []table{compared("200 pods at once, to a cluster without room for them and to one with 16 placeholder pods of 7 CPUs each",
			[]figure{waitMedian, waitMax, launched, cost},
			[]string{"Karpenter", "Cluster Autoscaler", "Karpenter, headroom", "Cluster Autoscaler, headroom"}, all)},
		notes: []string{"Both wait for pods that cannot be scheduled: nothing in either looks ahead. Headroom is a Deployment of low priority that " +
			"gives way and has its room provided anew. With it the placeholders themselves, 16 and those that replace the evicted, count among the waits, " +
			"which is why the median is compared. It depends on how large the headroom is against the burst. What it costs is in the last column."},
	}, nil
}

// scaling is claim 2.
func scaling(ctx context.Context, l *lab) (claim, error) {
	var variants []variant
	for _, n := range []int{50, 500, 1000} { // pods of each of ten workloads
		for _, v := range []variant{karpenterOn(largeFiles...), clusterAutoscalerOn(largeFiles...)} {
			variants = append(variants, v.with(fmt.Sprintf("%s pods, %s", number(float64(10*n)), v.name), batches(n)))
		}
	}
	free := func(s *replay.Settings) { s.DecisionTime = replay.NoTime{} }
	salvo := flags(func(s *scenarios.ClusterAutoscalerSettings) { s.SalvoScaleUp = true })
	variants = append(variants,
		variants[2].under(variants[2].name+", decisions free", free),
		variants[3].under(variants[3].name+", decisions free", free),
		variants[3].with(variants[3].name+", salvo-scale-up", salvo))
	for i := range variants {
		variants[i].seeds = min(l.seeds, 5)
	}
	all, err := l.replayAll(ctx, variants...)
	if err != nil {
		return claim{}, err
	}
	growth := make([]float64, len(all[0]))
	for i := range growth {
		own := waitMean.value(all[4][i]) / waitMean.value(all[0][i])
		growth[i] = saved(own, waitMean.value(all[5][i])/waitMean.value(all[1][i]))
	}
	ratio := func(a, b []outcome) string {
		return fmt.Sprintf("x%.1f", waitMean.estimate(b).Mean/waitMean.estimate(a).Mean)
	}
	return claim{
		number: 2, title: "Scales better, decides faster in large clusters",
		means: "Of large bursts pods wait less and decisions take less time, and the wait grows more slowly with the burst.",
		predictions: []prediction{
			lower("10,000 pods wait less until they are bound, on average", waitMean, all[4], all[5]),
			lower("all decisions on 10,000 pods together take less time", deciding, all[4], all[5]),
			{says: "from 500 to 10,000 pods the mean wait grows by a smaller factor", karpenter: ratio(all[0], all[4]), other: ratio(all[1], all[5]),
				effect: replay.NewEstimate(growth), least: enough, form: percent},
		},
		tables: []table{
			compared(fmt.Sprintf("A burst of ten workloads into an empty cluster, 21 node groups (%d seeds)", len(all[0])),
				[]figure{waitMean, waitMax, deciding, decided, launched}, namesOf(variants), all),
			decisionTimes(),
		},
		notes: []string{"Decision times are a fit to the originals' measured speed on two cores; Binwright's own are milliseconds ([README](../README.md#measured)), " +
			"which \"decisions free\" comes close to. kube-scheduler binds 100 pods a second here, so that the last of 10,000 cannot be bound in less than 100 s under either. " +
			"A Solve of Karpenter is one decision on all pods; its time grows faster than their number, up to its cut-off after a minute. A loop of Cluster Autoscaler is bounded " +
			"(1,000 nodes a scale-up) but scales up one group, with those like it; the next follows at once: it depends on how many kinds of node the pods need, here one a zone at least. " +
			"The fit has no term for the size of the present cluster in the loop of Cluster Autoscaler, since that was not measured."},
	}, nil
}

// decisionTimes is what one decision takes by the fit, alone.
func decisionTimes() table {
	t := table{caption: "One decision by the fit: five pods a node, 20 node groups; above a minute Karpenter's Solve is cut off and the next goes on",
		head: []string{"pods", "Karpenter", "Cluster Autoscaler, 1,000 nodes a scale-up", "Cluster Autoscaler, no limit"}}
	for _, pods := range []int{100, 1000, 5000, 10_000, 20_000, 50_000} {
		w := replay.Work{Pods: pods, NewNodes: pods / 5, Groups: 20}
		limited := w
		limited.NodeLimit = 1000
		original := replay.OriginalTime{}
		t.rows = append(t.rows, []string{number(float64(pods)), seconds(original.Karpenter(w).Seconds()),
			seconds(original.ClusterAutoscaler(limited).Seconds()), seconds(original.ClusterAutoscaler(w).Seconds())})
	}
	return t
}

// batching is claim 5.
func batching(ctx context.Context, l *lab) (claim, error) {
	const none = time.Millisecond
	c := claim{
		number: 5, title: "Batching makes scheduling and launching faster",
		means: "Karpenter gathers pods until none has come for 1 s, 10 s in all, before it decides. If that makes things faster, waits are shorter with the window than without, and than under Cluster Autoscaler.",
		notes: []string{"A window is time spent waiting. What it can buy is fewer decisions and fuller nodes: see the columns of nodes and cost. " +
			"Cluster Autoscaler batches too: what has come by the next loop is decided together, and since 1.35 a pod that finds no node begins one. Both are settings; it depends on how pods arrive."},
	}
	for _, workload := range []struct{ file, what string }{{"trickle", "a trickle, a pod every other second"}, {"burst", "a burst of 200 pods"}} {
		files := []string{workload.file, "on-demand-pool", "agents"}
		own, other := karpenterOn(files...), clusterAutoscalerOn(files...)
		variants := []variant{own, own.with("Karpenter, no window", window(none, none)), own.with("Karpenter, 5 s idle, 30 s in all", window(5*time.Second, 30*time.Second)),
			other, other.with("Cluster Autoscaler, no frequent loops", scansOnly()), other.with("Cluster Autoscaler, scan 2 s", scan(2*time.Second)), other.with("Cluster Autoscaler, scan 30 s", scan(30*time.Second))}
		all, err := l.replayAll(ctx, variants...)
		if err != nil {
			return claim{}, err
		}
		c.predictions = append(c.predictions,
			lower("in "+workload.what+", pods wait less with the window than without", waitMean, all[0], all[1]),
			lower("in "+workload.what+", pods wait less than under Cluster Autoscaler", waitMean, all[0], all[3]))
		c.tables = append(c.tables, compared(upper(workload.what), []figure{waitMean, waitP99, decided, launched, cost}, namesOf(variants), all))
	}
	return c, nil
}
