package packing_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/packing"
)

// Verify claims that no order of binding could let a plan's pods pass whenever it accuses it of
// breaking a rule over several nodes. On small plans every order can be tried, by a plain restatement of
// what kube-scheduler filters one pod at a time.

// cluster is a state on the way: nodes that are up, and the pods on them.
type cluster struct {
	nodes []map[string]string // labels
	pods  map[*corev1.Pod]int // to node
}

func matches(selector map[string]string, p *corev1.Pod) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(p.Labels))
}

// passes reports whether kube-scheduler would let p onto node n now.
func (c *cluster) passes(p *corev1.Pod, n int) bool {
	a := p.Spec.Affinity
	if a != nil && a.PodAntiAffinity != nil {
		for _, term := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			if c.near(n, term.TopologyKey, term.LabelSelector.MatchLabels) {
				return false
			}
		}
	}
	for other, at := range c.pods {
		if other.Spec.Affinity == nil || other.Spec.Affinity.PodAntiAffinity == nil {
			continue
		}
		for _, term := range other.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			theirs, ok1 := c.nodes[at][term.TopologyKey]
			ours, ok2 := c.nodes[n][term.TopologyKey]
			if ok1 && ok2 && theirs == ours && matches(term.LabelSelector.MatchLabels, p) {
				return false
			}
		}
	}
	if a != nil && a.PodAffinity != nil && !c.passesAffinity(p, n, a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) {
		return false
	}
	for _, constraint := range p.Spec.TopologySpreadConstraints {
		if !c.passesSpread(p, n, constraint) {
			return false
		}
	}
	return true
}

func (c *cluster) near(n int, key string, selector map[string]string) bool {
	value, ok := c.nodes[n][key]
	for other, at := range c.pods {
		if v, has := c.nodes[at][key]; ok && has && v == value && matches(selector, other) {
			return true
		}
	}
	return false
}

func (c *cluster) passesAffinity(p *corev1.Pod, n int, terms []corev1.PodAffinityTerm) bool {
	matchesAll := func(q *corev1.Pod) bool {
		return !slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool { return !matches(t.LabelSelector.MatchLabels, q) })
	}
	satisfied, anywhere := true, false
	for _, term := range terms {
		value, ok := c.nodes[n][term.TopologyKey]
		if !ok {
			return false
		}
		here := false
		for other, at := range c.pods {
			if v, has := c.nodes[at][term.TopologyKey]; has && matchesAll(other) {
				anywhere = true
				here = here || v == value
			}
		}
		satisfied = satisfied && here
	}
	return satisfied || !anywhere && matchesAll(p)
}

func (c *cluster) passesSpread(p *corev1.Pod, n int, constraint corev1.TopologySpreadConstraint) bool {
	if _, ok := c.nodes[n][constraint.TopologyKey]; !ok {
		return false
	}
	counts := map[string]int{}
	counted := func(node map[string]string) bool {
		for _, other := range p.Spec.TopologySpreadConstraints { // nodes must have all keys
			if _, ok := node[other.TopologyKey]; !ok {
				return false
			}
		}
		return true
	}
	for _, node := range c.nodes {
		if counted(node) {
			counts[node[constraint.TopologyKey]] += 0
		}
	}
	for other, at := range c.pods {
		if counted(c.nodes[at]) && matches(constraint.LabelSelector.MatchLabels, other) {
			counts[c.nodes[at][constraint.TopologyKey]]++
		}
	}
	least := slices.Min(slices.Collect(maps.Values(counts)))
	if constraint.MinDomains != nil && len(counts) < int(*constraint.MinDomains) {
		least = 0
	}
	self := 0
	if matches(constraint.LabelSelector.MatchLabels, p) {
		self = 1
	}
	return counts[c.nodes[n][constraint.TopologyKey]]+self-least <= int(constraint.MaxSkew)
}

// orderExists tries every order of launches coming up (in the plan's order) and pods binding.
// With allUp every launch is up from the start.
func orderExists(s *packing.Snapshot, plan *packing.Plan, allUp bool) bool {
	c := &cluster{pods: map[*corev1.Pod]int{}}
	for i, n := range s.Nodes {
		c.nodes = append(c.nodes, n.Labels)
		for _, p := range n.Pods {
			c.pods[p] = i
		}
	}
	type wish struct {
		pod *corev1.Pod
		on  int
	}
	var wishes []wish
	for _, pl := range plan.Placements {
		for _, p := range pl.Pods {
			wishes = append(wishes, wish{p, slices.Index(s.Nodes, pl.Node)})
		}
	}
	var launched []map[string]string
	for i, l := range plan.Launches {
		launched = append(launched, l.Node().Labels)
		for _, p := range l.Pods {
			wishes = append(wishes, wish{p, len(s.Nodes) + i})
		}
	}
	if allUp {
		c.nodes = append(c.nodes, launched...)
		launched = nil
	}
	type state struct{ up, bound int }
	dead := map[state]bool{}
	var reach func(bound int) bool
	reach = func(bound int) bool {
		if bound == 1<<len(wishes)-1 {
			return true
		}
		here := state{len(c.nodes), bound}
		if dead[here] {
			return false
		}
		for i, w := range wishes {
			if bound&(1<<i) != 0 || w.on >= len(c.nodes) || !c.passes(w.pod, w.on) {
				continue
			}
			c.pods[w.pod] = w.on
			if reach(bound | 1<<i) {
				return true
			}
			delete(c.pods, w.pod)
		}
		if next := len(c.nodes) - len(s.Nodes); next < len(launched) {
			c.nodes = append(c.nodes, launched[next])
			if reach(bound) {
				return true
			}
			c.nodes = c.nodes[:len(c.nodes)-1]
		}
		dead[here] = true
		return false
	}
	return reach(0)
}

// smallWorld draws a cluster and a plan of a few pods with topology constraints, placed at random. With
// oneKind all constrained pods share one constraint.
func smallWorld(t *rapid.T, oneKind bool) *world {
	w := newWorld()
	w.pool.Spec.Limits = nil
	w.snapshot.Nodes = w.snapshot.Nodes[:rapid.IntRange(0, 2).Draw(t, "nodes")]
	w.snapshot.DaemonSets = nil
	w.plan = &packing.Plan{}
	launches := rapid.IntRange(1, 3).Draw(t, "launches")
	for i := range launches {
		w.plan.Launches = append(w.plan.Launches, w.launch(fmt.Sprint("l", i), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "zone")))
	}
	for i, n := range w.snapshot.Nodes {
		n.Pods = nil
		w.plan.Placements = append(w.plan.Placements, packing.Placement{Node: n})
		if rapid.IntRange(0, 3).Draw(t, "no zone") == 0 {
			delete(n.Labels, zone)
		}
		for j := range rapid.IntRange(0, 2).Draw(t, "bound") {
			p := drawnPod(t, fmt.Sprint("bound-", i, "-", j), nil)
			n.Pods = append(n.Pods, p)
		}
	}
	var constraint func(*corev1.Pod)
	if oneKind {
		constraint = drawnConstraint(t)
	}
	w.snapshot.Pods = nil
	for i := range rapid.IntRange(1, 5).Draw(t, "pods") {
		p := drawnPod(t, fmt.Sprint("pod-", i), constraint)
		w.snapshot.Pods = append(w.snapshot.Pods, p)
		at := rapid.IntRange(0, len(w.snapshot.Nodes)+launches-1).Draw(t, "at")
		if at < len(w.snapshot.Nodes) {
			w.plan.Placements[at].Pods = append(w.plan.Placements[at].Pods, p)
		} else {
			l := w.plan.Launches[at-len(w.snapshot.Nodes)]
			l.Pods = append(l.Pods, p)
		}
	}
	return w
}

func drawnPod(t *rapid.T, name string, constraint func(*corev1.Pod)) *corev1.Pod {
	p := pod(name, "cpu=1m")
	p.Labels = rapid.SampledFrom([]map[string]string{nil, {"app": "web"}, {"app": "db"}, {"app": "web", "tier": "x"}}).Draw(t, "labels")
	if constraint == nil {
		constraint = drawnConstraint(t)
	}
	if rapid.IntRange(0, 2).Draw(t, "constrained") > 0 {
		constraint(p)
	}
	return p
}

func drawnConstraint(t *rapid.T) func(*corev1.Pod) {
	key := rapid.SampledFrom([]string{zone, zone, host}).Draw(t, "key")
	selector := rapid.SampledFrom([]map[string]string{{"app": "web"}, {"app": "db"}, {"tier": "x"}}).Draw(t, "selector")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return func(p *corev1.Pod) { p.Spec.Affinity = antiAffinity(term(key, selector)) }
	case 1:
		terms := []corev1.PodAffinityTerm{term(key, selector)}
		if rapid.Bool().Draw(t, "two terms") {
			terms = append(terms, term(zone, web))
		}
		return func(p *corev1.Pod) { p.Spec.Affinity = affinity(terms...) }
	default:
		constraint := spread(key, rapid.Int32Range(1, 2).Draw(t, "maxSkew"), selector)
		if rapid.Bool().Draw(t, "min domains") {
			constraint.MinDomains = ptr(rapid.Int32Range(1, 4).Draw(t, "minDomains"))
		}
		return func(p *corev1.Pod) { p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{constraint} }
	}
}

// describe prints the plan of a small world.
func describe(w *world) string {
	var text string
	show := func(p *corev1.Pod) {
		text += fmt.Sprintf("  %s %v %v %v\n", p.Name, p.Labels, p.Spec.Affinity, p.Spec.TopologySpreadConstraints)
	}
	for i, n := range w.snapshot.Nodes {
		text += fmt.Sprintf("node %s zone %q\n", n.Name, n.Labels[zone])
		for _, p := range append(slices.Clone(n.Pods), w.plan.Placements[i].Pods...) {
			show(p)
		}
	}
	for _, l := range w.plan.Launches {
		text += fmt.Sprintf("launch %s zone %q\n", l.Name, l.Zone)
		for _, p := range l.Pods {
			show(p)
		}
	}
	return text
}

// An accused plan has no order, whatever constraints meet in it.
func TestVerifyAccusesOnlyWhatNoOrderAllows(t *testing.T) {
	accused, good := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := smallWorld(t, false)
		for _, allUp := range []bool{false, true} {
			var opts []packing.VerifyOption
			if allUp {
				opts = append(opts, packing.CountAllDomains())
			}
			violations := packing.Verify(w.snapshot, w.plan, opts...)
			if len(violations) == 0 {
				good++
				continue
			}
			accused++
			if orderExists(w.snapshot, w.plan, allUp) {
				t.Fatalf("all up %v: %v, but there is an order:\n%s", allUp, violations, describe(w))
			}
		}
	})
	if accused == 0 || good == 0 {
		t.Fatalf("%d plans accused, %d good: the test proves nothing", accused, good)
	}
	t.Logf("%d plans accused, %d good", accused, good)
}

// Where there is one constraint and every node is up, a plan that is not accused has an order.
func TestVerifyFindsWhatNoOrderAllows(t *testing.T) {
	accused, good := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := smallWorld(t, true)
		for _, n := range w.snapshot.Nodes {
			for _, p := range n.Pods {
				p.Spec.Affinity, p.Spec.TopologySpreadConstraints = nil, nil
			}
		}
		if len(packing.Verify(w.snapshot, w.plan, packing.CountAllDomains())) > 0 {
			accused++
			return
		}
		good++
		if !orderExists(w.snapshot, w.plan, true) {
			t.Fatalf("no violation, but no order either:\n%s", describe(w))
		}
	})
	if accused == 0 || good == 0 {
		t.Fatalf("%d plans accused, %d good: the test proves nothing", accused, good)
	}
	t.Logf("%d plans accused, %d good", accused, good)
}
