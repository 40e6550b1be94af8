// Package requirements is the set algebra of node requirements: which values a
// node's label may take, and whether two such sets have a value in common.
//
// A [Requirement] is the set of values that one label key may have: a finite
// set (In, DoesNotExist being the empty one), or the complement of one (NotIn,
// Exists), possibly within integer bounds (Gt, Lt, Gte, Lte). A [Set] is a
// conjunction of requirements, at most one for each key. The algebra models
// sigs.k8s.io/karpenter v1.14.1 pkg/scheduling (requirement.go,
// requirements.go); values of both types are immutable.
package requirements
