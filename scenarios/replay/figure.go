package replay

import (
	"math"
	"slices"

	"github.com/binwright/binwright/scenarios/internal/report"
)

// figure is one number of a result that is worth a line in a table, a column in
// CSV, and an estimate over seeds.
type figure struct {
	// name has the unit in it, as the names of columns do.
	name string
	// label is for people, the unit beside it where the form of the number does not tell.
	label string
	form  func(float64) string
	value func(*Result) float64
	// trifle is what one of two values has to reach for their ratio to say anything.
	trifle float64
	// optional figures have no line in a table where they are 0.
	optional bool
	// reasons split the figure in a table, nil if nothing does.
	reasons func(*Result) []ReasonCount
}

// sections are the headline figures in the order in which people read them.
var sections = [][]figure{costFigures, waitFigures, podFigures, nodeFigures}

// figures are all of them. Names are part of the output's schema: figures are only
// ever added.
var figures = slices.Concat(sections...)

var costFigures = []figure{
	{name: "total_usd", label: "cost, $", form: report.Money, value: func(r *Result) float64 { return r.Cost.TotalUSD }},
	{
		name: "unused_commitment_usd", label: "  unused commitments, $", form: report.Money, optional: true,
		value: func(r *Result) float64 { return r.Cost.UnusedCommitmentUSD },
	},
	{
		name: "waste_usd", label: "  of it not requested, $", form: report.Money,
		value: func(r *Result) float64 { return r.Cost.WasteUSD },
	},
	{
		name: "cpu_utilisation", label: "CPU utilisation", form: report.Percent,
		value: func(r *Result) float64 { return r.Utilisation.CPU },
	},
	{
		name: "memory_utilisation", label: "memory utilisation", form: report.Percent,
		value: func(r *Result) float64 { return r.Utilisation.Memory },
	},
}

var waitFigures = append(slices.Concat(
	quantileFigures("to_bound", "wait until bound", func(r *Result) *Quantiles { return &r.Wait.ToBound }),
	quantileFigures("to_running", "wait until running", func(r *Result) *Quantiles { return &r.Wait.ToRunning }),
), figure{
	name: "pending_pod_seconds", label: "pending pod-seconds", form: number,
	value: func(r *Result) float64 { return r.Wait.PendingPodSeconds },
})

// quantileFigures are those of one kind of wait.
func quantileFigures(name, label string, of func(*Result) *Quantiles) []figure {
	one := func(part, label string, value func(*Quantiles) float64) figure {
		return figure{
			name: name + "_" + part + "_seconds", label: label, form: report.Elapsed, trifle: 1,
			value: func(r *Result) float64 { return value(of(r)) },
		}
	}
	return []figure{
		one("mean", label+", mean", func(q *Quantiles) float64 { return q.Mean }),
		one("p50", "  p50", func(q *Quantiles) float64 { return q.P50 }),
		one("p90", "  p90", func(q *Quantiles) float64 { return q.P90 }),
		one("p99", "  p99", func(q *Quantiles) float64 { return q.P99 }),
		one("max", "  max", func(q *Quantiles) float64 { return q.Max }),
	}
}

var podFigures = []figure{
	counted("pods_created", "pods created or recreated", func(r *Result) int { return r.Pods.Created }),
	counted("pods_finished", "pods finished", func(r *Result) int { return r.Pods.Finished }),
	counted("pods_gave_up", "pods that gave up", func(r *Result) int { return r.Pods.GaveUp }),
	counted("pods_pending_at_end", "pods pending at the end", func(r *Result) int { return r.Pods.PendingAtEnd }),
	split(counted("pods_evicted", "pods evicted", func(r *Result) int { return r.Pods.Evicted }),
		func(r *Result) []ReasonCount { return r.Pods.EvictedBy }),
	{
		name: "lost_seconds", label: "run time lost with them", form: report.Elapsed, optional: true,
		value: func(r *Result) float64 { return r.Pods.LostSeconds },
	},
}

var nodeFigures = []figure{
	{name: "node_hours", label: "node-hours", form: number, value: func(r *Result) float64 { return r.Nodes.NodeHours }},
	counted("nodes_peak", "most nodes at once", func(r *Result) int { return r.Nodes.Peak }),
	counted("nodes_launched", "nodes launched", func(r *Result) int { return r.Nodes.Launched }),
	counted("nodes_terminated", "nodes terminated", func(r *Result) int { return r.Nodes.Terminated }),
	optional(counted("nodes_consolidated", "  consolidated", func(r *Result) int { return r.Nodes.Consolidated })),
	optional(counted("nodes_scaled_down", "  scaled down", func(r *Result) int { return r.Nodes.ScaledDown })),
	optional(counted("nodes_expired", "  expired", func(r *Result) int { return r.Nodes.Expirations })),
	optional(counted("nodes_interrupted", "  interrupted", func(r *Result) int { return r.Nodes.Interruptions })),
	split(counted("launch_failures", "launches that failed", func(r *Result) int { return r.Nodes.Failures() }),
		func(r *Result) []ReasonCount { return r.Nodes.LaunchFailures }),
}

// number prints a number, a large one without a digit after the point.
func number(x float64) string {
	if math.Abs(x) >= 10_000 {
		x = math.Round(x)
	}
	return report.Number(x)
}

func counted(name, label string, count func(*Result) int) figure {
	return figure{name: name, label: label, form: number, value: func(r *Result) float64 { return float64(count(r)) }}
}

func optional(f figure) figure {
	f.optional = true
	return f
}

func split(f figure, reasons func(*Result) []ReasonCount) figure {
	f.reasons = reasons
	return f
}
