package scenarios

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// nodeGroups makes the node groups of a manifest. Sizes that it does not state
// are the number of the group's nodes in the input. Without a catalog, nil because
// of a mistake, it only tells what is wrong with the groups besides.
func (l *loader) nodeGroups(m located[*Manifest], catalog *instancetypes.Catalog, nodes []*packing.Node) []*packing.NodeGroup {
	var groups []*packing.NodeGroup
	names := map[string]bool{}
	for i := range m.value.Spec.NodeGroups {
		spec := &m.value.Spec.NodeGroups[i]
		field := fmt.Sprintf("spec.nodeGroups[%d]", i)
		made, errs := l.nodeGroup(spec, catalog)
		for _, name := range spec.groupNames() {
			if names[name] && spec.Name != "" {
				errs = append(errs, fieldError{"name", fmt.Sprintf("node group %q is there twice", shorten(name))})
			}
			names[name] = true
		}
		for _, g := range made {
			members := 0
			for _, n := range nodes {
				if n.NodeGroup == g.Name {
					members++
				}
			}
			g.TargetSize = members
			if spec.CurrentSize != nil {
				g.TargetSize = *spec.CurrentSize
				if members > g.TargetSize {
					l.warnAt(m.at, fmt.Sprintf("%s.currentSize: node group %q has %s in the input, more than its current size %d",
						field, g.Name, plural(members, "node"), g.TargetSize))
				}
			}
			if g.TargetSize > g.MaxSize {
				l.warnAt(m.at, fmt.Sprintf("%s: node group %q has size %d, above its max size %d", field, g.Name, g.TargetSize, g.MaxSize))
			}
		}
		for _, e := range errs {
			if spec.Name != "" && e.field != "name" {
				e.message = fmt.Sprintf("node group %q: %s", shorten(spec.Name), e.message)
			}
			l.problemAt(m.at, fieldError{joinField(field, e.field), e.message})
		}
		groups = append(groups, made...)
	}
	return groups
}

// groupNames returns the names of the groups that a specification stands for: one,
// or one a zone.
func (s *NodeGroupSpec) groupNames() []string {
	if !s.PerZone {
		return []string{s.Name}
	}
	names := distinct(s.Zones)
	for i, zone := range names {
		names[i] = s.Name + "-" + zone
	}
	return names
}

// nodeGroup makes one group, or one a zone; none without a catalog.
func (l *loader) nodeGroup(spec *NodeGroupSpec, catalog *instancetypes.Catalog) ([]*packing.NodeGroup, []fieldError) {
	var errs fieldErrors
	capacityType := spec.CapacityType
	if capacityType == "" {
		capacityType = requirements.CapacityTypeOnDemand
	}
	spec.validate(capacityType, &errs)
	if catalog == nil {
		return nil, errs
	}
	types := make([]*instancetypes.InstanceType, 0, len(spec.InstanceTypes))
	for i, name := range spec.InstanceTypes {
		t, ok := catalog.Lookup(name)
		if !ok {
			errs.add(fmt.Sprintf("instanceTypes[%d]", i), "%s", unknownInstanceType(catalog, name))
			continue
		}
		types = append(types, t)
	}
	known := l.labelValues(catalog)[corev1.LabelTopologyZone]
	for i, zone := range spec.Zones {
		if !slices.Contains(known, zone) {
			errs.add(fmt.Sprintf("zones[%d]", i), "the catalog has no zone %q%s; it has %s", shorten(zone), didYouMean(zone, known), quotedList(known))
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	zones := spec.Zones
	if len(zones) == 0 {
		o, err := offeringOf(types[0], "", capacityType)
		if err != nil {
			errs.add("instanceTypes[0]", "%v", err)
			return nil, errs
		}
		zones = []string{o.Zone()}
	}
	each := [][]string{zones}
	if spec.PerZone {
		each = nil
		for _, zone := range zones {
			each = append(each, []string{zone})
		}
	}
	var groups []*packing.NodeGroup
	for k, zones := range each {
		for i, t := range types {
			for _, zone := range zones {
				if _, err := offeringOf(t, zone, capacityType); err != nil {
					errs.add(fmt.Sprintf("instanceTypes[%d]", i), "%v", err)
				}
			}
		}
		o, err := offeringOf(types[0], zones[0], capacityType)
		if err != nil {
			continue
		}
		groups = append(groups, &packing.NodeGroup{
			Name: spec.groupNames()[k], MinSize: spec.MinSize, MaxSize: spec.MaxSize,
			Template: packing.TemplateNode(types[0], packing.TemplateOptions{
				Zone: zones[0], CapacityType: capacityType, Labels: spec.Labels, Taints: spec.Taints,
				FullCapacity: spec.fullCapacity(catalog),
			}),
			InstanceTypes: types, Zones: zones, Price: o.Price, Priority: spec.Priority, ZeroOrMax: spec.ZeroOrMax,
		})
	}
	return groups, errs
}

// fullCapacity says whether the template of the group without nodes has
// allocatable equal to capacity.
func (s *NodeGroupSpec) fullCapacity(catalog *instancetypes.Catalog) bool {
	if s.FromZeroAllocatable == "" {
		return catalog.Info().Provider == providerAWS
	}
	return s.FromZeroAllocatable == "capacity"
}

// validate checks what can be checked without the catalog.
func (s *NodeGroupSpec) validate(capacityType string, errs *fieldErrors) {
	if s.Name == "" {
		errs.add("name", "is missing")
	}
	if len(s.InstanceTypes) == 0 {
		errs.add("instanceTypes", "is empty; a group launches at least one")
	}
	if s.MinSize < 0 {
		errs.add("minSize", "%d is negative", s.MinSize)
	}
	if s.MaxSize < 0 {
		errs.add("maxSize", "%d is negative", s.MaxSize)
	} else if s.MaxSize < s.MinSize {
		errs.add("maxSize", "%d is below minSize %d", s.MaxSize, s.MinSize)
	}
	if s.CurrentSize != nil && *s.CurrentSize < 0 {
		errs.add("currentSize", "%d is negative", *s.CurrentSize)
	}
	errs.oneOf("capacityType", capacityType, capacityTypes...)
	if s.FromZeroAllocatable != "" {
		errs.oneOf("fromZeroAllocatable", s.FromZeroAllocatable, "capacity", "allocatable")
	}
	for i, zone := range s.Zones {
		if slices.Contains(s.Zones[:i], zone) {
			errs.add(fmt.Sprintf("zones[%d]", i), "%q is there twice", shorten(zone))
		}
	}
	if s.PerZone && len(s.Zones) == 0 {
		errs.add("zones", "is empty; perZone makes a group of each")
	}
	errs.labels("labels", s.Labels)
	errs.taints("taints", s.Taints)
}

// nodeGroupLabels are the labels or annotations that name a node's group, the
// first that is there holds.
var nodeGroupLabels = []string{
	LabelNodeGroup, "eks.amazonaws.com/nodegroup", "cloud.google.com/gke-nodepool", "kubernetes.azure.com/agentpool",
}

// nodeGroupOf returns the name of the node group that a node belongs to, "" if none.
func nodeGroupOf(n *corev1.Node) string {
	for _, key := range nodeGroupLabels {
		if name := n.Annotations[key]; name != "" {
			return name
		}
		if name := n.Labels[key]; name != "" {
			return name
		}
	}
	return ""
}
