package packing_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// breach is a world that is good after prepare, and breaks one rule after spoil.
type breach struct {
	name    string
	rule    packing.Rule
	prepare func(*world)
	spoil   func(*world)
	says    string // in one of the messages
	opts    []packing.VerifyOption
}

func rules(violations []packing.Violation) []packing.Rule {
	var found []packing.Rule
	for _, v := range violations {
		if !slices.Contains(found, v.Rule) {
			found = append(found, v.Rule)
		}
	}
	return found
}

// check holds every breach to its word: nothing wrong before, that rule and no other after.
func check(t *testing.T, breaches []breach) {
	t.Helper()
	for _, b := range breaches {
		t.Run(b.name, func(t *testing.T) {
			w := newWorld()
			if b.prepare != nil {
				b.prepare(w)
			}
			require.Empty(t, packing.Verify(w.snapshot, w.plan, b.opts...), "before it is broken")
			b.spoil(w)
			violations := packing.Verify(w.snapshot, w.plan, b.opts...)
			require.Equal(t, []packing.Rule{b.rule}, rules(violations), "%v", violations)
			require.True(t, slices.ContainsFunc(violations, func(v packing.Violation) bool { return strings.Contains(v.String(), b.says) }), "%v", violations)
			require.Empty(t, packing.Verify(w.snapshot, w.plan, append(b.opts, packing.Tolerate(b.rule))...), "tolerated")
		})
	}
}

func TestVerifyPods(t *testing.T) {
	malformed := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}}
	nowhere := []corev1.PodAffinityTerm{{TopologyKey: zone, LabelSelector: malformed}}
	check(t, []breach{
		{name: "lost", rule: packing.RulePodMissing, says: "pod default/left: it is neither",
			spoil: func(w *world) { w.plan.Unschedulable = nil }},
		{name: "placed and unschedulable", rule: packing.RulePodTwice, says: "pod default/a",
			spoil: func(w *world) {
				w.plan.Unschedulable = append(w.plan.Unschedulable, packing.Unschedulable{Pod: w.pods["a"]})
			}},
		{name: "on two nodes, the second a copy", rule: packing.RulePodTwice, says: "2 times",
			spoil: func(w *world) {
				w.plan.Launches[0].Pods = append(w.plan.Launches[0].Pods, w.pods["a"].DeepCopy())
			}},
		{name: "copy without UID is known by name", rule: packing.RulePodTwice, says: "pod default/a",
			prepare: func(w *world) { w.pods["a"].UID = "" },
			spoil: func(w *world) {
				w.plan.Launches[0].Pods = append(w.plan.Launches[0].Pods, w.pods["a"].DeepCopy())
			}},
		{name: "foreign", rule: packing.RulePodUnknown, says: "pod default/stranger",
			spoil: func(w *world) {
				w.plan.Launches[0].Pods = append(w.plan.Launches[0].Pods, pod("stranger", "cpu=1m"))
			}},
		{name: "nil", rule: packing.RulePodUnknown, says: "nil pod",
			spoil: func(w *world) { w.plan.Launches[0].Pods = append(w.plan.Launches[0].Pods, nil) }},
		{name: "unreadable", rule: packing.RulePodSpec, says: "negative",
			spoil: func(w *world) { w.pods["a"].Spec.Containers = containers("cpu=-1") }},
		{name: "malformed selector of a spread", rule: packing.RulePodSpec, says: "topologySpreadConstraints[0].labelSelector",
			spoil: func(w *world) {
				c := spread(zone, 1, web)
				c.LabelSelector = malformed
				w.pods["a"].Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{c}
			}},
		{name: "malformed selector of an affinity", rule: packing.RulePodSpec, says: "required pod affinity: [0].labelSelector",
			spoil: func(w *world) {
				w.pods["a"].Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: nowhere}}
			}},
		{name: "malformed selector of an anti-affinity", rule: packing.RulePodSpec, says: "required pod anti-affinity: [0].labelSelector",
			spoil: func(w *world) {
				w.pods["a"].Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: nowhere}}
			}},
	})
}

// A copy in the plan is judged as the snapshot states the pod.
func TestVerifyJudgesTheSnapshotsPod(t *testing.T) {
	w := newWorld()
	w.pods["a"].Spec.NodeSelector = map[string]string{zone: "nowhere"}
	free := w.pods["a"].DeepCopy()
	free.Spec.NodeSelector = nil
	w.plan.Placements[0].Pods[0] = free
	require.Equal(t, []packing.Rule{packing.RuleNodeAffinity}, rules(packing.Verify(w.snapshot, w.plan)))
}

func TestVerifyLaunches(t *testing.T) {
	check(t, []breach{
		{name: "no name", rule: packing.RuleLaunch, says: "no name", spoil: func(w *world) { w.plan.Launches[0].Name = "" }},
		{name: "same name twice", rule: packing.RuleLaunch, says: "taken", spoil: func(w *world) { w.plan.Launches[0].Name = "l2" }},
		{name: "name of a node", rule: packing.RuleLaunch, says: "taken", spoil: func(w *world) { w.plan.Launches[0].Name = "n1" }},
		{name: "pool and group", rule: packing.RuleLaunch, says: "either",
			prepare: func(w *world) { w.group.TargetSize = 0 },
			spoil:   func(w *world) { w.plan.Launches[0].NodeGroup = w.group }},
		{name: "neither pool nor group", rule: packing.RuleLaunch, says: "either", spoil: func(w *world) { w.plan.Launches[0].NodePool = nil }},
		{name: "nil launch", rule: packing.RuleLaunch, says: "1 launches are nil",
			spoil: func(w *world) { w.plan.Launches = append(w.plan.Launches, nil) }},
		{name: "pool without an instance type", rule: packing.RuleLaunch, says: "has an instance type",
			prepare: func(w *world) { w.move("c", "n1") },
			spoil:   func(w *world) { w.plan.Launches[0].InstanceType = nil }},
		{name: "group without a template", rule: packing.RuleLaunch, says: "has no template",
			prepare: func(w *world) { w.move("e", "n1") },
			spoil:   func(w *world) { w.group.Template = nil }},
		{name: "pool that cannot be read", rule: packing.RuleNodePool, says: "Near",
			spoil: func(w *world) { w.pool.Spec.Template.Spec.Requirements[0].Operator = "Near" }},
		{name: "placement on a foreign node", rule: packing.RuleLaunch, says: "not in the snapshot",
			spoil: func(w *world) {
				w.plan.Placements[0].Node = &packing.Node{Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n9"}}}
			}},
	})
}

func TestVerifyOfferings(t *testing.T) {
	check(t, []breach{
		{name: "unknown zone", rule: packing.RuleOffering, says: `"d"`, spoil: func(w *world) { w.plan.Launches[0].Zone = "d" }},
		{name: "another price", rule: packing.RuleOffering, says: "0.19", spoil: func(w *world) { w.plan.Launches[0].Price = 0.19 }},
		{name: "spot at the price of on-demand", rule: packing.RuleOffering, says: `"spot"`, spoil: func(w *world) { w.plan.Launches[0].CapacityType = "spot" }},
		{name: "not available", rule: packing.RuleOffering, says: "no available offering",
			spoil: func(w *world) {
				for i := range w.machine.Offerings {
					w.machine.Offerings[i].Available = w.machine.Offerings[i].Zone() != "a"
				}
			}},
		{name: "reservation used up", rule: packing.RuleReservations, says: "2 of 1 reserved",
			prepare: func(w *world) {
				w.machine.Offerings = append(w.machine.Offerings, instancetypes.Offering{
					Price: 0, Available: true, ReservationCapacity: 1,
					Requirements: requirements.FromLabels(map[string]string{zone: "a", requirements.LabelCapacityType: requirements.CapacityTypeReserved}),
				})
				w.pool.Spec.Template.Spec.Requirements = nil
				l := w.plan.Launches[0]
				l.CapacityType, l.Price = requirements.CapacityTypeReserved, 0
			},
			spoil: func(w *world) {
				l := w.plan.Launches[1]
				l.Zone, l.CapacityType, l.Price = "a", requirements.CapacityTypeReserved, 0
			}},
		{name: "group without such a type", rule: packing.RuleOffering, says: "not one of node group workers",
			spoil: func(w *world) {
				w.group.InstanceTypes = []*instancetypes.InstanceType{{Name: "other"}}
			}},
		{name: "group at another price", rule: packing.RuleOffering, says: "neither", spoil: func(w *world) { w.plan.Launches[2].Price = 0.1 }},
		{name: "pool of another architecture", rule: packing.RuleNodePool, says: "arm64",
			spoil: func(w *world) { w.pool.Spec.Template.Spec.Requirements[0].Values = []string{"arm64"} }},
		{name: "pool without the capacity type", rule: packing.RuleNodePool, says: "offering",
			spoil: func(w *world) { w.pool.Spec.Template.Spec.Requirements[1].Values = []string{"spot"} }},
	})
}

func TestVerifyNodeClaims(t *testing.T) {
	check(t, []breach{
		{name: "claim for another zone", rule: packing.RuleNodeClaim, says: "zone",
			prepare: func(w *world) {
				w.plan.Launches[0].Requirements = requirements.NewSet(requirements.Must(zone, requirements.In, "a", "b"))
			},
			spoil: func(w *world) {
				w.plan.Launches[0].Requirements = requirements.NewSet(requirements.Must(zone, requirements.In, "b"))
			}},
		{name: "claim for another host", rule: packing.RuleNodeClaim, says: "label kubernetes.io/hostname=l1",
			prepare: func(w *world) {
				w.plan.Launches[0].Requirements = requirements.NewSet(requirements.Must(corev1.LabelHostname, requirements.In, "l1"))
			},
			spoil: func(w *world) {
				w.plan.Launches[0].Requirements = requirements.NewSet(requirements.Must(corev1.LabelHostname, requirements.In, "l2"))
			}},
		{name: "not among the options", rule: packing.RuleNodeClaim, says: "options",
			prepare: func(w *world) { w.plan.Launches[0].Options = []*instancetypes.InstanceType{w.machine} },
			spoil: func(w *world) {
				w.plan.Launches[0].Options = []*instancetypes.InstanceType{{Name: "other"}}
			}},
		{name: "too few values to choose from", rule: packing.RuleNodeClaim, says: "the options have 2 values of " + corev1.LabelInstanceTypeStable,
			prepare: func(w *world) {
				second := *w.machine
				second.Name = "n.xlarge"
				second.Requirements = requirements.FromLabels(map[string]string{corev1.LabelInstanceTypeStable: "n.xlarge"})
				l := w.plan.Launches[0]
				l.Options = []*instancetypes.InstanceType{w.machine, &second}
				l.Requirements = requirements.NewSet(requirements.Must(corev1.LabelInstanceTypeStable, requirements.Exists).WithMinValues(2))
			},
			spoil: func(w *world) {
				l := w.plan.Launches[0]
				l.Requirements = requirements.NewSet(l.Requirements[0].WithMinValues(3))
			}},
	})
}

func TestVerifySizes(t *testing.T) {
	check(t, []breach{
		{name: "pool over its CPU limit", rule: packing.RulePoolLimit, says: "8 of cpu, limit 7",
			spoil: func(w *world) { w.pool.Spec.Limits = list("cpu=7") }},
		{name: "existing nodes count towards the limit", rule: packing.RulePoolLimit, says: "12 of cpu, limit 8",
			prepare: func(w *world) { w.pool.Spec.Limits = list("cpu=8") },
			spoil: func(w *world) {
				w.snapshot.Nodes[0].Labels[packing.LabelNodePool] = "default"
				w.snapshot.Nodes[0].Labels[requirements.LabelInitialized] = "true"
			}},
		{name: "a node being deleted no longer counts", rule: packing.RulePoolLimit, says: "12 of cpu, limit 8",
			prepare: func(w *world) {
				w.pool.Spec.Limits = list("cpu=8")
				n := w.snapshot.Nodes[0]
				n.Labels[packing.LabelNodePool], n.Labels[requirements.LabelInitialized] = "default", "true"
				n.DeletionTimestamp = &metav1.Time{}
			},
			spoil: func(w *world) { w.snapshot.Nodes[0].DeletionTimestamp = nil }},
		{name: "too many nodes", rule: packing.RuleNodesLimit, says: "2 of nodes, limit 1",
			spoil: func(w *world) { w.pool.Spec.Limits = list("nodes=1") }},
		{name: "group over its maximum", rule: packing.RuleGroupSize, says: "3 nodes, at most 2", spoil: func(w *world) { w.group.TargetSize = 2 }},
		{name: "zero-or-max group in between", rule: packing.RuleGroupSize, says: "1 nodes, none or 2",
			prepare: func(w *world) { w.group.ZeroOrMax = true },
			spoil:   func(w *world) { w.group.TargetSize = 0 }},
		{name: "upcoming node that nobody asked for", rule: packing.RuleGroupSize, says: "1 upcoming nodes, its target size asks for 0",
			prepare: func(w *world) { w.group.MaxSize, w.plan.Launches[2].Upcoming = 1, true },
			spoil:   func(w *world) { w.snapshot.Nodes[0].NodeGroup = "workers" }},
	})
}

func TestVerifyEmpty(t *testing.T) {
	require.Empty(t, packing.Verify(&packing.Snapshot{}, &packing.Plan{}))
	// A snapshot that nobody could read is no reason to panic.
	violations := packing.Verify(
		&packing.Snapshot{Nodes: []*packing.Node{nil, {}}, Pods: []*corev1.Pod{pod("a", "cpu=1")}},
		&packing.Plan{Placements: []packing.Placement{{Pods: []*corev1.Pod{nil}}}, Launches: []*packing.Launch{{Name: "l"}}})
	require.NotEmpty(t, violations)
}
