package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
		if len(s.NodePools) == 0 {
			return nil, fmt.Errorf("%w: the scenario has no node pool", ErrNotApplicable)
		}
		settings := []karpenter.Option{
			karpenter.WithReservedCapacity(s.Karpenter.FeatureGates.ReservedCapacity),
			karpenter.WithSpotToSpotConsolidation(s.Karpenter.FeatureGates.SpotToSpotConsolidation),
		}
		if s.Karpenter.PreferencePolicy == "Ignore" {
			settings = append(settings, karpenter.WithPreferencePolicy(karpenter.Ignore))
		}
		if s.Karpenter.MinValuesPolicy == "BestEffort" {
			settings = append(settings, karpenter.WithMinValuesPolicy(karpenter.BestEffort))
		}
		return karpenter.New(s.Catalog, s.NodePools, slices.Concat(settings, opts)...)
	}}
}

// ClusterAutoscaler is Cluster Autoscaler on the scenario's node groups and
// settings; options come on top of the settings.
func ClusterAutoscaler(opts ...clusterautoscaler.Option) Engine {
	// A template taken from a real node has room for the daemon pods that run there,
	// which need not be all that a new node gets.
	deviations := []packing.Rule{packing.RuleDaemons}
	return Engine{Name: "cluster-autoscaler", Deviations: deviations, New: func(s *scenarios.Scenario) (packing.Packer, error) {
		if len(s.NodeGroups) == 0 {
			return nil, fmt.Errorf("%w: the scenario has no node group", ErrNotApplicable)
		}
		settings, err := clusterAutoscalerSettings(s.ClusterAutoscaler)
		if err != nil {
			return nil, err
		}
		return clusterautoscaler.New(s.NodeGroups, append([]clusterautoscaler.Option{clusterautoscaler.WithSettings(settings)}, opts...)...)
	}}
}

// clusterAutoscalerSettings translates the flags of a scenario.
func clusterAutoscalerSettings(s scenarios.ClusterAutoscalerSettings) (clusterautoscaler.Settings, error) {
	cores, err := maximum("cores-total", s.CoresTotal)
	if err != nil {
		return clusterautoscaler.Settings{}, err
	}
	memory, err := maximum("memory-total", s.MemoryTotal)
	if err != nil {
		return clusterautoscaler.Settings{}, err
	}
	down, err := scaleDownSettings(s)
	if err != nil {
		return clusterautoscaler.Settings{}, err
	}
	return clusterautoscaler.Settings{
		Expander:                      expanders(s.Expanders()),
		MaxNodesTotal:                 s.MaxNodesTotal,
		MaxNodesPerScaleUp:            s.MaxNodesPerScaleUp,
		CoresTotal:                    cores,
		MemoryTotal:                   memory,
		BalanceSimilarNodeGroups:      s.BalanceSimilarNodeGroups,
		BalancingIgnoreLabels:         s.BalancingIgnoreLabels,
		BalancingLabels:               s.BalancingLabels,
		MemoryDifferenceRatio:         s.MemoryDifferenceRatio,
		MaxFreeDifferenceRatio:        s.MaxFreeDifferenceRatio,
		MaxAllocatableDifferenceRatio: s.MaxAllocatableDifferenceRatio,
		FastpathBinpacking:            s.FastpathBinpackingEnabled,
		SalvoScaleUp:                  s.SalvoScaleUp,
		EnforceNodeGroupMinSize:       s.EnforceNodeGroupMinSize,
		ForceDaemonSets:               s.ForceDaemonSets,
		NoScaleUpFromZero:             !s.ScaleUpFromZero,
		OkTotalUnreadyCount:           s.OkTotalUnreadyCount,
		MaxTotalUnreadyPercentage:     s.MaxTotalUnreadyPercentage,
		ExpendablePodsPriorityCutoff:  int32(s.ExpendablePodsPriorityCutoff),
		NewPodScaleUpDelay:            s.NewPodScaleUpDelay.Duration,
		ScaleDown:                     down,
	}, nil
}

func expanders(names []string) []clusterautoscaler.Expander {
	chain := make([]clusterautoscaler.Expander, len(names))
	for i, name := range names {
		chain[i] = clusterautoscaler.Expander(name)
	}
	return chain
}

// maximum reads the upper bound of a flag of the form MIN:MAX.
func maximum(flag, value string) (int64, error) {
	_, upper, _ := strings.Cut(value, ":")
	n, err := strconv.ParseInt(upper, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not MIN:MAX in whole numbers", flag, value)
	}
	return n, nil
}
