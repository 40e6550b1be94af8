package kubescheduler

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Reasons is a set of [Reason].
type Reasons uint32

// ReasonsOf returns a set.
func ReasonsOf(list ...Reason) Reasons {
	var out Reasons
	for _, r := range list {
		out |= 1 << r
	}
	return out
}

// Overlap reports whether two sets have a reason in common.
func (r Reasons) Overlap(o Reasons) bool { return r&o != 0 }

// Reasons are those for which any node turned the pod away.
func (r *Refusals) Reasons() Reasons {
	var out Reasons
	for reason, nodes := range r.By {
		if nodes > 0 {
			out |= 1 << reason
		}
	}
	return out
}

// What one plugin gives as reasons: a hint is a plugin's, whichever of them it gave.
var (
	bySpread      = ReasonsOf(SpreadLabel, SpreadSkew)
	byPodAffinity = ReasonsOf(PodAffinity, PodAntiAffinity, ExistingAntiAffinity)
)

// relations are what hints read of a class beyond its feasibility class, made when first asked for.
type relations struct {
	spreadKeys  []string // of hard spread constraints
	spreadPods  []feasibility.Selector
	spreads     bool
	near, apart []feasibility.Term // required pod affinity and anti-affinity
}

// The methods below are the queueing hints of the default profile's plugins (EventsToRegister and
// the hint functions of pkg/scheduler/framework/plugins): the reasons for which a pod that
// failed may now do better, as the plugins see it. They are held against the plugins themselves, but for
// those of volumes. They look at the event alone. A pod that they
// wake often fails again; one that could be placed now and then is not woken, as after the end of
// a pod whose anti-affinity kept others away. Events of storage are not known.

// NodeAddedHint is for a node that has come.
func (s *Scheduler) NodeAddedHint(c *Class, id NodeID) Reasons {
	n := s.at(id)
	if n == nil {
		return 0
	}
	out := ReasonsOf(Ports, VolumeRestrictions, VolumeLimits, VolumeBinding, VolumeZone)
	if !n.profile.Unschedulable() {
		out |= ReasonsOf(Unschedulable)
	}
	if c.filter.Tolerates(n.profile) {
		out |= ReasonsOf(Taint)
	}
	if c.filter.SelectsLabels(n.profile) {
		out |= ReasonsOf(NodeAffinity)
	}
	if c.filter.FitsIn(s.universe.Fresh(n.profile, nil)) {
		out |= ReasonsOf(Resources)
	}
	r := s.relationsOf(c)
	if r.spreads && r.spreadsOver(n.object) {
		out |= bySpread
	}
	if len(r.apart) > 0 || slices.ContainsFunc(r.near, func(t feasibility.Term) bool { return hasLabel(n.object, t.TopologyKey) }) {
		out |= byPodAffinity
	}
	return out
}

// NodeUpdatedHint is for a node that has changed, and was as given before.
func (s *Scheduler) NodeUpdatedHint(c *Class, id NodeID, before *corev1.Node) Reasons {
	n := s.at(id)
	if n == nil {
		return 0
	}
	was, err := s.universe.Profile(before)
	if err != nil {
		return s.NodeAddedHint(c, id)
	}
	var out Reasons
	if was.Unschedulable() && !n.profile.Unschedulable() {
		out |= ReasonsOf(Unschedulable)
	}
	if !c.filter.Tolerates(was) && c.filter.Tolerates(n.profile) {
		out |= ReasonsOf(Taint)
	}
	if gained(c, was, n.profile) && c.filter.FitsIn(s.universe.Fresh(n.profile, nil)) {
		out |= ReasonsOf(Resources)
	}
	relabelled := !equality.Semantic.DeepEqual(before.Labels, n.object.Labels)
	if relabelled {
		out |= ReasonsOf(VolumeBinding, VolumeZone)
		if !c.filter.SelectsLabels(was) && c.filter.SelectsLabels(n.profile) {
			out |= ReasonsOf(NodeAffinity)
		}
	}
	r := s.relationsOf(c)
	if r.spreads && r.spreadMoved(before, n.object) {
		out |= bySpread
	}
	if relabelled && r.affinityMoved(before, n.object) {
		out |= byPodAffinity
	}
	return out
}

// NodeRemovedHint is for a node that has gone.
func (s *Scheduler) NodeRemovedHint(c *Class, gone *corev1.Node) Reasons {
	if r := s.relationsOf(c); r.spreads && r.spreadsOver(gone) {
		return bySpread
	}
	return 0
}

// PodAddedHint is for a pod that has been bound.
func (s *Scheduler) PodAddedHint(c, bound *Class) Reasons {
	r := s.relationsOf(c)
	var out Reasons
	if r.counts(bound) {
		out |= bySpread
	}
	if matchesAll(r.near, bound) {
		out |= byPodAffinity
	}
	return out
}

// PodRemovedHint is for a bound pod that has gone, or for a nomination that has been taken back.
func (s *Scheduler) PodRemovedHint(c, gone *Class) Reasons {
	out := ReasonsOf(Resources)
	if c.filter.PortsClash(gone.filter) {
		out |= ReasonsOf(Ports)
	}
	if len(gone.Pod.Spec.Volumes) > 0 {
		out |= volumesLeft(c.Pod, gone.Pod)
	}
	r := s.relationsOf(c)
	if r.counts(gone) {
		out |= bySpread
	}
	if matchesAll(r.apart, gone) {
		out |= byPodAffinity
	}
	return out
}

// relationsOf compiles what hints read. What cannot be compiled was refused with the class.
func (s *Scheduler) relationsOf(c *Class) *relations {
	if c.relations != nil {
		return c.relations
	}
	r := &relations{}
	for i := range c.Pod.Spec.TopologySpreadConstraints {
		t := &c.Pod.Spec.TopologySpreadConstraints[i]
		if t.WhenUnsatisfiable != corev1.DoNotSchedule {
			continue
		}
		if pods, err := s.universe.SpreadSelector(c.Pod, t); err == nil {
			r.spreadKeys, r.spreadPods, r.spreads = append(r.spreadKeys, t.TopologyKey), append(r.spreadPods, pods), true
		}
	}
	if a := c.Pod.Spec.Affinity; a != nil {
		if a.PodAffinity != nil {
			r.near, _ = s.universe.Terms(c.Pod, "podAffinity", a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		}
		if a.PodAntiAffinity != nil {
			r.apart, _ = s.universe.Terms(c.Pod, "podAntiAffinity", a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		}
	}
	c.relations = r
	return r
}

// counts reports whether one of the spread constraints counts the pods of a class.
func (r *relations) counts(o *Class) bool {
	return slices.ContainsFunc(r.spreadPods, func(pods feasibility.Selector) bool { return pods.Matches(o.filter) })
}

// spreadsOver reports whether a node has the labels of all spread constraints.
func (r *relations) spreadsOver(n *corev1.Node) bool {
	return !slices.ContainsFunc(r.spreadKeys, func(key string) bool { return !hasLabel(n, key) })
}

// spreadMoved reports whether a change of a node's labels or taints is one that
// PodTopologySpread looks at.
func (r *relations) spreadMoved(before, after *corev1.Node) bool {
	now := r.spreadsOver(after)
	return r.spreadsOver(before) != now || now && (!equality.Semantic.DeepEqual(before.Spec.Taints, after.Spec.Taints) ||
		slices.ContainsFunc(r.spreadKeys, func(key string) bool { return before.Labels[key] != after.Labels[key] }))
}

// affinityMoved reports whether a node has changed its domain of an affinity term, or left that of
// an anti-affinity term.
func (r *relations) affinityMoved(before, after *corev1.Node) bool {
	moved := func(t feasibility.Term) bool { return before.Labels[t.TopologyKey] != after.Labels[t.TopologyKey] }
	return slices.ContainsFunc(r.near, func(t feasibility.Term) bool { return hasLabel(after, t.TopologyKey) && moved(t) }) ||
		slices.ContainsFunc(r.apart, func(t feasibility.Term) bool { return hasLabel(before, t.TopologyKey) && moved(t) })
}

func hasLabel(n *corev1.Node, key string) bool { _, ok := n.Labels[key]; return ok }

// matchesAll reports whether pods of a class match all terms, and there are any.
func matchesAll(terms []feasibility.Term, o *Class) bool {
	return len(terms) > 0 && !slices.ContainsFunc(terms, func(t feasibility.Term) bool { return !t.Pods.Matches(o.filter) })
}

// gained reports whether a node can allocate more of anything that the class requests.
func gained(c *Class, was, is *feasibility.Profile) bool {
	for name := range c.filter.Requests.List() {
		if c.filter.Requests.Get(name) > 0 && is.Allocatable.Get(name) > was.Allocatable.Get(name) {
			return true
		}
	}
	return is.Allocatable.Get(corev1.ResourcePods) > was.Allocatable.Get(corev1.ResourcePods)
}

// volumesLeft is for the end of a pod with volumes: NodeVolumeLimits looks for any claim,
// VolumeRestrictions for one of the waiting pod's own, or a disk of its own.
func volumesLeft(waiting, gone *corev1.Pod) Reasons {
	var out Reasons
	for i := range gone.Spec.Volumes {
		v := &gone.Spec.Volumes[i]
		if v.PersistentVolumeClaim != nil || v.Ephemeral != nil {
			out |= ReasonsOf(VolumeLimits)
		}
		if waiting.Namespace == gone.Namespace && slices.ContainsFunc(waiting.Spec.Volumes, func(w corev1.Volume) bool { return sameSource(&w, v) }) {
			out |= ReasonsOf(VolumeRestrictions)
		}
	}
	return out
}

// sameSource reports whether two volumes are one claim or one disk.
func sameSource(a, b *corev1.Volume) bool {
	if a.PersistentVolumeClaim != nil && b.PersistentVolumeClaim != nil {
		return a.PersistentVolumeClaim.ClaimName == b.PersistentVolumeClaim.ClaimName
	}
	disk := func(v *corev1.Volume) bool {
		return v.GCEPersistentDisk != nil || v.AWSElasticBlockStore != nil || v.ISCSI != nil || v.RBD != nil
	}
	return disk(a) && disk(b) && equality.Semantic.DeepEqual(a.VolumeSource, b.VolumeSource)
}
