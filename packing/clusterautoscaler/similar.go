package clusterautoscaler

import (
	"math"
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/binwright/binwright/packing/resources"
)

// ignoredLabels may differ between similar groups (pkg/processors/nodegroupset/
// compare_nodegroups.go, BasicIgnoredLabels).
var ignoredLabels = []string{
	corev1.LabelHostname,
	corev1.LabelFailureDomainBetaZone, corev1.LabelFailureDomainBetaRegion,
	corev1.LabelTopologyZone, corev1.LabelTopologyRegion,
	"beta.kubernetes.io/fluentd-ds-ready", "kops.k8s.io/instancegroup",
}

// similarGroups returns the groups to share a scale-up of one group with: alike in
// shape and labels, safe to scale, and accepting every group of pods that this one
// accepts (ComputeSimilarNodeGroups).
func (r *run) similarGroups(group int, accepted [][]*podGroup) []int {
	if !r.settings.BalanceSimilarNodeGroups || r.groups[group].ZeroOrMax || len(accepted[group]) == 0 {
		return nil
	}
	var out []int
	for other := range r.groups {
		if other != group && r.alike(r.templates[group], r.templates[other]) &&
			r.safe(other) && accepted[other] != nil && containsAll(accepted[other], accepted[group]) {
			out = append(out, other)
		}
	}
	return out
}

// containsAll reports whether all wanted groups are among those had; both are in
// the order in which the groups were formed.
func containsAll(had, wanted []*podGroup) bool {
	i := 0
	for _, w := range wanted {
		for i < len(had) && had[i] != w {
			i++
		}
		if i == len(had) {
			return false
		}
		i++
	}
	return true
}

// alike reports whether two templates are near enough (IsCloudProviderNodeInfoSimilar),
// or have equal labels where only those are asked for (label_nodegroups.go).
func (r *run) alike(a, b *template) bool {
	x, y := a.node(), b.node()
	if only := r.settings.BalancingLabels; len(only) > 0 {
		return !slices.ContainsFunc(only, func(k string) bool {
			v, has := x.Labels[k]
			w, other := y.Labels[k]
			return !has || !other || v != w
		})
	}
	if len(x.Status.Capacity) != len(y.Status.Capacity) || len(x.Status.Allocatable) != len(y.Status.Allocatable) {
		return false
	}
	for name, p := range x.Status.Capacity {
		q, ok := y.Status.Capacity[name]
		if !ok {
			return false
		}
		if name == corev1.ResourceMemory {
			if !within(p, q, r.settings.MemoryDifferenceRatio) {
				return false
			}
		} else if p.Cmp(q) != 0 {
			return false
		}
	}
	for name, p := range x.Status.Allocatable {
		if q, ok := y.Status.Allocatable[name]; !ok || !within(p, q, r.settings.MaxAllocatableDifferenceRatio) {
			return false
		}
	}
	return freeAlike(a, b, r.settings.MaxFreeDifferenceRatio) && r.labelsAlike(x.Labels, y.Labels)
}

func within(p, q resource.Quantity, ratio float64) bool {
	return near(float64(p.MilliValue()), float64(q.MilliValue()), ratio)
}

func near(p, q, ratio float64) bool {
	larger, smaller := math.Max(p, q), math.Min(p, q)
	return larger-smaller <= larger*ratio
}

// freeAlike compares what the pods that a node comes with leave free of what they
// request: cpu, memory, ephemeral storage, pods, and other resources if both sides
// have pods that request them.
func freeAlike(a, b *template, ratio float64) bool {
	counted := func(t *template) resources.Vector {
		v := resources.Vector{}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
			v = v.With(name, 0)
		}
		return v.Add(t.used)
	}
	x, y := counted(a), counted(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Name != y[i].Name {
			return false
		}
		scale := 1000.0 // the original compares thousandths of every unit
		if x[i].Name == corev1.ResourceCPU {
			scale = 1
		}
		p := float64(a.profile.Allocatable.Get(x[i].Name)-x[i].Value) * scale
		q := float64(b.profile.Allocatable.Get(x[i].Name)-y[i].Value) * scale
		if !near(p, q, ratio) {
			return false
		}
	}
	return true
}

func (r *run) labelsAlike(a, b map[string]string) bool {
	ignored := func(k string) bool {
		return slices.Contains(ignoredLabels, k) || slices.Contains(r.settings.BalancingIgnoreLabels, k)
	}
	within := func(a, b map[string]string) bool {
		for k, v := range a {
			if w, ok := b[k]; !ignored(k) && (!ok || v != w) {
				return false
			}
		}
		return true
	}
	return within(a, b) && within(b, a)
}

// resize is one group's part of a scale-up.
type resize struct {
	group    int
	from, to int
}

// balance spreads new nodes over groups, each to the smallest, and leaves out what
// exceeds their room (BalanceScaleUpBetweenGroups). Where a group is full it
// trades places with the first that is not, as the original does, which decides
// who gets the odd nodes.
func (r *run) balance(groups []int, nodes int) []resize {
	var out []resize
	room := 0
	for _, g := range groups {
		size := r.targets[g]
		if size == r.groups[g].MaxSize {
			continue
		}
		room += r.room(g)
		out = append(out, resize{group: g, from: size, to: size})
	}
	nodes = min(nodes, room)
	sort.Slice(out, func(i, j int) bool { return out[i].from < out[j].from })
	start, at := 0, 0
	for nodes > 0 {
		current := &out[at]
		if current.to < r.groups[current.group].MaxSize {
			current.to++
			nodes--
		} else {
			out[start], out[at] = out[at], out[start]
			start++
		}
		if at < len(out)-1 && current.to > out[at+1].to {
			at++
		} else {
			at = start
		}
	}
	return slices.DeleteFunc(out, func(s resize) bool { return s.to == s.from })
}
