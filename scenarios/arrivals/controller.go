package arrivals

import (
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
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
	// ClaimTemplates are those volumes of a StatefulSet's Template that each pod
	// has a claim of its own for: of the template's claim name, a dash and the pod's
	// ordinal.
	ClaimTemplates []string
}

// Key names the controller within its kind, as events do.
func (c *Controller) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
}

// NewPod returns the controller's n-th pod as the API server would store it: for a
// StatefulSet that of ordinal n, with its labels and claims, for other kinds one
// whose name no pod of another n has, nor any that a cluster names (those have no
// vowels in their last part). The spec is the template's but for a StatefulSet's
// volumes. It returns nil if there is no template.
func (c *Controller) NewPod(n int) *corev1.Pod {
	if c.Template == nil {
		return nil
	}
	pod := *c.Template
	number := strconv.Itoa(n)
	if c.Kind == "StatefulSet" {
		pod.Name = c.Name + "-" + number
		pod.Labels = maps.Clone(pod.Labels)
		if pod.Labels == nil {
			pod.Labels = map[string]string{}
		}
		pod.Labels[appsv1.StatefulSetPodNameLabel] = pod.Name
		pod.Labels[appsv1.PodIndexLabel] = number
		pod.Spec.Hostname = pod.Name
		pod.Spec.Volumes = c.claims(number)
	} else {
		prefix := pod.GenerateName
		if prefix == "" {
			prefix = c.Name + "-"
		}
		pod.Name = prefix + "a" + number
	}
	pod.UID = types.UID(appendUID(nil, NewRand(0, "Pod/"+pod.Namespace+"/"+pod.Name)))
	return &pod
}

// claims returns the template's volumes with the claims of one ordinal.
func (c *Controller) claims(ordinal string) []corev1.Volume {
	volumes := slices.Clone(c.Template.Spec.Volumes)
	for i := range volumes {
		v := &volumes[i]
		if v.PersistentVolumeClaim != nil && slices.Contains(c.ClaimTemplates, v.Name) {
			claim := *v.PersistentVolumeClaim
			claim.ClaimName += "-" + ordinal
			v.PersistentVolumeClaim = &claim
		}
	}
	return volumes
}

// HPA is a HorizontalPodAutoscaler (autoscaling/v2) on CPU.
type HPA struct {
	// Min and Max bound the replicas.
	Min, Max int
	// TargetCPU is the average use that is aimed at, in percent of the requests.
	TargetCPU int
	// ScaleDownStabilization is how long the highest recommendation counts before
	// replicas are taken away, 0: not at all. Kubernetes' default is 5 minutes, and
	// so is that of a timeline.
	ScaleDownStabilization time.Duration
}
