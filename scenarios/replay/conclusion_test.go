package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// concludedResult is an hour with a bill of so much, part of it for what no pod requested.
func concludedResult(name string, usd, waste float64, change func(*Result)) *Result {
	r := &Result{Scenario: "s", Autoscaler: name, Duration: time.Hour, Complete: true, Cost: Cost{TotalUSD: usd, WasteUSD: waste},
		Utilisation: Utilisation{CPU: 0.5, Memory: 0.25}, Wait: Waits{ToBound: Quantiles{Mean: 10, P99: 90}}}
	if change != nil {
		change(r)
	}
	return r
}

func TestConclusion(t *testing.T) {
	const waits = " With a pods wait 10.0 s on average until they are bound (99th percentile 1m30s) and none are evicted; with b 10.0 s (1m30s) and none."
	spot := func(r *Result) {
		r.Cost.ByCapacityType = []Share{{Name: "spot", NodeHours: 3}, {Name: "on-demand", NodeHours: 1}}
	}
	for _, test := range []struct {
		name string
		a, b *Result
		want string
	}{
		{"the same", concludedResult("a", 10, 4, nil), concludedResult("b", 10.001, 4, nil), "a and b cost the same." + waits},
		{"waste", concludedResult("a", 8, 2, nil), concludedResult("b", 10, 4, nil),
			"a costs 20% less than b ($2.00 over 1h00m): $2.00 of its bill is for capacity that no pod requested rather than $4.00 " +
				"(50% of CPU and 25% of memory requested, against 50% and 25%)." + waits},
		{"the second is cheaper, on spot, with more waste", concludedResult("b", 10, 2, nil), concludedResult("a", 8, 3, spot),
			"a costs 20% less than b ($2.00 over 1h00m): what pods did request costs $5.00 rather than $8.00 (75% of node-hours on spot, against 0%), " +
				"although $3.00 of its bill is for capacity that no pod requested rather than $2.00 (50% of CPU and 25% of memory requested, against 50% and 25%)." + waits},
		{"unequal work", concludedResult("a", 10, 4, func(r *Result) { r.Pods.PendingAtEnd, r.Pods.GaveUp = 3, 2 }), concludedResult("b", 10, 4, nil),
			"a and b cost the same." + waits + " With a 5 pods gave up or wait at the end, with b 0: the bills are for unequal work."},
		{"evictions", concludedResult("a", 10, 4, func(r *Result) {
			r.Pods.Evicted, r.Pods.EvictedBy = 7, []ReasonCount{{"expiry", 2}, {"consolidation", 5}}
		}), concludedResult("b", 10, 4, func(r *Result) { r.Pods.Evicted, r.Pods.EvictedBy = 1, []ReasonCount{{"scale-down", 1}} }),
			"a and b cost the same. With a pods wait 10.0 s on average until they are bound (99th percentile 1m30s) and 7 are evicted (most by consolidation); " +
				"with b 10.0 s (1m30s) and 1 (by scale-down)."},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, Conclusion(test.a, test.b)) })
	}
	one := concludedResult("a", 10, 4, nil)
	require.Empty(t, Conclusion(one))
	require.Empty(t, Conclusion(one, concludedResult("b", 1, 0, func(r *Result) { r.Duration = time.Minute })), "unequal times")
	require.Empty(t, Conclusion(one, concludedResult("b", 1, 0, func(r *Result) { r.Scenario = "other" })))
}

func TestConclusionOverSeeds(t *testing.T) {
	of := func(name string, evicted int, usd ...float64) []*Result {
		var out []*Result
		for i, x := range usd {
			out = append(out, concludedResult(name, x, 0, func(r *Result) { r.Seed, r.Pods.Evicted = uint64(i), evicted }))
		}
		return out
	}
	const rest = "the mean wait until bound, its 99th percentile and evictions"
	for _, test := range []struct {
		name string
		a, b []*Result
		want string
	}{
		{"one seed", of("a", 1, 1), of("b", 1, 2), "With one seed nothing tells a difference from luck."},
		{"cost is clear", of("a", 1, 10, 20, 30), of("b", 1, 8, 17, 28),
			"Over 3 seeds b differs from a by more than chance explains in cost (-2.33, 95% interval -3.77 to -0.8991), but not in " + rest + "."},
		{"nothing is clear", of("a", 1, 10, 20, 30), of("b", 1, 9, 22, 29),
			"Over 3 seeds b differs from a in none of cost, " + rest + " by more than chance explains."},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := Paired(test.a, test.b)
			require.NoError(t, err)
			require.Equal(t, test.want, d.Conclusion())
		})
	}
}
