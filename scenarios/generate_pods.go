package scenarios

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing/requirements"
)

const (
	labelApp = "app.kubernetes.io/name"
	// labelApart is carried by the pods that keep away from each other whatever
	// their Deployment.
	labelApart = "binwright.dev/apart"
	// taintDedicated is what tolerating pods tolerate, and what the dedicated
	// nodes of a generated scenario carry.
	taintDedicated, taintDedicatedValue = "dedicated", "batch"
)

// podBlock is how many pods are allocated at once.
const podBlock = 1024

// podMaker makes the pods of a workload's Deployments.
type podMaker struct {
	w          *Workload
	requests   *rand.Rand
	identities *rand.Rand
	// conditions say, for all pods, that the scheduler found no node.
	conditions []corev1.PodCondition

	pods []*corev1.Pod
	// block is what is left of the pods allocated last, text the bytes of the
	// names and UIDs that they will have.
	block []corev1.Pod
	text  []byte
}

func newPodMaker(w *Workload) *podMaker {
	return &podMaker{
		w:          w,
		requests:   w.stream(requestStream),
		identities: w.stream(identityStream),
		conditions: []corev1.PodCondition{{
			Type:   corev1.PodScheduled,
			Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonUnschedulable,
		}},
		pods: make([]*corev1.Pod, 0, w.Pods),
	}
}

func (m *podMaker) make(all []deployment) []*corev1.Pod {
	for i := range all {
		m.deployment(&all[i])
	}
	return m.pods
}

// deployment adds the pods of one Deployment, which share a template, and the
// container lists of those that have equal requests.
func (m *podMaker) deployment(d *deployment) {
	template := m.template(d)
	type amounts struct{ cpu, memory int64 } // in milli-CPU and bytes
	containers := map[amounts][]corev1.Container{}
	digits := len(strconv.Itoa(d.pods - 1))
	var current []corev1.Container
	for i := range d.pods {
		if i == 0 || m.w.RequestsPerPod {
			cpu := m.w.CPU.draw(m.requests, corev1.ResourceCPU)
			memory := m.w.Memory.draw(m.requests, corev1.ResourceMemory)
			key := amounts{cpu.MilliValue(), memory.Value()}
			if current = containers[key]; current == nil {
				current = m.containers(d, cpu, memory)
				containers[key] = current
			}
		}
		pod := m.next()
		*pod = template
		pod.Spec.Containers = current
		m.identify(pod, d.name, i, digits)
		m.pods = append(m.pods, pod)
	}
}

// next returns a pod of the current block or of a new one.
func (m *podMaker) next() *corev1.Pod {
	if len(m.block) == 0 {
		m.block = make([]corev1.Pod, min(podBlock, m.w.Pods-len(m.pods)))
	}
	pod := &m.block[0]
	m.block = m.block[1:]
	return pod
}

// identify gives a pod its name, the Deployment's and the pod's number in it, and
// a UID. Both are cut from one string, so that a pod costs one allocation.
func (m *podMaker) identify(pod *corev1.Pod, name string, i, digits int) {
	m.text = append(m.text[:0], name...)
	m.text = append(m.text, '-')
	var digit [20]byte
	number := strconv.AppendInt(digit[:0], int64(i), 10)
	for range digits - len(number) {
		m.text = append(m.text, '0')
	}
	m.text = append(m.text, number...)
	end := len(m.text)
	m.text = appendUID(m.text, m.identities)
	text := string(m.text)
	pod.Name, pod.UID = text[:end], types.UID(text[end:])
}

// appendUID appends a random UUID of version 4.
func appendUID(b []byte, r *rand.Rand) []byte {
	high, low := r.Uint64(), r.Uint64()
	high = high&^0xf000 | 0x4000
	low = low&^(0b11<<62) | 0b10<<62
	const digits = "0123456789abcdef"
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b = append(b, '-')
		}
		b = append(b, digits[high>>60])
		high = high<<4 | low>>60
		low <<= 4
	}
	return b
}

// containers returns the one container of a Deployment's pods.
func (m *podMaker) containers(d *deployment, cpu, memory resource.Quantity) []corev1.Container {
	requests := corev1.ResourceList{}
	if !cpu.IsZero() {
		requests[corev1.ResourceCPU] = cpu
	}
	if !memory.IsZero() {
		requests[corev1.ResourceMemory] = memory
	}
	c := corev1.Container{Name: "app", Image: "registry.k8s.io/pause:3.10", Resources: corev1.ResourceRequirements{Requests: requests}}
	if d.hostPort {
		port := int32(firstHostPort + d.ordinal%hostPorts)
		c.Ports = []corev1.ContainerPort{{Name: "host", ContainerPort: port, HostPort: port, Protocol: corev1.ProtocolTCP}}
	}
	return []corev1.Container{c}
}

// template returns what the pods of a Deployment have in common.
func (m *podMaker) template(d *deployment) corev1.Pod {
	labels := map[string]string{labelApp: d.name}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{labelApp: d.name}}
	spec := corev1.PodSpec{SchedulerName: corev1.DefaultSchedulerName}
	switch d.kind {
	case plain: // nothing to add
	case zonalSpread:
		spec.TopologySpreadConstraints = spreadOver(corev1.LabelTopologyZone, selector)
	case hostnameSpread:
		spec.TopologySpreadConstraints = spreadOver(corev1.LabelHostname, selector)
	case zonalAffinity:
		spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
				{LabelSelector: selector, TopologyKey: corev1.LabelTopologyZone},
			},
		}}
	case hostnameAntiAffinity:
		apart := selector
		if m.w.OneAntiAffinityGroup {
			labels[labelApart] = "true"
			apart = &metav1.LabelSelector{MatchLabels: map[string]string{labelApart: "true"}}
		}
		spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
				{LabelSelector: apart, TopologyKey: corev1.LabelHostname},
			},
		}}
	}
	if d.preferredIn != "" {
		prefer(&spec, d.preferredIn, selector)
	}
	if d.nodeSelector != nil || d.spot {
		spec.NodeSelector = map[string]string{}
		maps.Copy(spec.NodeSelector, d.nodeSelector)
		if d.spot {
			spec.NodeSelector[requirements.LabelCapacityType] = requirements.CapacityTypeSpot
		}
	}
	if d.tolerations {
		spec.Tolerations = []corev1.Toleration{{
			Key: taintDedicated, Operator: corev1.TolerationOpEqual, Value: taintDedicatedValue, Effect: corev1.TaintEffectNoSchedule,
		}}
	}
	return corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: m.w.Namespace, Labels: labels, OwnerReferences: m.owner(d)},
		Spec:       spec,
		Status:     corev1.PodStatus{Phase: corev1.PodPending, Conditions: m.conditions},
	}
}

// owner returns the reference to the Deployment's ReplicaSet, which is what
// owns the pods of a Deployment.
func (m *podMaker) owner(d *deployment) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: fmt.Sprintf("%s-%08x", d.name, m.identities.Uint32()),
		UID: types.UID(appendUID(nil, m.identities)), Controller: &yes, BlockOwnerDeletion: &yes,
	}}
}

func spreadOver(key string, selector *metav1.LabelSelector) []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector,
	}}
}

// prefer adds the preferences that Karpenter's benchmark puts on its pods
// (v1.14.1 pkg/controllers/provisioning/scheduling/scheduling_benchmark_test.go,
// makePreferencePods): one zone, apart by zone with the larger weight, and apart
// by hostname.
func prefer(spec *corev1.PodSpec, zone string, selector *metav1.LabelSelector) {
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	spec.Affinity.NodeAffinity = &corev1.NodeAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
			Weight: 1,
			Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}},
			}},
		}},
	}
	if spec.Affinity.PodAntiAffinity == nil {
		spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{}
	}
	apart := func(weight int32, key string) corev1.WeightedPodAffinityTerm {
		return corev1.WeightedPodAffinityTerm{Weight: weight, PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: selector, TopologyKey: key}}
	}
	spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution = slices.Concat(
		spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
		[]corev1.WeightedPodAffinityTerm{apart(10, corev1.LabelTopologyZone), apart(1, corev1.LabelHostname)},
	)
}
