package clusterautoscaler

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/resources"
)

// Difference is how a node that a group may really launch differs from the template that
// the plan was made with. Groups with several instance types (mixed-instances policies)
// launch any of them, and even the first may hold less than a template from zero promises.
type Difference struct {
	// InstanceType is what may be launched.
	InstanceType *instancetypes.InstanceType
	// Planned and Launched are what a node can allocate by the template and of the type.
	Planned, Launched resources.Vector
	// Short is what the pods of the launch, daemon pods apart, request beyond Launched; empty
	// if they fit. Those that do not stay pending until another loop.
	Short resources.Vector
}

// Differences returns, for each instance type that may come for a launch, the first
// included, how its node would differ from the template, in the order of the group's
// types. Types whose nodes can allocate the same are left out. Errors name the pod or the
// group and the field.
func Differences(l *packing.Launch) ([]Difference, error) {
	if l.NodeGroup == nil || l.NodeGroup.Template == nil {
		return nil, nil
	}
	planned, err := resources.FromList(l.NodeGroup.Template.Status.Allocatable)
	if err != nil {
		return nil, fmt.Errorf("node group %q: template: status.allocatable: %w", l.NodeGroup.Name, err)
	}
	requested := resources.Vector{}.With(corev1.ResourcePods, int64(len(l.Pods)))
	for _, pod := range l.Pods {
		requests, err := resources.PodRequests(pod)
		if err != nil {
			return nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		requested = requested.Add(requests)
	}
	var out []Difference
	for _, t := range l.NodeGroup.InstanceTypes {
		launched := t.Allocatable()
		if planned.Equal(launched) {
			continue
		}
		d := Difference{InstanceType: t, Planned: planned, Launched: launched}
		for _, a := range requested {
			if beyond := a.Value - launched.Get(a.Name); a.Value > 0 && beyond > 0 {
				d.Short = d.Short.With(a.Name, beyond)
			}
		}
		out = append(out, d)
	}
	return out, nil
}
