package clusterautoscaler

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// largeProblem is a random problem with hundreds of pods whose requests are drawn for each,
// so that controllers have more kinds than are grouped and simulated nodes come in many
// states: single pods, runs and blocks of runs all have their part.
func largeProblem(seed uint64) problem {
	d := &draw{rand.New(rand.NewPCG(seed, 2))}
	p := problem{snapshot: &packing.Snapshot{}}
	for i := range 1 + d.IntN(3) {
		g := d.group(i)
		g.MaxSize += 200
		g.Template.Spec.Taints = nil
		p.groups = append(p.groups, g)
	}
	if d.one(2) {
		node := d.node(0, p.groups)
		node.NodeGroup = ""
		p.snapshot.Nodes = append(p.snapshot.Nodes, node)
	}
	for w := range 4 + d.IntN(6) {
		pods := d.workload(w)
		many := 20 + d.IntN(100)
		for i := len(pods); i < many; i++ {
			pod := pods[0].DeepCopy()
			pod.Name = fmt.Sprint("w", w, "-", i)
			pods = append(pods, pod)
		}
		kinds := 1 + d.IntN(30)
		for _, pod := range pods {
			k := d.IntN(kinds)
			requests := quantities(40*(1+k%7), 64*(1+k%5), 0)
			delete(requests, corev1.ResourcePods)
			pod.Spec.Containers[0].Resources.Requests = requests
		}
		p.snapshot.Pods = append(p.snapshot.Pods, pods...)
	}
	p.options = append(p.options,
		WithExpander(expanders[d.IntN(len(expanders))]),
		WithFastpathBinpacking(d.one(4)),
		WithBalanceSimilarNodeGroups(d.one(3)),
		WithMaxNodesPerScaleUp([]int{1000, 1000, 30}[d.IntN(3)]),
	)
	return p
}

func TestArithmeticEqualsTheLongWayAtSize(t *testing.T) {
	problems := uint64(60)
	if testing.Short() {
		problems = 10
	}
	ctx := context.Background()
	blocks, arithmetic := 0, 0
	for seed := range problems {
		p := largeProblem(seed)
		packer, err := New(p.groups, p.options...)
		require.NoError(t, err)
		runs := make([]*Run, 2)
		for i := range runs {
			r, err := newRun(ctx, packer, p.snapshot)
			require.NoError(t, err, "seed %d", seed)
			r.longWay = i == 0
			runs[i], err = r.toRest()
			require.NoError(t, err, "seed %d", seed)
			arithmetic += r.reckoned
			blocks = max(blocks, len(r.scratch.blocks), len(r.scratch.spare))
		}
		require.Equal(t, trace(runs[0]), trace(runs[1]), "seed %d: the long way and arithmetic differ", seed)
		require.Equal(t, len(p.snapshot.Pods), runs[1].Plan.PodCount()+len(runs[1].Plan.Unschedulable), "seed %d: pods", seed)
		for _, v := range packing.Verify(p.snapshot, runs[1].Plan, packing.Tolerate(packing.RuleDaemons)) {
			t.Errorf("seed %d: %s", seed, v)
		}
	}
	require.Greater(t, blocks, 3, "no problem had many states of nodes")
	require.Positive(t, arithmetic)
	t.Logf("%d estimates by arithmetic, up to %d blocks", arithmetic, blocks)
}

// The permutation of equal scores decides: ours must be the one that the original's
// sort.Slice makes.
func TestScoresAreSortedAsTheOriginalSortsThem(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		have := make([]scored, rng.IntN(600))
		distinct := 1 + rng.IntN(40)
		for i := range have {
			have[i] = scored{&podGroup{}, float64(rng.IntN(distinct))}
		}
		switch rng.IntN(3) { // patterns that the sort looks out for
		case 0:
			slices.SortStableFunc(have, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
		case 1:
			slices.SortStableFunc(have, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
		}
		want := slices.Clone(have)
		sort.Slice(want, func(i, j int) bool { return want[i].score > want[j].score })
		sortScored(have)
		for i := range want {
			require.Same(t, want[i].group, have[i].group, "place %d of %d", i, len(want))
		}
	}
}
