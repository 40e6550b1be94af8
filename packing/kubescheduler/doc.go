// Package kubescheduler is a model of kube-scheduler's default profile (Kubernetes
// 1.35) over a cluster that is kept as it changes: which nodes a pod fits, which of
// them scores best, and whom it would preempt.
//
// A [Scheduler] holds nodes and, by class, the pods bound to them. It has no clock and no
// queue: its user says when a pod's turn has come, binds it where
// [Scheduler.Schedule] says, and takes it off when it ends. [Less] is the order of the queue,
// and the queueing hints of the plugins (hints.go) say which event is worth another attempt.
//
// All filters of the default profile decide but dynamic resource allocation, and pods that ask for
// that fit nowhere. All scores of the profile count with their default weights:
//
//	NodeResourcesFit (LeastAllocated)  1  resources.go
//	NodeResourcesBalancedAllocation    1  resources.go
//	ImageLocality                      1  images.go
//	NodeAffinity                       2  nodeaffinity.go
//	PodTopologySpread                  2  spread.go
//	InterPodAffinity                   2  podaffinity.go
//	TaintToleration                    3  taints.go
//
// ImageLocality adds nothing unless nodes state their images (status.images).
//
// # What differs from the original
//
//   - One worker filters nodes in order. The original has 16, so that which nodes it
//     examines beyond what it needs, and in which order they are found, depends on timing.
//   - The system's default spread constraints select pods by what their controller
//     selects. Controllers are not known here: the pod's own labels take the
//     place of the selector of its ReplicaSet, StatefulSet or
//     ReplicationController, without the labels that differ from pod to pod of a StatefulSet.
//     Services are not known: pods without such a controller have no default constraints.
//   - Among nodes with equal scores Kubernetes 1.35 takes the one that its heap leaves on
//     top, which depends on the order of the nodes alone. So does a Scheduler without a
//     seed. [WithSeed] draws evenly among them, as earlier versions did.
//   - Node selection by name (daemon pods) examines nodes in the order of their names; the
//     original in the order of a map.
//   - Preemption starts at a random node in the original, and picks at random among candidates
//     that are equal in all criteria. Without a seed it starts at the first node, and takes the first.
//
// # Time
//
// What a decision reads of a node alone (its fit, its resource scores) is kept by kind
// of pod and worked out anew only for nodes on which something has changed. Counts for
// spread and affinity are kept as pods come and go. A decision then costs a few
// nanoseconds for each node that it examines.
//
// A Scheduler serves one goroutine at a time.
package kubescheduler
