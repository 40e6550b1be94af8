package feasibility

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/resources"
)

// Class is all pods that are alike in whatever a filter reads: namespace,
// labels, requests, node selection, tolerations, ports, volumes, topology rules.
type Class struct {
	// Index numbers the classes of a universe from 0.
	Index int
	// Pod is the first pod of the class that was met.
	Pod *corev1.Pod
	// Requests are the pod's requests in full, without the count of pods.
	Requests resources.Vector

	universe *Universe
	requests []amount // what is above zero, the count of pods included
	demand   *demand
	ports    []hostPort
	spread   []spreadRule

	affinity     *affinityRule // nil: none
	antiAffinity []*counting   // pods that the class keeps away from
	carries      []*counting   // the class's own terms, as others meet them
	repelledBy   []*counting   // terms of other pods that match the class
	repelledSeen int           // how many antiTerms repelledBy has been checked against

	volumes     *volumeDemand
	terminating bool
}

// amount is a request in one dimension.
type amount struct {
	dim   int
	value int64
}

// Class returns the class of a pod. Errors name the pod and the field.
func (u *Universe) Class(pod *corev1.Pod) (*Class, error) {
	key, err := classKey(pod)
	if err != nil {
		return nil, podError(pod, err)
	}
	if c, ok := u.classByKey[key]; ok {
		return c, nil
	}
	c := &Class{Index: len(u.classes), Pod: pod, universe: u, terminating: pod.DeletionTimestamp != nil}
	if c.Requests, err = resources.PodRequests(pod); err != nil {
		return nil, podError(pod, err)
	}
	c.requests = u.amounts(c.Requests)
	c.ports = hostPorts(pod)
	if c.demand, err = u.demand(pod); err != nil {
		return nil, podError(pod, err)
	}
	if c.spread, err = u.spreadRules(pod, c.demand); err != nil {
		return nil, podError(pod, err)
	}
	if err = u.podAffinity(c); err != nil {
		return nil, podError(pod, err)
	}
	c.volumes = u.volumes.demand(pod)
	u.classes = append(u.classes, c)
	u.classByKey[key] = c
	return c, nil
}

// classKey is equal for pods that no filter can tell apart. The protobuf form
// sorts maps, so that it is the same each time.
func classKey(pod *corev1.Pod) (string, error) {
	trim := func(from []corev1.Container) []corev1.Container {
		out := make([]corev1.Container, len(from))
		for i := range from {
			out[i] = corev1.Container{
				Name:          from[i].Name,
				Resources:     corev1.ResourceRequirements{Requests: from[i].Resources.Requests},
				Ports:         from[i].Ports,
				RestartPolicy: from[i].RestartPolicy,
			}
		}
		return out
	}
	containers, inits := trim(pod.Spec.Containers), trim(pod.Spec.InitContainers)
	volumes := slices.DeleteFunc(slices.Clone(pod.Spec.Volumes), func(v corev1.Volume) bool { return !schedulingVolume(&v) })
	reduced := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Labels: pod.Labels},
		Spec: corev1.PodSpec{
			Containers: containers, InitContainers: inits, Overhead: pod.Spec.Overhead, Resources: pod.Spec.Resources,
			NodeSelector: pod.Spec.NodeSelector, Tolerations: pod.Spec.Tolerations,
			TopologySpreadConstraints: pod.Spec.TopologySpreadConstraints,
			Affinity:                  requiredAffinity(pod.Spec.Affinity),
			Volumes:                   volumes,
		},
	}
	if len(volumes) > 0 && slices.ContainsFunc(volumes, func(v corev1.Volume) bool { return v.Ephemeral != nil }) {
		reduced.Name = pod.Name // the claim of an ephemeral volume is named after the pod
	}
	b, err := reduced.Marshal()
	if err != nil {
		return "", err
	}
	if pod.DeletionTimestamp != nil {
		b = append(b, 1)
	}
	return string(b), nil
}

// requiredAffinity drops what only scoring reads.
func requiredAffinity(a *corev1.Affinity) *corev1.Affinity {
	if a == nil {
		return nil
	}
	out := &corev1.Affinity{}
	if a.NodeAffinity != nil {
		out.NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution}
	}
	if a.PodAffinity != nil {
		out.PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution}
	}
	if a.PodAntiAffinity != nil {
		out.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution}
	}
	return out
}

// amounts keeps what the scheduler counts, in dense dimensions.
func (u *Universe) amounts(v resources.Vector) []amount {
	out := []amount{{dimPods, 1}}
	for _, a := range v {
		if a.Value <= 0 {
			continue
		}
		switch a.Name {
		case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		default:
			if !scalar(a.Name) {
				continue
			}
		}
		out = append(out, amount{u.dim(a.Name), a.Value})
	}
	slices.SortFunc(out, func(a, b amount) int { return a.dim - b.dim })
	return out
}

// Unsupported returns why a pod of the class cannot be judged here, "" if it can.
func (c *Class) Unsupported() string {
	if len(c.Pod.Spec.ResourceClaims) > 0 {
		return "dynamic resource allocation (spec.resourceClaims)"
	}
	if c.volumes != nil {
		return c.volumes.unsupported
	}
	return ""
}

// HostnameSpread reports whether the class has a spread constraint over
// hostnames, of either kind.
func (c *Class) HostnameSpread() bool {
	return slices.ContainsFunc(c.Pod.Spec.TopologySpreadConstraints, func(t corev1.TopologySpreadConstraint) bool {
		return t.TopologyKey == corev1.LabelHostname
	})
}

// OnlyTightens reports whether a node that refuses the class will not take it after more
// pods have come: nothing bears on it that more pods could loosen.
func (c *Class) OnlyTightens() bool { return len(c.spread) == 0 && c.affinity == nil }

// Spreads reports whether the class has a spread constraint that a filter enforces.
func (c *Class) Spreads() bool { return len(c.spread) > 0 }

// cloneLabels returns labels without one key.
func cloneLabels(labels map[string]string, without string) map[string]string {
	out := maps.Clone(labels)
	delete(out, without)
	return out
}
