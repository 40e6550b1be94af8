package packing

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// volumes is what the snapshot says of volumes, by name.
type volumes struct {
	claims     map[string]*corev1.PersistentVolumeClaim // by namespace/name
	byName     map[string]*corev1.PersistentVolume
	unclaimed  map[string][]*corev1.PersistentVolume // by storage class
	classes    map[string]*storagev1.StorageClass
	limits     map[string]*storagev1.CSINode
	exclusives map[string]*corev1.Pod // users of ReadWriteOncePod claims
}

// volumeRules checks zones of volumes, allowed topologies of storage classes, exclusive claims and
// attach limits, as kube-scheduler's VolumeBinding, VolumeZone, VolumeRestrictions and NodeVolumeLimits
// do. Claims, volumes, classes and CSINodes that the snapshot does not hold restrict nothing.
func (r *referee) volumeRules() {
	if len(r.snapshot.PersistentVolumeClaims) == 0 {
		return
	}
	v := newVolumes(r.snapshot)
	for _, at := range r.sites {
		for _, pod := range at.bound {
			for _, claim := range v.claimsOf(pod) {
				if exclusive(claim) {
					v.exclusives[claimName(claim)] = pod
				}
			}
		}
	}
	for _, at := range r.sites {
		for _, pod := range at.placed {
			for _, claim := range v.claimsOf(pod.Pod) {
				if why := v.whyNotAt(claim, at); why != "" {
					r.accuse(RuleVolumes, pod.Pod, at, "claim %s: %s", claim.Name, why)
				}
				if !exclusive(claim) {
					continue
				}
				if user := v.exclusives[claimName(claim)]; user != nil {
					r.accuse(RuleVolumes, pod.Pod, at, "claim %s is ReadWriteOncePod and pod %s/%s uses it", claim.Name, user.Namespace, user.Name)
				}
				v.exclusives[claimName(claim)] = pod.Pod
			}
		}
		r.attachLimits(v, at)
	}
}

func newVolumes(s *Snapshot) *volumes {
	v := &volumes{
		claims:     map[string]*corev1.PersistentVolumeClaim{},
		byName:     map[string]*corev1.PersistentVolume{},
		unclaimed:  map[string][]*corev1.PersistentVolume{},
		classes:    map[string]*storagev1.StorageClass{},
		limits:     map[string]*storagev1.CSINode{},
		exclusives: map[string]*corev1.Pod{},
	}
	for _, claim := range s.PersistentVolumeClaims {
		v.claims[claimName(claim)] = claim
	}
	// A volume whose claim names it may lack the reference back until the controller has seen both.
	taken := map[string]bool{}
	for _, claim := range s.PersistentVolumeClaims {
		taken[claim.Spec.VolumeName] = true
	}
	for _, pv := range s.PersistentVolumes {
		v.byName[pv.Name] = pv
		if !taken[pv.Name] {
			v.unclaimed[pv.Spec.StorageClassName] = append(v.unclaimed[pv.Spec.StorageClassName], pv)
		}
	}
	for _, class := range s.StorageClasses {
		v.classes[class.Name] = class
	}
	for _, n := range s.CSINodes {
		v.limits[n.Name] = n
	}
	return v
}

func claimName(c *corev1.PersistentVolumeClaim) string { return c.Namespace + "/" + c.Name }

func exclusive(c *corev1.PersistentVolumeClaim) bool {
	return slices.Contains(c.Spec.AccessModes, corev1.ReadWriteOncePod)
}

// claimsOf returns the pod's claims that the snapshot holds, those of ephemeral volumes included.
func (v *volumes) claimsOf(pod *corev1.Pod) []*corev1.PersistentVolumeClaim {
	var claims []*corev1.PersistentVolumeClaim
	for i := range pod.Spec.Volumes {
		volume, name := &pod.Spec.Volumes[i], ""
		switch {
		case volume.PersistentVolumeClaim != nil:
			name = volume.PersistentVolumeClaim.ClaimName
		case volume.Ephemeral != nil: // the claim is the pod's own, named after it
			name = pod.Name + "-" + volume.Name
		default:
			continue
		}
		if claim := v.claims[pod.Namespace+"/"+name]; claim != nil {
			claims = append(claims, claim)
		}
	}
	return claims
}

// whyNotAt says why a claim's volume cannot be had on a node, "" if it can.
func (v *volumes) whyNotAt(claim *corev1.PersistentVolumeClaim, at *site) string {
	if name := claim.Spec.VolumeName; name != "" {
		if pv := v.byName[name]; pv != nil && !reachable(pv, at) {
			return "volume " + name + " cannot be reached from the node"
		}
		return ""
	}
	class := v.classes[className(claim)]
	if class == nil || slices.ContainsFunc(v.unclaimed[class.Name], func(pv *corev1.PersistentVolume) bool {
		return forClaim(pv, claim) && reachable(pv, at)
	}) {
		return ""
	}
	if class.Provisioner == "kubernetes.io/no-provisioner" {
		return "storage class " + class.Name + " has no free volume that can be reached from the node"
	}
	if len(class.AllowedTopologies) > 0 && !slices.ContainsFunc(class.AllowedTopologies, func(t corev1.TopologySelectorTerm) bool {
		return !slices.ContainsFunc(t.MatchLabelExpressions, func(e corev1.TopologySelectorLabelRequirement) bool {
			value, ok := at.label(e.Key)
			return !ok || !slices.Contains(e.Values, value)
		})
	}) {
		return "storage class " + class.Name + " does not allow the node's topology"
	}
	return ""
}

func className(c *corev1.PersistentVolumeClaim) string {
	if c.Spec.StorageClassName == nil {
		return ""
	}
	return *c.Spec.StorageClassName
}

// forClaim reports whether a volume is free for the claim. Size and modes are not compared.
func forClaim(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	ref := pv.Spec.ClaimRef
	return ref == nil || ref.Namespace == claim.Namespace && ref.Name == claim.Name
}

// reachable reports whether a volume's node affinity and its zone and region labels suit the node.
func reachable(pv *corev1.PersistentVolume, at *site) bool {
	if a := pv.Spec.NodeAffinity; a != nil && a.Required != nil && !matchesNode(a.Required, at) {
		return false
	}
	for _, key := range []string{
		corev1.LabelTopologyZone, corev1.LabelTopologyRegion,
		corev1.LabelFailureDomainBetaZone, corev1.LabelFailureDomainBetaRegion,
	} {
		zones, ok := pv.Labels[key]
		if !ok || !inSomeZone(at) {
			continue
		}
		if value, has := at.label(key); !has || !slices.Contains(strings.Split(zones, "__"), value) {
			return false
		}
	}
	return true
}

// inSomeZone: VolumeZone leaves nodes alone that say nothing of zone and region.
func inSomeZone(at *site) bool {
	_, zone := at.label(corev1.LabelFailureDomainBetaZone)
	_, region := at.label(corev1.LabelFailureDomainBetaRegion)
	return zone || region
}

// attachLimits checks that the CSI volumes of a node that exists do not exceed what its drivers
// can attach. A volume that several pods share counts once; what is attached already is no fault of the plan.
func (r *referee) attachLimits(v *volumes, at *site) {
	csiNode := v.limits[at.name]
	if at.node == nil || csiNode == nil || len(at.placed) == 0 {
		return
	}
	attached := map[string]map[string]bool{} // by driver, then volume
	attach := func(pod *corev1.Pod) (grown []string) {
		for _, claim := range v.claimsOf(pod) {
			driver, volume := v.driverOf(claim)
			if driver == "" || attached[driver][volume] {
				continue
			}
			if attached[driver] == nil {
				attached[driver] = map[string]bool{}
			}
			attached[driver][volume] = true
			grown = append(grown, driver)
		}
		return grown
	}
	for _, pod := range at.bound {
		attach(pod)
	}
	// Only a pod that adds a volume of the driver meets its limit.
	for _, pod := range at.placed {
		grown := attach(pod.Pod)
		for _, d := range csiNode.Spec.Drivers {
			if d.Allocatable == nil || d.Allocatable.Count == nil || !slices.Contains(grown, d.Name) {
				continue
			}
			if n := len(attached[d.Name]); n > int(*d.Allocatable.Count) {
				r.accuse(RuleVolumes, pod.Pod, at, "%d volumes of driver %s, the node can attach %d", n, d.Name, *d.Allocatable.Count)
			}
		}
	}
}

// driverOf returns the CSI driver of a claim's volume and what tells the volume from others, "" if it has none.
func (v *volumes) driverOf(claim *corev1.PersistentVolumeClaim) (driver, volume string) {
	if pv := v.byName[claim.Spec.VolumeName]; pv != nil {
		if pv.Spec.CSI == nil {
			return "", ""
		}
		return pv.Spec.CSI.Driver, pv.Spec.CSI.VolumeHandle
	}
	if class := v.classes[className(claim)]; class != nil && !strings.HasPrefix(class.Provisioner, "kubernetes.io/") {
		return class.Provisioner, "claim " + claimName(claim)
	}
	return "", ""
}
