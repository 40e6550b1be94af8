package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// fitGroups leaves out of the node groups of a scenario that was moved what the
// new region does not offer although the old one did: instance types, zones
// where the group's first type is not to be had, types that are missing in a zone
// that is left, and groups of which nothing is left. Each is told. What neither
// region has is a mistake of the input and stays to be found as such.
func (l *loader) fitGroups(m located[*Manifest], from, to *instancetypes.Catalog) {
	var kept []NodeGroupSpec
	for _, g := range m.value.Spec.NodeGroups {
		capacityType := g.CapacityType
		if capacityType == "" {
			capacityType = requirements.CapacityTypeOnDemand
		}
		offers := func(c *instancetypes.Catalog, name, zone string) bool {
			t, ok := c.Lookup(name)
			if !ok {
				return false
			}
			_, err := offeringOf(t, zone, capacityType)
			return err == nil
		}
		types := slices.DeleteFunc(slices.Clone(g.InstanceTypes), func(name string) bool {
			return offers(from, name, "") && !offers(to, name, "")
		})
		var zones []string
		if len(types) > 0 {
			zones = slices.DeleteFunc(slices.Clone(g.Zones), func(zone string) bool { return !offers(to, types[0], zone) })
			types = slices.DeleteFunc(types, func(name string) bool {
				return slices.ContainsFunc(zones, func(zone string) bool { return offers(from, name, "") && !offers(to, name, zone) })
			})
		}
		switch region := to.Info().Region; {
		case len(g.InstanceTypes) > 0 && len(types) == 0, len(g.Zones) > 0 && len(zones) == 0 && offers(from, types[0], ""):
			l.warnAt(m.at, fmt.Sprintf("node group %q is left out: %s does not offer %s as %s there", g.Name, region, quotedList(g.InstanceTypes), capacityType))
			continue
		case len(types) < len(g.InstanceTypes) || len(zones) < len(g.Zones) && len(zones) > 0:
			where := ""
			if len(zones) > 0 {
				where = " in " + strings.Join(zones, ", ")
			}
			l.warnAt(m.at, fmt.Sprintf("node group %q is left with %s%s: %s does not offer the rest as %s", g.Name, strings.Join(types, ", "), where, region, capacityType))
			g.InstanceTypes, g.Zones = types, zones
		}
		kept = append(kept, g)
	}
	m.value.Spec.NodeGroups = kept
}

// sharedZones tells which zones that the input names have become one. Zones is
// the renaming, used the old names that the input holds.
func sharedZones(zones map[string]string, used map[string]bool) string {
	olds := map[string][]string{}
	for old := range used {
		olds[zones[old]] = append(olds[zones[old]], old)
	}
	var shared []string
	for now, before := range olds {
		if len(before) > 1 {
			slices.Sort(before)
			shared = append(shared, fmt.Sprintf("%s become %s", strings.Join(before, " and "), now))
		}
	}
	slices.Sort(shared)
	return strings.Join(shared, ", ")
}
