package karpenter

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// Plan returns the command as a plan, as packing.Verify judges it: the cluster
// without the nodes that go, in which their pods wait, and where those go. The
// snapshot is the one that was consolidated. Pods of nodes that are already being
// deleted, for which Karpenter makes room too, wait as well. Pods that wait in the
// returned snapshot are copies without a node.
func (c *Command) Plan(s *packing.Snapshot) (*packing.Snapshot, *packing.Plan) {
	plan := &packing.Plan{Packer: "karpenter"}
	placed := map[*corev1.Pod]bool{}
	for _, pl := range c.Placements {
		for _, pod := range pl.Pods {
			placed[pod] = true
		}
	}
	if c.Replacement != nil {
		plan.Launches = []*packing.Launch{c.Replacement}
		for _, pod := range c.Replacement.Pods {
			placed[pod] = true
		}
	}
	reduced := *s
	reduced.Pods = slices.Clone(s.Pods)
	leave := func(pod *corev1.Pod, message string) {
		if !placed[pod] {
			plan.Unschedulable = append(plan.Unschedulable, packing.Unschedulable{Pod: pod, Reasons: []packing.Reason{{Message: message}}})
		}
	}
	for _, pod := range s.Pods {
		leave(pod, "it waits with or without the command")
	}
	going := map[*packing.Node]bool{}
	for _, cand := range c.Candidates {
		going[cand.Node] = true
		for _, pod := range cand.known.pods {
			reduced.Pods = append(reduced.Pods, evicted(pod))
			leave(pod, "the command has no place for it")
		}
	}
	reduced.Nodes = make([]*packing.Node, 0, len(s.Nodes))
	copies := make(map[*packing.Node]*packing.Node)
	for _, n := range s.Nodes {
		switch {
		case going[n]:
			continue
		case slices.ContainsFunc(n.Pods, func(pod *corev1.Pod) bool { return placed[pod] }): // it is being deleted
			stays := *n
			stays.Pods = nil
			for _, pod := range n.Pods {
				if placed[pod] {
					reduced.Pods = append(reduced.Pods, evicted(pod))
				} else {
					stays.Pods = append(stays.Pods, pod)
				}
			}
			copies[n] = &stays
			n = &stays
		}
		reduced.Nodes = append(reduced.Nodes, n)
	}
	for _, pl := range c.Placements {
		if n := copies[pl.Node]; n != nil {
			pl.Node = n
		}
		plan.Placements = append(plan.Placements, pl)
	}
	return &reduced, plan
}

// evicted is a pod as its controller makes it again.
func evicted(pod *corev1.Pod) *corev1.Pod {
	again := *pod
	again.DeletionTimestamp = nil // a StatefulSet's terminating pod comes back as a new one
	again.Spec.NodeName = ""
	return &again
}
