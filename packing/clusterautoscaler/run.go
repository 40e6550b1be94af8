package clusterautoscaler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// Run is a series of loops, from a snapshot until the cluster comes to rest.
type Run struct {
	// Steps are the loops in which pods needed help, in order.
	Steps []Step
	// Result is that of the last loop.
	Result Result
	// FinalSizes are the target sizes of the groups at the end, in the order of the groups.
	FinalSizes []GroupSize
	// Cost is what nodes of the final sizes cost, in US dollars an hour.
	Cost float64
	// Plan is where the pods ended up.
	Plan *packing.Plan
}

// GroupSize is a group's target size.
type GroupSize struct {
	Group *packing.NodeGroup
	Size  int
}

// Step is one loop: the pods that needed help, and the scale-ups tried for them,
// one, or several in a salvo.
type Step struct {
	Result Result
	// Waiting is how many pods were left without a node that exists: besides Pending,
	// those for which nodes are on their way, pods of DaemonSets and expendable ones.
	Waiting int
	// Pending are the pods for which the loop sought room.
	Pending []*corev1.Pod
	// Attempts are the scale-ups considered; none where a limit on nodes or the
	// youth of the pods stopped the loop beforehand.
	Attempts []Attempt
	// ScaleUps are the groups that grew, in the order in which they were resized.
	ScaleUps []ScaleUp
}

// Attempt is one choice between groups.
type Attempt struct {
	// Options are the groups that would help, in the order of the groups.
	Options []Candidate
	// Chosen is the index of the option that was chosen, -1 if there was none.
	Chosen int
	// Tied are the indexes of the options between which the expanders could not
	// decide, the chosen one included; the original draws among them.
	Tied []int
	// Skipped are the groups that were not considered, and why.
	Skipped []packing.Reason
}

// Candidate is what scaling up one group would bring.
type Candidate struct {
	Group *packing.NodeGroup
	// Nodes is how many nodes it would take.
	Nodes int
	// Similar are the groups that would share the scale-up.
	Similar []*packing.NodeGroup
	// Scores are what the expanders thought of it, as far as it went in the chain.
	Scores []OptionScore

	table  *podTable
	placed []placement
	count  int
}

// PodCount returns how many pods the option would help.
func (c *Candidate) PodCount() int { return c.count }

// Pods returns the pods that the option would help, in the order in which they
// were placed. The slice is made anew at each call.
func (c *Candidate) Pods() []*corev1.Pod {
	out := make([]*corev1.Pod, 0, c.count)
	for _, p := range c.placed {
		for _, pod := range p.group.pods[:p.placed] {
			out = append(out, c.table.pods[pod])
		}
	}
	return out
}

// ScaleUp is the growth of one group.
type ScaleUp struct {
	Group    *packing.NodeGroup
	From, To int
}

// Run repeats the autoscaler's loop on a snapshot until it neither scales up nor
// has nodes to wait for. After each loop the pods that fit on nodes that are there
// are bound to them as the loop itself packed them, and every node that a group
// lacks up to its target size becomes ready.
//
// Errors name the pod, node or group and the field; a cancelled context is
// returned wrapped.
func (p *Packer) Run(ctx context.Context, s *packing.Snapshot) (*Run, error) {
	r, err := newRun(ctx, p, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return r.toRest()
}

// Decide runs one loop, the first, and returns what it considered and chose: one
// decision of the autoscaler. Errors are those of [Packer.Run].
func (p *Packer) Decide(ctx context.Context, s *packing.Snapshot) (*Step, error) {
	r, err := newRun(ctx, p, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	l, err := r.once()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	step := r.step(l)
	return &step, nil
}

// toRest runs loops until nothing changes any more.
func (r *run) toRest() (*Run, error) {
	out := &Run{}
	var last *loop
	for n := 0; ; n++ {
		l, err := r.once()
		if err != nil {
			return nil, fmt.Errorf("%s: loop %d: %w", Name, n+1, err)
		}
		last = l
		out.Result = l.result
		if len(l.pending) > 0 || len(l.resizes) > 0 {
			out.Steps = append(out.Steps, r.step(l))
		}
		came := r.settle()
		if came == 0 && len(l.resizes) == 0 {
			break
		}
		if n+1 >= r.settings.MaxLoops {
			return nil, fmt.Errorf("%s: not at rest after %d loops", Name, n+1)
		}
	}
	for i, g := range r.groups {
		out.FinalSizes = append(out.FinalSizes, GroupSize{g, r.targets[i]})
		out.Cost += g.Price * float64(r.targets[i])
	}
	out.Plan = r.plan(last)
	return out, nil
}

func (r *run) step(l *loop) Step {
	s := Step{Result: l.result, Waiting: l.waiting, Pending: r.podsOf(l.pending)}
	for _, a := range l.attempts {
		s.Attempts = append(s.Attempts, r.attempt(a))
	}
	for _, z := range l.resizes {
		s.ScaleUps = append(s.ScaleUps, ScaleUp{r.groups[z.group], z.from, z.to})
	}
	return s
}

func (r *run) attempt(a *attempt) Attempt {
	out := Attempt{Chosen: -1}
	index := make(map[*option]int, len(a.options))
	for i, o := range a.options {
		index[o] = i
		c := Candidate{Group: r.groups[o.group], Nodes: o.nodes, Scores: o.scores,
			table: r.pods, placed: o.estimate.placed, count: o.estimate.pods()}
		for _, s := range o.similar {
			c.Similar = append(c.Similar, r.groups[s])
		}
		out.Options = append(out.Options, c)
	}
	if a.best != nil {
		out.Chosen = index[a.best]
	}
	for _, o := range a.tied {
		out.Tied = append(out.Tied, index[o])
	}
	for i, why := range a.skipped {
		if why != "" {
			out.Skipped = append(out.Skipped, packing.Reason{Kind: packing.LimitReached, Subject: r.groups[i].Name, Message: why})
		}
	}
	return out
}

func (r *run) podsOf(indexes []int32) []*corev1.Pod {
	out := make([]*corev1.Pod, len(indexes))
	for i, p := range indexes {
		out[i] = r.pods.pods[p]
	}
	return out
}
