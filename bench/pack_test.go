package bench

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/packing/karpenter"
)

// sizes go from what a deployment brings to what no cluster has pending at once:
// a decision that is not linear shows between them.
var sizes = []int{100, 1_000, 10_000, 100_000, 1_000_000}

// engines builds each engine on the whole catalog of a region, or on groups from it.
var engines = []struct {
	name string
	new  func(testing.TB) (packing.Packer, error)
}{
	{"karpenter", func(tb testing.TB) (packing.Packer, error) {
		return karpenter.New(catalog(tb), []*packing.NodePool{nodePool()})
	}},
	{"cluster-autoscaler", func(tb testing.TB) (packing.Packer, error) {
		return clusterautoscaler.New(nodeGroups(tb, catalog(tb)))
	}},
}

// patience is how long a decision may take before larger sizes of the same mix are left out.
const patience = 5 * time.Second

// BenchmarkPack is one decision over pending pods and an empty cluster.
func BenchmarkPack(b *testing.B) {
	for _, e := range engines {
		for _, m := range mixes {
			tooLarge := math.MaxInt
			for _, n := range sizes {
				b.Run(fmt.Sprintf("engine=%s/mix=%s/pods=%d", e.name, m.name, n), func(b *testing.B) {
					if testing.Short() && n > 1_000 {
						b.Skip("with -short sizes end at 1,000 pods")
					}
					if n > tooLarge {
						b.Skipf("%d pods took more than %v; to measure this size, name it alone", tooLarge, patience)
					}
					packer, err := e.new(b)
					if err != nil {
						b.Fatal(err)
					}
					pack(b, packer, &packing.Snapshot{Pods: pods(b, n, m.workload)})
					if b.Elapsed()/time.Duration(b.N) > patience {
						tooLarge = n
					}
				})
			}
		}
	}
}

// pack measures decisions on one snapshot and reports the figures of the plan.
func pack(b *testing.B, packer packing.Packer, s *packing.Snapshot) {
	b.Helper()
	b.ReportAllocs()
	var plan *packing.Plan
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for range b.N {
		var err error
		if plan, err = packer.Pack(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	runtime.ReadMemStats(&after)
	decided := float64(b.N) * float64(len(s.Pods))
	b.ReportMetric(decided/b.Elapsed().Seconds(), "pods/s")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/decided, "B/pod")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/decided, "allocs/pod")
	b.ReportMetric(float64(len(plan.Launches)), "nodes")
	b.ReportMetric(plan.Cost(), "$/h")
	if left := len(plan.Unschedulable); left > 0 {
		b.ReportMetric(float64(left), "left")
		b.Logf("%d of %d pods are left: the figures are of an easier problem", left, len(s.Pods))
	}
	if accounted := plan.PodCount() + len(plan.Unschedulable); accounted != len(s.Pods) {
		b.Fatalf("%d pods went in, %d came out", len(s.Pods), accounted)
	}
	if v := packing.Verify(s, plan); len(v) > 0 {
		b.Fatalf("the plan breaks %d rules, the first: %v", len(v), v[0])
	}
}
