// Package topology counts pods by topology domain, for spread constraints, pod
// affinity and pod anti-affinity, as Karpenter v1.14.1 does
// (pkg/controllers/provisioning/scheduling/topology.go, topologygroup.go).
//
// A [Group] is one constraint, shared by all pods that state it; its domains are
// small integers. Where the original iterates over a Go map and takes whatever
// comes first, the lexicographically smallest domain is taken here.
package topology
