package arrivals

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Event is one thing that users do, or the cloud at a set time. Exactly one of the pointers is set.
type Event struct {
	// At is when, measured from the start.
	At time.Duration
	// Submit is a pod that runs to completion.
	Submit *Submission
	// Scale sets how many replicas a controller keeps.
	Scale *Scale
	// Rollout gives a controller a new template.
	Rollout *Rollout
	// Load is the load on a controller that is scaled by an HPA.
	Load *Load
	// Reclaim is the cloud taking back spot instances.
	Reclaim *Reclaim
}

// Submission is a pod that is submitted by itself, as that of a Job, and ends.
type Submission struct {
	// Pod has a name, owner, labels and spec. Its spec may be shared with other
	// pods of the stream and is not to be changed. CreationTimestamp is left to
	// whoever plays the events.
	Pod *corev1.Pod
	// Runs is how long the pod runs once its containers have started; negative:
	// until the end.
	Runs time.Duration
	// GiveUp is how long the pod waits for a node before its user deletes it; 0: for ever.
	GiveUp time.Duration
}

// Scale sets the number of replicas of a controller.
type Scale struct {
	Controller types.NamespacedName
	// Kind is that of the controller: Deployment, StatefulSet or ReplicaSet.
	Kind     string
	Replicas int
}

// Rollout is a new version of a controller's template: its pods are replaced by
// others of the same shape, as fast as its MaxSurge and MaxUnavailable allow.
type Rollout struct {
	Controller types.NamespacedName
	// Kind is that of the controller: Deployment or StatefulSet.
	Kind string
}

// Load is what a controller is loaded with from this moment on, until the next.
type Load struct {
	Controller types.NamespacedName
	// Kind is that of the controller: Deployment, StatefulSet or ReplicaSet.
	Kind string
	// CPU is used by all pods of the controller together, in milli-CPU.
	CPU float64
}

// Stream gives events in order of At; ties in the order in which they are given.
type Stream interface {
	// Next returns the next event, and false once there is none.
	Next() (Event, bool)
}

// Reclaim is notice from the cloud that it takes back a part of the spot instances that run at that moment.
type Reclaim struct {
	// Share of the instances, above 0 and up to 1; their number is rounded up.
	Share float64
}
