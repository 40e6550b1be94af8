package arrivals

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Controller is what keeps pods in being: a Deployment with its ReplicaSet, a
// StatefulSet, a ReplicaSet.
type Controller struct {
	// Kind is Deployment, StatefulSet or ReplicaSet.
	Kind, Namespace, Name string
	// Template is a pod as the controller makes it, with owner references, labels
	// and spec but without a name. The owner of a Deployment's pods is its ReplicaSet.
	Template *corev1.Pod
	// Replicas is how many pods the controller keeps at the start.
	Replicas int
	// HPA scales the controller with its load; nil: replicas follow Scale events only.
	HPA *HPA
	// MaxSurge and MaxUnavailable bound a rolling update of a Deployment: pods
	// above the replicas, rounded up, and pods missing, rounded down, as a number
	// or in percent of the replicas. Where both are zero, which no Deployment may
	// have, they are the defaults of Kubernetes: 25% each.
	MaxSurge, MaxUnavailable intstr.IntOrString
}

// Key names the controller within its kind, as events do.
func (c *Controller) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
}

// HPA is a HorizontalPodAutoscaler (autoscaling/v2) on CPU.
type HPA struct {
	// Min and Max bound the replicas.
	Min, Max int
	// TargetCPU is the average use that is aimed at, in percent of the requests.
	TargetCPU int
	// ScaleDownStabilization is how long the highest recommendation counts before
	// replicas are taken away; Kubernetes' default is 5 minutes, which 0 stands for.
	ScaleDownStabilization time.Duration
}
