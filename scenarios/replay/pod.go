package replay

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/kubescheduler"
)

// podState is where a pod is in its life. A pod is in exactly one state.
type podState uint8

const (
	podWaiting  podState = iota // created, without a node
	podStarting                 // bound, its containers are not up yet
	podRunning
	podStopping // told to stop, still on its node
	podGone
)

// pod is a pod of the cluster.
type pod struct {
	// obj is the pod as the API server has it now. It is replaced, never changed.
	obj   *corev1.Pod
	class *kubescheduler.Class
	state podState
	// owner makes another if the pod is evicted; nil: nobody does, unless it is a
	// job, which is submitted again.
	owner *workload
	job   *job
	// daemon pods come and go with their node and are not counted.
	daemon bool

	node    *node
	created time.Duration
	bound   time.Duration
	started time.Duration
	// next is the event that is due: start, finish, stop.
	next   *event
	giveUp *event
	// leaving is why the pod was evicted, "" if it ends by itself or by its user.
	leaving string
	// evicting: Karpenter's eviction queue has it.
	evicting bool
	// unnoticed: its node is gone and nobody knows yet.
	unnoticed bool
	// ran is for how long its containers were up when it was told to stop or lost its node.
	ran time.Duration

	priority    int32
	cpu, memory int64 // requests in milli-CPU and bytes

	queue queued
}

// job is a pod that runs to completion.
type job struct {
	runs   time.Duration // negative: until the end
	giveUp time.Duration
	again  int // how often it was submitted again
	// name is that of the first submission.
	name string
}

// submit makes a pod that waits.
func (r *replay) submit(obj *corev1.Pod, owner *workload, j *job) (*pod, error) {
	made := *obj
	made.CreationTimestamp = metav1.NewTime(r.moment())
	made.Status = corev1.PodStatus{Phase: corev1.PodPending}
	made.Spec.NodeName = ""
	p := &pod{obj: &made, owner: owner, job: j, created: r.now}
	if err := r.describe(p); err != nil {
		return nil, err
	}
	r.pods[p] = struct{}{}
	r.meter.podCreated()
	r.meter.pending(1)
	if j != nil && j.giveUp > 0 {
		p.giveUp = r.at(r.now+j.giveUp, rankUsers, func() error { return r.abandon(p) })
	}
	if owner != nil {
		owner.add(p)
	}
	r.budgets.changed(p)
	r.scheduler.enqueue(p)
	return p, nil
}

// describe looks up what the scheduler and the meter need to know of a pod.
func (r *replay) describe(p *pod) error {
	class, err := r.scheduler.model.Class(p.obj)
	if err != nil {
		return err
	}
	p.class = class
	p.priority = class.Priority
	p.cpu, p.memory = class.Requests().Get(corev1.ResourceCPU), class.Requests().Get(corev1.ResourceMemory)
	return nil
}

// abandon deletes a pod that has waited for too long.
func (r *replay) abandon(p *pod) error {
	if p.state != podWaiting {
		return nil
	}
	r.meter.pending(-1)
	r.meter.podGaveUp()
	r.scheduler.forget(p)
	r.retire(p)
	return nil
}

// bind puts a waiting pod on a node.
func (r *replay) bind(p *pod, n *node) error {
	if r.settings.Referee {
		if err := r.judge(p, n); err != nil {
			return err
		}
	}
	p.giveUp.cancel()
	r.place(p, n)
	if err := r.checkRoom(n); err != nil {
		return err
	}
	r.meter.pending(-1)
	r.meter.podBound(r.now - p.created)
	delay := r.settings.Latencies.PodStart.draw(r.podLuck)
	p.next = r.at(r.now+delay, rankPods, func() error { return r.start(p) })
	r.autoscaler.podBound(p)
	return nil
}

// place accounts a pod on a node.
func (r *replay) place(p *pod, n *node) {
	made := *p.obj
	made.Spec.NodeName = n.name
	start := metav1.NewTime(r.moment())
	made.Status.StartTime = &start
	p.obj, p.state, p.node, p.bound = &made, podStarting, n, r.now
	n.add(p)
	r.usage(n, p.cpu, p.memory)
	r.scheduler.model.Bind(p.class, n.id)
	r.scheduler.placed(p)
	if !p.daemon {
		n.podEvent(r.now)
	}
}

// start has a pod's containers run.
func (r *replay) start(p *pod) error {
	made := *p.obj
	made.Status.Phase = corev1.PodRunning
	p.replaceObject(&made)
	p.state, p.started = podRunning, r.now
	r.meter.running(1)
	r.meter.podRunning(r.now - p.created)
	r.budgets.changed(p)
	if p.job != nil && p.job.runs >= 0 {
		p.next = r.at(r.now+p.job.runs, rankPods, func() error { return r.finish(p) })
	}
	if p.owner != nil {
		p.owner.disturbed()
	}
	r.autoscaler.podStarted(p)
	return nil
}

// replaceObject shows the API server's new version of a pod to its node.
func (p *pod) replaceObject(obj *corev1.Pod) {
	p.obj = obj
	if p.node != nil {
		p.node.view = nil
	}
}

// finish ends a job's pod that is done.
func (r *replay) finish(p *pod) error {
	r.meter.running(-1)
	r.meter.podFinished()
	p.node.podEvent(r.now)
	return r.leave(p)
}

// remove has a user delete a pod: a Deployment has become smaller.
func (r *replay) remove(p *pod) error {
	if p.state == podWaiting {
		r.meter.pending(-1)
		r.meter.podDeleted()
		r.scheduler.forget(p)
		r.retire(p)
		return nil
	}
	return r.stop(p, "", p.grace())
}

// evict tells a pod to stop so that its node, or room on it, becomes free. Its owner makes
// another at once.
func (r *replay) evict(p *pod, reason string) error {
	if p.state != podStarting && p.state != podRunning {
		return nil
	}
	return r.stop(p, reason, p.grace())
}

func (r *replay) stop(p *pod, reason string, grace time.Duration) error {
	if p.state == podStopping || p.state == podGone {
		return nil
	}
	r.halt(p)
	p.leaving = reason
	r.markDeleted(p, grace)
	if err := r.reclassify(p); err != nil {
		return err
	}
	p.node.podEvent(r.now)
	r.budgets.changed(p)
	r.autoscaler.podChanged(p)
	delay := min(grace, r.settings.Latencies.PodStop.draw(r.podLuck))
	p.next = r.at(r.now+delay, rankPods, func() error {
		r.countEnd(p)
		return r.leave(p)
	})
	return r.replaced(p)
}

// markDeleted has the API server state when a pod's grace period ends.
func (r *replay) markDeleted(p *pod, grace time.Duration) {
	made := *p.obj
	gone := metav1.NewTime(r.moment().Add(grace))
	made.DeletionTimestamp = &gone
	p.replaceObject(&made)
}

// hurry shortens the grace period of a pod that has been told to stop.
func (r *replay) hurry(p *pod, grace time.Duration) {
	r.markDeleted(p, grace)
	if e := p.next; e != nil && e.do != nil && e.at > r.now+grace {
		p.next = r.at(r.now+grace, e.rank, e.do)
		e.cancel()
	}
}

// reclassify tells kube-scheduler that a pod on a node is told to stop: spread constraints count it no
// longer.
func (r *replay) reclassify(p *pod) error {
	class, err := r.scheduler.model.Class(p.obj)
	if err != nil {
		return err
	}
	r.scheduler.model.Unbind(p.class, p.node.id)
	p.class = class
	r.scheduler.model.Bind(p.class, p.node.id)
	r.scheduler.changes++
	return nil
}

// halt ends the run of a pod that has a node.
func (r *replay) halt(p *pod) {
	p.next.cancel()
	if p.state == podRunning {
		r.meter.running(-1)
		p.ran = r.now - p.started
	}
	p.state = podStopping
}

// defaultGrace is the default of terminationGracePeriodSeconds.
const defaultGrace = 30 * time.Second

// grace is how long the pod may take to stop.
func (p *pod) grace() time.Duration {
	if grace := p.obj.Spec.TerminationGracePeriodSeconds; grace != nil {
		return time.Duration(*grace) * time.Second
	}
	return defaultGrace
}

// countEnd counts a pod that was told to stop, or lost, as deleted by its user or as evicted.
func (r *replay) countEnd(p *pod) {
	switch {
	case p.leaving == "":
		r.meter.podDeleted()
	case p.job != nil:
		r.meter.podEvicted(p.leaving, p.ran)
	default:
		r.meter.podEvicted(p.leaving, 0)
	}
}

// lose ends a pod whose node is gone from one moment to the next.
func (r *replay) lose(p *pod, reason string) error {
	if p.state == podGone {
		return nil
	}
	told := p.state == podStopping && !p.unnoticed
	r.halt(p)
	if !told {
		p.leaving = reason
	}
	r.countEnd(p)
	if err := r.leave(p); err != nil {
		return err
	}
	if told {
		return nil // what replaces it was made when it was told to stop
	}
	return r.replaced(p)
}

// replaced has whoever made an evicted pod make another.
func (r *replay) replaced(p *pod) error {
	switch {
	case p.owner != nil:
		p.owner.lost(p)
	case p.job != nil && p.leaving != "":
		return r.resubmit(p)
	}
	return nil
}

// resubmit makes a job's pod anew, from the beginning.
func (r *replay) resubmit(p *pod) error {
	if metav1.GetControllerOfNoCopy(p.obj) == nil {
		return nil // nobody makes a bare pod anew
	}
	j := *p.job
	j.again++
	obj := *p.obj
	obj.DeletionTimestamp = nil
	obj.Name = retryName(j.name, j.again)
	obj.UID = uidOf(obj.Namespace, obj.Name)
	_, err := r.submit(&obj, nil, &j)
	return err
}

// leave takes a pod off its node for good.
func (r *replay) leave(p *pod) error {
	n := p.node
	n.drop(p)
	r.usage(n, -p.cpu, -p.memory)
	r.scheduler.model.Unbind(p.class, n.id)
	r.scheduler.displaced(p)
	r.retire(p)
	r.scheduler.podLeft(p.class, math.MaxInt32)
	return r.autoscaler.podLeft(p, n)
}

// retire forgets a pod.
func (r *replay) retire(p *pod) {
	p.state = podGone
	p.next.cancel()
	p.giveUp.cancel()
	if p.owner != nil {
		p.owner.drop(p)
		p.owner.disturbed()
	}
	delete(r.pods, p)
	r.budgets.changed(p)
	r.autoscaler.podGone(p)
}
