package compare

import (
	"testing"

	"github.com/binwright/binwright/pricing"
)

func result(engine string, placed, nodes, spot int, hourly, list float64, milliCPU int64) Result {
	return Result{
		Engine: engine, PodsPlaced: placed, Nodes: nodes, SpotNodes: spot,
		HourlyUSD: hourly, MonthlyUSD: hourly * pricing.HoursPerMonth, ListHourlyUSD: list, LaunchedMilliCPU: milliCPU,
		CPU: Utilisation{Requested: 90, Allocatable: 100}, Memory: Utilisation{Requested: 50, Allocatable: 100},
	}
}

func TestConclusion(t *testing.T) {
	left := result("b", 80, 8, 0, 8, 8, 64_000)
	left.Left = []Left{{20, "refused", "group web: max size reached"}}
	tests := []struct {
		name    string
		results []Result
		want    string
	}{
		{"nothing ran", []Result{{Engine: "a", Error: "broken"}}, ""},
		{"one", []Result{result("a", 100, 1, 0, 2.5, 2.5, 8_000)}, "a launches 1 node at $2.50 an hour for 100 pods."},
		{"no node", []Result{result("a", 100, 0, 0, 0, 0, 0), result("b", 100, 0, 0, 0, 0, 0)}, "a and b launch no node."},
		{"same", []Result{result("a", 100, 3, 0, 6, 6, 64_000), result("b", 100, 3, 0, 6.001, 6.001, 64_000)},
			"a and b cost the same, $4,380.00 a month, with 3 nodes each."},
		{"same, other nodes", []Result{result("a", 100, 1, 0, 6, 6, 64_000), result("b", 100, 3, 0, 6, 6, 64_000)},
			"a and b cost the same, $4,380.00 a month: 1 node with a and 3 nodes with b."},
		{"spot alone", []Result{result("a", 100, 4, 4, 4, 10, 64_000), result("b", 100, 4, 0, 10, 10, 64_000)},
			"a costs 60% less than b ($4,380.00 a month): it pays 60% below the on-demand price rather than 0% (4 of 4 nodes spot, against 0 of 4)."},
		{"fewer vCPU of a dearer kind", []Result{result("b", 100, 10, 0, 10, 10, 200_000), result("a", 100, 4, 0, 6, 6, 100_000)},
			"a costs 40% less than b ($2,920.00 a month): it launches 100 vCPU in 4 nodes rather than 200 in 10 nodes " +
				"(90% of CPU and 50% of memory requested, against 90% and 50%), although it buys dearer types (6.00 cents rather than 5.00 cents on demand for a vCPU-hour)."},
		{"pods left", []Result{result("a", 100, 10, 0, 12, 12, 64_000), left},
			"b places 20 pods fewer than a (group web: max size reached), so the bills are for unequal work: " +
				"a placed pod costs $73.00 a month there and $87.60 with a."},
		{"three", []Result{result("a", 100, 4, 0, 5, 5, 64_000), result("b", 100, 4, 0, 5, 5, 64_000), result("c", 100, 8, 0, 10, 10, 128_000)},
			"a and b cost the same, 50% less than c ($3,650.00 a month): they launch 64 vCPU in 4 nodes rather than 128 in 8 nodes " +
				"(90% of CPU and 50% of memory requested, against 90% and 50%)."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := conclude(test.results); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
