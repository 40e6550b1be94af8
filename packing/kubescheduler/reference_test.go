package kubescheduler

import (
	"container/heap"
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/feasibility"
	"github.com/binwright/binwright/packing/resources"
)

// reference is the scheduler told again without anything that is kept between decisions:
// plain lists of objects, every count made anew for every pod, in the words of
// the original's plugins. It is what the real one is held against.
type reference struct {
	nodes []*refNode
	zones []string // in order of first node
	start int
}

type refNode struct {
	*corev1.Node
	pods []*corev1.Pod
}

func (r *reference) add(n *refNode) {
	r.nodes = append(r.nodes, n)
	if z := zoneOf(n.Node); !slices.Contains(r.zones, z) {
		r.zones = append(r.zones, z)
	}
}

func (r *reference) remove(n *refNode) {
	r.nodes = slices.DeleteFunc(r.nodes, func(o *refNode) bool { return o == n })
	z := zoneOf(n.Node)
	if !slices.ContainsFunc(r.nodes, func(o *refNode) bool { return zoneOf(o.Node) == z }) {
		r.zones = slices.DeleteFunc(r.zones, func(o string) bool { return o == z })
	}
}

// order is the node tree of the original.
func (r *reference) order() []*refNode {
	var out []*refNode
	for row := 0; len(out) < len(r.nodes); row++ {
		for _, z := range r.zones {
			at := 0
			for _, n := range r.nodes {
				if zoneOf(n.Node) != z {
					continue
				}
				if at == row {
					out = append(out, n)
				}
				at++
			}
		}
	}
	return out
}

// decide returns the nodes found, their totals (nil if there is no choice) and the one picked.
func (r *reference) decide(pod *corev1.Pod) (found []*refNode, totals []int64, picked string) {
	u := feasibility.NewUniverse(&packing.Snapshot{})
	cl := u.NewCluster()
	index := map[*refNode]int32{}
	class := func(p *corev1.Pod) *feasibility.Class {
		c, err := u.Class(p)
		if err != nil {
			panic(err)
		}
		return c
	}
	for _, n := range r.nodes {
		profile, err := u.Profile(n.Node)
		if err != nil {
			panic(err)
		}
		index[n] = cl.AddNode(profile, false, nil)
		for _, p := range n.pods {
			cl.Place(class(p), index[n], 1)
		}
	}
	order := r.order()
	want, processed := FeasibleNodesToFind(len(order)), 0
	for i := range order {
		n := order[(r.start+i)%len(order)]
		if cl.Check(class(pod), index[n]) == feasibility.Fits {
			if len(found) == want {
				break
			}
			found = append(found, n)
		}
		processed++
	}
	if len(order) > 0 {
		r.start = (r.start + processed) % len(order)
	}
	switch len(found) {
	case 0:
		return nil, nil, ""
	case 1:
		return found, nil, found[0].Name
	}
	totals = make([]int64, len(found))
	add := func(weight int64, scores []int64) {
		for i := range scores {
			totals[i] += weight * scores[i]
		}
	}
	add(1, each(found, func(n *refNode) int64 { return refLeast(pod, n) }))
	add(1, each(found, func(n *refNode) int64 { return refBalanced(pod, n) }))
	add(3, normalize(each(found, func(n *refNode) int64 { return refTaints(pod, n) }), true))
	add(2, normalize(each(found, func(n *refNode) int64 { return refNodeAffinity(pod, n) }), false))
	add(2, r.spread(pod, found))
	add(2, r.podAffinity(pod, found))
	add(1, each(found, func(n *refNode) int64 { return r.images(pod, n) }))
	h := &scored{}
	for i, n := range found {
		h.names, h.totals = append(h.names, n.Name), append(h.totals, totals[i])
	}
	heap.Init(h)
	return found, totals, h.names[0]
}

func each(nodes []*refNode, f func(*refNode) int64) []int64 {
	out := make([]int64, len(nodes))
	for i, n := range nodes {
		out[i] = f(n)
	}
	return out
}

func normalize(scores []int64, reverse bool) []int64 {
	most := slices.Max(scores)
	for i := range scores {
		if most > 0 {
			scores[i] = 100 * scores[i] / most
		}
		if reverse {
			scores[i] = 100 - scores[i]
		}
	}
	return scores
}

type scored struct {
	names  []string
	totals []int64
}

func (h *scored) Len() int           { return len(h.names) }
func (h *scored) Less(i, j int) bool { return h.totals[i] > h.totals[j] }
func (h *scored) Swap(i, j int) {
	h.names[i], h.names[j] = h.names[j], h.names[i]
	h.totals[i], h.totals[j] = h.totals[j], h.totals[i]
}
func (h *scored) Push(any) {}
func (h *scored) Pop() any { return nil }

// refRequests sums containers and takes the peak of init containers, with defaults if asked. The random
// pods have no sidecars, overhead or pod-level requests: tests of their own cover these.
func refRequests(pod *corev1.Pod, name corev1.ResourceName, missing int64) int64 {
	of := func(c *corev1.Container) int64 {
		if _, ok := c.Resources.Requests[name]; !ok {
			return missing
		}
		v, err := resources.FromList(c.Resources.Requests)
		if err != nil {
			panic(err)
		}
		return v.Get(name)
	}
	var sum int64
	for i := range pod.Spec.Containers {
		sum += of(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		sum = max(sum, of(&pod.Spec.InitContainers[i]))
	}
	return sum
}

func (n *refNode) use(pod *corev1.Pod, name corev1.ResourceName, missing int64) (requested, allocatable int64) {
	for _, p := range append(slices.Clone(n.pods), pod) {
		requested += refRequests(p, name, missing)
	}
	v, err := resources.FromList(n.Status.Allocatable)
	if err != nil {
		panic(err)
	}
	return requested, v.Get(name)
}

func refLeast(pod *corev1.Pod, n *refNode) int64 {
	var sum int64
	for name, missing := range map[corev1.ResourceName]int64{corev1.ResourceCPU: 100, corev1.ResourceMemory: 200 * 1024 * 1024} {
		requested, allocatable := n.use(pod, name, missing)
		if requested <= allocatable {
			sum += (allocatable - requested) * 100 / allocatable
		}
	}
	return sum / 2
}

func refBalanced(pod *corev1.Pod, n *refNode) int64 {
	if refRequests(pod, corev1.ResourceCPU, 0) == 0 && refRequests(pod, corev1.ResourceMemory, 0) == 0 {
		return 0
	}
	fraction := func(name corev1.ResourceName) float64 {
		requested, allocatable := n.use(pod, name, 0)
		return min(1, float64(requested)/float64(allocatable))
	}
	std := math.Abs((fraction(corev1.ResourceCPU) - fraction(corev1.ResourceMemory)) / 2)
	return int64((1 - std) * 100)
}

func refTolerates(pod *corev1.Pod, t corev1.Taint) bool {
	return slices.ContainsFunc(pod.Spec.Tolerations, func(o corev1.Toleration) bool {
		return (o.Effect == "" || o.Effect == t.Effect) && (o.Key == "" || o.Key == t.Key) &&
			(o.Operator == corev1.TolerationOpExists || o.Value == t.Value)
	})
}

func refTaints(pod *corev1.Pod, n *refNode) (count int64) {
	for _, t := range n.Spec.Taints {
		if t.Effect == corev1.TaintEffectPreferNoSchedule && !refTolerates(pod, t) {
			count++
		}
	}
	return count
}

func refNodeAffinity(pod *corev1.Pod, n *refNode) (sum int64) {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return 0
	}
	for _, t := range pod.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		e := t.Preference.MatchExpressions[0] // the random pods have one, with In
		if slices.Contains(e.Values, n.Labels[e.Key]) {
			sum += int64(t.Weight)
		}
	}
	return sum
}

func selects(s *metav1.LabelSelector, pod *corev1.Pod) bool {
	sel, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && sel.Matches(labels.Set(pod.Labels))
}

// spread is PodTopologySpread's PreScore, Score and NormalizeScore.
func (r *reference) spread(pod *corev1.Pod, found []*refNode) []int64 {
	var constraints []corev1.TopologySpreadConstraint
	defaulted := len(pod.Spec.TopologySpreadConstraints) == 0
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == corev1.ScheduleAnyway {
			constraints = append(constraints, c)
		}
	}
	if defaulted && len(pod.OwnerReferences) > 0 && pod.OwnerReferences[0].Kind != "Job" {
		own := &metav1.LabelSelector{MatchLabels: pod.Labels}
		constraints = []corev1.TopologySpreadConstraint{
			{TopologyKey: corev1.LabelHostname, MaxSkew: 3, LabelSelector: own},
			{TopologyKey: corev1.LabelTopologyZone, MaxSkew: 5, LabelSelector: own},
		}
	}
	out := make([]int64, len(found))
	if len(constraints) == 0 {
		return out
	}
	hasAll := func(n *refNode) bool {
		return !slices.ContainsFunc(constraints, func(c corev1.TopologySpreadConstraint) bool { _, ok := n.Labels[c.TopologyKey]; return !ok })
	}
	ignored := map[*refNode]bool{}
	counts := make([]map[string]int64, len(constraints))
	for i := range counts {
		counts[i] = map[string]int64{}
	}
	for _, n := range found {
		if !defaulted && !hasAll(n) {
			ignored[n] = true
			continue
		}
		for i, c := range constraints {
			if c.TopologyKey != corev1.LabelHostname {
				counts[i][n.Labels[c.TopologyKey]] = 0
			}
		}
	}
	matching := func(n *refNode, c corev1.TopologySpreadConstraint) (count int64) {
		for _, p := range n.pods {
			if selects(c.LabelSelector, p) {
				count++
			}
		}
		return count
	}
	for _, n := range r.nodes {
		if !defaulted && !hasAll(n) {
			continue
		}
		for i, c := range constraints {
			if c.NodeAffinityPolicy == nil || *c.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor {
				if want, ok := pod.Spec.NodeSelector["disk"]; ok && n.Labels["disk"] != want {
					continue
				}
			}
			if c.NodeTaintsPolicy != nil && *c.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor &&
				slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
					return t.Effect == corev1.TaintEffectNoSchedule && !refTolerates(pod, t)
				}) {
				continue
			}
			if _, ok := counts[i][n.Labels[c.TopologyKey]]; ok {
				counts[i][n.Labels[c.TopologyKey]] += matching(n, c)
			}
		}
	}
	least, most := int64(math.MaxInt64), int64(0)
	for j, n := range found {
		if ignored[n] {
			continue
		}
		score := 0.0
		for i, c := range constraints {
			value, ok := n.Labels[c.TopologyKey]
			if !ok {
				continue
			}
			size, count := len(counts[i]), counts[i][value]
			if c.TopologyKey == corev1.LabelHostname {
				size, count = len(found)-len(ignored), matching(n, c)
			}
			score += float64(count)*math.Log(float64(size+2)) + float64(c.MaxSkew-1)
		}
		out[j] = int64(math.Round(score))
		least, most = min(least, out[j]), max(most, out[j])
	}
	for j, n := range found {
		switch {
		case ignored[n]:
			out[j] = 0
		case most == 0:
			out[j] = 100
		default:
			out[j] = 100 * (most + least - out[j]) / most
		}
	}
	return out
}

// podAffinity is InterPodAffinity's PreScore, Score and NormalizeScore.
func (r *reference) podAffinity(pod *corev1.Pod, found []*refNode) []int64 {
	sums := map[string]map[string]int64{}
	process := func(t corev1.PodAffinityTerm, weight int64, target *corev1.Pod, n *refNode) {
		value, ok := n.Labels[t.TopologyKey]
		if !ok || !selects(t.LabelSelector, target) {
			return
		}
		if sums[t.TopologyKey] == nil {
			sums[t.TopologyKey] = map[string]int64{}
		}
		sums[t.TopologyKey][value] += weight
	}
	preferred := func(of, target *corev1.Pod, n *refNode) {
		if a := of.Spec.Affinity; a != nil && a.PodAffinity != nil {
			for _, t := range a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				process(t.PodAffinityTerm, int64(t.Weight), target, n)
			}
		}
		if a := of.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
			for _, t := range a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				process(t.PodAffinityTerm, -int64(t.Weight), target, n)
			}
		}
	}
	for _, n := range r.nodes {
		for _, existing := range n.pods {
			preferred(pod, existing, n)
			preferred(existing, pod, n)
			if a := existing.Spec.Affinity; a != nil && a.PodAffinity != nil {
				for _, t := range a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
					process(t, 1, pod, n)
				}
			}
		}
	}
	raw := each(found, func(n *refNode) (sum int64) {
		for key, values := range maps.All(sums) {
			if v, ok := n.Labels[key]; ok {
				sum += values[v]
			}
		}
		return sum
	})
	least, most := slices.Min(raw), slices.Max(raw)
	for i := range raw {
		score := 0.0
		if most > least {
			score = 100 * (float64(raw[i]-least) / float64(most-least))
		}
		raw[i] = int64(score)
	}
	return raw
}

func (r *reference) images(pod *corev1.Pod, n *refNode) int64 {
	var sum int64
	for _, of := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range of {
			name := c.Image
			if !strings.Contains(name, ":") {
				name += ":latest"
			}
			size, having := int64(0), 0
			for _, other := range r.nodes {
				for _, i := range other.Status.Images {
					if slices.Contains(i.Names, name) {
						size = i.SizeBytes // the same on all random nodes
						having++
					}
				}
			}
			if slices.ContainsFunc(n.Status.Images, func(i corev1.ContainerImage) bool { return slices.Contains(i.Names, name) }) {
				sum += int64(float64(size) * (float64(having) / float64(len(r.nodes))))
			}
		}
	}
	containers := int64(len(pod.Spec.InitContainers) + len(pod.Spec.Containers))
	low, high := int64(23*1024*1024), 1000*1024*1024*containers
	return 100 * (min(max(sum, low), high) - low) / (high - low)
}
