package replay

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/kubescheduler"
	"github.com/binwright/binwright/packing/requirements"
)

// nodeState is where a node is in its life.
type nodeState uint8

const (
	nodeLaunching nodeState = iota // asked for
	nodeBooting                    // its instance runs and is billed; no node has joined
	nodeJoined                     // joined, not ready
	nodeReady
	nodeLeaving // being emptied
	nodeEnding  // its instance has been told to end
	nodeGone
)

// node is a node of the cluster, from the request for it on.
type node struct {
	name string
	// obj is the Node object as it is now, nil before the instance runs. It is replaced, never changed.
	obj *corev1.Node
	// view is the node as engines read it, nil if it has changed since it was made. Until viewUntil
	// it stays as it is if nothing happens.
	view      *packing.Node
	viewUntil time.Duration
	id        kubescheduler.NodeID
	state     nodeState

	nodePool  *packing.NodePool
	nodeGroup *packing.NodeGroup
	launch    *packing.Launch
	pool      pool // of capacity
	existing  bool // there from the start
	bill      nodeBill

	pods        []*pod
	cpu, memory int64 // requested

	asked, launched, readied time.Duration
	seen                     time.Duration // by Cluster Autoscaler as an instance that has not joined; 0: not yet
	lastPodEvent             time.Duration
	next                     *event // what is due next: launch, join, readiness, end
	reclaim, expire          *event
	deletion                 *deletion     // by Cluster Autoscaler, nil if there is none
	drainBegan, drainUntil   time.Duration // the latter 0 if there is no end to it
	leaving                  string        // why it goes
	nominatedUntil           time.Duration
	disrupted                bool // chosen by a command that waits for its replacement
	triggers                 bool // Karpenter's provisioner is told of it, last when
	triggered                time.Duration
	warned                   bool // the cloud has said that it takes the instance back
}

func (n *node) add(p *pod) {
	n.pods = append(n.pods, p)
	n.view = nil
}

func (n *node) drop(p *pod) {
	if i := slices.Index(n.pods, p); i >= 0 {
		n.pods = slices.Delete(n.pods, i, i+1)
	}
	n.view = nil
}

// podEvent notes that a pod was bound, ended or was told to stop. Karpenter writes the moment down
// unless it did so within the last ten seconds (pkg/controllers/nodeclaim/podevents/controller.go).
func (n *node) podEvent(now time.Duration) {
	const dedupe = 10 * time.Second
	if n.lastPodEvent == 0 || now-n.lastPodEvent >= dedupe {
		n.lastPodEvent, n.viewUntil = now, 0
	}
}

// registered reports whether the node has joined the cluster and is there still.
func (n *node) registered() bool { return n.id != noNode }

// billed reports whether the node's instance runs.
func (n *node) billed() bool { return n.state >= nodeBooting && n.state < nodeEnding }

// holds reports whether so much fits on the node when it is empty.
func (n *node) holds(pods int, milliCPU, memory int64) bool {
	return int64(pods) <= n.obj.Status.Allocatable.Pods().Value() && milliCPU <= n.bill.milliCPU && memory <= n.bill.memory
}

// update replaces the Node object.
func (n *node) update(change func(*corev1.Node)) {
	made := *n.obj
	made.Labels = maps.Clone(made.Labels)
	made.Spec.Taints = slices.Clone(made.Spec.Taints)
	change(&made)
	n.obj, n.view = &made, nil
}

func (n *node) taint(key string, value string, effect corev1.TaintEffect) {
	n.update(func(o *corev1.Node) {
		o.Spec.Taints = append(o.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: effect})
	})
}

func (n *node) untaint(keys ...string) {
	n.update(func(o *corev1.Node) {
		o.Spec.Taints = slices.DeleteFunc(o.Spec.Taints, func(t corev1.Taint) bool { return slices.Contains(keys, t.Key) })
	})
}

// usage changes what pods request of a node.
func (r *replay) usage(n *node, cpu, memory int64) {
	if n.billed() {
		r.meter.usage(n.bill, n.cpu, n.memory, n.cpu+cpu, n.memory+memory)
	}
	n.cpu += cpu
	n.memory += memory
}

// request is the autoscaler's wish for a node, which the cloud acts upon after a while; then
// launched is called with what came of it.
func (r *replay) request(n *node, after Latency, launch func() (pool, string, bool), failed func(*node, string) error) {
	n.state, n.asked = nodeLaunching, r.now
	r.nodes = append(r.nodes, n)
	r.named[n.name] = n
	r.meter.nodeRequested()
	n.next = r.at(r.now+after.draw(r.nodeLuck), rankCloud, func() error {
		got, why, ok := launch()
		if !ok {
			r.meter.launchFailed(why)
			r.drop(n)
			return failed(n, why)
		}
		return r.launched(n, got)
	})
}

// drop forgets a node.
func (r *replay) drop(n *node) {
	n.state = nodeGone
	for _, e := range []*event{n.next, n.reclaim, n.expire} {
		e.cancel()
	}
	if i := slices.Index(r.nodes, n); i >= 0 {
		r.nodes = slices.Delete(r.nodes, i, i+1)
	}
	if r.named[n.name] == n {
		delete(r.named, n.name)
	}
}

// launched starts an instance and its bill.
func (r *replay) launched(n *node, got pool) error {
	n.pool, n.state, n.launched = got, nodeBooting, r.now
	r.supply.started(got)
	n.obj = r.autoscaler.nodeObject(n)
	n.obj.CreationTimestamp = metav1.NewTime(r.moment())
	n.bill = r.billOf(n)
	r.meter.nodeLaunched(n.bill)
	r.planInterruption(n)
	if r.settings.Cloud.NeverJoin == 0 || r.supply.joins.Float64() >= r.settings.Cloud.NeverJoin {
		boot := r.settings.Latencies.boot(got.instanceType, r.nodeLuck)
		n.next = r.at(r.now+boot, rankCloud, func() error { return r.join(n) })
	}
	return r.autoscaler.nodeLaunched(n)
}

func (r *replay) billOf(n *node) nodeBill {
	owner := ""
	switch {
	case n.nodePool != nil:
		owner = n.nodePool.Name
	case n.nodeGroup != nil:
		owner = n.nodeGroup.Name
	}
	return nodeBill{
		typ: n.obj.Labels[corev1.LabelInstanceTypeStable], zone: n.obj.Labels[corev1.LabelTopologyZone],
		capacityType: n.obj.Labels[requirements.LabelCapacityType], owner: owner, price: n.price(),
		milliCPU: n.obj.Status.Allocatable.Cpu().MilliValue(), memory: n.obj.Status.Allocatable.Memory().Value(),
	}
}

func (n *node) price() float64 {
	if n.pool.offering != nil {
		return n.pool.offering.Price
	}
	if n.launch != nil {
		return n.launch.Price
	}
	return 0
}

// join has a node register. It is not ready yet, and its daemon pods start.
func (r *replay) join(n *node) error {
	n.state = nodeJoined
	n.update(func(o *corev1.Node) {
		o.Spec.Taints = append(o.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule})
		setReady(o, corev1.ConditionFalse, r.moment())
	})
	id, err := r.scheduler.model.AddNode(n.obj)
	if err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	n.id = id
	r.byID[id] = n
	r.scheduler.nodeCame(id)
	r.startDaemons(n)
	ready := r.settings.Latencies.Ready.draw(r.nodeLuck)
	n.next = r.at(r.now+ready, rankCloud, func() error { return r.ready(n) })
	return r.autoscaler.nodeJoined(n)
}

// ready has a node take pods.
func (r *replay) ready(n *node) error {
	n.state, n.readied = nodeReady, r.now
	n.update(func(o *corev1.Node) {
		o.Spec.Taints = slices.DeleteFunc(o.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
		setReady(o, corev1.ConditionTrue, r.moment())
	})
	r.meter.nodeReady()
	if err := r.autoscaler.nodeReady(n); err != nil {
		return err
	}
	if err := r.changed(n); err != nil {
		return err
	}
	for _, p := range r.startDaemons(n) {
		r.autoscaler.podBound(p)
	}
	return nil
}

// changed tells the scheduler of a node's new taints or readiness.
func (r *replay) changed(n *node) error {
	if n.state >= nodeEnding {
		return nil // it is closed
	}
	before := r.scheduler.model.Node(n.id)
	if err := r.scheduler.model.UpdateNode(n.id, n.obj); err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	r.scheduler.nodeChanged(n.id, before)
	return r.autoscaler.nodeChanged(n)
}

func setReady(o *corev1.Node, status corev1.ConditionStatus, at time.Time) {
	o.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastTransitionTime: metav1.NewTime(at)}}
}

// depart says that a node is on its way out, and why.
func (r *replay) depart(n *node, why string) {
	if n.state >= nodeLeaving {
		return
	}
	if n.state != nodeReady {
		n.next.cancel()
	}
	r.meter.nodeLeaving(n.state == nodeReady)
	n.state, n.leaving = nodeLeaving, why
	n.view = nil
}

// end tells the cloud to end an instance: it is billed no longer. Pods that are still there are
// lost. After a while the node is gone.
func (r *replay) end(n *node, why string) error {
	if n.state >= nodeEnding {
		return nil
	}
	r.depart(n, why)
	if err := r.losePods(n, why); err != nil {
		return err
	}
	if n.state >= nodeEnding {
		return nil // the autoscaler ended it as its last pod left
	}
	r.stopBill(n)
	if n.id == noNode {
		return r.gone(n)
	}
	if err := r.closeNode(n); err != nil {
		return err
	}
	n.next = r.at(r.now+r.settings.Latencies.Terminate.draw(r.nodeLuck), rankCloud, func() error { return r.gone(n) })
	return nil
}

// losePods ends the pods of a node that is no more.
func (r *replay) losePods(n *node, why string) error {
	for len(n.pods) > 0 {
		p := n.pods[len(n.pods)-1]
		if p.daemon {
			r.dropDaemon(p)
			continue
		}
		if err := r.lose(p, why); err != nil {
			return err
		}
	}
	return nil
}

// stopBill ends the bill of a node's instance.
func (r *replay) stopBill(n *node) {
	r.meter.usage(n.bill, n.cpu, n.memory, 0, 0)
	r.meter.nodeGone(n.bill, r.now-n.launched, phaseLeaving)
	if n.pool.instanceType != nil {
		r.supply.ended(n.pool)
	}
	n.state = nodeEnding
	n.next.cancel()
	n.reclaim.cancel()
	n.expire.cancel()
}

// vanish ends an instance without anybody knowing. Its pods run no longer; that they are gone
// is noticed after a while, and only then are they replaced.
func (r *replay) vanish(n *node, why string, noticed time.Duration) error {
	r.depart(n, why)
	for _, p := range n.pods {
		if p.daemon || p.state == podStopping {
			continue
		}
		r.halt(p)
		p.leaving, p.unnoticed = why, true
		r.budgets.changed(p)
	}
	r.stopBill(n)
	if n.id != noNode {
		// Kube-scheduler learns that the node is lost well before its pods are replaced;
		// that it learns it at once is a simplification.
		if err := r.closeNode(n); err != nil {
			return err
		}
	}
	n.next = r.at(r.now+noticed, rankCloud, func() error {
		if err := r.losePods(n, why); err != nil {
			return err
		}
		return r.gone(n)
	})
	return nil
}

// noNode is the id of a node that the scheduler does not know.
const noNode = kubescheduler.None

// closeNode has kube-scheduler put no more pods on a node whose instance has ended: cordoned, and
// without room for a pod that tolerates that. Until the Node object is gone the node counts as a
// domain of its topology still.
func (r *replay) closeNode(n *node) error {
	before := r.scheduler.model.Node(n.id)
	closed := *n.obj
	closed.Spec.Unschedulable = true
	closed.Status.Allocatable = maps.Clone(closed.Status.Allocatable)
	closed.Status.Allocatable[corev1.ResourcePods] = resource.Quantity{}
	if err := r.scheduler.model.UpdateNode(n.id, &closed); err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	r.scheduler.nodeChanged(n.id, before)
	return nil
}

// unschedule takes a node without pods from kube-scheduler.
func (r *replay) unschedule(n *node) {
	if n.id != noNode {
		before := r.scheduler.model.Node(n.id)
		r.scheduler.model.RemoveNode(n.id)
		delete(r.byID, n.id)
		n.id = noNode
		r.scheduler.nodeWent(before)
	}
}

// gone removes the Node object.
func (r *replay) gone(n *node) error {
	r.unschedule(n)
	r.drop(n)
	return r.autoscaler.nodeGone(n)
}

// planInterruption draws when the cloud takes an instance back, if it ever does.
func (r *replay) planInterruption(n *node) {
	if after, ok := r.supply.lifetime(n.pool); ok {
		n.reclaim = r.at(r.now+max(0, after-r.settings.Cloud.Notice), rankCloud, func() error { return r.interrupt(n) })
	}
}

// reclaim gives notice for a share of the spot instances that run, drawn by chance, rounded up.
func (r *replay) reclaim(share float64) error {
	var spot []*node
	for _, n := range r.nodes {
		if n.billed() && !n.warned && n.pool.offering != nil && n.pool.offering.CapacityType() == requirements.CapacityTypeSpot {
			spot = append(spot, n)
		}
	}
	r.reclaimLuck.Shuffle(len(spot), func(i, j int) { spot[i], spot[j] = spot[j], spot[i] })
	for _, n := range spot[:int(math.Ceil(share*float64(len(spot))))] {
		if err := r.interrupt(n); err != nil {
			return err
		}
	}
	return nil
}

// interrupt gives notice that the cloud takes a spot instance back, and takes it back.
func (r *replay) interrupt(n *node) error {
	if !n.billed() || n.warned {
		return nil
	}
	n.warned = true
	n.reclaim.cancel()
	r.meter.interrupted()
	notice := r.settings.Cloud.Notice
	n.reclaim = r.at(r.now+notice, rankCloud, func() error {
		if !n.billed() {
			return nil
		}
		return r.autoscaler.reclaimed(n)
	})
	return r.autoscaler.noticed(n)
}

// startDaemons puts a pod of each daemon set that matches on a node, if it has none yet, and returns
// them: as the node joins those that tolerate that it is not ready, the others once it is.
func (r *replay) startDaemons(n *node) []*pod {
	var started []*pod
	for _, d := range r.daemons {
		if !r.scheduler.model.Selects(d.class, n.id) || n.runs(d) {
			continue
		}
		cpu, memory := d.class.Requests().Get(corev1.ResourceCPU), d.class.Requests().Get(corev1.ResourceMemory)
		if !n.holds(len(n.pods)+1, n.cpu+cpu, n.memory+memory) {
			continue // it would wait for room for ever
		}
		obj := *d.pod
		obj.Name = d.pod.Name + "-" + n.name
		obj.UID = uidOf(obj.Namespace, "DaemonSet/"+obj.Name)
		obj.CreationTimestamp = metav1.NewTime(r.moment())
		p := &pod{obj: &obj, daemon: true, class: d.class, created: r.now, priority: d.class.Priority,
			cpu: cpu, memory: memory}
		r.place(p, n)
		running := *p.obj
		running.Status.Phase = corev1.PodRunning
		p.replaceObject(&running)
		p.state = podRunning
		started = append(started, p)
	}
	return started
}

// runs reports whether a daemon set has a pod on the node.
func (n *node) runs(d *daemon) bool {
	return slices.ContainsFunc(n.pods, func(p *pod) bool { return p.daemon && p.class == d.class })
}

// stopDaemon tells a daemon pod to stop. Its node is being emptied: no other takes its place.
func (r *replay) stopDaemon(p *pod, grace time.Duration) {
	p.state = podStopping
	r.markDeleted(p, grace)
	p.next = r.at(r.now+min(grace, r.settings.Latencies.PodStop.draw(r.podLuck)), rankPods, func() error {
		n := p.node
		r.dropDaemon(p)
		return r.autoscaler.podLeft(p, n)
	})
}

// dropDaemon ends a daemon pod with its node.
func (r *replay) dropDaemon(p *pod) {
	n := p.node
	n.drop(p)
	r.usage(n, -p.cpu, -p.memory)
	r.scheduler.model.Unbind(p.class, n.id)
	r.scheduler.displaced(p)
	r.scheduler.podLeft(p.class, math.MaxInt32)
	p.state = podGone
	p.next.cancel()
}
