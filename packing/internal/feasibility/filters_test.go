package feasibility

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

// testNode is a node of 4 cores and 8 GiB in a zone, with labels given in pairs.
func testNode(name, zone string, labels ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		corev1.LabelHostname: name, corev1.LabelTopologyZone: zone}}}
	for i := 0; i < len(labels); i += 2 {
		n.Labels[labels[i]] = labels[i+1]
	}
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"),
		corev1.ResourcePods: resource.MustParse("10"), "nvidia.com/gpu": resource.MustParse("1"),
	}
	n.Status.Capacity = n.Status.Allocatable
	return n
}

// testPod is a pod of an app that requests a core; change it at will.
func testPod(app string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: app, Labels: map[string]string{"app": app}}}
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1")}}}}
	for _, c := range change {
		c(p)
	}
	return p
}

func requests(name corev1.ResourceName, amount string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{name: resource.MustParse(amount)}
	}
}

func hostPortOf(port int32, ip string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{HostPort: port, HostIP: ip})
	}
}

func app(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

func spreadOver(key string, skew int32, selector *metav1.LabelSelector, change ...func(*corev1.TopologySpreadConstraint)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		t := corev1.TopologySpreadConstraint{MaxSkew: skew, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector}
		for _, c := range change {
			c(&t)
		}
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, t)
	}
}

func minDomains(n int32) func(*corev1.TopologySpreadConstraint) {
	return func(t *corev1.TopologySpreadConstraint) { t.MinDomains = &n }
}

func near(key string, selector *metav1.LabelSelector, change ...func(*corev1.PodAffinityTerm)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		if p.Spec.Affinity == nil {
			p.Spec.Affinity = &corev1.Affinity{}
		}
		t := corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: selector}
		for _, c := range change {
			c(&t)
		}
		p.Spec.Affinity.PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{t}}
	}
}

func awayFrom(key string, selector *metav1.LabelSelector) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: key, LabelSelector: selector}}}}
	}
}

func selecting(e corev1.NodeSelectorRequirement) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{e}}}}}}
	}
}

func claiming(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}})
	}
}

const zone = corev1.LabelTopologyZone

// TestCheck asks the same pod of four nodes: a1 and a2 in zone a, b1 in zone b, c1 without a zone.
func TestCheck(t *testing.T) {
	tainted := func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "x", Effect: corev1.TaintEffectNoSchedule}}
	}
	tests := []struct {
		name   string
		change func(nodes map[string]*corev1.Node)
		placed map[string][]*corev1.Pod
		pod    *corev1.Pod
		want   [4]Refusal // a1, a2, b1, c1
	}{
		{name: "plain", pod: testPod("x")},
		{
			name: "four cores are full", pod: testPod("x"),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y"), testPod("y"), testPod("y"), testPod("y")}},
			want:   [4]Refusal{Resources},
		},
		{
			name: "only so many pods", pod: testPod("x", requests(corev1.ResourceCPU, "0")),
			change: func(n map[string]*corev1.Node) {
				n["a1"].Status.Allocatable[corev1.ResourcePods] = resource.MustParse("1")
			},
			placed: map[string][]*corev1.Pod{"a1": {testPod("y")}},
			want:   [4]Refusal{Resources},
		},
		{
			name: "one GPU", pod: testPod("x", requests("nvidia.com/gpu", "1")),
			placed: map[string][]*corev1.Pod{"b1": {testPod("y", requests("nvidia.com/gpu", "1"))}},
			want:   [4]Refusal{2: Resources},
		},
		{
			name: "a resource that no node has", pod: testPod("x", requests("example.com/fpga", "1")),
			want: [4]Refusal{Resources, Resources, Resources, Resources},
		},
		{
			name: "a name that is no resource of the scheduler's counts for nothing", pod: testPod("x", requests("fpga", "1")),
		},
		{
			name: "taint", pod: testPod("x"), change: func(n map[string]*corev1.Node) { tainted(n["a1"]) },
			want: [4]Refusal{Taint},
		},
		{
			name: "tolerated by value", change: func(n map[string]*corev1.Node) { tainted(n["a1"]) },
			pod: testPod("x", func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Value: "x"}} }),
		},
		{
			name: "another value is not tolerated", change: func(n map[string]*corev1.Node) { tainted(n["a1"]) },
			pod:  testPod("x", func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Value: "y"}} }),
			want: [4]Refusal{Taint},
		},
		{
			name: "cordoned", pod: testPod("x"), change: func(n map[string]*corev1.Node) { n["a1"].Spec.Unschedulable = true },
			want: [4]Refusal{Unschedulable},
		},
		{
			name: "node selector", pod: testPod("x", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{zone: "a"} }),
			want: [4]Refusal{2: NodeAffinity, 3: NodeAffinity},
		},
		{
			name: "hostname selector", pod: testPod("x", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "a2"} }),
			want: [4]Refusal{NodeAffinity, Fits, NodeAffinity, NodeAffinity},
		},
		{
			name: "a missing label satisfies NotIn",
			pod:  testPod("x", selecting(corev1.NodeSelectorRequirement{Key: zone, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"a"}})),
			want: [4]Refusal{NodeAffinity, NodeAffinity},
		},
		{
			name:   "Gt reads integers",
			change: func(n map[string]*corev1.Node) { n["a1"].Labels["gen"], n["a2"].Labels["gen"] = "5", "four" },
			pod:    testPod("x", selecting(corev1.NodeSelectorRequirement{Key: "gen", Operator: corev1.NodeSelectorOpGt, Values: []string{"4"}})),
			want:   [4]Refusal{Fits, NodeAffinity, NodeAffinity, NodeAffinity},
		},
		{
			name: "same host port", pod: testPod("x", hostPortOf(80, "")),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y", hostPortOf(80, "10.0.0.1"))}, "a2": {testPod("y", hostPortOf(81, ""))}},
			want:   [4]Refusal{Ports},
		},
		{
			name: "the port on other addresses", pod: testPod("x", hostPortOf(80, "10.0.0.2")),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y", hostPortOf(80, "10.0.0.1"))}},
		},
		{
			name: "zone b has none: 1 more in a would be a skew of 2", pod: testPod("x", spreadOver(zone, 1, app("x"))),
			placed: map[string][]*corev1.Pod{"a1": {testPod("x")}},
			want:   [4]Refusal{SpreadSkew, SpreadSkew, Fits, SpreadLabel},
		},
		{
			name: "two zones of three wanted: the least counts as none", pod: testPod("x", spreadOver(zone, 1, app("x"), minDomains(3))),
			placed: map[string][]*corev1.Pod{"a1": {testPod("x")}, "b1": {testPod("x")}},
			want:   [4]Refusal{SpreadSkew, SpreadSkew, SpreadSkew, SpreadLabel},
		},
		{
			name: "zones that the pod cannot go to do not count",
			pod: testPod("x", spreadOver(zone, 1, app("x")), func(p *corev1.Pod) {
				p.Spec.NodeSelector = map[string]string{zone: "a"}
			}),
			placed: map[string][]*corev1.Pod{"a1": {testPod("x")}},
			want:   [4]Refusal{2: NodeAffinity, 3: NodeAffinity},
		},
		{
			name: "tainted zones count unless the policy honors taints", pod: testPod("x", spreadOver(zone, 1, app("x"))),
			change: func(n map[string]*corev1.Node) { tainted(n["b1"]) },
			placed: map[string][]*corev1.Pod{"a1": {testPod("x")}},
			want:   [4]Refusal{SpreadSkew, SpreadSkew, Taint, SpreadLabel},
		},
		{
			name: "and not if it does", pod: testPod("x", spreadOver(zone, 1, app("x"), func(t *corev1.TopologySpreadConstraint) {
				honor := corev1.NodeInclusionPolicyHonor
				t.NodeTaintsPolicy = &honor
			})),
			change: func(n map[string]*corev1.Node) { tainted(n["b1"]) },
			placed: map[string][]*corev1.Pod{"a1": {testPod("x")}},
			want:   [4]Refusal{2: Taint, 3: SpreadLabel},
		},
		{
			name: "terminating pods are not counted", pod: testPod("x", spreadOver(zone, 1, app("x"))),
			placed: map[string][]*corev1.Pod{"a1": {testPod("x", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} })}},
			want:   [4]Refusal{3: SpreadLabel},
		},
		{
			name: "matchLabelKeys tell versions apart", pod: testPod("x", func(p *corev1.Pod) { p.Labels["v"] = "2" },
				spreadOver(zone, 1, app("x"), func(t *corev1.TopologySpreadConstraint) { t.MatchLabelKeys = []string{"v"} })),
			placed: map[string][]*corev1.Pod{"a1": {testPod("x", func(p *corev1.Pod) { p.Labels["v"] = "1" })}},
			want:   [4]Refusal{3: SpreadLabel},
		},
		{
			name: "near pods of another app in their zone", pod: testPod("x", near(zone, app("y"))),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y")}},
			want:   [4]Refusal{Fits, Fits, PodAffinity, PodAffinity},
		},
		{
			name: "the first of its kind may begin anywhere with a zone", pod: testPod("x", near(zone, app("x"))),
			want: [4]Refusal{3: PodAffinity},
		},
		{
			name: "other namespaces are not meant", pod: testPod("x", near(zone, app("y"))),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y", func(p *corev1.Pod) { p.Namespace = "other" })}},
			want:   [4]Refusal{PodAffinity, PodAffinity, PodAffinity, PodAffinity},
		},
		{
			name: "unless their labels are selected", pod: testPod("x", near(zone, app("y"), func(t *corev1.PodAffinityTerm) {
				t.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "blue"}}
			})),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y", func(p *corev1.Pod) { p.Namespace = "other" })}},
			want:   [4]Refusal{Fits, Fits, PodAffinity, PodAffinity},
		},
		{
			name: "away from a zone", pod: testPod("x", awayFrom(zone, app("y"))),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y")}},
			want:   [4]Refusal{PodAntiAffinity, PodAntiAffinity},
		},
		{
			name: "kept away by those that are there", pod: testPod("x"),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y", awayFrom(corev1.LabelHostname, app("x")))}},
			want:   [4]Refusal{ExistingAntiAffinity},
		},
		{
			name: "a volume in zone b", pod: testPod("x", claiming("bound")),
			want: [4]Refusal{VolumeBinding, VolumeBinding, Fits, VolumeBinding},
		},
		{
			name: "a new volume is made in allowed zones", pod: testPod("x", claiming("waiting")),
			want: [4]Refusal{2: VolumeBinding, 3: VolumeBinding},
		},
		{
			name: "an unbound claim that does not wait", pod: testPod("x", claiming("immediate")),
			want: [4]Refusal{VolumeBinding, VolumeBinding, VolumeBinding, VolumeBinding},
		},
		{
			name: "one attachment a node", pod: testPod("x", claiming("labelled")),
			placed: map[string][]*corev1.Pod{"a1": {testPod("y", claiming("waiting"))}},
			want:   [4]Refusal{VolumeLimits, Fits, VolumeZone, Fits},
		},
		{
			name: "read and written by one pod", pod: testPod("x", claiming("alone")),
			placed: map[string][]*corev1.Pod{"b1": {testPod("y", claiming("alone"))}},
			want:   [4]Refusal{VolumeRestrictions, VolumeRestrictions, VolumeRestrictions, VolumeRestrictions},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nodes := map[string]*corev1.Node{"a1": testNode("a1", "a"), "a2": testNode("a2", "a"), "b1": testNode("b1", "b"), "c1": testNode("c1", "")}
			delete(nodes["c1"].Labels, zone)
			if tt.change != nil {
				tt.change(nodes)
			}
			u := NewUniverse(testSnapshot())
			cl := u.NewCluster()
			var have [4]Refusal
			var index [4]int32
			for i, name := range []string{"a1", "a2", "b1", "c1"} {
				p, err := u.Profile(nodes[name])
				require.NoError(t, err)
				var held []Held
				for _, pod := range tt.placed[name] {
					c, err := u.Class(pod)
					require.NoError(t, err)
					held = append(held, Held{c, 1})
				}
				index[i] = cl.AddNode(p, false, held)
			}
			c, err := u.Class(tt.pod)
			require.NoError(t, err)
			require.Empty(t, c.Unsupported())
			for i := range index {
				have[i] = cl.Check(c, index[i])
			}
			assert.Equal(t, tt.want, have)
		})
	}
}

// testSnapshot has a namespace and the claims that TestCheck uses.
func testSnapshot() *packing.Snapshot {
	wait, count := storagev1.VolumeBindingWaitForFirstConsumer, int32(1)
	claim := func(name, class, volume string, mode corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &class, VolumeName: volume, AccessModes: []corev1.PersistentVolumeAccessMode{mode}}}
	}
	volume := func(name string) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
			ClaimRef:               &corev1.ObjectReference{},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "csi", VolumeHandle: name}}}}
	}
	inB, labelled := volume("in-b"), volume("labelled")
	inB.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: zone, Operator: corev1.NodeSelectorOpIn, Values: []string{"b"}}}}}}}
	labelled.Labels = map[string]string{corev1.LabelFailureDomainBetaZone: "a__c"}
	return &packing.Snapshot{
		Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "other", Labels: map[string]string{"team": "blue"}}}},
		StorageClasses: []*storagev1.StorageClass{
			{ObjectMeta: metav1.ObjectMeta{Name: "wait"}, Provisioner: "csi", VolumeBindingMode: &wait, AllowedTopologies: []corev1.TopologySelectorTerm{
				{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: zone, Values: []string{"a"}}}}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "now"}, Provisioner: "csi"},
		},
		PersistentVolumes: []*corev1.PersistentVolume{inB, labelled, volume("alone")},
		PersistentVolumeClaims: []*corev1.PersistentVolumeClaim{
			claim("bound", "now", "in-b", corev1.ReadWriteOnce),
			claim("labelled", "now", "labelled", corev1.ReadWriteOnce),
			claim("alone", "now", "alone", corev1.ReadWriteOncePod),
			claim("waiting", "wait", "", corev1.ReadWriteOnce),
			claim("immediate", "now", "", corev1.ReadWriteOnce),
		},
		CSINodes: []*storagev1.CSINode{{ObjectMeta: metav1.ObjectMeta{Name: "a1"}, Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{
			{Name: "csi", Allocatable: &storagev1.VolumeNodeResources{Count: &count}}}}}},
	}
}

func TestBadPodsNameTheField(t *testing.T) {
	tests := map[string]*corev1.Pod{
		`pod default/x: container "": request cpu "-1": quantity is negative`: testPod("x", requests(corev1.ResourceCPU, "-1")),
		`pod default/x: spec.affinity.nodeAffinity: nodeSelectorTerms[0].matchExpressions[0]: bad expression: zone: unknown operator "Near"`: testPod("x",
			selecting(corev1.NodeSelectorRequirement{Key: "zone", Operator: "Near"})),
		`pod default/x: spec.topologySpreadConstraints[0]: maxSkew 0 is not above 0`: testPod("x", spreadOver(zone, 0, app("x"))),
		`pod default/x: spec.affinity.podAffinity: term 0: topologyKey is empty`:     testPod("x", near("", app("x"))),
	}
	for want, pod := range tests {
		_, err := NewUniverse(&packing.Snapshot{}).Class(pod)
		assert.EqualError(t, err, want)
	}
}

func TestUnsupportedIsSaid(t *testing.T) {
	u := NewUniverse(&packing.Snapshot{})
	for want, pod := range map[string]*corev1.Pod{
		`persistentvolumeclaim "data" is not in the snapshot`: testPod("x", claiming("data")),
		"dynamic resource allocation (spec.resourceClaims)":   testPod("x", func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}} }),
	} {
		c, err := u.Class(pod)
		require.NoError(t, err)
		assert.Equal(t, want, c.Unsupported())
	}
}
