package karpenter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

var now = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

const doNotDisrupt = "karpenter.sh/do-not-disrupt"

// machines are m1 to m16, on demand at ten cents a CPU.
func machines(t testing.TB) *instancetypes.Catalog {
	t.Helper()
	var types []*instancetypes.InstanceType
	for _, cpus := range []int64{1, 2, 4, 8, 16} {
		types = append(types, machine(fmt.Sprintf("m%d", cpus), cpus))
	}
	return catalogOf(t, types...)
}

// onDemand keeps a pool from launching spot nodes; a pool that leaves the capacity
// type open counts as one that may.
func onDemand(p *packing.NodePool) {
	p.Spec.Template.Spec.Requirements = append(p.Spec.Template.Spec.Requirements,
		packing.NodePoolExpression{Key: requirements.LabelCapacityType, Operator: requirements.In, Values: []string{requirements.CapacityTypeOnDemand}})
}

// used is an initialized node of type m<cpus> of a pool, on demand in zone-a, on
// which pods run.
func used(name string, cpus int64, pool string, pods ...*corev1.Pod) *packing.Node {
	n := nodeNamed(name, cpus, pool, pods...)
	n.Labels[corev1.LabelInstanceTypeStable] = fmt.Sprintf("m%d", cpus)
	n.Labels[requirements.LabelCapacityType] = requirements.CapacityTypeOnDemand
	n.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, p := range pods {
		p.Spec.NodeName = name
		p.Status.Phase = corev1.PodRunning
	}
	return n
}

func clusterOf(nodes ...*packing.Node) *packing.Snapshot {
	return &packing.Snapshot{Nodes: nodes, Now: now}
}

func consolidate(t testing.TB, p *karpenter.Packer, s *packing.Snapshot) *karpenter.Consolidation {
	t.Helper()
	found, err := p.Consolidate(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Nodes) != len(s.Nodes) {
		t.Fatalf("%d nodes judged of %d", len(found.Nodes), len(s.Nodes))
	}
	if len(found.Verdicts) != len(found.Order) {
		t.Fatalf("%d verdicts on %d candidates", len(found.Verdicts), len(found.Order))
	}
	return found
}

func nodeNames(candidates []*karpenter.Candidate) string {
	var names []string
	for _, c := range candidates {
		names = append(names, c.Node.Name)
	}
	return strings.Join(names, " ")
}

// summary is a command in short: the method, the nodes that go, what comes, what it saves.
func summary(c *karpenter.Command) string {
	if c == nil {
		return "nothing"
	}
	s := c.Method + " " + c.Decision() + " " + nodeNames(c.Candidates)
	if l := c.Replacement; l != nil {
		var types []string
		for _, t := range l.Options {
			types = append(types, t.Name)
		}
		s += " by " + strings.Join(types, "|")
	}
	return fmt.Sprintf("%s saves %.2f", s, c.Savings)
}

func verdictOn(t testing.TB, found *karpenter.Consolidation, node string) *karpenter.Verdict {
	t.Helper()
	for _, v := range found.Verdicts {
		if v.Candidate.Node.Name == node {
			return v
		}
	}
	t.Fatalf("node %s is no candidate", node)
	return nil
}

// world is what a row of the table below changes.
type world struct {
	node     *packing.Node
	pod      *corev1.Pod
	pool     *packing.NodePool
	snapshot *packing.Snapshot
}

func budgetFor(name string, allowed int32) *policyv1.PodDisruptionBudget {
	one := intstr.FromInt32(1)
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{}, MaxUnavailable: &one},
		Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed},
	}
}

// The node has one pod and could be consolidated, but for the one thing that each
// row changes. Blocked nodes are out of every method; excluded ones of
// consolidation only.
func TestCandidateFilters(t *testing.T) {
	annotated := func(value string) func(*world) {
		return func(w *world) {
			w.pod.Annotations = map[string]string{doNotDisrupt: value}
			started := metav1.NewTime(now.Add(-time.Hour))
			w.pod.Status.StartTime = &started
		}
	}
	claim := func(c packing.NodeClaim) func(*world) { return func(w *world) { w.node.Claim = &c } }
	for _, tc := range []struct {
		name              string
		change            func(*world)
		blocked, excluded string
	}{
		{"as it is", func(*world) {}, "", ""},
		{"not Karpenter's", func(w *world) { delete(w.node.Labels, packing.LabelNodePool) }, "isn't managed", ""},
		{"launched, not joined", claim(packing.NodeClaim{Consolidatable: true, Unregistered: true}), "no node yet", ""},
		{"not initialized", func(w *world) { delete(w.node.Labels, requirements.LabelInitialized) }, "isn't initialized", ""},
		{"going already", claim(packing.NodeClaim{Consolidatable: true, MarkedForDeletion: true}), "being deleted", ""},
		{"deleted by hand", func(w *world) { at := metav1.NewTime(now); w.node.DeletionTimestamp = &at }, "being deleted", ""},
		{"nominated", claim(packing.NodeClaim{Consolidatable: true, Nominated: true}), "nominated", ""},
		{"node annotated", func(w *world) { w.node.Annotations = map[string]string{doNotDisrupt: "true"} }, doNotDisrupt, ""},
		{"node annotated otherwise", func(w *world) { w.node.Annotations = map[string]string{doNotDisrupt: "1h"} }, "", ""}, // durations are for pods
		{"pool gone", func(w *world) { w.node.Labels[packing.LabelNodePool] = "former" }, `"former" not found`, ""},
		{"pod annotated", annotated("true"), "pod default/web", ""},
		{"pod annotated false", annotated("false"), "", ""},
		{"pod annotated for 2 hours, started 1 ago", annotated("2h"), "pod default/web", ""},
		{"pod annotated for 30 minutes, started an hour ago", annotated("30m"), "", ""},
		{"annotated pod has ended", func(w *world) { annotated("true")(w); w.pod.Status.Phase = corev1.PodSucceeded }, "", "empty"},
		{"budget used up", func(w *world) {
			w.snapshot.PodDisruptionBudgets = append(w.snapshot.PodDisruptionBudgets, budgetFor("b", 0))
		}, "default/b", ""},
		{"budget left", func(w *world) {
			w.snapshot.PodDisruptionBudgets = append(w.snapshot.PodDisruptionBudgets, budgetFor("b", 1))
		}, "", ""},
		{"two budgets", func(w *world) { // the eviction API refuses pods of several budgets
			w.snapshot.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{budgetFor("b", 1), budgetFor("c", 1)}
		}, "default/b default/c", ""},
		{"budget frees what is unhealthy", func(w *world) {
			b, always := budgetFor("b", 0), policyv1.AlwaysAllow
			b.Spec.UnhealthyPodEvictionPolicy = &always
			w.snapshot.PodDisruptionBudgets = []*policyv1.PodDisruptionBudget{b}
			w.pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		}, "", ""},
		{"static pool", func(w *world) { n := int64(3); w.pool.Spec.Replicas = &n }, "", "static"},
		{"unknown instance type", func(w *world) { w.node.Labels[corev1.LabelInstanceTypeStable] = "m3" }, "", `"m3" not found`},
		{"no capacity type", func(w *world) { delete(w.node.Labels, requirements.LabelCapacityType) }, "", requirements.LabelCapacityType},
		{"no zone", func(w *world) { delete(w.node.Labels, corev1.LabelTopologyZone) }, "", corev1.LabelTopologyZone},
		{"consolidateAfter Never", func(w *world) { w.pool.Spec.Disruption.ConsolidateAfter.Never = true }, "", "consolidation disabled"},
		{"no pod", func(w *world) { w.node.Pods = nil }, "", "empty"},
		{"pod costs nothing to evict", func(w *world) { // 1 - 2^27/2^27 = 0: the node counts as empty
			w.pod.Annotations = map[string]string{corev1.PodDeletionCost: "-134217728"}
		}, "", "empty"},
		{"daemon only", func(w *world) {
			w.pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "agent"}}
		}, "", "empty"},
		{"WhenEmpty", func(w *world) { w.pool.Spec.Disruption.ConsolidationPolicy = karpenter.WhenEmpty }, "", "only empty nodes"},
		{"consolidateAfter runs", claim(packing.NodeClaim{}), "", "consolidateAfter"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &world{pod: podNamed("web", "1", "1Gi"), pool: poolNamed("default", onDemand)}
			w.node = used("n1", 4, "default", w.pod)
			w.snapshot = clusterOf(w.node)
			tc.change(w)
			found := consolidate(t, packerOf(t, machines(t), []*packing.NodePool{w.pool}), w.snapshot)
			got := found.Nodes[0]
			if (tc.blocked == "") != (got.Blocked == "") || !strings.Contains(got.Blocked, tc.blocked) {
				t.Errorf("blocked %q, want %q", got.Blocked, tc.blocked)
			}
			if (tc.excluded == "") != (got.Excluded == "") || !strings.Contains(got.Excluded, tc.excluded) {
				t.Errorf("excluded %q, want %q", got.Excluded, tc.excluded)
			}
			if takes := tc.blocked == "" && tc.excluded == ""; takes != (len(found.Order) == 1) {
				t.Errorf("%d candidates of consolidation", len(found.Order))
			}
		})
	}
}

// The savings ratio is the price over 1 plus the positive eviction costs.
func TestOrderIsBySavingsRatio(t *testing.T) {
	precious := podNamed("precious", "1", "1Gi")
	precious.Annotations = map[string]string{corev1.PodDeletionCost: "402653184"} // 3 * 2^27
	s := clusterOf(
		used("a", 4, "default", precious),                                // 0.4 / (1 + 4) = 0.08
		used("b", 4, "default", podsNamed("b", 3, "1", "1Gi")...),        // 0.4 / (1 + 3) = 0.10
		used("c", 8, "default", podsNamed("c", 6, "1", "1Gi")...),        // 0.8 / (1 + 6) = 0.114
		used("d", 2, "default", podNamed("d", "1", "1Gi")),               // 0.2 / (1 + 1) = 0.10
		used("e", 1, "default", podNamed("e", "100m", "100Mi", cheaply)), // 0.1 / (1 + 0.5) = 0.067
	)
	found := consolidate(t, packerOf(t, machines(t), []*packing.NodePool{poolNamed("default", onDemand)}), s)
	expect(t, nodeNames(found.Order), "c b d a e") // equals by name
}

// cheaply is a pod whose eviction costs half: 1 - 2^26/2^27.
func cheaply(p *corev1.Pod) {
	p.Annotations = map[string]string{corev1.PodDeletionCost: "-67108864"}
}

// Budgets are per reason, rounded up, and less what is going or not ready.
func TestBudgetsPerReasonAndSchedule(t *testing.T) {
	daily, hour := "0 12 * * *", metav1.Duration{Duration: time.Hour}
	weekly := "0 0 * * 1" // now is a Sunday
	budget := func(nodes string, edits ...func(*packing.Budget)) packing.Budget {
		b := packing.Budget{Nodes: nodes}
		for _, edit := range edits {
			edit(&b)
		}
		return b
	}
	because := func(reasons ...string) func(*packing.Budget) { return func(b *packing.Budget) { b.Reasons = reasons } }
	at := func(line *string) func(*packing.Budget) {
		return func(b *packing.Budget) { b.Schedule, b.Duration = line, &hour }
	}
	const unbounded = 1<<31 - 1
	for _, tc := range []struct {
		name                 string
		budgets              []packing.Budget
		notReady, leaving    int
		empty, underutilized int
	}{
		{"none", nil, 0, 0, unbounded, unbounded},
		{"a number", []packing.Budget{budget("3")}, 0, 0, 3, 3},
		{"a share of 5", []packing.Budget{budget("30%")}, 0, 0, 2, 2}, // ceil(1.5)
		{"by reason", []packing.Budget{budget("1", because("Empty")), budget("50%")}, 0, 0, 1, 3},
		{"of another reason", []packing.Budget{budget("0", because("Drifted")), budget("4")}, 0, 0, 4, 4},
		{"in force since noon", []packing.Budget{budget("0", at(&daily)), budget("5")}, 0, 0, 0, 0},
		{"not in force", []packing.Budget{budget("0", at(&weekly)), budget("5")}, 0, 0, 5, 5},
		{"one not ready", []packing.Budget{budget("3")}, 1, 0, 2, 2},
		{"two going, one not ready", []packing.Budget{budget("3")}, 1, 2, 0, 0},
		{"more going than allowed", []packing.Budget{budget("1")}, 0, 2, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pool := poolNamed("default", onDemand)
			pool.Spec.Disruption.Budgets = tc.budgets
			s := clusterOf()
			for i := range 5 {
				n := used(fmt.Sprintf("n%d", i), 4, "default", podNamed(fmt.Sprintf("p%d", i), "1", "1Gi"))
				if i < tc.notReady {
					n.Status.Conditions[0].Status = corev1.ConditionUnknown
				}
				if i >= 5-tc.leaving {
					n.Claim = &packing.NodeClaim{MarkedForDeletion: true}
				}
				s.Nodes = append(s.Nodes, n)
			}
			got := consolidate(t, packerOf(t, machines(t), []*packing.NodePool{pool}), s).Budgets["default"]
			less := func(n int) int { // without a budget, what is going is counted off all the same
				if n == unbounded {
					return n - tc.notReady - tc.leaving
				}
				return n
			}
			if got["Empty"] != less(tc.empty) || got["Underutilized"] != less(tc.underutilized) {
				t.Errorf("Empty %d, Underutilized %d; want %d, %d", got["Empty"], got["Underutilized"], tc.empty, tc.underutilized)
			}
		})
	}
}

func TestBudgetsThatCannotBeRead(t *testing.T) {
	line := "every monday"
	for _, b := range []packing.Budget{{Nodes: "some"}, {Nodes: "-1"}, {Nodes: "1", Schedule: &line}} {
		pool := poolNamed("default", onDemand)
		pool.Spec.Disruption.Budgets = []packing.Budget{b}
		_, err := packerOf(t, machines(t), []*packing.NodePool{pool}).Consolidate(context.Background(), clusterOf())
		if err == nil || !strings.Contains(err.Error(), `node pool "default": spec.disruption.budgets[0]`) {
			t.Errorf("budget %+v: error %v", b, err)
		}
	}
}
