package clusterautoscaler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
)

// Cluster is what scale-down reads: a snapshot, and what a snapshot does not say.
type Cluster struct {
	// Snapshot is the cluster. Its moment Now is that of the loop; pods created after
	// it have not arrived yet, and those created just then are not yet looked at. Without
	// a moment, all of the cluster is taken to be a day old.
	Snapshot *packing.Snapshot
	// Controllers are those owners of pods that are missing, or of which the number of
	// replicas matters. All others are taken to exist, but for DaemonSets: those of
	// the snapshot are all there are.
	Controllers []Controller
	// Listed is the order in which the API server lists the pods, bound ones and
	// others. Pods that are not named come last: those on nodes by their node, then
	// the waiting ones.
	Listed []*corev1.Pod
	// Memory is what the autoscaler knows from earlier loops; the zero value is one
	// that has just started.
	Memory Memory
}

// Controller is an owner of pods.
type Controller struct {
	// Kind is ReplicaSet, ReplicationController, StatefulSet, Job or DaemonSet.
	Kind, Namespace, Name string
	// Missing says that it is gone though its pods are there.
	Missing bool
	// Replicas is how many it wants.
	Replicas int
}

// Memory is what an autoscaler carries from loop to loop. It belongs to one cluster.
type Memory struct {
	// Unneeded is since when nodes have been unneeded, by name; Unremovable until when
	// nodes are left alone after their removal failed in the simulation.
	Unneeded, Unremovable map[string]time.Time
	// LastScaleUp and LastDeletion start cooldowns; the zero time is never.
	LastScaleUp, LastDeletion time.Time
	// LastFailure is when a deletion last could not be begun, since a node could not be
	// tainted. That never happens here; the caller may know better.
	LastFailure time.Time

	candidates []string          // unneeded nodes of the last loop, in order
	hints      map[string]string // where pods were found to fit: pod by namespace/name, node
	requests   map[string]int    // by group that was scaled up: nodes that it still waits for
	expected   map[string]expectation
	templates  map[string]seenTemplate
	walk       nodeWalk
	update     time.Time
	interval   time.Duration
}

// ScaleDownResult is how a loop's scale-down ended, by the original's names
// (pkg/core/scaledown/status/status.go).
type ScaleDownResult string

// The results of scale-down.
const (
	// ScaleDownNodeDeleteStarted: some nodes go.
	ScaleDownNodeDeleteStarted ScaleDownResult = "ScaleDownNodeDeleteStarted"
	// ScaleDownNoNodeDeleted: no node may go now.
	ScaleDownNoNodeDeleted ScaleDownResult = "ScaleDownNoNodeDeleted"
	// ScaleDownNoCandidates: all groups are at their minimal sizes.
	ScaleDownNoCandidates ScaleDownResult = "ScaleDownNoCandidates"
	// ScaleDownInCooldown: something happened too lately, or new pods are coming in.
	ScaleDownInCooldown ScaleDownResult = "ScaleDownInCooldown"
	// ScaleDownNotTried: the cluster is unhealthy, or scale-down is off.
	ScaleDownNotTried ScaleDownResult = "ScaleDownNotTried"
)

// UnremovableReason is why a node stays.
type UnremovableReason string

// The reasons, by the original's names (pkg/simulator/cluster.go).
const (
	ScaleDownDisabledAnnotation  UnremovableReason = "ScaleDownDisabledAnnotation"
	ScaleDownUnreadyDisabled     UnremovableReason = "ScaleDownUnreadyDisabled"
	NotAutoscaled                UnremovableReason = "NotAutoscaled"
	NotUnneededLongEnough        UnremovableReason = "NotUnneededLongEnough"
	NotUnreadyLongEnough         UnremovableReason = "NotUnreadyLongEnough"
	NodeGroupMinSizeReached      UnremovableReason = "NodeGroupMinSizeReached"
	AtomicScaleDownFailed        UnremovableReason = "AtomicScaleDownFailed"
	MinimalResourceLimitExceeded UnremovableReason = "MinimalResourceLimitExceeded"
	CurrentlyBeingDeleted        UnremovableReason = "CurrentlyBeingDeleted"
	NotUnderutilized             UnremovableReason = "NotUnderutilized"
	NotUnneededOtherReason       UnremovableReason = "NotUnneededOtherReason"
	RecentlyUnremovable          UnremovableReason = "RecentlyUnremovable"
	NoPlaceToMovePods            UnremovableReason = "NoPlaceToMovePods"
	BlockedByPod                 UnremovableReason = "BlockedByPod"
	UnexpectedError              UnremovableReason = "UnexpectedError"
	BlockedByOnCompletionPod     UnremovableReason = "BlockedByOnCompletionPod"
)

// Reasons that the original has no name for.
const (
	// WaitingForCooldown: the node is unneeded, but scale-down is in cooldown.
	WaitingForCooldown UnremovableReason = "InCooldown"
	// WaitingForOthers: the node could go, but as many as may go at once go already.
	WaitingForOthers UnremovableReason = "ParallelismReached"
	// NotStarted: the node is not ready yet, and its group is being scaled up.
	NotStarted UnremovableReason = "NotStarted"
	// UnsupportedPod: the node has a pod that states what is not modelled, so that no
	// other node can be judged for it.
	UnsupportedPod UnremovableReason = "UnsupportedPod"
	// ScaleDownDisabled: there is no scale-down.
	ScaleDownDisabled UnremovableReason = "ScaleDownDisabled"
	// ClusterUnhealthy: too many nodes are not ready.
	ClusterUnhealthy UnremovableReason = "ClusterUnhealthy"
)

// Unremovable is a node that stays.
type Unremovable struct {
	Node   *corev1.Node
	Reason UnremovableReason
	// BlockingPod is the pod that keeps the node, nil unless the reason
	// is BlockedByPod or UnsupportedPod.
	BlockingPod *corev1.Pod
	// Blocking is why the pod does.
	Blocking BlockingReason
}

// BlockingReason is why a pod keeps its node, by the original's names
// (pkg/utils/drain/drain.go).
type BlockingReason = drain.Reason

// The reasons for which a pod keeps its node.
const (
	ControllerNotFound       = drain.ControllerNotFound
	MinReplicasReached       = drain.MinReplicasReached
	NotReplicated            = drain.NotReplicated
	LocalStorageRequested    = drain.LocalStorageRequested
	NotSafeToEvictAnnotation = drain.NotSafeToEvictAnnotation
	UnmovableKubeSystemPod   = drain.UnmovableKubeSystemPod
	NotEnoughPdb             = drain.NotEnoughPdb
)

// Utilization is how much of a node its pods request, as shares of its allocatable.
type Utilization struct {
	// CPU and Memory are 0 on a node with GPUs, of which only these count.
	CPU, Memory, GPU float64
}

// Most is the share that decides.
func (u Utilization) Most() float64 { return max(u.CPU, u.Memory, u.GPU) }

// NodeDeletion is a node that goes.
type NodeDeletion struct {
	Node  *corev1.Node
	Group *packing.NodeGroup
	// Drain says that the node has pods to move, and Pods where each is expected to go.
	Drain bool
	Pods  []Move
}

// Move is a pod and the node that it is expected to go to.
type Move struct {
	Pod *corev1.Pod
	To  string
}

// Loop is one whole loop of the autoscaler: scale-up, then scale-down.
type Loop struct {
	At time.Time
	// NewNodes are those that came since the last loop.
	NewNodes []*corev1.Node
	// Pending are the pods that have no node, Bound where the loop found room for some
	// of them among the nodes that are there.
	Pending []*corev1.Pod
	Bound   []Move
	// ScaleUp and ScaleUps are the result of scale-up and the groups that grew.
	ScaleUp  Result
	ScaleUps []ScaleUp
	// Helpless is how many pods had room neither on nodes that are there nor on those on
	// their way, if a scale-up was tried for them, and Options the groups that could have
	// helped: what the scale-up had to estimate. With salvos they are those of the first.
	Helpless, Options int

	Result ScaleDownResult
	// Candidates are the nodes considered, in order.
	Candidates []*corev1.Node
	// Utilization is that of the candidates by name, but for those that were passed
	// over before it was looked at.
	Utilization map[string]Utilization
	// Unneeded are the nodes that could be done without, in the order in which their
	// removal was simulated.
	Unneeded []*corev1.Node
	// Unremovable are the nodes that the original reports, in the order of the nodes.
	// Unneeded nodes are among them if they may not go yet.
	Unremovable []Unremovable
	// Others are the nodes that stay for reasons that the original does not report.
	Others []Unremovable
	// Deletions are the nodes that go.
	Deletions []NodeDeletion
	// Memory is for the next loop.
	Memory Memory
}

// ScaleDown runs one loop of the autoscaler on a cluster and returns what it saw and
// did. Each node either goes or stays for a reason. Nothing is applied: the caller
// carries the loop's memory, the pods and the nodes over to the next one, or
// calls [Packer.RunFor].
//
// The original's limit on the time of the simulation (30 s) is not modelled, nor are
// deletions that take time or fail (see [Packer.Start] for these): what a loop
// deletes is gone before the next. Nor are delays by group (--scale-down-delay-type-local)
// and soft taints. Nodes whose pods state what is not modelled stay, see [UnsupportedPod].
// Errors name the pod, node, group or budget and the field; a cancelled context is
// returned wrapped.
func (p *Packer) ScaleDown(ctx context.Context, c Cluster) (*Loop, error) {
	a, err := newProcess(ctx, p, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	l, err := a.tick(begin(c))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	l.Memory = a.memory()
	return l, nil
}
