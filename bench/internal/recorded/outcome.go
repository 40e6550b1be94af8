package recorded

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// Outcome is one result of a scheduling in canonical order: nodes by pool and
// pods, pods by namespace/name, instance types by name, requirements by key and
// operator. Equal decisions have equal outcomes.
type Outcome struct {
	NewNodes []NewNode      `json:"newNodes"`
	Existing []ExistingNode `json:"existing"`
	// Unschedulable maps pods to messages, which are not part of the identity.
	Unschedulable map[string]string `json:"unschedulable"`
	// TotalPrice is in US dollars an hour, rounded to six decimals.
	TotalPrice float64 `json:"totalPrice"`
}

// NewNode is a node to launch.
type NewNode struct {
	NodePool      string   `json:"nodePool"`
	Pods          []string `json:"pods"`
	InstanceTypes []string `json:"instanceTypes"`
	// Requirements are the claim's final ones, without hostname.
	Requirements []Requirement `json:"requirements"`
	// Cheapest is the cheapest available offering that the claim allows; ties go
	// to the smaller type name, zone and capacity type.
	Cheapest *Cheapest `json:"cheapest"`
}

// Cheapest is an offering of an instance type.
type Cheapest struct {
	InstanceType string  `json:"instanceType"`
	Zone         string  `json:"zone"`
	CapacityType string  `json:"capacityType"`
	Price        float64 `json:"price"`
}

// ExistingNode is a node that is there and the pods it is given.
type ExistingNode struct {
	Node string   `json:"node"`
	Pods []string `json:"pods"`
}

// Shape is an outcome up to the symmetry of zones and of alike pods.
type Shape struct {
	NodeCount     int         `json:"nodeCount"`
	TotalPrice    float64     `json:"totalPrice"`
	Nodes         []ShapeNode `json:"nodes"`
	Unschedulable []string    `json:"unschedulable"`
}

// ShapeNode is a node of a shape.
type ShapeNode struct {
	NodePool          string         `json:"nodePool"`
	PodCount          int            `json:"podCount"`
	RequestClasses    []ClassCount   `json:"requestClasses"`
	InstanceTypeCount int            `json:"instanceTypeCount"`
	Cheapest          *ShapeCheapest `json:"cheapest"`
}

// ClassCount is how many pods of a node ask for the same resources.
type ClassCount struct {
	Class string `json:"class"`
	N     int    `json:"n"`
}

// ShapeCheapest is a cheapest offering whatever its zone.
type ShapeCheapest struct {
	InstanceType string  `json:"instanceType"`
	CapacityType string  `json:"capacityType"`
	Price        float64 `json:"price"`
}

func podName(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }

// PodNames returns namespace/name of each pod, sorted.
func PodNames(pods []*corev1.Pod) []string {
	names := make([]string, len(pods))
	for i, p := range pods {
		names[i] = podName(p)
	}
	slices.Sort(names)
	return names
}

// FromPlan returns a plan as an outcome.
func FromPlan(plan *packing.Plan) *Outcome {
	o := &Outcome{Unschedulable: map[string]string{}}
	for _, l := range plan.Launches {
		n := NewNode{NodePool: l.Owner(), Pods: PodNames(l.Pods), Requirements: ClaimRequirements(List(l.Requirements))}
		for _, t := range l.Options {
			n.InstanceTypes = append(n.InstanceTypes, t.Name)
		}
		if l.InstanceType != nil {
			n.Cheapest = &Cheapest{InstanceType: l.InstanceType.Name, Zone: l.Zone, CapacityType: l.CapacityType, Price: l.Price}
		}
		o.NewNodes = append(o.NewNodes, n)
	}
	for _, placement := range plan.Placements {
		if len(placement.Pods) > 0 {
			o.Existing = append(o.Existing, ExistingNode{Node: placement.Node.Name, Pods: PodNames(placement.Pods)})
		}
	}
	for _, u := range plan.Unschedulable {
		messages := make([]string, len(u.Reasons))
		for i, r := range u.Reasons {
			messages[i] = r.Message
		}
		o.Unschedulable[podName(u.Pod)] = strings.Join(messages, "; ")
	}
	return o.Canonical()
}

// ClaimRequirements drops what only the simulation adds to a claim.
func ClaimRequirements(reqs []Requirement) []Requirement {
	return slices.DeleteFunc(reqs, func(r Requirement) bool {
		return r.Key == corev1.LabelHostname || r.Key == requirements.LabelRegistered || r.Key == requirements.LabelInitialized
	})
}

// Canonical brings the outcome into canonical order, works out the total price
// and returns it.
func (o *Outcome) Canonical() *Outcome {
	if o.NewNodes == nil {
		o.NewNodes = []NewNode{}
	}
	if o.Existing == nil {
		o.Existing = []ExistingNode{}
	}
	for i := range o.NewNodes {
		n := &o.NewNodes[i]
		slices.Sort(n.InstanceTypes)
		slices.SortFunc(n.Requirements, func(a, b Requirement) int {
			return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Operator, b.Operator))
		})
	}
	slices.SortFunc(o.NewNodes, func(a, b NewNode) int {
		return cmp.Or(cmp.Compare(a.NodePool, b.NodePool), cmp.Compare(strings.Join(a.Pods, ","), strings.Join(b.Pods, ",")))
	})
	slices.SortFunc(o.Existing, func(a, b ExistingNode) int { return cmp.Compare(a.Node, b.Node) })
	o.TotalPrice = 0
	for _, n := range o.NewNodes {
		if n.Cheapest != nil {
			o.TotalPrice += n.Cheapest.Price
		}
	}
	o.TotalPrice = math.Round(o.TotalPrice*1e6) / 1e6
	return o
}

// Key is the identity of an outcome: everything but the messages.
func (o *Outcome) Key() string {
	silent := *o
	silent.Unschedulable = map[string]string{}
	for name := range o.Unschedulable {
		silent.Unschedulable[name] = ""
	}
	return key(silent)
}

// Key is the identity of a shape.
func (s *Shape) Key() string { return key(s) }

func key(v any) string {
	var b strings.Builder
	if err := Write(&b, v); err != nil {
		// Only a price that is no number cannot be written; it equals nothing.
		return err.Error()
	}
	return b.String()
}

// RequestClasses maps each pod of the case to what it asks for, as text.
func (c *Case) RequestClasses() (map[string]string, error) {
	classes := make(map[string]string, len(c.Pods))
	for _, p := range c.Pods {
		v, err := resources.PodRequests(p)
		if err != nil {
			return nil, fmt.Errorf("pod %s: %w", podName(p), err)
		}
		parts := make([]string, len(v))
		for i, a := range v {
			q := a.Quantity()
			parts[i] = fmt.Sprintf("%s=%s", a.Name, q.String())
		}
		classes[podName(p)] = strings.Join(parts, ",")
	}
	return classes, nil
}

// Shape returns the outcome's shape; classes are those of [Case.RequestClasses].
func (o *Outcome) Shape(classes map[string]string) *Shape {
	s := &Shape{NodeCount: len(o.NewNodes), TotalPrice: o.TotalPrice, Nodes: []ShapeNode{}, Unschedulable: []string{}}
	for _, n := range o.NewNodes {
		node := ShapeNode{NodePool: n.NodePool, PodCount: len(n.Pods), InstanceTypeCount: len(n.InstanceTypes)}
		counts := map[string]int{}
		for _, p := range n.Pods {
			counts[classes[p]]++
		}
		for class, count := range counts {
			node.RequestClasses = append(node.RequestClasses, ClassCount{class, count})
		}
		slices.SortFunc(node.RequestClasses, func(a, b ClassCount) int { return cmp.Compare(a.Class, b.Class) })
		if n.Cheapest != nil {
			node.Cheapest = &ShapeCheapest{n.Cheapest.InstanceType, n.Cheapest.CapacityType, n.Cheapest.Price}
		}
		s.Nodes = append(s.Nodes, node)
	}
	slices.SortFunc(s.Nodes, func(a, b ShapeNode) int { return cmp.Compare(key(a), key(b)) })
	for name := range o.Unschedulable {
		s.Unschedulable = append(s.Unschedulable, name)
	}
	slices.Sort(s.Unschedulable)
	return s
}

// CheckPods returns an error unless every pod of the case is in the outcome exactly once.
func (o *Outcome) CheckPods(pods []*corev1.Pod) error {
	seen := map[string]int{}
	for _, n := range o.NewNodes {
		for _, p := range n.Pods {
			seen[p]++
		}
	}
	for _, n := range o.Existing {
		for _, p := range n.Pods {
			seen[p]++
		}
	}
	for p := range o.Unschedulable {
		seen[p]++
	}
	for _, p := range pods {
		if n := seen[podName(p)]; n != 1 {
			return fmt.Errorf("pod %s is in the outcome %d times", podName(p), n)
		}
	}
	if len(seen) != len(pods) {
		return fmt.Errorf("the outcome holds %d pods, the case %d", len(seen), len(pods))
	}
	return nil
}

// Difference says in one line how got first differs from want, "" if it does not.
func Difference(want, got *Outcome) string {
	if want.Key() == got.Key() {
		return ""
	}
	var missing, extra []string
	for name := range want.Unschedulable {
		if _, ok := got.Unschedulable[name]; !ok {
			missing = append(missing, name)
		}
	}
	for name := range got.Unschedulable {
		if _, ok := want.Unschedulable[name]; !ok {
			extra = append(extra, name+" ("+got.Unschedulable[name]+")")
		}
	}
	slices.Sort(missing)
	slices.Sort(extra)
	switch {
	case len(extra) > 0:
		return fmt.Sprintf("%d pods are unschedulable that upstream places, first %s", len(extra), extra[0])
	case len(missing) > 0:
		return fmt.Sprintf("%d pods are placed that upstream refuses, first %s: %s", len(missing), missing[0], want.Unschedulable[missing[0]])
	}
	for i := range min(len(want.Existing), len(got.Existing)) {
		if w, g := text(want.Existing[i]), text(got.Existing[i]); w != g {
			return fmt.Sprintf("existing node: want %s, got %s", w, g)
		}
	}
	if len(want.Existing) != len(got.Existing) {
		return fmt.Sprintf("existing nodes used: want %d, got %d", len(want.Existing), len(got.Existing))
	}
	if len(want.NewNodes) != len(got.NewNodes) {
		return fmt.Sprintf("nodes: want %d at %g $/h, got %d at %g $/h", len(want.NewNodes), want.TotalPrice, len(got.NewNodes), got.TotalPrice)
	}
	for i := range want.NewNodes {
		if d := want.NewNodes[i].difference(&got.NewNodes[i]); d != "" {
			return fmt.Sprintf("new node %d (%s): %s", i, want.NewNodes[i].NodePool, d)
		}
	}
	return fmt.Sprintf("total price: want %g, got %g", want.TotalPrice, got.TotalPrice)
}

func (n *NewNode) difference(got *NewNode) string {
	switch {
	case n.NodePool != got.NodePool:
		return fmt.Sprintf("node pool: want %s, got %s", n.NodePool, got.NodePool)
	case !slices.Equal(n.Pods, got.Pods):
		return fmt.Sprintf("pods: want %s, got %s", n.Pods, got.Pods)
	case !slices.Equal(n.InstanceTypes, got.InstanceTypes):
		return fmt.Sprintf("instance types: want %s, got %s", n.InstanceTypes, got.InstanceTypes)
	case text(n.Requirements) != text(got.Requirements):
		return fmt.Sprintf("requirements: want %s, got %s", text(n.Requirements), text(got.Requirements))
	case text(n.Cheapest) != text(got.Cheapest):
		return fmt.Sprintf("cheapest: want %s, got %s", text(n.Cheapest), text(got.Cheapest))
	}
	return ""
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
