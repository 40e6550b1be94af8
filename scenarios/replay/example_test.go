package replay_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/replay"
)

// The first hour of the embedded day, with nodes that boot as slowly as one's own do.
func Example() {
	day, err := scenarios.Named("day")
	if err != nil {
		log.Fatal(err)
	}
	settings := replay.DefaultSettings(day.Catalog.Info().Provider)
	settings.For = time.Hour
	settings.Latencies.Boot = replay.Constant(75*time.Second, "our own nodes, last month")
	for _, autoscaler := range []replay.Autoscaler{replay.Karpenter(), replay.ClusterAutoscaler()} {
		result, err := replay.Run(context.Background(), day, autoscaler, settings)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: played %v, %d pods run at the end, %d wait\n", result.Autoscaler, result.Duration,
			result.Pods.RunningAtEnd, result.Pods.PendingAtEnd)
	}
	// Output:
	// karpenter: played 1h0m0s, 181 pods run at the end, 0 wait
	// cluster-autoscaler: played 1h0m0s, 179 pods run at the end, 0 wait
}

// Three seeds of the first half hour: what differs by more than luck.
func ExamplePaired() {
	day, err := scenarios.Named("day")
	if err != nil {
		log.Fatal(err)
	}
	play := func(autoscaler replay.Autoscaler) []*replay.Result {
		results, err := replay.Seeds(context.Background(), 3, 2, func(ctx context.Context, seed uint64) (*replay.Result, error) {
			settings := replay.DefaultSettings(day.Catalog.Info().Provider)
			settings.For, settings.Seed = 30*time.Minute, seed
			return replay.Run(ctx, day, autoscaler, settings)
		}, nil)
		if err != nil {
			log.Fatal(err)
		}
		return results
	}
	differences, err := replay.Paired(play(replay.Karpenter()), play(replay.ClusterAutoscaler()))
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range differences.Figures {
		if d.Figure == "total_usd" {
			fmt.Printf("%d seeds, cost differs beyond luck: %v\n", d.Estimate.N, d.Estimate.Certain())
		}
	}
	// Output: 3 seeds, cost differs beyond luck: true
}
