package scenarios

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TimelineSpec is what users do over time: the part of a [Manifest] that replays
// read. It names controllers and Jobs of the same input.
//
// Moments are measured from the start, but for those that repeat each day, which
// are hours of the clock. The clock starts at the moment of the snapshot
// ([WithNow]), at midnight before a Monday if that is not known.
type TimelineSpec struct {
	// For is how long the timeline lasts. Required.
	For metav1.Duration `json:"for"`
	// Deployments, StatefulSets and ReplicaSets that are scaled or updated.
	Deployments  []ControllerTimelineSpec `json:"deployments,omitempty"`
	StatefulSets []ControllerTimelineSpec `json:"statefulSets,omitempty"`
	ReplicaSets  []ControllerTimelineSpec `json:"replicaSets,omitempty"`
	// Jobs are templates of work that is submitted again and again. A Job that is
	// named here runs no pods at the start, suspended or not.
	Jobs []JobTimelineSpec `json:"jobs,omitempty"`
	// Reclaims are moments at which the cloud takes back spot instances.
	Reclaims []ReclaimSpec `json:"reclaims,omitempty"`
	// DailyReclaims repeats Reclaims each day.
	DailyReclaims bool `json:"dailyReclaims,omitempty"`
}

// ReclaimSpec is notice for a part of the spot instances that run at a moment.
type ReclaimSpec struct {
	At metav1.Duration `json:"at"`
	// Share of the spot instances, above 0 and up to 1; their number is rounded up.
	Share float64 `json:"share"`
}

// ControllerTimelineSpec is what happens to one controller.
type ControllerTimelineSpec struct {
	// Name is NAMESPACE/NAME, or the name alone in namespace default.
	Name string `json:"name"`
	// Load and HPA scale the controller with its load; they take each other.
	Load *LoadSpec `json:"load,omitempty"`
	HPA  *HPASpec  `json:"hpa,omitempty"`
	// Replicas scales the controller by a schedule instead. Until the first step
	// it has the replicas of its manifest.
	Replicas []ReplicasSpec `json:"replicas,omitempty"`
	// Rollouts are when a new version is rolled out; not of a ReplicaSet.
	Rollouts []metav1.Duration `json:"rollouts,omitempty"`
	// Daily repeats Replicas and Rollouts each day.
	Daily bool `json:"daily,omitempty"`
}

// LoadSpec is the CPU that all pods of a controller together use over time:
// either through points or by a day curve.
type LoadSpec struct {
	// Points are joined by straight lines.
	Points []LoadPointSpec `json:"points,omitempty"`
	// Daily repeats Points each day.
	Daily   bool             `json:"daily,omitempty"`
	Diurnal *DiurnalLoadSpec `json:"diurnal,omitempty"`
	// Noise is the relative deviation from the curve, see arrivals.Loads.
	Noise float64 `json:"noise,omitempty"`
	// NoiseTime is how long noise remembers, 10m by default; Step is how often the
	// load is looked at, 15s by default.
	NoiseTime metav1.Duration `json:"noiseTime,omitempty"`
	Step      metav1.Duration `json:"step,omitempty"`
}

// LoadPointSpec is the load at one moment.
type LoadPointSpec struct {
	At  metav1.Duration   `json:"at"`
	CPU resource.Quantity `json:"cpu"`
}

// DiurnalLoadSpec is a load that follows day and week, see arrivals.Day.
type DiurnalLoadSpec struct {
	Base     resource.Quantity `json:"base"`
	Peak     resource.Quantity `json:"peak"`
	PeakHour float64           `json:"peakHour"`
	// WeekendFactor multiplies the load of Saturday and Sunday; 1 by default.
	WeekendFactor *float64 `json:"weekendFactor,omitempty"`
}

// HPASpec is a HorizontalPodAutoscaler on CPU.
type HPASpec struct {
	Min int `json:"min"`
	Max int `json:"max"`
	// TargetCPU is the use that is aimed at, in percent of the requests.
	TargetCPU int `json:"targetCPU"`
	// ScaleDownStabilization is 5m by default, as in Kubernetes.
	ScaleDownStabilization *metav1.Duration `json:"scaleDownStabilization,omitempty"`
}

// ReplicasSpec is one step of a schedule.
type ReplicasSpec struct {
	At       metav1.Duration `json:"at"`
	Replicas int             `json:"replicas"`
}

// JobTimelineSpec is work that is submitted again and again.
type JobTimelineSpec struct {
	// Name is that of the Job whose template the pods have, as in
	// [ControllerTimelineSpec].
	Name     string       `json:"name"`
	Arrivals ArrivalsSpec `json:"arrivals"`
	Runs     RunsSpec     `json:"runs"`
	// GiveUp is how long a pod waits before its user deletes it; for ever by default.
	GiveUp metav1.Duration `json:"giveUp,omitempty"`
	// OneJob has all pods belong to one Job; by default each pod, burst or daily
	// batch is a Job of its own.
	OneJob bool `json:"oneJob,omitempty"`
}

// ArrivalsSpec is one of its fields.
type ArrivalsSpec struct {
	Poisson *PoissonSpec     `json:"poisson,omitempty"`
	Diurnal *DiurnalRateSpec `json:"diurnal,omitempty"`
	Bursts  *BurstsSpec      `json:"bursts,omitempty"`
	Batch   *BatchSpec       `json:"batch,omitempty"`
}

// PoissonSpec is a steady rate of independent arrivals.
type PoissonSpec struct {
	PerHour float64 `json:"perHour"`
}

// DiurnalRateSpec is a rate of independent arrivals that follows day and week;
// base and peak are in pods an hour, see arrivals.Day.
type DiurnalRateSpec struct {
	Base          float64  `json:"base"`
	Peak          float64  `json:"peak"`
	PeakHour      float64  `json:"peakHour"`
	WeekendFactor *float64 `json:"weekendFactor,omitempty"`
}

// BurstsSpec is bursts of pods at random, see arrivals.Bursts.
type BurstsSpec struct {
	Every   metav1.Duration `json:"every"`
	Pods    int             `json:"pods"`
	Spacing metav1.Duration `json:"spacing,omitempty"`
}

// BatchSpec is a batch at an hour of each day, see arrivals.Batch.
type BatchSpec struct {
	At     metav1.Duration `json:"at"`
	Pods   int             `json:"pods"`
	Jitter metav1.Duration `json:"jitter,omitempty"`
}

// RunsSpec is how long pods run: Constant, or Median and Sigma of a log-normal
// distribution, or Mean of an exponential one. Min and Max hold drawn run times
// between them.
type RunsSpec struct {
	Constant *metav1.Duration `json:"constant,omitempty"`
	Median   *metav1.Duration `json:"median,omitempty"`
	Sigma    float64          `json:"sigma,omitempty"`
	Mean     *metav1.Duration `json:"mean,omitempty"`
	Min      metav1.Duration  `json:"min,omitempty"`
	Max      metav1.Duration  `json:"max,omitempty"`
}
