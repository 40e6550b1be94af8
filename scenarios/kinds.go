package scenarios

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/binwright/binwright/packing"
)

// kindInfo is a kind of object that scenarios read.
type kindInfo struct {
	apiVersion, kind string
	namespaced       bool
	// partial kinds are read in part: fields that the type lacks are no surprise.
	partial bool
	// make returns a new object to decode into: its defaults are in it.
	make func() any
}

// kinds are all kinds that scenarios read.
var kinds = []kindInfo{
	{"v1", "Pod", true, false, func() any { return new(corev1.Pod) }},
	{"v1", "Node", false, false, func() any { return new(corev1.Node) }},
	{"v1", "Namespace", false, false, func() any { return new(corev1.Namespace) }},
	{"v1", "ReplicationController", true, false, func() any { return new(corev1.ReplicationController) }},
	{"v1", "PersistentVolumeClaim", true, false, func() any { return new(corev1.PersistentVolumeClaim) }},
	{"v1", "PersistentVolume", false, false, func() any { return new(corev1.PersistentVolume) }},
	{"v1", "LimitRange", true, false, func() any { return new(corev1.LimitRange) }},
	{"apps/v1", "Deployment", true, false, func() any { return new(appsv1.Deployment) }},
	{"apps/v1", "StatefulSet", true, false, func() any { return new(appsv1.StatefulSet) }},
	{"apps/v1", "ReplicaSet", true, false, func() any { return new(appsv1.ReplicaSet) }},
	{"apps/v1", "DaemonSet", true, false, func() any { return new(appsv1.DaemonSet) }},
	{"batch/v1", "Job", true, false, func() any { return new(batchv1.Job) }},
	{"batch/v1", "CronJob", true, false, func() any { return new(batchv1.CronJob) }},
	{"policy/v1", "PodDisruptionBudget", true, false, func() any { return new(policyv1.PodDisruptionBudget) }},
	{"scheduling.k8s.io/v1", "PriorityClass", false, false, func() any { return new(schedulingv1.PriorityClass) }},
	{"storage.k8s.io/v1", "StorageClass", false, false, func() any { return new(storagev1.StorageClass) }},
	{"storage.k8s.io/v1", "CSINode", false, false, func() any { return new(storagev1.CSINode) }},
	{"node.k8s.io/v1", "RuntimeClass", false, false, func() any { return new(nodev1.RuntimeClass) }},
	{"karpenter.sh/v1", "NodePool", false, false, func() any { return new(packing.NodePool) }},
	{apiVersion: "karpenter.sh/v1", kind: "NodeClaim", partial: true, make: func() any { return new(nodeClaim) }},
	{APIVersion, Kind, false, false, func() any {
		m := new(Manifest)
		m.Spec.Karpenter = DefaultKarpenterSettings()
		m.Spec.ClusterAutoscaler = DefaultClusterAutoscalerSettings()
		return m
	}},
}

// lookupKind finds a kind. If there is none it returns a message: an error for
// another version of a kind that is read, a warning for all else.
func lookupKind(apiVersion, kind string) (info kindInfo, message string, isError bool) {
	group := groupOf(apiVersion)
	var names []string
	for _, k := range kinds {
		if k.kind == kind && k.apiVersion == apiVersion {
			return k, "", false
		}
		if k.kind == kind && (apiVersion == "" || groupOf(k.apiVersion) == group || kind == "Pod") {
			if apiVersion == "" {
				return kindInfo{}, fmt.Sprintf("is missing; %s is %s", kind, k.apiVersion), true
			}
			return kindInfo{}, fmt.Sprintf("%q is not read; %s is %s", shorten(apiVersion), kind, k.apiVersion), true
		}
		if groupOf(k.apiVersion) == group {
			names = append(names, k.kind)
		}
	}
	message = fmt.Sprintf("kind %s (%s) is not read", shorten(kind), shorten(apiVersion))
	switch {
	case kind == "Kustomization":
		message += ": build it first, for instance with kubectl kustomize"
	case strings.HasPrefix(group, "extensions") || group == "apps":
		message += didYouMean(kind, names)
	case group == groupOf(APIVersion):
		// Our own kinds are read strictly.
		return kindInfo{}, message + didYouMean(kind, names), true
	default:
		message += didYouMean(kind, names)
	}
	return kindInfo{}, message, false
}

func groupOf(apiVersion string) string {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return group
}
