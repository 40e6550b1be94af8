package kubescheduler

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// nodeTree orders nodes so that zones take turns
// (pkg/scheduler/backend/cache/node_tree.go).
type nodeTree struct {
	zones []zone // in order of first node
	order []NodeID
	stale bool
}

type zone struct {
	name  string
	nodes []int32 // oldest first
}

// zoneOf is region and zone together (pkg/util/node/node.go, GetZoneKey). The labels of old come first.
func zoneOf(n *corev1.Node) string {
	label := func(old, stable string) string {
		if v, ok := n.Labels[old]; ok {
			return v
		}
		return n.Labels[stable]
	}
	z := label(corev1.LabelFailureDomainBetaZone, corev1.LabelTopologyZone)
	region := label(corev1.LabelFailureDomainBetaRegion, corev1.LabelTopologyRegion)
	if z == "" && region == "" {
		return ""
	}
	return region + ":\x00:" + z
}

func (t *nodeTree) add(name string, id int32) {
	t.stale = true
	for i := range t.zones {
		if t.zones[i].name == name {
			t.zones[i].nodes = append(t.zones[i].nodes, id)
			return
		}
	}
	t.zones = append(t.zones, zone{name, []int32{id}})
}

func (t *nodeTree) remove(name string, id int32) {
	t.stale = true
	z := slices.IndexFunc(t.zones, func(z zone) bool { return z.name == name })
	at := slices.Index(t.zones[z].nodes, id)
	t.zones[z].nodes = slices.Delete(t.zones[z].nodes, at, at+1)
	if len(t.zones[z].nodes) == 0 {
		t.zones = slices.Delete(t.zones, z, z+1)
	}
}

func (t *nodeTree) list() []NodeID {
	if !t.stale {
		return t.order
	}
	t.stale, t.order = false, t.order[:0]
	for row, more := 0, true; more; row++ {
		more = false
		for i := range t.zones {
			if nodes := t.zones[i].nodes; row < len(nodes) {
				t.order = append(t.order, NodeID(nodes[row]))
				more = true
			}
		}
	}
	return t.order
}
