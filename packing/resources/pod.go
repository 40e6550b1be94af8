package resources

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// PodRequests returns what the scheduler reserves for a pod, as Kubernetes
// 1.35 computes it (k8s.io/component-helpers resource/helpers.go, PodRequests):
// the sum over containers and restartable (sidecar) init containers; at least
// the peak while init containers run one after the other, each beside the
// sidecars started before it; replaced by pod-level cpu, memory and hugepage
// requests where they are set; plus the pod's overhead.
//
// While a bound pod is resized in place, a container counts with the most of what
// is asked for, allocated and in force by its status (with the last two where the resize is
// infeasible). Karpenter v1.14.1 and kube-scheduler both read it so.
//
// The pod is read as the API server stores it: a limit without a request has by
// then become the request. Whoever builds pods from manifests does that first
// (package scenarios does).
//
// The count of pods itself is not included. Errors name the container and the
// resource and wrap [ErrNegative] or [ErrTooLarge].
func PodRequests(pod *corev1.Pod) (Vector, error) {
	var errs []error
	read := func(kind, name string, list corev1.ResourceList) Vector {
		v, err := FromList(list)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: request %w", kind, name, err))
		}
		return v
	}
	resizing := func(v Vector, c *corev1.Container, statuses []corev1.ContainerStatus) Vector {
		i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == c.Name })
		if i < 0 || statuses[i].Resources == nil {
			return v
		}
		inForce := read("status of container", c.Name, statuses[i].Resources.Requests)
		held := inForce.Max(read("allocation of container", c.Name, statuses[i].AllocatedResources))
		if infeasible(pod) {
			return held
		}
		return v.Max(held)
	}

	var total Vector
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		r := resizing(read("container", c.Name, c.Resources.Requests), c, pod.Status.ContainerStatuses)
		total = total.plus(r)
	}
	var sidecars, peak Vector
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		r := read("init container", c.Name, c.Resources.Requests)
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			r = resizing(r, c, pod.Status.InitContainerStatuses)
			total = total.plus(r)
			sidecars = sidecars.plus(r)
			r = sidecars
		} else {
			r = r.plus(sidecars)
		}
		peak = peak.Max(r)
	}
	if len(peak) > 0 {
		total = total.Max(peak)
	}
	if pod.Spec.Resources != nil {
		for _, a := range read("pod", pod.Name, pod.Spec.Resources.Requests) {
			if podLevel(a.Name) {
				total = total.With(a.Name, a.Value)
			}
		}
	}
	if len(pod.Spec.Overhead) > 0 {
		overhead, err := FromList(pod.Spec.Overhead)
		if err != nil {
			errs = append(errs, fmt.Errorf("overhead: %w", err))
		}
		total = total.plus(overhead)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return total, nil
}

// infeasible reports whether the kubelet has found that a resize cannot be.
func infeasible(pod *corev1.Pod) bool {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodResizePending })
	return i >= 0 && pod.Status.Conditions[i].Reason == corev1.PodReasonInfeasible
}

// plus is Add without a copy where one side is empty.
func (v Vector) plus(w Vector) Vector {
	if len(v) == 0 {
		return w
	}
	if len(w) == 0 {
		return v
	}
	return v.Add(w)
}

// podLevel reports whether a resource may be requested for a pod as a whole
// (k8s.io/component-helpers resource/helpers.go, IsSupportedPodLevelResource).
func podLevel(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory ||
		strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}
