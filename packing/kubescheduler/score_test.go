package kubescheduler

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// scheduler returns a scheduler with nodes, whose ids are their places in the list.
func scheduler(t *testing.T, nodes ...*corev1.Node) *Scheduler {
	t.Helper()
	s, err := New(nil)
	require.NoError(t, err)
	for i, n := range nodes {
		id, err := s.AddNode(n)
		require.NoError(t, err)
		require.Equal(t, NodeID(i), id)
	}
	return s
}

func classOf(t *testing.T, s *Scheduler, pod *corev1.Pod) *Class {
	t.Helper()
	c, err := s.Class(pod)
	require.NoError(t, err)
	return c
}

// bind puts so many pods on a node.
func bind(t *testing.T, s *Scheduler, pod *corev1.Pod, id NodeID, times int) {
	t.Helper()
	for range times {
		s.Bind(classOf(t, s, pod), id)
	}
}

// points returns what one plugin adds to each node, all of which have to be found.
func points(t *testing.T, s *Scheduler, pod *corev1.Pod, plugin func(*Class, []NodeID, []int64)) []int64 {
	t.Helper()
	c := classOf(t, s, pod)
	found, _ := s.find(c, None)
	require.Len(t, found, s.Len())
	totals := make([]int64, s.Len())
	plugin(c, found, totals)
	byID := make([]int64, s.Len())
	for i, id := range found {
		byID[id] = totals[i]
	}
	return byID
}

func TestLeastAllocated(t *testing.T) {
	on := load{asIfCPU: 1000, asIfMemory: 2 << 30, allocCPU: 4000, allocMem: 8 << 30}
	for _, c := range []struct {
		pod  string
		want int64
	}{
		// CPU (4000-1000-1000)*100/4000 = 50; memory (8-2-1)*100/8 = 62 (62.5); (50+62)/2
		{"cpu=1,memory=1Gi", 56},
		// as if cpu=100m: 2900*100/4000 = 72; memory 62; (72+62)/2
		{"memory=1Gi", 67},
		// as if memory=200Mi: (6144-200)*100/8192 = 72; CPU 50; 61
		{"cpu=1", 61},
		// an explicit 0 stays 0: CPU 3000*100/4000 = 75, memory 6*100/8 = 75
		{"cpu=0,memory=0", 75},
		// CPU beyond the node: 0; memory 62; 31
		{"cpu=4,memory=1Gi", 31},
	} {
		s := scheduler(t)
		require.Equal(t, c.want, leastAllocated(classOf(t, s, aPod("", c.pod)).shape, &on), c.pod)
	}
	// A resource that the node has none of does not count: CPU alone, 50.
	on.allocMem = 0
	require.EqualValues(t, 50, leastAllocated(classOf(t, scheduler(t), aPod("", "cpu=1,memory=1Gi")).shape, &on))
	require.Zero(t, leastAllocated(&shape{}, &load{}))
}

func TestBalancedAllocation(t *testing.T) {
	on := load{cpu: 1000, memory: 2 << 30, allocCPU: 4000, allocMem: 8 << 30}
	for _, c := range []struct {
		pod  string
		want int64
	}{
		// CPU 2000/4000 = 0.5, memory 3/8 = 0.375: deviation 0.0625, 93.75
		{"cpu=1,memory=1Gi", 93},
		// No defaults here: CPU 0.5, memory 2/8 = 0.25: 0.125, 87.5
		{"cpu=1", 87},
		// CPU 1 at most, memory 0.25: 0.375, 62.5
		{"cpu=8", 62},
		// Requests nothing: no score at all.
		{"cpu=0", 0},
		{"", 0},
	} {
		s := scheduler(t)
		require.Equal(t, c.want, balancedAllocation(classOf(t, s, aPod("", c.pod)).shape, &on), c.pod)
	}
	on.allocMem = 0 // one resource alone is in balance
	require.EqualValues(t, 100, balancedAllocation(&shape{cpu: 100}, &on))
}

// Bound pods count with defaults for scoring, and pod-level requests leave no gap to fill.
func TestBoundRequests(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	for name, c := range map[string]struct {
		pod         *corev1.Pod
		cpu, memory int64
	}{
		"stated":  {aPod("", "cpu=1,memory=1Gi"), 1000, 1 << 30},
		"missing": {aPod("", ""), 100, 200 << 20},
		"two containers, one without": {aPod("", "cpu=1,memory=1Gi", func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy"})
		}), 1100, 1<<30 + 200<<20},
		// The sidecar adds 100m and 200Mi, the init container after it peaks at 2000m + 100m.
		"init and sidecar": {aPod("", "cpu=1,memory=1Gi", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "side", RestartPolicy: &always},
				{Name: "init", Resources: corev1.ResourceRequirements{Requests: list("cpu=2")}}}
		}), 2100, 1<<30 + 200<<20},
		"overhead": {aPod("", "cpu=1,memory=1Gi", func(p *corev1.Pod) { p.Spec.Overhead = list("cpu=50m") }), 1050, 1 << 30},
		// The pod's own 500m hold; memory is not stated anywhere: the default.
		"pod level": {aPod("", "", func(p *corev1.Pod) {
			p.Spec.Resources = &corev1.ResourceRequirements{Requests: list("cpu=500m")}
		}), 500, 200 << 20},
		// One container states memory, so the pod's memory is known and the other gets no default once it is bound.
		"pod level, memory of one": {aPod("", "memory=1Gi", func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy"})
			p.Spec.Resources = &corev1.ResourceRequirements{Requests: list("cpu=500m")}
		}), 500, 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			cpu, memory, err := boundRequests(c.pod)
			require.NoError(t, err)
			require.Equal(t, [2]int64{c.cpu, c.memory}, [2]int64{cpu, memory})
		})
	}
}

func TestTaintScore(t *testing.T) {
	soft := corev1.TaintEffectPreferNoSchedule
	s := scheduler(t,
		aNode("none", "", "cpu=4,memory=8Gi"),
		aNode("one", "", "cpu=4,memory=8Gi", tainted(soft, "a")),
		aNode("three", "", "cpu=4,memory=8Gi", tainted(soft, "a", "b", "c")))
	score := func(pod *corev1.Pod) []int64 {
		return points(t, s, pod, func(c *Class, n []NodeID, to []int64) { s.scoreTaints(c.shape, n, to) })
	}
	// Most are 3: 100, 100 - 100/3 = 67, 0; by 3.
	require.Equal(t, []int64{300, 201, 0}, score(aPod("", "")))
	// With "a" tolerated 0, 0, 2.
	require.Equal(t, []int64{300, 300, 0}, score(aPod("", "", func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}}
	})))
	// A toleration for another effect does not count.
	require.Equal(t, []int64{300, 201, 0}, score(aPod("", "", func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}}
	})))
	require.Equal(t, []int64{300, 300, 300}, score(aPod("", "", func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	})))
}

func TestNodeAffinityScore(t *testing.T) {
	s := scheduler(t,
		aNode("plain", "a", "cpu=4,memory=8Gi"),
		aNode("ssd", "a", "cpu=4,memory=8Gi", labelled("disk=ssd")),
		aNode("both", "b", "cpu=4,memory=8Gi", labelled("disk=ssd")))
	score := func(pod *corev1.Pod) []int64 {
		return points(t, s, pod, func(c *Class, n []NodeID, to []int64) { s.scoreNodeAffinity(c.shape, n, to) })
	}
	// Weights 0, 10, 10+5: 100*10/15 = 66, 100; by 2.
	require.Equal(t, []int64{0, 132, 200}, score(aPod("", "", prefersNodes(10, "disk", "ssd"), prefersNodes(5, corev1.LabelTopologyZone, "b"))))
	require.Equal(t, []int64{0, 0, 0}, score(aPod("", "", prefersNodes(10, "disk", "tape"))))
	require.Equal(t, []int64{0, 0, 0}, score(aPod("", "")))
}

func TestSpreadScore(t *testing.T) {
	s := scheduler(t,
		aNode("a1", "a", "cpu=4,memory=8Gi"),
		aNode("a2", "a", "cpu=4,memory=8Gi"),
		aNode("b1", "b", "cpu=4,memory=8Gi"),
		aNode("none", "", "cpu=4,memory=8Gi"))
	web := aPod("app=web", "", ownedBy("ReplicaSet"))
	bind(t, s, web, 0, 3)
	bind(t, s, web, 2, 1)
	score := func(pod *corev1.Pod) []int64 { return points(t, s, pod, s.scoreSpread) }

	// The default constraints. Hosts weigh ln(4+2) = 1.7918, zones ln(3+2) = 1.6094: no zone is one, too.
	//   a1    3*1.7918+2 + 3*1.6094+4 = 16.2036 -> 16
	//   a2    0       +2 + 3*1.6094+4 = 10.8283 -> 11
	//   b1    1*1.7918+2 + 1*1.6094+4 =  9.4012 ->  9
	//   none  0       +2              =  2
	// 100*(16+2-s)/16: 12, 43, 56, 100; by 2.
	require.Equal(t, []int64{24, 86, 112, 200}, score(web))

	// A constraint of its own leaves out the node without zone. Zones weigh ln(2+2) = 1.3863:
	//   a 3*1.3863+0 = 4.1589 -> 4, b 1.3863 -> 1
	// 100*(4+1-s)/4: 25, 25, 100; by 2.
	require.Equal(t, []int64{50, 50, 200, 0}, score(aPod("app=web", "", ownedBy("ReplicaSet"),
		spreadOver(corev1.LabelTopologyZone, 1, corev1.ScheduleAnyway, "app=web"))))

	// Nothing is counted: all are the best.
	require.Equal(t, []int64{200, 200, 200, 0}, score(aPod("app=new", "", spreadOver(corev1.LabelTopologyZone, 1, corev1.ScheduleAnyway, "app=new"))))

	// A controller whose selector is not known spreads nothing, and so does a filter alone.
	require.Equal(t, []int64{0, 0, 0, 0}, score(aPod("app=web", "", ownedBy("Job"))))
	require.Equal(t, []int64{0, 0, 0, 0}, score(aPod("app=web", "", ownedBy("ReplicaSet"), func(p *corev1.Pod) {
		spreadOver(corev1.LabelHostname, 9, corev1.DoNotSchedule, "app=web")(p)
	})))

	// Pods of a StatefulSet are one set whatever their own names: a1 has 1 of it, the others none.
	named := func(name string) *corev1.Pod {
		return aPod("app=db,statefulset.kubernetes.io/pod-name="+name, "", ownedBy("StatefulSet"))
	}
	bind(t, s, named("db-0"), 0, 1)
	//   a1 1*1.7918+2 + 1*1.6094+4 = 9.4 -> 9, a2 2+1.6094+4 = 7.6 -> 8, b1 6, none 2
	// 100*(9+2-s)/9: 22, 33, 55, 100; by 2.
	require.Equal(t, []int64{44, 66, 110, 200}, score(named("db-1")))
}

// Which nodes count towards a domain: those that the pod's node selector admits, and by taints only if asked for.
func TestSpreadScoreCountsWithinScope(t *testing.T) {
	soft := func(n *corev1.Node) { tainted(corev1.TaintEffectNoExecute, "gone")(n) }
	s := scheduler(t,
		aNode("a1", "a", "cpu=4,memory=8Gi"),
		aNode("b1", "b", "cpu=4,memory=8Gi"),
		aNode("a-tainted", "a", "cpu=4,memory=8Gi", soft))
	bind(t, s, aPod("app=web", ""), 2, 2)
	score := func(change func(*corev1.TopologySpreadConstraint)) []int64 {
		pod := aPod("app=web", "", spreadOver(corev1.LabelTopologyZone, 1, corev1.ScheduleAnyway, "app=web"))
		change(&pod.Spec.TopologySpreadConstraints[0])
		c := classOf(t, s, pod)
		found, _ := s.find(c, None)
		require.ElementsMatch(t, []NodeID{0, 1}, found)
		totals, out := make([]int64, 2), make([]int64, 2)
		s.scoreSpread(c, found, totals)
		for i, id := range found {
			out[id] = totals[i]
		}
		return out
	}
	// The tainted node's two pods count: a = 2*ln 4 = 2.77 -> 3, b = 0: 100*(3+0-s)/3.
	require.Equal(t, []int64{0, 200}, score(func(*corev1.TopologySpreadConstraint) {}))
	// They do not if taints are honoured.
	honor := corev1.NodeInclusionPolicyHonor
	require.Equal(t, []int64{200, 200}, score(func(c *corev1.TopologySpreadConstraint) { c.NodeTaintsPolicy = &honor }))
	// Once the taint is gone they count again.
	require.NoError(t, s.UpdateNode(2, aNode("a-tainted", "a", "cpu=4,memory=8Gi", func(n *corev1.Node) { n.Spec.Unschedulable = true })))
	require.Equal(t, []int64{0, 200}, score(func(c *corev1.TopologySpreadConstraint) { c.NodeTaintsPolicy = &honor }))
}

func TestPodAffinityScore(t *testing.T) {
	zone := corev1.LabelTopologyZone
	s := scheduler(t,
		aNode("a1", "a", "cpu=4,memory=8Gi"),
		aNode("a2", "a", "cpu=4,memory=8Gi"),
		aNode("b1", "b", "cpu=4,memory=8Gi"))
	bind(t, s, aPod("app=db", ""), 0, 2)
	score := func(pod *corev1.Pod) []int64 { return points(t, s, pod, s.scorePodAffinity) }

	// Own terms: 10 for each of 2 in zone a, -8 for each of 2 on host a1: 20-16 = 4, 20, 0.
	// (s-0)/20: 20, 100, 0; by 2.
	require.Equal(t, []int64{40, 200, 0}, score(aPod("", "", nearTo(10, zone, "app=db"), awayFrom(8, corev1.LabelHostname, "app=db"))))

	// Terms of pods that are there: one on b1 wants to be near web (required, 1), one on a2 prefers it
	// in its zone by 3, one on a1 prefers it off its host by 5: a1 3-5 = -2, a2 3, b1 1.
	// (s+2)/5: 0, 100, 60; by 2.
	bind(t, s, aPod("app=one", "", nearTo(0, corev1.LabelHostname, "app=web")), 2, 1)
	bind(t, s, aPod("app=two", "", nearTo(3, zone, "app=web")), 1, 1)
	three := aPod("app=three", "", awayFrom(5, corev1.LabelHostname, "app=web"))
	bind(t, s, three, 0, 1)
	require.Equal(t, []int64{0, 200, 120}, score(aPod("app=web", "")))
	require.Equal(t, []int64{0, 0, 0}, score(aPod("app=other", "")))

	// When the third has gone a1 is as good as a2: 3, 3, 1.
	s.Unbind(classOf(t, s, three), 0)
	require.Equal(t, []int64{200, 200, 0}, score(aPod("app=web", "")))
}

func TestImageScore(t *testing.T) {
	has := func(name string, size int64) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{name}, SizeBytes: size})
		}
	}
	s := scheduler(t,
		aNode("both", "", "cpu=4,memory=8Gi", has("web:1", 500<<20), has("proxy:latest", 2000<<20)),
		aNode("web", "", "cpu=4,memory=8Gi", has("web:1", 500<<20)),
		aNode("small", "", "cpu=4,memory=8Gi", has("tiny:latest", 30<<20)),
		aNode("none", "", "cpu=4,memory=8Gi"))
	pod := aPod("", "", func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = "web:1"
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Image: "proxy"})
	})
	// web is on 2 of 4: 250 MiB. proxy on 1 of 4: 500 MiB. At most 2000 MiB, at least 23:
	// 100*(750-23)/1977 = 36, 100*(250-23)/1977 = 11.
	require.Equal(t, []int64{36, 11, 0, 0}, points(t, s, pod, s.scoreImages))
	s.RemoveNode(1) // web is on 1 of 3: 166.67 MiB, proxy 666.67: 100*(833.3-23)/1977 = 40
	c := classOf(t, s, pod)
	found, _ := s.find(c, None)
	totals := make([]int64, 3)
	s.scoreImages(c, found, totals)
	require.Equal(t, []int64{40, 0, 0}, totals)
}

// The total is the sum of all, each with its weight.
func TestTotal(t *testing.T) {
	s := scheduler(t,
		aNode("a", "a", "cpu=4,memory=8Gi"),
		aNode("b", "b", "cpu=2,memory=8Gi", tainted(corev1.TaintEffectPreferNoSchedule, "soft")))
	pod := aPod("app=web", "cpu=1,memory=2Gi", ownedBy("ReplicaSet"), prefersNodes(1, corev1.LabelTopologyZone, "b"))
	bind(t, s, pod, 0, 1)
	c := classOf(t, s, pod)
	found, _ := s.find(c, None)
	// a: least (50+50)/2 = 50, balanced 0.5 and 0.5 = 100, taints 3*100, affinity 0,
	//    spread: hosts 1*ln 4 + 2, zones 1*ln 4 + 4 = 8.77 -> 9: 100*(9+6-9)/9 = 66, by 2
	// b: least (50+75)/2 = 62, balanced 0.5 and 0.25: 87, taints 0, affinity 2*100, spread 6: 100, by 2
	require.Equal(t, []int64{50 + 100 + 300 + 0 + 132, 62 + 87 + 0 + 200 + 200}, s.score(c, found))
	id, ok, _ := s.Schedule(c)
	require.True(t, ok)
	require.EqualValues(t, 0, id)
}

func TestFeasibleNodesToFind(t *testing.T) {
	for nodes, want := range map[int]int{
		0: 0, 99: 99, 100: 100, // 50 percent are 50
		300:  144, // 50-2 percent
		1000: 420, // 50-8
		5000: 500, // 50-40
		6000: 300, // 5 at least, not 50-48
	} {
		require.Equal(t, want, FeasibleNodesToFind(nodes), fmt.Sprint(nodes))
	}
}
