package replay

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/scenarios"
)

// script says when pods of 1 CPU and nodes come, and what became of the pods under a scheduler that takes 10 ms for
// each attempt. Times are in nanoseconds.
type script struct {
	Name  string
	Begin time.Time
	For   time.Duration
	Nodes [][3]int64 // joined, ready, CPUs
	Pods  [][5]int64 // created, priority, time from bound to done; bound (-1: never), attempts

	// preempts lets pods preempt others. Pods stop for so long, at most their grace period in seconds.
	preempts bool
	stop     time.Duration
	grace    int64
}

// queueScripts are testdata/queue.json: what the queue of kube-scheduler 1.35.0 itself (pkg/scheduler/backend/queue
// on its fake clock, with the hints of its plugins NodeResourcesFit and TaintToleration) makes of them. The module bench/kubescheduler writes it.
func queueScripts(t testing.TB) []script {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "queue.json"))
	require.NoError(t, err)
	var out []script
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// scripted is an autoscaler to which nothing matters: nodes and pods come by a script.
type scripted struct {
	*script
	r    *replay
	pods []*pod
}

func (s *scripted) start() error {
	for i, n := range s.Nodes {
		s.r.at(time.Duration(n[0]), rankCloud, func() error { return s.join(i) })
	}
	s.pods = make([]*pod, len(s.Pods))
	for i, p := range s.Pods {
		obj := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("pod-", i), UID: types.UID(fmt.Sprint(i))}}
		priority, never := int32(p[1]), corev1.PreemptNever
		obj.Spec.Priority = &priority
		if s.preempts {
			obj.Spec.TerminationGracePeriodSeconds = &s.grace
		} else {
			obj.Spec.PreemptionPolicy = &never
		}
		obj.Spec.Containers = []corev1.Container{{Name: "main", Image: "main", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}
		s.r.at(time.Duration(p[0]), rankUsers, func() (err error) {
			s.pods[i], err = s.r.submit(obj, nil, &job{runs: time.Duration(p[2])})
			return err
		})
	}
	return nil
}

// join has a node of the script join, and become ready later.
func (s *scripted) join(i int) error {
	n := &node{name: fmt.Sprint("node-", i), id: noNode, launched: s.r.now, state: nodeBooting}
	n.obj = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: map[string]string{corev1.LabelHostname: n.name}}}
	n.obj.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(s.Nodes[i][2], resource.DecimalSI),
		corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110")}
	n.bill = s.r.billOf(n)
	s.r.nodes = append(s.r.nodes, n)
	s.r.meter.nodeRequested()
	s.r.meter.nodeLaunched(n.bill)
	if err := s.r.join(n); err != nil {
		return err
	}
	n.next.cancel()
	n.next = s.r.at(time.Duration(s.Nodes[i][1]), rankCloud, func() error { return s.r.ready(n) })
	return nil
}

func (s *scripted) nodeObject(n *node) *corev1.Node { return n.obj }
func (s *scripted) podUnschedulable(*pod)           {}
func (s *scripted) podBound(*pod)                   {}
func (s *scripted) podStarted(*pod)                 {}
func (s *scripted) podChanged(*pod)                 {}
func (s *scripted) podLeft(*pod, *node) error       { return nil }
func (s *scripted) podGone(*pod)                    {}
func (s *scripted) nodeLaunched(*node) error        { return nil }
func (s *scripted) nodeJoined(*node) error          { return nil }
func (s *scripted) nodeReady(*node) error           { return nil }
func (s *scripted) nodeChanged(*node) error         { return nil }
func (s *scripted) nodeGone(*node) error            { return nil }
func (s *scripted) noticed(*node) error             { return nil }
func (s *scripted) reclaimed(*node) error           { return nil }
func (s *scripted) assumptions() []string           { return nil }

// roomFor has one node, of so many CPUs, from the start, and none else.
func roomFor(cpus int64) Autoscaler {
	room := &script{Nodes: [][3]int64{{1, 2, cpus}}}
	return Autoscaler{Name: "room", start: func(r *replay) (autoscaler, error) { return &scripted{script: room, r: r}, nil }}
}

// play replays a script and returns its pods.
func (s *script) play(t testing.TB) []*pod {
	t.Helper()
	x := &stage{last: s.For}
	scenario, err := scenarios.Read(strings.NewReader(x.yaml()), "script.yaml", scenarios.WithNow(s.Begin))
	require.NoError(t, err)
	settings := stageSettings()
	settings.BindInterval = 10 * time.Millisecond
	settings.Latencies.PodStart, settings.Latencies.PodStop = Constant(0, "test"), Constant(s.stop, "test")
	var it *scripted
	_, err = Run(t.Context(), scenario, Autoscaler{Name: "script", start: func(r *replay) (autoscaler, error) {
		it = &scripted{script: s, r: r}
		return it, nil
	}}, settings)
	require.NoError(t, err)
	return it.pods
}

// Every pod is bound at the nanosecond at which it is under the original's queue, after as many attempts.
func TestQueueIsTheOriginals(t *testing.T) {
	for _, s := range queueScripts(t) {
		t.Run(s.Name, func(t *testing.T) {
			for i, p := range s.play(t) {
				if bound := s.Pods[i][3]; bound >= 0 {
					require.Equal(t, time.Duration(bound), p.bound, "pod %d, created at %v", i, p.created)
					continue
				}
				require.Equal(t, podWaiting, p.state, "pod %d", i)
				require.EqualValues(t, s.Pods[i][4], p.queue.failures, "pod %d, created at %v", i, p.created)
			}
		})
	}
}

// A young pod overtakes an old one that has failed more often. Nodes that join wake the old pod, to no
// avail as they are not ready, at 10, 20, 30 and 40 s: it has failed five times by then and backs off
// for 10 s, to 50 s. The young one comes at 41 s, fails once, and may be tried again from 43 s on. The node that is
// ready at 45 s is its own; the old pod is tried next, in vain, and waits for the one at 60 s.
func TestYoungPodOvertakes(t *testing.T) {
	at := func(seconds float64) int64 { return int64(seconds * 1e9) }
	hour := at(3600)
	s := &script{Name: "overtaking", Begin: monday, For: 2 * time.Minute,
		Nodes: [][3]int64{{at(0.001), at(0.002), 1}, {at(10), at(45), 1}, {at(20), at(60), 1}, {at(30), hour, 1}, {at(40), hour, 1}},
		Pods:  [][5]int64{{at(0.5), 0, hour}, {at(1), 0, hour}, {at(41), 0, hour}},
	}
	pods := s.play(t)
	require.Equal(t, seconds(0.5, 60, 45), []time.Duration{pods[0].bound, pods[1].bound, pods[2].bound})
	require.Equal(t, []int{0, 6, 1}, []int{pods[0].queue.failures, pods[1].queue.failures, pods[2].queue.failures})
}

// A pod that has to be near another comes at 10 s and finds none. It is bound with the other, at 60 s: nothing but
// that binding has it tried again.
func TestBindingWakesPodsThatWantToBeNear(t *testing.T) {
	x := &stage{last: 4 * time.Minute}
	x.jobs = append(x.jobs, "{name: near, arrivals: {batch: {at: 10s, pods: 1}}, runs: {constant: 1h}}")
	x.jobObject("near", "1", "", "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: work}}}]}}, ")
	x.job("work", time.Minute, 1, "1", "1h", "")
	r, _ := x.play(t, roomFor(4))
	require.Equal(t, 2, r.Wait.ToBound.Count)
	require.InDelta(t, 50, r.Wait.ToBound.Max, 1e-6)
}
