package karpenter

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// cluster is a snapshot as consolidation reads it.
type cluster struct {
	packer *Packer
	snap   *packing.Snapshot
	now    time.Time
	limits *disruption.Limits
	sizes  []poolSize // of the packer's node pools
	// candidates are all nodes in the order of their names; Karpenter's own order
	// before sorting is that of a Go map.
	candidates []*Candidate
	byPosition []*Candidate // in the snapshot's order
	problem    *problem
	deleting   []*Candidate // nodes that are already going, in the snapshot's order
	// leavingPods are to be moved off those.
	leavingPods map[*corev1.Pod]bool
	// uninitialized is set if a node of a pool is not ready to be relied on.
	uninitialized bool

	sim    *simulator
	gone   []bool        // scratch of ask, by position in the snapshot
	active int           // nodes that are not being deleted
	effort *MethodEffort // of the method that is at work
	// brief: of a node that stays nobody asks why.
	brief  bool
	always stragglers // part of every simulation, once one was to be pruned
}

// newCluster reads a snapshot. Nodes are judged and simulations made ready by [cluster.ready] or [cluster.readyFor].
func (p *Packer) newCluster(s *packing.Snapshot) (*cluster, error) {
	limits, err := disruption.NewLimits(s.PodDisruptionBudgets)
	if err != nil {
		return nil, err
	}
	c := &cluster{
		packer: p, snap: s, now: s.Now, limits: limits,
		sizes:       make([]poolSize, len(p.nodePools)),
		leavingPods: map[*corev1.Pod]bool{}, effort: &MethodEffort{},
	}
	for _, pool := range p.nodePools {
		if err := disruption.CheckBudgets(pool); err != nil {
			return nil, err
		}
	}
	w := p.workspaces.take(p)
	if c.problem, err = startProblem(w, s); err != nil {
		return nil, err
	}
	c.problem.simulating = true
	w.pruning.cluster++
	if err := c.problem.readNodes(); err != nil {
		return nil, err
	}
	mem := w.consolidation.ofSize(len(s.Nodes))
	c.byPosition, c.gone = mem.byPosition, mem.gone
	for i, n := range s.Nodes {
		k := c.problem.nodes[i].knownNode
		cand := &mem.all[i]
		*cand = Candidate{Node: n, position: i, node: k}
		if k.ownerAt >= 0 {
			cand.Pool, cand.poolAt = p.nodePools[k.ownerAt], k.ownerAt
		}
		c.byPosition[i], c.gone[i] = cand, !k.active
		c.count(k)
		if k.active {
			c.active++
			continue
		}
		c.deleting = append(c.deleting, cand)
		cand.known = w.memory.movabilityOf(k)
		for _, pod := range cand.known.pods {
			if c.limits.CurrentlyReschedulable(pod, c.now) {
				c.leavingPods[pod] = true
			}
		}
	}
	return c, nil
}

// ready judges all nodes and makes simulations ready for any of them.
func (c *cluster) ready() error {
	for _, cand := range c.byPosition {
		c.judge(cand)
	}
	mem := &c.problem.w.consolidation
	mem.candidates = append(mem.candidates[:0], c.byPosition...)
	c.candidates = mem.candidates
	byName := func(a, b *Candidate) int { return strings.Compare(a.Node.Name, b.Node.Name) }
	if !slices.IsSortedFunc(c.candidates, byName) {
		slices.SortStableFunc(c.candidates, byName)
	}
	return c.newSimulator(c.candidates)
}

// readyFor makes simulations ready for a few nodes, which are judged already.
func (c *cluster) readyFor(few []*Candidate) error {
	return c.newSimulator(slices.Concat(few, c.deleting))
}

// consolidationMemory is memory of one cluster that the next one uses.
type consolidationMemory struct {
	all                    []Candidate
	byPosition, candidates []*Candidate
	gone                   []bool
	leavers                []*leavers
}

func (m *consolidationMemory) ofSize(n int) *consolidationMemory {
	if cap(m.all) < n {
		more := n + n/8
		m.all, m.byPosition, m.gone, m.leavers = make([]Candidate, more), make([]*Candidate, more), make([]bool, more), make([]*leavers, more)
	}
	m.all, m.byPosition, m.gone, m.leavers = m.all[:n], m.byPosition[:n], m.gone[:n], m.leavers[:n]
	clear(m.leavers)
	return m
}

// handOver leaves the candidates to the caller.
func (m *consolidationMemory) handOver() { m.all, m.candidates = nil, nil }

// detach returns a candidate that outlasts the cluster, whose memory the next one uses.
func (c *Candidate) detach() *Candidate {
	made := *c
	return &made
}

func detach(candidates []*Candidate) []*Candidate {
	out := make([]*Candidate, len(candidates))
	for i, c := range candidates {
		out[i] = c.detach()
	}
	return out
}

// poolSize counts the nodes of a pool that have started.
type poolSize struct{ nodes, disrupting int }

// count takes a node into account for budgets.
func (c *cluster) count(k *knownNode) {
	if k.owner == "" {
		return
	}
	if !k.started {
		c.uninitialized = true
		return
	}
	if k.ownerAt < 0 {
		return
	}
	size := &c.sizes[k.ownerAt]
	size.nodes++
	if !k.ready || !k.active {
		size.disrupting++
	}
}

// allowed returns how many nodes of each pool may still be disrupted for a
// reason: what the budgets allow less nodes that are not ready or already going
// (BuildDisruptionBudgetMapping).
func (c *cluster) allowed(reason string) map[string]int {
	allowed := make(map[string]int, len(c.sizes))
	for i, pool := range c.packer.nodePools {
		allowed[pool.Name] = max(0, disruption.Allowed(pool, c.sizes[i].nodes, reason, c.now)-c.sizes[i].disrupting)
	}
	return allowed
}
