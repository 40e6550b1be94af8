package clusterautoscaler

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// expectation is where a waiting pod was found to fit: the n-th node of a group that is on its way.
type expectation struct {
	group string
	n     int
}

// seenTemplate is the node and its daemon pods that a group's template was made from.
type seenTemplate struct {
	node    *corev1.Node
	daemons []seenDaemon
}

type seenDaemon struct {
	pod   *corev1.Pod
	owner types.UID
	owned bool
}

// rememberRequests notes what scale-up carries from loop to loop.
func (a *process) rememberRequests(out *Memory) {
	out.requests = make(map[string]int)
	out.expected = make(map[string]expectation, len(a.hints))
	out.templates = make(map[string]seenTemplate)
	for g, group := range a.groups {
		if a.asked[g] {
			out.requests[group.Name] = a.requested[g]
		}
		if t := a.templates[g]; t != nil && t.from != nil {
			seen := seenTemplate{node: t.from}
			for _, d := range t.running {
				seen.daemons = append(seen.daemons, seenDaemon{d.class.Pod, d.owner, d.owned})
			}
			out.templates[group.Name] = seen
		}
	}
	for p, at := range a.hints {
		out.expected[podKey(a.residents[p].pod)] = expectation{a.groups[at.group].Name, at.n}
	}
}

// recallRequests takes up what scale-up carries; an autoscaler that has just started takes
// every node that a group lacks for one that it has asked for.
func (a *process) recallRequests(from Memory, byName map[string]*member) error {
	if from.requests == nil {
		return nil
	}
	groups := make(map[string]int, len(a.groups))
	for g, group := range a.groups {
		groups[group.Name] = g
		a.requested[g], a.asked[g] = from.requests[group.Name]
		seen, ok := from.templates[group.Name]
		if !ok {
			continue
		}
		if err := a.recallTemplate(g, seen, byName[seen.node.Name]); err != nil {
			return err
		}
	}
	if len(from.expected) == 0 {
		return nil
	}
	a.hints = make(hints, len(from.expected))
	for _, p := range a.waiting {
		if at, ok := from.expected[podKey(a.residents[p].pod)]; ok {
			a.hints[p] = upcomingNode{groups[at.group], at.n}
		}
	}
	return nil
}

// recallTemplate makes a group's template again as an earlier loop made it. If its node is
// still there and good, the next loop makes it anew.
func (a *process) recallTemplate(group int, seen seenTemplate, now *member) error {
	was := &member{index: -1, node: seen.node, group: group}
	for _, d := range seen.daemons {
		class, err := a.universe.Class(d.pod)
		if err != nil {
			return err
		}
		was.daemons = append(was.daemons, daemonPod{class, d.owner, d.owned})
	}
	t, err := a.fromNode(was, a.groups[group])
	if err != nil {
		return err
	}
	a.templates[group], a.templateOf[group] = t, was
	if now != nil && now.group == group {
		now.known.staleTemplate = true
		a.templateOf[group] = now
	}
	return nil
}
