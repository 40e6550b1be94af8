package drain

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Annotations that change how a pod is treated (pkg/utils/drain/drain.go,
// pkg/utils/pod/pod.go).
const (
	safeToEvict          = "cluster-autoscaler.kubernetes.io/safe-to-evict"
	safeToEvictVolumes   = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
	daemonSetPod         = "cluster-autoscaler.kubernetes.io/daemonset-pod"
	onCompletion         = "on-completion"
	longTerminatingExtra = 30 * time.Second
)

// Outcome is what happens to a pod when its node is drained.
type Outcome uint8

// The outcomes.
const (
	// Move: the pod is evicted and needs another node; a daemon pod goes with its node.
	Move Outcome = iota
	// Skip: the pod is left alone and does not matter.
	Skip
	// Wait: the node is kept until the pod has finished.
	Wait
	// Block: the node cannot be drained.
	Block
)

// Reason is why a pod blocks its node, by the original's names.
type Reason string

// The reasons.
const (
	ControllerNotFound       Reason = "ControllerNotFound"
	MinReplicasReached       Reason = "MinReplicasReached"
	NotReplicated            Reason = "NotReplicated"
	LocalStorageRequested    Reason = "LocalStorageRequested"
	NotSafeToEvictAnnotation Reason = "NotSafeToEvictAnnotation"
	UnmovableKubeSystemPod   Reason = "UnmovableKubeSystemPod"
	NotEnoughPdb             Reason = "NotEnoughPdb"
)

// Rules are the flags that the rules depend on.
type Rules struct {
	SkipNodesWithSystemPods           bool
	SkipNodesWithLocalStorage         bool
	SkipNodesWithCustomControllerPods bool
	MinReplicaCount                   int
	BlockingSystemPodTimeout          time.Duration
}

// Controllers looks up what owns a pod.
type Controllers interface {
	// Find returns how many replicas a controller wants, negative if it does not
	// say, and whether it exists.
	Find(kind, namespace, name string) (replicas int, found bool)
}

// State is what the rules read beside the pod.
type State struct {
	Now time.Time
	// Controllers is nil where controllers are not looked up.
	Controllers Controllers
	// Budgets are those that select the pod.
	Budgets []*Budget
}

// Judge applies the rules to a pod in their order; the first that has a say wins
// (pkg/simulator/drainability/rules/rules.go, Default). The reason is that of Block.
func (r *Rules) Judge(pod *corev1.Pod, s State) (Outcome, Reason) {
	owner := metav1.GetControllerOfNoCopy(pod)
	if IsMirror(pod) || LongTerminating(pod, s.Now) {
		return Skip, ""
	}
	if r.SkipNodesWithCustomControllerPods && s.Controllers != nil && owner != nil {
		if why := r.controller(pod, owner, s.Controllers); why != "" {
			return Block, why
		}
	}
	evict := pod.Annotations[safeToEvict]
	switch {
	case IsDaemon(pod), evict == "true", finished(pod):
		return Move, ""
	case evict == onCompletion:
		return Wait, ""
	case !r.replicated(owner):
		return Block, NotReplicated
	}
	if r.SkipNodesWithSystemPods && pod.Namespace == metav1.NamespaceSystem && len(s.Budgets) == 0 {
		if created := pod.CreationTimestamp; created.IsZero() || !s.Now.After(created.Add(r.BlockingSystemPodTimeout)) {
			return Block, UnmovableKubeSystemPod
		}
		return Move, ""
	}
	switch {
	case evict == "false":
		return Block, NotSafeToEvictAnnotation
	case r.SkipNodesWithLocalStorage && localStorage(pod):
		return Block, LocalStorageRequested
	}
	for _, b := range s.Budgets {
		if b.Allowed < 1 {
			return Block, NotEnoughPdb
		}
	}
	return Move, ""
}

// controller is the rule on controllers that are gone or have few replicas
// (rules/replicacount). Kinds that the original does not know pass.
func (r *Rules) controller(pod *corev1.Pod, owner *metav1.OwnerReference, all Controllers) Reason {
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil {
		return ""
	}
	daemon := IsDaemon(pod)
	switch {
	case owner.Kind == "ReplicationController":
	case daemon && (owner.Kind != "DaemonSet" || version.Group != "apps"):
		return ""
	case daemon, owner.Kind == "Job", owner.Kind == "ReplicaSet":
	case owner.Kind == "StatefulSet" && version.Group == "apps":
	default:
		return ""
	}
	replicas, found := all.Find(owner.Kind, pod.Namespace, owner.Name)
	if !found {
		return ControllerNotFound
	}
	counted := owner.Kind == "ReplicationController" || owner.Kind == "ReplicaSet" && !daemon
	if counted && replicas >= 0 && replicas < r.MinReplicaCount {
		return MinReplicasReached
	}
	return ""
}

// replicated reports whether something will make the pod anew (rules/replicated).
func (r *Rules) replicated(owner *metav1.OwnerReference) bool {
	if owner == nil {
		return false
	}
	if !r.SkipNodesWithCustomControllerPods {
		return true
	}
	switch owner.Kind {
	case "ReplicationController", "Job", "ReplicaSet", "StatefulSet":
		return true
	}
	return false
}

// IsDaemon reports whether a pod belongs to a DaemonSet or is to be treated so.
func IsDaemon(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "DaemonSet" || pod.Annotations[daemonSetPod] == "true"
}

// IsMirror reports whether a pod mirrors a static pod of the kubelet.
func IsMirror(pod *corev1.Pod) bool {
	_, ok := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return ok
}

// LongTerminating reports whether a pod should have been gone half a minute ago.
func LongTerminating(pod *corev1.Pod, now time.Time) bool {
	return pod.DeletionTimestamp != nil && TerminatingUntil(pod).Before(now)
}

// TerminatingUntil is the moment after which a pod that is being deleted has been so for long.
func TerminatingUntil(pod *corev1.Pod) time.Time {
	grace := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if pod.Spec.TerminationGracePeriodSeconds != nil {
		grace = *pod.Spec.TerminationGracePeriodSeconds
	}
	return pod.DeletionTimestamp.Add(time.Duration(grace)*time.Second + longTerminatingExtra)
}

// finished reports whether a pod has run for good (IsPodTerminal).
func finished(pod *corev1.Pod) bool {
	switch pod.Status.Phase {
	case corev1.PodFailed:
		return true
	case corev1.PodSucceeded:
		return pod.Spec.RestartPolicy == corev1.RestartPolicyNever || pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure
	}
	return false
}

// localStorage reports whether a pod keeps data on its node that nothing says may
// be lost; an emptyDir in memory does not count.
func localStorage(pod *corev1.Pod) bool {
	var expendable []string
	if names := pod.Annotations[safeToEvictVolumes]; names != "" {
		expendable = strings.Split(names, ",")
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		local := v.HostPath != nil || v.EmptyDir != nil && v.EmptyDir.Medium != corev1.StorageMediumMemory
		if local && !slices.Contains(expendable, v.Name) {
			return true
		}
	}
	return false
}
