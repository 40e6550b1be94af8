package clusterautoscaler

import (
	"reflect"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
)

// specEqual reports whether two pod specs are equal but for environment
// variables, hostname and projected volumes with their mounts, none of which
// scheduling reads (pkg/utils/utils.go, PodSpecSemanticallyEqual, at 33c3f97bf).
// It gives the answer of equality.Semantic.DeepEqual on what is left; fields that
// most pods set are compared without reflection.
func specEqual(a, b *corev1.PodSpec) bool {
	return specPartsEqual(a, b) && listQuantities(a).match(b)
}

// specWords is the size of a pod spec in machine words.
const specWords = unsafe.Sizeof(corev1.PodSpec{}) / unsafe.Sizeof(uintptr(0))

// identicalSpecs reports whether two specs are the same to the bit, as those of pods made from one
// template are: they share what their fields point to. Comparing field by field took two fifths of the
// time of a decision on 50,000 alike pods.
func identicalSpecs(a, b *corev1.PodSpec) bool {
	return *(*[specWords]uintptr)(unsafe.Pointer(a)) == *(*[specWords]uintptr)(unsafe.Pointer(b))
}

// specPartsEqual compares all but the quantities that [quantityLists] holds.
func specPartsEqual(a, b *corev1.PodSpec) bool {
	return plainSpecFieldsEqual(a, b) &&
		containersEqual(a.Containers, b.Containers, a.Volumes, b.Volumes) &&
		containersEqual(a.InitContainers, b.InitContainers, a.Volumes, b.Volumes) &&
		mapsEqual(a.NodeSelector, b.NodeSelector) &&
		tolerationsEqual(a.Tolerations, b.Tolerations) &&
		volumesEqual(a.Volumes, b.Volumes) &&
		pointeeEqual(a.Affinity, b.Affinity) &&
		sliceEqual(a.TopologySpreadConstraints, b.TopologySpreadConstraints) &&
		pointeeEqual(a.SecurityContext, b.SecurityContext) &&
		sliceEqual(a.EphemeralContainers, b.EphemeralContainers) &&
		sliceEqual(a.ImagePullSecrets, b.ImagePullSecrets) &&
		sliceEqual(a.HostAliases, b.HostAliases) &&
		pointeeEqual(a.DNSConfig, b.DNSConfig) &&
		sliceEqual(a.ReadinessGates, b.ReadinessGates) &&
		pointeeEqual(a.OS, b.OS) &&
		sliceEqual(a.SchedulingGates, b.SchedulingGates) &&
		sliceEqual(a.ResourceClaims, b.ResourceClaims) &&
		pointeeEqual(a.Resources, b.Resources) &&
		pointeeEqual(a.WorkloadRef, b.WorkloadRef)
}

// plainSpecFieldsEqual compares what needs no walk. Hostname is left out.
func plainSpecFieldsEqual(a, b *corev1.PodSpec) bool {
	return a.NodeName == b.NodeName &&
		a.RestartPolicy == b.RestartPolicy &&
		a.DNSPolicy == b.DNSPolicy &&
		a.ServiceAccountName == b.ServiceAccountName &&
		a.DeprecatedServiceAccount == b.DeprecatedServiceAccount &&
		a.HostNetwork == b.HostNetwork && a.HostPID == b.HostPID && a.HostIPC == b.HostIPC &&
		a.Subdomain == b.Subdomain &&
		a.SchedulerName == b.SchedulerName &&
		a.PriorityClassName == b.PriorityClassName &&
		valueEqual(a.Priority, b.Priority) &&
		valueEqual(a.TerminationGracePeriodSeconds, b.TerminationGracePeriodSeconds) &&
		valueEqual(a.ActiveDeadlineSeconds, b.ActiveDeadlineSeconds) &&
		valueEqual(a.AutomountServiceAccountToken, b.AutomountServiceAccountToken) &&
		valueEqual(a.ShareProcessNamespace, b.ShareProcessNamespace) &&
		valueEqual(a.RuntimeClassName, b.RuntimeClassName) &&
		valueEqual(a.EnableServiceLinks, b.EnableServiceLinks) &&
		valueEqual(a.PreemptionPolicy, b.PreemptionPolicy) &&
		valueEqual(a.SetHostnameAsFQDN, b.SetHostnameAsFQDN) &&
		valueEqual(a.HostUsers, b.HostUsers) &&
		valueEqual(a.HostnameOverride, b.HostnameOverride)
}

func containersEqual(a, b []corev1.Container, aVolumes, bVolumes []corev1.Volume) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 0 || &a[0] == &b[0] && len(aVolumes)+len(bVolumes) == 0 {
		return true
	}
	for i := range a {
		if !containerEqual(&a[i], &b[i]) || !mountsEqual(a[i].VolumeMounts, b[i].VolumeMounts, aVolumes, bVolumes) {
			return false
		}
	}
	return true
}

// containerEqual leaves out Env, VolumeMounts and quantities.
func containerEqual(a, b *corev1.Container) bool {
	return a.Name == b.Name && a.Image == b.Image && a.WorkingDir == b.WorkingDir &&
		a.TerminationMessagePath == b.TerminationMessagePath &&
		a.TerminationMessagePolicy == b.TerminationMessagePolicy &&
		a.ImagePullPolicy == b.ImagePullPolicy &&
		a.Stdin == b.Stdin && a.StdinOnce == b.StdinOnce && a.TTY == b.TTY &&
		valueEqual(a.RestartPolicy, b.RestartPolicy) &&
		sliceEqual(a.Resources.Claims, b.Resources.Claims) &&
		comparableSliceEqual(a.Command, b.Command) &&
		comparableSliceEqual(a.Args, b.Args) &&
		comparableSliceEqual(a.Ports, b.Ports) &&
		sliceEqual(a.EnvFrom, b.EnvFrom) &&
		comparableSliceEqual(a.ResizePolicy, b.ResizePolicy) &&
		sliceEqual(a.RestartPolicyRules, b.RestartPolicyRules) &&
		sliceEqual(a.VolumeDevices, b.VolumeDevices) &&
		pointeeEqual(a.LivenessProbe, b.LivenessProbe) &&
		pointeeEqual(a.ReadinessProbe, b.ReadinessProbe) &&
		pointeeEqual(a.StartupProbe, b.StartupProbe) &&
		pointeeEqual(a.Lifecycle, b.Lifecycle) &&
		pointeeEqual(a.SecurityContext, b.SecurityContext)
}

// volumesEqual compares the volumes that are not projected, in order.
func volumesEqual(a, b []corev1.Volume) bool {
	i, j := 0, 0
	for {
		for i < len(a) && a[i].Projected != nil {
			i++
		}
		for j < len(b) && b[j].Projected != nil {
			j++
		}
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if !equality.Semantic.DeepEqual(a[i], b[j]) {
			return false
		}
		i, j = i+1, j+1
	}
}

// mountsEqual compares the mounts of volumes that are not projected, in order.
func mountsEqual(a, b []corev1.VolumeMount, aVolumes, bVolumes []corev1.Volume) bool {
	i, j := 0, 0
	for {
		for i < len(a) && projected(aVolumes, a[i].Name) {
			i++
		}
		for j < len(b) && projected(bVolumes, b[j].Name) {
			j++
		}
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		x, y := &a[i], &b[j]
		if x.Name != y.Name || x.MountPath != y.MountPath || x.SubPath != y.SubPath || x.ReadOnly != y.ReadOnly ||
			x.SubPathExpr != y.SubPathExpr || !valueEqual(x.RecursiveReadOnly, y.RecursiveReadOnly) ||
			!valueEqual(x.MountPropagation, y.MountPropagation) {
			return false
		}
		i, j = i+1, j+1
	}
}

func projected(volumes []corev1.Volume, name string) bool {
	for i := range volumes {
		if volumes[i].Projected != nil && volumes[i].Name == name {
			return true
		}
	}
	return false
}

func tolerationsEqual(a, b []corev1.Toleration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := &a[i], &b[i]
		if x.Key != y.Key || x.Operator != y.Operator || x.Value != y.Value || x.Effect != y.Effect ||
			!valueEqual(x.TolerationSeconds, y.TolerationSeconds) {
			return false
		}
	}
	return true
}

// quantityLists are the quantities of a spec as lists: many specs are compared with
// one, and to range over its maps each time would be slow.
type quantityLists struct {
	containers *corev1.Container // the first; the same one needs no comparison
	lists      [][]quantity      // requests and limits of each container, then the overhead
}

type quantity struct {
	name   corev1.ResourceName
	amount resource.Quantity
}

func listQuantities(s *corev1.PodSpec) *quantityLists {
	out := &quantityLists{}
	add := func(l corev1.ResourceList) {
		list := make([]quantity, 0, len(l))
		for name, q := range l {
			list = append(list, quantity{name, q})
		}
		out.lists = append(out.lists, list)
	}
	for _, containers := range [...][]corev1.Container{s.Containers, s.InitContainers} {
		for j := range containers {
			add(containers[j].Resources.Requests)
			add(containers[j].Resources.Limits)
		}
	}
	add(s.Overhead)
	if len(s.Containers) > 0 {
		out.containers = &s.Containers[0]
	}
	return out
}

// match reports whether a spec with as many containers has the same quantities.
func (q *quantityLists) match(s *corev1.PodSpec) bool {
	if len(s.InitContainers)+len(s.Overhead)+len(q.lists[len(q.lists)-1]) == 0 && len(s.Containers) > 0 && q.containers == &s.Containers[0] {
		return true
	}
	i := 0
	for _, containers := range [...][]corev1.Container{s.Containers, s.InitContainers} {
		for j := range containers {
			r := &containers[j].Resources
			if !quantitiesMatch(q.lists[i], r.Requests) || !quantitiesMatch(q.lists[i+1], r.Limits) {
				return false
			}
			i += 2
		}
	}
	return quantitiesMatch(q.lists[i], s.Overhead)
}

func quantitiesMatch(list []quantity, l corev1.ResourceList) bool {
	if len(list) != len(l) {
		return false
	}
	for i := range list {
		if have, ok := l[list[i].name]; !ok || have != list[i].amount && list[i].amount.Cmp(have) != 0 {
			return false
		}
	}
	return true
}

// labelPair is one label of a pod.
type labelPair struct{ key, value string }

// labelPairs lists labels for comparison with many others.
func labelPairs(labels map[string]string) []labelPair {
	out := make([]labelPair, 0, len(labels))
	for k, v := range labels {
		out = append(out, labelPair{k, v})
	}
	return out
}

// pairsMatch is reflect.DeepEqual on labels: nil and empty differ.
func pairsMatch(pairs []labelPair, a, b map[string]string) bool {
	if len(pairs) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	if len(pairs) == 0 || sameMap(a, b) {
		return true
	}
	for i := range pairs {
		if v, ok := b[pairs[i].key]; !ok || v != pairs[i].value {
			return false
		}
	}
	return true
}

// sameMap reports whether both are one map, as of pods made from one template.
func sameMap(a, b map[string]string) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 0 || sameMap(a, b) {
		return true
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// valueEqual compares what two pointers point to; nil equals only nil.
func valueEqual[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// pointeeEqual is valueEqual for types that need a walk.
func pointeeEqual[T any](a, b *T) bool {
	return a == b || a != nil && b != nil && equality.Semantic.DeepEqual(a, b)
}

// sliceEqual counts nil and empty as equal, as Semantic.DeepEqual does.
func sliceEqual[T any](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] || equality.Semantic.DeepEqual(a, b)
}

func comparableSliceEqual[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
