package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
	"github.com/binwright/binwright/scenarios/compare"
)

// bestFit takes the largest pods first and puts each on the fullest launched
// node that still holds it; where none does, it launches what costs least for a
// vCPU and holds it. It knows resources, node selectors, taints and the limits of
// node pools; a pod that asks for more is refused, not placed in disregard of it.
type bestFit struct {
	pools  []*packing.NodePool
	offers []offer // by price for a vCPU
}

// offer is an instance type at its cheapest within a pool.
type offer struct {
	pool         *packing.NodePool
	instanceType *instancetypes.InstanceType
	offering     *instancetypes.Offering
}

func newBestFit(catalog *instancetypes.Catalog, pools []*packing.NodePool) (*bestFit, error) {
	b := &bestFit{pools: pools}
	for _, pool := range pools {
		wanted, err := pool.Requirements()
		if err != nil {
			return nil, fmt.Errorf("node pool %s: %w", pool.Name, err)
		}
		for _, t := range catalog.Compatible(wanted).Types() {
			b.offers = append(b.offers, offer{pool, t, t.Cheapest(wanted)})
		}
	}
	slices.SortStableFunc(b.offers, func(x, y offer) int { return cmp.Compare(x.perCPU(), y.perCPU()) })
	return b, nil
}

func (o offer) perCPU() float64 {
	return o.offering.Price / float64(max(1, o.instanceType.Capacity.Get(corev1.ResourceCPU)))
}

// consumes is what a node takes of the limits of its pool.
func (o offer) consumes() resources.Vector { return o.instanceType.Capacity.With("nodes", 1) }

// Name is what the report calls the packer.
func (b *bestFit) Name() string { return "best-fit" }

// open is a node that the plan launches and what is left of it.
type open struct {
	launch *packing.Launch
	node   *corev1.Node
	free   resources.Vector
}

// decision is one call of Pack.
type decision struct {
	*bestFit
	snapshot *packing.Snapshot
	limits   map[*packing.NodePool]resources.Vector // what is left of them
	nodes    []*open
}

// pending is a pod with its requests, read once.
type pending struct {
	pod     *corev1.Pod
	request resources.Vector
	selects []requirements.Set
}

// Pack implements packing.Packer.
func (b *bestFit) Pack(ctx context.Context, s *packing.Snapshot) (*packing.Plan, error) {
	d := &decision{bestFit: b, snapshot: s, limits: map[*packing.NodePool]resources.Vector{}}
	if err := d.readLimits(); err != nil {
		return nil, err
	}
	queue, refused, err := read(s.Pods)
	if err != nil {
		return nil, err
	}
	plan := &packing.Plan{Packer: b.Name(), Unschedulable: refused}
	for _, p := range queue {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("best fit: %w", err)
		}
		on := fullest(d.nodes, p)
		if on == nil {
			if on, err = d.launch(p); err != nil {
				return nil, err
			}
		}
		if on == nil {
			plan.Unschedulable = append(plan.Unschedulable, refuse(p.pod, packing.Refused, "no instance type within the limits holds the pod"))
			continue
		}
		on.launch.Pods = append(on.launch.Pods, p.pod)
		on.free = on.free.Sub(p.request)
	}
	for _, n := range d.nodes {
		plan.Launches = append(plan.Launches, n.launch)
	}
	return plan, nil
}

// readLimits takes what exists from the limits of the pools.
func (d *decision) readLimits() error {
	for _, pool := range d.pools {
		limits, err := resources.FromList(pool.Spec.Limits)
		if err != nil {
			return fmt.Errorf("node pool %s: limits: %w", pool.Name, err)
		}
		for _, n := range d.snapshot.Nodes {
			if n.NodePool() != pool.Name {
				continue
			}
			capacity, err := resources.FromList(n.Status.Capacity)
			if err != nil {
				return fmt.Errorf("node %s: capacity: %w", n.Name, err)
			}
			limits = less(limits, capacity.With("nodes", 1))
		}
		d.limits[pool] = limits
	}
	return nil
}

// less subtracts where there is a limit.
func less(limits, used resources.Vector) resources.Vector {
	left := slices.Clone(limits)
	for i := range left {
		left[i].Value -= used.Get(left[i].Name)
	}
	return left
}

// fullest is the node with the least free CPU that holds the pod, nil if none does.
func fullest(nodes []*open, p pending) *open {
	var best *open
	for _, n := range nodes {
		if (best == nil || n.free.Get(corev1.ResourceCPU) < best.free.Get(corev1.ResourceCPU)) && n.holds(p) {
			best = n
		}
	}
	return best
}

func (n *open) holds(p pending) bool {
	selected := slices.ContainsFunc(p.selects, func(set requirements.Set) bool { return set.MatchesLabels(n.node.Labels) })
	repelled := slices.ContainsFunc(n.node.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Effect != corev1.TaintEffectPreferNoSchedule &&
			!slices.ContainsFunc(p.pod.Spec.Tolerations, func(t corev1.Toleration) bool { return t.ToleratesTaint(klog.Logger{}, &taint, false) })
	})
	return selected && !repelled && p.request.Fits(n.free)
}

// launch opens the cheapest node that holds the pod beside the daemons, nil if there is none.
func (d *decision) launch(p pending) (*open, error) {
	for _, o := range d.offers {
		left := less(d.limits[o.pool], o.consumes())
		exceeded := slices.ContainsFunc(left, func(a resources.Amount) bool { return a.Value < 0 })
		if exceeded || !p.request.Fits(o.instanceType.Allocatable()) {
			continue
		}
		launch := &packing.Launch{
			Name: fmt.Sprintf("best-fit-%d", len(d.nodes)), NodePool: o.pool, InstanceType: o.instanceType,
			Zone: o.offering.Zone(), CapacityType: o.offering.CapacityType(), Price: o.offering.Price,
		}
		node := launch.Node()
		daemons, err := compare.DaemonRequests(d.snapshot.DaemonSets, node)
		if err != nil {
			return nil, err
		}
		n := &open{launch, node, o.instanceType.Allocatable().Sub(daemons)}
		if n.holds(p) {
			d.limits[o.pool] = left
			d.nodes = append(d.nodes, n)
			return n, nil
		}
	}
	return nil, nil
}

// read sorts the pods, the largest first, and sets aside those that ask for what best fit does not know.
func read(pods []*corev1.Pod) (queue []pending, refused []packing.Unschedulable, err error) {
	for _, pod := range pods {
		if what := unknown(pod); what != "" {
			refused = append(refused, refuse(pod, packing.NotSupported, what))
			continue
		}
		request, err := resources.PodRequests(pod)
		if err != nil {
			return nil, nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		selects, err := requirements.FromPod(pod)
		if err != nil {
			return nil, nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		queue = append(queue, pending{pod, request.With(corev1.ResourcePods, 1), selects})
	}
	slices.SortStableFunc(queue, func(x, y pending) int {
		return cmp.Or(
			cmp.Compare(y.request.Get(corev1.ResourceCPU), x.request.Get(corev1.ResourceCPU)),
			cmp.Compare(y.request.Get(corev1.ResourceMemory), x.request.Get(corev1.ResourceMemory)),
		)
	})
	return queue, refused, nil
}

func refuse(pod *corev1.Pod, kind packing.ReasonKind, message string) packing.Unschedulable {
	return packing.Unschedulable{Pod: pod, Reasons: []packing.Reason{{Kind: kind, Message: message}}}
}

// unknown names the first constraint of a pod that best fit does not know, "" if it knows all.
func unknown(pod *corev1.Pod) string {
	affinity := pod.Spec.Affinity
	hard := func(c corev1.TopologySpreadConstraint) bool { return c.WhenUnsatisfiable == corev1.DoNotSchedule }
	hostPort := func(p corev1.ContainerPort) bool { return p.HostPort != 0 }
	switch {
	case slices.ContainsFunc(pod.Spec.TopologySpreadConstraints, hard):
		return "topology spread"
	case affinity != nil && (affinity.PodAffinity != nil || affinity.PodAntiAffinity != nil):
		return "pod affinity"
	case slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return slices.ContainsFunc(c.Ports, hostPort) }):
		return "host ports"
	case slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil || v.Ephemeral != nil }):
		return "volumes"
	case len(pod.Spec.ResourceClaims) > 0:
		return "resource claims"
	}
	return ""
}
