package kubescheduler

import (
	"maps"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/binwright/binwright/packing/resources"
)

// Weights and bounds of scores (pkg/scheduler/apis/config/v1/default_plugins.go).
const (
	maxScore = 100

	weightTaints       = 3
	weightNodeAffinity = 2
	weightSpread       = 2
	weightPodAffinity  = 2
	// NodeResourcesFit, NodeResourcesBalancedAllocation and ImageLocality weigh 1.
)

// Scores count a container that states no request of cpu or memory with these
// (pkg/scheduler/util/pod_resources.go).
const (
	defaultCPU    = 100       // milli-CPU
	defaultMemory = 200 << 20 // bytes
)

// leastAllocated is the score of NodeResourcesFit with the strategy LeastAllocated: the part of cpu
// and of memory that would stay free, in percent, averaged
// (plugins/noderesources/least_allocated.go).
func leastAllocated(sh *shape, on *load) int64 {
	var score, weights int64
	free := func(requested, allocatable int64) {
		if allocatable == 0 {
			return
		}
		weights++
		if requested <= allocatable {
			score += (allocatable - requested) * maxScore / allocatable
		}
	}
	free(on.asIfCPU+sh.scoredCPU, on.allocCPU)
	free(on.asIfMemory+sh.scoredMemory, on.allocMem)
	if weights == 0 {
		return 0
	}
	return score / weights
}

// balancedAllocation is the score of NodeResourcesBalancedAllocation: the less the requested parts of cpu
// and memory differ the better, by what is really requested
// (plugins/noderesources/balanced_allocation.go). Pods that request neither get none.
func balancedAllocation(sh *shape, on *load) int64 {
	if sh.cpu == 0 && sh.memory == 0 {
		return 0
	}
	deviation := 0.0
	if on.allocCPU != 0 && on.allocMem != 0 {
		cpu := min(1, float64(on.cpu+sh.cpu)/float64(on.allocCPU))
		memory := min(1, float64(on.memory+sh.memory)/float64(on.allocMem))
		deviation = math.Abs((cpu - memory) / 2)
	}
	return int64((1 - deviation) * maxScore)
}

// scoredRequests returns cpu and memory of a pod that is to be scored, where each container
// that does not state one counts with the default
// (plugins/noderesources/resource_allocation.go, calculatePodResourceRequest).
func scoredRequests(pod *corev1.Pod) (cpu, memory int64, err error) {
	return requestsWith(pod, true, true)
}

// boundRequests returns the same for a pod on a node, where pod-level requests leave no
// gap to fill (pkg/scheduler/framework/types.go, CalculateResource).
func boundRequests(pod *corev1.Pod) (cpu, memory int64, err error) {
	if pod.Spec.Resources == nil || len(pod.Spec.Resources.Requests) == 0 {
		return requestsWith(pod, true, true)
	}
	stated, err := resources.PodRequests(pod)
	if err != nil {
		return 0, 0, err
	}
	_, hasCPU := stated.Lookup(corev1.ResourceCPU)
	_, hasMemory := stated.Lookup(corev1.ResourceMemory)
	return requestsWith(pod, !hasCPU, !hasMemory)
}

// requestsWith returns cpu and memory of a pod with defaults for containers that state none.
func requestsWith(pod *corev1.Pod, fillCPU, fillMemory bool) (cpu, memory int64, err error) {
	filled := *pod
	fill := func(from []corev1.Container) []corev1.Container {
		out := make([]corev1.Container, len(from))
		for i := range from {
			requests := maps.Clone(from[i].Resources.Requests)
			if requests == nil {
				requests = corev1.ResourceList{}
			}
			if _, ok := requests[corev1.ResourceCPU]; !ok && fillCPU {
				requests[corev1.ResourceCPU] = *resource.NewMilliQuantity(defaultCPU, resource.DecimalSI)
			}
			if _, ok := requests[corev1.ResourceMemory]; !ok && fillMemory {
				requests[corev1.ResourceMemory] = *resource.NewQuantity(defaultMemory, resource.BinarySI)
			}
			out[i] = from[i]
			out[i].Resources.Requests = requests
		}
		return out
	}
	filled.Spec.Containers, filled.Spec.InitContainers = fill(pod.Spec.Containers), fill(pod.Spec.InitContainers)
	v, err := resources.PodRequests(&filled)
	if err != nil {
		return 0, 0, err
	}
	return v.Get(corev1.ResourceCPU), v.Get(corev1.ResourceMemory), nil
}
