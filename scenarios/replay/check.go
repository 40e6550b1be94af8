package replay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Reasons for which pods are evicted.
const (
	evictedByConsolidation = "consolidation"
	evictedByExpiry        = "expiry"
	evictedByInterruption  = "interruption"
	evictedByScaleDown     = "scale-down"
	evictedByPreemption    = "preemption"
	evictedByFailure       = "node failure"
)

// check holds the cluster at the end against itself and against the books.
func (r *replay) check() error {
	billed := 0
	for _, n := range r.nodes {
		if n.billed() {
			billed++
		}
	}
	return errors.Join(r.checkCluster(), r.meter.conserved(len(r.pods), billed))
}

// checkCluster counts the cluster anew: every pod is in exactly one state and place, no node has
// more on it than it can hold, and what is counted on the way adds up.
func (r *replay) checkCluster() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConservation}, args...)...))
	}
	waiting, running, on := 0, 0, 0
	for p := range r.pods {
		switch {
		case p.state == podGone:
			wrong("pod %s is gone and still counted", p.obj.Name)
		case (p.state == podWaiting) != (p.node == nil):
			wrong("pod %s waits and has a node, or neither", p.obj.Name)
		case (p.state == podWaiting) != (p.queue.in != nil || p.queue.parked) || p.queue.in != nil && p.queue.parked:
			wrong("pod %s waits and is not in one place of the scheduler's queue, or does not wait and is", p.obj.Name)
		case p.state == podWaiting:
			waiting++
		case p.state == podRunning:
			running++
		}
		if p.node != nil {
			on++
			if !slices.Contains(p.node.pods, p) {
				wrong("pod %s is not on its node %s", p.obj.Name, p.node.name)
			}
		}
	}
	placed := 0
	for _, n := range r.nodes {
		if err := r.checkNode(n); err != nil {
			errs = append(errs, err)
		}
		for _, p := range n.pods {
			if !p.daemon {
				placed++
			}
		}
	}
	if on != placed {
		wrong("%d pods have a node, nodes have %d pods", on, placed)
	}
	if waiting != r.meter.pods.pending || running != r.meter.pods.running {
		wrong("%d pods wait and %d run, %d and %d were counted", waiting, running, r.meter.pods.pending, r.meter.pods.running)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// checkNode checks that a node does not run more than it can hold, and that what is accounted on it is
// the sum of its pods.
func (r *replay) checkNode(n *node) error {
	var cpu, memory int64
	for _, p := range n.pods {
		cpu += p.cpu
		memory += p.memory
	}
	if cpu != n.cpu || memory != n.memory {
		return fmt.Errorf("%w: pods of node %s request %d milli-CPU and %d bytes, %d and %d are accounted", ErrConservation, n.name, cpu, memory, n.cpu, n.memory)
	}
	return r.checkRoom(n)
}

// checkRoom checks that a node does not run more than it can hold. It costs next to nothing and
// is made at each binding. A node of the scenario may have come overcommitted.
func (r *replay) checkRoom(n *node) error {
	if n.existing || n.obj == nil || n.holds(len(n.pods), n.cpu, n.memory) {
		return nil
	}
	return fmt.Errorf("%w: node %s holds %d pods, %d milli-CPU and %d bytes of %d, %d and %d", ErrConservation,
		n.name, len(n.pods), n.cpu, n.memory, n.obj.Status.Allocatable.Pods().Value(), n.bill.milliCPU, n.bill.memory)
}
