// Package clusterautoscaler decides as Cluster Autoscaler does: node groups of a
// fixed shape, simulated one pod after the other, and an expander that picks the
// group to grow.
//
// It models sigs.k8s.io/cluster-autoscaler at 33c3f97bf (2026-08-21, Kubernetes
// 1.37), pkg/core and pkg/estimator, with default flags; each file names the file
// it models. What the original leaves to the order of Go maps is fixed here:
// groups of pods in the order of their first pod, nodes in the order of the
// snapshot, the first of tied options. [WithSeed] draws these instead, so that the
// spread of what the original might have done can be seen.
//
// [Packer.Run] repeats the autoscaler's loop until the cluster comes to rest and
// says what each loop considered and chose. [Packer.Pack] is its plan alone.
//
// [Packer.ScaleDown] is one whole loop with its scale-down: which nodes could be done
// without, which go now, and of each that stays the reason. [Packer.RunFor] repeats it over
// virtual time, with nodes that come late, pods that arrive, timers and cooldowns. Deletions
// succeed and are done before the next loop; pods of drained nodes are pending in it.
//
// [Packer.Start] keeps the process for a cluster that lives elsewhere: an [Autoscaler] is told
// of pods and nodes as they come, change and go, and of deletions that are in progress, and is
// asked for one loop at a time, or when the next could decide anything new. It decides as
// [Packer.ScaleDown] does on a snapshot of the same cluster, at the cost of what has changed.
//
// Estimates are made by arithmetic: alike pods on alike nodes are placed a run at a
// time, with the same answer as one by one. What a simulated node refuses it goes on
// refusing, so that single pods look only at nodes that may take them. The long way, every
// pod on every node, remain estimates with pods that follow others to their host or spread
// over hosts by several rules, and with pods that spread over hosts while a real node might still take them.
//
// With several instance types a group is planned on its template, which is of the first;
// [Differences] says where a node of the others would hold less. [Packer.Chance] sums up what
// hangs on the order of maps and on draws.
//
// Not modelled: templates in place of registered nodes that have not started, in [Packer.Run]
// and [Packer.Decide] (ScaleDown and RunFor have them), the original's limits on its own running time, node groups that
// do not exist yet, nominated nodes of preempting pods, dynamic resource allocation,
// attach limits of nodes to come, the grpc expander. Pods that ask for dynamic
// resources, or whose claims the snapshot lacks, are refused with [packing.NotSupported].
package clusterautoscaler
