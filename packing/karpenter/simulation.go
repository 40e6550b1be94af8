package karpenter

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// simulator answers what the scheduler would do if some nodes were gone. The
// cluster is compiled once, with every pod that any answer may move; a question
// picks from it. It serves one question at a time; release it after use.
type simulator struct {
	p       *problem
	podAt   map[*corev1.Pod]int32
	pending int // the first pods of the problem wait anyway
}

// newSimulator compiles a cluster. movable are the running pods of nodes that a
// question may take away; leaving those of nodes that go anyway.
func (p *Packer) newSimulator(s *packing.Snapshot, movable, leaving []*corev1.Pod) (*simulator, error) {
	displaced := make(map[*corev1.Pod]bool, len(movable))
	for _, pod := range movable {
		displaced[pod] = pod.Status.Phase != corev1.PodPending
	}
	all := *s
	all.Pods = slices.Concat(s.Pods, movable, leaving)
	w := p.workspaces.Get().(*workspace)
	w.renew()
	problem, err := compileProblem(w, &all, displaced)
	if err != nil {
		p.workspaces.Put(w)
		return nil, err
	}
	sim := &simulator{p: problem, pending: len(s.Pods), podAt: make(map[*corev1.Pod]int32, len(all.Pods))}
	for i, pod := range all.Pods {
		sim.podAt[pod] = int32(i)
	}
	return sim, nil
}

// release gives back what the simulator works with.
func (s *simulator) release() { s.p.w.packer.workspaces.Put(s.p.w) }

// run schedules the waiting pods and those to be moved while some nodes, by
// position in the snapshot, are gone.
func (s *simulator) run(ctx context.Context, gone []bool, moving []*corev1.Pod) (*run, error) {
	r := newRun(s.question(gone, moving))
	if err := r.solve(ctx); err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	return r, nil
}

// question is the compiled cluster reduced to what one simulation schedules.
func (s *simulator) question(gone []bool, moving []*corev1.Pod) *problem {
	q := *s.p
	q.gone = gone
	n := s.pending + len(moving)
	q.pods = make([]*corev1.Pod, 0, n)
	q.classOf, q.demandOf = make([]int32, 0, n), make([]int32, 0, n)
	q.classes = nil
	renumbered := make([]int32, len(s.p.classes)) // one more than the new number
	add := func(at int32) {
		old := s.p.classOf[at]
		if renumbered[old] == 0 {
			c := s.p.classes[old]
			c.index = len(q.classes)
			c.forget()
			q.classes = append(q.classes, c)
			renumbered[old] = int32(len(q.classes))
		}
		q.pods = append(q.pods, s.p.pods[at])
		q.classOf = append(q.classOf, renumbered[old]-1)
		q.demandOf = append(q.demandOf, s.p.demandOf[at])
	}
	for i := range s.pending {
		add(int32(i))
	}
	for _, pod := range moving {
		add(s.podAt[pod])
	}
	return &q
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
