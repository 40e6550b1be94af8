// Package feasibility answers whether a pod may go onto a node, as the filters
// of kube-scheduler's default profile answer it (Kubernetes 1.37,
// pkg/scheduler/framework/plugins).
//
// Pods that are alike in everything that a filter reads share one [Class], nodes
// a [Profile]. A [Cluster] holds nodes and how many pods of each class are on
// them; it counts what the topology rules ask for as pods come and go, and takes
// back what was done since a fork. One file is one filter.
//
// A Universe and its clusters serve one goroutine at a time.
package feasibility
