package main

import (
	"context"
	"time"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/scenarios/replay"
)

var spotFiles = []string{"spot", "spot-pool", "agents"}

// calm has spot neither run out nor be reclaimed.
func calm(s *replay.Settings) { s.Cloud.Hazard = replay.NoHazard }

// scarce has each spot offering lack capacity a third of the time, and one type for four hours everywhere.
func scarce(s *replay.Settings) {
	calm(s)
	s.Cloud.SpotShortagesPerDay, s.Cloud.SpotShortage = 24, 30*time.Minute
	s.Cloud.Shortages = []replay.Shortage{{InstanceType: "m5.2xlarge", From: time.Hour, For: 4 * time.Hour}}
}

// reclaimed has one in twenty spot instances reclaimed an hour, whatever its type.
func reclaimed(s *replay.Settings) {
	s.Cloud.Hazard = func(_ *instancetypes.InstanceType, o *instancetypes.Offering) float64 {
		if o == nil || o.CapacityType() != requirements.CapacityTypeSpot {
			return 0
		}
		return 0.05
	}
}

func cheapestPool(s *replay.Settings) { s.Cloud.SpotAllocation = replay.LowestPrice }

// diversification is claim 3. All have spot alone, so that nothing differs but the types.
func diversification(ctx context.Context, l *lab) (claim, error) {
	karpenter := karpenterOn(spotFiles...).with("Karpenter, all types", only("karpenter.sh/capacity-type", requirements.CapacityTypeSpot))
	variants := []variant{
		karpenter, karpenter.with("Karpenter, one type", only("node.kubernetes.io/instance-type", "m5.2xlarge")),
		clusterAutoscalerOn(spotFiles...).with("Cluster Autoscaler, a group of ten types", groups("mixed")),
		clusterAutoscalerOn(spotFiles...).with("Cluster Autoscaler, a group of one type", groups("single")),
	}
	var without, with [][]outcome
	for _, v := range variants {
		two, err := l.replayAll(ctx, v.under(v.name+", calm", calm), v.under(v.name+", scarce", scarce))
		if err != nil {
			return claim{}, err
		}
		without, with = append(without, two[0]), append(with, two[1])
	}
	spared := func(says string, against int) prediction {
		own, theirs := differences(pending, with[0], without[0]), differences(pending, with[against], without[against])
		effects := make([]float64, len(own))
		for i := range effects {
			effects[i] = (theirs[i] - own[i]) / pending.value(without[against][i])
		}
		return prediction{says: says, karpenter: number(replay.NewEstimate(own).Mean) + " pod-seconds", other: number(replay.NewEstimate(theirs).Mean) + " pod-seconds",
			effect: replay.NewEstimate(effects), least: enough, form: percent}
	}
	raised := table{caption: "What shortages add to the pod-seconds pending, each on the same seed", head: []string{"", "without shortages", "added"}}
	for i, v := range variants {
		raised.rows = append(raised.rows, []string{v.name, plusMinus(pending.estimate(without[i]), number), interval(replay.NewEstimate(differences(pending, with[i], without[i])), number)})
	}
	return claim{
		number: 3, title: "Instance diversification",
		means: "Karpenter draws on more instance types, and so is hurt less when some have no capacity.",
		predictions: []prediction{
			higher("more types are used than by a group of ten types", types, with[0], with[2], 1),
			spared("shortages add less to the time that pods wait than with a group of ten types, in shares of that time", 2),
			spared("shortages add less to it than with a group of one type", 3),
		},
		tables: []table{compared("Six hours of batch work on spot alone. Each spot offering lacks capacity a third of the time, for half an hour on average, and m5.2xlarge everywhere from 1:00 to 5:00",
			[]figure{types, failures, waitMean, waitP99, pending, cost}, namesOf(variants), with), raised},
		notes: []string{"The fair counterpart of a wide pool is a group with a mixed-instances policy, whose types have to be alike in size. " +
			"The two rows with one type show what the number of types does, whichever autoscaler has them. It depends on shortages being independent between offerings, which is assumed: " +
			"one of a whole zone would hurt all rows alike. With capacity on demand to fall back on, as most have it, shortages cost money instead of time."},
	}, nil
}

// cloudFeatures is claim 4.
func cloudFeatures(ctx context.Context, l *lab) (claim, error) {
	k, c := karpenterOn(spotFiles...), clusterAutoscalerOn(spotFiles...)
	mixed := c.with("", groups("mixed", "fallback"))
	bare := mixed.under("Cluster Autoscaler, spot, ten types, cheapest pool, no termination handler", reclaimed, cheapestPool)
	bare.autoscaler = func(seed uint64) replay.Autoscaler {
		return replay.ClusterAutoscalerWithoutHandler(clusterautoscaler.WithSeed(seed))
	}
	variants := []variant{
		k.under("Karpenter, spot", reclaimed),
		k.with("Karpenter, on demand", only("karpenter.sh/capacity-type", requirements.CapacityTypeOnDemand)),
		mixed.under("Cluster Autoscaler, spot, ten types", reclaimed),
		mixed.under("Cluster Autoscaler, spot, ten types, cheapest pool", reclaimed, cheapestPool),
		c.with("", groups("single", "fallback")).under("Cluster Autoscaler, spot, one type", reclaimed),
		bare,
		c.with("Cluster Autoscaler, on demand", groups("fallback")),
	}
	all, err := l.replayAll(ctx, variants...)
	if err != nil {
		return claim{}, err
	}
	const first, last, firm = 2, 4, 6
	best := first + cheapest(all[first:last+1])
	own, theirs := savings(cost, all[0], all[1]), savings(cost, all[best], all[firm])
	ahead := make([]float64, len(own))
	for i := range ahead {
		ahead[i] = own[i] - theirs[i]
	}
	return claim{
		number: 4, title: "Uses cloud features: spot, mixed instances",
		means: "Karpenter makes more of spot: it saves more against its own bill on demand, and interruptions cost it less.",
		predictions: []prediction{
			{says: "spot saves more of the bill", karpenter: percent(replay.NewEstimate(own).Mean), other: percent(replay.NewEstimate(theirs).Mean),
				effect: replay.NewEstimate(ahead), least: enough, form: points},
			lower("less run time is lost to interruptions", lost, all[0], all[best]),
			lower("the bill with spot is lower", cost, all[0], all[best]),
		},
		tables: []table{compared("Six hours of batch work, one in twenty spot instances reclaimed an hour",
			[]figure{cost, onDemand, interrupts, evicted, lost, waitMean}, namesOf(variants), all)},
		notes: []string{"Compared with is the cheapest row of Cluster Autoscaler with spot and a termination handler: " + variants[best].name + ". " +
			"Both use spot and both can mix types: Karpenter by the requirements of a pool, Cluster Autoscaler by a group's mixed-instances policy. " +
			"Karpenter drains interrupted nodes itself, Cluster Autoscaler needs a handler beside it. What is lost of a batch pod is all that it had run, and of a large node many pods at once. " +
			"It depends on prices (30-day averages by type and region) and on the hazard, which is made up here and the same for all types, so that neither gains by avoiding the types that are reclaimed most. " +
			"The strategy price-capacity-optimized pays up to a tenth more for a better band of interruptions, the proxy for a pool's depth; the strategy of the cheapest pool does not."},
	}, nil
}
