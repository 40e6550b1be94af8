package karpenter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/topology"
)

// Explanation is a plan and why it is so.
type Explanation struct {
	Plan *packing.Plan
	// Pods are the pods asked about, in the order in which they were asked about.
	Pods []*PodExplanation
	// Launches explain the plan's launches, one each, in the plan's order.
	Launches []*LaunchExplanation
}

// PodExplanation is what was tried for one pod.
type PodExplanation struct {
	Pod *corev1.Pod
	// Attempts come in order: one for each preference given up, and again from the
	// start if the pod came up in the queue a second time.
	Attempts []Attempt
}

// Attempt is one pass over nodes, claims and pools.
type Attempt struct {
	// GaveUp says which preference the pod gave up before this attempt, "" if none.
	GaveUp string
	// Tried are what was tried until one took the pod, in order.
	Tried []Tried
}

// Placed returns what took the pod, nil if nothing did.
func (a *Attempt) Placed() *Tried {
	if last := len(a.Tried) - 1; last >= 0 && a.Tried[last].Refusal == "" {
		return &a.Tried[last]
	}
	return nil
}

// TriedKind tells what a pod was tried on.
type TriedKind uint8

const (
	ExistingNode TriedKind = iota // a node that is there
	NodeClaim                     // a node that is to be launched for pods before
	NewNodeClaim                  // a new node of a pool
)

// String returns "node", "claim" or "pool".
func (k TriedKind) String() string {
	return [...]string{"node", "claim", "pool"}[min(k, NewNodeClaim)]
}

// Tried is a place where a pod was tried.
type Tried struct {
	Kind TriedKind
	// Name is that of the node, of the launch in the plan, or of the node pool.
	Name string
	// Refusal says why the pod was not taken, "" if it was.
	Refusal string
}

// Explain packs as [Packer.Pack] does, with the same plan, and writes down what
// was tried for some pods of the snapshot, and for each launch why no cheaper
// instance type is left. Pods that are not in the snapshot are an error. It takes
// longer than Pack: each attempt of a pod asked about asks every node and claim.
func (p *Packer) Explain(ctx context.Context, s *packing.Snapshot, pods ...*corev1.Pod) (*Explanation, error) {
	// A workspace of its own: reasons name resources in the order in which they were met.
	problem, err := compileProblem(newWorkspace(p), s)
	if err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	r := newRun(problem)
	r.watched = make(map[int32]*PodExplanation, len(pods))
	out := &Explanation{}
	for _, pod := range pods {
		at := slices.Index(s.Pods, pod)
		if at < 0 {
			return nil, fmt.Errorf("karpenter: pod %s/%s is not in the snapshot", pod.Namespace, pod.Name)
		}
		e := &PodExplanation{Pod: pod}
		r.watched[int32(at)] = e
		out.Pods = append(out.Pods, e)
	}
	if err := r.solve(ctx); err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	out.Plan = r.plan()
	out.Launches = r.explainLaunches(out.Plan)
	return out, nil
}

// watch writes down what a watched pod is about to be told.
func (r *run) watch(pod int32, c *class, d *demand) {
	e := r.watched[pod]
	if e == nil {
		return
	}
	a := Attempt{}
	if c.pod != r.p.classes[r.p.classOf[pod]].pod {
		a.GaveUp = gaveUp(r.previous(pod, c).pod, c.pod)
	}
	if a.Tried = r.tour(c, d); a.Placed() == nil {
		a.Tried = append(a.Tried, r.tourPools(c, d)...)
	}
	e.Attempts = append(e.Attempts, a)
}

// previous returns the class that a relaxed one comes from.
func (r *run) previous(pod int32, c *class) *class {
	before := r.p.classes[r.p.classOf[pod]]
	for before.relaxed != c {
		before = before.relaxed
	}
	return before
}

// tour asks nodes and claims, in order, until one takes the pod.
func (r *run) tour(c *class, d *demand) []Tried {
	if c.refusal != nil {
		return nil
	}
	var out []Tried
	for i := range r.nodes {
		t := Tried{Kind: ExistingNode, Name: r.nodes[i].Name, Refusal: r.nodeRefusal(c, d, &r.nodes[i])}
		if out = append(out, t); t.Refusal == "" {
			return out
		}
	}
	for _, at := range r.order.at {
		cl := r.claims[at]
		t := Tried{Kind: NodeClaim, Name: launchName(r.w.packer.pools[cl.pool].Name, int(at)+1), Refusal: r.claimRefusal(c, d, cl)}
		if out = append(out, t); t.Refusal == "" {
			return out
		}
	}
	return out
}

func (r *run) tourPools(c *class, d *demand) []Tried {
	if c.refusal != nil {
		return []Tried{{Kind: NewNodeClaim, Refusal: c.refusal.message}}
	}
	var out []Tried
	for i, pl := range r.w.packer.pools {
		t := Tried{Kind: NewNodeClaim, Name: pl.Name}
		if !pl.canLaunch {
			t.Refusal = "the pool's requirements leave no instance type"
			out = append(out, t)
			continue
		}
		cl, why := r.propose(c, d, i)
		if cl != nil {
			return append(out, t)
		}
		if why.code == noType {
			r.explainTypes(&why, d)
		}
		t.Refusal = r.reason(c, d, &why).Message
		out = append(out, t)
		if why.code == deferred {
			break
		}
	}
	return out
}

// nodeRefusal says why a node does not take a pod, "" if it does. The checks are
// those of the run, in Karpenter's order.
func (r *run) nodeRefusal(c *class, d *demand, n *nodeState) string {
	switch {
	case !n.active:
		return "the node is being deleted"
	case n.settling && c.displaced:
		return "pods came or went less than consolidateAfter ago"
	case n.overfull:
		return "the node is overcommitted"
	}
	if taint, found := topology.Untolerated(c.pod.Spec.Tolerations, n.taints); found {
		return untolerated(taint)
	}
	var mounts []mount
	if c.volumes != nil {
		mounts = c.volumes.mounts
	}
	ports, volumes := n.use()
	if driver, over := volumes.exceeds(n.limits, mounts); over {
		return fmt.Sprintf("would exceed the limit of volumes (driver=%s, limit=%d)", driver, n.limits[driver])
	}
	if conflict(c.ports, ports) {
		return "a host port is taken"
	}
	for i, want := range d.amounts {
		if have := n.available[i]; want > have {
			return r.tooLittle(i, want, have)
		}
	}
	if reason := r.setRefusal(c, n.host, &host{set: n.set, isNode: true}); reason != "" {
		return reason
	}
	if len(r.outcomes(c, n.set, true, nil)) == 0 {
		return "no place is left that volumes and topology constraints allow together"
	}
	return ""
}

func untolerated(t corev1.Taint) string {
	return fmt.Sprintf("did not tolerate taint (taint=%s)", t.ToString())
}

func (r *run) tooLittle(column int, want, have int64) string {
	name := r.p.dims.Name(column)
	return fmt.Sprintf("not enough %s: wants %s, %s left", name, quantity(name, want), quantity(name, have))
}

// claimRefusal says why a claim does not take a pod, "" if it does.
func (r *run) claimRefusal(c *class, d *demand, cl *claim) string {
	if taint, found := topology.Untolerated(c.pod.Spec.Tolerations, r.w.packer.pools[cl.pool].taints); found {
		return untolerated(taint)
	}
	if conflict(c.ports, cl.ports) {
		return "a host port is taken"
	}
	if reason := r.setRefusal(c, cl.host, &host{set: cl.set}); reason != "" {
		return reason
	}
	outcomes := r.outcomes(c, cl.set, false, nil)
	if len(outcomes) == 0 {
		return "no place is left that volumes and topology constraints allow together"
	}
	if _, what := r.tryClaim(c, d, cl, outcomes); what == accepts {
		return ""
	}
	copy(r.scratch, cl.types)
	if !r.p.overhead[cl.pool].fits.Restrict(r.scratch, cl.requests, d.amounts) {
		return r.noRoom(cl, d)
	}
	set := r.w.sets.Get(outcomes[0])
	if !overlaps(r.w.types.Compatible(set), r.scratch) {
		return "no instance type with room meets the requirements " + r.w.finalOf(outcomes[0]).String()
	}
	r.scratch.And(r.w.launchable(outcomes[0]).launchable)
	switch {
	case !r.scratch.Any():
		return "no instance type with room has an offering for " + r.w.finalOf(outcomes[0]).String()
	case len(r.unmet(outcomes[0])) > 0:
		return "too few instance types would be left for minValues"
	}
	return "the claim would lose its reserved capacity, or what is reserved is taken"
}

// noRoom names the resource of which no type of the claim has enough, if it is one alone.
func (r *run) noRoom(cl *claim, d *demand) string {
	fits := r.p.overhead[cl.pool].fits
	for i, want := range d.amounts {
		if want == 0 {
			continue
		}
		have, more := make([]int64, len(d.amounts)), make([]int64, len(d.amounts))
		have[i], more[i] = cl.requests[i], want
		if copy(r.scratch, cl.types); !fits.Restrict(r.scratch, have, more) {
			name := r.p.dims.Name(i)
			return fmt.Sprintf("no instance type left has enough %s: %s beside %s of other pods", name, quantity(name, want), quantity(name, have[i]))
		}
	}
	return "no instance type left has enough of all resources together"
}

// host is what of a host the requirements are checked against.
type host struct {
	set    setID
	isNode bool
}

// setRefusal says which requirement or which topology constraint a host does not
// meet, "" if each by itself is met.
func (r *run) setRefusal(c *class, domain int32, h *host) string {
	if c.hostname != nil && !c.hostname.Has(r.hostname(domain)) {
		return "incompatible requirements, " + c.hostname.String()
	}
	mayBeUndefined := r.w.wellKnown
	if h.isNode {
		mayBeUndefined = nil
	}
	if err := r.w.sets.Get(h.set).Compatible(r.w.sets.Get(c.set), mayBeUndefined); err != nil {
		return "incompatible requirements, " + err.Error()
	}
	for _, o := range c.ownedHosts {
		one := *c
		one.ownedHosts, one.inverseHosts = []ownedGroup{o}, nil
		if !r.hostAllows(&one, domain) {
			return fmt.Sprintf("%s, %d pods counted there", unsatisfiable(o.group), o.Count(domain))
		}
	}
	for _, g := range c.inverseHosts {
		if g.Count(domain) > 0 {
			return unsatisfiable(g) + " of a pod there"
		}
	}
	if c.volumes != nil && len(c.volumes.alternatives) > 0 &&
		!slices.ContainsFunc(c.volumes.alternatives, func(a setID) bool { return r.compatible(h.set, a, h.isNode) }) {
		return "incompatible volume requirements"
	}
	if c.topological() {
		if _, ok := r.withTopology(c, r.w.sets.Intersect(h.set, c.set), h.isNode); !ok {
			return r.topologyMessage(c, h.set)
		}
	}
	return ""
}

// gaveUp says in words what the second pod lacks of the first.
func gaveUp(before, after *corev1.Pod) string {
	a, b := before.Spec.Affinity, after.Spec.Affinity
	if a != nil && b != nil {
		switch {
		case a.NodeAffinity != nil && len(requiredTerms(a)) > len(requiredTerms(b)):
			return "a required node affinity term, of several: " + expressions(requiredTerms(a)[0].MatchExpressions)
		case a.PodAffinity != nil && len(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > len(b.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution):
			return "a preferred pod affinity"
		case a.PodAntiAffinity != nil && len(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > len(b.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution):
			return "a preferred pod anti-affinity"
		case a.NodeAffinity != nil && len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > len(b.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution):
			return "a preferred node affinity: " + expressions(byWeight(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)[0].Preference.MatchExpressions)
		}
	}
	if len(before.Spec.TopologySpreadConstraints) > len(after.Spec.TopologySpreadConstraints) {
		return "a ScheduleAnyway spread constraint"
	}
	return "PreferNoSchedule taints are tolerated now"
}

func requiredTerms(a *corev1.Affinity) []corev1.NodeSelectorTerm {
	if a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

func expressions(list []corev1.NodeSelectorRequirement) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Key, e.Operator, strings.Join(e.Values, ",")))
	}
	return strings.Join(parts, ", ")
}
