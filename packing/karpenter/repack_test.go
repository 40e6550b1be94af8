package karpenter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
)

// changing is a cluster that changes step by step as a cluster does, every changed
// object a new one.
type changing struct {
	rng    *rand.Rand
	t      *testing.T
	s      packing.Snapshot
	serial int
	steps  int
	// templates are what controllers make pods of; pods share them.
	templates []*corev1.Pod
}

func newChanging(t *testing.T, rng *rand.Rand) *changing {
	c := &changing{rng: rng, t: t}
	for range 3 {
		for _, n := range disruptionCluster(t, rng).Nodes {
			c.s.Nodes = append(c.s.Nodes, c.renamed(n))
			for _, p := range n.Pods {
				if len(c.templates) < 12 && rng.IntN(4) == 0 {
					c.templates = append(c.templates, p)
				}
			}
		}
	}
	c.s.Now = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	return c
}

// renamed is a node as a new one of another name.
func (c *changing) renamed(n *packing.Node) *packing.Node {
	c.serial++
	again := *n
	again.Node = n.DeepCopy()
	again.Name = fmt.Sprintf("n-%04d", c.serial)
	again.Labels[corev1.LabelHostname] = again.Name
	again.CreationTimestamp = metav1.NewTime(c.s.Now)
	again.Pods = nil
	if c.rng.IntN(3) == 0 {
		again.Spec.Taints = []corev1.Taint{{Key: "karpenter.sh/unregistered", Effect: corev1.TaintEffectNoExecute}}
	}
	for _, p := range n.Pods {
		pod := *p
		c.serial++
		pod.Name, pod.UID, pod.Spec.NodeName = fmt.Sprintf("p-%05d", c.serial), types.UID(fmt.Sprint(c.serial)), again.Name
		again.Pods = append(again.Pods, &pod)
	}
	return &again
}

// pod is a new pod of some template, now and then with something of its own.
func (c *changing) pod() *corev1.Pod {
	c.serial++
	pod := *c.templates[c.rng.IntN(len(c.templates))]
	pod.Name, pod.UID, pod.Spec.NodeName = fmt.Sprintf("p-%05d", c.serial), types.UID(fmt.Sprint(c.serial)), ""
	switch c.rng.IntN(18) {
	case 0:
		pod.Spec.Containers = slices.Clone(pod.Spec.Containers)
		pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: int32(8000 + c.rng.IntN(2))}}
	case 1:
		pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: fmt.Sprint("claim-", c.rng.IntN(6))}}}}
	case 2:
		pod.Spec.Volumes = []corev1.Volume{{Name: "own", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}}}
	case 3:
		pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: c.s.Nodes[c.rng.IntN(len(c.s.Nodes))].Name}
	case 4, 9, 10:
		pod.Labels = map[string]string{"app": fmt.Sprint(c.rng.IntN(2))}
		for mark := range 4 {
			pod.Labels[fmt.Sprint("mark-", mark)] = fmt.Sprint(c.rng.IntN(2))
		}
	case 5:
		pod.Spec.Containers = slices.Clone(pod.Spec.Containers)
		pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), "example.com/thing": resource.MustParse("1")}
	case 6, 11, 12:
		term := corev1.PodAffinityTerm{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{fmt.Sprint("mark-", c.steps/10): "1"}},
		}
		if c.rng.IntN(2) == 0 {
			term.TopologyKey, term.MatchLabelKeys = corev1.LabelTopologyZone, []string{"app"}
			term.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
		}
		pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term}}}
	case 13, 14:
		pod.Spec.NodeSelector = map[string]string{packing.LabelNodePool: []string{"default", "other"}[c.rng.IntN(2)]}
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone,
			WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprint(c.rng.IntN(2))}}}}
	case 7:
		pod.Annotations = map[string]string{"karpenter.sh/do-not-disrupt": "1h"}
		pod.Status.StartTime = &metav1.Time{Time: c.s.Now}
	case 8:
		pod.Status.Phase = corev1.PodSucceeded
	}
	return &pod
}

// step changes a little of everything.
func (c *changing) step() {
	s := &c.s
	c.steps++ // from time to time selectors begin to read another label
	s.Now = s.Now.Add(time.Duration(c.rng.IntN(40)) * time.Minute)
	s.Nodes = slices.Clone(s.Nodes)
	for range 1 + c.rng.IntN(4) {
		at := c.rng.IntN(len(s.Nodes))
		n := *s.Nodes[at]
		n.Pods = slices.Clone(n.Pods)
		switch c.rng.IntN(8) {
		case 0, 1, 2:
			pod := c.pod()
			pod.Spec.NodeName = n.Name
			n.Pods = append(n.Pods, pod)
		case 3, 4:
			if len(n.Pods) > 0 {
				n.Pods = slices.Delete(n.Pods, 0, 1)
			}
		case 5:
			n.Claim = &packing.NodeClaim{Consolidatable: c.rng.IntN(4) > 0, Nominated: c.rng.IntN(3) == 0, MarkedForDeletion: c.rng.IntN(4) == 0, Unregistered: c.rng.IntN(4) == 0}
		case 6:
			s.Nodes[at] = &n
			s.Nodes = slices.Insert(s.Nodes, c.rng.IntN(len(s.Nodes)+1), c.renamed(&n))
			continue
		case 7:
			if len(s.Nodes) > 12 {
				s.Nodes = slices.Delete(s.Nodes, at, at+1)
				continue
			}
		}
		s.Nodes[at] = &n
	}
	s.Pods = nil
	for range c.rng.IntN(9) {
		pod := c.pod()
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
		s.Pods = append(s.Pods, pod)
	}
	c.stepOthers()
}

// stepOthers changes what is neither pod nor node.
func (c *changing) stepOthers() {
	s := &c.s
	if c.rng.IntN(4) == 0 {
		s.DaemonSets = nil
		for i := range c.rng.IntN(3) {
			ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: fmt.Sprint("d", i)}}
			ds.Spec.Template.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(int64(50*(1+c.rng.IntN(4))), resource.DecimalSI)}}}}
			s.DaemonSets = append(s.DaemonSets, ds)
		}
	}
	if c.rng.IntN(4) == 0 {
		s.PodDisruptionBudgets = nil
		if c.rng.IntN(2) == 0 {
			b := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "b"}}
			b.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprint(c.rng.IntN(5))}}
			b.Status.DisruptionsAllowed = int32(c.rng.IntN(2))
			s.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{b}
		}
	}
	if c.rng.IntN(2) == 0 {
		s.Namespaces = []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "default", Labels: map[string]string{"team": []string{"a", "b"}[c.rng.IntN(2)]}}}}
	}
	if c.rng.IntN(4) == 0 {
		s.PersistentVolumeClaims, s.PersistentVolumes, s.CSINodes = nil, nil, nil
		for i := range 6 {
			name := fmt.Sprint("claim-", i)
			zone := string(rune('a' + c.rng.IntN(3)))
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{bindCompleted: "yes"}}}
			claim.Spec.VolumeName = name
			volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
			volume.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: "csi"}
			volume.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}}}}}}}
			s.PersistentVolumeClaims, s.PersistentVolumes = append(s.PersistentVolumeClaims, claim), append(s.PersistentVolumes, volume)
		}
		for _, n := range s.Nodes {
			limit := int32(c.rng.IntN(3))
			s.CSINodes = append(s.CSINodes, &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: n.Name}, Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "csi", Allocatable: &storagev1.VolumeNodeResources{Count: &limit}}}}})
		}
	}
}

// A packer that has seen the cluster before decides as one that has not, whatever
// has changed in between.
func TestRepackDecidesAsAFreshPacker(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 4))
	ctx := context.Background()
	placed, commands := 0, 0
	for sequence := range 6 {
		c := newChanging(t, rng)
		pools := disruptionPools(rng)
		pools[1].Spec.Template.Spec.ExpireAfter.Duration = 30 * 24 * time.Hour
		warm, err := New(simulationCatalog(t), pools)
		if err != nil {
			t.Fatal(err)
		}
		for step := range 40 {
			c.step()
			s := c.s
			fresh, err := New(simulationCatalog(t), pools)
			if err != nil {
				t.Fatal(err)
			}
			where := fmt.Sprintf("sequence %d, step %d", sequence, step)
			got, err := warm.Pack(ctx, &s)
			if err != nil {
				t.Fatal(where, err)
			}
			want, err := fresh.Pack(ctx, &s)
			if err != nil {
				t.Fatal(where, err)
			}
			if d := cmp.Diff(toldPlan(want), toldPlan(got)); d != "" {
				t.Fatalf("%s: the warm packer (+) packs otherwise than a fresh one (-):\n%s", where, d)
			}
			placed += got.PodCount()
			cmd, effort, err := warm.Disrupt(ctx, &s, DisruptLimits{})
			if err != nil {
				t.Fatal(where, err)
			}
			wanted, wantedEffort, err := fresh.Disrupt(ctx, &s, DisruptLimits{})
			if err != nil {
				t.Fatal(where, err)
			}
			if a, b := toldDecision(wanted), toldDecision(cmd); a != b || fmt.Sprint(effort) != fmt.Sprint(wantedEffort) {
				t.Fatalf("%s: a fresh packer says\n%s %+v\nthe warm one\n%s %+v", where, a, wantedEffort, b, effort)
			}
			if cmd != nil {
				commands++
				c.step()
				compareValidations(t, where, warm, fresh, cmd, &c.s)
			}
			if step%8 == 0 {
				compareConsolidations(t, where, warm, fresh, &s)
			}
		}
	}
	if placed < 200 || commands < 60 {
		t.Errorf("%d pods placed, %d commands: the clusters show too little", placed, commands)
	}
}

func compareValidations(t *testing.T, where string, warm, fresh *Packer, cmd *Command, s *packing.Snapshot) {
	t.Helper()
	got, err := warm.Validate(context.Background(), cmd, s)
	if err != nil {
		t.Fatal(where, err)
	}
	want, err := fresh.Validate(context.Background(), cmd, s)
	if err != nil {
		t.Fatal(where, err)
	}
	told := func(v *Validation) string {
		return fmt.Sprintf("%s %s %s %+v", v.Rejection, v.Message, toldDecision(v.Command), v.Effort)
	}
	if told(got) != told(want) {
		t.Fatalf("%s: a fresh packer validates\n%s\nthe warm one\n%s", where, told(want), told(got))
	}
}

func compareConsolidations(t *testing.T, where string, warm, fresh *Packer, s *packing.Snapshot) {
	t.Helper()
	got, err := warm.Consolidate(context.Background(), s)
	if err != nil {
		t.Fatal(where, err)
	}
	want, err := fresh.Consolidate(context.Background(), s)
	if err != nil {
		t.Fatal(where, err)
	}
	if d := cmp.Diff(toldConsolidation(want), toldConsolidation(got)); d != "" {
		t.Fatalf("%s: the warm packer (+) consolidates otherwise than a fresh one (-):\n%s", where, d)
	}
}

// Labels that no selector read at first tell pods apart once one does.
func TestRepackReadsLabelsAnew(t *testing.T) {
	pod := func(name, v string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), Labels: map[string]string{"v": v}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("1Mi")}}}}},
		}
	}
	p, err := New(simulationCatalog(t), disruptionPools(rand.New(rand.NewPCG(1, 1))))
	if err != nil {
		t.Fatal(err)
	}
	s := &packing.Snapshot{Pods: []*corev1.Pod{pod("a", "0"), pod("b", "1")}}
	plan, err := p.Pack(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Launches) != 1 {
		t.Fatalf("%d launches for two pods that go together", len(plan.Launches))
	}
	apart := pod("apart", "2")
	apart.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"v": "1"}}}}}}
	s = &packing.Snapshot{Pods: append(s.Pods, apart)}
	if plan, err = p.Pack(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	places := placesOf(plan)
	if len(plan.Launches) != 2 || places["a"] != places["apart"] || places["b"] == places["apart"] {
		t.Errorf("only b is kept apart; the pods went to %v", places)
	}
}

// Nodes that are gone are forgotten, and a node that a careless caller has changed in
// place is noticed as far as that is quick to see.
func TestMemoryFollowsTheCluster(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 5))
	c := newChanging(t, rng)
	p, err := New(simulationCatalog(t), disruptionPools(rng))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		for i, n := range c.s.Nodes {
			again := *n
			c.s.Nodes[i] = &again
		}
		if _, err := p.Pack(context.Background(), &c.s); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.workspaces.idle); n != 1 {
		t.Fatalf("%d workspaces after packs one after the other", n)
	}
	if known := len(p.workspaces.idle[0].memory.nodes); known > 4*len(c.s.Nodes)+forgetAfter {
		t.Errorf("%d nodes are remembered of a cluster of %d", known, len(c.s.Nodes))
	}
	for _, n := range c.s.Nodes {
		full := c.pod()
		full.Spec = corev1.PodSpec{NodeName: n.Name, Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100")}}}}}
		full.Status = corev1.PodStatus{Phase: corev1.PodRunning}
		n.Pods = append(n.Pods, full)
	}
	waiting := c.pod()
	waiting.Spec, waiting.Status = corev1.PodSpec{Containers: waiting.Spec.Containers}, corev1.PodStatus{Phase: corev1.PodPending}
	c.s.Pods = []*corev1.Pod{waiting}
	plan, err := p.Pack(context.Background(), &c.s)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Placements) > 0 {
		t.Errorf("a pod went to node %s, which is full by now", plan.Placements[0].Node.Name)
	}
}

// toldPlan is all that a plan decides.
func toldPlan(p *packing.Plan) map[string]string {
	places := placesOf(p)
	for _, u := range p.Unschedulable {
		places[u.Pod.Name] = fmt.Sprint("nowhere: ", u.Reasons)
	}
	return places
}

func toldConsolidation(c *Consolidation) []string {
	lines := []string{fmt.Sprint(c.Budgets, c.Totals), toldDecision(c.Emptiness), toldDecision(c.Multi), toldDecision(c.Single)}
	for _, n := range c.Nodes {
		lines = append(lines, fmt.Sprint(n.Node.Name, n.Price, n.DisruptionCost, n.LifetimeCost, n.StateCost, n.Blocked, n.Excluded, n.Empty))
	}
	for _, v := range c.Verdicts {
		lines = append(lines, fmt.Sprint(v.Candidate.Node.Name, toldDecision(v.Command), v.Reason, v.Scores, v.CanPass))
	}
	return lines
}
