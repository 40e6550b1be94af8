package upstream

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/bench/internal/cases"
	"github.com/binwright/binwright/bench/internal/recorded"
)

// TestShrink shrinks towards one pod, one node and one bound pod that a made-up
// failure needs, and must drop all the rest.
func TestShrink(t *testing.T) {
	p, err := cases.Generate("existing", 3)
	if err != nil {
		t.Fatal(err)
	}
	before := size(p)
	pod := p.Snapshot.Pods[len(p.Snapshot.Pods)/2]
	bound := p.Snapshot.Nodes[1].Pods[0]
	holds := func(q *recorded.Problem) bool {
		var hasPod, hasBound bool
		for _, x := range q.Snapshot.Pods {
			hasPod = hasPod || x == pod
		}
		for _, n := range q.Snapshot.Nodes {
			for _, x := range n.Pods {
				hasBound = hasBound || x == bound
			}
		}
		return hasPod && hasBound
	}
	small := Shrink(p, 10_000, holds)
	if !holds(small) {
		t.Fatal("what was to be kept is gone")
	}
	if got := size(small); got != 3 {
		t.Errorf("size %d, want 3: a pod, a node and its pod", got)
	}
	if size(p) != before {
		t.Error("the problem itself has changed")
	}
}

// TestShrinkKeepsToAttempts stops after so many attempts with a problem that still holds.
func TestShrinkKeepsToAttempts(t *testing.T) {
	p, err := cases.Generate("plain", 5)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	small := Shrink(p, 7, func(q *recorded.Problem) bool {
		asked++
		return requests(q.Snapshot.Pods) > 0
	})
	if asked != 7 {
		t.Errorf("asked %d times, want 7", asked)
	}
	if requests(small.Snapshot.Pods) == 0 {
		t.Error("the shrunk problem does not hold")
	}
}

func requests(pods []*corev1.Pod) int64 {
	total := int64(0)
	for _, p := range pods {
		for _, c := range p.Spec.Containers {
			total += c.Resources.Requests.Cpu().MilliValue()
		}
	}
	return total
}
