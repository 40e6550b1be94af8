package scenarios

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// translateScaleDown gives the flags that scale-down reads to the engine. Those on the
// time that a deletion takes are not among them: here it takes none.
func (s ClusterAutoscalerSettings) translateScaleDown() (clusterautoscaler.ScaleDownSettings, error) {
	cores, err := minimum("cores-total", s.CoresTotal)
	if err != nil {
		return clusterautoscaler.ScaleDownSettings{}, err
	}
	memory, err := minimum("memory-total", s.MemoryTotal)
	if err != nil {
		return clusterautoscaler.ScaleDownSettings{}, err
	}
	out := clusterautoscaler.DefaultScaleDown()
	out.Enabled, out.Unready = s.ScaleDownEnabled, s.ScaleDownUnreadyEnabled
	out.DelayAfterAdd, out.DelayAfterDelete = s.ScaleDownDelayAfterAdd.Duration, s.ScaleDownDelayAfterDelete.Duration
	out.DelayAfterFailure = s.ScaleDownDelayAfterFailure.Duration
	out.Defaults = clusterautoscaler.NodeGroupOptions{
		ScaleDownUtilizationThreshold:    s.ScaleDownUtilizationThreshold,
		ScaleDownGPUUtilizationThreshold: s.ScaleDownGPUUtilizationThreshold,
		ScaleDownUnneededTime:            s.ScaleDownUnneededTime.Duration,
		ScaleDownUnreadyTime:             s.ScaleDownUnreadyTime.Duration,
		IgnoreDaemonSetsUtilization:      s.IgnoreDaemonSetsUtilization,
	}
	out.IgnoreMirrorPodsUtilization = s.IgnoreMirrorPodsUtilization
	out.UnremovableNodeRecheckTimeout = s.UnremovableNodeRecheckTimeout.Duration
	out.MaxParallelism, out.MaxDrainParallelism = s.MaxScaleDownParallelism, s.MaxDrainParallelism
	out.SkipNodesWithSystemPods, out.SkipNodesWithLocalStorage = s.SkipNodesWithSystemPods, s.SkipNodesWithLocalStorage
	out.SkipNodesWithCustomControllerPods, out.MinReplicaCount = s.SkipNodesWithCustomControllerPods, s.MinReplicaCount
	out.CoresTotal, out.MemoryTotal = cores, memory
	return out, nil
}

// minimum reads the lower bound of a flag of the form MIN:MAX.
func minimum(flag, value string) (int64, error) {
	lower, _, _ := strings.Cut(value, ":")
	n, err := strconv.ParseInt(lower, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not MIN:MAX in whole numbers", flag, value)
	}
	return n, nil
}
