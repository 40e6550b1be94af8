package packing_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

func TestVerifyRoom(t *testing.T) {
	gpu := func(w *world, count string) {
		w.snapshot.Nodes[0].Status.Allocatable["nvidia.com/gpu"] = resource.MustParse(count)
		w.pods["a"].Spec.Containers = containers("cpu=500m,nvidia.com/gpu=1")
	}
	check(t, []breach{
		// 4 CPU: 3900m and the daemon's 100m fit, 1m more does not.
		{name: "CPU of a node", rule: packing.RuleResources, says: "cpu 4001m requested, 4 allocatable",
			prepare: func(w *world) { w.pods["a"].Spec.Containers = containers("cpu=3900m") },
			spoil:   func(w *world) { w.pods["a"].Spec.Containers = containers("cpu=3901m") }},
		{name: "CPU of a launch", rule: packing.RuleResources, says: "node l1: cpu 4001m",
			spoil: func(w *world) { w.pods["c"].Spec.Containers = containers("cpu=4001m") }},
		{name: "memory of a launched group node", rule: packing.RuleResources, says: "node g1: memory",
			spoil: func(w *world) { w.pods["e"].Spec.Containers = containers("memory=17Gi") }},
		{name: "overhead of the machine", rule: packing.RuleResources, says: "node l1",
			spoil: func(w *world) { w.machine.Overhead = vector("cpu=3600m") }},
		{name: "extended resource", rule: packing.RuleResources, says: "nvidia.com/gpu 1 requested, 0 allocatable",
			prepare: func(w *world) { gpu(w, "1") },
			spoil:   func(w *world) { gpu(w, "0") }},
		{name: "number of pods", rule: packing.RuleResources, says: "4 pods, 3 allowed",
			prepare: func(w *world) {
				w.snapshot.Nodes[0].Status.Allocatable["pods"] = resource.MustParse("3")
				w.bind(1, pod("bound", "cpu=1m"))
			},
			spoil: func(w *world) { w.bind(1, pod("bound2", "cpu=1m")) }},
		// On l1 the daemon is still to come: 3900m leave it room, 3901m do not.
		{name: "room for a daemon", rule: packing.RuleDaemons, says: "node l1: cpu 4001m requested",
			prepare: func(w *world) { w.pods["c"].Spec.Containers = containers("cpu=3900m") },
			spoil:   func(w *world) { w.pods["c"].Spec.Containers = containers("cpu=3901m") }},
		{name: "room for a daemon among the pods", rule: packing.RuleDaemons, says: "2 pods, 1 allowed",
			spoil: func(w *world) { w.machine.Capacity = vector("cpu=4,memory=16Gi,pods=1") },
			prepare: func(w *world) {
				w.machine.Capacity = vector("cpu=4,memory=16Gi,pods=2")
			}},
		{name: "host port of a daemon", rule: packing.RuleDaemons, says: "DaemonSet kube-system/agent",
			prepare: func(w *world) { w.port("c", corev1.ContainerPort{HostPort: 80}) },
			spoil: func(w *world) {
				w.snapshot.DaemonSets[0].Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80}}
			}},
	})
}

func TestVerifyTaints(t *testing.T) {
	check(t, []breach{
		{name: "taint", rule: packing.RuleTaints, says: "team=x:NoSchedule",
			prepare: func(w *world) {
				w.snapshot.Nodes[0].Spec.Taints = []corev1.Taint{{Key: "team", Value: "x", Effect: corev1.TaintEffectPreferNoSchedule}}
			},
			spoil: func(w *world) {
				w.snapshot.Nodes[0].Spec.Taints = []corev1.Taint{{Key: "team", Value: "x", Effect: corev1.TaintEffectNoSchedule}}
			}},
		{name: "taint of a pool", rule: packing.RuleTaints, says: "team=x:NoExecute",
			prepare: func(w *world) {
				w.pool.Spec.Template.Spec.Taints = []corev1.Taint{{Key: "team", Value: "x", Effect: corev1.TaintEffectNoExecute}}
				w.pods["c"].Spec.Tolerations = []corev1.Toleration{{Key: "team", Operator: corev1.TolerationOpExists}}
				w.pods["d"].Spec.Tolerations = []corev1.Toleration{{Key: "team", Value: "x"}}
			},
			spoil: func(w *world) { w.pods["d"].Spec.Tolerations[0].Value = "y" }},
		{name: "cordoned", rule: packing.RuleTaints, says: "unschedulable", spoil: func(w *world) { w.snapshot.Nodes[0].Spec.Unschedulable = true }},
		{name: "start-up taint of an initialized node", rule: packing.RuleTaints, says: "boot",
			prepare: func(w *world) {
				w.pool.Spec.Template.Spec.StartupTaints = []corev1.Taint{{Key: "boot", Effect: corev1.TaintEffectNoSchedule}}
				n := w.snapshot.Nodes[0]
				n.Labels[packing.LabelNodePool] = "default"
				n.Spec.Taints = []corev1.Taint{{Key: "boot", Effect: corev1.TaintEffectNoSchedule}, {Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}}
			},
			spoil: func(w *world) { w.snapshot.Nodes[0].Labels[requirements.LabelInitialized] = "true" }},
	})
}

func TestVerifyNodeAffinity(t *testing.T) {
	check(t, []breach{
		{name: "node selector", rule: packing.RuleNodeAffinity, says: `zone=b, the node has "a"`,
			prepare: func(w *world) { w.pods["a"].Spec.NodeSelector = map[string]string{zone: "a"} },
			spoil:   func(w *world) { w.pods["a"].Spec.NodeSelector = map[string]string{zone: "b"} }},
		{name: "node selector of a launch, by an old alias", rule: packing.RuleNodeAffinity, says: "beta.kubernetes.io/arch=arm64",
			prepare: func(w *world) { w.pods["c"].Spec.NodeSelector = map[string]string{"beta.kubernetes.io/arch": "amd64"} },
			spoil:   func(w *world) { w.pods["c"].Spec.NodeSelector = map[string]string{"beta.kubernetes.io/arch": "arm64"} }},
		{name: "OR terms", rule: packing.RuleNodeAffinity, says: "no term",
			prepare: func(w *world) { w.require("a", expr(zone, "In", "b"), expr(zone, "In", "a")) },
			spoil:   func(w *world) { w.require("a", expr(zone, "In", "b"), expr(zone, "In", "c")) }},
		{name: "empty term matches nothing", rule: packing.RuleNodeAffinity, says: "no term",
			prepare: func(w *world) { w.require("a", expr(zone, "Exists")) },
			spoil: func(w *world) {
				w.pods["a"].Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0] = corev1.NodeSelectorTerm{}
			}},
		{name: "contradiction", rule: packing.RuleContradiction, says: "label tier contradicts itself",
			prepare: func(w *world) { w.require("a", expr(zone, "In", "a"), expr("tier", "In", "gold")) },
			spoil: func(w *world) {
				w.require("a", expr("tier", "In", "gold"))
				w.pods["a"].Spec.NodeSelector = map[string]string{"tier": "silver"}
			}},
		{name: "metadata.name", rule: packing.RuleNodeAffinity, says: "no term",
			prepare: func(w *world) {
				w.require("a", expr(zone, "Exists"))
				w.pods["a"].Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields = []corev1.NodeSelectorRequirement{expr("metadata.name", "In", "n1")}
			},
			spoil: func(w *world) { w.move("a", "n2") }},
		{name: "NotIn", rule: packing.RuleNodeAffinity, says: "no term",
			prepare: func(w *world) { w.require("a", expr("absent", "NotIn", "x")) },
			spoil:   func(w *world) { w.require("a", expr(zone, "NotIn", "a")) }},
		{name: "DoesNotExist", rule: packing.RuleNodeAffinity, says: "no term",
			prepare: func(w *world) { w.require("a", expr("absent", "DoesNotExist")) },
			spoil:   func(w *world) { w.require("a", expr(zone, "DoesNotExist")) }},
		{name: "Gt is exclusive", rule: packing.RuleNodeAffinity, says: "no term",
			prepare: func(w *world) { w.snapshot.Nodes[0].Labels["cpus"] = "4"; w.require("a", expr("cpus", "Gt", "3")) },
			spoil:   func(w *world) { w.require("a", expr("cpus", "Gt", "4")) }},
		{name: "Lt needs an integer", rule: packing.RuleNodeAffinity, says: "no term",
			prepare: func(w *world) { w.snapshot.Nodes[0].Labels["cpus"] = "4"; w.require("a", expr("cpus", "Lt", "5")) },
			spoil:   func(w *world) { w.snapshot.Nodes[0].Labels["cpus"] = "four" }},
		{name: "label that a claim settles", rule: packing.RuleNodeAffinity, says: "team=blue",
			prepare: func(w *world) {
				w.plan.Launches[0].Requirements = requirements.NewSet(requirements.Must("team", requirements.In, "blue"))
				w.pods["c"].Spec.NodeSelector = map[string]string{"team": "blue"}
			},
			spoil: func(w *world) {
				w.plan.Launches[0].Requirements = requirements.NewSet(requirements.Must("team", requirements.In, "red"))
			}},
	})
}

func TestVerifyHostPorts(t *testing.T) {
	check(t, []breach{
		{name: "host port of a placed pod", rule: packing.RuleHostPorts, says: "80/TCP",
			prepare: func(w *world) {
				w.move("b", "n1")
				w.port("a", corev1.ContainerPort{HostPort: 80})
				w.port("b", corev1.ContainerPort{HostPort: 80, Protocol: corev1.ProtocolUDP})
				w.port("b", corev1.ContainerPort{HostPort: 81})
			},
			spoil: func(w *world) { w.port("b", corev1.ContainerPort{HostPort: 80, Protocol: corev1.ProtocolTCP}) }},
		{name: "host port on one address and on all", rule: packing.RuleHostPorts, says: "pod default/bound",
			prepare: func(w *world) {
				bound := pod("bound", "cpu=1m")
				bound.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80, HostIP: "10.0.0.1"}}
				w.bind(1, bound)
				w.port("a", corev1.ContainerPort{HostPort: 80, HostIP: "10.0.0.2"})
			},
			spoil: func(w *world) { w.pods["a"].Spec.Containers[0].Ports[0].HostIP = "::" }},
	})
}

// Finished pods hold nothing; a bound daemon that no longer matches does not stand for another.
func TestVerifyCountsBoundPods(t *testing.T) {
	w := newWorld()
	done := pod("done", "cpu=4")
	done.Status.Phase = corev1.PodSucceeded
	w.bind(1, done)
	require.Empty(t, packing.Verify(w.snapshot, w.plan))

	w.snapshot.DaemonSets[0].Name = "agent2" // the agent that is bound belongs to another set
	w.pods["a"].Spec.Containers = containers("cpu=3900m")
	require.Equal(t, []packing.Rule{packing.RuleDaemons}, rules(packing.Verify(w.snapshot, w.plan)))
}

func TestVerifyVolumes(t *testing.T) {
	claim := func(w *world, name string, change func(*corev1.PersistentVolumeClaim)) {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data-" + name}}
		c.Spec.StorageClassName = ptr("ssd")
		change(c)
		w.snapshot.PersistentVolumeClaims = append(w.snapshot.PersistentVolumeClaims, c)
		w.use(name, c.Name)
	}
	volume := func(w *world, name, in string) {
		pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
		pv.Spec.StorageClassName = "ssd"
		pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: "disk.csi", VolumeHandle: name}
		pv.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{expr(zone, "In", in)}},
		}}}
		w.snapshot.PersistentVolumes = append(w.snapshot.PersistentVolumes, pv)
	}
	class := func(w *world, provisioner string, zones ...string) {
		c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "ssd"}, Provisioner: provisioner}
		if len(zones) > 0 {
			c.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: zone, Values: zones}}}}
		}
		w.snapshot.StorageClasses = []*storagev1.StorageClass{c}
	}
	attachable := func(w *world, n int32) {
		w.snapshot.CSINodes = []*storagev1.CSINode{{
			ObjectMeta: metav1.ObjectMeta{Name: "n1"},
			Spec:       storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "disk.csi", Allocatable: &storagev1.VolumeNodeResources{Count: &n}}}},
		}}
	}
	check(t, []breach{
		{name: "zone of a bound volume", rule: packing.RuleVolumes, says: "volume v1 cannot be reached",
			prepare: func(w *world) {
				volume(w, "v1", "a")
				claim(w, "a", func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "v1" })
			},
			spoil: func(w *world) { w.move("a", "n2") }},
		{name: "zone label of a volume", rule: packing.RuleVolumes, says: "volume v1",
			prepare: func(w *world) {
				volume(w, "v1", "a")
				w.snapshot.PersistentVolumes[0].Spec.NodeAffinity = nil
				w.snapshot.PersistentVolumes[0].Labels = map[string]string{corev1.LabelFailureDomainBetaZone: "x__a"}
				claim(w, "c", func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "v1" })
			},
			spoil: func(w *world) { w.move("c", "l2") }},
		{name: "allowed topologies", rule: packing.RuleVolumes, says: "does not allow",
			prepare: func(w *world) {
				class(w, "disk.csi", "a", "c")
				claim(w, "a", func(*corev1.PersistentVolumeClaim) {})
			},
			spoil: func(w *world) { w.move("a", "l2") }},
		{name: "ephemeral volume", rule: packing.RuleVolumes, says: "claim a-scratch",
			prepare: func(w *world) {
				class(w, "disk.csi", "a")
				claim(w, "a", func(c *corev1.PersistentVolumeClaim) { c.Name = "a-scratch" })
				w.pods["a"].Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}}}
			},
			spoil: func(w *world) { w.move("a", "l2") }},
		{name: "local volumes", rule: packing.RuleVolumes, says: "no free volume",
			prepare: func(w *world) {
				class(w, "kubernetes.io/no-provisioner")
				volume(w, "v1", "a")
				claim(w, "a", func(*corev1.PersistentVolumeClaim) {})
			},
			spoil: func(w *world) {
				w.snapshot.PersistentVolumes[0].Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "another"}
			}},
		{name: "ReadWriteOncePod", rule: packing.RuleVolumes, says: "pod default/a uses it",
			prepare: func(w *world) {
				class(w, "disk.csi")
				claim(w, "a", func(c *corev1.PersistentVolumeClaim) {
					c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}
				})
			},
			spoil: func(w *world) { w.use("b", "data-a") }},
		{name: "attach limit", rule: packing.RuleVolumes, says: "2 volumes of driver disk.csi, the node can attach 1",
			prepare: func(w *world) { // both use the same volume
				class(w, "disk.csi")
				attachable(w, 1)
				w.move("b", "n1")
				claim(w, "a", func(*corev1.PersistentVolumeClaim) {})
				w.use("b", "data-a")
			},
			spoil: func(w *world) {
				w.pods["b"].Spec.Volumes = nil
				claim(w, "b", func(*corev1.PersistentVolumeClaim) {})
			}},
	})
}

// port has a pod ask for a port of its node.
func (w *world) port(name string, p corev1.ContainerPort) {
	c := &w.pods[name].Spec.Containers[0]
	c.Ports = append(c.Ports, p)
}

func (w *world) use(name, claim string) {
	w.pods[name].Spec.Volumes = append(w.pods[name].Spec.Volumes, corev1.Volume{
		Name:         "data",
		VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}},
	})
}
