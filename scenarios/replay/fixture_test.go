package replay

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/pricing"
)

var update = flag.Bool("update", false, "rewrite testdata with what the code does now")

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name string, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test -update rewrites %s", name)
}

const gib = 1 << 30

// fleet drives a meter as a kernel would: pods of 1 CPU and 2 GiB come and go with
// the hour, nodes of random kinds are launched for those that wait and leave when
// they are empty, are interrupted, or fail to launch. It keeps books of its own.
type fleet struct {
	m     *meter
	draws *rand.Rand
	kinds []nodeBill
	nodes []*fleetNode
	wait  []time.Duration // when the pods that wait were created
	asked []time.Duration // when the requested nodes will be there
	costs []float64       // of all nodes at their own prices
}

type fleetNode struct {
	bill     nodeBill
	launched time.Duration
	phase    nodePhase
	pods     []time.Duration // when they began to run
}

const fleetTick = 20 * time.Second

// runFleet replays a fleet for a time. What an autoscaler does depends on its name alone.
func runFleet(t testing.TB, autoscaler string, seed uint64, last, step time.Duration, commitments ...pricing.Commitment) *Result {
	t.Helper()
	f := &fleet{m: newMeter(step), draws: rand.New(rand.NewPCG(seed, uint64(len(autoscaler))))}
	f.m.commit(commitments)
	for i, typ := range []string{"m6i.large", "m6i.xlarge", "m6i.2xlarge", "c7i.xlarge", "c7i.2xlarge", "r7i.xlarge", "r7i.2xlarge", "m7g.xlarge"} {
		size := int64(2 << (i % 3))
		for j, capacityType := range []string{"on-demand", "spot"} {
			f.kinds = append(f.kinds, nodeBill{
				typ: typ, zone: fmt.Sprintf("us-east-1%c", 'a'+i%2), capacityType: capacityType, owner: []string{"general", "batch"}[i%2],
				price: 0.0481 * float64(size) / float64(1+j), milliCPU: 1000*size - 80, memory: 4*gib*size - gib/2,
			})
		}
	}
	for now := fleetTick; now < last; now += fleetTick {
		f.m.advance(now)
		f.tick(now)
	}
	f.m.advance(last)
	pods := len(f.wait)
	for _, n := range f.nodes {
		pods += len(n.pods)
		f.m.nodeAtEnd(n.bill, last-n.launched)
		f.costs = append(f.costs, pricing.Cost(n.bill.price, last-n.launched))
	}
	require.NoError(t, f.m.conserved(pods, len(f.nodes)))
	r := f.m.result()
	if len(commitments) == 0 {
		require.InDelta(t, instancetypes.SumPrices(f.costs), r.Cost.TotalUSD, 1e-6)
	}
	r.Scenario, r.Autoscaler, r.Seed, r.Complete = "day-and-night", autoscaler, seed, true
	r.Assumptions = []string{
		"Nodes are ready between 30 and 75 seconds after the request.",
		"Spot capacity is reclaimed at a constant rate of one interruption in 40 node-hours, whatever the instance type, which is more than providers publish.",
	}
	return r
}

func (f *fleet) tick(now time.Duration) {
	m := f.m
	// A wave of 12 hours: up to 3 pods a tick.
	height := (now % (12 * time.Hour)).Hours() / 6
	if height > 1 {
		height = 2 - height
	}
	for range f.draws.IntN(2 + int(2.5*height)) {
		m.podCreated()
		m.pending(1)
		f.wait = append(f.wait, now-time.Duration(f.draws.Int64N(int64(fleetTick))))
	}
	f.launch(now)
	f.finish(now)
	f.bind(now)
	if need := (len(f.wait) + 2) / 3; need > len(f.asked) {
		m.nodeRequested()
		m.decision("launch", "pods wait")
		f.asked = append(f.asked, now+30*time.Second+time.Duration(f.draws.Int64N(int64(45*time.Second))))
	}
}

// launch brings the nodes that are due.
func (f *fleet) launch(now time.Duration) {
	var later []time.Duration
	for _, at := range f.asked {
		switch {
		case at > now:
			later = append(later, at)
		case f.draws.IntN(40) == 0:
			f.m.launchFailed("insufficient capacity")
		default:
			n := &fleetNode{bill: f.kinds[f.draws.IntN(len(f.kinds))], launched: now, phase: phaseReady}
			f.m.nodeLaunched(n.bill)
			f.m.nodeReady()
			f.nodes = append(f.nodes, n)
		}
	}
	f.asked = later
}

// finish ends pods, interrupts spot nodes, and lets empty nodes go.
func (f *fleet) finish(now time.Duration) {
	kept := f.nodes[:0]
	for _, n := range f.nodes {
		if n.phase == phaseLeaving {
			f.m.nodeGone(n.bill, now-n.launched, n.phase)
			f.costs = append(f.costs, pricing.Cost(n.bill.price, now-n.launched))
			continue
		}
		kept = append(kept, n)
		var running []time.Duration
		for _, since := range n.pods {
			if f.draws.IntN(90) == 0 {
				f.m.running(-1)
				f.m.podFinished()
				continue
			}
			running = append(running, since)
		}
		f.setPods(n, running)
		switch {
		case n.bill.capacityType == "spot" && f.draws.IntN(40*180) == 0:
			f.m.interrupted()
			for _, since := range n.pods {
				f.m.running(-1)
				f.m.podEvicted("interruption", now-since)
			}
			f.leave(n)
		case len(n.pods) == 0 && now-n.launched > 5*time.Minute:
			f.m.consolidated()
			f.m.decision("terminate", "empty")
			f.leave(n)
		}
	}
	f.nodes = kept
}

func (f *fleet) leave(n *fleetNode) {
	f.setPods(n, nil)
	f.m.nodeLeaving(true)
	n.phase = phaseLeaving
}

// setPods tells the meter what is requested of a node from now on.
func (f *fleet) setPods(n *fleetNode, pods []time.Duration) {
	before, after := int64(len(n.pods)), int64(len(pods))
	f.m.usage(n.bill, 1000*before, 2*gib*before, 1000*after, 2*gib*after)
	n.pods = pods
}

func (f *fleet) bind(now time.Duration) {
	for _, n := range f.nodes {
		for n.phase == phaseReady && len(f.wait) > 0 && int64(len(n.pods)+1)*1000 <= n.bill.milliCPU {
			f.m.pending(-1)
			f.m.podBound(now - f.wait[0])
			f.m.podRunning(now - f.wait[0] + 2500*time.Millisecond)
			f.m.running(1)
			f.wait = f.wait[1:]
			f.setPods(n, append(n.pods, now))
		}
	}
}
