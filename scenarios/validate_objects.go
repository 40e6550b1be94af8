package scenarios

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
)

// validateObjects checks every object but pods and pod templates, which are
// checked once they are complete.
func (l *loader) validateObjects(c *cluster, catalog *instancetypes.Catalog) {
	for i := range l.objects {
		o := &l.objects[i]
		var e fieldErrors
		e.names(o)
		switch v := o.value.(type) {
		case *appsv1.Deployment:
			e.controller(v.Spec.Replicas, v.Spec.Selector, v.Spec.Template.Labels)
		case *appsv1.ReplicaSet:
			e.controller(v.Spec.Replicas, v.Spec.Selector, v.Spec.Template.Labels)
		case *appsv1.StatefulSet:
			e.statefulSet(v)
		case *appsv1.DaemonSet:
			e.controller(nil, v.Spec.Selector, v.Spec.Template.Labels)
		case *corev1.ReplicationController:
			e.notNegative32("spec.replicas", v.Spec.Replicas)
		case *batchv1.Job:
			e.job("spec", &v.Spec)
		case *batchv1.CronJob:
			e.job("spec.jobTemplate.spec", &v.Spec.JobTemplate.Spec)
		case *corev1.Node:
			e.labels("metadata.labels", v.Labels)
			e.taints("spec.taints", v.Spec.Taints)
			e.quantities("status.capacity", v.Status.Capacity)
			e.quantities("status.allocatable", v.Status.Allocatable)
		case *corev1.Namespace:
			e.labels("metadata.labels", v.Labels)
		case *corev1.LimitRange:
			e.limitRange(v)
		case *policyv1.PodDisruptionBudget:
			e.disruptionBudget(v)
		case *schedulingv1.PriorityClass:
			e.priorityClass(v)
		case *corev1.PersistentVolumeClaim:
			e.quantities("spec.resources.requests", v.Spec.Resources.Requests)
			e.quantities("spec.resources.limits", v.Spec.Resources.Limits)
			e.selector("spec.selector", v.Spec.Selector)
		case *corev1.PersistentVolume:
			e.quantities("spec.capacity", v.Spec.Capacity)
			if v.Spec.NodeAffinity != nil && v.Spec.NodeAffinity.Required != nil {
				for i := range v.Spec.NodeAffinity.Required.NodeSelectorTerms {
					e.nodeSelectorTerm(fmt.Sprintf("spec.nodeAffinity.required.nodeSelectorTerms[%d]", i), &v.Spec.NodeAffinity.Required.NodeSelectorTerms[i])
				}
			}
		case *storagev1.StorageClass:
			if v.Provisioner == "" {
				e.add("provisioner", "is missing")
			}
			if v.VolumeBindingMode != nil {
				e.oneOf("volumeBindingMode", string(*v.VolumeBindingMode), "Immediate", "WaitForFirstConsumer")
			}
		case *packing.NodePool:
			l.nodePool(o, v, catalog, &e)
		}
		for _, err := range e {
			l.problemAt(o, err)
		}
	}
}

// names checks name and namespace.
func (e *fieldErrors) names(o *object) {
	if o.name != "" && o.kind != Kind {
		for _, message := range validation.IsDNS1123Subdomain(o.name) {
			e.add("metadata.name", "%q: %s", shorten(o.name), message)
		}
	}
	if o.namespace != "" {
		for _, message := range validation.IsDNS1123Label(o.namespace) {
			e.add("metadata.namespace", "%q: %s", shorten(o.namespace), message)
		}
	}
}

func (e *fieldErrors) notNegative32(at string, n *int32) {
	if n != nil && *n < 0 {
		e.add(at, "%d is negative", *n)
	}
}

// controller checks what a controller counts its pods by.
func (e *fieldErrors) controller(replicas *int32, selector *metav1.LabelSelector, template map[string]string) {
	e.notNegative32("spec.replicas", replicas)
	if selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		e.add("spec.selector", "is missing or empty")
		return
	}
	known := len(*e)
	e.selector("spec.selector", selector)
	if len(*e) > known {
		return
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		e.add("spec.selector", "%v", err)
	} else if !s.Matches(labels.Set(template)) {
		e.add("spec.template.metadata.labels", "the selector %s does not match them", s)
	}
}

func (e *fieldErrors) limitRange(r *corev1.LimitRange) {
	for i, limit := range r.Spec.Limits {
		at := fmt.Sprintf("spec.limits[%d]", i)
		e.quantities(at+".default", limit.Default)
		e.quantities(at+".defaultRequest", limit.DefaultRequest)
		e.quantities(at+".max", limit.Max)
		e.quantities(at+".min", limit.Min)
	}
}

func (e *fieldErrors) statefulSet(s *appsv1.StatefulSet) {
	e.controller(s.Spec.Replicas, s.Spec.Selector, s.Spec.Template.Labels)
	if s.Spec.Ordinals != nil && s.Spec.Ordinals.Start < 0 {
		e.add("spec.ordinals.start", "%d is negative", s.Spec.Ordinals.Start)
	}
	for i := range s.Spec.VolumeClaimTemplates {
		at := fmt.Sprintf("spec.volumeClaimTemplates[%d]", i)
		t := &s.Spec.VolumeClaimTemplates[i]
		if t.Name == "" {
			e.add(at+".metadata.name", "is missing")
		}
		e.quantities(at+".spec.resources.requests", t.Spec.Resources.Requests)
	}
}

func (e *fieldErrors) job(at string, j *batchv1.JobSpec) {
	e.notNegative32(at+".parallelism", j.Parallelism)
	e.notNegative32(at+".completions", j.Completions)
	if j.CompletionMode != nil {
		e.oneOf(at+".completionMode", string(*j.CompletionMode), "NonIndexed", "Indexed")
		if *j.CompletionMode == batchv1.IndexedCompletion && j.Completions == nil {
			e.add(at+".completions", "is missing; an Indexed Job needs it")
		}
	}
}

func (e *fieldErrors) disruptionBudget(b *policyv1.PodDisruptionBudget) {
	e.selector("spec.selector", b.Spec.Selector)
	if b.Spec.MinAvailable != nil && b.Spec.MaxUnavailable != nil {
		e.add("spec", "minAvailable and maxUnavailable exclude each other")
	}
	for _, f := range []struct {
		name  string
		value *intstr.IntOrString
	}{{"spec.minAvailable", b.Spec.MinAvailable}, {"spec.maxUnavailable", b.Spec.MaxUnavailable}} {
		switch {
		case f.value == nil:
		case f.value.Type == intstr.Int && f.value.IntVal < 0:
			e.add(f.name, "%d is negative", f.value.IntVal)
		case f.value.Type == intstr.String && len(validation.IsValidPercent(f.value.StrVal)) > 0:
			e.add(f.name, "%q is neither a whole number nor a percentage", shorten(f.value.StrVal))
		}
	}
}

// highestUserPriority is the highest value of a priority class that is not the system's.
const highestUserPriority = 1_000_000_000

func (e *fieldErrors) priorityClass(p *schedulingv1.PriorityClass) {
	if p.Value > highestUserPriority && !strings.HasPrefix(p.Name, "system-") {
		e.add("value", "%d is above %d, which is kept for the system", p.Value, highestUserPriority)
	}
	for name, value := range map[string]int32{systemClusterCritical: systemClusterCriticalValue, systemNodeCritical: systemNodeCriticalValue} {
		if p.Name == name && p.Value != value {
			e.add("value", "%d; the system's class %s has %d", p.Value, name, value)
		}
	}
	if p.PreemptionPolicy != nil {
		e.oneOf("preemptionPolicy", string(*p.PreemptionPolicy), "PreemptLowerPriority", "Never")
	}
}
