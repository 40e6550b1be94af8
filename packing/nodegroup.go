package packing

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// NodeGroup is a group of like nodes that Cluster Autoscaler resizes: an AWS
// Auto Scaling group, a GKE node pool, an Azure scale set.
type NodeGroup struct {
	// Name identifies the group; it must be unique.
	Name string
	// MinSize and MaxSize bound the number of nodes; TargetSize is what the cloud
	// has been asked for so far.
	MinSize, MaxSize, TargetSize int
	// Template is the node that the cloud provider says it would add: labels,
	// taints, capacity and allocatable. Its name and hostname do not count.
	Template *corev1.Node
	// InstanceTypes are what the group can launch, nil where only the template is
	// known. With several (a mixed-instances policy) the template is of the first.
	InstanceTypes []*instancetypes.InstanceType
	// Zones are those in which the group launches, as evenly as it can; nil: in that
	// of the template. The template has only one, which is what the autoscaler sees.
	Zones []string
	// Price is what one node costs in US dollars an hour.
	Price float64
	// Priority serves the priority expander; the highest wins.
	Priority int
	// ZeroOrMax groups are scaled from zero to MaxSize at once or not at all
	// (ZeroOrMaxNodeScaling).
	ZeroOrMax bool
}

// ErrNodeGroup is what Validate wraps.
var ErrNodeGroup = errors.New("bad node group")

// Validate checks what no autoscaler could work with. Errors name the group and
// the field and wrap [ErrNodeGroup].
func (g *NodeGroup) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: node group %q: %s", ErrNodeGroup, g.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case g.Name == "":
		return bad("it has no name")
	case g.MinSize < 0:
		return bad("min size %d is negative", g.MinSize)
	case g.MaxSize < g.MinSize:
		return bad("max size %d is below min size %d", g.MaxSize, g.MinSize)
	case g.TargetSize < 0:
		return bad("target size %d is negative", g.TargetSize)
	case g.Template == nil:
		return bad("it has no template node")
	case !(g.Price >= 0) || math.IsInf(g.Price, 1): // the first also refuses NaN
		return bad("price %v is not a number from 0 on", g.Price)
	}
	return nil
}

// TemplateOptions are what a template node has beyond its instance type.
type TemplateOptions struct {
	Zone         string
	CapacityType string // on-demand if empty
	Labels       map[string]string
	Taints       []corev1.Taint
	// FullCapacity makes allocatable equal capacity and pods 110, as Cluster
	// Autoscaler's AWS provider builds the template of a group that it scales up
	// from zero, unless the group's tags say otherwise.
	FullCapacity bool
}

// MaxPodsFromZero is the number of pods in the template of an AWS group that is
// scaled up from zero.
const MaxPodsFromZero = 110

// TemplateNode returns a node of an instance type as it would join a cluster,
// but for its name: the labels that the type has one value of, those of the
// options, taints, capacity and allocatable.
func TemplateNode(t *instancetypes.InstanceType, o TemplateOptions) *corev1.Node {
	capacityType := o.CapacityType
	if capacityType == "" {
		capacityType = requirements.CapacityTypeOnDemand
	}
	labels := SingleValues(t.Requirements)
	labels[requirements.LabelCapacityType] = capacityType
	if o.Zone != "" {
		labels[corev1.LabelTopologyZone] = o.Zone
	}
	for i := range t.Offerings {
		if of := &t.Offerings[i]; of.Zone() == o.Zone && of.CapacityType() == capacityType {
			maps.Copy(labels, SingleValues(of.Requirements))
			break
		}
	}
	maps.Copy(labels, o.Labels)

	capacity, allocatable := t.Capacity, t.Allocatable()
	if o.FullCapacity {
		capacity = capacity.With(corev1.ResourcePods, MaxPodsFromZero)
		allocatable = capacity
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.NodeSpec{Taints: slices.Clone(o.Taints)},
		Status: corev1.NodeStatus{
			Capacity:    capacity.List(),
			Allocatable: clampNegative(allocatable).List(),
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
}

// SingleValues returns the labels on which the requirements leave one value.
func SingleValues(s requirements.Set) map[string]string {
	labels := make(map[string]string, len(s))
	for _, r := range s {
		if !r.Complement() && len(r.Values()) == 1 {
			labels[r.Key()] = r.Values()[0]
		}
	}
	return labels
}

func clampNegative(v resources.Vector) resources.Vector { return v.Max(nil) }
