package replay

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// requireMean holds the mean of independent draws against what theory says: it is within the interval of
// 99.9% by Student's t distribution. The seeds are fixed, so that the outcome is too.
func requireMean(t *testing.T, want float64, draws []float64, what string) {
	t.Helper()
	n := float64(len(draws))
	mean, deviation := stat.MeanStdDev(draws, nil)
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.9995) * deviation / math.Sqrt(n)
	require.InDelta(t, want, mean, half, "%s: %v draws with mean %v and deviation %v", what, n, mean, deviation)
}

// poisson is a stage to which 60 pods an hour come.
func poisson(last time.Duration, runs string) *stage {
	x := &stage{last: last}
	x.jobs = []string{"{name: work, arrivals: {poisson: {perHour: 60}}, runs: " + runs + "}"}
	x.jobObject("work", "1", `karpenter.sh/do-not-disrupt: "true", cluster-autoscaler.kubernetes.io/safe-to-evict: "false"`, "")
	return x
}

// Little's law: the mean number of pods in a state is the rate at which pods come times the mean time that
// they are in it. Pods run for ten minutes, so ten run; they wait for as long as they do.
func TestLittlesLaw(t *testing.T) {
	const seeds, rate, warm = 12, 60. / 3600, time.Hour
	for _, a := range []Autoscaler{Karpenter(), ClusterAutoscaler()} {
		t.Run(a.Name, func(t *testing.T) {
			x := poisson(5*time.Hour, "{constant: 10m}")
			scenario := x.scenario(t)
			results, err := Seeds(t.Context(), seeds, 1, func(ctx context.Context, seed uint64) (*Result, error) {
				settings := stageSettings()
				settings.Seed, settings.Step, settings.Referee = seed, 5*time.Second, false
				return Run(ctx, scenario, a, settings)
			}, nil)
			require.NoError(t, err)
			var created, running, excess []float64
			for _, r := range results {
				require.Empty(t, r.Pods.EvictedBy)
				var n, pending, run float64
				for _, s := range r.Series {
					if s.At >= warm {
						n, run = n+1, run+float64(s.RunningPods)
					}
					pending += float64(s.PendingPods)
				}
				created = append(created, float64(r.Pods.Created))
				running = append(running, run/n)
				excess = append(excess, pending/float64(len(r.Series))-rate*r.Wait.ToBound.Mean)
				if r.Pods.PendingAtEnd == 0 {
					require.InDelta(t, r.Wait.ToBound.Mean*float64(r.Wait.ToBound.Count), r.Wait.PendingPodSeconds, 1e-6)
				}
			}
			requireMean(t, rate*x.last.Seconds(), created, "pods that come")
			requireMean(t, rate*600, running, "pods that run")
			requireMean(t, 0, excess, "pods that wait, beyond the rate times their wait")
		})
	}
}

// Where there is always room, pods that come at random run as in a queue with servers without number (M/G/oo):
// how many run has a Poisson distribution, its mean the rate times the mean time whatever the
// distribution of times, and its variance the same.
func TestRoomForAllIsAnInfiniteServer(t *testing.T) {
	for runs, mean := range map[string]float64{"{mean: 10m}": 10, "{constant: 10m}": 10, "{median: 8m, sigma: 0.8}": 8 * math.Exp(0.8*0.8/2)} {
		t.Run(runs, func(t *testing.T) {
			scenario := poisson(40*time.Hour, runs).scenario(t)
			var means, variances []float64
			for seed := range uint64(12) {
				settings := stageSettings()
				settings.Seed, settings.Step, settings.Referee = seed, 2*time.Hour, false // by then all have changed
				r, err := Run(t.Context(), scenario, roomFor(100), settings)
				require.NoError(t, err)
				require.Zero(t, r.Wait.ToBound.Max)
				var running []float64
				for _, s := range r.Series[1:] {
					running = append(running, float64(s.RunningPods))
				}
				m, v := stat.MeanVariance(running, nil)
				means, variances = append(means, m), append(variances, v)
			}
			requireMean(t, mean, means, "mean")
			requireMean(t, mean, variances, "variance")
		})
	}
}
