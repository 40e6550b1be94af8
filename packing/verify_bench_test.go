package packing_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// crowd is a plan of many pods of many workloads, 40 to a launch, dealt in turn to three zones.
func crowd(pods, workloads int, constrain func(w *world, p *corev1.Pod, workload int)) *world {
	w := newWorld()
	w.machine.Capacity = vector("cpu=64,memory=256Gi,pods=110")
	w.pool.Spec.Limits = nil
	w.snapshot.Pods, w.plan.Placements, w.plan.Unschedulable, w.plan.Launches = nil, nil, nil, nil
	for i := range (pods + 39) / 40 {
		w.plan.Launches = append(w.plan.Launches, w.launch(fmt.Sprint("launch-", i), string(rune('a'+i%3))))
	}
	for i := range pods {
		workload := i % workloads
		p := pod(fmt.Sprint("pod-", i), "cpu=500m,memory=1Gi")
		p.Labels = map[string]string{"app": fmt.Sprint("app-", workload), "pod-template-hash": "x"}
		if constrain != nil {
			constrain(w, p, workload)
		}
		w.snapshot.Pods = append(w.snapshot.Pods, p)
		l := w.plan.Launches[(i/workloads+i)%len(w.plan.Launches)]
		l.Pods = append(l.Pods, p)
	}
	return w
}

// diverse gives one fifth of the workloads each: nothing, zonal spread, hostname spread, zonal affinity to
// itself, hostname anti-affinity to itself; loose enough for the dealt plan.
func diverse(_ *world, p *corev1.Pod, workload int) {
	self := map[string]string{"app": p.Labels["app"]}
	switch workload % 5 {
	case 1:
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{spread(zone, 5, self)}
	case 2:
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{spread(host, 5, self)}
	case 3:
		p.Spec.Affinity = affinity(term(corev1.LabelOSStable, self))
	case 4:
		p.Spec.Affinity = antiAffinity(term(host, map[string]string{"app": p.Labels["app"], "pod-template-hash": "other"}))
	}
}

func TestVerifyCrowds(t *testing.T) {
	for _, c := range []struct {
		pods, workloads int
		constrain       func(*world, *corev1.Pod, int)
	}{{2000, 50, nil}, {2000, 400, diverse}} {
		w := crowd(c.pods, c.workloads, c.constrain)
		require.Empty(t, packing.Verify(w.snapshot, w.plan))
	}
}

func benchmarkVerify(b *testing.B, pods, workloads int, constrain func(*world, *corev1.Pod, int)) {
	w := crowd(pods, workloads, constrain)
	b.ReportAllocs()
	for b.Loop() {
		if v := packing.Verify(w.snapshot, w.plan); len(v) > 0 {
			b.Fatal(v[0])
		}
	}
	b.ReportMetric(float64(pods)*float64(b.N)/b.Elapsed().Seconds(), "pods/s")
}

// The sizes that the engines' own benchmarks end in, so that a referee there does not dominate.
func BenchmarkVerifyPlain100k(b *testing.B)   { benchmarkVerify(b, 100_000, 50, nil) }
func BenchmarkVerifyDiverse5k(b *testing.B)   { benchmarkVerify(b, 5_000, 1_000, diverse) }
func BenchmarkVerifyDiverse100k(b *testing.B) { benchmarkVerify(b, 100_000, 2_000, diverse) }
