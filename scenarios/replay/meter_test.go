package replay

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/pricing"
)

// large costs $1 an hour.
func large(capacityType, zone, owner string) nodeBill {
	return nodeBill{typ: "m5.large", zone: zone, capacityType: capacityType, owner: owner, price: 1, milliCPU: 2000, memory: 8 * gib}
}

// TestHalfUsedNode: $1 an hour for 30 minutes is $0.50; of half of it nobody makes use.
func TestHalfUsedNode(t *testing.T) {
	m := newMeter(0)
	n := large("on-demand", "a", "pool")
	m.advance(time.Hour)
	m.nodeRequested()
	m.nodeLaunched(n)
	m.nodeReady()
	m.usage(n, 0, 0, 1000, 2*gib)
	m.advance(90 * time.Minute)
	m.usage(n, 1000, 2*gib, 0, 0)
	m.nodeLeaving(true)
	m.nodeGone(n, 30*time.Minute, phaseLeaving)
	m.advance(2 * time.Hour)
	require.NoError(t, m.conserved(0, 0))
	r := m.result()

	share := func(name string) []Share { return []Share{{Name: name, Nodes: 1, NodeHours: 0.5, USD: 0.5}} }
	assert.Equal(t, Cost{
		TotalUSD: 0.5, WasteUSD: 0.25,
		ByType: share("m5.large"), ByCapacityType: share("on-demand"), ByOwner: share("pool"), ByZone: share("a"),
	}, r.Cost)
	assert.Equal(t, Utilisation{CPU: 0.5, Memory: 0.25}, r.Utilisation)
	assert.Equal(t, NodeCounts{Requested: 1, Launched: 1, Terminated: 1, Peak: 1, NodeHours: 0.5, LaunchFailures: []ReasonCount{}}, r.Nodes)
	assert.Equal(t, 2*time.Hour, r.Duration)
	assert.Empty(t, r.Series)
}

// TestWasteCountsTheScarcerResource: a node is used as far as the resource that is
// used most, and waste is a sum over nodes and not of sums.
func TestWasteCountsTheScarcerResource(t *testing.T) {
	m := newMeter(0)
	n, full := large("on-demand", "a", "pool"), large("spot", "a", "pool")
	m.nodeExisting(n)
	m.nodeExisting(full)
	m.usage(n, 0, 0, 500, 6*gib)
	m.usage(full, 0, 0, 2000, 0)
	m.advance(4 * time.Hour)
	m.usage(full, 2000, 0, 3000, 0) // over-committed is no negative waste
	m.advance(8 * time.Hour)
	m.nodeAtEnd(n, 8*time.Hour)
	m.nodeAtEnd(full, 8*time.Hour)
	require.NoError(t, m.conserved(0, 2))
	r := m.result()
	assert.Equal(t, 2.0, r.Cost.WasteUSD, "a quarter of $1 for 8 hours")
	assert.Equal(t, 16.0, r.Cost.TotalUSD)
	assert.Equal(t, NodeCounts{Existing: 2, AtEnd: 2, Peak: 2, NodeHours: 16, LaunchFailures: []ReasonCount{}}, r.Nodes)
}

// TestBillsRoundUp: a node is billed for a minute at least and by the second.
func TestBillsRoundUp(t *testing.T) {
	m := newMeter(10 * time.Second)
	n := large("spot", "a", "pool")
	n.price = 36
	for _, ran := range []time.Duration{10 * time.Second, 90*time.Second + 1} {
		m.nodeRequested()
		m.nodeLaunched(n)
		m.advance(m.now + ran)
		m.nodeGone(n, ran, phaseLaunching)
	}
	require.NoError(t, m.conserved(0, 0))
	r := m.result()
	assert.InDelta(t, 0.60+0.91, r.Cost.TotalUSD, 1e-9)
	assert.Equal(t, 0.1, r.Series[1].CostUSD, "by exact time")
	assert.Equal(t, 36.0, r.Series[1].HourlyUSD, "the second node is there by then")
}

// TestCommitments: two instances of m5.large cost $0.50 an hour each, used or not.
//
//	hour            1  2  3  4
//	a (zone a)      x  x
//	b (zone b)         x  x
//	c (zone c)         x
//	spot            x  x  x  x   (never covered)
//	covered         1  2  1  0   4 hours, saving $0.50 each
//	unused          1  0  1  2   4 hours, $2
func TestCommitments(t *testing.T) {
	m := newMeter(time.Hour)
	m.commit([]pricing.Commitment{{InstanceType: "m5.large", Count: 2, HourlyUSD: 0.5}})
	a, b, c, spot := large("on-demand", "a", "pool"), large("on-demand", "b", "pool"), large("on-demand", "c", "pool"), large("spot", "a", "pool")
	launch := func(n nodeBill) {
		m.nodeRequested()
		m.nodeLaunched(n)
		m.nodeReady()
	}
	launch(a)
	launch(spot)
	m.advance(time.Hour)
	launch(c)
	launch(b)
	m.advance(2 * time.Hour)
	m.nodeGone(a, 2*time.Hour, phaseReady)
	m.nodeGone(c, time.Hour, phaseReady)
	m.advance(3 * time.Hour)
	m.nodeGone(b, 2*time.Hour, phaseReady)
	m.advance(4 * time.Hour)
	m.nodeAtEnd(spot, 4*time.Hour)
	require.NoError(t, m.conserved(0, 1))
	r := m.result()
	assert.Equal(t, 2.0, r.Cost.UnusedCommitmentUSD)
	assert.Equal(t, 4.0+5-4*0.5+2, r.Cost.TotalUSD, "spot, on-demand, less saved, and unused")
	assert.Equal(t, []Share{{"spot", 1, 4, 4}, {"on-demand", 3, 5, 3}}, r.Cost.ByCapacityType)
	assert.Equal(t, []Share{{"a", 2, 6, 5}, {"b", 1, 2, 1}, {"c", 1, 1, 1}}, r.Cost.ByZone)
	var hourly, paid []float64
	for _, s := range r.Series {
		hourly, paid = append(hourly, s.HourlyUSD), append(paid, s.CostUSD)
	}
	assert.Equal(t, []float64{2, 3, 2, 2, 2}, hourly)
	assert.Equal(t, []float64{0, 2, 5, 7, 9}, paid)
	assert.Equal(t, r.Cost, m.result().Cost, "reading the meter does not change it")
}

func TestCommitmentsCoverTheDearestFirst(t *testing.T) {
	m := newMeter(0)
	m.commit([]pricing.Commitment{{InstanceType: "m5.large", Count: 1, HourlyUSD: 0.5}})
	cheap, dear := large("on-demand", "a", "pool"), large("on-demand", "b", "pool")
	dear.price = 2
	m.nodeExisting(cheap)
	m.nodeExisting(dear)
	m.advance(time.Hour)
	m.nodeAtEnd(cheap, time.Hour)
	m.nodeAtEnd(dear, time.Hour)
	assert.Equal(t, []Share{{"a", 1, 1, 1}, {"b", 1, 1, 0.5}}, m.result().Cost.ByZone)
}

func TestPodsAndWaits(t *testing.T) {
	m := newMeter(0)
	for range 4 {
		m.podCreated()
		m.pending(1)
	}
	m.advance(10 * time.Second) // 40 pod-seconds
	m.pending(-2)
	m.podBound(10 * time.Second)
	m.podBound(10 * time.Second)
	m.advance(15 * time.Second) // 10 more
	m.running(1)
	m.podRunning(15 * time.Second)
	m.pending(-1)
	m.podGaveUp()
	m.advance(75 * time.Second) // 60 more
	m.running(-1)
	m.podEvicted("preemption", time.Minute)
	m.podCreated()
	m.pending(1)
	m.podCreated()
	m.podDeleted()
	require.NoError(t, m.conserved(3, 0))
	r := m.result()
	assert.Equal(t, PodCounts{
		Created: 6, Deleted: 1, GaveUp: 1, Evicted: 1, EvictedBy: []ReasonCount{{"preemption", 1}},
		PendingAtEnd: 2, StartingAtEnd: 1, LostSeconds: 60,
	}, r.Pods)
	assert.Equal(t, 110.0, r.Wait.PendingPodSeconds)
	assert.Equal(t, 2, r.Wait.ToBound.Count)
	assert.Equal(t, Quantiles{Count: 1, Mean: 15, P50: 15, P90: 15, P99: 15, Max: 15}, r.Wait.ToRunning)
}

// TestSeries: a sample has all that happens at its moment, and there is one a step.
func TestSeries(t *testing.T) {
	m := newMeter(time.Minute)
	m.advance(0)
	m.podCreated()
	m.pending(1)
	m.nodeRequested()
	m.advance(time.Minute)
	m.pending(-1)
	m.advance(time.Minute)
	m.running(1)
	m.launchFailed("insufficient capacity")
	m.advance(3*time.Minute + 30*time.Second)
	r := m.result()
	assert.Equal(t, []Sample{
		{PendingPods: 1, LaunchingNodes: 1},
		{At: time.Minute, RunningPods: 1},
		{At: 2 * time.Minute, RunningPods: 1},
		{At: 3 * time.Minute, RunningPods: 1},
	}, r.Series)
	m.advance(4 * time.Minute)
	assert.Len(t, m.result().Series, 5, "one at the end if a step ends there")
	assert.Len(t, m.result().Series, 5, "and only one")
}

func TestDecisionsAndReasonsAreSorted(t *testing.T) {
	m := newMeter(0)
	for _, d := range [][2]string{{"launch", "b"}, {"consolidate", "z"}, {"launch", "a"}, {"launch", "b"}} {
		m.decision(d[0], d[1])
	}
	for _, reason := range []string{"b", "c", "a", "c"} {
		m.nodeRequested()
		m.launchFailed(reason)
	}
	r := m.result()
	assert.Equal(t, []DecisionCount{{"consolidate", "z", 1}, {"launch", "a", 1}, {"launch", "b", 2}}, r.Decisions)
	assert.Equal(t, []ReasonCount{{"c", 2}, {"a", 1}, {"b", 1}}, r.Nodes.LaunchFailures)
	assert.Equal(t, 4, r.Nodes.Failures())
}

// TestRequestsEnd: what is asked for is launched, fails, is taken back, or is open.
func TestRequestsEnd(t *testing.T) {
	m := newMeter(0)
	n := large("spot", "a", "pool")
	for range 5 {
		m.nodeRequested()
	}
	m.launchFailed("insufficient capacity")
	m.nodeWithdrawn()
	m.nodeLaunched(n)
	m.nodeLaunched(n)
	m.nodeLeaving(false)
	m.nodeReady()
	m.advance(time.Hour)
	m.expired()
	m.nodeGone(n, time.Hour, phaseLeaving)
	m.scaledDown()
	m.nodeGone(n, time.Hour, phaseReady)
	require.NoError(t, m.conserved(0, 0))
	assert.Equal(t, NodeCounts{
		Requested: 5, Launched: 2, Terminated: 2, Peak: 2, NodeHours: 2, LaunchFailures: []ReasonCount{{"insufficient capacity", 1}},
		Expirations: 1, ScaledDown: 1,
	}, m.result().Nodes)
	assert.Equal(t, 1, m.nodes.in[phaseLaunching], "one request is open")
}

func TestConservation(t *testing.T) {
	n := large("on-demand", "a", "pool")
	for name, test := range map[string]struct {
		do          func(*meter)
		pods, nodes int
		want        string
	}{
		"a pod is lost":             {do: func(m *meter) { m.podCreated(); m.pending(1) }, want: "1 pods were created and 0 ended, but there are 0"},
		"a pod is in two states":    {do: func(m *meter) { m.podCreated(); m.pending(1); m.running(1) }, pods: 1, want: "of 1 pods 1 are pending and 1 run"},
		"fewer than no pods":        {do: func(m *meter) { m.running(-1) }, want: "-1 pods run"},
		"time goes back":            {do: func(m *meter) { m.advance(2); m.advance(1) }, want: "time goes back"},
		"a wait below zero":         {do: func(m *meter) { m.podBound(-1) }, want: "waited for -1ns"},
		"a lost node":               {do: func(m *meter) { m.nodeExisting(n) }, want: "1 nodes are billed, but there are 0"},
		"a node not ready is ready": {do: func(m *meter) { m.nodeReady() }, want: "nodes are in phase 0"},
		"an unbilled node":          {do: func(m *meter) { m.nodeExisting(n); m.advance(time.Hour) }, nodes: 1, want: "nodes ran for 1 hours, but 0 hours are billed"},
		"a bill too high": {
			do: func(m *meter) { m.nodeExisting(n); m.advance(time.Hour); m.nodeAtEnd(n, 2*time.Hour) }, nodes: 1, want: "the bill is $2",
		},
		"a price that changes": {
			do: func(m *meter) {
				m.nodeExisting(n)
				m.advance(time.Hour)
				dear := n
				dear.price = 3
				m.nodeGone(dear, time.Hour, phaseReady)
			}, want: "without a node $-2 an hour are paid",
		},
		"usage that stays": {
			do: func(m *meter) {
				m.nodeExisting(n)
				m.usage(n, 0, 0, 500, 0)
				m.advance(time.Hour)
				m.nodeGone(n, time.Hour, phaseReady)
			}, want: "without a node 500 milli-CPU",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeter(0)
			test.do(m)
			err := m.conserved(test.pods, test.nodes)
			require.ErrorIs(t, err, ErrConservation)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// TestTimeMayBeCut: it does not matter into how many pieces time is cut.
func TestTimeMayBeCut(t *testing.T) {
	measure := func(cuts *rand.Rand) *Result {
		m := newMeter(7 * time.Minute)
		pass := func(to time.Duration) {
			for cuts != nil && m.now < to {
				m.advance(m.now + time.Duration(cuts.Int64N(int64(to-m.now)))/2 + 1)
			}
			m.advance(to)
		}
		n := large("on-demand", "a", "pool")
		n.price = 0.0973
		m.nodeExisting(n)
		m.podCreated()
		m.pending(1)
		m.usage(n, 0, 0, 333, gib/3)
		pass(time.Hour + 17*time.Nanosecond)
		m.usage(n, 333, gib/3, 777, gib/7)
		pass(3*time.Hour + time.Minute)
		m.nodeAtEnd(n, m.now)
		return m.result()
	}
	assert.Equal(t, measure(nil), measure(rand.New(rand.NewPCG(1, 2))))
}

// TestRandomFleets: whatever happens, the books add up (runFleet checks), the
// splits add up to the total, and the samples are as many as there are steps.
func TestRandomFleets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		last := time.Duration(rapid.Int64Range(1, int64(4*time.Hour)).Draw(rt, "last"))
		step := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(rt, "step"))
		var commitments []pricing.Commitment
		if n := rapid.IntRange(0, 5).Draw(rt, "committed"); n > 0 {
			commitments = []pricing.Commitment{{InstanceType: "m6i.large", Count: n, HourlyUSD: 0.05}}
		}
		r := runFleet(t, "any", seed, last, step, commitments...)
		for _, split := range [][]Share{r.Cost.ByType, r.Cost.ByCapacityType, r.Cost.ByOwner, r.Cost.ByZone} {
			sum := r.Cost.UnusedCommitmentUSD
			for _, s := range split {
				sum += s.USD
			}
			assert.InDelta(t, r.Cost.TotalUSD, sum, 1e-6)
		}
		assert.Len(t, r.Series, int(last/step)+1)
		assert.LessOrEqual(t, r.Cost.WasteUSD, r.Cost.TotalUSD+1e-9)
	})
}

// BenchmarkMeter is what one pod's stay costs the meter: created, bound, run, ended,
// with time passing before each.
func BenchmarkMeter(b *testing.B) {
	m := newMeter(0)
	n := large("on-demand", "a", "pool")
	m.nodeExisting(n)
	b.ReportAllocs()
	for b.Loop() {
		m.advance(m.now + time.Second)
		m.podCreated()
		m.pending(1)
		m.advance(m.now + time.Second)
		m.pending(-1)
		m.podBound(time.Second)
		m.usage(n, 0, 0, 1000, gib)
		m.advance(m.now + time.Second)
		m.running(1)
		m.podRunning(2 * time.Second)
		m.advance(m.now + time.Second)
		m.running(-1)
		m.usage(n, 1000, gib, 0, 0)
		m.podFinished()
	}
}
