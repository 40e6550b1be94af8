package recorded

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// Plan returns the outcome as a plan, so that the referee can judge what upstream
// decided. Launches come in the outcome's order: in which order upstream opened
// them is not recorded. Errors name what the problem does not hold.
func (o *Outcome) Plan(p *Problem) (*packing.Plan, error) {
	pods := make(map[string]*corev1.Pod, len(p.Snapshot.Pods))
	for _, pod := range p.Snapshot.Pods {
		pods[podName(pod)] = pod
	}
	named := func(names []string) ([]*corev1.Pod, error) {
		out := make([]*corev1.Pod, len(names))
		for i, name := range names {
			if out[i] = pods[name]; out[i] == nil {
				return nil, fmt.Errorf("no pod %s", name)
			}
		}
		return out, nil
	}
	plan := &packing.Plan{Packer: "recorded"}
	for i := range o.NewNodes {
		l, err := o.NewNodes[i].launch(p)
		if err != nil {
			return nil, fmt.Errorf("new node %d: %w", i, err)
		}
		l.Name = fmt.Sprintf("%s-%05d", l.NodePool.Name, i)
		if l.Pods, err = named(o.NewNodes[i].Pods); err != nil {
			return nil, fmt.Errorf("new node %d: %w", i, err)
		}
		plan.Launches = append(plan.Launches, l)
	}
	for _, e := range o.Existing {
		at := slices.IndexFunc(p.Snapshot.Nodes, func(n *packing.Node) bool { return n.Name == e.Node })
		if at < 0 {
			return nil, fmt.Errorf("no node %s", e.Node)
		}
		placed, err := named(e.Pods)
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", e.Node, err)
		}
		plan.Placements = append(plan.Placements, packing.Placement{Node: p.Snapshot.Nodes[at], Pods: placed})
	}
	for _, pod := range p.Snapshot.Pods {
		if message, ok := o.Unschedulable[podName(pod)]; ok {
			plan.Unschedulable = append(plan.Unschedulable, packing.Unschedulable{Pod: pod, Reasons: []packing.Reason{{Message: message}}})
		}
	}
	return plan, nil
}

func (n *NewNode) launch(p *Problem) (*packing.Launch, error) {
	l := &packing.Launch{}
	at := slices.IndexFunc(p.NodePools, func(np *packing.NodePool) bool { return np.Name == n.NodePool })
	if at < 0 {
		return nil, fmt.Errorf("no node pool %s", n.NodePool)
	}
	l.NodePool = p.NodePools[at]
	var err error
	if l.Requirements, err = Set(n.Requirements); err != nil {
		return nil, err
	}
	for _, name := range n.InstanceTypes {
		t, ok := p.Catalog.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("no instance type %s", name)
		}
		l.Options = append(l.Options, t)
		if n.Cheapest != nil && n.Cheapest.InstanceType == name {
			l.InstanceType, l.Zone, l.CapacityType, l.Price = t, n.Cheapest.Zone, n.Cheapest.CapacityType, n.Cheapest.Price
		}
	}
	return l, nil
}
