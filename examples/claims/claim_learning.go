package main

import (
	"context"
	"fmt"
	"time"

	"github.com/binwright/binwright/scenarios/replay"
)

// steady makes each latency its median and has nothing reclaimed, so that days differ in nothing
// but what the autoscaler remembers.
func steady(s *replay.Settings) {
	l := &s.Latencies
	for _, x := range []*replay.Latency{&l.Launch, &l.GroupLaunch, &l.Boot, &l.Ready, &l.PodStart, &l.PodStop} {
		x.Sigma = 0
	}
	s.Cloud.Hazard = replay.NoHazard
}

const (
	day      = 24 * time.Hour
	firstDay = 1
	lastDay  = 5
)

// decisionsOn describes the decisions of one day, without their moments and the names of nodes.
func decisionsOn(o outcome, n int) []string {
	var all []string
	for _, d := range o.decisions {
		if at := d.At - time.Duration(n-1)*day; at >= 0 && at < day {
			all = append(all, fmt.Sprintf("%s %s %d", d.Kind, d.Reason, d.Pods))
		}
	}
	return all
}

// decidedOtherwise is the share of the last day's decisions that the first day does not have.
func decidedOtherwise(o outcome) float64 {
	left := map[string]int{}
	for _, d := range decisionsOn(o, firstDay) {
		left[d]++
	}
	later := decisionsOn(o, lastDay)
	different := 0
	for _, d := range later {
		if left[d]--; left[d] < 0 {
			different++
		}
	}
	return float64(different) / float64(max(1, len(later)))
}

// learning is claim 7.
func learning(ctx context.Context, l *lab) (claim, error) {
	files := []string{"same-days", "on-demand-pool", "agents"}
	c := claim{
		number: 7, title: "Adaptive algorithms that learn",
		means: "What was seen on earlier days changes what is decided: work that comes each day at the same hour is served better with time.",
		notes: []string{"Days are the same, nothing is drawn but the moment of the first scan, and each night the cluster is empty: what is left of a day is what the autoscaler remembers. " +
			"Neither has anything that learns (Karpenter v1.14.1, Cluster Autoscaler 33c3f97bf). They keep timers, back-offs, a list of offerings that lacked capacity; Cluster Autoscaler keeps the last template of a group and " +
			"where its walk over nodes ended, which can break a tie otherwise. The replay models those versions: it can tell what that brings, not what another version might learn."},
	}
	t := table{caption: fmt.Sprintf("Day %d beside day %d", lastDay, firstDay),
		head: []string{"", fmt.Sprintf("pod-seconds pending, day %d", firstDay), fmt.Sprintf("day %d", lastDay), "shorter by", fmt.Sprintf("decisions of day %d that day %d does not have", lastDay, firstDay)}}
	for _, v := range []variant{karpenterOn(files...), clusterAutoscalerOn(files...)} {
		byDays := map[int][]outcome{}
		for _, days := range []int{firstDay, lastDay - 1, lastDay} {
			long := v.under(fmt.Sprintf("%s, days 1 to %d", v.name, days), steady, func(s *replay.Settings) { s.For = time.Duration(days) * day })
			long.seeds = min(l.seeds, 5)
			o, err := l.replay(ctx, long)
			if err != nil {
				return claim{}, err
			}
			byDays[days] = o
		}
		later := differences(pending, byDays[lastDay], byDays[lastDay-1])
		gained := make([]float64, len(later))
		for i := range later {
			gained[i] = saved(later[i], pending.value(byDays[firstDay][i]))
		}
		a, b, gain := pending.estimate(byDays[firstDay]), replay.NewEstimate(later), replay.NewEstimate(gained)
		other := figure{"", decidedOtherwise, percent}
		t.rows = append(t.rows, []string{v.name, plusMinus(a, number), plusMinus(b, number), interval(gain, percent), interval(other.estimate(byDays[lastDay]), percent)})
		if len(c.predictions) == 0 {
			c.predictions = append(c.predictions, prediction{says: "after four days that were alike, pods wait less on the fifth than on the first", karpenter: number(b.Mean) + " pod-seconds",
				other: number(a.Mean) + ", day 1", effect: gain, least: enough, form: percent})
		}
	}
	c.tables = []table{t}
	return c, nil
}
