// Package replay plays a scenario over virtual time under Karpenter or Cluster
// Autoscaler.
package replay
