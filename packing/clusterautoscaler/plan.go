package clusterautoscaler

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/feasibility"
	"github.com/binwright/binwright/packing/requirements"
)

// newLaunch is the n-th node that a group gets.
func (r *run) newLaunch(g *packing.NodeGroup, t *template, n int) *packing.Launch {
	l := &packing.Launch{
		Name:         fmt.Sprintf("%s-new-%d", g.Name, n),
		NodeGroup:    g,
		Zone:         t.node().Labels[corev1.LabelTopologyZone],
		CapacityType: capacityType(t.node().Labels),
		Price:        g.Price,
	}
	if len(g.InstanceTypes) > 0 {
		l.InstanceType = g.InstanceTypes[0]
		l.Options = instanceOptions(g.InstanceTypes)
	}
	return l
}

// instanceOptions are the types that a mixed-instances policy may launch instead
// of the first, which the template is of; nil if there is only one.
func instanceOptions(types []*instancetypes.InstanceType) []*instancetypes.InstanceType {
	if len(types) < 2 {
		return nil
	}
	return types
}

func capacityType(labels map[string]string) string {
	if c := labels[requirements.LabelCapacityType]; c != "" {
		return c
	}
	return requirements.CapacityTypeOnDemand
}

// plan turns the state at rest into a plan.
func (r *run) plan(last *loop) *packing.Plan {
	plan := &packing.Plan{Packer: Name}
	byNode := make(map[*packing.Node][]int32)
	for _, m := range r.members {
		if m.launch != nil {
			m.launch.Pods = r.podsOf(m.placed)
			plan.Launches = append(plan.Launches, m.launch)
		} else if len(m.placed) > 0 {
			byNode[m.existing] = m.placed
		}
	}
	for _, n := range r.snapshot.Nodes {
		if pods := byNode[n]; len(pods) > 0 {
			plan.Placements = append(plan.Placements, packing.Placement{Node: n, Pods: r.podsOf(pods)})
		}
	}
	reasons := r.reasons(last)
	for i, pod := range r.pods.pods {
		if !r.bound[i] {
			plan.Unschedulable = append(plan.Unschedulable, packing.Unschedulable{Pod: pod, Reasons: reasons(int32(i))})
		}
	}
	return plan
}

// reasons returns why a pod that is left has no place. Pods of one kind share their reasons.
func (r *run) reasons(last *loop) func(pod int32) []packing.Reason {
	one := func(kind packing.ReasonKind, format string, args ...any) []packing.Reason {
		return []packing.Reason{{Kind: kind, Message: fmt.Sprintf(format, args...)}}
	}
	awaited := make(map[int32]bool, len(last.pending))
	for _, p := range last.pending {
		awaited[p] = true
	}
	byKind := make(map[*kind][]packing.Reason)
	return func(p int32) []packing.Reason {
		pod, k := r.pods.pods[p], r.pods.kinds[p]
		switch {
		case k.unsupported != "":
			return one(packing.NotSupported, "%s", k.unsupported)
		case k.terminating():
			return one(packing.Refused, "pod is being deleted")
		case r.expendable(k):
			return one(packing.Refused, "pod is expendable: priority %d is below %d", k.priority, r.settings.ExpendablePodsPriorityCutoff)
		case r.pods.daemon[p]:
			return one(packing.Refused, "pod of a DaemonSet does not cause a scale-up")
		case !awaited[p]:
			return one(packing.Refused, "pod %s is too young to be looked at", pod.Name)
		}
		if known, ok := byKind[k]; ok {
			return known
		}
		byKind[k] = r.kindReasons(last, k)
		return byKind[k]
	}
}

func (r *run) kindReasons(last *loop, k *kind) []packing.Reason {
	if len(last.attempts) == 0 {
		message := "no scale-up was tried: " + string(last.result)
		if last.result == ScaleUpLimitedByMaxNodesTotal {
			message = fmt.Sprintf("max nodes total %d reached", r.settings.MaxNodesTotal)
		}
		return []packing.Reason{{Kind: packing.LimitReached, Message: message}}
	}
	a := last.attempts[len(last.attempts)-1]
	var out []packing.Reason
	for g, group := range r.groups {
		reason := packing.Reason{Subject: group.Name}
		switch {
		case a.skipped[g] != "":
			reason.Kind, reason.Message = packing.LimitReached, a.skipped[g]
		case a.refused[g][k.class.Index] != feasibility.Fits:
			reason.Message = r.refusalText(k.class, g, a.refused[g][k.class.Index])
		case last.result == ScaleUpError:
			reason.Kind, reason.Message = packing.LimitReached, fmt.Sprintf("max nodes total %d reached", r.settings.MaxNodesTotal)
		default:
			reason.Kind, reason.Message = packing.LimitReached, "pod would fit, but no node could be added for it"
		}
		out = append(out, reason)
	}
	return out
}

// refusalText words a refusal; for resources it names those that a fresh node lacks.
func (r *run) refusalText(c *feasibility.Class, group int, refusal feasibility.Refusal) string {
	if refusal != feasibility.Resources {
		return refusal.String()
	}
	t := r.templates[group]
	free := t.profile.Allocatable.Sub(t.used)
	var lacking []string
	for _, a := range c.Requests {
		if a.Value > 0 && a.Value > free.Get(a.Name) {
			lacking = append(lacking, "Insufficient "+string(a.Name))
		}
	}
	if len(lacking) == 0 {
		return "Too many pods"
	}
	return strings.Join(lacking, ", ")
}
