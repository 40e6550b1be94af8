// Package packing states the problem and the answer: which nodes to launch for
// the pods that wait, and which pod goes where.
//
// A [Snapshot] is the cluster at one moment. A [Packer] turns it into a [Plan]:
// karpenter.Packer and clusterautoscaler.Packer decide as their originals do,
// anybody's own algorithm can stand beside them. [Verify] is the referee: it
// checks any plan against the rules of Kubernetes and shares no code with the
// engines.
package packing
