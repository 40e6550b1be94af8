package cases

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const driver = "ebs.csi.example.com"

// storageClasses adds a class for any zone, one for two zones and one that binds at once.
func (g *generator) storageClasses() {
	g.note("volumes")
	wait, immediate := storagev1.VolumeBindingWaitForFirstConsumer, storagev1.VolumeBindingImmediate
	class := func(name string, mode *storagev1.VolumeBindingMode) *storagev1.StorageClass {
		c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: driver, VolumeBindingMode: mode}
		g.snapshot.StorageClasses = append(g.snapshot.StorageClasses, c)
		return c
	}
	class("anywhere", &wait)
	class("immediate", &immediate)
	two := class("two-zones", &wait)
	two.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
		{Key: zoneLabel, Values: g.some(zones, 2)},
	}}}
}

// claimVolumes gives each pod of a deployment, or all of them together, a claim
// that is bound to a zonal volume, or to be bound by one of the classes.
func (g *generator) claimVolumes(d *deployment) {
	shared := g.chance(0.15)
	bound := g.chance(0.5)
	className := pick(g, "anywhere", "two-zones")
	for i, p := range d.pods {
		name := fmt.Sprintf("%s-data-%d", d.name, i)
		if shared {
			name = d.name + "-data"
		}
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}})
		if !shared || i == 0 {
			g.claim(d.namespace, name, className, bound)
		}
	}
}

func (g *generator) claim(namespace, name, className string, bound bool) {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: uid(g.name + "/claim/" + name)},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: &className},
	}
	g.snapshot.PersistentVolumeClaims = append(g.snapshot.PersistentVolumeClaims, claim)
	if !bound {
		g.note("unbound-claims")
		return
	}
	g.note("zonal-volumes")
	claim.Spec.VolumeName = "pv-" + namespace + "-" + name
	if g.chance(0.95) {
		// Without it a claim that names a volume does not count as bound.
		claim.Annotations = map[string]string{"pv.kubernetes.io/bind-completed": "yes"}
	}
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: claim.Spec.VolumeName}}
	volume.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: claim.Spec.VolumeName}
	volume.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
		{MatchExpressions: []corev1.NodeSelectorRequirement{expression(zoneLabel, "In", pick(g, zones...))}},
	}}}
	if g.chance(0.15) {
		g.note("volume-or-terms")
		volume.Spec.NodeAffinity.Required.NodeSelectorTerms = append(volume.Spec.NodeAffinity.Required.NodeSelectorTerms,
			corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{expression(zoneLabel, "In", pick(g, zones...))}})
	}
	g.snapshot.PersistentVolumes = append(g.snapshot.PersistentVolumes, volume)
}

// attachLimits states for most nodes how many volumes they can attach.
func (g *generator) attachLimits() {
	g.note("attach-limits")
	for _, n := range g.snapshot.Nodes {
		if g.chance(0.3) {
			continue
		}
		count := int32(g.between(0, 4))
		csi := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: n.Name}}
		csi.Spec.Drivers = []storagev1.CSINodeDriver{{Name: driver, NodeID: n.Name, Allocatable: &storagev1.VolumeNodeResources{Count: &count}}}
		g.snapshot.CSINodes = append(g.snapshot.CSINodes, csi)
		if len(n.Pods) > 0 && g.chance(0.5) {
			p := n.Pods[0]
			name := "attached-" + n.Name
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
			}})
			g.claim(p.Namespace, name, "anywhere", true)
		}
	}
}
