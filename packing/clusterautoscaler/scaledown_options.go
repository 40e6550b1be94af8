package clusterautoscaler

import (
	"fmt"
	"maps"
	"time"

	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
)

// ScaleDownSettings are the flags of Cluster Autoscaler that scale-down depends
// on, by their names.
type ScaleDownSettings struct {
	// Enabled is --scale-down-enabled; on by default.
	Enabled bool
	// Unready is --scale-down-unready-enabled: unready nodes may go; on by default.
	Unready bool
	// DelayAfterAdd, DelayAfterDelete and DelayAfterFailure are the cooldowns of
	// --scale-down-delay-after-add, -delete and -failure: 10 min, 0 and 3 min by default.
	DelayAfterAdd, DelayAfterDelete, DelayAfterFailure time.Duration
	// Defaults hold for the nodes of all groups without options of their own.
	Defaults NodeGroupOptions
	// UnremovableNodeRecheckTimeout is --unremovable-node-recheck-timeout: how long a
	// node whose removal failed in the simulation is left alone; 5 min by default.
	UnremovableNodeRecheckTimeout time.Duration
	// MaxParallelism is --max-scale-down-parallelism, the nodes that may go at once,
	// and MaxDrainParallelism is --max-drain-parallelism, those of them that have
	// pods to move: 10 and 1 by default.
	MaxParallelism, MaxDrainParallelism int
	// IgnoreMirrorPodsUtilization is --ignore-mirror-pods-utilization; off by default.
	IgnoreMirrorPodsUtilization bool
	// SkipNodesWithSystemPods, SkipNodesWithLocalStorage and
	// SkipNodesWithCustomControllerPods are the flags of these names; on by default.
	SkipNodesWithSystemPods, SkipNodesWithLocalStorage, SkipNodesWithCustomControllerPods bool
	// MinReplicaCount is --min-replica-count: pods of controllers that want fewer
	// replicas stay; 0 by default.
	MinReplicaCount int
	// BlockingSystemPodTimeout is --blocking-system-pod-distruption-timeout (the flag
	// is spelt so): how long pods of kube-system without a budget block; 1 h by default.
	BlockingSystemPodTimeout time.Duration
	// CoresTotal and MemoryTotal are the minima of --cores-total and --memory-total
	// (GiB); 0 by default.
	CoresTotal, MemoryTotal int64
}

// NodeGroupOptions are what a node group may set for itself.
type NodeGroupOptions struct {
	// ScaleDownUtilizationThreshold and ScaleDownGPUUtilizationThreshold are the
	// shares of its allocatable up to which a node counts as underused: 0.5 by default.
	ScaleDownUtilizationThreshold, ScaleDownGPUUtilizationThreshold float64
	// ScaleDownUnneededTime and ScaleDownUnreadyTime are how long a node must have
	// been unneeded, one that is not ready the latter: 10 and 20 min by default.
	ScaleDownUnneededTime, ScaleDownUnreadyTime time.Duration
	// IgnoreDaemonSetsUtilization leaves daemon pods out of the utilization; off by default.
	IgnoreDaemonSetsUtilization bool
}

// DefaultScaleDown returns the defaults of the original's flags (pkg/config/flags/flags.go).
func DefaultScaleDown() ScaleDownSettings {
	return ScaleDownSettings{
		Enabled:           true,
		Unready:           true,
		DelayAfterAdd:     10 * time.Minute,
		DelayAfterFailure: 3 * time.Minute,
		Defaults: NodeGroupOptions{
			ScaleDownUtilizationThreshold:    0.5,
			ScaleDownGPUUtilizationThreshold: 0.5,
			ScaleDownUnneededTime:            10 * time.Minute,
			ScaleDownUnreadyTime:             20 * time.Minute,
		},
		UnremovableNodeRecheckTimeout:     5 * time.Minute,
		MaxParallelism:                    10,
		MaxDrainParallelism:               1,
		SkipNodesWithSystemPods:           true,
		SkipNodesWithLocalStorage:         true,
		SkipNodesWithCustomControllerPods: true,
		BlockingSystemPodTimeout:          time.Hour,
	}
}

func (s *ScaleDownSettings) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrOption, fmt.Sprintf(format, args...))
	}
	for name, d := range map[string]time.Duration{
		"scale-down-delay-after-add": s.DelayAfterAdd, "scale-down-delay-after-delete": s.DelayAfterDelete,
		"scale-down-delay-after-failure": s.DelayAfterFailure, "unremovable-node-recheck-timeout": s.UnremovableNodeRecheckTimeout,
		"blocking-system-pod-distruption-timeout": s.BlockingSystemPodTimeout,
	} {
		if d < 0 {
			return bad("%s %v is negative", name, d)
		}
	}
	switch {
	case s.MaxParallelism < 0:
		return bad("max-scale-down-parallelism %d is negative", s.MaxParallelism)
	case s.MaxDrainParallelism < 0:
		return bad("max-drain-parallelism %d is negative", s.MaxDrainParallelism)
	case s.CoresTotal < 0 || s.MemoryTotal < 0:
		return bad("a minimum of cores-total or memory-total is negative")
	}
	return s.Defaults.validate("")
}

func (o *NodeGroupOptions) validate(group string) error {
	if group != "" {
		group = fmt.Sprintf("node group %q: ", group)
	}
	switch {
	case !(o.ScaleDownUtilizationThreshold >= 0) || !(o.ScaleDownGPUUtilizationThreshold >= 0):
		return fmt.Errorf("%w: %sscale-down-utilization-threshold is negative or no number", ErrOption, group)
	case o.ScaleDownUnneededTime < 0 || o.ScaleDownUnreadyTime < 0:
		return fmt.Errorf("%w: %sscale-down-unneeded-time or scale-down-unready-time is negative", ErrOption, group)
	}
	return nil
}

func (s *ScaleDownSettings) drainRules() drain.Rules {
	return drain.Rules{
		SkipNodesWithSystemPods:           s.SkipNodesWithSystemPods,
		SkipNodesWithLocalStorage:         s.SkipNodesWithLocalStorage,
		SkipNodesWithCustomControllerPods: s.SkipNodesWithCustomControllerPods,
		MinReplicaCount:                   s.MinReplicaCount,
		BlockingSystemPodTimeout:          s.BlockingSystemPodTimeout,
	}
}

// WithScaleDown changes the settings of scale-down, which start from the
// defaults of the original's flags.
func WithScaleDown(change func(*ScaleDownSettings)) Option {
	return func(s *Settings) { change(&s.ScaleDown) }
}

// WithScaleDownUnneededTime sets --scale-down-unneeded-time.
func WithScaleDownUnneededTime(d time.Duration) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.Defaults.ScaleDownUnneededTime = d })
}

// WithScaleDownUnreadyTime sets --scale-down-unready-time.
func WithScaleDownUnreadyTime(d time.Duration) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.Defaults.ScaleDownUnreadyTime = d })
}

// WithScaleDownUtilizationThreshold sets --scale-down-utilization-threshold.
func WithScaleDownUtilizationThreshold(share float64) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.Defaults.ScaleDownUtilizationThreshold = share })
}

// WithScaleDownDelayAfterAdd sets --scale-down-delay-after-add.
func WithScaleDownDelayAfterAdd(d time.Duration) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.DelayAfterAdd = d })
}

// WithScaleDownDelayAfterDelete sets --scale-down-delay-after-delete.
func WithScaleDownDelayAfterDelete(d time.Duration) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.DelayAfterDelete = d })
}

// WithMaxScaleDownParallelism sets --max-scale-down-parallelism.
func WithMaxScaleDownParallelism(nodes int) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.MaxParallelism = nodes })
}

// WithMaxDrainParallelism sets --max-drain-parallelism.
func WithMaxDrainParallelism(nodes int) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.MaxDrainParallelism = nodes })
}

// WithIgnoreDaemonSetsUtilization sets --ignore-daemonsets-utilization.
func WithIgnoreDaemonSetsUtilization(on bool) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.Defaults.IgnoreDaemonSetsUtilization = on })
}

// WithMinReplicaCount sets --min-replica-count.
func WithMinReplicaCount(replicas int) Option {
	return WithScaleDown(func(s *ScaleDownSettings) { s.MinReplicaCount = replicas })
}

// WithNodeGroupOptions gives a node group options of its own. They start from the
// defaults as they are once all options have been read.
func WithNodeGroupOptions(group string, change func(*NodeGroupOptions)) Option {
	return func(s *Settings) {
		own := maps.Clone(s.GroupOptions)
		if own == nil {
			own = make(map[string]func(*NodeGroupOptions))
		}
		own[group] = change
		s.GroupOptions = own
	}
}

// groupOptions are the options of a group.
func (s *Settings) groupOptions(group string) NodeGroupOptions {
	o := s.ScaleDown.Defaults
	if change := s.GroupOptions[group]; change != nil {
		change(&o)
	}
	return o
}
