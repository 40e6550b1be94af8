package feasibility

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// TestRevertTakesBackEverything makes random changes in nested forks and compares
// what every pod is told afterwards with a cluster that was never changed, and, in
// between, with one that was built afresh in the same state.
func TestRevertTakesBackEverything(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		u := NewUniverse(&packing.Snapshot{})
		classes := changingClasses(t, u)
		cl := u.NewCluster()
		for i := range 4 {
			p, err := u.Profile(testNode(fmt.Sprint("n", i), string(rune('a'+i%3))))
			require.NoError(t, err)
			cl.AddNode(p, false, nil)
		}
		template, err := u.Profile(testNode("template", "b"))
		require.NoError(t, err)
		randomChanges(rng, cl, classes, template, 10)
		before := answers(cl, classes)
		cl.Fork()
		randomChanges(rng, cl, classes, template, 20)
		inner := answers(cl, classes)
		require.Equal(t, answers(rebuilt(u, cl), classes), inner, "seed %d: counters drifted", seed)
		cl.Fork()
		randomChanges(rng, cl, classes, template, 20)
		cl.Revert()
		require.Equal(t, inner, answers(cl, classes), "seed %d: the inner fork left a trace", seed)
		cl.Revert()
		require.Equal(t, before, answers(cl, classes), "seed %d: the outer fork left a trace", seed)
	}
}

func changingClasses(t *testing.T, u *Universe) []*Class {
	t.Helper()
	small := requests(corev1.ResourceCPU, "100m")
	var out []*Class
	for _, pod := range []*corev1.Pod{
		testPod("x", small),
		testPod("y", small, hostPortOf(80, "")),
		testPod("x", small, spreadOver(zone, 1, app("x"))),
		testPod("x", small, spreadOver(corev1.LabelHostname, 2, app("x"), minDomains(3))),
		testPod("y", small, near(zone, app("x"))),
		testPod("z", small, awayFrom(zone, app("y"))),
		testPod("z", small, awayFrom(corev1.LabelHostname, app("z"))),
	} {
		c, err := u.Class(pod)
		require.NoError(t, err)
		out = append(out, c)
	}
	return out
}

func randomChanges(rng *rand.Rand, cl *Cluster, classes []*Class, template *Profile, n int) {
	for range n {
		order := cl.Order()
		switch node := order[rng.IntN(len(order))]; {
		case rng.IntN(6) == 0:
			cl.AddNode(template, true, []Held{{classes[rng.IntN(len(classes))], 1}})
		case rng.IntN(8) == 0 && len(order) > 2:
			cl.RemoveNode(node)
		case rng.IntN(4) == 0 && len(cl.Held(node)) > 0:
			cl.Place(cl.Held(node)[0].Class, node, -1)
		default:
			cl.Place(classes[rng.IntN(len(classes))], node, int32(1+rng.IntN(2)))
		}
	}
}

// answers is what each class is told of each node.
func answers(cl *Cluster, classes []*Class) (out []string) {
	for _, n := range cl.Order() {
		for _, c := range classes {
			out = append(out, fmt.Sprint(n, " ", c.Index, " ", cl.Check(c, n)))
		}
	}
	return out
}

// rebuilt is a cluster in the same state that was never reverted; its nodes keep
// their indexes.
func rebuilt(u *Universe, from *Cluster) *Cluster {
	cl := u.NewCluster()
	live := make(map[int32]bool)
	for _, n := range from.Order() {
		live[n] = true
	}
	for i := range from.nodes {
		n := &from.nodes[i]
		index := cl.AddNode(n.profile, n.copied, n.held)
		if !live[index] {
			cl.RemoveNode(index)
		}
	}
	return cl
}
