package clusterautoscaler

import (
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// placement is how many pods of an equivalence group an estimate has placed,
// always its first ones.
type placement struct {
	group  *podGroup
	placed int
}

// estimation is the answer of an estimate: how many nodes receive a pod, and
// which pods are placed, by group in the order of the estimate.
type estimation struct {
	nodes  int
	placed []placement
}

func (e *estimation) pods() int {
	n := 0
	for _, p := range e.placed {
		n += p.placed
	}
	return n
}

// estimate answers how many nodes like the template the pods need and which pods
// go onto them (pkg/estimator/binpacking_estimator.go at 33c3f97bf).
func (r *run) estimate(groups []*podGroup, t *template, limit int) estimation {
	order, fastpath := r.estimateOrder(groups, t)
	if !r.longWay && r.arithmetic(order, t) {
		r.reckoned++
		return r.estimateRuns(order, t, limit, fastpath)
	}
	return r.estimateNodes(order, t, limit, fastpath)
}

// estimateOrder sorts the groups by decreasing score: what the first pod requests
// of a node's allocatable cpu and memory. With fastpath the group that saves most
// goes last (decreasing_pod_orderer.go).
func (r *run) estimateOrder(groups []*podGroup, t *template) (order []*podGroup, fastpath bool) {
	order = r.byScore(groups, t)
	if !r.settings.FastpathBinpacking {
		return order, false
	}
	best := fastpathGroup(order, t)
	if best < 0 {
		return order, false
	}
	order = slices.Clone(order)
	last := order[best]
	copy(order[best:], order[best+1:])
	order[len(order)-1] = last
	return order, true
}

// scored is a group of pods and its score.
type scored struct {
	group *podGroup
	score float64
}

// scoredOrder is groups of pods in the order that templates of one size want.
type scoredOrder struct {
	cpu, memory int64
	from, order []*podGroup
}

// byScore sorts groups of pods, the highest score first. Templates of the same size,
// such as those of one group in each zone, share the order if they accept the same pods;
// it must not be changed.
func (r *run) byScore(groups []*podGroup, t *template) []*podGroup {
	cpu := t.profile.Allocatable.Get(corev1.ResourceCPU)
	memory := t.profile.Allocatable.Get(corev1.ResourceMemory)
	if last := &r.scoredLast; last.cpu == cpu && last.memory == memory && slices.Equal(last.from, groups) {
		return last.order
	}
	list := make([]scored, len(groups))
	for i, g := range groups {
		list[i].group = g
		if cpu > 0 {
			list[i].score += float64(g.kind.cpu) / float64(cpu)
		}
		if memory > 0 {
			list[i].score += float64(g.kind.memory) / float64(memory)
		}
	}
	sortScored(list)
	order := make([]*podGroup, len(list))
	for i := range list {
		order[i] = list[i].group
	}
	r.scoredLast = scoredOrder{cpu, memory, groups, order}
	return order
}

// sortScored sorts as the original's sort.Slice does, without reflection: equals end up
// in the same places, which decides. A test holds one against the other.
func sortScored(list []scored) {
	slices.SortFunc(list, func(a, b scored) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
}

// fastpathGroup picks the group of pods whose simulation fastpath saves most of;
// of equals the later. -1 if none is suited (determineBestPEGToFastpath).
func fastpathGroup(groups []*podGroup, t *template) int {
	best, most := -1, 0
	capacity := t.node().Status.Capacity
	for i, g := range groups {
		pod, pods := g.kind.pod, len(g.pods)
		nodes := 0
		if pod.Spec.Affinity != nil && pod.Spec.Affinity.PodAntiAffinity != nil {
			for _, term := range pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
				if term.TopologyKey == corev1.LabelHostname && selects(term.LabelSelector, pod.Labels) {
					nodes = pods
				}
			}
		}
		if len(pod.Spec.Containers) > 0 && pod.Spec.Containers[0].Resources.Requests != nil {
			requests := pod.Spec.Containers[0].Resources.Requests
			nodes = max(nodes,
				ceilNodes(pods, requests.Cpu().AsApproximateFloat64(), capacity.Cpu().AsApproximateFloat64()),
				ceilNodes(pods, requests.Memory().AsApproximateFloat64(), capacity.Memory().AsApproximateFloat64()))
		}
		saved := 0
		if nodes > 0 {
			saved = pods - pods/nodes
		}
		if saved >= most && fastpathSuits(pod) {
			best, most = i, saved
		}
	}
	return best
}

func ceilNodes(pods int, request, capacity float64) int {
	return int(math.Ceil(float64(pods) * request / capacity))
}

func selects(s *metav1.LabelSelector, podLabels map[string]string) bool {
	if s == nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(podLabels))
}

// fastpathSuits: spread constraints let a node that was full take more later, and
// anti-affinity over more than a host makes nodes differ (shouldUseFastPath).
func fastpathSuits(pod *corev1.Pod) bool {
	if pod.Spec.TopologySpreadConstraints != nil {
		return false
	}
	if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		for _, t := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			if t.TopologyKey != corev1.LabelHostname {
				return false
			}
		}
	}
	return true
}

// nodeEstimate is the state of an estimate that simulates each node.
type nodeEstimate struct {
	run     *run
	t       *template
	permits permits
	first   int    // place of the first simulated node
	last    int32  // the newest simulated node, -1 before the first
	used    []bool // by node: it received a pod
	count   int    // nodes that received a pod
}

// estimateNodes is the estimate the long way: every pod is tried on every node
// that the original tries it on.
func (r *run) estimateNodes(order []*podGroup, t *template, limit int, fastpath bool) estimation {
	r.cluster.Fork()
	defer r.cluster.Revert()
	e := &nodeEstimate{run: r, t: t, permits: permits{limit: limit}, first: r.cluster.Len(), last: -1}
	out := estimation{placed: make([]placement, 0, len(order))}
	mayAdd := true
	for i, g := range order {
		placed := e.onSimulated(g)
		if mayAdd {
			var n int
			if fastpath && i == len(order)-1 {
				n, mayAdd = e.fastpath(g, len(g.pods)-placed)
			} else {
				n, mayAdd = e.onNew(g, len(g.pods)-placed)
			}
			placed += n
		}
		if placed > 0 {
			out.placed = append(out.placed, placement{g, placed})
		}
		if r.ctx.Err() != nil {
			break
		}
	}
	out.nodes = e.count
	return out
}

// received notes that a node got a pod.
func (e *nodeEstimate) received(node int32) {
	for int(node) >= len(e.used) {
		e.used = append(e.used, false)
	}
	if !e.used[node] {
		e.used[node] = true
		e.count++
	}
}

func (e *nodeEstimate) empty(node int32) bool { return int(node) >= len(e.used) || !e.used[node] }

// onSimulated places pods on the nodes simulated so far until one fails.
func (e *nodeEstimate) onSimulated(g *podGroup) int {
	if e.last < 0 {
		return 0
	}
	simulated := func(place int, _ int32) bool { return place >= e.first }
	for i := range g.pods {
		node := e.run.walk.next(e.run.cluster, g.kind.class, simulated)
		if node < 0 {
			return i
		}
		e.received(node)
	}
	return len(g.pods)
}

// onNew places pods on the last simulated node and on new ones. It returns how many
// were placed and whether it is worth adding nodes for later groups.
func (e *nodeEstimate) onNew(g *podGroup, pods int) (placed int, mayAdd bool) {
	cl, class := e.run.cluster, g.kind.class
	for ; placed < pods; placed++ {
		if e.last >= 0 {
			refusal := cl.Check(class, e.last)
			if refusal == feasibility.Fits {
				cl.Place(class, e.last, 1)
				e.received(e.last)
				continue
			}
			// Where the skew over hosts is at fault any other node may do, real ones too.
			if refusal == feasibility.SpreadSkew && class.HostnameSpread() {
				last := e.last
				node := e.run.walk.next(cl, class, func(_ int, n int32) bool { return n != last })
				if node >= 0 {
					e.received(node)
					continue
				}
			}
			if e.empty(e.last) {
				return placed, true // another new node would be no better
			}
		}
		if !e.permits.take() {
			return placed, false
		}
		e.add()
		if cl.Check(class, e.last) != feasibility.Fits {
			return placed, true // the node stays, empty
		}
		cl.Place(class, e.last, 1)
		e.received(e.last)
	}
	return placed, true
}

// fastpath fills one new node and reckons the others from it (tryFastPath).
func (e *nodeEstimate) fastpath(g *podGroup, pods int) (placed int, mayAdd bool) {
	if pods == 0 {
		return 0, true
	}
	if !e.permits.take() {
		return 0, false
	}
	e.add()
	cl, class := e.run.cluster, g.kind.class
	for placed < pods && cl.Check(class, e.last) == feasibility.Fits {
		cl.Place(class, e.last, 1)
		placed++
	}
	if placed == 0 {
		return 0, true
	}
	e.received(e.last)
	more, granted := fastpathNodes(pods, placed, &e.permits)
	e.count += more
	return min(pods, placed*(more+1)), granted
}

// fastpathNodes returns how many nodes beyond the first the pods need at so many a
// node, as far as permissions go, and whether they went all the way.
func fastpathNodes(pods, perNode int, p *permits) (nodes int, granted bool) {
	want := (pods+perNode-1)/perNode - 1
	got := p.takeUpTo(want)
	return got, got == want
}

func (e *nodeEstimate) add() { e.last = e.run.cluster.AddNode(e.t.profile, true, e.t.held) }
