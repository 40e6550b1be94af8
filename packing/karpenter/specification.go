package karpenter

import (
	"encoding/binary"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// specWriter writes down, byte for byte, what of a pod's specification a decision
// can read, so that equal bytes are equal pods. Lengths go before texts, so that
// nothing runs together.
type specWriter struct {
	buf  []byte
	keys []string
}

// demand writes what the pod asks for.
func (w *specWriter) demand(p *corev1.Pod) []byte {
	w.buf = w.buf[:0]
	s := &p.Spec
	w.number(len(s.Containers))
	for i := range s.Containers {
		w.resources(s.Containers[i].Resources.Requests)
	}
	w.number(len(s.InitContainers))
	for i := range s.InitContainers {
		c := &s.InitContainers[i]
		w.flag(c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways)
		w.resources(c.Resources.Requests)
	}
	w.flag(s.Resources != nil)
	if s.Resources != nil {
		w.resources(s.Resources.Requests)
	}
	w.resources(s.Overhead)
	for _, list := range [...][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses} {
		for i := range list {
			if list[i].Resources != nil || list[i].AllocatedResources != nil {
				// A resize in place: as good as never seen on a waiting pod.
				w.text(string(p.UID))
				w.text(p.Namespace + "/" + p.Name)
			}
		}
	}
	return w.buf
}

// constraints writes where the pod may go. Labels are not part of it.
func (w *specWriter) constraints(p *corev1.Pod) []byte {
	w.buf = w.buf[:0]
	w.text(p.Namespace)
	s := &p.Spec
	for i := range s.Containers {
		w.ports(&s.Containers[i])
	}
	w.flag(usesResourceClaims(&p.Spec))
	w.labels(s.NodeSelector)
	w.affinity(s.Affinity)
	w.number(len(s.Tolerations))
	for i := range s.Tolerations {
		w.toleration(&s.Tolerations[i])
	}
	w.number(len(s.TopologySpreadConstraints))
	for i := range s.TopologySpreadConstraints {
		w.spread(&s.TopologySpreadConstraints[i])
	}
	w.volumes(p)
	return w.buf
}

func (w *specWriter) number(n int)  { w.buf = binary.AppendVarint(w.buf, int64(n)) }
func (w *specWriter) text(s string) { w.number(len(s)); w.buf = append(w.buf, s...) }

func (w *specWriter) flag(b bool) {
	if b {
		w.buf = append(w.buf, 1)
		return
	}
	w.buf = append(w.buf, 0)
}

func (w *specWriter) texts(list []string) {
	w.number(len(list))
	for _, s := range list {
		w.text(s)
	}
}

func (w *specWriter) labels(m map[string]string) {
	w.number(len(m))
	if len(m) < 2 {
		for k, v := range m {
			w.text(k)
			w.text(v)
		}
		return
	}
	at := len(w.keys)
	for k := range m {
		w.keys = append(w.keys, k)
	}
	slices.Sort(w.keys[at:])
	for _, k := range w.keys[at:] {
		w.text(k)
		w.text(m[k])
	}
	w.keys = w.keys[:at]
}

func (w *specWriter) ports(c *corev1.Container) {
	for i := range c.Ports {
		if p := &c.Ports[i]; p.HostPort != 0 {
			w.number(int(p.HostPort))
			w.text(p.HostIP)
			w.text(string(p.Protocol))
		}
	}
	w.number(0)
}

// resources writes amounts in the units in which they are compared.
func (w *specWriter) resources(list corev1.ResourceList) {
	w.number(len(list))
	rest := len(list)
	if q, ok := list[corev1.ResourceCPU]; ok {
		w.buf = append(w.buf, 'c')
		w.quantity(&q, q.MilliValue())
		rest--
	}
	if q, ok := list[corev1.ResourceMemory]; ok {
		w.buf = append(w.buf, 'm')
		w.quantity(&q, q.Value())
		rest--
	}
	if rest == 0 {
		return
	}
	at := len(w.keys)
	for k := range list {
		if k != corev1.ResourceCPU && k != corev1.ResourceMemory {
			w.keys = append(w.keys, string(k))
		}
	}
	slices.Sort(w.keys[at:])
	for _, k := range w.keys[at:] {
		q := list[corev1.ResourceName(k)]
		w.text(k)
		w.quantity(&q, q.Value())
	}
	w.keys = w.keys[:at]
}

// mostExact bounds the quantities that surely are what their number says; beyond,
// they may overflow, and numbers of different ones be equal.
var mostExact = *resource.NewQuantity(1<<50, resource.BinarySI)

func exact(q *resource.Quantity) bool { return q.Sign() >= 0 && q.Cmp(mostExact) <= 0 }

// quantity writes an amount, in words if the number cannot tell it.
func (w *specWriter) quantity(q *resource.Quantity, amount int64) {
	if exact(q) {
		w.buf = append(w.buf, 0)
		w.buf = binary.AppendVarint(w.buf, amount)
		return
	}
	w.buf = append(w.buf, 1)
	w.text(q.String())
}

func (w *specWriter) affinity(a *corev1.Affinity) {
	w.flag(a != nil)
	if a == nil {
		return
	}
	w.flag(a.NodeAffinity != nil)
	if n := a.NodeAffinity; n != nil {
		r := n.RequiredDuringSchedulingIgnoredDuringExecution
		w.flag(r != nil)
		if r != nil {
			w.number(len(r.NodeSelectorTerms))
			for i := range r.NodeSelectorTerms {
				w.term(&r.NodeSelectorTerms[i])
			}
		}
		w.number(len(n.PreferredDuringSchedulingIgnoredDuringExecution))
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			t := &n.PreferredDuringSchedulingIgnoredDuringExecution[i]
			w.number(int(t.Weight))
			w.term(&t.Preference)
		}
	}
	w.flag(a.PodAffinity != nil)
	if p := a.PodAffinity; p != nil {
		w.podTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	w.flag(a.PodAntiAffinity != nil)
	if p := a.PodAntiAffinity; p != nil {
		w.podTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (w *specWriter) term(t *corev1.NodeSelectorTerm) {
	for _, list := range [...][]corev1.NodeSelectorRequirement{t.MatchExpressions, t.MatchFields} {
		w.number(len(list))
		for i := range list {
			w.text(list[i].Key)
			w.text(string(list[i].Operator))
			w.texts(list[i].Values)
		}
	}
}

func (w *specWriter) podTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	w.number(len(required))
	for i := range required {
		w.podTerm(&required[i])
	}
	w.number(len(preferred))
	for i := range preferred {
		w.number(int(preferred[i].Weight))
		w.podTerm(&preferred[i].PodAffinityTerm)
	}
}

func (w *specWriter) podTerm(t *corev1.PodAffinityTerm) {
	w.text(t.TopologyKey)
	w.selector(t.LabelSelector)
	w.texts(t.Namespaces)
	w.selector(t.NamespaceSelector)
	w.texts(t.MatchLabelKeys)
	w.texts(t.MismatchLabelKeys)
}

func (w *specWriter) selector(s *metav1.LabelSelector) {
	w.flag(s != nil)
	if s == nil {
		return
	}
	w.labels(s.MatchLabels)
	w.number(len(s.MatchExpressions))
	for i := range s.MatchExpressions {
		e := &s.MatchExpressions[i]
		w.text(e.Key)
		w.text(string(e.Operator))
		w.texts(e.Values)
	}
}

func (w *specWriter) toleration(t *corev1.Toleration) {
	w.text(t.Key)
	w.text(string(t.Operator))
	w.text(t.Value)
	w.text(string(t.Effect))
	if t.TolerationSeconds != nil {
		w.number(int(*t.TolerationSeconds))
	}
	w.flag(t.TolerationSeconds != nil)
}

func (w *specWriter) spread(c *corev1.TopologySpreadConstraint) {
	w.number(int(c.MaxSkew))
	w.text(c.TopologyKey)
	w.text(string(c.WhenUnsatisfiable))
	w.selector(c.LabelSelector)
	w.flag(c.MinDomains != nil)
	if c.MinDomains != nil {
		w.number(int(*c.MinDomains))
	}
	for _, p := range [...]*corev1.NodeInclusionPolicy{c.NodeAffinityPolicy, c.NodeTaintsPolicy} {
		w.flag(p != nil)
		if p != nil {
			w.text(string(*p))
		}
	}
	w.texts(c.MatchLabelKeys)
}

// volumes writes the claims by name, the generated names of ephemeral ones too:
// pods that mount different claims can go to different places.
func (w *specWriter) volumes(p *corev1.Pod) {
	for i := range p.Spec.Volumes {
		switch v := &p.Spec.Volumes[i]; {
		case v.PersistentVolumeClaim != nil:
			w.text(v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			w.text(p.Name + "-" + v.Name)
		}
	}
	w.number(0)
}
