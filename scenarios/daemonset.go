package scenarios

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// daemonSetOf puts a DaemonSet together from one of its pods. What the
// controller and the API server put into the pod comes out again: the node that
// it is bound to (by name, and by a node affinity that replaced the template's
// own, which is lost), and the labels of the revision.
func daemonSetOf(pod *corev1.Pod, ref *metav1.OwnerReference) *appsv1.DaemonSet {
	spec := pod.Spec.DeepCopy()
	spec.NodeName = ""
	if spec.Affinity != nil {
		spec.Affinity.NodeAffinity = nil
	}
	template := corev1.PodTemplateSpec{Spec: *spec}
	selector := map[string]string{}
	template.Labels = map[string]string{}
	for key, value := range pod.Labels {
		if key == appsv1.ControllerRevisionHashLabelKey || key == appsv1.DeprecatedTemplateGeneration || strings.HasPrefix(key, "pod-template-") {
			continue
		}
		template.Labels[key], selector[key] = value, value
	}
	d := &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: ref.Name, UID: ref.UID},
		Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: selector}, Template: template},
	}
	if d.UID == "" {
		d.UID = uidFor("DaemonSet", d.Namespace, d.Name)
	}
	return d
}
