package compare

import (
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/scenarios"
)

// Engines returns the engines that Binwright has, with further options for Cluster Autoscaler.
func Engines(opts ...clusterautoscaler.Option) []Engine {
	return []Engine{Karpenter(), ClusterAutoscaler(opts...)}
}

// Karpenter is Karpenter on the scenario's catalog, node pools and settings;
// options come on top of the settings.
func Karpenter(opts ...karpenter.Option) Engine {
	// It opens nodes beyond a limit on their number, keeps room for daemon pods group
	// by group of types, and takes requirements that contradict each other for DoesNotExist.
	deviations := []packing.Rule{packing.RuleNodesLimit, packing.RuleDaemons, packing.RuleContradiction}
	return Engine{Name: "karpenter", Deviations: deviations, New: func(s *scenarios.Scenario) (packing.Packer, error) {
		return s.NewKarpenter(opts...)
	}}
}

// ClusterAutoscaler is Cluster Autoscaler on the scenario's node groups and
// settings; options come on top of the settings.
func ClusterAutoscaler(opts ...clusterautoscaler.Option) Engine {
	// A template taken from a real node has room for the daemon pods that run there,
	// which need not be all that a new node gets.
	deviations := []packing.Rule{packing.RuleDaemons}
	return Engine{Name: "cluster-autoscaler", Deviations: deviations, New: func(s *scenarios.Scenario) (packing.Packer, error) {
		return s.NewClusterAutoscaler(opts...)
	}}
}
