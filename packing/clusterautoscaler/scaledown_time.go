package clusterautoscaler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Timeline is how an autoscaler is run over virtual time.
type Timeline struct {
	// For is how long; the last loop is at its end. The default is 25 minutes.
	For time.Duration
	// Interval is the time between loops (--scan-interval); the default is 10 s.
	Interval time.Duration
	// NodeProvisionTime is how long after the loop that asked for it a node comes,
	// ready; the next loop sees it at the earliest. The default is 0.
	NodeProvisionTime time.Duration
}

// History is a run over virtual time.
type History struct {
	// Loops are all loops. Their memories are not filled in, but for the last.
	Loops []*Loop
	// FinalSizes are the target sizes at the end, in the order of the groups, and Cost
	// what nodes of these sizes cost, in US dollars an hour.
	FinalSizes []GroupSize
	Cost       float64
	// Pending are the pods that have no node at the end.
	Pending []*corev1.Pod
}

// RunFor runs the autoscaler on a cluster over virtual time, from the moment of the
// snapshot on. Between loops the pods that a loop found room for are bound, the nodes
// that it deleted go, and pods of these wait for another node, but for daemon, mirror
// and terminating ones; nodes asked for come after the time given. A pod arrives at its
// time of creation. Nodes do not change their condition, and requests for nodes do not
// time out.
//
// Errors are those of [Packer.ScaleDown].
func (p *Packer) RunFor(ctx context.Context, c Cluster, t Timeline) (*History, error) {
	if t.For == 0 {
		t.For = 25 * time.Minute
	}
	if t.Interval == 0 {
		t.Interval = 10 * time.Second
	}
	if t.For < 0 || t.Interval < 0 || t.NodeProvisionTime < 0 {
		return nil, fmt.Errorf("%s: %w: a negative time in %+v", Name, ErrOption, t)
	}
	a, err := newProcess(ctx, p, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	out := &History{}
	start := begin(c)
	coming := a.initialRequests(start.Add(t.NodeProvisionTime))
	for at := time.Duration(0); at <= t.For; at += t.Interval {
		now := start.Add(at)
		a.now = now
		came := a.receive(&coming, at > 0)
		l, err := a.tick(now)
		if err != nil {
			return nil, fmt.Errorf("%s: loop at %v: %w", Name, at, err)
		}
		l.NewNodes = came
		out.Loops = append(out.Loops, l)
		for _, s := range l.ScaleUps {
			coming = append(coming, request{a.groupIndex(s), s.To - s.From, now.Add(t.NodeProvisionTime)})
		}
		for _, d := range l.Deletions {
			a.removeNode(d.Node)
		}
	}
	out.Loops[len(out.Loops)-1].Memory = a.memory()
	for i, g := range a.groups {
		out.FinalSizes = append(out.FinalSizes, GroupSize{g, a.targets[i]})
		out.Cost += g.Price * float64(a.targets[i])
	}
	out.Pending = a.pending()
	return out, nil
}

// request is nodes that a group was asked for.
type request struct {
	group, nodes int
	ready        time.Time
}

// initialRequests are those that the target sizes show.
func (a *process) initialRequests(ready time.Time) []request {
	var out []request
	for g := range a.groups {
		if n := a.targets[g] - a.registered[g]; n > 0 {
			out = append(out, request{g, n, ready})
		}
	}
	return out
}

// receive makes real what is ready of the nodes asked for, in the order of the groups.
func (a *process) receive(coming *[]request, started bool) []*corev1.Node {
	if !started {
		return nil
	}
	due := make([]int, len(a.groups))
	left := (*coming)[:0]
	for _, r := range *coming {
		if r.ready.After(a.now) {
			left = append(left, r)
			continue
		}
		due[r.group] += r.nodes
	}
	*coming = left
	var out []*corev1.Node
	for g, n := range due {
		for range n {
			if node := a.launch(g); node != nil {
				out = append(out, node)
			}
		}
	}
	return out
}

func (a *process) groupIndex(s ScaleUp) int {
	for i, g := range a.groups {
		if g == s.Group {
			return i
		}
	}
	return -1
}

func (a *process) removeNode(node *corev1.Node) {
	for _, m := range a.members {
		if m.node == node {
			a.remove(m)
			return
		}
	}
}
