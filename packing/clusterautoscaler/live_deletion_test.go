package clusterautoscaler

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

// live starts an autoscaler on the site.
func (s *site) live(t *testing.T, options ...Option) *Autoscaler {
	t.Helper()
	p, err := New(s.groups, options...)
	require.NoError(t, err)
	a, err := p.Start(s.Cluster)
	require.NoError(t, err)
	return a
}

func (a *Autoscaler) loopAt(t *testing.T, after time.Duration) *Loop {
	t.Helper()
	l, err := a.Loop(context.Background(), noon.Add(after))
	require.NoError(t, err)
	return l
}

// begin begins the deletion of a node as the original does: it is tainted first.
func (a *Autoscaler) begin(t *testing.T, node string, drain bool) {
	t.Helper()
	n := a.nodes[node].node.DeepCopy()
	n.Spec.Taints = append(n.Spec.Taints, DeletionTaint(noon))
	require.NoError(t, a.NodeChanged(n))
	require.NoError(t, a.DeletionStarted(node, drain))
}

// atOnce lets nodes go as soon as they are unneeded.
var atOnce = []Option{WithScaleDownUnneededTime(0), WithScaleDownDelayAfterAdd(0)}

func goes(deletions []NodeDeletion) []string {
	out := []string{}
	for _, d := range deletions {
		out = append(out, d.Node.Name)
	}
	return out
}

func TestPodsOfDrainedNodesNeedAPlace(t *testing.T) {
	make := func(first *corev1.Pod) *Autoscaler {
		s := newSite()
		s.group("a", 0)
		s.node("a", first)
		s.node("a", worker("other", 3000))
		return s.live(t)
	}
	a := make(worker("large", 3000))
	l := a.loopAt(t, 0)
	require.Empty(t, l.ScaleUps)
	a.begin(t, "a-0", true)
	l = a.loopAt(t, 10*time.Second)
	require.Len(t, l.ScaleUps, 1, "no other node has room for the pod")
	require.Equal(t, 3, l.ScaleUps[0].To)
	require.Equal(t, 3, a.TargetSize("a"))
	require.Empty(t, l.Pending, "the pod still has a node")
	require.Empty(t, l.Bound)
	l = a.loopAt(t, 20*time.Second)
	require.Empty(t, l.ScaleUps, "the node on its way has room for it")

	a = make(worker("small", 500))
	a.loopAt(t, 0)
	a.begin(t, "a-0", true)
	l = a.loopAt(t, 10*time.Second)
	require.Equal(t, ScaleUpNotNeeded, l.ScaleUp)
	require.Empty(t, l.Bound, "the pod is not waiting yet")
	require.InDelta(t, 0.875, l.Utilization["a-1"].CPU, 1e-9, "the pod is expected there")

	for name, change := range map[string]func(*corev1.Pod){
		"terminating": func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} },
		"daemon":      func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "DaemonSet" },
		"mirror":      func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} },
		"static":      func(p *corev1.Pod) { p.Annotations = map[string]string{configSource: "file"} },
	} {
		a = make(worker("large", 3000, change))
		a.begin(t, "a-0", true)
		require.Equal(t, ScaleUpNotNeeded, a.loopAt(t, 0).ScaleUp, name)
	}
	a = make(worker("large", 3000))
	a.begin(t, "a-0", false)
	require.Equal(t, ScaleUpNotNeeded, a.loopAt(t, 0).ScaleUp, "the node is deleted without a drain")
}

func TestDeletionsInProgressCount(t *testing.T) {
	empty := func(t *testing.T, minSize int, options ...Option) *Autoscaler {
		s := newSite()
		s.group("a", minSize)
		for range 5 {
			s.node("a")
		}
		return s.live(t, append(options, atOnce...)...)
	}
	t.Run("parallelism", func(t *testing.T) {
		a := empty(t, 0, WithMaxScaleDownParallelism(3))
		require.Equal(t, []string{"a-0", "a-1", "a-2"}, goes(a.loopAt(t, 0).Deletions))
		a.begin(t, "a-0", false)
		a.begin(t, "a-1", true)
		l := a.loopAt(t, 10*time.Second)
		require.Equal(t, []string{"a-2"}, goes(l.Deletions))
		require.Equal(t, "CurrentlyBeingDeleted", reasons(l)["a-0"])
	})
	t.Run("minimal size", func(t *testing.T) {
		a := empty(t, 3)
		a.begin(t, "a-0", false)
		a.begin(t, "a-1", false)
		l := a.loopAt(t, 0)
		require.Empty(t, l.Deletions)
		require.Equal(t, "NodeGroupMinSizeReached", reasons(l)["a-2"])
		require.Equal(t, 5, a.TargetSize("a"))
		require.NoError(t, a.DeletionEnded("a-0", false))
		require.NoError(t, a.DeletionEnded("a-1", true))
		require.Equal(t, 4, a.TargetSize("a"))
		require.NoError(t, a.NodeGone("a-0"))
		require.Equal(t, 4, a.TargetSize("a"), "the size had fallen when the deletion ended")
		require.NoError(t, a.DeletionStarted("a-1", false))
		require.NoError(t, a.NodeGone("a-1"))
		require.Equal(t, 3, a.TargetSize("a"))
	})
	t.Run("drains", func(t *testing.T) {
		s := newSite()
		s.group("a", 0)
		for i := range 4 {
			s.node("a", worker(fmt.Sprint("pod-", i), 500))
		}
		a := s.live(t, append([]Option{WithMaxDrainParallelism(2)}, atOnce...)...)
		require.Len(t, a.loopAt(t, 0).Deletions, 2)
		a.begin(t, "a-0", true)
		require.Len(t, a.loopAt(t, 10*time.Second).Deletions, 1)
		a.begin(t, "a-1", true)
		require.Empty(t, a.loopAt(t, 20*time.Second).Deletions)
		require.NoError(t, a.DeletionEnded("a-0", true))
		require.Len(t, a.loopAt(t, 30*time.Second).Deletions, 1)
	})
	t.Run("no pods move there", func(t *testing.T) {
		s := newSite()
		s.group("a", 0)
		s.node("a", worker("pod", 2000))
		s.node("a")
		a := s.live(t)
		require.NoError(t, a.DeletionStarted("a-1", false))
		l := a.loopAt(t, 0)
		require.Equal(t, "NoPlaceToMovePods", reasons(l)["a-0"])
		require.NoError(t, a.DeletionEnded("a-1", true))
		require.Equal(t, "NotUnneededLongEnough", reasons(a.loopAt(t, 6*time.Minute))["a-1"])
	})
	t.Run("time begins anew after a failure", func(t *testing.T) {
		s := newSite()
		s.group("a", 0)
		s.node("a")
		a := s.live(t)
		a.loopAt(t, 0)
		require.Len(t, a.loopAt(t, 11*time.Minute).Deletions, 1)
		require.NoError(t, a.DeletionStarted("a-0", false))
		require.Empty(t, a.loopAt(t, 12*time.Minute).Deletions)
		require.NoError(t, a.DeletionEnded("a-0", true))
		l := a.loopAt(t, 13*time.Minute)
		require.Equal(t, ScaleDownNoNodeDeleted, l.Result, "a failed deletion starts no cooldown")
		require.Equal(t, "NotUnneededLongEnough", reasons(l)["a-0"])
		a.ScaleDownFailed(noon.Add(13 * time.Minute))
		require.Equal(t, ScaleDownInCooldown, a.loopAt(t, 14*time.Minute).Result)
		require.Equal(t, ScaleDownNoNodeDeleted, a.loopAt(t, 16*time.Minute).Result)
	})
}

// TestGoneFromCloud: a node that the cloud has deleted is no longer one of its group, so
// that one that comes for it is reckoned with though the old one is still registered.
func TestGoneFromCloud(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a", worker("first", 3000))
	s.node("a")
	a := s.live(t)
	a.loopAt(t, 0)
	a.begin(t, "a-1", false)
	require.NoError(t, a.DeletionEnded("a-1", false))
	pod := worker("second", 3000, func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(noon) })
	require.NoError(t, a.PodArrived(pod))
	l := a.loopAt(t, 10*time.Second)
	require.Equal(t, 2, l.ScaleUps[0].To)
	require.Equal(t, "CurrentlyBeingDeleted", reasons(l)["a-1"])
	require.Empty(t, a.loopAt(t, 20*time.Second).ScaleUps)
	require.NoError(t, a.renew())
	require.Empty(t, a.loopAt(t, 30*time.Second).ScaleUps, "numbered anew, all is the same")
	require.NoError(t, a.BackOff("a", noon.Add(time.Minute)))
	l = a.loopAt(t, 40*time.Second)
	require.Equal(t, ScaleUpNoOptionsAvailable, l.ScaleUp, "the group is backed off")
	require.Equal(t, noon.Add(time.Minute+1), earliest(t, a, 50*time.Second))
	require.Equal(t, ScaleUpNoOptionsAvailable, a.loopAt(t, time.Minute).ScaleUp, "up to the moment itself")
	require.Equal(t, ScaleUpNotNeeded, a.loopAt(t, 70*time.Second).ScaleUp, "the node is awaited again")
	require.True(t, a.ScalingUp("a"))
	require.NoError(t, a.SetTargetSize("a", 1))
	require.False(t, a.ScalingUp("a"))
	require.Equal(t, 2, a.loopAt(t, 80*time.Second).ScaleUps[0].To, "the launch has failed")
	a.EndScaleUp("a")
	require.False(t, a.ScalingUp("a"))
	require.Equal(t, ScaleUpSuccessful, a.loopAt(t, 90*time.Second).ScaleUp, "the node is awaited no more")
	require.NoError(t, a.SetTargetSize("a", 2))
	require.NoError(t, a.NodeGone("a-1"))
	require.Equal(t, 2, a.TargetSize("a"))
}

// earliest runs loops at a moment and ten seconds later and returns when the next is due.
func earliest(t *testing.T, a *Autoscaler, after time.Duration) time.Time {
	a.loopAt(t, after)
	return a.Next(noon.Add(after))
}

// TestNextByHand: each timer is what the next loop waits for.
func TestNextByHand(t *testing.T) {
	due := func(a *Autoscaler) string {
		a.loopAt(t, 0)
		a.loopAt(t, 10*time.Second)
		next := a.Next(noon.Add(10 * time.Second))
		if next.IsZero() {
			return "never"
		}
		return next.Sub(noon).String()
	}
	s := newSite()
	s.group("a", 0)
	s.node("a", worker("pod", 3000))
	require.Equal(t, "never", due(s.live(t)))
	s.node("a")
	require.Equal(t, "10m0.000000001s", due(s.live(t)), "an unneeded node")
	s.Memory.LastScaleUp = noon.Add(-time.Minute)
	require.Equal(t, "9m0s", due(s.live(t)), "a cooldown")

	s = newSite()
	s.group("a", 0)
	s.node("a", worker("bare", 1000, func(p *corev1.Pod) { p.OwnerReferences = nil }))
	require.Equal(t, "5m0s", due(s.live(t)), "a node that is left alone")
	a := s.live(t)
	require.Equal(t, noon, a.Next(noon), "no loop yet")
	a.loopAt(t, 0)
	require.Equal(t, noon, a.Next(noon), "the interval is not known yet")
	a.loopAt(t, 10*time.Second)
	require.NotEqual(t, noon, a.Next(noon))
	a.PodGone(worker("another", 1))
	require.NotEqual(t, noon, a.Next(noon), "a pod that is not known changes nothing")
	require.NoError(t, a.PodBound(worker("new", 1000), "a-0"))
	require.Equal(t, noon, a.Next(noon), "something was told")

	s = newSite()
	s.group("a", 0)
	s.node("a", worker("pod", 3000, func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }))
	require.Equal(t, "1m0.000000001s", due(s.live(t)), "a pod that terminates for too long")
}

// TestLiveForgets: what an autoscaler keeps does not grow with what ever was.
func TestLiveForgets(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a")
	a := s.live(t)
	a.SetReports(false)
	pods, classes := 0, 0
	for i := range 400 {
		name := fmt.Sprint("job-", i)
		for j := range 50 {
			pod := worker(fmt.Sprintf("%s-%d", name, j), 1, func(p *corev1.Pod) {
				p.OwnerReferences[0].UID, p.Labels = metav1.ObjectMeta{UID: "x"}.UID, map[string]string{"job": name, "pod": fmt.Sprint(j)}
			})
			require.NoError(t, a.PodBound(pod, "a-0"))
			a.PodGone(pod)
		}
		n := s.Snapshot.Nodes[0].DeepCopy()
		n.Name, n.Labels = name, map[string]string{corev1.LabelHostname: name}
		require.NoError(t, a.NodeJoined(&packing.Node{Node: n, NodeGroup: "a"}))
		require.NoError(t, a.NodeGone(name))
		a.loopAt(t, time.Duration(i)*10*time.Second)
		pods, classes = max(pods, len(a.residents)), max(classes, a.universe.Classes())
		require.Less(t, len(a.memberOf), 300)
		require.Len(t, a.numbers, 0)
	}
	require.Less(t, pods, 5000)
	require.Less(t, classes, 5000)
}

// TestLiveRefuses: what makes no sense is said and changes nothing.
func TestLiveRefuses(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a", worker("pod", 3000))
	a := s.live(t)
	a.loopAt(t, 0)
	bad := worker("bad", 100, func(p *corev1.Pod) {
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	})
	for want, err := range map[string]error{
		"node b is not known":                        a.NodeGone("b"),
		"pod default/x: node b is not known":         a.PodBound(worker("x", 1), "b"),
		"pod default/pod is there already":           a.PodArrived(worker("pod", 3000)),
		"node a-0 is there already":                  a.NodeJoined(s.Snapshot.Nodes[0]),
		`node group "b" is not known`:                a.SetTargetSize("b", 1),
		`node group "a": target size -1 is negative`: a.SetTargetSize("a", -1),
		"node c is not known":                        a.DeletionStarted("c", true),
		"pod default/bad: spec.topologySpreadConstraints[0]: maxSkew 0 is not above 0": a.PodArrived(bad),
	} {
		require.EqualError(t, err, want)
	}
	require.True(t, errors.Is(a.BackOff("b", noon), ErrUnknown))
	require.False(t, a.changed)
	_, err := a.packer.Start(Cluster{})
	require.Error(t, err)
}

// TestMayDelete: what is asked once more before a node is deleted.
func TestMayDelete(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	s.node("a")
	s.node("a", worker("pod", 1000))
	s.node("a", worker("stays", 1000, func(p *corev1.Pod) {
		p.Annotations = map[string]string{"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
	}))
	a := s.live(t)
	for _, c := range []struct {
		node    string
		drained bool
		may     bool
	}{{"a-0", false, true}, {"a-0", true, true}, {"a-1", false, false}, {"a-1", true, true}, {"a-2", false, false}, {"a-2", true, false}} {
		may, err := a.MayDelete(c.node, c.drained, noon)
		require.NoError(t, err)
		require.Equal(t, c.may, may, "%s, drained %t", c.node, c.drained)
	}
	_, err := a.MayDelete("b-1", true, noon)
	require.ErrorIs(t, err, ErrUnknown)
}

// TestLoopsOfOneMoment: a loop that follows at once is no reason to look for fewer unneeded nodes.
func TestLoopsOfOneMoment(t *testing.T) {
	s := newSite()
	s.group("a", 0)
	for range 35 {
		s.node("a")
	}
	a := s.live(t)
	require.Len(t, a.loopAt(t, 0).Unneeded, 20, "twice as many as may go at once")
	require.Len(t, a.loopAt(t, 0).Unneeded, 35, "and so many more")
	require.Len(t, a.loopAt(t, 10*time.Second).Unneeded, 35)
}
