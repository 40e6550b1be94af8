package clusterautoscaler

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Actuation is how the original carries its decisions out, by its flags and constants: what
// a caller of [Autoscaler] needs to act as it does.
type Actuation struct {
	// ScanInterval is --scan-interval: the time from the end of a loop to the next.
	ScanInterval time.Duration
	// FrequentLoops is --frequent-loops-enabled: a loop also begins as soon as a pod is found
	// unschedulable, and two follow at once on a loop that scaled up or began to delete nodes
	// (pkg/loop/trigger.go). It is on by default since 1.35.
	FrequentLoops bool
	// DeleteDelayAfterTaint is --node-delete-delay-after-taint: how long a node has been
	// tainted before its pods are evicted or, if it is empty, it is deleted.
	DeleteDelayAfterTaint time.Duration
	// EvictionRetryTime is the time between attempts to evict a pod, and MaxPodEvictionTime
	// (--max-pod-eviction-time) after how long they are given up and the deletion fails
	// (pkg/core/scaledown/actuation/drain.go).
	EvictionRetryTime, MaxPodEvictionTime time.Duration
	// MaxGracefulTermination is --max-graceful-termination-sec: the most that pods are given
	// to terminate; PodEvictionHeadroom is waited for on top of it. Whether they are gone is
	// looked at every GonePollInterval.
	MaxGracefulTermination, PodEvictionHeadroom, GonePollInterval time.Duration
	// DeletionBatcherInterval is --node-deletion-batcher-interval: how long nodes of a group
	// are gathered for one request to the cloud.
	DeletionBatcherInterval time.Duration
	// MaxNodeProvisionTime is --max-node-provision-time: a group that lacks nodes so long after it
	// was last scaled up has failed (pkg/clusterstate/clusterstate.go), and an instance
	// that has not registered so long after it was first seen is ended and the target size
	// lowered, but not below the minimal size (pkg/core/static_autoscaler.go).
	MaxNodeProvisionTime time.Duration
	// InitialBackoff, MaxBackoff and BackoffReset are --initial-node-group-backoff-duration,
	// --max-node-group-backoff-duration and --node-group-backoff-reset-timeout: a group is left
	// alone for the first after a failure, twice as long after each that follows, up to the
	// second, and for the first again once the third has passed without any. A failure while a
	// group is left alone has it left alone for as long again; a success resets nothing
	// (pkg/utils/backoff/exponential_backoff.go).
	InitialBackoff, MaxBackoff, BackoffReset time.Duration
}

// DefaultActuation returns the defaults of the original (pkg/config/flags/flags.go,
// pkg/core/scaledown/actuation).
func DefaultActuation() Actuation {
	return Actuation{
		ScanInterval:           10 * time.Second,
		FrequentLoops:          true,
		DeleteDelayAfterTaint:  5 * time.Second,
		EvictionRetryTime:      10 * time.Second,
		MaxPodEvictionTime:     2 * time.Minute,
		MaxGracefulTermination: 10 * time.Minute,
		PodEvictionHeadroom:    30 * time.Second,
		GonePollInterval:       5 * time.Second,
		MaxNodeProvisionTime:   15 * time.Minute,
		InitialBackoff:         5 * time.Minute,
		MaxBackoff:             30 * time.Minute,
		BackoffReset:           3 * time.Hour,
	}
}

// DeletionTaint is the taint that a node bears from the moment on at which its deletion
// was begun (pkg/utils/taints/taints.go, MarkToBeDeleted).
func DeletionTaint(at time.Time) corev1.Taint {
	return corev1.Taint{Key: toBeDeletedTaint, Value: strconv.FormatInt(at.Unix(), 10), Effect: corev1.TaintEffectNoSchedule}
}
