package scenarios

import (
	"fmt"
	"reflect"
)

// moveRegion puts the region of WithRegion in place of the scenario's own
// wherever the input names it or one of its zones: in node groups, node pools,
// selectors, nodes, volumes. Zones go in their order, the first to the first.
func (l *loader) moveRegion(c *cluster, m located[*Manifest]) {
	if l.region == "" {
		return
	}
	if m.value.Spec.Catalog.File != "" {
		l.problemAt(m.at, fieldError{"spec.catalog.file", "a catalog from a file has no regions to choose from"})
		return
	}
	old := m.value.Spec.Catalog.Region
	if old == "" {
		old = regionOfNodes(c)
	}
	if old == "" {
		old = DefaultRegion
	}
	if old == l.region {
		return
	}
	var ignored fieldErrors // told when the catalog is loaded
	from := loadAWS(old, m.value.Spec.Catalog.Include, &ignored)
	to := loadAWS(l.region, m.value.Spec.Catalog.Include, &ignored)
	if from == nil || to == nil {
		return
	}
	names := map[string]string{old: l.region}
	zones := to.Zones()
	for i, zone := range from.Zones() {
		names[zone] = zones[i%len(zones)]
	}
	used := map[string]bool{}
	for i := range l.objects {
		rename(reflect.ValueOf(l.objects[i].value), names, used)
	}
	if shared := sharedZones(names, used); shared != "" {
		l.warn("", fmt.Sprintf("%s has %s: %s", l.region, plural(len(zones), "zone"), shared))
	}
	for i := range m.value.Spec.NodeGroups {
		g := &m.value.Spec.NodeGroups[i]
		g.Zones = distinct(g.Zones)
	}
	l.fitGroups(m, from, to)
}

// distinct drops repeated zones, which the move can make of different ones.
func distinct(zones []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, z := range zones {
		if !seen[z] {
			seen[z] = true
			out = append(out, z)
		}
	}
	return out
}

// rename replaces strings that equal a name, anywhere below a value but in the
// keys of maps, and notes in used which were there.
func rename(v reflect.Value, names map[string]string, used map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			rename(v.Elem(), names, used)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				rename(v.Field(i), names, used)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				rename(v.Index(i), names, used)
			}
		}
	case reflect.Map:
		if v.Type().Elem().Kind() != reflect.String {
			return // resource lists: nothing in them is a zone
		}
		for _, key := range v.MapKeys() {
			if name, ok := names[v.MapIndex(key).String()]; ok {
				used[v.MapIndex(key).String()] = true
				v.SetMapIndex(key, reflect.ValueOf(name).Convert(v.Type().Elem()))
			}
		}
	case reflect.String:
		if name, ok := names[v.String()]; ok && v.CanSet() {
			used[v.String()] = true
			v.SetString(name)
		}
	}
}
