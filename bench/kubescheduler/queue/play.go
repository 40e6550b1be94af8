package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	testingclock "k8s.io/utils/clock/testing"
)

const (
	schedulerName = "default-scheduler"
	attempt       = 10 * time.Millisecond // how long the scheduler is busy with a pod
)

// Of what happens at one moment, the order; an attempt begins after all of it.
const (
	rankNode = iota // and the end of an attempt
	rankEnd         // of a pod
	rankPod
	rankBackoff
	rankLeftover
)

// happening is what is to be done at a moment.
type happening struct {
	at        int64
	rank, seq int
	do        func() error
}

func (h *happening) before(o *happening) bool {
	if h.at != o.at {
		return h.at < o.at
	}
	if h.rank != o.rank {
		return h.rank < o.rank
	}
	return h.seq < o.seq
}

// player is a scheduler, but for its queue, and the cluster.
type player struct {
	*script
	queue   *queue.PriorityQueue
	log     klog.Logger
	clock   *testingclock.FakeClock
	begin   time.Time
	now     int64
	busy    bool
	coming  []happening
	planned int
	there   []*corev1.Node // by node of the script; nil: not yet
	free    []int64        // CPUs
	numbers map[types.UID]int
	blamed  map[types.UID]bool // pods that a plugin turned away last
}

// play fills in what becomes of the pods of a script.
func play(s *script) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begin, err := time.Parse(time.RFC3339Nano, s.begin)
	if err != nil {
		return err
	}
	p := &player{script: s, log: klog.Background(), clock: testingclock.NewFakeClock(begin), begin: begin,
		there: make([]*corev1.Node, len(s.nodes)), free: make([]int64, len(s.nodes)), numbers: make(map[types.UID]int), blamed: make(map[types.UID]bool)}
	if p.queue, err = newQueue(ctx, p.clock); err != nil {
		return err
	}
	for i, n := range s.nodes {
		p.plan(n.joined, rankNode, func() error { p.join(i); return nil })
		p.plan(n.ready, rankNode, func() error { p.ready(i); return nil })
	}
	for i := range s.pods {
		s.pods[i].bound = -1
		p.plan(s.pods[i].created, rankPod, func() error { p.create(i); return nil })
	}
	// Back-offs are looked at every second of the clock, what waits for no event every half minute from the start on.
	for at := begin.Truncate(time.Second).Add(time.Second); int64(at.Sub(begin)) <= s.lasts; at = at.Add(time.Second) {
		p.plan(int64(at.Sub(begin)), rankBackoff, func() error { flushBackoff(p.queue, p.log); return nil })
	}
	for at := int64(30 * time.Second); at <= s.lasts; at += int64(30 * time.Second) {
		p.plan(at, rankLeftover, func() error { flushLeftover(p.queue, p.log); return nil })
	}
	return p.run()
}

func (p *player) plan(at int64, rank int, do func() error) {
	p.planned++
	p.coming = append(p.coming, happening{at, rank, p.planned, do})
}

// run goes from one happening to the next.
func (p *player) run() error {
	for len(p.coming) > 0 {
		first := 0
		for i := range p.coming {
			if p.coming[i].before(&p.coming[first]) {
				first = i
			}
		}
		h := p.coming[first]
		p.coming = append(p.coming[:first], p.coming[first+1:]...)
		if h.at > p.lasts {
			return nil
		}
		p.now = h.at
		p.clock.SetTime(p.begin.Add(time.Duration(h.at)))
		if err := h.do(); err != nil {
			return err
		}
		if err := p.schedule(); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) join(i int) {
	list := corev1.ResourceList{"cpu": *resource.NewQuantity(p.nodes[i].cpus, resource.DecimalSI), "memory": resource.MustParse("64Gi"), "pods": resource.MustParse("110")}
	p.there[i] = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("node-", i)}, Status: corev1.NodeStatus{Allocatable: list},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}}}}
	p.free[i] = p.nodes[i].cpus
	p.queue.MoveAllToActiveOrBackoffQueue(p.log, fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add}, nil, p.there[i], nil)
}

func (p *player) ready(i int) {
	before := p.there[i]
	p.there[i] = before.DeepCopy()
	p.there[i].Spec.Taints = nil
	for _, e := range framework.NodeSchedulingPropertiesChange(p.there[i], before) {
		p.queue.MoveAllToActiveOrBackoffQueue(p.log, e, before, p.there[i], nil)
	}
}

func (p *player) create(i int) {
	uid := types.UID(fmt.Sprint("pod-", i))
	p.numbers[uid] = i
	p.queue.Add(p.log, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: string(uid), UID: uid},
		Spec: corev1.PodSpec{SchedulerName: schedulerName, Priority: &p.pods[i].priority, Containers: []corev1.Container{{Name: "main", Image: "main",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}}}}})
}

// schedule tries the next pod, if the scheduler is not busy and nothing else is to happen at this moment. The pod goes to the
// first node that has room.
func (p *player) schedule() error {
	for i := range p.coming {
		if p.coming[i].at == p.now {
			return nil
		}
	}
	if p.busy || !p.poppable() {
		return nil
	}
	tried, err := p.queue.Pop(p.log)
	if err != nil {
		return err
	}
	p.busy = true
	pod := &p.pods[p.numbers[tried.Pod.UID]]
	pod.attempts++
	rejected := sets.New[string]()
	for i, node := range p.there {
		switch {
		case node == nil:
		case len(node.Spec.Taints) > 0:
			rejected.Insert(names.TaintToleration)
		case p.free[i] < 1:
			rejected.Insert(names.NodeResourcesFit)
		default:
			p.bind(tried, pod, i)
			return nil
		}
	}
	p.plan(p.now+int64(attempt), rankNode, func() error {
		p.busy = false
		tried.UnschedulablePlugins = rejected
		p.blamed[tried.Pod.UID] = len(rejected) > 0
		return p.queue.AddUnschedulableIfNotPresent(p.log, tried, p.queue.SchedulingCycle())
	})
	return nil
}

// poppable reports whether Pop would not block. A pod that backs off is popped early only if a plugin turned it away:
// without any node none did, and the original takes that for an error.
func (p *player) poppable() bool {
	return len(p.queue.PodsInActiveQ()) > 0 ||
		slices.ContainsFunc(p.queue.PodsInBackoffQ(), func(pod *corev1.Pod) bool { return p.blamed[pod.UID] })
}

func (p *player) bind(tried *framework.QueuedPodInfo, pod *podLine, node int) {
	p.free[node]--
	pod.bound = p.now
	p.queue.Done(tried.Pod.UID)
	bound := tried.Pod.DeepCopy()
	bound.Spec.NodeName = p.there[node].Name
	p.plan(p.now+pod.runs, rankEnd, func() error {
		p.free[node]++
		p.queue.MoveAllToActiveOrBackoffQueue(p.log, framework.EventAssignedPodDelete, bound, nil, nil)
		return nil
	})
	p.plan(p.now+int64(attempt), rankNode, func() error { p.busy = false; return nil })
}
