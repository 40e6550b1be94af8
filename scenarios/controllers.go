package scenarios

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// keep notes a controller with the pod that it makes: for replays, which scale
// it and replace its pods.
func (e *expansion) keep(o *object, pattern *corev1.Pod) {
	controller := &arrivals.Controller{Kind: o.kind, Namespace: o.namespace, Name: o.name, Template: pattern}
	var uid types.UID
	switch v := o.value.(type) {
	case *appsv1.Deployment:
		uid = v.UID
		e.keepDeployment(o, v, controller)
	case *appsv1.ReplicaSet:
		d, owned := e.deploymentOf[v.UID]
		switch {
		case !owned:
			uid, controller.Replicas = v.UID, replicasOr1(v.Spec.Replicas)
		case d == nil:
			return // an older one; the Deployment makes no pods with it
		default:
			uid = d.value.UID
			controller.Kind, controller.Name = d.at.kind, d.value.Name
			e.keepDeployment(d.at, d.value, controller)
		}
	case *appsv1.StatefulSet:
		uid = v.UID
		controller.Replicas = replicasOr1(v.Spec.Replicas)
		e.keepStatefulSet(v, controller)
	case *batchv1.Job:
		if e.cluster.arriving[v.UID] {
			e.cluster.jobTemplates[v.UID] = pattern
		}
		return
	default:
		return // nothing of a timeline names it
	}
	e.cluster.controllers = append(e.cluster.controllers, controller)
	e.cluster.controllerOf[uid] = controller
}

func (e *expansion) keepDeployment(o *object, d *appsv1.Deployment, c *arrivals.Controller) {
	c.Replicas = replicasOr1(d.Spec.Replicas)
	quarter := intstr.FromString("25%")
	c.MaxSurge, c.MaxUnavailable = quarter, quarter
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		c.MaxSurge, c.MaxUnavailable = intstr.FromInt32(0), intstr.FromString("100%")
		return
	}
	update := d.Spec.Strategy.RollingUpdate
	if update == nil {
		return
	}
	const field = "spec.strategy.rollingUpdate"
	c.MaxSurge = e.amount(o, field+".maxSurge", update.MaxSurge, quarter)
	c.MaxUnavailable = e.amount(o, field+".maxUnavailable", update.MaxUnavailable, quarter)
	if isZero(c.MaxSurge) && isZero(c.MaxUnavailable) {
		e.l.problemAt(o, fieldError{field + ".maxUnavailable", "is 0, and so is maxSurge; one of them is above 0"})
	}
}

// keepStatefulSet completes the template of a StatefulSet: its pods have the
// label of the revision, and a claim of each of its templates.
func (e *expansion) keepStatefulSet(s *appsv1.StatefulSet, c *arrivals.Controller) {
	template := *c.Template
	c.Template = &template
	var volumes []corev1.Volume
	templates := map[string]bool{}
	for i := range s.Spec.VolumeClaimTemplates {
		name := s.Spec.VolumeClaimTemplates[i].Name
		templates[name] = true
		c.ClaimTemplates = append(c.ClaimTemplates, name)
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name + "-" + s.Name},
		}})
	}
	for _, v := range template.Spec.Volumes {
		if !templates[v.Name] {
			volumes = append(volumes, v)
		}
	}
	template.Spec.Volumes = volumes
}

// amount returns a number or percentage of pods, or its default, and notes what is neither.
func (e *expansion) amount(o *object, field string, v *intstr.IntOrString, byDefault intstr.IntOrString) intstr.IntOrString {
	if v == nil {
		return byDefault
	}
	if n, err := intstr.GetScaledValueFromIntOrPercent(v, 100, true); err != nil || n < 0 {
		e.l.problemAt(o, fieldError{field, "\"" + shorten(v.String()) + "\" is not a number from 0 on or a percentage"})
		return byDefault
	}
	return *v
}

func isZero(v intstr.IntOrString) bool {
	n, err := intstr.GetScaledValueFromIntOrPercent(&v, 100, true)
	return err == nil && n == 0
}

// tie gives a pod in the input whose reference to its controller states no UID
// the controller's, as the cluster would have it.
func tie(ref *metav1.OwnerReference, uid types.UID) {
	if ref.UID == "" {
		ref.UID = uid
	}
}
