package karpenter

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/compiled"
)

// queue is the pods that wait, in Karpenter's order: by CPU request, then by
// memory request, the largest first, then by age, the oldest first, then by UID
// (v1.14.1 queue.go). A pod that found no place goes to the end; the queue is done
// when a pod comes up again with as many waiting as when it went there.
type queue struct {
	pods []int32
	head int
	// pushedAt is how many pods waited when a pod was last pushed, itself included.
	pushedAt []int32
}

func newQueue(p *problem) *queue {
	q := &queue{pods: make([]int32, len(p.pods)), pushedAt: make([]int32, len(p.pods))}
	// Sort the demands, and within each the pods by age.
	ranks := p.m.ranks
	starts := make([]int32, len(p.demands)+1)
	for _, d := range p.demandOf {
		starts[ranks[d]+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	next := slices.Clone(starts)
	for i, d := range p.demandOf {
		q.pods[next[ranks[d]]] = int32(i)
		next[ranks[d]]++
	}
	byAge := make([]aged, len(p.pods))
	for i := range len(starts) - 1 {
		same := byAge[starts[i]:starts[i+1]]
		for k, at := range q.pods[starts[i]:starts[i+1]] {
			same[k] = ageOf(p.pods[at], at)
		}
		slices.SortFunc(same, func(a, b aged) int { return a.compare(b, p.pods) })
		for k := range same {
			q.pods[int(starts[i])+k] = same[k].pod
		}
	}
	return q
}

// aged is what sorts pods that ask for the same, most of it in numbers.
type aged struct {
	created int64  // nanoseconds since 1970, 0 for a pod without a date
	uid     uint64 // the first eight bytes
	pod     int32
}

func ageOf(pod *corev1.Pod, at int32) aged {
	a := aged{pod: at}
	if !pod.CreationTimestamp.IsZero() {
		a.created = pod.CreationTimestamp.UnixNano()
	}
	var first [8]byte
	copy(first[:], pod.UID)
	a.uid = binary.BigEndian.Uint64(first[:])
	return a
}

func (a aged) compare(b aged, pods []*corev1.Pod) int {
	if c := compareAge(a, b, pods[a.pod], pods[b.pod]); c != 0 {
		return c
	}
	return cmp.Compare(a.pod, b.pod)
}

// compareAge puts the older pod first, of two of one age the one with the smaller UID.
func compareAge(a, b aged, p, q *corev1.Pod) int {
	if a.created != b.created {
		return cmp.Compare(a.created, b.created)
	}
	if a.uid != b.uid {
		return cmp.Compare(a.uid, b.uid)
	}
	return strings.Compare(string(p.UID), string(q.UID))
}

// demandRanks numbers demands in the order of the queue, equal CPU and memory equally.
func demandRanks(demands []*demand) []int32 {
	compare := func(a, b *demand) int {
		return cmp.Or(cmp.Compare(b.amounts[compiled.CPU], a.amounts[compiled.CPU]), cmp.Compare(b.amounts[compiled.Memory], a.amounts[compiled.Memory]))
	}
	sorted := make([]int32, len(demands))
	for i := range sorted {
		sorted[i] = int32(i)
	}
	slices.SortFunc(sorted, func(a, b int32) int { return compare(demands[a], demands[b]) })
	ranks := make([]int32, len(demands))
	rank := int32(0)
	for i, c := range sorted {
		if i > 0 && compare(demands[sorted[i-1]], demands[c]) != 0 {
			rank++
		}
		ranks[c] = rank
	}
	return ranks
}

func (q *queue) waiting() int { return len(q.pods) - q.head }

func (q *queue) pop() (int32, bool) {
	if q.waiting() == 0 {
		return 0, false
	}
	pod := q.pods[q.head]
	if int(q.pushedAt[pod]) == q.waiting() {
		return 0, false
	}
	q.head++
	return pod, true
}

func (q *queue) push(pod int32) {
	if q.head > len(q.pods)/2 {
		q.pods = q.pods[:copy(q.pods, q.pods[q.head:])]
		q.head = 0
	}
	q.pods = append(q.pods, pod)
	q.pushedAt[pod] = int32(q.waiting())
}
