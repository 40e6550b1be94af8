package kubescheduler

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// always are the reasons that a new node may cure whatever it is like.
var always = ReasonsOf(Ports, VolumeRestrictions, VolumeLimits, VolumeBinding, VolumeZone)

// A node that comes is worth an attempt if it alone would not turn the pod away for the same reason.
func TestNodeAddedHint(t *testing.T) {
	tests := []struct {
		name string
		node *corev1.Node
		pod  *corev1.Pod
		want Reasons
	}{
		{"plain", aNode("n", "a", "cpu=2"), aPod("app=x", "cpu=1"), ReasonsOf(Unschedulable, Taint, NodeAffinity, Resources)},
		{"too small", aNode("n", "a", "cpu=2"), aPod("app=x", "cpu=3"), ReasonsOf(Unschedulable, Taint, NodeAffinity)},
		{"tainted", aNode("n", "a", "cpu=2", tainted(corev1.TaintEffectNoSchedule, "hard")), aPod("app=x", "cpu=1"), ReasonsOf(Unschedulable, NodeAffinity, Resources)},
		{"cordoned", aNode("n", "a", "cpu=2", func(n *corev1.Node) { n.Spec.Unschedulable = true }), aPod("app=x", "cpu=1"), ReasonsOf(Taint, NodeAffinity, Resources)},
		{"another node is asked for", aNode("n", "a", "cpu=2"), aPod("app=x", "cpu=1", onNodes("m")), ReasonsOf(Unschedulable, Taint, Resources)},
		{"spread over zones", aNode("n", "a", "cpu=2"), aPod("app=x", "cpu=1", spreadOver(corev1.LabelTopologyZone, 1, corev1.DoNotSchedule, "app=x")),
			ReasonsOf(Unschedulable, Taint, NodeAffinity, Resources) | bySpread},
		{"spread over zones, of which it is in none", aNode("n", "", "cpu=2"), aPod("app=x", "cpu=1", spreadOver(corev1.LabelTopologyZone, 1, corev1.DoNotSchedule, "app=x")),
			ReasonsOf(Unschedulable, Taint, NodeAffinity, Resources)},
		{"near others in a zone, of which it is in none", aNode("n", "", "cpu=2"), aPod("app=x", "cpu=1", nearTo(0, corev1.LabelTopologyZone, "app=y")),
			ReasonsOf(Unschedulable, Taint, NodeAffinity, Resources)},
		{"away from others in a zone, of which it is in none", aNode("n", "", "cpu=2"), aPod("app=x", "cpu=1", awayFrom(0, corev1.LabelTopologyZone, "app=y")),
			ReasonsOf(Unschedulable, Taint, NodeAffinity, Resources) | byPodAffinity},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, id := withNode(t, test.node)
			require.Equal(t, always|test.want, s.NodeAddedHint(class(t, s, test.pod), id))
		})
	}
}

// A change of a node is worth an attempt for what it has changed for the better, alone.
func TestNodeUpdatedHint(t *testing.T) {
	zonal := spreadOver(corev1.LabelTopologyZone, 1, corev1.DoNotSchedule, "app=x")
	hard := tainted(corev1.TaintEffectNoSchedule, "hard")
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	tests := []struct {
		name          string
		before, after *corev1.Node
		pod           *corev1.Pod
		want          Reasons
	}{
		{"nothing", aNode("n", "a", "cpu=2"), aNode("n", "a", "cpu=2"), aPod("app=x", "cpu=1"), 0},
		{"the taint goes", aNode("n", "a", "cpu=2", hard), aNode("n", "a", "cpu=2"), aPod("app=x", "cpu=1"), ReasonsOf(Taint)},
		{"a taint comes", aNode("n", "a", "cpu=2"), aNode("n", "a", "cpu=2", hard), aPod("app=x", "cpu=1"), 0},
		{"uncordoned", aNode("n", "a", "cpu=2", cordoned), aNode("n", "a", "cpu=2"), aPod("app=x", "cpu=1"), ReasonsOf(Unschedulable)},
		{"grown", aNode("n", "a", "cpu=2"), aNode("n", "a", "cpu=3"), aPod("app=x", "cpu=1"), ReasonsOf(Resources)},
		{"grown too little", aNode("n", "a", "cpu=2"), aNode("n", "a", "cpu=3"), aPod("app=x", "cpu=4"), 0},
		{"labelled", aNode("n", "a", "cpu=2"), aNode("n", "a", "cpu=2", labelled("disk=ssd")),
			aPod("app=x", "cpu=1", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }), ReasonsOf(NodeAffinity, VolumeBinding, VolumeZone)},
		{"a taint comes, pods are spread", aNode("n", "a", "cpu=2"), aNode("n", "a", "cpu=2", hard), aPod("app=x", "cpu=1", zonal), bySpread},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, id := withNode(t, test.before)
			c := class(t, s, test.pod)
			require.NoError(t, s.UpdateNode(id, test.after))
			require.Equal(t, test.want, s.NodeUpdatedHint(c, id, test.before))
		})
	}
}

// A pod that goes gives room to all, whatever it held. That one that kept others away has gone is
// not seen: InterPodAffinity asks for the terms of the pod that waits.
func TestPodHints(t *testing.T) {
	s, _ := withNode(t, aNode("n", "a", "cpu=2"))
	port := func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80}} }
	plain, other := class(t, s, aPod("app=x", "cpu=1")), class(t, s, aPod("app=y", "cpu=1"))
	spread := class(t, s, aPod("app=x", "cpu=1", spreadOver(corev1.LabelTopologyZone, 1, corev1.DoNotSchedule, "app=x")))
	near := class(t, s, aPod("app=x", "cpu=1", nearTo(0, corev1.LabelTopologyZone, "app=y")))
	apart := class(t, s, aPod("app=x", "cpu=1", awayFrom(0, corev1.LabelTopologyZone, "app=y")))
	hated := class(t, s, aPod("app=z", "cpu=1", awayFrom(0, corev1.LabelTopologyZone, "app=x")))
	portal := class(t, s, aPod("app=x", "cpu=1", port))
	room := ReasonsOf(Resources)

	require.Equal(t, room, s.PodRemovedHint(plain, other))
	require.Equal(t, room, s.PodRemovedHint(plain, hated))
	require.Equal(t, room|bySpread, s.PodRemovedHint(spread, plain))
	require.Equal(t, room, s.PodRemovedHint(spread, other))
	require.Equal(t, room|byPodAffinity, s.PodRemovedHint(apart, other))
	require.Equal(t, room, s.PodRemovedHint(apart, plain))
	require.Equal(t, room|ReasonsOf(Ports), s.PodRemovedHint(portal, portal))

	require.Zero(t, s.PodAddedHint(plain, other))
	require.Equal(t, bySpread, s.PodAddedHint(spread, plain))
	require.Equal(t, byPodAffinity, s.PodAddedHint(near, other))
	require.Zero(t, s.PodAddedHint(near, plain))
	require.Zero(t, s.PodAddedHint(apart, other))
}

func withNode(t *testing.T, n *corev1.Node) (*Scheduler, NodeID) {
	t.Helper()
	s, err := New(nil)
	require.NoError(t, err)
	id, err := s.AddNode(n)
	require.NoError(t, err)
	return s, id
}

func class(t *testing.T, s *Scheduler, p *corev1.Pod) *Class {
	t.Helper()
	c, err := s.Class(p)
	require.NoError(t, err)
	return c
}

// change draws what becomes of a node.
func change(rng *rand.Rand, n *corev1.Node) *corev1.Node {
	after := n.DeepCopy()
	switch rng.IntN(5) {
	case 0:
		after.Spec.Taints = nil
	case 1:
		tainted(corev1.TaintEffectNoSchedule, "hard")(after)
	case 2:
		after.Spec.Unschedulable = !after.Spec.Unschedulable
	case 3:
		after.Labels = randomNode(rng, n.Name).Labels
	case 4:
		after.Status.Allocatable = randomNode(rng, n.Name).Status.Allocatable
	}
	return after
}

// plugins are the reasons of the plugins that testdata/hints.txt has a bit for, in the order of the bits.
var plugins = []Reasons{ReasonsOf(Unschedulable), ReasonsOf(Taint), ReasonsOf(NodeAffinity), ReasonsOf(Ports), ReasonsOf(Resources), bySpread, byPodAffinity}

// Hints are those of the plugins of kube-scheduler 1.35.0. testdata/hints.txt has what these say, a line for each seed, of
// a node that comes, changes and goes and of another pod that is bound and goes. How it is made is said in bench/kubescheduler/README.md.
func TestHintsAreTheOriginals(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "hints.txt"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	require.Len(t, lines, 600)
	for seed, line := range lines {
		rng := rand.New(rand.NewPCG(uint64(seed), 11))
		before := randomNode(rng, "node")
		after := change(rng, before)
		s, id := withNode(t, before)
		pod, other := class(t, s, randomPod(rng, "pod")), class(t, s, randomPod(rng, "other"))
		got := []Reasons{s.NodeAddedHint(pod, id)}
		require.NoError(t, s.UpdateNode(id, after))
		got = append(got, s.NodeUpdatedHint(pod, id, before), s.NodeRemovedHint(pod, before), s.PodAddedHint(pod, other), s.PodRemovedHint(pod, other))
		fields := strings.Fields(line)
		require.Len(t, fields, 5, line)
		for i, text := range fields {
			want, err := strconv.ParseUint(text, 16, 8)
			require.NoError(t, err)
			for bit, reasons := range plugins {
				if reasons == bySpread && !s.relationsOf(pod).spreads {
					continue // it cannot have failed of that, whatever the plugin says
				}
				require.Equal(t, want>>bit&1 == 1, got[i].Overlap(reasons), "seed %d, event %d, plugin %d", seed, i, bit)
			}
		}
	}
}
