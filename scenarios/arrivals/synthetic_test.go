package arrivals_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// streams merges the submissions of several kinds of work.
func streams(t testing.TB, jobs []*arrivals.Jobs, seed uint64) arrivals.Stream {
	t.Helper()
	all := make([]arrivals.Stream, len(jobs))
	for i, j := range jobs {
		s, err := j.Stream(seed)
		require.NoError(t, err)
		all[i] = s
	}
	return arrivals.Merge(all...)
}

// TestSyntheticFillsItsNodes adds up what the pods of a week request over time.
func TestSyntheticFillsItsNodes(t *testing.T) {
	spec := arrivals.Synthetic{Seed: 3, Nodes: 100, Pods: 50_000}
	jobs, err := spec.Jobs()
	require.NoError(t, err)
	require.Len(t, jobs, 20)
	stream := streams(t, jobs, 1)
	pods, work, squares := 0, 0.0, 0.0
	for {
		e, ok := stream.Next()
		if !ok {
			break
		}
		pods++
		cpu := e.Submit.Pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]
		one := float64(cpu.MilliValue()) * e.Submit.Runs.Hours()
		work += one
		squares += one * one
	}
	require.InDelta(t, 50_000, pods, 4*math.Sqrt(50_000))
	// The variance of a sum of so many as a Poisson process gives is the sum of squares.
	require.InDelta(t, 100*8000*0.85*7*24, work, 4*math.Sqrt(squares))

	again, err := spec.Jobs()
	require.NoError(t, err)
	require.Equal(t, jobs, again)
	spec.Seed++
	other, err := spec.Jobs()
	require.NoError(t, err)
	require.NotEqual(t, jobs[0].Runs, other[0].Runs)
}

// TestSyntheticWeekTakesNoMemory reads half a million pods and holds the memory
// that stays to that of a few.
func TestSyntheticWeekTakesNoMemory(t *testing.T) {
	jobs, err := arrivals.Synthetic{Nodes: 1000, Pods: 500_000}.Jobs()
	require.NoError(t, err)
	stream := streams(t, jobs, 1)
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	pods := 0
	for {
		if _, ok := stream.Next(); !ok {
			break
		}
		pods++
	}
	after := held()
	runtime.KeepAlive(stream)
	require.InDelta(t, 500_000, pods, 4*math.Sqrt(500_000))
	require.Less(t, float64(after)-float64(before), float64(1<<20))
}

func BenchmarkSyntheticWeek(b *testing.B) {
	for _, pods := range []int{5_000, 500_000} {
		b.Run(fmt.Sprintf("%d pods", pods), func(b *testing.B) {
			jobs, err := arrivals.Synthetic{Nodes: pods / 500, Pods: pods}.Jobs()
			require.NoError(b, err)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for stream := streams(b, jobs, 1); ; n++ {
					if _, ok := stream.Next(); !ok {
						break
					}
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pods/s")
		})
	}
}
