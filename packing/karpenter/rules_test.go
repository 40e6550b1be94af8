package karpenter_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

func mounting(claim string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: claim, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
		}})
	}
}

func claimNamed(name, class, volume string) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: &class, VolumeName: volume},
	}
	if volume != "" {
		c.Annotations = map[string]string{"pv.kubernetes.io/bind-completed": "yes"}
	}
	return c
}

func volumeIn(name, zone string) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
	v.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: "ebs.csi.aws.com"}
	v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}}},
	}}}}
	return v
}

func classIn(name string, binding storagev1.VolumeBindingMode, zones ...string) *storagev1.StorageClass {
	c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "kubernetes.io/aws-ebs", VolumeBindingMode: &binding}
	for _, z := range zones {
		c.AllowedTopologies = append(c.AllowedTopologies, corev1.TopologySelectorTerm{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
			{Key: corev1.LabelTopologyZone, Values: []string{z}},
		}})
	}
	return c
}

func TestVolumesDecideTheZone(t *testing.T) {
	s := &packing.Snapshot{
		Pods: []*corev1.Pod{
			podNamed("bound", "1", "1Gi", mounting("bound")),
			podNamed("later", "900m", "1Gi", mounting("later")),
			podNamed("both", "800m", "1Gi", mounting("bound"), mounting("later")),
			podNamed("immediate", "700m", "1Gi", mounting("immediate")),
			podNamed("missing", "600m", "1Gi", mounting("missing")),
		},
		PersistentVolumeClaims: []*corev1.PersistentVolumeClaim{
			claimNamed("bound", "", "pv-c"), claimNamed("later", "two-zones", ""), claimNamed("immediate", "now", ""),
		},
		PersistentVolumes: []*corev1.PersistentVolume{volumeIn("pv-c", "zone-c")},
		StorageClasses: []*storagev1.StorageClass{
			classIn("two-zones", storagev1.VolumeBindingWaitForFirstConsumer, "zone-b", "zone-c"),
			classIn("now", storagev1.VolumeBindingImmediate),
		},
	}
	c := catalogOf(t, machine("small", 2))
	expect(t, describe(pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("default")}), s)), `
default: small zone-c on-demand: bound later
default: small zone-c on-demand: both
left immediate: refused: persistentvolumeclaim "immediate" has a storage class with immediate binding and is not bound
left missing: refused: persistentvolumeclaim "missing" not found`)
}

// A volume that one node alone can reach, as those of a driver of local disks.
func TestVolumesOfOneNode(t *testing.T) {
	local := volumeIn("pv-n2", "zone-a")
	local.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions = []corev1.NodeSelectorRequirement{
		{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{"n2"}},
	}
	claim := claimNamed("local", "", "pv-n2")
	s := &packing.Snapshot{
		Pods:                   []*corev1.Pod{podNamed("a", "1", "1Gi", mounting("local")), podNamed("b", "2", "1Gi", mounting("local")), podNamed("c", "1", "1Gi")},
		Nodes:                  []*packing.Node{nodeNamed("n1", 2, ""), nodeNamed("n2", 2, "")},
		PersistentVolumeClaims: []*corev1.PersistentVolumeClaim{claim},
		PersistentVolumes:      []*corev1.PersistentVolume{local},
	}
	plan := pack(t, packerOf(t, catalogOf(t, machine("small", 2)), []*packing.NodePool{poolNamed("default")}), s)
	got := strings.Split(describe(plan), "\n")
	if len(got) != 3 || got[0] != "node n1: c" || got[1] != "node n2: b" || !strings.HasPrefix(got[2], "left a: refused") {
		t.Errorf("got\n%s", describe(plan))
	}
}

func TestVolumeLimitsOfNodes(t *testing.T) {
	one := int32(1)
	node := nodeNamed("n1", 8, "", podNamed("old", "1", "1Gi", mounting("old")))
	s := &packing.Snapshot{
		Pods:                   []*corev1.Pod{podNamed("new", "1", "1Gi", mounting("new")), podNamed("shared", "500m", "1Gi", mounting("old")), podNamed("none", "250m", "1Gi")},
		Nodes:                  []*packing.Node{node},
		PersistentVolumeClaims: []*corev1.PersistentVolumeClaim{claimNamed("old", "any", ""), claimNamed("new", "any", "")},
		StorageClasses:         []*storagev1.StorageClass{classIn("any", storagev1.VolumeBindingWaitForFirstConsumer)},
		CSINodes: []*storagev1.CSINode{{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{
			{Name: "ebs.csi.aws.com", Allocatable: &storagev1.VolumeNodeResources{Count: &one}},
		}}}},
	}
	c := catalogOf(t, machine("small", 2))
	expect(t, describe(pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("default")}), s)), `
default: small zone-a on-demand: new
node n1: none shared`)
}

// Two instances are reserved. The third pod is deferred, though on-demand
// capacity and a pool of lower weight would take it.
func TestReservedCapacityIsStrict(t *testing.T) {
	const label = "karpenter.k8s.aws/capacity-reservation-id"
	small := machine("small", 2)
	small.Requirements = small.Requirements.Add(requirements.Must(label, requirements.In, "cr-1"))
	for i, r := range small.Requirements {
		if r.Key() == requirements.LabelCapacityType {
			small.Requirements[i] = requirements.Must(requirements.LabelCapacityType, requirements.In, "on-demand", "reserved")
		}
	}
	reserved := offering("zone-b", requirements.CapacityTypeReserved, 0.001)
	reserved.Requirements = reserved.Requirements.Add(requirements.Must(label, requirements.In, "cr-1"))
	reserved.ReservationCapacity = 2
	small.Offerings = append(small.Offerings, reserved)
	c := catalogOf(t, small)
	pools := []*packing.NodePool{poolNamed("first"), poolNamed("aside")}
	s := &packing.Snapshot{Pods: podsNamed("p", 3, "2", "1Gi")}
	expect(t, describe(pack(t, packerOf(t, c, pools), s)), `
first: small zone-b reserved: p-00
first: small zone-b reserved: p-01
left p-02: refused: one or more instance types with compatible reserved offerings are available, but could not be reserved`)
	plan := pack(t, packerOf(t, c, pools), s)
	if ids := plan.Launches[0].Requirements.Get(label).Values(); len(ids) != 1 || ids[0] != "cr-1" {
		t.Errorf("the claim names reservations %v, want cr-1", ids)
	}
	if plan := pack(t, packerOf(t, c, pools, karpenter.WithReservedCapacity(false)), s); len(plan.Launches) != 3 {
		t.Errorf("with the gate off reservations are not counted: got\n%s", describe(plan))
	}
}

func TestPoolsByWeightThenNameBackwards(t *testing.T) {
	heavy := int32(10)
	weighted := func(p *packing.NodePool) { p.Spec.Weight = &heavy }
	c := catalogOf(t, machine("small", 2))
	s := &packing.Snapshot{Pods: podsNamed("p", 1, "1", "1Gi")}
	expect(t, describe(pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("a"), poolNamed("b")}), s)), "b: small zone-a on-demand: p-00")
	expect(t, describe(pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("a", weighted), poolNamed("b")}), s)), "a: small zone-a on-demand: p-00")
}

func TestStaticPoolsOpenNoNodes(t *testing.T) {
	static := func(p *packing.NodePool) { n := int64(3); p.Spec.Replicas = &n }
	c := catalogOf(t, machine("small", 2))
	s := &packing.Snapshot{Pods: podsNamed("p", 1, "1", "1Gi"), Nodes: nil}
	expect(t, describe(pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("fixed", static)}), s)),
		"left p-00: refused: nodepool requirements filtered out all available instance types")
	s.Nodes = []*packing.Node{nodeNamed("n1", 2, "fixed")}
	expect(t, describe(pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("fixed", static)}), s)), "node n1: p-00")
}

// A static pool opens no nodes for pods, yet its nodes that are starting are nodes to be:
// their startup taints will go.
func TestStartupTaintsOfStaticPoolsPass(t *testing.T) {
	starting := corev1.Taint{Key: "example.com/starting", Effect: corev1.TaintEffectNoSchedule}
	for _, replicas := range []*int64{nil, new(int64(1))} {
		pool := poolNamed("default", func(p *packing.NodePool) {
			p.Spec.Replicas = replicas
			p.Spec.Template.Spec.StartupTaints = []corev1.Taint{starting}
		})
		n := nodeNamed("n1", 2, "default")
		delete(n.Labels, requirements.LabelInitialized)
		n.Spec.Taints = []corev1.Taint{starting}
		s := &packing.Snapshot{Pods: podsNamed("p", 1, "1", "1Gi"), Nodes: []*packing.Node{n}}
		expect(t, describe(pack(t, packerOf(t, catalogOf(t, machine("small", 2)), []*packing.NodePool{pool}), s)), "node n1: p-00")
	}
}

// Karpenter keeps no room for daemon pods with resource claims, neither on new nodes
// nor on those that are there.
func TestDaemonsWithResourceClaimsGetNoRoom(t *testing.T) {
	ds := daemonSet("agent", "1")
	ds.Spec.Template.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "device", ResourceClaimName: new("claim")}}
	s := &packing.Snapshot{
		Pods: podsNamed("p", 2, "2", "1Gi"), Nodes: []*packing.Node{nodeNamed("n1", 2, "default")}, DaemonSets: []*appsv1.DaemonSet{ds},
	}
	expect(t, describe(pack(t, packerOf(t, catalogOf(t, machine("small", 2)), []*packing.NodePool{poolNamed("default")}), s)), `
default: small zone-a on-demand: p-01
node n1: p-00`)
}

func TestPoolCatalogs(t *testing.T) {
	c, gpu := catalogOf(t, machine("small", 2)), catalogOf(t, machine("big", 16))
	pools := []*packing.NodePool{poolNamed("plain"), poolNamed("big")}
	s := &packing.Snapshot{Pods: []*corev1.Pod{podNamed("p", "8", "1Gi"), podNamed("q", "1", "1Gi", func(p *corev1.Pod) {
		p.Spec.NodeSelector = map[string]string{packing.LabelNodePool: "plain"}
	})}}
	expect(t, describe(pack(t, packerOf(t, c, pools, karpenter.WithPoolCatalog("big", gpu)), s)), `
big: big zone-a on-demand: p
plain: small zone-a on-demand: q`)
}

func TestNodesBeingDeletedTakeNoPods(t *testing.T) {
	gone := nodeNamed("gone", 8, "default")
	now := metav1.Now()
	gone.DeletionTimestamp = &now
	marked := nodeNamed("marked", 8, "default")
	marked.Claim = &packing.NodeClaim{MarkedForDeletion: true}
	c := catalogOf(t, machine("small", 2))
	s := &packing.Snapshot{Pods: podsNamed("p", 1, "1", "1Gi"), Nodes: []*packing.Node{gone, marked}}
	expect(t, describe(pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("default")}), s)), "default: small zone-a on-demand: p-00")
}

func TestWhatIsNotModelledIsRefused(t *testing.T) {
	c := catalogOf(t, machine("small", 2))
	dra := podNamed("dra", "1", "1Gi", func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}} })
	fields := podNamed("fields", "1", "1Gi", func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n1"}}}}},
		}}}
	})
	plan := pack(t, packerOf(t, c, []*packing.NodePool{poolNamed("default")}), &packing.Snapshot{Pods: []*corev1.Pod{dra, fields}})
	if len(plan.Unschedulable) != 2 {
		t.Fatalf("want both refused, got\n%s", describe(plan))
	}
	for _, u := range plan.Unschedulable {
		if u.Reasons[0].Kind != packing.NotSupported {
			t.Errorf("pod %s: %v, want not supported", u.Pod.Name, u.Reasons)
		}
	}
}

func TestBadInputNamesObjectAndField(t *testing.T) {
	c := catalogOf(t, machine("small", 2))
	badPool := poolNamed("default", func(p *packing.NodePool) {
		p.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{{Key: "size", Operator: "Near", Values: []string{"1"}}}
	})
	for _, tc := range []struct {
		name  string
		pools []*packing.NodePool
		want  []string
	}{
		{"operator", []*packing.NodePool{badPool}, []string{`"default"`, "requirements[0]", "Near"}},
		{"limit", []*packing.NodePool{poolNamed("default", limited(corev1.ResourceCPU, "-1"))}, []string{`"default"`, "spec.limits", "cpu"}},
		{"twice", []*packing.NodePool{poolNamed("default"), poolNamed("default")}, []string{`"default"`, "twice"}},
		{"nil", []*packing.NodePool{nil}, []string{"node pool 0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := karpenter.New(c, tc.pools)
			mustName(t, err, tc.want...)
		})
	}
	if _, err := karpenter.New(nil, nil); err == nil {
		t.Error("no error without a catalog")
	}

	negative := podNamed("p", "1", "1Gi", func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("-1Gi")
	})
	operator := podNamed("p", "1", "1Gi", func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
			{Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: "Like"}}}},
		}}}
	})
	address := podNamed("p", "1", "1Gi", func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80, HostIP: "here"}}
	})
	badNode := nodeNamed("n1", 1, "")
	badNode.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("-1")}
	packer := packerOf(t, c, []*packing.NodePool{poolNamed("default")})
	for _, tc := range []struct {
		name string
		s    *packing.Snapshot
		want []string
	}{
		{"quantity", &packing.Snapshot{Pods: []*corev1.Pod{negative}}, []string{"pod default/p", `"main"`, "memory"}},
		{"operator", &packing.Snapshot{Pods: []*corev1.Pod{operator}}, []string{"pod default/p", "preferred node affinity", "Like"}},
		{"address", &packing.Snapshot{Pods: []*corev1.Pod{address}}, []string{"pod default/p", "hostIP", "here"}},
		{"node", &packing.Snapshot{Nodes: []*packing.Node{badNode}}, []string{"node n1", "status.allocatable", "cpu"}},
		{"nil pod", &packing.Snapshot{Pods: []*corev1.Pod{nil}}, []string{"pod 0"}},
		{"nil node", &packing.Snapshot{Nodes: []*packing.Node{{}}}, []string{"node 0"}},
		{"nil bound pod", &packing.Snapshot{Nodes: []*packing.Node{nodeNamed("n1", 1, "", nil)}}, []string{"node n1", "pod 0"}},
		{"nil volume", &packing.Snapshot{PersistentVolumes: []*corev1.PersistentVolume{nil}}, []string{"persistent volume 0"}},
		{"no snapshot", nil, []string{"no snapshot"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := packer.Pack(context.Background(), tc.s)
			mustName(t, err, tc.want...)
		})
	}
}

func mustName(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %s", err, part)
		}
	}
}

func TestPackStopsWhenCancelled(t *testing.T) {
	packer := packerOf(t, catalogOf(t, machine("small", 2)), []*packing.NodePool{poolNamed("default")})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := packer.Pack(ctx, &packing.Snapshot{Pods: podsNamed("p", 3, "1", "1Gi")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// A catalog with more types than a claim may name: the cheapest stay.
func TestAtMost600TypesStay(t *testing.T) {
	var types []*instancetypes.InstanceType
	for i := range 700 {
		m := machine("m"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i/7), 2)
		for k := range m.Offerings {
			m.Offerings[k].Price = 1 + float64((i*37)%700)/100
		}
		types = append(types, m)
	}
	plan := pack(t, packerOf(t, catalogOf(t, types...), []*packing.NodePool{poolNamed("default")}), &packing.Snapshot{Pods: podsNamed("p", 1, "1", "1Gi")})
	l := plan.Launches[0]
	if len(l.Options) != 600 || l.Options[0] != l.InstanceType || l.Price != 1 {
		t.Fatalf("%d options from %s at %v, want 600 and the cheapest first", len(l.Options), l.InstanceType.Name, l.Price)
	}
	for i := 1; i < len(l.Options); i++ {
		if l.Options[i-1].Offerings[0].Price > l.Options[i].Offerings[0].Price {
			t.Fatalf("options %d and %d are not in order of price", i-1, i)
		}
	}
}
