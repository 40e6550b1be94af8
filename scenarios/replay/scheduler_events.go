package replay

import (
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/kubescheduler"
)

// Events of the cluster as they reach kube-scheduler's queue (pkg/scheduler/eventhandlers.go). Each wakes
// the unschedulable pods that a queueing hint of the model is for.

// nodeCame is a node that has joined.
func (s *scheduler) nodeCame(id kubescheduler.NodeID) {
	s.changed(math.MaxInt32, func(c *kubescheduler.Class) kubescheduler.Reasons { return s.model.NodeAddedHint(c, id) })
}

// nodeChanged is a node whose taints, labels or cordon have changed.
func (s *scheduler) nodeChanged(id kubescheduler.NodeID, before *corev1.Node) {
	s.changed(math.MaxInt32, func(c *kubescheduler.Class) kubescheduler.Reasons { return s.model.NodeUpdatedHint(c, id, before) })
}

// nodeWent is a node that is no more.
func (s *scheduler) nodeWent(before *corev1.Node) {
	s.changed(math.MaxInt32, func(c *kubescheduler.Class) kubescheduler.Reasons { return s.model.NodeRemovedHint(c, before) })
}

// podLeft is a pod that has left its node, of consequence to pods of at most a priority.
func (s *scheduler) podLeft(gone *kubescheduler.Class, priority int32) {
	s.changed(priority, func(c *kubescheduler.Class) kubescheduler.Reasons { return s.model.PodRemovedHint(c, gone) })
}

func (s *scheduler) changed(priority int32, hint func(*kubescheduler.Class) kubescheduler.Reasons) {
	s.changes++
	s.heed(priority, hint)
}

// podBound is a pod that has come to a node. It takes room: what it can do for others is to be near.
func (s *scheduler) podBound(bound *kubescheduler.Class) {
	s.heed(math.MaxInt32, func(c *kubescheduler.Class) kubescheduler.Reasons {
		if !c.Relational() {
			return 0
		}
		return s.model.PodAddedHint(c, bound)
	})
}

// heed wakes the unschedulable pods that failed of something that an event may have cured.
func (s *scheduler) heed(priority int32, hint func(*kubescheduler.Class) kubescheduler.Reasons) {
	for _, w := range s.waiting {
		if len(w.pods) == 0 || w.class.Priority > priority {
			continue
		}
		cured := hint(w.class)
		if cured == 0 {
			continue
		}
		w.release(s, func(p *pod) bool { return p.queue.failed.Overlap(cured) })
	}
}
