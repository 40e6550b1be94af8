package cases

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// Mixes are the workloads that Scale makes.
var Mixes = []string{"plain", "diverse", "preferences"}

// Scale returns a workload of so many pods on an empty cluster with one pool and
// 400 instance types, after Karpenter's own scheduling benchmark (v1.14.1
// pkg/controllers/provisioning/scheduling/scheduling_benchmark_test.go,
// pkg/cloudprovider/fake/instancetype.go). The same mix and number give the same pods.
//
// "plain" pods state resources alone. "diverse" has five fifths: plain, spread over
// zones, spread over hosts, together in a zone, and apart from each other on
// hosts; the last fifth alone takes a node a pod, so that the number of nodes says
// little about a packer. "preferences" pods prefer a zone, prefer not to share a
// zone, which cannot be, and prefer not to share a host; unlike the original's
// they do not all request the same, which would flatter whoever remembers alike pods.
func Scale(mix string, pods int) (*recorded.Problem, error) {
	w := &workload{rng: rand.New(rand.NewPCG(42, uint64(pods))), snapshot: &packing.Snapshot{
		Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{
			Name: "default", Labels: map[string]string{corev1.LabelMetadataName: "default"},
		}}},
	}}
	switch mix {
	case "plain":
		w.add(pods, w.plain)
	case "diverse":
		for _, spec := range []func(*corev1.Pod){w.plain, w.spread(zoneLabel), w.spread(hostLabel), w.together, w.apart} {
			w.add(pods/5, spec)
		}
		w.add(pods-len(w.snapshot.Pods), w.plain)
	case "preferences":
		w.add(pods, w.preferring)
	default:
		return nil, fmt.Errorf("mix %q: not one of %q", mix, Mixes)
	}
	catalog, err := Numbered(400)
	if err != nil {
		return nil, err
	}
	pool := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: uid("pool/default")}}
	pool.Spec.Limits = amounts("10000000", "10000000Gi")
	pool.Spec.Template.Spec.NodeClassRef = &packing.NodeClassRef{Group: "karpenter.test.sh", Kind: "TestNodeClass", Name: "default"}
	return &recorded.Problem{
		Name: fmt.Sprintf("%s-%d", mix, pods), Features: []string{"scale", mix},
		Snapshot: w.snapshot, Catalog: catalog, NodePools: []*packing.NodePool{pool},
	}, nil
}

type workload struct {
	rng      *rand.Rand
	snapshot *packing.Snapshot
}

// add adds n pods, each with requests of its own.
func (w *workload) add(n int, spec func(*corev1.Pod)) {
	for range n {
		name := fmt.Sprintf("pod-%07d", len(w.snapshot.Pods))
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: uid("scale/" + name), CreationTimestamp: at(0)},
			Status:     corev1.PodStatus{Phase: corev1.PodPending},
		}
		spec(p)
		cpu := []string{"100m", "250m", "500m", "1", "1500m"}[w.rng.IntN(5)]
		memory := []string{"100Mi", "256Mi", "512Mi", "1Gi", "2Gi", "4Gi"}[w.rng.IntN(6)]
		p.Spec.Containers = []corev1.Container{container("main", amounts(cpu, memory))}
		w.snapshot.Pods = append(w.snapshot.Pods, p)
	}
}

func (w *workload) letter() string { return string(rune('a' + w.rng.IntN(7))) }

func (w *workload) plain(p *corev1.Pod) { p.Labels = map[string]string{"my-label": w.letter()} }

func (w *workload) spread(key string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		w.plain(p)
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"my-label": w.letter()}},
		}}
	}
}

func (w *workload) together(p *corev1.Pod) {
	p.Labels = map[string]string{"my-affinity": w.letter()}
	d := deployment{}
	d.requireTogether(affinityTerm(zoneLabel, &metav1.LabelSelector{MatchLabels: p.Labels}))
	p.Spec.Affinity = d.spec.Affinity
}

func (w *workload) apart(p *corev1.Pod) {
	p.Labels = map[string]string{"app": "nginx"}
	d := deployment{}
	d.requireApart(affinityTerm(hostLabel, &metav1.LabelSelector{MatchLabels: p.Labels}))
	p.Spec.Affinity = d.spec.Affinity
}

func (w *workload) preferring(p *corev1.Pod) {
	p.Labels = map[string]string{"app": "nginx"}
	d := deployment{}
	self := &metav1.LabelSelector{MatchLabels: p.Labels}
	d.nodeAffinity().PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{{
		Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{expression(zoneLabel, "In", "test-zone-1")}},
	}}
	d.preferApart(10, zoneLabel, self)
	d.preferApart(1, hostLabel, self)
	p.Spec.Affinity = d.spec.Affinity
}

// Numbered returns a catalog of n types, the i-th of i CPUs, 2i GiB and 10i pods, at
// a price in proportion: two zones of spot, three on demand.
func Numbered(n int) (*instancetypes.Catalog, error) {
	types := make([]*instancetypes.InstanceType, n)
	for i := range types {
		types[i] = numbered(i)
	}
	return instancetypes.NewCatalog(instancetypes.Info{Provider: "numbered"}, types...)
}

func numbered(i int) *instancetypes.InstanceType {
	cpu := i + 1
	list := amounts(fmt.Sprint(cpu), fmt.Sprintf("%dGi", 2*cpu))
	list[corev1.ResourcePods] = quantity(fmt.Sprint(10 * cpu))
	t := &instancetypes.InstanceType{
		Name:     fmt.Sprintf("fake-it-%d", i),
		Capacity: resources.MustFromList(list),
		Overhead: resources.MustFromList(amounts("100m", "10Mi")),
	}
	price := 0.1*float64(cpu) + 0.1*float64(list.Memory().Value())/1e9
	for _, o := range [][2]string{
		{"spot", "test-zone-1"}, {"spot", "test-zone-2"},
		{"on-demand", "test-zone-1"}, {"on-demand", "test-zone-2"}, {"on-demand", "test-zone-3"},
	} {
		t.Offerings = append(t.Offerings, instancetypes.Offering{Requirements: offered(o[0], o[1]), Price: price, Available: true})
	}
	sizeName, special := "small", requirements.Must("special", requirements.DoesNotExist)
	if cpu > 4 {
		sizeName, special = "large", requirements.Must("special", requirements.In, "optional")
	}
	t.Requirements = requirements.NewSet(
		requirements.Must(typeLabel, requirements.In, t.Name),
		requirements.Must(archLabel, requirements.In, "amd64"),
		requirements.Must(osLabel, requirements.In, "linux", "windows", "darwin"),
		requirements.Must(zoneLabel, requirements.In, "test-zone-1", "test-zone-2", "test-zone-3"),
		requirements.Must(capacityTypeLabel, requirements.In, "spot", "on-demand"),
		requirements.Must("size", requirements.In, sizeName),
		special,
		requirements.Must("integer", requirements.In, fmt.Sprint(cpu)),
	)
	return t
}
