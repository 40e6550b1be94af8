package replay

import "github.com/binwright/binwright/scenarios/internal/report"

// figure is one number of a result that is worth a line in a table, a column in
// CSV, and an estimate over seeds.
type figure struct {
	// name has the unit in it, as the names of columns do.
	name string
	// label is for people, unit beside it where the form of the number does not tell.
	label string
	value func(*Result) float64
	form  func(float64) string
}

// figures are the headline figures in the order in which people read them. Names
// are part of the output's schema: figures are only ever added.
var figures = []figure{
	{"total_usd", "cost, $", func(r *Result) float64 { return r.Cost.TotalUSD }, report.Money},
	{"unused_commitment_usd", "of it unused commitments, $", func(r *Result) float64 { return r.Cost.UnusedCommitmentUSD }, report.Money},
	{"waste_usd", "price of what nobody requested, $", func(r *Result) float64 { return r.Cost.WasteUSD }, report.Money},
	{"cpu_utilisation", "CPU requested of allocatable", func(r *Result) float64 { return r.Utilisation.CPU }, report.Percent},
	{"memory_utilisation", "memory requested of allocatable", func(r *Result) float64 { return r.Utilisation.Memory }, report.Percent},

	{"to_bound_mean_seconds", "wait until bound, mean", func(r *Result) float64 { return r.Wait.ToBound.Mean }, report.Elapsed},
	{"to_bound_p50_seconds", "  p50", func(r *Result) float64 { return r.Wait.ToBound.P50 }, report.Elapsed},
	{"to_bound_p90_seconds", "  p90", func(r *Result) float64 { return r.Wait.ToBound.P90 }, report.Elapsed},
	{"to_bound_p99_seconds", "  p99", func(r *Result) float64 { return r.Wait.ToBound.P99 }, report.Elapsed},
	{"to_bound_max_seconds", "  max", func(r *Result) float64 { return r.Wait.ToBound.Max }, report.Elapsed},
	{"to_running_mean_seconds", "wait until running, mean", func(r *Result) float64 { return r.Wait.ToRunning.Mean }, report.Elapsed},
	{"to_running_p50_seconds", "  p50", func(r *Result) float64 { return r.Wait.ToRunning.P50 }, report.Elapsed},
	{"to_running_p90_seconds", "  p90", func(r *Result) float64 { return r.Wait.ToRunning.P90 }, report.Elapsed},
	{"to_running_p99_seconds", "  p99", func(r *Result) float64 { return r.Wait.ToRunning.P99 }, report.Elapsed},
	{"to_running_max_seconds", "  max", func(r *Result) float64 { return r.Wait.ToRunning.Max }, report.Elapsed},
	{"pending_pod_seconds", "pending pod-seconds", func(r *Result) float64 { return r.Wait.PendingPodSeconds }, report.Number},

	{"pods_created", "pods created", counted(func(r *Result) int { return r.Pods.Created }), report.Number},
	{"pods_finished", "pods finished", counted(func(r *Result) int { return r.Pods.Finished }), report.Number},
	{"pods_gave_up", "pods that gave up", counted(func(r *Result) int { return r.Pods.GaveUp }), report.Number},
	{"pods_pending_at_end", "pods pending at the end", counted(func(r *Result) int { return r.Pods.PendingAtEnd }), report.Number},
	{"pods_evicted", "pods evicted", counted(func(r *Result) int { return r.Pods.Evicted }), report.Number},
	{"lost_seconds", "run time lost with them", func(r *Result) float64 { return r.Pods.LostSeconds }, report.Elapsed},

	{"node_hours", "node-hours", func(r *Result) float64 { return r.Nodes.NodeHours }, report.Number},
	{"nodes_peak", "most nodes at once", counted(func(r *Result) int { return r.Nodes.Peak }), report.Number},
	{"nodes_launched", "nodes launched", counted(func(r *Result) int { return r.Nodes.Launched }), report.Number},
	{"nodes_terminated", "nodes terminated", counted(func(r *Result) int { return r.Nodes.Terminated }), report.Number},
	{"nodes_consolidated", "  by consolidation", counted(func(r *Result) int { return r.Nodes.Consolidated }), report.Number},
	{"nodes_scaled_down", "  by scale-down", counted(func(r *Result) int { return r.Nodes.ScaledDown }), report.Number},
	{"nodes_expired", "  by expiry", counted(func(r *Result) int { return r.Nodes.Expirations }), report.Number},
	{"nodes_interrupted", "  by interruption", counted(func(r *Result) int { return r.Nodes.Interruptions }), report.Number},
	{"launch_failures", "launches that failed", counted(func(r *Result) int { return r.Nodes.Failures() }), report.Number},
}

func counted(count func(*Result) int) func(*Result) float64 {
	return func(r *Result) float64 { return float64(count(r)) }
}
