package packing

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// Snapshot is a cluster at one moment, in the types in which a cluster hands it
// out. The order of Pods and Nodes is kept where an engine's original would see
// it. Objects are shared, never changed.
type Snapshot struct {
	// Pods wait for a node: what the scheduler has marked unschedulable.
	Pods []*corev1.Pod
	// Nodes are the nodes there are, each with the pods bound to it.
	Nodes []*Node
	// DaemonSets put one pod on every node that they match.
	DaemonSets []*appsv1.DaemonSet

	// Namespaces serve namespace selectors of pod affinity.
	Namespaces []*corev1.Namespace
	// PriorityClasses name the priorities of pods that have only a class name.
	PriorityClasses []*schedulingv1.PriorityClass
	// PodDisruptionBudgets limit what consolidation and scale-down may evict.
	PodDisruptionBudgets []*policyv1.PodDisruptionBudget

	// Volumes that pods refer to.
	PersistentVolumeClaims []*corev1.PersistentVolumeClaim
	PersistentVolumes      []*corev1.PersistentVolume
	StorageClasses         []*storagev1.StorageClass
	// CSINodes state how many volumes of each driver a node can attach.
	CSINodes []*storagev1.CSINode

	// Now is the moment of the snapshot. The zero time means that ages do not matter.
	Now time.Time
}

// Node is an existing node and the pods bound to it, daemon pods included.
type Node struct {
	*corev1.Node
	Pods []*corev1.Pod
	// NodeGroup is the name of the node group that the node belongs to, "" if none.
	NodeGroup string
	// Price is what the node costs in US dollars an hour, 0 if that is not known.
	Price float64
	// Claim is the state of the node's Karpenter NodeClaim. Nil means for a node
	// with a node pool: consolidatable if it is initialized, and nothing else.
	Claim *NodeClaim
}

// NodePool returns the name of the Karpenter node pool that the node belongs
// to, by its label karpenter.sh/nodepool, "" if none.
func (n *Node) NodePool() string { return n.Labels[LabelNodePool] }

// BeingDeleted tells whether the node is on its way out, by its own deletion
// timestamp or by its claim's. It takes no pods, and its capacity no longer counts
// against the limits of its pool.
func (n *Node) BeingDeleted() bool {
	return n.DeletionTimestamp != nil || n.Claim != nil && n.Claim.MarkedForDeletion
}
