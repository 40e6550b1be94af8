package compare

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
)

func run(t *testing.T, s *scenarios.Scenario, engines ...Engine) *Comparison {
	t.Helper()
	c, err := Run(context.Background(), s, engines)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFigures(t *testing.T) {
	s := fleet(t, 20)
	// 100m of daemon on each node; the second set tolerates and selects nothing here.
	s.Snapshot.DaemonSets = []*appsv1.DaemonSet{daemonSet("agent", "100m", nil), daemonSet("gpu", "1", map[string]string{"gpu": "yes"})}
	r := run(t, s, filler{instanceType: "large", capacityType: "spot", perNode: 7, leave: 2}.engine("filler")).Results[0]

	if r.Nodes != 3 || r.PodsPlaced != 18 || r.PodsLeft != 2 || r.SpotNodes != 3 {
		t.Errorf("got %d nodes (%d spot), %d pods placed, %d left; want 3 (3), 18, 2", r.Nodes, r.SpotNodes, r.PodsPlaced, r.PodsLeft)
	}
	// 3 nodes of 8 vCPU at 2 cents: 0.48 $/h; at 5 cents on demand: 1.20 $/h.
	if r.HourlyUSD != 0.48 || r.MonthlyUSD != 0.48*730 || r.ListHourlyUSD != 1.2 {
		t.Errorf("got %v $/h, %v $/month, %v $/h on demand; want 0.48, 350.4, 1.2", r.HourlyUSD, r.MonthlyUSD, r.ListHourlyUSD)
	}
	// 18 pods of 1 and three daemon pods of 0.1, over 3 nodes of 8.
	if want := (Utilisation{18_300, 24_000}); r.CPU != want {
		t.Errorf("CPU: got %v, want %v", r.CPU, want)
	}
	if want := (Utilisation{18 * 2 << 30, 3 * 32 << 30}); r.Memory != want {
		t.Errorf("memory: got %v, want %v", r.Memory, want)
	}
	if len(r.InstanceTypes) != 1 || r.InstanceTypes[0] != (InstanceCount{"large", "spot", 3, 0.48}) {
		t.Errorf("mix: got %v", r.InstanceTypes)
	}
	for name, split := range map[string][]Share{"default": r.ByOwner, "zone-a": r.ByZone, "spot": r.ByCapacityType} {
		if len(split) != 1 || split[0] != (Share{name, 3, 0.48}) {
			t.Errorf("split of the cost: got %v, want all of it under %s", split, name)
		}
	}
	// A limit tells more than a refusal elsewhere.
	if len(r.Left) != 1 || r.Left[0] != (Left{2, "limit reached", "default: the limit of cpu 8 is reached"}) {
		t.Errorf("left: got %v", r.Left)
	}
	if !r.Verified {
		t.Errorf("problems: %q", r.Problems)
	}
}

func daemonSet(name, cpu string, selector map[string]string) *appsv1.DaemonSet {
	labels := map[string]string{"app": name}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{NodeSelector: selector, Containers: []corev1.Container{{
					Name: "agent", Image: "agent",
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}},
				}}},
			},
		},
	}
}

func TestDaemonsRespectTaints(t *testing.T) {
	node := &corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{
		{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule},
		{Key: "busy", Effect: corev1.TaintEffectPreferNoSchedule},
	}}}
	tests := []struct {
		name       string
		toleration corev1.Toleration
		want       bool
	}{
		{"none", corev1.Toleration{Key: "other", Operator: corev1.TolerationOpExists}, false},
		{"all", corev1.Toleration{Operator: corev1.TolerationOpExists}, true},
		{"equal", corev1.Toleration{Key: "dedicated", Value: "gpu"}, true},
		{"other value", corev1.Toleration{Key: "dedicated", Value: "db"}, false},
		{"other effect", corev1.Toleration{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoExecute}, false},
	}
	for _, test := range tests {
		set := daemonSet("agent", "1", nil)
		set.Spec.Template.Spec.Tolerations = []corev1.Toleration{test.toleration}
		daemons, err := readDaemons([]*appsv1.DaemonSet{set})
		if err != nil {
			t.Fatal(err)
		}
		if got := daemons[0].runsOn(node); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// The template of the group says 8 vCPU, its instance type has 2: pods that fit
// the one do not fit the other, and the report says so.
func TestOvercommitted(t *testing.T) {
	s := fleet(t, 4)
	small, _ := s.Catalog.Lookup("small")
	large, _ := s.Catalog.Lookup("large")
	group := &packing.NodeGroup{
		Name: "web", MaxSize: 5, InstanceTypes: s.Catalog.Types(), Price: 0.1,
		Template: packing.TemplateNode(large, packing.TemplateOptions{Zone: "zone-a"}),
	}
	s.NodeGroups = append(s.NodeGroups, group)
	plan := &packing.Plan{Launches: []*packing.Launch{{
		Name: "web-0", NodeGroup: group, InstanceType: small, Zone: "zone-a", CapacityType: "on-demand", Price: 0.1, Pods: s.Snapshot.Pods,
	}}}
	var r Result
	if err := r.measureUtilisation(s.Snapshot, plan); err != nil {
		t.Fatal(err)
	}
	if r.Overcommitted != 1 || r.CPU.Share() != 0.5 {
		t.Errorf("got %d over-committed nodes, CPU %v; want 1, half of the template", r.Overcommitted, r.CPU)
	}
}

// A plan that loses a pod, over-fills a node or changes from call to call is
// not verified.
func TestReferee(t *testing.T) {
	tests := []struct {
		name   string
		packer filler
		want   string
	}{
		{"lost pod", filler{perNode: 8, leave: 2, drop: 1}, "the snapshot has 20 pods, the plan accounts for 19"},
		{"over-filled", filler{perNode: 9}, "cpu"},
		{"changes", filler{perNode: 8, alternate: true}, "two runs on the same snapshot gave different plans"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.packer.instanceType, test.packer.capacityType = "large", "on-demand"
			r := run(t, fleet(t, 20), test.packer.engine("filler")).Results[0]
			if r.Verified || !strings.Contains(strings.ToLower(strings.Join(r.Problems, "\n")), test.want) {
				t.Errorf("verified %v, problems %q; want one with %q", r.Verified, r.Problems, test.want)
			}
		})
	}
}

// A rule that the original breaks too is no problem, but is told.
func TestDeviationsOfTheOriginal(t *testing.T) {
	e := filler{instanceType: "large", capacityType: "on-demand", perNode: 9}.engine("filler")
	e.Deviations = []packing.Rule{packing.RuleResources}
	r := run(t, fleet(t, 20), e).Results[0]
	if !r.Verified || len(r.Deviations) == 0 || len(r.Problems) != 0 {
		t.Errorf("verified %v, deviations %q, problems %q; want deviations alone", r.Verified, r.Deviations, r.Problems)
	}
}

func TestEngineErrorStopsOnlyItself(t *testing.T) {
	s := fleet(t, 4)
	broken := Engine{Name: "broken", New: func(*scenarios.Scenario) (packing.Packer, error) {
		return nil, errors.New("no node groups")
	}}
	c := run(t, s, broken, filler{instanceType: "large", capacityType: "spot", perNode: 8}.engine("filler"))
	if c.Results[0].Error != "no node groups" || c.Results[1].Nodes != 1 {
		t.Errorf("got %+v", c.Results)
	}
	if want := "filler launches 1 node at $0.1600 an hour for 4 pods."; c.Conclusion != want {
		t.Errorf("conclusion %q, want %q", c.Conclusion, want)
	}
}

func TestCancelledRunKeepsWhatIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	first := filler{instanceType: "large", capacityType: "spot", perNode: 8}.engine("first")
	second := Engine{Name: "second", New: func(s *scenarios.Scenario) (packing.Packer, error) {
		cancel()
		return first.New(s)
	}}
	c, err := Run(ctx, fleet(t, 4), []Engine{first, second, first})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "engine second") {
		t.Errorf("got error %v", err)
	}
	if len(c.Results) != 1 || c.Results[0].Engine != "first" {
		t.Errorf("got %d results, want that of the first engine", len(c.Results))
	}
}

func TestDecisionTimeIsTheMedian(t *testing.T) {
	clock := time.Unix(0, 0)
	// Setup takes 1 s; the calls of Pack take 5, 1, 2 and 3 s.
	steps := []time.Duration{0, 1, 0, 5, 0, 1, 0, 2, 0, 3}
	set := settings{runs: 4, now: func() time.Time {
		clock = clock.Add(steps[0] * time.Second)
		steps = steps[1:]
		return clock
	}}
	r := set.measure(context.Background(), fleet(t, 1), filler{instanceType: "small", capacityType: "spot", perNode: 1}.engine("filler"))
	if r.SetupSeconds != 1 || r.DecisionSeconds != 2.5 || r.Runs != 4 {
		t.Errorf("got setup %v s, decision %v s over %d runs; want 1, 2.5 over 4", r.SetupSeconds, r.DecisionSeconds, r.Runs)
	}
}

func TestLaunchOfATemplateIsNamedByItsLabel(t *testing.T) {
	group := &packing.NodeGroup{Name: "workers", Template: &corev1.Node{}}
	launch := &packing.Launch{NodeGroup: group}
	if got := launchedType(launch); got != "workers" {
		t.Errorf("got %q, want the group's name", got)
	}
	group.Template.Labels = map[string]string{corev1.LabelInstanceTypeStable: "m5.large"}
	if got := launchedType(launch); got != "m5.large" {
		t.Errorf("got %q, want the template's label", got)
	}
}
