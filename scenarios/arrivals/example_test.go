package arrivals_test

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// A batch at two in the morning, and a Deployment that is scaled by the clock.
func Example() {
	nightly := &arrivals.Jobs{
		Name:     "nightly",
		Template: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "batch"}},
		Arrivals: arrivals.Batch{At: 2 * time.Hour, Pods: 2},
		Runs:     arrivals.Constant(10 * time.Minute),
		Until:    24 * time.Hour,
	}
	submissions, err := nightly.Stream(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	web := &arrivals.Schedule{
		Controller: types.NamespacedName{Namespace: "shop", Name: "web"}, Kind: "Deployment",
		Steps: []arrivals.Step{{At: 8 * time.Hour, Replicas: 20}, {At: 20 * time.Hour, Replicas: 5}},
		Until: 24 * time.Hour,
	}
	scales, err := web.Stream()
	if err != nil {
		fmt.Println(err)
		return
	}
	events := arrivals.Merge(submissions, scales)
	for e, ok := events.Next(); ok; e, ok = events.Next() {
		switch {
		case e.Submit != nil:
			fmt.Println(e.At, "submit", e.Submit.Pod.Name, "for", e.Submit.Runs)
		case e.Scale != nil:
			fmt.Println(e.At, "scale", e.Scale.Controller, "to", e.Scale.Replicas)
		}
	}
	// Output:
	// 2h0m0s submit nightly-0-0 for 10m0s
	// 2h0m0s submit nightly-0-1 for 10m0s
	// 8h0m0s scale shop/web to 20
	// 20h0m0s scale shop/web to 5
}

// A rate that is highest at two in the afternoon and low at weekends.
func ExampleDay() {
	rate := arrivals.Day{Base: 10, Peak: 100, PeakHour: 14, WeekendFactor: new(0.2)}
	for _, at := range []time.Duration{2 * time.Hour, 8 * time.Hour, 14 * time.Hour, (5*24 + 14) * time.Hour} {
		fmt.Printf("%v: %.0f an hour\n", at, rate.At(at))
	}
	// Output:
	// 2h0m0s: 10 an hour
	// 8h0m0s: 55 an hour
	// 14h0m0s: 100 an hour
	// 134h0m0s: 20 an hour
}

// Every mistake is told, at the field that it is in.
func ExampleSpecError() {
	fmt.Println(arrivals.LogNormal{Median: time.Minute, Sigma: -1, Min: time.Hour, Max: time.Minute}.Validate())
	// Output:
	// not a valid timeline: sigma: -1 is not a number from 0 to 10
	// not a valid timeline: max: 1m0s is below min 1h0m0s
}
