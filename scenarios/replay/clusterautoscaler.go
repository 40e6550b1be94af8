package replay

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/packing/requirements"
)

// ClusterAutoscaler is Cluster Autoscaler with AWS Auto Scaling groups, on the scenario's node
// groups and settings, and a termination handler that cordons and drains a node once its
// interruption is announced; options come on top of the settings.
func ClusterAutoscaler(opts ...clusterautoscaler.Option) Autoscaler {
	return newClusterAutoscaler("cluster-autoscaler", true, opts)
}

// ClusterAutoscalerWithoutHandler is the same without a termination handler: an interrupted
// node is gone from one moment to the next, and its pods wait until that is noticed.
func ClusterAutoscalerWithoutHandler(opts ...clusterautoscaler.Option) Autoscaler {
	return newClusterAutoscaler("cluster-autoscaler-no-handler", false, opts)
}

func newClusterAutoscaler(name string, handler bool, opts []clusterautoscaler.Option) Autoscaler {
	return Autoscaler{Name: name, start: func(r *replay) (autoscaler, error) {
		packer, err := r.scenario.NewClusterAutoscaler(opts...)
		if err != nil {
			return nil, err
		}
		c := &caController{replay: r, packer: packer, handler: handler, byName: map[string]*group{}, known: map[*pod]bool{},
			taken: map[string]bool{}}
		c.actuation = actuationOf(&r.scenario.ClusterAutoscaler)
		for _, g := range r.scenario.NodeGroups {
			x := &group{NodeGroup: g, pools: poolsOf(g)}
			c.groups, c.byName[g.Name] = append(c.groups, x), x
		}
		for _, n := range r.scenario.Snapshot.Nodes {
			c.taken[n.Name] = true
		}
		return c, nil
	}}
}

// caController is Cluster Autoscaler and its node groups at work.
type caController struct {
	*replay
	packer    *clusterautoscaler.Packer
	process   *clusterautoscaler.Autoscaler // nil until it starts
	actuation clusterautoscaler.Actuation
	handler   bool

	groups  []*group
	byName  map[string]*group
	known   map[*pod]bool   // pods that the process knows
	taken   map[string]bool // names that new nodes may not have: those of the scenario's nodes
	budgets []*policyv1.PodDisruptionBudget

	scans scans
	scan  *event // the next loop
	// refreshed is when the autoscaler last looked at the cloud.
	refreshed time.Duration
}

// group is a node group as the cloud has it.
type group struct {
	*packing.NodeGroup
	pools  []pool // what it can launch, in the order of its types
	serial int
	failed int // launches that failed and that the autoscaler has not seen
	// expected is when all nodes asked for should have come.
	expected time.Duration
	backoff  backoff
}

// nextName names a group's next node. Names of the scenario's nodes are left out, and no two
// groups make the same: what follows the last hyphen is a number, and what precedes it the group.
func (c *caController) nextName(g *group) string {
	for {
		g.serial++
		if name := fmt.Sprintf("%s-%05d", g.Name, g.serial); !c.taken[name] {
			return name
		}
	}
}

// poolsOf are the pools that a group launches from.
func poolsOf(g *packing.NodeGroup) []pool {
	zones := g.Zones
	if len(zones) == 0 {
		zones = []string{g.Template.Labels[corev1.LabelTopologyZone]}
	}
	capacityType := capacityTypeOf(g.Template)
	var out []pool
	for _, t := range g.InstanceTypes {
		for i := range t.Offerings {
			o := &t.Offerings[i]
			if o.CapacityType() == capacityType && (slices.Contains(zones, o.Zone()) || zones[0] == "") {
				out = append(out, pool{t, o})
			}
		}
	}
	return out
}

func (c *caController) start() error {
	var nodes []*packing.Node
	for _, n := range c.nodes {
		nodes = append(nodes, n.show(nil))
	}
	s := c.snapshot(nil, nodes)
	process, err := c.packer.Start(clusterautoscaler.Cluster{Snapshot: s})
	if err != nil {
		return err
	}
	process.SetReports(false)
	c.process, c.budgets = process, s.PodDisruptionBudgets
	for _, n := range c.nodes {
		for _, p := range n.pods {
			c.known[p] = !p.daemon
		}
	}
	for _, g := range c.groups {
		// A group never wants less than its minimum.
		if target := process.TargetSize(g.Name); target < g.MinSize {
			if err := process.SetTargetSize(g.Name, g.MinSize); err != nil {
				return err
			}
		}
		g.expected = c.actuation.MaxNodeProvisionTime
		c.fill(g)
	}
	c.scans = scans{interval: c.actuation.ScanInterval, frequent: c.actuation.FrequentLoops,
		idle: c.settings.DecisionTime.ClusterAutoscaler(Work{Groups: len(c.groups), Nodes: len(c.nodes)})}
	// The process started at some moment before the replay.
	c.scans.ended = -time.Duration(draws(c.settings.Seed, "scan").Int64N(int64(c.actuation.ScanInterval)))
	c.refreshed = c.scans.ended
	c.plan(c.scans.next(0))
	return nil
}

func (c *caController) assumptions() []string {
	out := []string{"node groups launch the first of their instance types that has capacity, spread over their zones; spot groups by the allocation strategy"}
	if c.handler {
		return append(out, "a termination handler cordons and drains nodes whose interruption is announced")
	}
	return append(out, fmt.Sprintf("that an interrupted node is gone is noticed after %v, but kube-scheduler puts no more pods on it", nodeLossNoticed))
}

// nodeObject implements autoscaler: the labels and taints of the group on the type that was launched.
func (c *caController) nodeObject(n *node) *corev1.Node {
	t := n.nodeGroup.Template
	o := packing.TemplateNode(n.pool.instanceType, packing.TemplateOptions{
		Zone: n.pool.offering.Zone(), CapacityType: n.pool.offering.CapacityType(), Taints: t.Spec.Taints,
	})
	labels := maps.Clone(t.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	if first := n.nodeGroup.InstanceTypes[0]; first != n.pool.instanceType {
		for key := range packing.SingleValues(first.Requirements) {
			delete(labels, key) // of another type
		}
	}
	maps.Copy(labels, o.Labels)
	labels[corev1.LabelHostname] = n.name
	o.Name, o.Labels = n.name, labels
	return o
}

// fill asks the cloud for the nodes that a group lacks up to its target size, and returns their names.
func (c *caController) fill(g *group) (asked []string) {
	have := g.failed
	for _, n := range c.nodes {
		if n.nodeGroup == g.NodeGroup && n.state < nodeEnding {
			have++
		}
	}
	for want := c.process.TargetSize(g.Name); have < want; have++ {
		n := &node{name: c.nextName(g), nodeGroup: g.NodeGroup, id: noNode}
		asked = append(asked, n.name)
		c.request(n, c.settings.Latencies.GroupLaunch, func() (pool, string, bool) {
			got, _, why, ok := c.supply.take(c.preferred(g), c.now)
			return got, why, ok
		}, func(*node, string) error {
			g.failed++
			c.dirty()
			return nil
		})
	}
	return asked
}

// preferred puts a group's pools into the order in which it tries them: spot by the
// allocation strategy, on-demand by the order of its types; the zone with the fewest of its nodes first.
func (c *caController) preferred(g *group) []pool {
	pools := slices.Clone(g.pools)
	if capacityTypeOf(g.Template) == requirements.CapacityTypeSpot {
		c.supply.allocate(pools)
		if len(g.Zones) <= 1 {
			return pools
		}
	}
	in := map[string]int{}
	for _, n := range c.nodes {
		if n.nodeGroup == g.NodeGroup && n.billed() {
			in[n.pool.offering.Zone()]++
		}
	}
	slices.SortStableFunc(pools, func(a, b pool) int { return in[a.offering.Zone()] - in[b.offering.Zone()] })
	return pools
}

func (c *caController) nodeLaunched(*node) error {
	c.dirty()
	return nil
}

func (c *caController) nodeJoined(n *node) error {
	if c.process == nil {
		return nil
	}
	c.dirty()
	if err := c.process.NodeJoined(n.show(nil)); err != nil {
		return err
	}
	if n.warned {
		return c.noticed(n) // now the handler runs
	}
	return nil
}

func (c *caController) nodeReady(*node) error { return nil } // nodeChanged follows

func (c *caController) nodeChanged(n *node) error {
	if c.process == nil {
		return nil
	}
	c.dirty()
	return c.process.NodeChanged(n.obj)
}

func (c *caController) nodeGone(n *node) error {
	c.dirty()
	c.process.NodeGone(n.name)
	if g := c.groupOf(n); g != nil {
		c.fill(g)
	}
	return nil
}

func (c *caController) groupOf(n *node) *group {
	if n.nodeGroup == nil {
		return nil
	}
	return c.byName[n.nodeGroup.Name]
}

func (c *caController) podUnschedulable(p *pod) {
	c.known[p] = true
	c.signal()
	c.fault(c.process.PodArrived(p.obj))
}

func (c *caController) podBound(p *pod) {
	if !p.daemon { // those go with their node
		c.known[p] = true
	}
	c.dirty()
	c.fault(c.process.PodBound(p.obj, p.node.name))
}

func (c *caController) podStarted(*pod) {}

func (c *caController) podChanged(p *pod) {
	c.dirty()
	if c.known[p] {
		c.fault(c.process.PodChanged(p.obj))
	}
}

func (c *caController) podLeft(*pod, *node) error { return nil }

func (c *caController) podGone(p *pod) {
	c.dirty()
	if c.known[p] {
		c.process.PodGone(p.obj)
		delete(c.known, p)
	}
}

// fault keeps the first error of a call that has none to return: the replay ends with it.
func (r *replay) fault(err error) {
	if err != nil && r.broken == nil {
		r.broken = err
	}
}
