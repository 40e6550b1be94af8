package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/arrivals"
	"github.com/binwright/binwright/scenarios/replay"
)

// BenchmarkReplayTrace replays the recorded workload, 8,152 pods in 149 days, from
// beginning to end.
func BenchmarkReplayTrace(b *testing.B) {
	path := filepath.Join(filepath.Dir(perfDir()), "..", "traces", "openb_pod_list_default.csv")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		b.Skipf("no recorded workload at %s; set BINWRIGHT_GOLDENS to the directory beside traces", path)
	}
	s, err := scenarios.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	benchmarkReplay(b, s)
}

// BenchmarkReplayWeek replays a week of about 500,000 pods. Both autoscalers launch nodes of eight cores only and
// consolidate or scale down by the defaults of the generated scenario. Work that fills 700 such nodes keeps a cluster of some
// 1,000, as the metric mean-nodes says, since nodes are not full and come and go; work that fills 1,000 one of 1,400.
func BenchmarkReplayWeek(b *testing.B) {
	for _, filled := range []int{700, 1000} {
		b.Run(fmt.Sprintf("filled=%d", filled), func(b *testing.B) {
			week := arrivals.Synthetic{Nodes: filled, Pods: 500_000}
			if testing.Short() {
				week.Nodes, week.For, week.Pods = filled/10, 24*time.Hour, 7_000
			}
			s, err := scenarios.GenerateTimeline(week)
			if err != nil {
				b.Fatal(err)
			}
			for _, p := range s.NodePools {
				p.Spec.Template.Spec.Requirements = append(p.Spec.Template.Spec.Requirements, packing.NodePoolExpression{
					Key: "karpenter.k8s.aws/instance-cpu", Operator: corev1.NodeSelectorOpIn, Values: []string{"8"},
				})
			}
			benchmarkReplay(b, s)
		})
	}
}

func benchmarkReplay(b *testing.B, s *scenarios.Scenario) {
	for _, a := range []replay.Autoscaler{replay.Karpenter(), replay.ClusterAutoscaler()} {
		b.Run("autoscaler="+a.Name, func(b *testing.B) {
			heap := watchHeap()
			var r *replay.Result
			for range b.N {
				var err error
				if r, err = replay.Run(b.Context(), s, a, replay.DefaultSettings(s.Catalog.Info().Provider)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(heap())/1e6, "peak-MB")
			b.ReportMetric(float64(r.Pods.Created), "pods")
			b.ReportMetric(float64(r.Pods.PendingAtEnd), "left")
			b.ReportMetric(r.Nodes.NodeHours/r.Duration.Hours(), "mean-nodes")
			b.ReportMetric(float64(r.Nodes.Peak), "peak-nodes")
			b.ReportMetric(r.Cost.TotalUSD, "$")
		})
	}
}

// watchHeap follows how much memory the process has from the system for its heap; what it
// returns stops and gives the most that was seen.
func watchHeap() func() uint64 {
	var most atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapSys-m.HeapReleased))
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return most.Load()
	}
}
