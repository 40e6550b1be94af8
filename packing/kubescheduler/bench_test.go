package kubescheduler

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// BenchmarkSchedule replaces one pod after the other in a cluster at 70 percent of its CPU: the class of a
// pod is looked up, a node found, the pod bound there, and the oldest pod taken off. Pods are of 50
// controllers. The mixes:
//
//	job       pods without a controller that spreads them: resources alone decide
//	plain     pods of ReplicaSets, which the default constraints spread over hosts and zones
//	spread    the same with a DoNotSchedule constraint over zones and a ScheduleAnyway one over hosts
//	affinity  pods that prefer a zone's nodes, to be near pods of another controller and apart from their own
func BenchmarkSchedule(b *testing.B) {
	for _, mix := range []string{"job", "plain", "spread", "affinity"} {
		for _, nodes := range []int{100, 1000, 5000} {
			b.Run(fmt.Sprintf("mix=%s/nodes=%d", mix, nodes), func(b *testing.B) { benchmark(b, mix, nodes) })
		}
	}
}

func benchmark(b *testing.B, mix string, nodes int) {
	s, err := New(nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range nodes {
		n := aNode(fmt.Sprint("n", i), string(rune('a'+i%3)), fmt.Sprintf("cpu=%d,memory=%dGi", 8<<(i/3%3), 32<<(i/3%3)))
		if _, err := s.AddNode(n); err != nil {
			b.Fatal(err)
		}
	}
	var templates []*corev1.Pod
	for i := range 50 {
		templates = append(templates, template50(mix, i))
	}
	type placed struct {
		class *Class
		node  NodeID
	}
	var queue []placed
	serial := 0
	submit := func() {
		from := templates[serial*7919%len(templates)]
		serial++
		pod := &corev1.Pod{ObjectMeta: from.ObjectMeta, Spec: from.Spec}
		class, err := s.Class(pod)
		if err != nil {
			b.Fatal(err)
		}
		id, ok, why := s.Schedule(class)
		if !ok {
			b.Fatal(why)
		}
		s.Bind(class, id)
		queue = append(queue, placed{class, id})
	}
	var used, size int64
	for id := range nodes {
		all, _ := s.Allocatable(NodeID(id))
		size += all
	}
	for used*10 < size*7 {
		submit()
		used += queue[len(queue)-1].class.shape.cpu
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		s.Unbind(queue[i].class, queue[i].node)
		submit()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pods/s")
}

// template50 is one of 50 controllers' pods.
func template50(mix string, i int) *corev1.Pod {
	name := fmt.Sprintf("app=app-%d", i)
	pod := aPod(name, fmt.Sprintf("cpu=%dm,memory=%dMi", 100*(1+i%10), 256*(1+i%7)))
	if mix == "job" {
		ownedBy("Job")(pod)
		return pod
	}
	ownedBy("ReplicaSet")(pod)
	switch mix {
	case "spread":
		spreadOver(corev1.LabelTopologyZone, 1, corev1.DoNotSchedule, name)(pod)
		spreadOver(corev1.LabelHostname, 1, corev1.ScheduleAnyway, name)(pod)
	case "affinity":
		prefersNodes(10, corev1.LabelTopologyZone, string(rune('a'+i%3)))(pod)
		nearTo(20, corev1.LabelTopologyZone, fmt.Sprintf("app=app-%d", (i+1)%50))(pod)
		awayFrom(50, corev1.LabelHostname, name)(pod)
	}
	return pod
}

// BenchmarkPreempt asks for a pod in a cluster without room for it: on every node are 16 pods of two lower
// priorities, some within a budget.
func BenchmarkPreempt(b *testing.B) {
	const nodes = 1000
	s, err := New(nil)
	if err != nil {
		b.Fatal(err)
	}
	pods := make([][]Bound, nodes)
	for i := range nodes {
		if _, err := s.AddNode(aNode(fmt.Sprint("n", i), string(rune('a'+i%3)), "cpu=16,memory=64Gi")); err != nil {
			b.Fatal(err)
		}
		for j := range 16 {
			pod := aPod(fmt.Sprintf("app=app-%d", j), "cpu=1,memory=4Gi", prioritised(int32(j%2)))
			c, err := s.Class(pod)
			if err != nil {
				b.Fatal(err)
			}
			s.Bind(c, NodeID(i))
			pods[i] = append(pods[i], Bound{Class: c, Start: time.Duration(i*j%97) * time.Second, Budgets: []int32{int32(j % 3)}})
		}
	}
	c, err := s.Class(aPod("app=new", "cpu=2,memory=8Gi", prioritised(10)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p, ok := s.Preempt(Preemptor{Class: c, Nominated: None, DisruptionsAllowed: []int32{3, 3, 0},
			Pods: func(id NodeID) []Bound { return pods[id] }})
		if !ok || len(p.Victims) != 2 {
			b.Fatal("no preemption")
		}
	}
}
