package main

import (
	"context"
	"fmt"
	"time"

	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/scenarios"
)

var shopFiles = []string{"shop", "agents"}

// shopSeeds keeps the days of the shop, which take long to replay, within the time there is.
const shopSeeds = 5

// shopDays are the ways in which the shop's day is replayed.
type shopDays struct {
	names    []string
	outcomes [][]outcome
	// karpenter and other are the cheapest rows of either with spot.
	karpenter, other int
	// firm is Karpenter on demand, plain Cluster Autoscaler with one on-demand group a kind of pods and zone.
	firm, plain int
}

func playShop(ctx context.Context, l *lab) (*shopDays, error) {
	k, c := karpenterOn(shopFiles...), clusterAutoscalerOn(shopFiles...)
	agents := flags(func(s *scenarios.ClusterAutoscalerSettings) { s.IgnoreDaemonSetsUtilization = true })
	eager := flags(func(s *scenarios.ClusterAutoscalerSettings) {
		s.ScaleDownUnneededTime, s.ScaleDownDelayAfterAdd = duration(3*time.Minute), duration(3*time.Minute)
		s.ScaleDownUtilizationThreshold = 0.7
	})
	spotToSpot := options(func(s *scenarios.KarpenterSettings) { s.FeatureGates.SpotToSpotConsolidation = true })
	variants := []variant{
		k.with("Karpenter, as it comes (consolidateAfter 0s)"),
		k.with("Karpenter, consolidateAfter 1m, spot to spot", consolidate(karpenter.WhenEmptyOrUnderutilized, time.Minute), spotToSpot),
		k.with("Karpenter, consolidateAfter 10m", consolidate(karpenter.WhenEmptyOrUnderutilized, 10*time.Minute)),
		k.with("Karpenter, empty nodes only, after 5m", consolidate(karpenter.WhenEmpty, 5*time.Minute)),
		c.with("Cluster Autoscaler, tuned groups with spot", groups("tuned"), agents),
		c.with("Cluster Autoscaler, tuned groups with spot, eager scale-down", groups("tuned"), agents, eager),
		k.with("Karpenter, on demand, consolidateAfter 5m", consolidate(karpenter.WhenEmptyOrUnderutilized, 5*time.Minute), only("karpenter.sh/capacity-type", requirements.CapacityTypeOnDemand)),
		c.with("Cluster Autoscaler, plain groups on demand, default flags", groups("plain")),
	}
	for i := range variants {
		variants[i].seeds = min(l.seeds, shopSeeds)
	}
	all, err := l.replayAll(ctx, variants...)
	if err != nil {
		return nil, err
	}
	return &shopDays{names: namesOf(variants), outcomes: all, karpenter: cheapest(all[:4]), other: 4 + cheapest(all[4:6]), firm: 6, plain: 7}, nil
}

// resources is claim 8.
func resources(ctx context.Context, l *lab) (claim, error) {
	d, err := playShop(ctx, l)
	if err != nil {
		return claim{}, err
	}
	best, rival := d.outcomes[d.karpenter], d.outcomes[d.other]
	return claim{
		number: 8, title: "Better resource optimisation, aggressive spot",
		means: "With both tuned, a day costs less under Karpenter, its nodes are fuller, and it pays less for capacity on demand.",
		predictions: []prediction{
			lower("the day costs less", cost, best, rival),
			higher("more of the nodes' CPU is requested", cpuUse, best, rival, 0.02),
			lower("less is paid for capacity on demand", onDemand, best, rival),
		},
		tables: []table{compared(fmt.Sprintf("A day of a small web shop (%d seeds)", len(best)),
			[]figure{cost, onDemand, waste, cpuUse, memoryUse, evicted, launched, waitMean}, d.names, d.outcomes)},
		notes: []string{"Compared are the cheapest rows of each with spot: " + d.names[d.karpenter] + "; " + d.names[d.other] + ". Consolidation and an eager scale-down are paid for with evictions, see the column: " +
			"each is a pod stopped and started elsewhere. It depends on how groups are cut: small nodes waste less of the last one, and each shape that pods need wants a group. " +
			"Karpenter takes the cheapest of hundreds of rows of the price table, and so its outliers too."},
	}, nil
}
