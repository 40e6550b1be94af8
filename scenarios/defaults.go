package scenarios

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/resources"
)

// defaultPod fills in what the API server would store for a pod and decisions
// read: requests from limits, ports, policies (Kubernetes 1.35
// pkg/apis/core/v1/defaults.go). What no decision reads, such as the
// termination message path, stays empty. Tolerations for nodes that are not ready
// (DefaultTolerationSeconds) are not added: such nodes carry NoSchedule as well.
func defaultPod(labels map[string]string, spec *corev1.PodSpec) {
	each := func(containers []corev1.Container) {
		for i := range containers {
			c := &containers[i]
			c.Resources.Requests = requestsFromLimits(c.Resources.Requests, c.Resources.Limits)
			for j := range c.Ports {
				p := &c.Ports[j]
				if p.Protocol == "" {
					p.Protocol = corev1.ProtocolTCP
				}
				if spec.HostNetwork && p.HostPort == 0 {
					p.HostPort = p.ContainerPort
				}
			}
		}
	}
	each(spec.InitContainers)
	each(spec.Containers)
	defaultPodLevelRequests(spec)
	if spec.RestartPolicy == "" {
		spec.RestartPolicy = corev1.RestartPolicyAlways
	}
	if spec.SchedulerName == "" {
		spec.SchedulerName = corev1.DefaultSchedulerName
	}
	if spec.TerminationGracePeriodSeconds == nil {
		seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
		spec.TerminationGracePeriodSeconds = &seconds
	}
	if spec.Affinity != nil {
		mergeLabelKeys(labels, spec.Affinity.PodAffinity, spec.Affinity.PodAntiAffinity)
	}
}

func requestsFromLimits(requests, limits corev1.ResourceList) corev1.ResourceList {
	for name, limit := range limits {
		if _, ok := requests[name]; ok {
			continue
		}
		if requests == nil {
			requests = make(corev1.ResourceList, len(limits))
		}
		requests[name] = limit
	}
	return requests
}

// defaultPodLevelRequests completes requests of the pod as a whole, where it has
// limits: from the sum of its containers' requests, else from the limit.
func defaultPodLevelRequests(spec *corev1.PodSpec) {
	if spec.Resources == nil || len(spec.Resources.Limits) == 0 {
		return
	}
	containers := corev1.Pod{Spec: corev1.PodSpec{Containers: spec.Containers, InitContainers: spec.InitContainers}}
	sum, err := resources.PodRequests(&containers)
	if err != nil {
		return // validation tells which container
	}
	for name, limit := range spec.Resources.Limits {
		if _, ok := spec.Resources.Requests[name]; ok {
			continue
		}
		if spec.Resources.Requests == nil {
			spec.Resources.Requests = corev1.ResourceList{}
		}
		request := limit
		if value, ok := sum.Lookup(name); ok {
			request = resources.Amount{Name: name, Value: value}.Quantity()
		}
		spec.Resources.Requests[name] = request
	}
}

// mergeLabelKeys adds matchLabelKeys and mismatchLabelKeys of pod affinity terms
// to their selectors, as the API server does when a pod is made; from then on
// only the selector is read. Terms of live pods have it already.
func mergeLabelKeys(labels map[string]string, affinity *corev1.PodAffinity, anti *corev1.PodAntiAffinity) {
	merge := func(term *corev1.PodAffinityTerm) {
		if term.LabelSelector == nil {
			return
		}
		add := func(keys []string, op metav1.LabelSelectorOperator) {
			for _, key := range keys {
				value, ok := labels[key]
				if !ok {
					continue
				}
				r := metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: []string{value}}
				same := func(e metav1.LabelSelectorRequirement) bool {
					return e.Key == r.Key && e.Operator == r.Operator && slices.Equal(e.Values, r.Values)
				}
				if !slices.ContainsFunc(term.LabelSelector.MatchExpressions, same) {
					term.LabelSelector.MatchExpressions = append(term.LabelSelector.MatchExpressions, r)
				}
			}
		}
		add(term.MatchLabelKeys, metav1.LabelSelectorOpIn)
		add(term.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
	}
	all := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
		for i := range required {
			merge(&required[i])
		}
		for i := range preferred {
			merge(&preferred[i].PodAffinityTerm)
		}
	}
	if affinity != nil {
		all(affinity.RequiredDuringSchedulingIgnoredDuringExecution, affinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if anti != nil {
		all(anti.RequiredDuringSchedulingIgnoredDuringExecution, anti.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

// Values of the priority classes that every cluster has (Kubernetes
// pkg/apis/scheduling/types.go).
const (
	systemClusterCritical = "system-cluster-critical"
	systemNodeCritical    = "system-node-critical"

	systemClusterCriticalValue = int32(2_000_000_000)
	systemNodeCriticalValue    = int32(2_000_001_000)
)

// admission is what admission plugins read when a pod is made.
type admission struct {
	priorities    map[string]priority
	globalDefault string // name of a priority class, "" if none
	limitRanges   map[string][]*corev1.LimitRange
	runtimes      map[string]runtimeClass
}

type priority struct {
	value      int32
	preemption *corev1.PreemptionPolicy
}

type runtimeClass struct {
	overhead     corev1.ResourceList
	nodeSelector map[string]string
	tolerations  []corev1.Toleration
}

func newAdmission(c *cluster) *admission {
	a := &admission{
		priorities: map[string]priority{
			systemClusterCritical: {value: systemClusterCriticalValue},
			systemNodeCritical:    {value: systemNodeCriticalValue},
		},
		limitRanges: map[string][]*corev1.LimitRange{},
		runtimes:    map[string]runtimeClass{},
	}
	lowest := int32(0)
	for _, p := range c.priorityClasses {
		a.priorities[p.value.Name] = priority{p.value.Value, p.value.PreemptionPolicy}
		// Of several defaults the lowest holds (plugin/pkg/admission/priority).
		if p.value.GlobalDefault && (a.globalDefault == "" || p.value.Value < lowest) {
			a.globalDefault, lowest = p.value.Name, p.value.Value
		}
	}
	for _, r := range c.limitRanges {
		var e fieldErrors
		if e.limitRange(r.value); len(e) > 0 {
			continue // told once, not again of each pod
		}
		a.limitRanges[r.value.Namespace] = append(a.limitRanges[r.value.Namespace], r.value)
	}
	for _, r := range c.runtimeClasses {
		class := runtimeClass{}
		if r.value.Overhead != nil {
			class.overhead = r.value.Overhead.PodFixed
		}
		if r.value.Scheduling != nil {
			class.nodeSelector, class.tolerations = r.value.Scheduling.NodeSelector, r.value.Scheduling.Tolerations
		}
		a.runtimes[r.value.Name] = class
	}
	return a
}

// admit changes a pod as the admission plugins Priority, LimitRanger and
// RuntimeClass do when it is made, then defaults it. A live pod has been through
// that: of it only the priority is completed. It returns mistakes.
func (a *admission) admit(namespace string, labels map[string]string, spec *corev1.PodSpec, live bool) []fieldError {
	var errs fieldErrors
	if !live {
		for _, r := range a.limitRanges[namespace] {
			applyLimitRange(spec, r)
		}
		a.applyRuntimeClass(spec, &errs)
	}
	defaultPod(labels, spec)
	if spec.Priority != nil && live {
		return errs
	}
	if spec.PriorityClassName == "" {
		spec.PriorityClassName = a.globalDefault
	}
	class, ok := a.priorities[spec.PriorityClassName]
	switch {
	case spec.PriorityClassName == "":
		if spec.Priority == nil {
			spec.Priority = new(int32)
		}
	case !ok && spec.Priority == nil:
		names := make([]string, 0, len(a.priorities))
		for name := range a.priorities {
			names = append(names, name)
		}
		slices.Sort(names)
		errs.add("spec.priorityClassName", "there is no PriorityClass %q in the input%s", spec.PriorityClassName,
			didYouMean(spec.PriorityClassName, names))
	case ok:
		if spec.Priority != nil && *spec.Priority != class.value {
			errs.add("spec.priority", "%d is not the value of PriorityClass %q, %d", *spec.Priority, spec.PriorityClassName, class.value)
		}
		value := class.value
		spec.Priority = &value
		if spec.PreemptionPolicy == nil {
			spec.PreemptionPolicy = class.preemption
		}
	}
	return errs
}

// applyLimitRange gives containers the namespace's default requests and limits
// (plugin/pkg/admission/limitranger, mergePodResourceRequirements).
func applyLimitRange(spec *corev1.PodSpec, r *corev1.LimitRange) {
	for _, limit := range r.Spec.Limits {
		if limit.Type != corev1.LimitTypeContainer {
			continue
		}
		// The API server completes the range itself: defaults from its maximum,
		// default requests from defaults, else from its minimum.
		defaults := requestsFromLimits(cloneList(limit.Default), limit.Max)
		requests := requestsFromLimits(requestsFromLimits(cloneList(limit.DefaultRequest), defaults), limit.Min)
		for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
			for i := range containers {
				res := &containers[i].Resources
				// A limit that the container states itself becomes its request before
				// the default request would.
				res.Requests = requestsFromLimits(requestsFromLimits(res.Requests, res.Limits), requests)
				res.Limits = requestsFromLimits(res.Limits, defaults)
			}
		}
	}
}

func cloneList(list corev1.ResourceList) corev1.ResourceList {
	out := make(corev1.ResourceList, len(list))
	for name, q := range list {
		out[name] = q
	}
	return out
}

func (a *admission) applyRuntimeClass(spec *corev1.PodSpec, errs *fieldErrors) {
	if spec.RuntimeClassName == nil || *spec.RuntimeClassName == "" {
		return
	}
	class, ok := a.runtimes[*spec.RuntimeClassName]
	if !ok {
		errs.add("spec.runtimeClassName", "there is no RuntimeClass %q in the input: its overhead and node selector are needed",
			*spec.RuntimeClassName)
		return
	}
	if len(class.overhead) > 0 {
		spec.Overhead = cloneList(class.overhead)
	}
	for _, key := range slices.Sorted(maps.Keys(class.nodeSelector)) {
		value := class.nodeSelector[key]
		if spec.NodeSelector == nil {
			spec.NodeSelector = map[string]string{}
		}
		if has, ok := spec.NodeSelector[key]; ok && has != value {
			errs.add("spec.nodeSelector["+key+"]", "%q conflicts with RuntimeClass %q, which demands %q", has, *spec.RuntimeClassName, value)
		}
		spec.NodeSelector[key] = value
	}
	spec.Tolerations = append(spec.Tolerations, class.tolerations...)
}

// defaultStorageClass returns the class of claims that name none: the newest one
// marked as default, the first in name order among equals
// (pkg/volume/util/storageclass.go, GetDefaultClass).
func defaultStorageClass(c *cluster) string {
	var best *located[*metav1.ObjectMeta]
	for _, s := range c.storageClasses {
		meta := &s.value.ObjectMeta
		if meta.Annotations["storageclass.kubernetes.io/is-default-class"] != "true" &&
			meta.Annotations["storageclass.beta.kubernetes.io/is-default-class"] != "true" {
			continue
		}
		if best == nil || best.value.CreationTimestamp.Before(&meta.CreationTimestamp) ||
			best.value.CreationTimestamp.Equal(&meta.CreationTimestamp) && meta.Name < best.value.Name {
			best = &located[*metav1.ObjectMeta]{s.at, meta}
		}
	}
	if best == nil {
		return ""
	}
	return best.value.Name
}

// storageFromLimits is for claims what requestsFromLimits is for containers.
func storageFromLimits(claim *corev1.PersistentVolumeClaimSpec) {
	if limit, ok := claim.Resources.Limits[corev1.ResourceStorage]; ok {
		claim.Resources.Requests = requestsFromLimits(claim.Resources.Requests,
			map[corev1.ResourceName]resource.Quantity{corev1.ResourceStorage: limit})
	}
}
