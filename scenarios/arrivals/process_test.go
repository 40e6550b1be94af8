package arrivals_test

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/scenarios/arrivals"
)

const day = 24 * time.Hour

// template is a pod of a Job, less its name and owner.
func template() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "batch", Labels: map[string]string{
		"app": "work", "batch.kubernetes.io/job-name": "work", "controller-uid": "a",
	}}}
}

// work is submitted by a process.
func work(p arrivals.Process, until time.Duration) *arrivals.Jobs {
	return &arrivals.Jobs{Name: "work", Template: template(), Arrivals: p, Runs: arrivals.Constant(time.Minute), Until: until}
}

// drain reads a stream to its end, and checks that time never goes back.
func drain(t testing.TB, s arrivals.Stream, err error) []arrivals.Event {
	t.Helper()
	require.NoError(t, err)
	var events []arrivals.Event
	last := time.Duration(0)
	for {
		e, ok := s.Next()
		if !ok {
			_, again := s.Next()
			require.False(t, again, "a stream that has ended stays so")
			return events
		}
		if e.At < last {
			t.Fatalf("%v after %v", e.At, last)
		}
		last = e.At
		events = append(events, e)
	}
}

func submissions(t testing.TB, j *arrivals.Jobs, seed uint64) []arrivals.Event {
	t.Helper()
	s, err := j.Stream(seed)
	return drain(t, s, err)
}

// within checks that a count with a Poisson distribution is within 4 standard
// errors of its mean.
func within(t *testing.T, mean float64, got int, what string) {
	t.Helper()
	require.InDelta(t, mean, got, 4*math.Sqrt(mean), what)
}

func TestPoissonRate(t *testing.T) {
	events := submissions(t, work(arrivals.Poisson{Rate: arrivals.Flat(200)}, 100*time.Hour), 1)
	within(t, 20_000, len(events), "200 an hour over 100 hours")

	// Gaps of a Poisson process are exponential: mean and standard deviation are
	// 18 s, and the share above the mean is 1/e.
	var sum, squares float64
	above := 0
	for i := range len(events) - 1 {
		gap := (events[i+1].At - events[i].At).Seconds()
		sum += gap
		squares += gap * gap
		if gap > 18 {
			above++
		}
	}
	n := float64(len(events) - 1)
	mean := sum / n
	require.InDelta(t, 18, mean, 4*18/math.Sqrt(n))
	// The fourth moment of the exponential makes the variance's error sqrt(8/n).
	require.InDelta(t, 1, (squares/n-mean*mean)/(18*18), 4*math.Sqrt(8/n))
	share := math.Exp(-1)
	require.InDelta(t, share, float64(above)/n, 4*math.Sqrt(share*(1-share)/n))
}

func TestDiurnalRate(t *testing.T) {
	curve := arrivals.Day{Base: 20, Peak: 180, PeakHour: 14, WeekendFactor: new(0.25)}
	events := submissions(t, work(arrivals.Poisson{Rate: curve}, 4*7*day), 7)
	// Over whole days the sine cancels: (20+180)/2 an hour; weekends have a quarter.
	within(t, 4*(5+2*0.25)*24*100, len(events), "four weeks")
	var byHour [24]int
	weekend := 0
	for _, e := range events {
		if e.At/day%7 >= 5 {
			weekend++
			continue
		}
		byHour[e.At%day/time.Hour]++
	}
	within(t, 4*2*0.25*24*100, weekend, "weekends")
	for h, got := range byHour {
		// The integral of the sine from h to h+1, in closed form, over 20 weekdays.
		phase := func(h float64) float64 { return math.Sin(2*math.Pi*(h-14)/24) * 24 / (2 * math.Pi) }
		mean := 20 * (20 + 80*(1+phase(float64(h+1))-phase(float64(h))))
		within(t, mean, got, "an hour of the day")
	}
}

func TestCurvesFollowTheClock(t *testing.T) {
	saturday := arrivals.WeekTime(time.Date(2026, 1, 10, 18, 0, 0, 0, time.UTC))
	require.Equal(t, 5*day+18*time.Hour, saturday)
	require.Equal(t, 5*day+18*time.Hour, arrivals.WeekTime(time.Date(2026, 1, 10, 19, 0, 0, 0, time.FixedZone("", 3600))))
	require.Zero(t, arrivals.WeekTime(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)), "a Monday")

	c := arrivals.Day{Base: 2, Peak: 10, PeakHour: 18, WeekendFactor: new(0.5), Start: saturday}
	require.InDelta(t, 5, c.At(0), 1e-9)
	require.InDelta(t, 1, c.At(12*time.Hour), 1e-9)
	require.InDelta(t, 10, c.At(48*time.Hour), 1e-9, "Monday")
	require.InDelta(t, 10, arrivals.Day{Base: 2, Peak: 10}.At(day), 1e-9)
	require.Equal(t, 30.0, arrivals.Day{Peak: 10, WeekendFactor: new(3.0)}.Max())
}

func TestPoints(t *testing.T) {
	c := arrivals.Points{Points: []arrivals.Point{{At: 6 * time.Hour, Value: 10}, {At: 18 * time.Hour, Value: 34}}}
	for at, want := range map[time.Duration]float64{
		0: 10, 6 * time.Hour: 10, 7 * time.Hour: 12, 12 * time.Hour: 22, 18 * time.Hour: 34, 100 * time.Hour: 34,
	} {
		require.InDelta(t, want, c.At(at), 1e-9, at)
	}
	c.Daily = true
	for at, want := range map[time.Duration]float64{
		0: 22, 6 * time.Hour: 10, 12 * time.Hour: 22, 18 * time.Hour: 34, 21 * time.Hour: 28, 24 * time.Hour: 22, 30 * time.Hour: 10,
	} {
		require.InDelta(t, want, c.At(at), 1e-9, at)
	}
	c.Start = 6 * time.Hour
	require.InDelta(t, 22, c.At(6*time.Hour), 1e-9)
	require.Equal(t, 34.0, c.Max())
}

func TestBursts(t *testing.T) {
	b := arrivals.Bursts{Every: 10 * time.Minute, Pods: 5, Spacing: 30 * time.Second}
	events := submissions(t, work(b, 1000*time.Hour), 3)
	// A renewal process: a cycle is 10 minutes and four times 30 seconds on average,
	// with the standard deviation of the exponential part. By the central limit
	// theorem the number of cycles deviates by sd/mean^1.5 * sqrt(time).
	const cycle, deviation, span = 12.0, 10.0, 60_000.0 // minutes
	cycles := float64(len(events)) / 5
	require.InDelta(t, span/cycle, cycles, 4*deviation/math.Pow(cycle, 1.5)*math.Sqrt(span)+1)
	for i, e := range events[:len(events)/5*5] {
		first := events[i/5*5]
		require.Equal(t, first.At+time.Duration(i%5)*30*time.Second, e.At)
		require.Equal(t, first.Submit.Pod.OwnerReferences, e.Submit.Pod.OwnerReferences, "a burst is a Job")
		if i >= 5 {
			require.NotEqual(t, events[i-5].Submit.Pod.OwnerReferences[0].UID, e.Submit.Pod.OwnerReferences[0].UID)
		}
	}
}

func TestBatch(t *testing.T) {
	b := arrivals.Batch{At: 2 * time.Hour, Pods: 400, Jitter: 30 * time.Minute}
	events := submissions(t, work(b, 25*day), 5)
	require.Len(t, events, 25*400)
	sum := 0.0
	for i, e := range events {
		into := e.At - time.Duration(i/400)*day - 2*time.Hour
		require.True(t, into >= 0 && into <= 30*time.Minute, into)
		sum += into.Minutes()
	}
	// Uniform over 30 minutes: mean 15, standard deviation 30/sqrt(12).
	require.InDelta(t, 15, sum/float64(len(events)), 4*30/math.Sqrt(12)/math.Sqrt(float64(len(events))))

	b.Jitter = 0
	for i, e := range submissions(t, work(b, 3*day), 5) {
		require.Equal(t, time.Duration(i/400)*day+2*time.Hour, e.At)
	}
	// From 01:00 on with a jitter of a day: of the day before some are still due.
	late := arrivals.Batch{At: 20 * time.Hour, Pods: 1000, Jitter: 20 * time.Hour, Start: day + 10*time.Hour}
	within := 0
	for _, e := range submissions(t, work(late, 10*time.Hour), 5) {
		require.Less(t, e.At, 6*time.Hour, "20 hours after 20:00 it is 16:00")
		within++
	}
	require.InDelta(t, 300, within, 4*math.Sqrt(1000*0.3*0.7), "6 of 20 hours are left")
}

func TestRunTimes(t *testing.T) {
	for name, runs := range map[string]arrivals.RunTime{
		"log-normal":             arrivals.LogNormal{Median: 10 * time.Minute, Sigma: 0.8},
		"log-normal with bounds": arrivals.LogNormal{Median: 10 * time.Minute, Sigma: 1.2, Min: 5 * time.Minute, Max: 30 * time.Minute},
		"alike":                  arrivals.LogNormal{Median: 10 * time.Minute, Max: 8 * time.Minute},
		"exponential":            arrivals.Exponential{Average: 10 * time.Minute},
		"exponential with bounds": arrivals.Exponential{
			Average: 10 * time.Minute, Min: 2 * time.Minute, Max: 15 * time.Minute,
		},
		"constant": arrivals.Constant(10 * time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			j := work(arrivals.Poisson{Rate: arrivals.Flat(1000)}, 40*time.Hour)
			j.Runs = runs
			var all []float64
			sum, squares := 0.0, 0.0
			for _, e := range submissions(t, j, 11) {
				v := e.Submit.Runs.Minutes()
				all = append(all, v)
				sum += v
				squares += v * v
			}
			n := float64(len(all))
			mean := sum / n
			deviation := math.Sqrt(max(0, squares/n-mean*mean))
			require.InDelta(t, runs.Mean().Minutes(), mean, 4*deviation/math.Sqrt(n)+1e-6)
			slices.Sort(all)
			switch r := runs.(type) {
			case arrivals.LogNormal:
				low, high := r.Min.Minutes(), cmp.Or(r.Max, arrivals.MaxUntil).Minutes()
				require.True(t, all[0] >= low && all[len(all)-1] <= high)
				// The median's error is that of the density there: 1/(2 f sqrt(n)).
				if r.Sigma > 0 {
					density := 1 / (10 * r.Sigma * math.Sqrt(2*math.Pi))
					require.InDelta(t, 10, all[len(all)/2], 4/(2*density*math.Sqrt(n)))
				}
			case arrivals.Exponential:
				require.True(t, all[0] >= r.Min.Minutes() && all[len(all)-1] <= cmp.Or(r.Max, arrivals.MaxUntil).Minutes())
			}
		})
	}
	// By hand: exp(mu + sigma^2/2), and 2 + 10 (exp(-0.2) - exp(-1.5)).
	require.InDelta(t, 10*math.Exp(0.32), arrivals.LogNormal{Median: 10 * time.Minute, Sigma: 0.8}.Mean().Minutes(), 1e-6)
	require.InDelta(t, 2+10*(math.Exp(-0.2)-math.Exp(-1.5)),
		arrivals.Exponential{Average: 10 * time.Minute, Min: 2 * time.Minute, Max: 15 * time.Minute}.Mean().Minutes(), 1e-6)
}
