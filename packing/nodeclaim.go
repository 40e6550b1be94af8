package packing

import "time"

// NodeClaim is what Karpenter knows of a node beyond the Node object: the state
// of its NodeClaim, as far as decisions read it.
type NodeClaim struct {
	// Consolidatable is the claim's condition of that name, which Karpenter sets
	// once consolidateAfter has passed since the last pod came or went.
	Consolidatable bool
	// Initialized is when the node became initialized; the zero time is the node's creation.
	Initialized time.Time
	// LastPodEvent is when a pod last came or went; the zero time is unknown.
	LastPodEvent time.Time
	// ExpireAfter is the node's lifetime; nil means that of its pool's template.
	ExpireAfter *NillableDuration
	// MarkedForDeletion: the node is already being removed by somebody.
	MarkedForDeletion bool
	// Nominated: a recent provisioning chose the node for a pod that still waits.
	Nominated bool
	// Unregistered: the instance is launched, and no node has joined yet; the Node
	// object only describes it.
	Unregistered bool
}
