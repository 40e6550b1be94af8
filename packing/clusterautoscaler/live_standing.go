package clusterautoscaler

import (
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
)

// goingState is how far the deletion of a node has come.
type goingState uint8

const (
	staying goingState = iota
	// underway: it was begun; the node is no candidate and takes no pods that are moved.
	underway
	// drainedNow: the same, and the node's pods are being evicted.
	drainedNow
	// goneFromCloud: the cloud has deleted the machine; the node is still registered.
	goneFromCloud
)

// underDeletion reports whether a deletion is in progress (DeletionsInProgress).
func (m *member) underDeletion() bool { return m.going == underway || m.going == drainedNow }

// standing is what is known of a node from an earlier loop. All but the last two holds
// until one of its pods changes.
type standing struct {
	emptiness, empty, waits bool
	utilization             bool
	usage                   Utilization
	usageErr                error
	kind, isGPU             bool

	terminating   int  // pods that are being deleted: what they count for depends on the time
	staleTemplate bool // the template made from the node is no longer like it
}

// podsChanged forgets what was known of a node's pods.
func (m *member) podsChanged() {
	m.known = standing{terminating: m.known.terminating, staleTemplate: m.known.staleTemplate}
}

// steady reports whether what was known of a node holds for the loop at hand too.
func (a *process) steady(m *member) bool {
	return m.known.terminating == 0 && len(a.planner.on[m.index]) == len(a.on[m.index])
}

// knownUtilization is utilization, added up anew only if a pod of the node has changed.
func (a *process) knownUtilization(m *member) (Utilization, error) {
	if !a.steady(m) {
		return a.utilization(m)
	}
	if k := &m.known; !k.utilization {
		k.usage, k.usageErr = a.utilization(m)
		k.utilization = true
	}
	return m.known.usage, m.known.usageErr
}

// gpu reports whether the node is one with GPUs.
func (s *standing) gpu(n *corev1.Node) bool {
	if !s.kind {
		_, s.isGPU = gpuOf(n)
		s.kind = true
	}
	return s.isGPU
}

// configSource says where a static pod comes from (pkg/utils/pod/pod.go, IsStaticPod).
const configSource = "kubernetes.io/config.source"

// evicted appends the pods of nodes that are being drained: they will need another place
// (pkg/core/podlistprocessor/currently_drained_nodes.go). The original lists the nodes in
// the order of a map; here they come in the order of the nodes.
func (a *process) evicted(pods []int32) []int32 {
	if a.draining == 0 {
		return pods
	}
	for _, m := range a.members {
		if m.going != drainedNow || a.absent(m) {
			continue
		}
		for _, p := range a.on[m.index] {
			pod := a.residents[p].pod
			source, set := pod.Annotations[configSource]
			if pod.DeletionTimestamp == nil && !drain.IsDaemon(pod) && !drain.IsMirror(pod) && (!set || source == "api") && a.pods.kinds[p].unsupported == "" {
				pods = append(pods, p)
			}
		}
	}
	return pods
}

// parallelism is how many more nodes may go at once, and how many of them with pods to
// move: deletions in progress count (budgets.go, CropNodes).
func (a *process) parallelism() (parallel, drains int) {
	parallel, drains = a.down.MaxParallelism, a.down.MaxDrainParallelism
	for _, m := range a.members {
		if m.underDeletion() {
			parallel--
		}
	}
	return parallel, drains - a.draining
}

// settled tells whether another loop, the cluster and all timers being as they are, would
// decide and leave everything as the last one did: if that loop left the autoscaler's
// memory as it had found it.
type settled struct {
	walk       int
	unneeded   int
	candidates map[int32]bool
	hints      hints
	update     time.Time
	stable     bool
}

func (s *settled) begin(a *process) {
	pl := &a.planner
	*s = settled{walk: a.walk.last, unneeded: len(pl.unneeded), candidates: pl.candidates, hints: a.hints, update: pl.update}
}

func (s *settled) end(a *process, out *Loop, found []podOnNode) {
	pl := &a.planner
	s.stable = a.rng == nil && len(out.ScaleUps) == 0 && len(out.Deletions) == 0 && len(found) == 0 &&
		a.walk.last == s.walk && maps.Equal(s.hints, a.hints)
	if !s.stable || !a.down.Enabled {
		return
	}
	// The interval between loops is known after two of them.
	s.stable = !s.update.IsZero() && !pl.moved && !pl.failed && len(pl.unneeded) == s.unneeded && maps.Equal(s.candidates, pl.candidates)
	for _, n := range pl.unneeded {
		s.stable = s.stable && n.since.Before(a.now)
	}
}
