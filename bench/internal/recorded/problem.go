package recorded

import (
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// Problem is a case in Binwright's own types.
type Problem struct {
	Name      string
	Features  []string
	Snapshot  *packing.Snapshot
	Catalog   *instancetypes.Catalog
	NodePools []*packing.NodePool
	// PoolTypes names the instance types of pools that have not all of the catalog.
	PoolTypes map[string][]string
	Options   Options
}

// CatalogOf returns the instance types that a pool has.
func (p *Problem) CatalogOf(pool string) *instancetypes.Catalog {
	names, restricted := p.PoolTypes[pool]
	if !restricted {
		return p.Catalog
	}
	return p.Catalog.Filter(func(t *instancetypes.InstanceType) bool { return slices.Contains(names, t.Name) })
}

// Problem converts the case. Errors name the instance type, offering or node at fault.
func (c *Case) Problem() (*Problem, error) {
	catalog, err := c.catalog()
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	s := &packing.Snapshot{
		Pods: c.Pods, PodDisruptionBudgets: c.PDBs, Namespaces: c.Namespaces,
		PersistentVolumeClaims: c.PersistentVolumeClaims, PersistentVolumes: c.PersistentVolumes,
		StorageClasses: c.StorageClasses, CSINodes: c.CSINodes,
	}
	if c.Now != nil {
		s.Now = c.Now.Time
	}
	byName := map[string]*packing.Node{}
	for _, n := range c.Nodes {
		node := &packing.Node{Node: n}
		byName[n.Name] = node
		s.Nodes = append(s.Nodes, node)
	}
	for _, p := range c.BoundPods {
		node, ok := byName[p.Spec.NodeName]
		if !ok {
			return nil, fmt.Errorf("case %s: bound pod %s: no node %q", c.Name, podName(p), p.Spec.NodeName)
		}
		node.Pods = append(node.Pods, p)
	}
	for _, p := range c.DaemonSetPods {
		s.DaemonSets = append(s.DaemonSets, daemonSetOf(p))
	}
	if len(s.Namespaces) == 0 {
		s.Namespaces = c.namespaces()
	}
	return &Problem{
		Name: c.Name, Features: c.Features, Snapshot: s, Catalog: catalog,
		NodePools: c.NodePools, PoolTypes: c.PoolInstanceTypes, Options: c.Options,
	}, nil
}

// namespaces are those that the case's pods live in, with the label that every
// namespace of a cluster carries, as the recording had them.
func (c *Case) namespaces() []*corev1.Namespace {
	var names []string
	for _, p := range slices.Concat(c.Pods, c.BoundPods, c.DaemonSetPods) {
		if p.Namespace != "" {
			names = append(names, p.Namespace)
		}
	}
	slices.Sort(names)
	var out []*corev1.Namespace
	for _, name := range slices.Compact(names) {
		out = append(out, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{corev1.LabelMetadataName: name},
		}})
	}
	return out
}

func (c *Case) catalog() (*instancetypes.Catalog, error) {
	info := instancetypes.Info{Provider: "recorded", WellKnownLabels: slices.Clone(c.Options.WellKnownLabels)}
	if label := c.Options.ReservationIDLabel; label != "" {
		info.WellKnownLabels = append(info.WellKnownLabels, label)
	}
	var types []*instancetypes.InstanceType
	for i := range c.InstanceTypes {
		t, err := c.InstanceTypes[i].convert()
		if err != nil {
			return nil, fmt.Errorf("instance type %s: %w", c.InstanceTypes[i].Name, err)
		}
		types = append(types, t)
	}
	return instancetypes.NewCatalog(info, types...)
}

func (t *InstanceType) convert() (*instancetypes.InstanceType, error) {
	capacity, err1 := resources.FromList(t.Capacity)
	overhead, err2 := resources.FromList(t.Overhead)
	reqs, err3 := Set(t.Requirements)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	out := &instancetypes.InstanceType{Name: t.Name, Capacity: capacity, Overhead: overhead, Requirements: reqs}
	for i, o := range t.Offerings {
		reqs, err := Set(o.Requirements)
		if err != nil {
			return nil, fmt.Errorf("offerings[%d]: %w", i, err)
		}
		out.Offerings = append(out.Offerings, instancetypes.Offering{
			Requirements: reqs, Price: o.Price, Available: o.Available, ReservationCapacity: o.ReservationCapacity,
		})
	}
	return out, nil
}

// Set is the conjunction of requirements. Errors are those of [requirements.New]
// and name the requirement by index.
func Set(in []Requirement) (requirements.Set, error) {
	reqs := make([]requirements.Requirement, 0, len(in))
	for i, r := range in {
		req, err := requirements.New(r.Key, corev1.NodeSelectorOperator(r.Operator), r.Values...)
		if err != nil {
			return nil, fmt.Errorf("requirements[%d]: %w", i, err)
		}
		if r.MinValues != nil {
			req = req.WithMinValues(*r.MinValues)
		}
		reqs = append(reqs, req)
	}
	return requirements.NewSet(reqs...), nil
}

func daemonSetOf(p *corev1.Pod) *appsv1.DaemonSet {
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace, UID: p.UID, CreationTimestamp: p.CreationTimestamp}}
	ds.Spec.Template = corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: p.Labels, Annotations: p.Annotations},
		Spec:       p.Spec,
	}
	return ds
}

// DaemonPod returns the pod that a daemon set would put on a node.
func DaemonPod(ds *appsv1.DaemonSet) *corev1.Pod {
	controller := true
	p := &corev1.Pod{
		ObjectMeta: *ds.Spec.Template.ObjectMeta.DeepCopy(),
		Spec:       *ds.Spec.Template.Spec.DeepCopy(),
	}
	p.Name, p.Namespace, p.UID, p.CreationTimestamp = ds.Name, ds.Namespace, ds.UID, ds.CreationTimestamp
	p.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "DaemonSet", Name: ds.Name, UID: ds.UID, Controller: &controller,
	}}
	return p
}

// Case converts back, so that the problem can be written and recorded.
func (p *Problem) Case() *Case {
	c := &Case{
		Name: p.Name, Features: p.Features, NodePools: p.NodePools, PoolInstanceTypes: p.PoolTypes, Options: p.Options,
		Pods: p.Snapshot.Pods, PDBs: p.Snapshot.PodDisruptionBudgets, Namespaces: p.Snapshot.Namespaces,
		PersistentVolumeClaims: p.Snapshot.PersistentVolumeClaims, PersistentVolumes: p.Snapshot.PersistentVolumes,
		StorageClasses: p.Snapshot.StorageClasses, CSINodes: p.Snapshot.CSINodes,
	}
	if !p.Snapshot.Now.IsZero() {
		now := metav1.NewTime(p.Snapshot.Now)
		c.Now = &now
	}
	for _, n := range p.Snapshot.Nodes {
		c.Nodes = append(c.Nodes, n.Node)
		c.BoundPods = append(c.BoundPods, n.Pods...)
	}
	for _, ds := range p.Snapshot.DaemonSets {
		c.DaemonSetPods = append(c.DaemonSetPods, DaemonPod(ds))
	}
	for _, t := range p.Catalog.Types() {
		row := InstanceType{
			Name: t.Name, Capacity: t.Capacity.List(), Overhead: t.Overhead.List(), Requirements: List(t.Requirements),
		}
		for i := range t.Offerings {
			o := &t.Offerings[i]
			row.Offerings = append(row.Offerings, Offering{
				Price: o.Price, Available: o.Available, Requirements: List(o.Requirements), ReservationCapacity: o.ReservationCapacity,
			})
		}
		c.InstanceTypes = append(c.InstanceTypes, row)
	}
	return c
}

// List writes a set as upstream writes the requirements of a claim
// (v1.14.1 pkg/scheduling/requirement.go, NodeSelectorRequirement): a bound hides
// the values that are excluded besides, and two bounds are two entries.
func List(s requirements.Set) []Requirement {
	out := make([]Requirement, 0, len(s))
	for _, r := range s {
		entry := Requirement{Key: r.Key()}
		if n := r.MinValues(); n > 0 {
			entry.MinValues = &n
		}
		gte, hasGte := r.Gte()
		lte, hasLte := r.Lte()
		if !hasGte && !hasLte {
			entry.Operator, entry.Values = string(r.Operator()), r.Values()
			out = append(out, entry)
			continue
		}
		if hasGte {
			entry.Operator, entry.Values = string(requirements.Gte), []string{fmt.Sprint(gte)}
			out = append(out, entry)
		}
		if hasLte {
			entry.Operator, entry.Values = string(requirements.Lte), []string{fmt.Sprint(lte)}
			out = append(out, entry)
		}
	}
	return out
}
