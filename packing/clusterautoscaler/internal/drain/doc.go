// Package drain says whether the pods of a node may be moved when Cluster
// Autoscaler removes it, and what pod disruption budgets leave room for
// (pkg/simulator/drainability, pkg/core/scaledown/pdb at 33c3f97bf).
package drain
