package replay

import (
	"fmt"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

// Karpenter is Karpenter v1.14.1 with its AWS provider, on the scenario's node pools and
// settings; options come on top of the settings.
func Karpenter(opts ...karpenter.Option) Autoscaler {
	return Autoscaler{Name: "karpenter", start: func(r *replay) (autoscaler, error) {
		k := &karpenterController{replay: r, options: opts, batch: newBatcher(r.scenario.Karpenter.BatchIdleDuration.Duration, r.scenario.Karpenter.BatchMaxDuration.Duration),
			unavailable: map[string]time.Duration{}, serial: map[string]int{}, pending: map[*pod]bool{}}
		if err := k.remake(); err != nil {
			return nil, err
		}
		return k, nil
	}}
}

// karpenterController is Karpenter at work.
type karpenterController struct {
	*replay
	options []karpenter.Option
	packer  *karpenter.Packer
	serial  map[string]int // nodes made, by pool

	// Provisioning.
	batch     *batcher
	pending   map[*pod]bool // that the scheduler has refused
	window    *event        // closes the batch, or opens it
	launching int           // claims that the cloud has not answered yet: the cluster state is not synced
	changes   uint64        // moves on with all that a Solve could see
	last      *answer       // of a Solve that may still hold
	guards    bool          // some pod is protected from disruption for a time

	// unavailable are the offerings that lacked capacity lately, and until when they are left out.
	unavailable map[string]time.Duration
	missing     []pool // found without capacity since unavailable was last brought up to date

	disruption disruptionLoop
}

// Constants of Karpenter v1.14.1 and its AWS provider v1.14.1.
const (
	// nominationFactor times the longest batch is how long a node that is meant for waiting
	// pods is left alone, at least 10 s (pkg/controllers/state/statenode.go).
	nominationFactor = 2
	leastNomination  = 10 * time.Second
	// solveTimeout cuts a Solve off (pkg/controllers/provisioning/provisioner.go).
	solveTimeout = time.Minute
	// triggerEvery is how often a waiting pod asks again (provisioning/controller.go).
	triggerEvery = 10 * time.Second
	// registrationTTL deletes a claim whose node has not joined so long after the claim was made:
	// that is when its condition Registered counts as last changed (nodeclaim/lifecycle/liveness.go).
	registrationTTL = 15 * time.Minute
	// unavailableTTL leaves an offering out that lacked capacity (AWS provider, pkg/cache/cache.go).
	unavailableTTL = 3 * time.Minute
	// unavailableSweep is how often that cache is swept: what has expired comes back with the next sweep, since
	// offerings are kept as they were until then (pkg/providers/instancetype/offering/base_resolver.go).
	unavailableSweep = 10 * time.Second
)

// remake makes the packer anew, without the offerings that lack capacity.
func (k *karpenterController) remake() error {
	scenario := *k.scenario
	if len(k.unavailable) > 0 {
		catalog, err := without(scenario.Catalog, k.unavailable)
		if err != nil {
			return err
		}
		scenario.Catalog = catalog
	}
	packer, err := scenario.NewKarpenter(k.options...)
	if err != nil {
		return err
	}
	k.packer = packer
	return nil
}

// without returns a catalog in which some offerings are not available.
func without(c *instancetypes.Catalog, unavailable map[string]time.Duration) (*instancetypes.Catalog, error) {
	types := slices.Clone(c.Types())
	for i, t := range types {
		var changed *instancetypes.InstanceType
		for j := range t.Offerings {
			if _, ok := unavailable[pool{t, &t.Offerings[j]}.key()]; !ok {
				continue
			}
			if changed == nil {
				changed = new(*t)
				changed.Offerings = slices.Clone(t.Offerings)
				types[i] = changed
			}
			changed.Offerings[j].Available = false
		}
	}
	return instancetypes.NewCatalog(c.Info(), types...)
}

func (k *karpenterController) start() error {
	for _, n := range k.nodes {
		if n.nodePool != nil {
			k.planExpiry(n)
		}
		for _, p := range n.pods {
			k.guard(p)
		}
	}
	k.disruption.init(k)
	return nil
}

func (k *karpenterController) assumptions() []string {
	return []string{
		"an offering that lacked capacity is left out for 3 minutes, as the AWS provider does, and until its cache is swept, every ten seconds from the start",
		"Karpenter's controllers see changes at once",
	}
}

// nodeObject implements autoscaler. The node has the labels of its claim, its type and its offering.
func (k *karpenterController) nodeObject(n *node) *corev1.Node {
	l := *n.launch
	l.Name, l.InstanceType = n.name, n.pool.instanceType
	l.Zone, l.CapacityType, l.Price = n.pool.offering.Zone(), n.pool.offering.CapacityType(), n.pool.offering.Price
	o := l.Node()
	o.Labels[packing.LabelNodePool] = n.nodePool.Name
	return o
}

// view is a node as Karpenter's cluster state has it.
func (k *karpenterController) view(n *node) *packing.Node {
	if n.view != nil && k.now < n.viewUntil {
		return n.view
	}
	if n.nodePool == nil {
		n.viewUntil = math.MaxInt64
		return n.show(nil)
	}
	c := packing.NodeClaim{
		Initialized:       k.begin.Add(n.readied),
		MarkedForDeletion: n.state >= nodeLeaving || n.disrupted,
		Nominated:         n.nominatedUntil > k.now,
		Unregistered:      n.state < nodeJoined,
	}
	if n.lastPodEvent > 0 {
		c.LastPodEvent = k.begin.Add(n.lastPodEvent)
	}
	c.Consolidatable = n.state == nodeReady && k.settled(n)
	n.viewUntil = math.MaxInt64
	if c.Nominated {
		n.viewUntil = n.nominatedUntil
	}
	if after := n.nodePool.Spec.Disruption.ConsolidateAfter; !c.Consolidatable && !after.Never && n.state == nodeReady {
		n.viewUntil = min(n.viewUntil, n.settles())
	}
	return n.show(&c)
}

// settled reports whether consolidateAfter has passed since a pod last came or went
// (pkg/controllers/nodeclaim/disruption/consolidation.go).
func (k *karpenterController) settled(n *node) bool {
	return !n.nodePool.Spec.Disruption.ConsolidateAfter.Never && k.now >= n.settles()
}

// settles is when consolidateAfter has passed, if it ever does, since a pod last came or went or, before
// any did, since the node became ready.
func (n *node) settles() time.Duration {
	since := n.readied
	if n.lastPodEvent > 0 {
		since = n.lastPodEvent
	}
	return since + n.nodePool.Spec.Disruption.ConsolidateAfter.Duration
}

// protectedUntil is until when a pod's do-not-disrupt annotation protects it, if for a time.
func (k *karpenterController) protectedUntil(p *pod) time.Duration {
	grace := karpenter.ProtectedFor(p.obj)
	if grace == 0 || p.obj.Status.StartTime == nil {
		return 0
	}
	return p.obj.Status.StartTime.Add(grace).Sub(k.begin)
}

// views are all nodes of the cluster state whose instances have not been told to end: those count
// neither as capacity nor towards budgets (BuildDisruptionBudgetMapping).
func (k *karpenterController) views() []*packing.Node {
	out := make([]*packing.Node, 0, len(k.nodes))
	for _, n := range k.nodes {
		if n.state > nodeLaunching && n.state < nodeEnding {
			out = append(out, k.view(n))
		}
	}
	return out
}

// nodeNamed finds a node by its name.
func (k *karpenterController) nodeNamed(name string) *node {
	if n := k.named[name]; n != nil && n.state > nodeLaunching {
		return n
	}
	return nil
}

func (k *karpenterController) nodeLaunched(n *node) error {
	k.launching--
	if err := k.flushMissing(); err != nil {
		return err
	}
	k.planExpiry(n)
	k.at(max(k.now, n.asked+registrationTTL), rankAutoscaler, func() error {
		if n.state != nodeBooting {
			return nil
		}
		k.decide(Decision{Kind: "rejected", Reason: registrationTimeout, Nodes: []string{n.name}})
		return k.end(n, evictedByFailure)
	})
	k.changedState()
	return nil
}

func (k *karpenterController) nodeJoined(n *node) error {
	if n.nodePool != nil && !n.existing {
		n.update(func(o *corev1.Node) { o.Labels[requirements.LabelRegistered] = "true" })
	}
	k.moved()
	if len(n.pods) > 0 { // daemon pods
		k.changedState()
	}
	return nil
}

func (k *karpenterController) nodeReady(n *node) error {
	if n.nodePool != nil {
		n.update(func(o *corev1.Node) { o.Labels[requirements.LabelInitialized] = "true" })
	}
	k.changedState()
	k.disruption.initialized(n)
	return nil
}

func (k *karpenterController) nodeChanged(*node) error { return nil }

func (k *karpenterController) nodeGone(n *node) error {
	k.unlistNode(n)
	k.changedState()
	k.disruption.failed(n)
	return nil
}

func (k *karpenterController) podUnschedulable(p *pod) {
	k.pending[p] = true
	k.changes++
	k.trigger(p)
}

func (k *karpenterController) podBound(p *pod) {
	k.unlist(p)
	k.guard(p)
	k.changedState()
}

func (k *karpenterController) guard(p *pod) { k.guards = k.guards || karpenter.ProtectedFor(p.obj) > 0 }

func (k *karpenterController) podStarted(p *pod) {
	if len(k.budgets.covering(p)) > 0 {
		k.moved() // a budget may allow more
	}
}

func (k *karpenterController) podChanged(*pod) { k.moved() }

func (k *karpenterController) podLeft(_ *pod, n *node) error {
	k.changedState()
	return k.drained(n)
}

func (k *karpenterController) podGone(p *pod) {
	k.unlist(p)
	k.changedState()
}

// changedState marks the cluster as changed: a pod was bound or has gone, a node has been launched,
// is initialised, is to be deleted or has gone. What had nothing to do may have something now.
func (k *karpenterController) changedState() {
	k.changes++
	k.disruption.changed()
}

// moved notes what Karpenter sees when it looks, though nothing tells it to look.
func (k *karpenterController) moved() {
	k.changes++
	k.disruption.moved()
}

// noticed implements autoscaler: the interruption controller of the AWS provider leaves the
// offering out, deletes the claim, and so has the node drained and replaced.
func (k *karpenterController) noticed(n *node) error {
	if n.nodePool == nil {
		return nil
	}
	if err := k.exclude([]pool{n.pool}); err != nil {
		return err
	}
	k.decide(Decision{Kind: "interruption", Reason: "spot interruption notice", Nodes: []string{n.name}, Pods: len(n.pods)})
	return k.terminate(n, evictedByInterruption)
}

func (k *karpenterController) reclaimed(n *node) error { return k.end(n, evictedByInterruption) }

// exclude leaves offerings out for a while.
func (k *karpenterController) exclude(pools []pool) error {
	if len(pools) == 0 {
		return nil
	}
	changed := false
	for _, p := range pools {
		if _, known := k.unavailable[p.key()]; !known {
			changed = true
		}
		until := (k.now+unavailableTTL)/unavailableSweep*unavailableSweep + unavailableSweep
		k.unavailable[p.key()] = until
		k.at(until, rankAutoscaler, func() error {
			if k.unavailable[p.key()] > k.now {
				return nil
			}
			delete(k.unavailable, p.key())
			k.moved()
			return k.remake()
		})
	}
	if !changed {
		return nil
	}
	k.moved()
	return k.remake()
}

// decide tells whoever observes, and counts.
func (r *replay) decide(d Decision) {
	d.At = r.now
	r.meter.decision(d.Kind, d.Reason)
	if r.settings.Observe != nil {
		r.settings.Observe(d)
	}
}

func (k *karpenterController) name(pool string) string {
	k.serial[pool]++
	return fmt.Sprintf("%s-%05d", pool, k.serial[pool])
}
