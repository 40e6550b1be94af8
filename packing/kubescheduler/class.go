package kubescheduler

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Class is all pods that a [Scheduler] cannot tell apart: alike in namespace, labels,
// priority and everything in their specification that a decision reads.
type Class struct {
	// Pod is the first pod of the class that was met.
	Pod *corev1.Pod
	// Priority is the pods' priority, by value or by the name of their priority class.
	Priority int32
	// PreemptsNever says that the pods wait rather than preempt others (preemptionPolicy Never).
	PreemptsNever bool
	// Unsupported says why no node is found for the pods, "" if they can be judged.
	Unsupported string

	filter *feasibility.Class
	shape  *shape
	names  []string // of the only nodes that the node affinity allows, sorted
	byName bool     // names counts

	asIfCPU, asIfMemory int64 // what a bound pod counts for in scoring

	spread   softSpread
	prefers  []preference // preferred terms of the pods' own
	carries  []weighed    // terms of the pods, as others meet them
	counted  []weighed    // selectors that match the pods
	meets    []*tally     // terms of other pods that match these
	imageIDs []string     // of all containers, normalised

	relations *relations // what hints read, nil: not asked for yet

	matchedSeen, carriedSeen int // how much of the scheduler's lists counted and meets reflect
}

// classKey tells classes apart.
type classKey struct {
	filter   *feasibility.Class
	shape    *shape
	scoring  string
	priority int32
	never    bool
	owned    bool // the default spread constraints hold
}

// template is what pods made from one template share by identity.
type template struct {
	namespace, priorityClass, ownerKind string

	labels, nodeSelector, overhead unsafe.Pointer // of maps

	containers, inits *corev1.Container
	tolerations       *corev1.Toleration
	spread            *corev1.TopologySpreadConstraint
	volumes           *corev1.Volume
	claims            *corev1.PodResourceClaim
	affinity          *corev1.Affinity
	resources         *corev1.ResourceRequirements
	policy            *corev1.PreemptionPolicy

	counts      [6]int32
	priority    int32
	prioritised bool
	terminating bool
}

func templateOf(pod *corev1.Pod) template {
	spec := &pod.Spec
	t := template{
		namespace: pod.Namespace, priorityClass: spec.PriorityClassName, ownerKind: ownerKind(pod),
		labels: identity(pod.Labels), nodeSelector: identity(spec.NodeSelector), overhead: identity(spec.Overhead),
		containers: unsafe.SliceData(spec.Containers), inits: unsafe.SliceData(spec.InitContainers),
		tolerations: unsafe.SliceData(spec.Tolerations), spread: unsafe.SliceData(spec.TopologySpreadConstraints),
		volumes: unsafe.SliceData(spec.Volumes), claims: unsafe.SliceData(spec.ResourceClaims),
		affinity: spec.Affinity, resources: spec.Resources, policy: spec.PreemptionPolicy,
		counts: [6]int32{int32(len(spec.Containers)), int32(len(spec.InitContainers)), int32(len(spec.Tolerations)),
			int32(len(spec.TopologySpreadConstraints)), int32(len(spec.Volumes)), int32(len(spec.ResourceClaims))},
		terminating: pod.DeletionTimestamp != nil,
	}
	if spec.Priority != nil {
		t.priority, t.prioritised = *spec.Priority, true
	}
	return t
}

func identity[K comparable, V any](m map[K]V) unsafe.Pointer {
	return reflect.ValueOf(m).UnsafePointer()
}

// maxTemplates bounds the memory of templates: pods that share nothing would each be one.
const maxTemplates = 1 << 14

// Class returns the class of a pod. It is cheap for a pod that shares the parts of its
// specification and its labels with one that was met before, as pods made from one
// template do; these parts must not be changed afterwards. Errors name the pod and the field.
func (s *Scheduler) Class(pod *corev1.Pod) (*Class, error) {
	personal := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Ephemeral != nil }) ||
		len(pod.Status.ContainerStatuses) > 0 // whose name or whose resize counts
	if personal {
		return s.compile(pod)
	}
	t := templateOf(pod)
	if c, ok := s.memo[t]; ok {
		return c, nil
	}
	c, err := s.compile(pod)
	if err != nil {
		return nil, err
	}
	if len(s.memo) >= maxTemplates {
		clear(s.memo)
	}
	s.memo[t] = c
	return c, nil
}

func (s *Scheduler) compile(pod *corev1.Pod) (*Class, error) {
	fail := func(err error) (*Class, error) {
		return nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	filter, err := s.universe.Class(pod)
	if err != nil {
		return nil, err
	}
	c := &Class{Pod: pod, filter: filter, Unsupported: filter.Unsupported()}
	if c.Priority, c.PreemptsNever, err = s.priority(pod); err != nil {
		return fail(err)
	}
	if c.shape, err = s.shape(pod, filter); err != nil {
		return fail(err)
	}
	key := classKey{filter: filter, shape: c.shape, priority: c.Priority, never: c.PreemptsNever, owned: selectedByOwner(pod)}
	if key.scoring, err = scoringKey(pod); err != nil {
		return fail(err)
	}
	if known, ok := s.classes[key]; ok {
		return known, nil
	}
	if c.asIfCPU, c.asIfMemory, err = boundRequests(pod); err != nil {
		return fail(err)
	}
	if c.spread, err = s.softSpread(c); err != nil {
		return fail(err)
	}
	if err = s.preferences(c); err != nil {
		return fail(err)
	}
	c.names, c.byName = namedNodes(pod)
	c.imageIDs = imageNames(pod)
	s.classes[key] = c
	return c, nil
}

// scoringKey is what only scores read of a pod, but for its shape. What filters read
// is in the feasibility class.
func scoringKey(pod *corev1.Pod) (string, error) {
	reduced := corev1.Pod{}
	if a := pod.Spec.Affinity; a != nil {
		reduced.Spec.Affinity = &corev1.Affinity{}
		if a.PodAffinity != nil {
			reduced.Spec.Affinity.PodAffinity = &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution}
		}
		if a.PodAntiAffinity != nil {
			reduced.Spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution}
		}
	}
	for _, name := range imageNames(pod) {
		reduced.Spec.Containers = append(reduced.Spec.Containers, corev1.Container{Image: name})
	}
	b, err := reduced.Marshal()
	return string(b), err
}

// nodeSelection is equal for pods with the same node selector and required node affinity, "" if there is none.
func nodeSelection(pod *corev1.Pod) string {
	reduced := corev1.PodSpec{NodeSelector: pod.Spec.NodeSelector}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		reduced.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution}}
	}
	if len(reduced.NodeSelector) == 0 && reduced.Affinity == nil {
		return ""
	}
	return reduced.String()
}

// namedNodes returns the names of the nodes to which required node affinity narrows the
// search beforehand (nodeaffinity/node_affinity.go, PreFilter): every term states names.
func namedNodes(pod *corev1.Pod) ([]string, bool) {
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil, false
	}
	terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) == 0 {
		return nil, false
	}
	var names []string
	for _, t := range terms {
		var ofTerm []string
		stated := false
		for _, f := range t.MatchFields {
			if f.Key != "metadata.name" || f.Operator != corev1.NodeSelectorOpIn {
				continue
			}
			if !stated {
				ofTerm, stated = slices.Clone(f.Values), true
				continue
			}
			ofTerm = slices.DeleteFunc(ofTerm, func(v string) bool { return !slices.Contains(f.Values, v) })
		}
		if !stated {
			return nil, false
		}
		names = append(names, ofTerm...)
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// selectedByOwner reports whether a controller whose selector the original
// would take stands behind a pod (plugins/helper/spread.go, DefaultSelector).
func selectedByOwner(pod *corev1.Pod) bool { return ownerKind(pod) != "" }

// ownerKind is the kind of the pod's controller if the default spread constraints know it, else "".
func ownerKind(pod *corev1.Pod) string {
	for i := range pod.OwnerReferences {
		o := &pod.OwnerReferences[i]
		if o.Controller == nil || !*o.Controller {
			continue
		}
		switch {
		case o.Kind == "ReplicaSet" && (o.APIVersion == "apps/v1" || o.APIVersion == ""),
			o.Kind == "StatefulSet" && (o.APIVersion == "apps/v1" || o.APIVersion == ""),
			o.Kind == "ReplicationController" && (o.APIVersion == "v1" || o.APIVersion == ""):
			return o.Kind
		}
		return ""
	}
	return ""
}
