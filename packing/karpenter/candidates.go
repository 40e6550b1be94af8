package karpenter

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
	"github.com/binwright/binwright/packing/requirements"
)

// ConsolidationPolicy of a node pool, spec.disruption.consolidationPolicy.
const (
	WhenEmpty                = "WhenEmpty"
	WhenEmptyOrUnderutilized = "WhenEmptyOrUnderutilized"
	Balanced                 = "Balanced"
)

// Candidate is a node as the filters of consolidation see it.
type Candidate struct {
	Node *packing.Node
	Pool *packing.NodePool // nil if the node belongs to no pool that exists
	// InstanceType is the node's, nil if its pool does not list it.
	InstanceType *instancetypes.InstanceType
	// Price is that of the node's offering in US dollars an hour, 0 if unknown.
	Price float64
	// DisruptionCost is 1 plus the positive eviction costs of the pods to be moved.
	DisruptionCost float64
	// LifetimeCost is the sum of the eviction costs of all pods times the share of
	// the node's lifetime that is left; drift orders by it.
	LifetimeCost float64
	// StateCost is what the node adds to the disruption cost of its pool when it is blocked.
	StateCost float64
	// Blocked says why the node cannot be disrupted at all, "" if it can.
	Blocked string
	// Excluded says why consolidation leaves out a node that is not blocked, "" if
	// it takes part. Empty nodes are left to emptiness.
	Excluded string
	// Empty is set for nodes that emptiness may remove.
	Empty bool

	poolAt    int           // among the packer's, if there is a pool
	position  int           // of the node in the snapshot
	moving    []*corev1.Pod // the pods that would leave now, once a simulation needed them
	movingIDs []podID
	node      *knownNode
	known     *movability // once the node is judged
}

// SavingsRatio is the price over the disruption cost; consolidation takes the highest first.
func (c *Candidate) SavingsRatio() float64 {
	if c.DisruptionCost == 0 {
		return 0
	}
	return c.Price / c.DisruptionCost
}

func (c *Candidate) capacityType() string { return c.Node.Labels[requirements.LabelCapacityType] }

// consolidatable reports whether a node's claim has that condition; it goes with initialized nodes where the
// snapshot has no claim.
func consolidatable(n *packing.Node) bool {
	if n.Claim == nil {
		return initialized(n)
	}
	return n.Claim.Consolidatable
}

func managed(n *packing.Node) bool { return n.NodePool() != "" }

func initialized(n *packing.Node) bool {
	return n.Labels[requirements.LabelInitialized] == "true" && (n.Claim == nil || !n.Claim.Unregistered)
}

// judge fills in a candidate. What it comes to is kept with the node where neither budgets nor the time have a say.
func (c *cluster) judge(cand *Candidate) {
	k := cand.node
	if k.judged != nil && c.limits.None() {
		at := cand.position
		*cand = *k.judged
		cand.position = at
		return
	}
	c.judgeAnew(cand)
	if c.limits.None() && !cand.known.protected && (cand.Blocked != "" || cand.expires() == 0) {
		k.judged = cand.detach()
	}
}

// judgeAnew models NewCandidate and the filters ShouldDisrupt of consolidation and emptiness
// (pkg/controllers/disruption/types.go, consolidation.go, emptiness.go).
func (c *cluster) judgeAnew(cand *Candidate) {
	k := cand.node
	cand.known = c.problem.m.movabilityOf(k)
	n, v := cand.Node, cand.known
	cand.StateCost = v.state
	if cand.Blocked = c.blocked(k, cand.Pool, v); cand.Blocked != "" {
		return
	}
	cand.InstanceType, cand.Price, cand.DisruptionCost = k.instanceType, k.price, v.cost
	expire := cand.expires()
	cand.LifetimeCost = v.rescheduling * disruption.LifetimeRemaining(n.CreationTimestamp.Time, c.now, expire, expire == 0)
	cand.Excluded, cand.Empty = excluded(cand, k.nodeFacts)
}

// expires returns the lifetime of a candidate's node, 0 if it has no end.
func (c *Candidate) expires() time.Duration {
	after := c.Pool.Spec.Template.Spec.ExpireAfter
	if claim := c.Node.Claim; claim != nil && claim.ExpireAfter != nil {
		after = *claim.ExpireAfter
	}
	if after.Never {
		return 0
	}
	return after.Duration
}

// blocked says why no candidate can be made of a node, in Karpenter's order of checks.
func (c *cluster) blocked(n *knownNode, pool *packing.NodePool, v *movability) string {
	switch {
	case n.owner == "":
		return "node isn't managed by Karpenter"
	case n.Claim != nil && n.Claim.Unregistered:
		return "node claim has no node yet"
	case !n.started:
		return "node isn't initialized"
	case !n.active:
		return "node is being deleted"
	case n.Claim != nil && n.Claim.Nominated:
		return "node is nominated for a pending pod"
	case n.protected:
		return "node has the annotation " + disruption.AnnotationDoNotDisrupt
	case pool == nil || len(c.packer.catalogOf(pool.Name).Types()) == 0:
		return fmt.Sprintf("node pool %q not found", n.owner)
	}
	for _, pod := range n.Pods {
		if v.protected && !disruption.Disruptable(pod, c.now) {
			return fmt.Sprintf("pod %s/%s has the annotation %s", pod.Namespace, pod.Name, disruption.AnnotationDoNotDisrupt)
		}
	}
	if c.limits.None() {
		return ""
	}
	if budgets := c.limits.Blocking(n.Pods, c.now); budgets != "" {
		return "pod disruption budget prevents evictions: " + budgets
	}
	return ""
}

// excluded says why consolidation passes over a node, and whether emptiness takes it.
func excluded(c *Candidate, f *nodeFacts) (reason string, empty bool) {
	d := &c.Pool.Spec.Disruption
	consolidatable := consolidatable(c.Node)
	isEmpty := c.DisruptionCost <= disruption.NodeBaseCost
	disabled := d.ConsolidateAfter.Never
	empty = c.Pool.Spec.Replicas == nil && !disabled && isEmpty && consolidatable
	switch {
	case c.Pool.Spec.Replicas != nil:
		reason = "node pool is static"
	case c.InstanceType == nil:
		reason = fmt.Sprintf("instance type %q not found", c.Node.Labels[corev1.LabelInstanceTypeStable])
	case f.lacks != "":
		reason = "node has no label " + f.lacks
	case disabled:
		reason = fmt.Sprintf("node pool %q has consolidation disabled", c.Pool.Name)
	case isEmpty:
		reason = "node is empty, which is for emptiness to remove"
	case d.ConsolidationPolicy == WhenEmpty:
		reason = fmt.Sprintf("node pool %q consolidates only empty nodes", c.Pool.Name)
	case !consolidatable:
		reason = "consolidateAfter has not passed yet"
	}
	return reason, empty
}

// nodePrice is the price of the first offering of the node's zone and capacity
// type, available or not; 0 if there is none (resolveNodePrice).
func nodePrice(n *packing.Node, t *instancetypes.InstanceType) float64 {
	if t == nil {
		return 0
	}
	for i := range t.Offerings {
		o := &t.Offerings[i]
		if o.Zone() == n.Labels[corev1.LabelTopologyZone] && o.CapacityType() == n.Labels[requirements.LabelCapacityType] {
			return o.Price
		}
	}
	return 0
}

// consolidatable returns the candidates of consolidation, the highest savings
// ratio first, equals by name. Karpenter leaves the order of equals to chance.
func (c *cluster) consolidatable() []*Candidate {
	type ranked struct {
		ratio float64
		at    int
	}
	ranks := make([]ranked, 0, len(c.candidates))
	for i, cand := range c.candidates {
		if cand.Blocked == "" && cand.Excluded == "" {
			ranks = append(ranks, ranked{cand.SavingsRatio(), i})
		}
	}
	slices.SortFunc(ranks, func(a, b ranked) int {
		switch {
		case a.ratio > b.ratio:
			return -1
		case a.ratio < b.ratio:
			return 1
		}
		return a.at - b.at
	})
	out := make([]*Candidate, len(ranks))
	for i, r := range ranks {
		out[i] = c.candidates[r.at]
	}
	return out
}

func ready(n *packing.Node) bool {
	for _, cond := range n.Status.Conditions {
		if cond.Type == corev1.NodeReady {
			return cond.Status == corev1.ConditionTrue
		}
	}
	return false
}

// settles is when a node's consolidateAfter has passed since a pod last came or went: before, it takes no
// running pods in a simulated consolidation (pkg/utils/disruption/disruption.go, IsUnderConsolidateAfter).
func (p *Packer) settles(n *knownNode) time.Time {
	if n.ownerAt < 0 || !n.started {
		return time.Time{}
	}
	after := p.nodePools[n.ownerAt].Spec.Disruption.ConsolidateAfter
	if after.Never || after.Duration == 0 {
		return time.Time{}
	}
	since := n.CreationTimestamp.Time
	if n.Claim != nil {
		if !n.Claim.Initialized.IsZero() {
			since = n.Claim.Initialized
		}
		if !n.Claim.LastPodEvent.IsZero() {
			since = n.Claim.LastPodEvent
		}
	}
	return since.Add(after.Duration)
}
