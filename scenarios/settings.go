package scenarios

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KarpenterSettings are those settings of Karpenter (v1.14.1
// pkg/operator/options/options.go) that a decision or a replay reads. The
// defaults are [DefaultKarpenterSettings].
type KarpenterSettings struct {
	// PreferencePolicy is Respect (the default) or Ignore: whether preferred
	// affinities and ScheduleAnyway spreads are tried as if they were required first.
	PreferencePolicy string `json:"preferencePolicy,omitempty"`
	// MinValuesPolicy is Strict (the default) or BestEffort.
	MinValuesPolicy string `json:"minValuesPolicy,omitempty"`
	// FeatureGates are by their own names, first letter in lower case.
	FeatureGates KarpenterFeatureGates `json:"featureGates"`
	// BatchIdleDuration and BatchMaxDuration are how long Karpenter waits for
	// further pods: 1s without a new one, 10s in all by default.
	BatchIdleDuration metav1.Duration `json:"batchIdleDuration"`
	BatchMaxDuration  metav1.Duration `json:"batchMaxDuration"`
}

// KarpenterFeatureGates are the feature gates that decisions read.
type KarpenterFeatureGates struct {
	ReservedCapacity        bool `json:"reservedCapacity"`        // true by default
	SpotToSpotConsolidation bool `json:"spotToSpotConsolidation"` // false by default
	StaticCapacity          bool `json:"staticCapacity"`          // false by default
}

// DefaultKarpenterSettings returns what Karpenter v1.14.1 runs with unless told otherwise.
func DefaultKarpenterSettings() KarpenterSettings {
	return KarpenterSettings{
		PreferencePolicy:  "Respect",
		MinValuesPolicy:   "Strict",
		FeatureGates:      KarpenterFeatureGates{ReservedCapacity: true},
		BatchIdleDuration: metav1.Duration{Duration: time.Second},
		BatchMaxDuration:  metav1.Duration{Duration: 10 * time.Second},
	}
}

// ClusterAutoscalerSettings are those flags of Cluster Autoscaler (33c3f97bf,
// pkg/config/flags/flags.go) that a decision or a replay reads, by their own
// names. The defaults are [DefaultClusterAutoscalerSettings].
type ClusterAutoscalerSettings struct {
	// Expander is one of Expanders or several of them, separated by commas: each
	// chooses among what the one before it left.
	Expander string `json:"expander,omitempty"`
	// MaxNodesTotal bounds the nodes of all groups together; 0 is no bound.
	MaxNodesTotal int `json:"max-nodes-total"`
	// MaxNodesPerScaleUp bounds the nodes of one scale-up.
	MaxNodesPerScaleUp int `json:"max-nodes-per-scaleup"`
	// CoresTotal and MemoryTotal (GiB) are MIN:MAX over the whole cluster.
	CoresTotal  string `json:"cores-total"`
	MemoryTotal string `json:"memory-total"`

	BalanceSimilarNodeGroups      bool     `json:"balance-similar-node-groups"`
	BalancingIgnoreLabels         []string `json:"balancing-ignore-label,omitempty"`
	BalancingLabels               []string `json:"balancing-label,omitempty"`
	MemoryDifferenceRatio         float64  `json:"memory-difference-ratio"`
	MaxFreeDifferenceRatio        float64  `json:"max-free-difference-ratio"`
	MaxAllocatableDifferenceRatio float64  `json:"max-allocatable-difference-ratio"`

	FastpathBinpackingEnabled    bool `json:"fastpath-binpacking-enabled"`
	SalvoScaleUp                 bool `json:"salvo-scale-up"`
	EnforceNodeGroupMinSize      bool `json:"enforce-node-group-min-size"`
	ForceDaemonSets              bool `json:"force-ds"`
	ScaleUpFromZero              bool `json:"scale-up-from-zero"`
	ExpendablePodsPriorityCutoff int  `json:"expendable-pods-priority-cutoff"`

	// What follows serves scale-down and replays.
	ScanInterval                    metav1.Duration `json:"scan-interval"`
	FrequentLoopsEnabled            bool            `json:"frequent-loops-enabled"`
	NewPodScaleUpDelay              metav1.Duration `json:"new-pod-scale-up-delay"`
	MaxNodeProvisionTime            metav1.Duration `json:"max-node-provision-time"`
	InitialNodeGroupBackoffDuration metav1.Duration `json:"initial-node-group-backoff-duration"`
	MaxNodeGroupBackoffDuration     metav1.Duration `json:"max-node-group-backoff-duration"`
	NodeGroupBackoffResetTimeout    metav1.Duration `json:"node-group-backoff-reset-timeout"`
	MaxTotalUnreadyPercentage       float64         `json:"max-total-unready-percentage"`
	OkTotalUnreadyCount             int             `json:"ok-total-unready-count"`

	ScaleDownEnabled                  bool            `json:"scale-down-enabled"`
	ScaleDownUnreadyEnabled           bool            `json:"scale-down-unready-enabled"`
	ScaleDownDelayAfterAdd            metav1.Duration `json:"scale-down-delay-after-add"`
	ScaleDownDelayAfterDelete         metav1.Duration `json:"scale-down-delay-after-delete"`
	ScaleDownDelayAfterFailure        metav1.Duration `json:"scale-down-delay-after-failure"`
	ScaleDownUnneededTime             metav1.Duration `json:"scale-down-unneeded-time"`
	ScaleDownUnreadyTime              metav1.Duration `json:"scale-down-unready-time"`
	ScaleDownUtilizationThreshold     float64         `json:"scale-down-utilization-threshold"`
	ScaleDownGPUUtilizationThreshold  float64         `json:"scale-down-gpu-utilization-threshold"`
	UnremovableNodeRecheckTimeout     metav1.Duration `json:"unremovable-node-recheck-timeout"`
	IgnoreDaemonSetsUtilization       bool            `json:"ignore-daemonsets-utilization"`
	IgnoreMirrorPodsUtilization       bool            `json:"ignore-mirror-pods-utilization"`
	SkipNodesWithSystemPods           bool            `json:"skip-nodes-with-system-pods"`
	SkipNodesWithLocalStorage         bool            `json:"skip-nodes-with-local-storage"`
	SkipNodesWithCustomControllerPods bool            `json:"skip-nodes-with-custom-controller-pods"`
	MinReplicaCount                   int             `json:"min-replica-count"`
	MaxScaleDownParallelism           int             `json:"max-scale-down-parallelism"`
	MaxDrainParallelism               int             `json:"max-drain-parallelism"`
	NodeDeleteDelayAfterTaint         metav1.Duration `json:"node-delete-delay-after-taint"`
	MaxPodEvictionTime                metav1.Duration `json:"max-pod-eviction-time"`
	MaxGracefulTerminationSec         int             `json:"max-graceful-termination-sec"`
}

// DefaultClusterAutoscalerSettings returns what Cluster Autoscaler runs with
// unless told otherwise.
func DefaultClusterAutoscalerSettings() ClusterAutoscalerSettings {
	minutes := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Minute} }
	seconds := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Second} }
	return ClusterAutoscalerSettings{
		Expander:           "least-waste",
		MaxNodesPerScaleUp: 1000,
		CoresTotal:         "0:320000",
		MemoryTotal:        "0:6400000",

		MemoryDifferenceRatio:         0.015,
		MaxFreeDifferenceRatio:        0.05,
		MaxAllocatableDifferenceRatio: 0.05,

		ScaleUpFromZero:              true,
		ExpendablePodsPriorityCutoff: -10,

		ScanInterval:                    seconds(10),
		FrequentLoopsEnabled:            true,
		MaxNodeProvisionTime:            minutes(15),
		InitialNodeGroupBackoffDuration: minutes(5),
		MaxNodeGroupBackoffDuration:     minutes(30),
		NodeGroupBackoffResetTimeout:    minutes(180),
		MaxTotalUnreadyPercentage:       45,
		OkTotalUnreadyCount:             3,

		ScaleDownEnabled:                  true,
		ScaleDownUnreadyEnabled:           true,
		ScaleDownDelayAfterAdd:            minutes(10),
		ScaleDownDelayAfterFailure:        minutes(3),
		ScaleDownUnneededTime:             minutes(10),
		ScaleDownUnreadyTime:              minutes(20),
		ScaleDownUtilizationThreshold:     0.5,
		ScaleDownGPUUtilizationThreshold:  0.5,
		UnremovableNodeRecheckTimeout:     minutes(5),
		SkipNodesWithSystemPods:           true,
		SkipNodesWithLocalStorage:         true,
		SkipNodesWithCustomControllerPods: true,
		MaxScaleDownParallelism:           10,
		MaxDrainParallelism:               1,
		NodeDeleteDelayAfterTaint:         seconds(5),
		MaxPodEvictionTime:                minutes(2),
		MaxGracefulTerminationSec:         600,
	}
}

// Expanders returns the chain of expanders by name.
func (s ClusterAutoscalerSettings) Expanders() []string {
	var chain []string
	for name := range strings.SplitSeq(s.Expander, ",") {
		if name = strings.TrimSpace(name); name != "" {
			chain = append(chain, name)
		}
	}
	return chain
}

// expanderNames are the expanders of the original that Binwright has; grpc asks
// a server and is left out.
func expanderNames() []string {
	return []string{"least-waste", "most-pods", "least-nodes", "price", "priority", "random"}
}

// validate returns the fields that no Karpenter would start with, by JSON path.
func (s KarpenterSettings) validate() []fieldError {
	var errs fieldErrors
	errs.oneOf("preferencePolicy", s.PreferencePolicy, "Respect", "Ignore")
	errs.oneOf("minValuesPolicy", s.MinValuesPolicy, "Strict", "BestEffort")
	errs.notNegative("batchIdleDuration", s.BatchIdleDuration.Duration)
	errs.notNegative("batchMaxDuration", s.BatchMaxDuration.Duration)
	return errs
}

// validate returns the flags that no Cluster Autoscaler would start with.
func (s ClusterAutoscalerSettings) validate() []fieldError {
	var errs fieldErrors
	chain := s.Expanders()
	if len(chain) == 0 {
		errs.add("expander", "is empty; expected one or more of %s, separated by commas", quotedList(expanderNames()))
	}
	for i, name := range chain {
		if name == "grpc" {
			errs.add("expander", "the grpc expander asks a server and is not supported")
			continue
		}
		errs.oneOf("expander", name, expanderNames()...)
		if slices.Contains(chain[:i], name) {
			errs.add("expander", "%q is there twice", name)
		}
	}
	errs.minMax("cores-total", s.CoresTotal)
	errs.minMax("memory-total", s.MemoryTotal)
	for _, f := range []struct {
		field string
		value float64
	}{
		{"max-nodes-total", float64(s.MaxNodesTotal)},
		{"memory-difference-ratio", s.MemoryDifferenceRatio},
		{"max-free-difference-ratio", s.MaxFreeDifferenceRatio},
		{"max-allocatable-difference-ratio", s.MaxAllocatableDifferenceRatio},
		{"max-total-unready-percentage", s.MaxTotalUnreadyPercentage},
		{"ok-total-unready-count", float64(s.OkTotalUnreadyCount)},
		{"scale-down-utilization-threshold", s.ScaleDownUtilizationThreshold},
		{"scale-down-gpu-utilization-threshold", s.ScaleDownGPUUtilizationThreshold},
		{"min-replica-count", float64(s.MinReplicaCount)},
		{"max-scale-down-parallelism", float64(s.MaxScaleDownParallelism)},
		{"max-drain-parallelism", float64(s.MaxDrainParallelism)},
		{"max-graceful-termination-sec", float64(s.MaxGracefulTerminationSec)},
	} {
		if !(f.value >= 0) || math.IsInf(f.value, 0) {
			errs.add(f.field, "%v is not a number from 0 on", f.value)
		}
	}
	for _, f := range []struct {
		field string
		value metav1.Duration
	}{
		{"scan-interval", s.ScanInterval},
		{"new-pod-scale-up-delay", s.NewPodScaleUpDelay},
		{"max-node-provision-time", s.MaxNodeProvisionTime},
		{"initial-node-group-backoff-duration", s.InitialNodeGroupBackoffDuration},
		{"max-node-group-backoff-duration", s.MaxNodeGroupBackoffDuration},
		{"node-group-backoff-reset-timeout", s.NodeGroupBackoffResetTimeout},
		{"scale-down-delay-after-add", s.ScaleDownDelayAfterAdd},
		{"scale-down-delay-after-delete", s.ScaleDownDelayAfterDelete},
		{"scale-down-delay-after-failure", s.ScaleDownDelayAfterFailure},
		{"scale-down-unneeded-time", s.ScaleDownUnneededTime},
		{"scale-down-unready-time", s.ScaleDownUnreadyTime},
		{"unremovable-node-recheck-timeout", s.UnremovableNodeRecheckTimeout},
		{"node-delete-delay-after-taint", s.NodeDeleteDelayAfterTaint},
		{"max-pod-eviction-time", s.MaxPodEvictionTime},
	} {
		errs.notNegative(f.field, f.value.Duration)
	}
	return errs
}

// fieldError is one mistake at a field of an object.
type fieldError struct {
	field   string // JSON path below the object
	message string
}

// fieldErrors collects mistakes.
type fieldErrors []fieldError

func (e *fieldErrors) add(field, format string, args ...any) {
	*e = append(*e, fieldError{field, fmt.Sprintf(format, args...)})
}

// under adds mistakes found below a field.
func (e *fieldErrors) under(field string, errs []fieldError) {
	for _, err := range errs {
		*e = append(*e, fieldError{joinField(field, err.field), err.message})
	}
}

func (e *fieldErrors) oneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		e.add(field, "%q is unknown%s; expected %s", value, didYouMean(value, allowed), quotedList(allowed))
	}
}

func (e *fieldErrors) notNegative(field string, d time.Duration) {
	if d < 0 {
		e.add(field, "%v is negative", d)
	}
}

// minMax checks a flag of the form MIN:MAX.
func (e *fieldErrors) minMax(field, value string) {
	var low, high int64
	if n, err := fmt.Sscanf(value, "%d:%d", &low, &high); n != 2 || err != nil || fmt.Sprintf("%d:%d", low, high) != value {
		e.add(field, "%q is not MIN:MAX in whole numbers", value)
		return
	}
	if low < 0 || high < low {
		e.add(field, "%q: expected 0 <= MIN <= MAX", value)
	}
}
