package clusterautoscaler

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
)

// scaleDownDisabled is the annotation that keeps a node
// (pkg/core/scaledown/eligibility/eligibility.go).
const scaleDownDisabled = "cluster-autoscaler.kubernetes.io/scale-down-disabled"

// beingDeleted is how long a node counts as being deleted after it was tainted so
// (pkg/core/scaledown/actuation/delete_in_batch.go, IsNodeBeingDeleted).
const beingDeleted = 5 * time.Minute

// gpuLabel marks GPU nodes on AWS; nodes with a GPU to allocate count too.
const gpuLabel = "k8s.amazonaws.com/accelerator"

// gpuResources are the resources that GPUs come as (pkg/utils/gpu/gpu.go).
var gpuResources = []corev1.ResourceName{"nvidia.com/gpu", "habana.ai/gaudi", "gpu.intel.com/xe", "amd.com/gpu", "microsoft.com/directx"}

// candidates are the nodes of groups above their minimal sizes, those without
// pods to move first, then those that were unneeded in the last loop
// (pkg/processors/nodes/pre_filtering_processor.go, pkg/processors/scaledowncandidates).
func (a *process) candidates() []*member {
	order := &a.order
	order.nodes = order.nodes[:0]
	for _, m := range a.members {
		if m.group < 0 || a.absent(m) || a.targets[m.group] <= a.groups[m.group].MinSize {
			continue
		}
		c := candidate{member: m, previous: a.planner.candidates[m.index]}
		c.empty, c.waits = a.emptiness(m)
		order.nodes = append(order.nodes, c)
	}
	sort.Sort(order) // not stable: its permutation of equals is the original's
	out := make([]*member, len(order.nodes))
	for i, c := range order.nodes {
		out[i] = c.member
	}
	return out
}

type candidate struct {
	*member
	empty, waits, previous bool
}

type candidateOrder struct{ nodes []candidate }

func (o *candidateOrder) Len() int      { return len(o.nodes) }
func (o *candidateOrder) Swap(i, j int) { o.nodes[i], o.nodes[j] = o.nodes[j], o.nodes[i] }

// Less is NodeSorter.Less with the two comparers of the original's main program.
func (o *candidateOrder) Less(i, j int) bool {
	a, b := &o.nodes[i], &o.nodes[j]
	switch {
	case a.empty != b.empty:
		return a.empty
	case a.waits != b.waits:
		return b.waits
	}
	return a.previous && !b.previous
}

// emptiness reports whether no pods need to be moved from a node, and then whether
// some of its pods must finish first. Controllers and budgets are not looked up for it.
func (a *process) emptiness(m *member) (empty, waits bool) {
	if !a.steady(m) {
		return a.judgeEmptiness(m)
	}
	if k := &m.known; !k.emptiness {
		k.empty, k.waits = a.judgeEmptiness(m)
		k.emptiness = true
	}
	return m.known.empty, m.known.waits
}

func (a *process) judgeEmptiness(m *member) (empty, waits bool) {
	for _, p := range a.planner.on[m.index] {
		pod := a.residents[p].pod
		switch outcome, _ := a.rules.Judge(pod, drain.State{Now: a.now}); outcome {
		case drain.Block:
			return false, false
		case drain.Wait:
			waits = true
		case drain.Move:
			if !drain.IsDaemon(pod) {
				return false, false
			}
		}
	}
	return true, waits
}

// eligible reports why a node is not to be considered at all, and its utilization if
// that was looked at (eligibility.go, FilterOutUnremovable).
func (a *process) eligible(m *member) (why UnremovableReason, u Utilization, looked bool) {
	if _, recent := a.planner.until[m.index]; recent {
		return RecentlyUnremovable, u, false
	}
	switch {
	case a.isBeingDeleted(m.node):
		return CurrentlyBeingDeleted, u, false
	case m.node.Annotations[scaleDownDisabled] == "true":
		return ScaleDownDisabledAnnotation, u, false
	}
	u, err := a.knownUtilization(m)
	switch {
	case err != nil:
		return UnexpectedError, u, false
	case !a.down.Unready && !m.ready:
		return ScaleDownUnreadyDisabled, u, false
	}
	threshold := a.options[m.group].ScaleDownUtilizationThreshold
	if m.known.gpu(m.node) {
		threshold = a.options[m.group].ScaleDownGPUUtilizationThreshold
	}
	if u.Most() > threshold {
		return NotUnderutilized, u, true
	}
	return "", u, true
}

func (a *process) isBeingDeleted(n *corev1.Node) bool {
	for _, t := range n.Spec.Taints {
		if t.Key != toBeDeletedTaint {
			continue
		}
		if at, err := strconv.ParseInt(t.Value, 10, 64); err == nil && a.now.Sub(time.Unix(at, 0)) < beingDeleted {
			return true
		}
	}
	return false
}

// gpuOf returns the resource of a node's GPUs, "" if it has none to allocate (yet),
// and whether it is a GPU node.
func gpuOf(n *corev1.Node) (corev1.ResourceName, bool) {
	for _, r := range gpuResources {
		if q, ok := n.Status.Allocatable[r]; ok && !q.IsZero() {
			return r, true
		}
	}
	_, labelled := n.Labels[gpuLabel]
	return "", labelled
}

// utilization is what the pods of a node request over what it can allocate
// (pkg/simulator/utilization/info.go). An error names the resource that the node lacks.
func (a *process) utilization(m *member) (Utilization, error) {
	if r, gpu := gpuOf(m.node); gpu {
		if r == "" {
			return Utilization{}, nil // not ready: may go
		}
		share, err := a.share(m, r)
		return Utilization{GPU: share}, err
	}
	cpu, err := a.share(m, corev1.ResourceCPU)
	if err != nil {
		return Utilization{}, err
	}
	memory, err := a.share(m, corev1.ResourceMemory)
	return Utilization{CPU: cpu, Memory: memory}, err
}

// share is the utilization of one resource, reckoned in thousandths as the original does.
func (a *process) share(m *member, r corev1.ResourceName) (float64, error) {
	q := m.node.Status.Allocatable[r]
	allocatable := q.MilliValue()
	if allocatable == 0 {
		return 0, fmt.Errorf("node %s: no %s to allocate", m.node.Name, r)
	}
	var requested, left int64
	for _, p := range a.planner.on[m.index] {
		x := &a.residents[p]
		amount := milli(r, x.class.Requests.Get(r))
		switch {
		case a.options[m.group].IgnoreDaemonSetsUtilization && drain.IsDaemon(x.pod),
			a.down.IgnoreMirrorPodsUtilization && drain.IsMirror(x.pod):
			left += amount
		case !drain.LongTerminating(x.pod, a.now):
			requested += amount
		}
	}
	return float64(requested) / float64(allocatable-left), nil
}

// milli is an amount of a resource in thousandths; CPU is counted in them already.
// It stops at the largest number, as resource.Quantity does.
func milli(r corev1.ResourceName, amount int64) int64 {
	if r == corev1.ResourceCPU {
		return amount
	}
	if amount > math.MaxInt64/1000 {
		return resource.NewQuantity(amount, resource.BinarySI).MilliValue()
	}
	return amount * 1000
}
