package feasibility

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing"
)

// noProvisioner marks a storage class whose volumes are made by hand.
const noProvisioner = "kubernetes.io/no-provisioner"

// schedulingVolume reports whether a volume is of a kind that a filter reads.
func schedulingVolume(v *corev1.Volume) bool {
	return v.PersistentVolumeClaim != nil || v.Ephemeral != nil || inlineDisk(v) != ""
}

// volumeIndex finds a snapshot's storage objects.
type volumeIndex struct {
	claims   map[string]*corev1.PersistentVolumeClaim // by namespace/name
	volumes  map[string]*corev1.PersistentVolume
	free     []*corev1.PersistentVolume // not yet claimed, in the snapshot's order
	classes  map[string]*storagev1.StorageClass
	standard string                    // name of the default storage class
	limits   map[string]map[string]int // by node, by driver
}

func indexVolumes(s *packing.Snapshot) *volumeIndex {
	x := &volumeIndex{
		claims:  make(map[string]*corev1.PersistentVolumeClaim),
		volumes: make(map[string]*corev1.PersistentVolume),
		classes: make(map[string]*storagev1.StorageClass),
		limits:  make(map[string]map[string]int),
	}
	for _, c := range s.PersistentVolumeClaims {
		x.claims[c.Namespace+"/"+c.Name] = c
	}
	for _, v := range s.PersistentVolumes {
		x.volumes[v.Name] = v
		if v.Spec.ClaimRef == nil {
			x.free = append(x.free, v)
		}
	}
	for _, c := range s.StorageClasses {
		x.classes[c.Name] = c
		if c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" && (x.standard == "" || c.Name < x.standard) {
			x.standard = c.Name
		}
	}
	for _, n := range s.CSINodes {
		limits := make(map[string]int)
		for _, d := range n.Spec.Drivers {
			if d.Allocatable != nil && d.Allocatable.Count != nil {
				limits[d.Name] = int(*d.Allocatable.Count)
			}
		}
		x.limits[n.Name] = limits
	}
	return x
}

// volumeDemand is what a pod's volumes ask of its node: the filters
// VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone.
type volumeDemand struct {
	// unsupported says what the snapshot lacks to judge the volumes.
	unsupported string
	// refusal is that of a pod that fits nowhere: a claim waits to be bound.
	refusal Refusal
	// exclusive are claims that one pod alone may use.
	exclusive []string
	disks     []disk
	sites     []site
	attached  []attachment
}

// disk is a volume that a pod names by itself rather than through a claim.
type disk struct {
	id       string
	readOnly bool
}

// attachment is a volume that counts against its driver's limit on a node.
type attachment struct{ driver, id string }

// site is where one claim's volume can be had: any of the choices.
type site struct {
	choices []choice
	// zones are the labels of a bound volume that the node's must match.
	zones map[string][]string
}

// choice is one way to have the volume: an existing one with its node affinity, or a new
// one within the allowed topologies of its class.
type choice struct {
	affinity   *demand // nil: anywhere
	topologies []corev1.TopologySelectorTerm
}

// demand compiles a pod's volumes; nil if it has none that a filter reads.
func (x *volumeIndex) demand(pod *corev1.Pod) *volumeDemand {
	var d *volumeDemand
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if !schedulingVolume(v) {
			continue
		}
		if d == nil {
			d = &volumeDemand{}
		}
		switch {
		case v.PersistentVolumeClaim != nil:
			key := pod.Namespace + "/" + v.PersistentVolumeClaim.ClaimName
			claim, ok := x.claims[key]
			if !ok {
				d.unsupported = fmt.Sprintf("persistentvolumeclaim %q is not in the snapshot", v.PersistentVolumeClaim.ClaimName)
				return d
			}
			x.addClaim(d, key, claim)
		case v.Ephemeral != nil:
			key := pod.Namespace + "/" + pod.Name + "-" + v.Name
			claim, ok := x.claims[key]
			if !ok && v.Ephemeral.VolumeClaimTemplate != nil {
				// The ephemeral volume controller will make it from this.
				claim = &corev1.PersistentVolumeClaim{Spec: v.Ephemeral.VolumeClaimTemplate.Spec}
			}
			if claim == nil {
				d.unsupported = fmt.Sprintf("ephemeral volume %q has no claim", v.Name)
				return d
			}
			x.addClaim(d, key, claim)
		default:
			d.disks = append(d.disks, disk{inlineDisk(v), inlineReadOnly(v)})
		}
	}
	return d
}

func (x *volumeIndex) addClaim(d *volumeDemand, key string, claim *corev1.PersistentVolumeClaim) {
	if slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) {
		d.exclusive = append(d.exclusive, key)
	}
	if claim.Spec.VolumeName != "" {
		pv, ok := x.volumes[claim.Spec.VolumeName]
		if !ok {
			d.unsupported = fmt.Sprintf("persistentvolume %q is not in the snapshot", claim.Spec.VolumeName)
			return
		}
		d.sites = append(d.sites, site{choices: []choice{{affinity: volumeAffinity(pv)}}, zones: zoneLabels(pv)})
		if driver, id := volumeDriver(pv); driver != "" {
			d.attached = append(d.attached, attachment{driver, id})
		}
		return
	}
	name := x.standard
	if claim.Spec.StorageClassName != nil {
		name = *claim.Spec.StorageClassName
	}
	class, ok := x.classes[name]
	if !ok && name != "" {
		d.unsupported = fmt.Sprintf("storageclass %q is not in the snapshot", name)
		return
	}
	if class == nil || class.VolumeBindingMode == nil || *class.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer {
		d.refusal = VolumeBinding // an unbound claim that does not wait for its pod
		return
	}
	s := site{}
	for _, pv := range x.free {
		if serves(pv, claim, name) {
			s.choices = append(s.choices, choice{affinity: volumeAffinity(pv)})
		}
	}
	if class.Provisioner != noProvisioner {
		s.choices = append(s.choices, choice{topologies: class.AllowedTopologies})
		d.attached = append(d.attached, attachment{csiDriver(class.Provisioner), "claim " + key})
	}
	d.sites = append(d.sites, s)
}

// serves reports whether a free volume can serve a claim, its place apart
// (component-helpers storage/volume, FindMatchingVolume).
func serves(pv *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim, class string) bool {
	if pv.Spec.StorageClassName != class || pv.DeletionTimestamp != nil {
		return false
	}
	for _, mode := range claim.Spec.AccessModes {
		if !slices.Contains(pv.Spec.AccessModes, mode) {
			return false
		}
	}
	if claim.Spec.Selector != nil {
		selector, err := metav1.LabelSelectorAsSelector(claim.Spec.Selector)
		if err != nil || !selector.Matches(labels.Set(pv.Labels)) {
			return false
		}
	}
	block := func(m *corev1.PersistentVolumeMode) bool { return m != nil && *m == corev1.PersistentVolumeBlock }
	want := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	have := pv.Spec.Capacity[corev1.ResourceStorage]
	return block(pv.Spec.VolumeMode) == block(claim.Spec.VolumeMode) && have.Cmp(want) >= 0
}

// volumeAffinity is a volume's own node affinity as a demand of its pods.
func volumeAffinity(pv *corev1.PersistentVolume) *demand {
	if pv.Spec.NodeAffinity == nil || pv.Spec.NodeAffinity.Required == nil {
		return nil
	}
	return &demand{affinity: true, terms: slices.DeleteFunc(slices.Clone(pv.Spec.NodeAffinity.Required.NodeSelectorTerms),
		func(t corev1.NodeSelectorTerm) bool {
			return slices.ContainsFunc(t.MatchExpressions, func(e corev1.NodeSelectorRequirement) bool { return validExpression(e) != nil })
		})}
}

// zoneLabels are the zones and regions of a volume's labels; several are separated by "__".
func zoneLabels(pv *corev1.PersistentVolume) map[string][]string {
	var zones map[string][]string
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion,
		corev1.LabelFailureDomainBetaZone, corev1.LabelFailureDomainBetaRegion} {
		if v, ok := pv.Labels[key]; ok {
			if zones == nil {
				zones = make(map[string][]string)
			}
			zones[key] = strings.Split(v, "__")
		}
	}
	return zones
}

// volumeDriver returns the CSI driver that attaches a volume, also for what was
// once built in, and the volume's id.
func volumeDriver(pv *corev1.PersistentVolume) (driver, id string) {
	switch s := &pv.Spec.PersistentVolumeSource; {
	case s.CSI != nil:
		return s.CSI.Driver, s.CSI.VolumeHandle
	case s.AWSElasticBlockStore != nil:
		return csiDriver("kubernetes.io/aws-ebs"), s.AWSElasticBlockStore.VolumeID
	case s.GCEPersistentDisk != nil:
		return csiDriver("kubernetes.io/gce-pd"), s.GCEPersistentDisk.PDName
	case s.AzureDisk != nil:
		return csiDriver("kubernetes.io/azure-disk"), s.AzureDisk.DiskName
	}
	return "", ""
}

// csiDriver returns the driver that took over from a built-in provisioner.
func csiDriver(provisioner string) string {
	switch provisioner {
	case "kubernetes.io/aws-ebs":
		return "ebs.csi.aws.com"
	case "kubernetes.io/gce-pd":
		return "pd.csi.storage.gke.io"
	case "kubernetes.io/azure-disk":
		return "disk.csi.azure.com"
	case "kubernetes.io/azure-file":
		return "file.csi.azure.com"
	}
	return provisioner
}

// inlineDisk identifies a disk that a pod names by itself, "" if the volume is none.
func inlineDisk(v *corev1.Volume) string {
	switch {
	case v.GCEPersistentDisk != nil:
		return "gce-pd/" + v.GCEPersistentDisk.PDName
	case v.AWSElasticBlockStore != nil:
		return "aws-ebs/" + v.AWSElasticBlockStore.VolumeID
	case v.ISCSI != nil:
		return "iscsi/" + v.ISCSI.IQN
	case v.RBD != nil:
		return "rbd/" + strings.Join(v.RBD.CephMonitors, ",") + "/" + v.RBD.RBDPool + "/" + v.RBD.RBDImage
	}
	return ""
}

// inlineReadOnly reports whether a disk may be shared by pods that only read it;
// that of EBS never may.
func inlineReadOnly(v *corev1.Volume) bool {
	switch {
	case v.GCEPersistentDisk != nil:
		return v.GCEPersistentDisk.ReadOnly
	case v.ISCSI != nil:
		return v.ISCSI.ReadOnly
	case v.RBD != nil:
		return v.RBD.ReadOnly
	}
	return false
}

// local reports whether the demand reads only the node, so that copies of a
// template cannot differ in it.
func (d *volumeDemand) local() bool { return len(d.exclusive)+len(d.disks) == 0 }

// volumesAllow runs the filters about volumes on one node. Templates have no CSINode,
// hence no limits, as in the original by default.
func (cl *Cluster) volumesAllow(c *Class, n *node) Refusal {
	d := c.volumes
	if d.refusal != Fits {
		return d.refusal
	}
	for _, h := range n.held {
		if h.Class.volumes != nil && disksClash(d.disks, h.Class.volumes.disks) {
			return VolumeRestrictions
		}
	}
	if len(d.exclusive) > 0 && cl.claimed(d.exclusive) {
		return VolumeRestrictions
	}
	if !cl.attachable(d, n) {
		return VolumeLimits
	}
	for i := range d.sites {
		if !slices.ContainsFunc(d.sites[i].choices, func(ch choice) bool { return ch.allows(n) }) {
			return VolumeBinding
		}
	}
	for i := range d.sites {
		if !d.sites[i].inZone(n) {
			return VolumeZone
		}
	}
	return Fits
}

func disksClash(a, b []disk) bool {
	for _, p := range a {
		for _, q := range b {
			if p.id == q.id && !(p.readOnly && q.readOnly) {
				return true
			}
		}
	}
	return false
}

// claimed reports whether a pod of the cluster uses one of the claims already.
func (cl *Cluster) claimed(claims []string) bool {
	for _, i := range cl.order {
		for _, h := range cl.nodes[i].held {
			if h.Class.volumes == nil {
				continue
			}
			if slices.ContainsFunc(h.Class.volumes.exclusive, func(c string) bool { return slices.Contains(claims, c) }) {
				return true
			}
		}
	}
	return false
}

// attachable reports whether the node's drivers can attach the volumes that are not
// attached there already.
func (cl *Cluster) attachable(d *volumeDemand, n *node) bool {
	limits := cl.universe.volumes.limits[n.name]
	if n.copied || len(limits) == 0 || len(d.attached) == 0 {
		return true
	}
	here := make(map[attachment]bool)
	for _, h := range n.held {
		if h.Class.volumes != nil {
			for _, a := range h.Class.volumes.attached {
				here[a] = true
			}
		}
	}
	used := make(map[string]int)
	for a := range here {
		used[a.driver]++
	}
	for _, a := range d.attached {
		if here[a] {
			continue
		}
		here[a] = true
		used[a.driver]++
		if limit, ok := limits[a.driver]; ok && used[a.driver] > limit {
			return false
		}
	}
	return true
}

func (ch *choice) allows(n *node) bool {
	if ch.affinity != nil && !ch.affinity.selects(n) {
		return false
	}
	return len(ch.topologies) == 0 || slices.ContainsFunc(ch.topologies, func(t corev1.TopologySelectorTerm) bool {
		for _, e := range t.MatchLabelExpressions {
			v, ok := n.profile.static.labels[e.Key]
			if e.Key == corev1.LabelHostname {
				v, ok = n.hostname()
			}
			if !ok || !slices.Contains(e.Values, v) {
				return false
			}
		}
		return len(t.MatchLabelExpressions) > 0
	})
}

// inZone reports whether the node is in the zone and the region of a bound volume
// (plugins/volumezone). A node without any such label is taken for one of a cluster
// without zones.
func (s *site) inZone(n *node) bool {
	have := n.profile.static.labels
	stable := map[string]string{
		corev1.LabelFailureDomainBetaZone: corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaRegion: corev1.LabelTopologyRegion,
	}
	zoned := false
	for old, now := range stable {
		_, a := have[old]
		_, b := have[now]
		zoned = zoned || a || b
	}
	if !zoned {
		return true
	}
	for key, values := range s.zones {
		v, ok := have[key]
		if now, deprecated := stable[key]; !ok && deprecated {
			v, ok = have[now]
		}
		if !ok || !slices.Contains(values, v) {
			return false
		}
	}
	return true
}
