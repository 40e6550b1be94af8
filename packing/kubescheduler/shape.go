package kubescheduler

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// shape is all pods that get the same answer from everything that reads one node alone:
// the filters for taints, node selection, ports and resources, and the scores for resources,
// taints and node affinity. Classes share it whatever their labels and topology rules are.
type shape struct {
	filter *feasibility.Class // of the first class, for the filters
	pod    *corev1.Pod

	cpu, memory             int64 // requested
	scoredCPU, scoredMemory int64 // the same with defaults for what is not stated

	prefersNodes []corev1.PreferredSchedulingTerm
	verdicts     []verdict // by node id
	affinity     []int32   // by node id: weight of the preferred terms that match; nil if there are none
}

// verdict is what is known of one node, true as long as the node's stamp is this one.
type verdict struct {
	stamp     uint32
	refusal   uint8
	resources uint8  // LeastAllocated and BalancedAllocation together, 0 to 200
	taints    uint16 // PreferNoSchedule taints that are not tolerated
}

// maxVerdicts bounds what all shapes together hold, to 64 MiB.
const maxVerdicts = 8 << 20

func (s *Scheduler) shape(pod *corev1.Pod, filter *feasibility.Class) (*shape, error) {
	key, err := shapeKey(pod)
	if err != nil {
		return nil, err
	}
	if known, ok := s.shapes[key]; ok {
		return known, nil
	}
	sh := &shape{filter: filter, pod: pod}
	sh.cpu, sh.memory = filter.Requests.Get(corev1.ResourceCPU), filter.Requests.Get(corev1.ResourceMemory)
	if sh.scoredCPU, sh.scoredMemory, err = scoredRequests(pod); err != nil {
		return nil, err
	}
	if sh.prefersNodes, err = preferredTerms(pod); err != nil {
		return nil, err
	}
	s.shapes[key] = sh
	return sh, nil
}

// shapeKey is the protobuf form of what a shape reads, which sorts maps.
func shapeKey(pod *corev1.Pod) (string, error) {
	trim := func(from []corev1.Container) []corev1.Container {
		out := make([]corev1.Container, len(from))
		for i := range from {
			out[i] = corev1.Container{
				Resources: corev1.ResourceRequirements{Requests: from[i].Resources.Requests},
				Ports:     from[i].Ports, RestartPolicy: from[i].RestartPolicy,
			}
		}
		return out
	}
	reduced := corev1.PodSpec{
		Containers: trim(pod.Spec.Containers), InitContainers: trim(pod.Spec.InitContainers),
		Overhead: pod.Spec.Overhead, Resources: pod.Spec.Resources,
		NodeSelector: pod.Spec.NodeSelector, Tolerations: pod.Spec.Tolerations,
	}
	if a := pod.Spec.Affinity; a != nil {
		reduced.Affinity = &corev1.Affinity{NodeAffinity: a.NodeAffinity}
	}
	b, err := reduced.Marshal()
	return string(b), err
}

// known returns the shape's verdicts, long enough for all nodes.
func (s *Scheduler) known(sh *shape) []verdict {
	if more := len(s.nodes) - len(sh.verdicts); more > 0 {
		if s.cached += more; s.cached > maxVerdicts {
			for _, other := range s.shapes {
				other.verdicts, other.affinity = nil, nil
			}
			more = len(s.nodes)
			s.cached = more
		}
		sh.verdicts = append(sh.verdicts, make([]verdict, more)...)
		if len(sh.prefersNodes) > 0 {
			sh.affinity = append(sh.affinity, make([]int32, more)...)
		}
	}
	return sh.verdicts
}

// judge works a verdict out anew.
func (s *Scheduler) judge(sh *shape, id int32) {
	n, v := s.nodes[id], &sh.verdicts[id]
	v.stamp = s.stamps[id]
	v.refusal = uint8(s.cluster.CheckNode(sh.filter, n.index))
	if v.refusal != uint8(feasibility.Fits) {
		return
	}
	l := &s.load[id]
	v.resources = uint8(leastAllocated(sh, l) + balancedAllocation(sh, l))
	v.taints = 0
	if n.soft {
		v.taints = intolerable(n.object.Spec.Taints, sh.pod.Spec.Tolerations)
	}
	if len(sh.prefersNodes) > 0 {
		sh.affinity[id] = preferred(sh.prefersNodes, n.object)
	}
}
