package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/kubescheduler"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// replay is a replay at work.
type replay struct {
	ctx      context.Context
	scenario *scenarios.Scenario
	settings *Settings
	begin    time.Time // the moment at which it starts
	length   time.Duration

	now    time.Duration
	events events

	autoscaler autoscaler
	scheduler  *scheduler
	supply     *supply
	meter      *meter
	budgets    *budgets
	stream     arrivals.Stream

	pods      map[*pod]struct{} // all that are, but for daemon pods
	nodes     []*node           // all that are, in the order in which they were asked for
	byID      map[kubescheduler.NodeID]*node
	named     map[string]*node
	workloads map[workloadKey]*workload
	daemons   []*daemon

	// broken is an error of a call that could not return it.
	broken error

	// Luck of nodes and pods; each draws in the order in which they come.
	nodeLuck, podLuck, reclaimLuck *rand.Rand
}

type workloadKey struct {
	kind string
	types.NamespacedName
}

// daemon is a DaemonSet.
type daemon struct {
	pod   *corev1.Pod
	class *kubescheduler.Class
}

// autoscaler is what makes and takes nodes. The kernel tells it what changes.
type autoscaler interface {
	// start plans its first action. The nodes of the scenario are there already.
	start() error
	// nodeObject makes the Node object of an instance that has been launched.
	nodeObject(n *node) *corev1.Node

	// podUnschedulable: kube-scheduler has found no node for a pod, for the first time.
	podUnschedulable(p *pod)
	podBound(p *pod)
	podStarted(p *pod)             // its containers run
	podChanged(p *pod)             // told to stop
	podLeft(p *pod, n *node) error // its room on a node is free
	podGone(p *pod)

	nodeLaunched(n *node) error
	nodeJoined(n *node) error
	nodeReady(n *node) error
	nodeChanged(n *node) error
	nodeGone(n *node) error
	// noticed: the cloud will take an instance back; reclaimed: it does.
	noticed(n *node) error
	reclaimed(n *node) error
	// assumptions says what the controller model assumes.
	assumptions() []string
}

// Autoscaler is what a scenario is replayed under: [Karpenter] or [ClusterAutoscaler].
type Autoscaler struct {
	// Name is what the result calls it.
	Name  string
	start func(r *replay) (autoscaler, error)
}

// ErrNoHorizon says that neither the settings nor the scenario say how long to replay.
var ErrNoHorizon = errors.New("no length: the scenario has no timeline, say how long to replay")

// Run replays a scenario under an autoscaler. If the context is cancelled, it returns the result
// up to then, not complete, and the context's error wrapped. Other errors are of the
// scenario (naming the object), of the settings ([ErrSettings]), or say that the replay
// contradicts itself ([ErrConservation]).
func Run(ctx context.Context, s *scenarios.Scenario, a Autoscaler, settings Settings) (*Result, error) {
	if err := settings.validate(); err != nil {
		return nil, err
	}
	began := time.Now()
	r := &replay{ctx: ctx, scenario: s, settings: &settings, length: settings.For,
		pods: map[*pod]struct{}{}, byID: map[kubescheduler.NodeID]*node{}, named: map[string]*node{}, workloads: map[workloadKey]*workload{},
		nodeLuck: draws(settings.Seed, "nodes"), podLuck: draws(settings.Seed, "pods"),
		reclaimLuck: draws(settings.Seed, "reclaims"),
		meter:       newMeter(settings.Step),
	}
	r.meter.commit(s.Commitments)
	if r.length == 0 {
		r.length = s.Horizon()
	}
	if r.length == 0 {
		return nil, fmt.Errorf("%w: %w", ErrSettings, ErrNoHorizon)
	}
	if err := r.prepare(a); err != nil {
		return nil, fmt.Errorf("replay %s under %s: %w", s.Name, a.Name, err)
	}
	err := r.play()
	result, conservation := r.finishUp()
	result.Scenario, result.Autoscaler, result.Seed = s.Name, a.Name, settings.Seed
	result.WallSeconds = time.Since(began).Seconds()
	result.Complete = err == nil
	if err = errors.Join(err, conservation); err != nil {
		err = fmt.Errorf("replay %s under %s: %w", s.Name, a.Name, err)
	}
	return result, err
}

// monday is when a replay starts whose scenario does not say.
var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// prepare puts the scenario's cluster in place.
func (r *replay) prepare(a Autoscaler) error {
	snapshot := r.scenario.Snapshot
	if r.begin = snapshot.Now; r.begin.IsZero() {
		r.begin = monday
	}
	model, err := kubescheduler.New(snapshot, kubescheduler.WithSeed(r.settings.Seed))
	if err != nil {
		return err
	}
	r.scheduler = newScheduler(r, model)
	r.supply = newSupply(&r.settings.Cloud, r.settings.Seed)
	if r.budgets, err = newBudgets(snapshot.PodDisruptionBudgets); err != nil {
		return err
	}
	if err := r.readDaemons(); err != nil {
		return err
	}
	for _, c := range r.scenario.Controllers {
		r.workloads[workloadKey{c.Kind, c.Key()}] = newWorkload(r, c)
	}
	if r.autoscaler, err = a.start(r); err != nil {
		return err
	}
	for _, n := range snapshot.Nodes {
		if err := r.adopt(n); err != nil {
			return err
		}
	}
	if err := r.submitWaiting(); err != nil {
		return err
	}
	if r.stream, err = r.scenario.Events(r.settings.Seed); err != nil {
		return err
	}
	r.nextArrival()
	return r.autoscaler.start()
}

func (r *replay) readDaemons() error {
	for _, d := range r.scenario.Snapshot.DaemonSets {
		p := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
		p.Namespace, p.Name = d.Namespace, d.Name
		p.OwnerReferences = append(slices.Clip(p.OwnerReferences), ownedByDaemonSet(d))
		p.Spec.Tolerations = append(slices.Clip(p.Spec.Tolerations), daemonTolerations...)
		class, err := r.scheduler.model.Class(p)
		if err != nil {
			return fmt.Errorf("daemon set %s/%s: %w", d.Namespace, d.Name, err)
		}
		r.daemons = append(r.daemons, &daemon{pod: p, class: class})
	}
	return nil
}

// submitWaiting submits the pods that wait at the start: those of StatefulSets one by one as these make
// them, all others at once. Pods of a recorded workload come when their time comes.
func (r *replay) submitWaiting() error {
	owners := r.owners()
	for _, p := range r.scenario.StartingPods() {
		var j *job
		owner := owners.of(p)
		if owner != nil && owner.stateful() {
			continue // it makes them in its order
		}
		if owner == nil {
			j = &job{runs: -1, name: p.Name}
		} else {
			owner.made++
		}
		if _, err := r.submit(p, owner, j); err != nil {
			return err
		}
	}
	for _, w := range r.inOrder() {
		w.disturbed()
	}
	return nil
}

// inOrder returns the workloads in the order of the scenario.
func (r *replay) inOrder() []*workload {
	out := make([]*workload, 0, len(r.workloads))
	for _, c := range r.scenario.Controllers {
		out = append(out, r.workloads[workloadKey{c.Kind, c.Key()}])
	}
	return out
}

// ownerIndex finds the workload of a pod by the UID of the pod's controller.
type ownerIndex map[types.UID]*workload

func (r *replay) owners() ownerIndex {
	index := ownerIndex{}
	for _, w := range r.workloads {
		if uid, ok := ownerUID(w.Template); ok {
			index[uid] = w
		}
	}
	return index
}

func (x ownerIndex) of(p *corev1.Pod) *workload {
	uid, ok := ownerUID(p)
	if !ok {
		return nil
	}
	return x[uid]
}

// at schedules something.
func (r *replay) at(when time.Duration, rank rank, do func() error) *event {
	return r.events.schedule(when, rank, do)
}

// moment is the present as a date.
func (r *replay) moment() time.Time { return r.begin.Add(r.now) }

// nextArrival plans the next event of the timeline.
func (r *replay) nextArrival() {
	e, ok := r.stream.Next()
	if !ok {
		return
	}
	r.at(max(e.At, r.now), rankUsers, func() error {
		if err := r.arrive(&e); err != nil {
			return err
		}
		r.nextArrival()
		return nil
	})
}

func (r *replay) arrive(e *arrivals.Event) error {
	switch {
	case e.Submit != nil:
		j := &job{runs: e.Submit.Runs, giveUp: e.Submit.GiveUp, name: e.Submit.Pod.Name}
		_, err := r.submit(e.Submit.Pod, nil, j)
		return err
	case e.Scale != nil:
		w, err := r.workload(e.Scale.Kind, e.Scale.Controller)
		if err != nil {
			return err
		}
		w.replicas = e.Scale.Replicas
		w.disturbed()
	case e.Rollout != nil:
		w, err := r.workload(e.Rollout.Kind, e.Rollout.Controller)
		if err != nil {
			return err
		}
		w.rollOut()
	case e.Load != nil:
		w, err := r.workload(e.Load.Kind, e.Load.Controller)
		if err != nil {
			return err
		}
		w.load = e.Load.CPU
	case e.Reclaim != nil && !r.settings.Cloud.IgnoreReclaims:
		return r.reclaim(e.Reclaim.Share)
	}
	return nil
}

func (r *replay) workload(kind string, name types.NamespacedName) (*workload, error) {
	if w := r.workloads[workloadKey{kind, name}]; w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("timeline: the scenario has no %s %s", kind, name)
}

// adopt puts a node of the scenario and its pods in place.
func (r *replay) adopt(src *packing.Node) error {
	n := &node{name: src.Name, obj: src.Node.DeepCopy(), id: noNode, state: nodeReady, existing: true}
	r.attach(n, src)
	n.bill = r.billOf(n)
	if n.bill.price == 0 {
		n.bill.price = src.Price
	}
	id, err := r.scheduler.model.AddNode(n.obj)
	if err != nil {
		return fmt.Errorf("node %s: %w", src.Name, err)
	}
	n.id = id
	r.byID[id] = n
	r.nodes = append(r.nodes, n)
	r.named[n.name] = n
	r.meter.nodeExisting(n.bill)
	owners := r.owners()
	for _, obj := range src.Pods {
		if obj.Status.Phase == corev1.PodSucceeded || obj.Status.Phase == corev1.PodFailed {
			continue
		}
		copied := *obj
		p := &pod{obj: &copied, daemon: staysWithNode(obj)}
		if err := r.describe(p); err != nil {
			return err
		}
		if !p.daemon {
			if p.owner = owners.of(obj); p.owner != nil {
				p.owner.add(p)
				p.owner.made++
			} else {
				p.job = &job{runs: -1, name: obj.Name}
			}
			r.pods[p] = struct{}{}
			r.meter.podCreated()
			r.meter.running(1)
		}
		r.place(p, n)
		running := *p.obj
		running.Status.Phase, running.Status.StartTime = corev1.PodRunning, obj.Status.StartTime
		p.replaceObject(&running)
		p.state = podRunning
		r.budgets.changed(p)
	}
	return r.autoscaler.nodeJoined(n)
}

// attach finds out what a node of the scenario is: its instance type and offering, its pool or group.
func (r *replay) attach(n *node, src *packing.Node) {
	name := n.obj.Labels[corev1.LabelInstanceTypeStable]
	if t, ok := r.scenario.Catalog.Lookup(name); ok {
		for i := range t.Offerings {
			o := &t.Offerings[i]
			if o.Zone() == n.obj.Labels[corev1.LabelTopologyZone] && o.CapacityType() == capacityTypeOf(n.obj) {
				n.pool = pool{t, o}
			}
		}
	}
	for _, g := range r.scenario.NodeGroups {
		if g.Name == src.NodeGroup {
			n.nodeGroup = g
		}
	}
	for _, p := range r.scenario.NodePools {
		if p.Name == src.NodePool() {
			n.nodePool = p
		}
	}
	if n.pool.instanceType != nil {
		r.supply.started(n.pool)
		r.planInterruption(n) // its age does not matter: the hazard is constant
	}
}

// progressEvery is how often, in events, progress is told and the context looked at.
const progressEvery = 1024

// play lets everything happen.
func (r *replay) play() error {
	for count := 0; ; count++ {
		if count%progressEvery == 0 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			if r.settings.Progress != nil {
				r.settings.Progress(r.now, r.length)
			}
		}
		e := r.events.peek()
		if e == nil || e.at > r.length {
			break
		}
		r.events.next()
		if e.at > r.now {
			r.meter.advance(e.at)
			r.now = e.at
		}
		if err := e.do(); err != nil {
			return fmt.Errorf("at %v: %w", r.now, err)
		}
		if r.broken != nil {
			return fmt.Errorf("at %v: %w", r.now, r.broken)
		}
		if r.settings.audit != nil {
			if err := r.settings.audit(r); err != nil {
				return fmt.Errorf("at %v: %w", r.now, err)
			}
		}
	}
	r.meter.advance(r.length)
	r.now = r.length
	return nil
}

// finishUp bills what still runs and closes the books.
func (r *replay) finishUp() (*Result, error) {
	for _, n := range r.nodes {
		if n.billed() {
			r.meter.nodeAtEnd(n.bill, r.now-n.launched)
		}
	}
	result := r.meter.result()
	result.Assumptions = r.assumptions()
	return result, r.check()
}

func (r *replay) assumptions() []string {
	out := r.settings.Latencies.assumptions()
	out = append(out, r.settings.Cloud.assumptions()...)
	if len(r.scenario.Activity.Reclaims) > 0 && !r.settings.Cloud.IgnoreReclaims {
		out = append(out, "besides, the scenario's timeline has spot instances reclaimed at set times")
	}
	out = append(out, r.settings.DecisionTime.String(),
		fmt.Sprintf("kube-scheduler takes %v a pod", r.settings.BindInterval))
	return append(out, r.autoscaler.assumptions()...)
}
