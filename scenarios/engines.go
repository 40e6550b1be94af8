package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/packing/karpenter"
)

// ErrNotApplicable is what is wrapped if a scenario has nothing for an autoscaler
// to decide on: no node pools for Karpenter, no node groups for Cluster Autoscaler.
var ErrNotApplicable = errors.New("not applicable")

// NewKarpenter returns Karpenter on the scenario's catalog, node pools and settings;
// options come on top of the settings. Errors are those of [karpenter.New], or wrap
// [ErrNotApplicable].
func (s *Scenario) NewKarpenter(opts ...karpenter.Option) (*karpenter.Packer, error) {
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
}

// NewClusterAutoscaler returns Cluster Autoscaler on the scenario's node groups and
// settings; options come on top of the settings. Errors are those of
// [clusterautoscaler.New], name a flag that cannot be read, or wrap [ErrNotApplicable].
func (s *Scenario) NewClusterAutoscaler(opts ...clusterautoscaler.Option) (*clusterautoscaler.Packer, error) {
	if len(s.NodeGroups) == 0 {
		return nil, fmt.Errorf("%w: the scenario has no node group", ErrNotApplicable)
	}
	settings, err := s.ClusterAutoscaler.translate()
	if err != nil {
		return nil, err
	}
	return clusterautoscaler.New(s.NodeGroups, append([]clusterautoscaler.Option{clusterautoscaler.WithSettings(settings)}, opts...)...)
}

// translate gives the flags to the engine.
func (s ClusterAutoscalerSettings) translate() (clusterautoscaler.Settings, error) {
	cores, err := maximum("cores-total", s.CoresTotal)
	if err != nil {
		return clusterautoscaler.Settings{}, err
	}
	memory, err := maximum("memory-total", s.MemoryTotal)
	if err != nil {
		return clusterautoscaler.Settings{}, err
	}
	down, err := s.translateScaleDown()
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
