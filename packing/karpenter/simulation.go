package karpenter

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// simulator answers what the scheduler would do if some nodes were gone. The
// cluster is compiled once; a question picks the pods from it that wait and those that
// the nodes leave behind. It serves one question at a time; release it after use.
type simulator struct {
	pending int // the first pods of a question wait anyway
	waiting []*corev1.Pod
	ids     []podID // of those
	waits   map[*corev1.Pod]bool
	leavers []*leavers // by position of the node, once asked for
}

// newSimulator compiles a cluster for simulations that take some nodes away. Waiting pods that nodes
// being deleted list as well come with those nodes.
func (c *cluster) newSimulator(candidates []*Candidate) error {
	p := c.problem
	sim := &simulator{waits: map[*corev1.Pod]bool{}, leavers: p.w.consolidation.leavers}
	c.sim = sim
	for _, pod := range c.snap.Pods {
		if c.leavingPods[pod] {
			continue
		}
		id, err := p.m.identify(pod)
		if err != nil {
			return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		sim.waiting, sim.ids = append(sim.waiting, pod), append(sim.ids, id)
		sim.waits[pod] = true
	}
	sim.pending = len(sim.waiting)
	p.begin(0)
	for i, pod := range sim.waiting {
		if _, err := p.class(pod, sim.ids[i], false); err != nil {
			return err
		}
	}
	for _, cand := range candidates {
		if cand.Blocked != "" && cand.node.active {
			continue
		}
		if err := p.m.idsOf(cand.node); err != nil {
			return err
		}
		if err := p.check(cand.known); err != nil {
			return err
		}
	}
	p.leaving = c.leaversAt
	return p.compileNodes()
}

// release gives back what the cluster works with.
func (c *cluster) release() { c.packer.workspaces.give(c.problem.w) }

// moves returns the pods that would leave a candidate now, with their numbers.
func (c *cluster) moves(cand *Candidate) ([]*corev1.Pod, []podID) {
	if cand.moving == nil && cand.known != nil {
		if c.limits.None() && !cand.known.protected {
			cand.moving, cand.movingIDs = cand.known.pods, cand.known.ids
			return cand.moving, cand.movingIDs
		}
		ids := cand.known.ids
		cand.moving, cand.movingIDs = make([]*corev1.Pod, 0, len(ids)), make([]podID, 0, len(ids))
		for i, pod := range cand.known.pods {
			if c.limits.CurrentlyReschedulable(pod, c.now) {
				cand.moving, cand.movingIDs = append(cand.moving, pod), append(cand.movingIDs, ids[i])
			}
		}
	}
	return cand.moving, cand.movingIDs
}

// leaversAt returns the pods that leave with the node at a position.
func (c *cluster) leaversAt(position int) *leavers {
	l := c.sim.leavers[position]
	if l == nil {
		pods, _ := c.moves(c.byPosition[position])
		l = c.problem.m.leaversOf(pods)
		c.sim.leavers[position] = l
	}
	return l
}

// ask schedules the waiting pods and those that candidates leave behind. It returns
// the run and how many pods it had.
func (c *cluster) ask(ctx context.Context, gone []*Candidate, old *incumbent) (*run, error) {
	for _, cand := range gone {
		c.gone[cand.position] = true
	}
	defer func() {
		for _, cand := range gone {
			c.gone[cand.position] = false
		}
	}()
	q, err := c.question(gone)
	if err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	r := newRun(q)
	r.incumbent = old
	if err := r.solve(ctx); err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	return r, nil
}

// question is the compiled cluster with the pods of one simulation.
func (c *cluster) question(gone []*Candidate) (*problem, error) {
	q := *c.problem
	q.gone = c.gone
	n := c.sim.pending + len(c.deleting)
	for _, cand := range gone {
		n += len(cand.known.pods)
	}
	q.begin(n)
	for i, pod := range c.sim.waiting {
		if err := q.add(pod, c.sim.ids[i], false); err != nil {
			return nil, err
		}
	}
	for _, cand := range gone {
		pods, ids := c.moves(cand)
		for i, pod := range pods {
			if err := q.add(pod, ids[i], pod.Status.Phase != corev1.PodPending); err != nil {
				return nil, err
			}
		}
	}
	for _, cand := range c.deleting {
		pods, ids := c.moves(cand)
		for i, pod := range pods {
			if err := q.add(pod, ids[i], false); err != nil {
				return nil, err
			}
		}
	}
	return &q, nil
}

// forget drops what a class remembers of a run.
func (c *class) forget() {
	for ; c != nil; c = c.relaxed {
		c.profile = nil
		c.views = c.views[:0]
	}
}

// wouldFail returns the first pod that was running and found no place, in the
// order of the question, nil if all did.
func (r *run) wouldFail(pending int) *corev1.Pod {
	first := int32(-1)
	for pod := range r.failures {
		if int(pod) >= pending && (first < 0 || pod < first) {
			first = pod
		}
	}
	if first < 0 {
		return nil
	}
	return r.p.pods[first]
}
