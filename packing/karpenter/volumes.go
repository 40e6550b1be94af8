package karpenter

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// storage is the snapshot's volumes by name.
type storage struct {
	claims  map[types.NamespacedName]*corev1.PersistentVolumeClaim
	volumes map[string]*corev1.PersistentVolume
	classes map[string]*storagev1.StorageClass
	limits  map[string]map[string]int // by node name and driver
}

// volumeObjects are the objects that a storage is made of.
type volumeObjects struct {
	claims   []*corev1.PersistentVolumeClaim
	volumes  []*corev1.PersistentVolume
	classes  []*storagev1.StorageClass
	csiNodes []*storagev1.CSINode
}

func volumesOf(s *packing.Snapshot) volumeObjects {
	return volumeObjects{s.PersistentVolumeClaims, s.PersistentVolumes, s.StorageClasses, s.CSINodes}
}

// equal reports whether the objects are the same ones.
func (v *volumeObjects) equal(o *volumeObjects) bool {
	return slices.Equal(v.claims, o.claims) && slices.Equal(v.volumes, o.volumes) &&
		slices.Equal(v.classes, o.classes) && slices.Equal(v.csiNodes, o.csiNodes)
}

func (v *volumeObjects) clone() volumeObjects {
	return volumeObjects{slices.Clone(v.claims), slices.Clone(v.volumes), slices.Clone(v.classes), slices.Clone(v.csiNodes)}
}

// podVolumes is what a pod's volumes ask of its node.
type podVolumes struct {
	// alternatives are the sets of which the node must meet one; none if the
	// volumes can be reached from anywhere.
	alternatives []compiled.SetID
	mounts       []mount
}

// mount is a claim as the limits of a driver count it.
type mount struct{ driver, claim string }

func compileStorage(s *packing.Snapshot) *storage {
	st := &storage{
		claims:  map[types.NamespacedName]*corev1.PersistentVolumeClaim{},
		volumes: map[string]*corev1.PersistentVolume{},
		classes: map[string]*storagev1.StorageClass{},
		limits:  map[string]map[string]int{},
	}
	for _, c := range s.PersistentVolumeClaims {
		st.claims[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] = c
	}
	for _, v := range s.PersistentVolumes {
		st.volumes[v.Name] = v
	}
	for _, c := range s.StorageClasses {
		st.classes[c.Name] = c
	}
	for _, n := range s.CSINodes {
		drivers := map[string]int{}
		for _, d := range n.Spec.Drivers {
			if d.Allocatable != nil && d.Allocatable.Count != nil {
				drivers[d.Name] = int(*d.Allocatable.Count)
			}
		}
		st.limits[n.Name] = drivers
	}
	return st
}

// claimName returns the name of the claim that a volume of a pod refers to.
func claimName(pod *corev1.Pod, v *corev1.Volume) (string, bool) {
	switch {
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ClaimName, true
	case v.Ephemeral != nil:
		return pod.Name + "-" + v.Name, true
	}
	return "", false
}

// compileVolumes works out where the volumes of a class's pods can be reached. A
// pod whose claims cannot be mounted is refused, as the provisioner refuses it.
// Models Karpenter v1.14.1 volumetopology.go.
func (p *problem) compileVolumes(c *class) error {
	alternatives := []requirements.Set{nil}
	constrained := false
	var mounts []mount
	for i := range c.pod.Spec.Volumes {
		v := &c.pod.Spec.Volumes[i]
		name, ok := claimName(c.pod, v)
		if !ok {
			continue
		}
		claim := p.m.storage.claims[types.NamespacedName{Namespace: c.pod.Namespace, Name: name}]
		if reason := p.m.storage.unmountable(claim, name, v.Ephemeral != nil); reason != "" {
			if c.refusal == nil {
				c.refusal = &refusal{message: reason}
			}
			return nil
		}
		if claim == nil {
			continue // an ephemeral volume's claim that is yet to be made
		}
		of, err := p.m.storage.reachable(claim)
		if err != nil {
			return fmt.Errorf("volume %q: %w", v.Name, err)
		}
		if len(of) > 0 {
			alternatives = combine(alternatives, of)
			constrained = true
			for _, set := range of {
				for _, r := range set {
					p.m.readsNode(r.Key())
					c.volumesByHost = c.volumesByHost || r.Key() == corev1.LabelHostname
				}
			}
		}
		if driver := p.m.storage.driver(claim); driver != "" {
			mounts = append(mounts, mount{driver, claim.Namespace + "/" + claim.Name})
		}
	}
	if !constrained && len(mounts) == 0 {
		return nil
	}
	c.volumes = &podVolumes{mounts: mounts}
	if constrained {
		for _, set := range alternatives {
			c.volumes.alternatives = append(c.volumes.alternatives, p.w.sets.ID(set))
		}
	}
	return nil
}

// bindCompleted is the annotation by which kube-scheduler knows that a claim which
// names a volume is bound to it (k8s.io/component-helpers storage/volume, AnnBindCompleted).
const bindCompleted = "pv.kubernetes.io/bind-completed"

// unmountable says why a claim keeps its pod from being scheduled, "" if it does not
// (ValidatePersistentVolumeClaims).
func (s *storage) unmountable(claim *corev1.PersistentVolumeClaim, name string, ephemeral bool) string {
	if claim == nil {
		if ephemeral {
			return ""
		}
		return fmt.Sprintf("persistentvolumeclaim %q not found", name)
	}
	switch {
	case claim.DeletionTimestamp != nil:
		return fmt.Sprintf("persistentvolumeclaim %q is being deleted", name)
	case claim.Status.Phase == corev1.ClaimLost:
		return fmt.Sprintf("persistentvolumeclaim %q is bound to a persistentvolume that does not exist", name)
	case claim.Spec.VolumeName != "":
		v := s.volumes[claim.Spec.VolumeName]
		if v == nil {
			return fmt.Sprintf("persistentvolume %q of claim %q not found", claim.Spec.VolumeName, name)
		}
		if v.DeletionTimestamp != nil {
			return fmt.Sprintf("persistentvolume %q is being deleted", v.Name)
		}
		if _, done := claim.Annotations[bindCompleted]; !done {
			return fmt.Sprintf("persistentvolumeclaim %q names a volume, but is not bound: it has no annotation %s", name, bindCompleted)
		}
		return ""
	}
	class := storageClass(claim)
	if class == "" {
		return fmt.Sprintf("unbound persistentvolumeclaim %q must name a storage class", name)
	}
	sc := s.classes[class]
	if sc == nil {
		return fmt.Sprintf("storage class %q of persistentvolumeclaim %q not found", class, name)
	}
	if sc.VolumeBindingMode != nil && *sc.VolumeBindingMode == storagev1.VolumeBindingImmediate {
		return fmt.Sprintf("persistentvolumeclaim %q has a storage class with immediate binding and is not bound", name)
	}
	return ""
}

func storageClass(c *corev1.PersistentVolumeClaim) string {
	if c.Spec.StorageClassName == nil {
		return ""
	}
	return *c.Spec.StorageClassName
}

// reachable returns the OR-ed requirements of a claim's volume, or of the storage
// class that will make it.
func (s *storage) reachable(claim *corev1.PersistentVolumeClaim) ([]requirements.Set, error) {
	if claim.Spec.VolumeName != "" {
		return reachableVolume(s.volumes[claim.Spec.VolumeName])
	}
	sc := s.classes[storageClass(claim)]
	if sc == nil {
		return nil, nil
	}
	var out []requirements.Set
	for i, t := range sc.AllowedTopologies {
		var exprs []corev1.NodeSelectorRequirement
		for _, e := range t.MatchLabelExpressions {
			exprs = append(exprs, corev1.NodeSelectorRequirement{Key: e.Key, Operator: corev1.NodeSelectorOpIn, Values: e.Values})
		}
		if len(exprs) == 0 {
			continue
		}
		set, err := requirements.FromExpressions(exprs)
		if err != nil {
			return nil, fmt.Errorf("storage class %s: allowedTopologies[%d].%w", sc.Name, i, err)
		}
		out = append(out, set)
	}
	return out, nil
}

// reachableVolume reads the node affinity of a volume. The host name of a local
// or host-path volume does not bind: the pod is to go to another node.
func reachableVolume(v *corev1.PersistentVolume) ([]requirements.Set, error) {
	if v == nil || v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
		return nil, nil
	}
	var out []requirements.Set
	for i, t := range v.Spec.NodeAffinity.Required.NodeSelectorTerms {
		exprs := t.MatchExpressions
		if v.Spec.Local != nil || v.Spec.HostPath != nil {
			exprs = slices.DeleteFunc(slices.Clone(exprs), func(e corev1.NodeSelectorRequirement) bool { return e.Key == corev1.LabelHostname })
			if len(t.MatchExpressions) > 0 && len(exprs) == 0 {
				out = append(out, requirements.Set{})
				continue
			}
		}
		if len(exprs) == 0 {
			continue
		}
		set, err := requirements.FromExpressions(exprs)
		if err != nil {
			return nil, fmt.Errorf("persistentvolume %s: nodeAffinity: nodeSelectorTerms[%d].%w", v.Name, i, err)
		}
		out = append(out, set)
	}
	return out, nil
}

// combine returns every pairing of two volumes' alternatives that has a node in
// common; all pairings if none has.
func combine(have, more []requirements.Set) []requirements.Set {
	var compatible, all []requirements.Set
	for _, a := range have {
		for _, b := range more {
			both := a.Intersect(b)
			all = append(all, both)
			if a.Intersects(b) == nil {
				compatible = append(compatible, both)
			}
		}
	}
	if len(compatible) > 0 {
		return compatible
	}
	return all
}

// driver returns the CSI driver that attaches a claim's volume, "" if there is
// none whose limits would count (pkg/scheduling/volumeusage.go, ResolveDriver).
func (s *storage) driver(claim *corev1.PersistentVolumeClaim) string {
	if claim.Spec.VolumeName != "" {
		v := s.volumes[claim.Spec.VolumeName]
		switch {
		case v == nil:
			return ""
		case v.Spec.CSI != nil:
			return v.Spec.CSI.Driver
		case v.Spec.AWSElasticBlockStore != nil:
			return migratedDrivers["kubernetes.io/aws-ebs"]
		}
		return ""
	}
	sc := s.classes[storageClass(claim)]
	if sc == nil {
		return ""
	}
	if csi, ok := migratedDrivers[sc.Provisioner]; ok {
		return csi
	}
	return sc.Provisioner
}

// migratedDrivers are the CSI drivers that stand for in-tree volume plugins
// (k8s.io/csi-translation-lib v0.35).
var migratedDrivers = map[string]string{
	"kubernetes.io/aws-ebs":         "ebs.csi.aws.com",
	"kubernetes.io/azure-disk":      "disk.csi.azure.com",
	"kubernetes.io/azure-file":      "file.csi.azure.com",
	"kubernetes.io/cinder":          "cinder.csi.openstack.org",
	"kubernetes.io/gce-pd":          "pd.csi.storage.gke.io",
	"kubernetes.io/portworx-volume": "pxd.portworx.com",
	"kubernetes.io/vsphere-volume":  "csi.vsphere.vmware.com",
}

// volumeUsage is the claims mounted on a node, by driver.
type volumeUsage map[string]map[string]bool

// mountsOf returns what a bound pod has mounted, as far as the snapshot says.
func (s *storage) mountsOf(pod *corev1.Pod) []mount {
	var out []mount
	for i := range pod.Spec.Volumes {
		name, ok := claimName(pod, &pod.Spec.Volumes[i])
		if !ok {
			continue
		}
		if claim := s.claims[types.NamespacedName{Namespace: pod.Namespace, Name: name}]; claim != nil {
			if driver := s.driver(claim); driver != "" {
				out = append(out, mount{driver, claim.Namespace + "/" + claim.Name})
			}
		}
	}
	return out
}

func (u volumeUsage) add(mounts []mount) {
	for _, m := range mounts {
		if u[m.driver] == nil {
			u[m.driver] = map[string]bool{}
		}
		u[m.driver][m.claim] = true
	}
}

func (u volumeUsage) clone() volumeUsage {
	out := make(volumeUsage, len(u))
	for driver, claims := range u {
		out[driver] = maps.Clone(claims)
	}
	return out
}

// exceeds returns a driver whose limit the mounts would exceed. As in the
// original a node beyond its limit takes no further pod, whatever it mounts.
func (u volumeUsage) exceeds(limits map[string]int, mounts []mount) (string, bool) {
	for _, driver := range slices.Sorted(maps.Keys(limits)) {
		n := len(u[driver])
		for i, m := range mounts {
			if m.driver == driver && !u[driver][m.claim] && !slices.Contains(mounts[:i], m) {
				n++
			}
		}
		if n > limits[driver] {
			return driver, true
		}
	}
	return "", false
}
