package packing

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// Plan is a packer's answer: every pod of the snapshot is in exactly one
// launch, one placement or one entry of Unschedulable.
type Plan struct {
	// Packer is the name of the packer that made the plan.
	Packer string
	// Launches are the nodes to launch, in the order in which they were opened.
	Launches []*Launch
	// Placements are the pods that go to nodes that exist, in the order of the snapshot's nodes.
	Placements []Placement
	// Unschedulable are the pods that fit nowhere, in the order of the snapshot's pods.
	Unschedulable []Unschedulable
}

// Launch is one node to launch and the pods that it is for. Exactly one of
// NodePool and NodeGroup is set.
type Launch struct {
	// Name is unique within the plan and stands for the node's name and hostname.
	Name string
	// NodePool is the Karpenter node pool that launches the node.
	NodePool *NodePool
	// NodeGroup is the Cluster Autoscaler node group that grows by it.
	NodeGroup *NodeGroup
	// Upcoming says that the node was asked for before the snapshot was taken and has
	// not come yet: the group's TargetSize counts it already.
	Upcoming bool
	// InstanceType is what is expected to be launched. Nil if the node group knows only its template.
	InstanceType *instancetypes.InstanceType
	// Zone and CapacityType are those of the offering expected.
	Zone, CapacityType string
	// Price is that of the offering, in US dollars an hour.
	Price float64
	// Pods are the pods that the node is for, daemon pods not among them.
	Pods []*corev1.Pod
	// Options are the instance types that the node claim leaves to the cloud to
	// choose from (Karpenter); launches may share one slice.
	Options []*instancetypes.InstanceType
	// Requirements are those of the node claim (Karpenter), without hostname.
	Requirements requirements.Set
}

// Node returns the node as it is expected to join the cluster: with the labels
// and taints of its pool or group, its instance type, its offering and its own
// hostname. Start-up taints are not on it: they go before pods come. A label for which the
// requirements leave a choice gets [requirements.Requirement.Any], as Karpenter v1.14.1
// settles the labels that neither it nor the provider defines
// (pkg/controllers/provisioning/scheduling/nodeclaimtemplate.go). It is built anew at each call.
func (l *Launch) Node() *corev1.Node {
	if l.NodeGroup != nil {
		n := &corev1.Node{}
		if l.NodeGroup.Template != nil {
			n = l.NodeGroup.Template.DeepCopy()
		}
		n.Name = l.Name
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		n.Labels[corev1.LabelHostname] = l.Name
		return n
	}
	n := &corev1.Node{}
	var taints []corev1.Taint
	if l.NodePool != nil {
		taints = slices.Clone(l.NodePool.Spec.Template.Spec.Taints)
	}
	if l.InstanceType != nil {
		n = TemplateNode(l.InstanceType, TemplateOptions{Zone: l.Zone, CapacityType: l.CapacityType})
	}
	n.ObjectMeta = metav1.ObjectMeta{Name: l.Name, Labels: l.labels(n.Labels)}
	n.Spec.Taints = taints
	return n
}

// labels adds to the labels of the instance type what requirements, pool and offering settle.
func (l *Launch) labels(ofType map[string]string) map[string]string {
	labels := map[string]string{}
	for _, r := range l.Requirements {
		if l.InstanceType != nil && l.InstanceType.Requirements.Has(r.Key()) {
			r = l.InstanceType.Requirements.Get(r.Key()).Intersect(r)
		} else if requirements.WellKnown(r.Key()) && r.Complement() {
			continue // nobody settles what neither the type nor the offering carries
		}
		if v := r.Any(); v != "" {
			labels[r.Key()] = v
		}
	}
	if l.NodePool != nil {
		maps.Copy(labels, l.NodePool.Spec.Template.Labels)
		labels[LabelNodePool] = l.NodePool.Name
	}
	maps.Copy(labels, ofType)
	if o := l.Offering(); o != nil {
		maps.Copy(labels, SingleValues(o.Requirements))
	}
	labels[corev1.LabelHostname] = l.Name
	return labels
}

// Offering returns the available offering of the instance type that the launch describes
// by zone, capacity type and price; of several, as of reservations, the first that its requirements
// allow. It is nil if there is none.
func (l *Launch) Offering() *instancetypes.Offering {
	if l.InstanceType == nil {
		return nil
	}
	var found *instancetypes.Offering
	for i := range l.InstanceType.Offerings {
		o := &l.InstanceType.Offerings[i]
		if !o.Available || o.Price != l.Price || o.Zone() != l.Zone || o.CapacityType() != l.CapacityType {
			continue
		}
		if l.Requirements.Intersects(o.Requirements) == nil {
			return o
		}
		if found == nil {
			found = o
		}
	}
	return found
}

// Owner returns the name of the node pool or node group, "" if the launch has neither.
func (l *Launch) Owner() string {
	switch {
	case l.NodePool != nil:
		return l.NodePool.Name
	case l.NodeGroup != nil:
		return l.NodeGroup.Name
	default:
		return ""
	}
}

// Placement is the pods that go to one node that exists.
type Placement struct {
	Node *Node
	Pods []*corev1.Pod
}

// Unschedulable is a pod that the packer could not place, and why.
type Unschedulable struct {
	Pod *corev1.Pod
	// Reasons are one for each node pool or node group that was tried, in the
	// packer's order; alike pods may share one slice.
	Reasons []Reason
}

// Reason is why one pool, group or node refused a pod.
type Reason struct {
	// Kind tells a refusal from something that the packer does not model.
	Kind ReasonKind
	// Subject is the name of the node pool, node group or node; "" for the pod itself.
	Subject string
	// Message says why, in meaning as the original autoscaler words it.
	Message string
}

// ReasonKind tells reasons apart where callers branch.
type ReasonKind uint8

const (
	// Refused: the rules forbid the pod there.
	Refused ReasonKind = iota
	// NotSupported: the pod states a constraint that the packer does not model;
	// it is refused rather than placed in disregard of it.
	NotSupported
	// LimitReached: a limit of the pool, the group or the cluster stands in the way.
	LimitReached
)

// String returns "refused", "not supported" or "limit reached".
func (k ReasonKind) String() string {
	return [...]string{"refused", "not supported", "limit reached"}[min(k, LimitReached)]
}

// Cost returns what the launches cost together, in US dollars an hour. The sum
// does not depend on their order.
func (p *Plan) Cost() float64 {
	prices := make([]float64, len(p.Launches))
	for i, l := range p.Launches {
		prices[i] = l.Price
	}
	return instancetypes.SumPrices(prices)
}

// PodCount returns how many pods are placed, on launches and on existing nodes.
func (p *Plan) PodCount() int {
	n := 0
	for _, l := range p.Launches {
		n += len(l.Pods)
	}
	for _, pl := range p.Placements {
		n += len(pl.Pods)
	}
	return n
}
