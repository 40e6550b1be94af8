package packing_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

func TestVerifyAntiAffinity(t *testing.T) {
	check(t, []breach{
		{name: "own term", rule: packing.RulePodAntiAffinity, says: `pod default/a: node n1: pod default/c is in topology.kubernetes.io/zone="a" too`,
			prepare: func(w *world) { // n1 and l2 are in different zones
				w.label(web, "a", "d")
				w.pods["a"].Spec.Affinity = antiAffinity(term(zone, web))
			},
			spoil: func(w *world) { w.label(web, "c") }},
		{name: "a pod does not repel itself, but its like", rule: packing.RulePodAntiAffinity, says: "pod default/b",
			prepare: func(w *world) {
				w.label(web, "a", "b")
				w.pods["a"].Spec.Affinity = antiAffinity(term(host, web))
				w.pods["b"].Spec.Affinity = antiAffinity(term(host, web))
			},
			spoil: func(w *world) { w.move("b", "n1") }},
		{name: "term of a bound pod", rule: packing.RulePodAntiAffinity, says: "pod default/bound, which is in",
			prepare: func(w *world) {
				bound := pod("bound", "cpu=1m")
				bound.Spec.Affinity = antiAffinity(term(zone, web))
				w.bind(1, bound)
				w.label(web, "b")
			},
			spoil: func(w *world) { w.label(web, "a") }},
		{name: "bound pod that matches", rule: packing.RulePodAntiAffinity, says: "pod default/bound is in",
			prepare: func(w *world) {
				bound := pod("bound", "cpu=1m")
				bound.Labels = web
				w.bind(2, bound)
				w.pods["a"].Spec.Affinity = antiAffinity(term(zone, web))
			},
			spoil: func(w *world) { w.move("a", "n2") }},
		{name: "another namespace, by name", rule: packing.RulePodAntiAffinity, says: "other/c",
			prepare: func(w *world) {
				w.pods["c"].Namespace = "other"
				w.label(web, "c")
				w.pods["a"].Spec.Affinity = antiAffinity(term(zone, web))
			},
			spoil: func(w *world) {
				w.pods["a"].Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].Namespaces = []string{"other"}
			}},
		{name: "another namespace, by selector", rule: packing.RulePodAntiAffinity, says: "other/c",
			prepare: func(w *world) {
				w.pods["c"].Namespace = "other"
				w.label(web, "c")
				w.snapshot.Namespaces = []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "other", Labels: map[string]string{"tier": "front"}}}}
				about := term(zone, web)
				about.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "back"}}
				w.pods["a"].Spec.Affinity = antiAffinity(about)
			},
			spoil: func(w *world) { w.snapshot.Namespaces[0].Labels["tier"] = "back" }},
		{name: "every namespace has its name as a label", rule: packing.RulePodAntiAffinity, says: "other/c",
			prepare: func(w *world) {
				w.pods["c"].Namespace = "other"
				w.label(web, "c")
				about := term(zone, web)
				about.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "another"}}
				w.pods["a"].Spec.Affinity = antiAffinity(about)
			},
			spoil: func(w *world) {
				w.pods["a"].Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].NamespaceSelector.MatchLabels[corev1.LabelMetadataName] = "other"
			}},
		{name: "matchLabelKeys", rule: packing.RulePodAntiAffinity, says: "default/c",
			prepare: func(w *world) {
				w.label(map[string]string{"app": "web", "rev": "1"}, "a")
				w.label(map[string]string{"app": "web", "rev": "2"}, "c")
				about := term(zone, web)
				about.MatchLabelKeys = []string{"rev", "absent"}
				w.pods["a"].Spec.Affinity = antiAffinity(about)
			},
			spoil: func(w *world) { w.label(map[string]string{"app": "web", "rev": "1"}, "c") }},
		{name: "mismatchLabelKeys", rule: packing.RulePodAntiAffinity, says: "default/c",
			prepare: func(w *world) {
				w.label(map[string]string{"app": "web", "tenant": "1"}, "a", "c")
				about := term(zone, web)
				about.MismatchLabelKeys = []string{"tenant"}
				w.pods["a"].Spec.Affinity = antiAffinity(about)
			},
			spoil: func(w *world) { w.label(map[string]string{"app": "web", "tenant": "2"}, "c") }},
	})
}

// On a node without the topology label nobody is near; daemon pods to come do not count.
func TestVerifyAntiAffinityLeavesAlone(t *testing.T) {
	w := newWorld()
	w.label(web, "a", "b", "c", "d", "e")
	w.move("b", "n1")
	w.pods["a"].Spec.Affinity = antiAffinity(term("rack", web))
	w.pods["c"].Spec.Affinity = antiAffinity(term(host, map[string]string{"app": "agent"}))
	require.Empty(t, packing.Verify(w.snapshot, w.plan, packing.CountAllDomains()))
}

func TestVerifyAffinity(t *testing.T) {
	front := map[string]string{"app": "front"}
	check(t, []breach{
		{name: "near another", rule: packing.RulePodAffinity, says: "pod default/a: node n1: no pod that matches",
			prepare: func(w *world) { // c is on l1, in n1's zone
				w.label(web, "c")
				w.pods["a"].Spec.Affinity = affinity(term(zone, web))
			},
			spoil: func(w *world) { w.move("c", "l2") }},
		{name: "near a bound pod", rule: packing.RulePodAffinity, says: "pod default/a",
			prepare: func(w *world) {
				bound := pod("bound", "cpu=1m")
				bound.Labels = web
				w.bind(1, bound)
				w.pods["a"].Spec.Affinity = affinity(term(host, web))
			},
			spoil: func(w *world) { w.move("a", "n2") }},
		{name: "one first pod, its like follow", rule: packing.RulePodAffinity, says: "pod default/b",
			prepare: func(w *world) {
				w.label(web, "a", "c")
				w.pods["a"].Spec.Affinity = affinity(term(zone, web))
				w.pods["c"].Spec.Affinity = affinity(term(zone, web))
			},
			spoil: func(w *world) {
				w.label(web, "b")
				w.pods["b"].Spec.Affinity = affinity(term(zone, web))
			}},
		{name: "no first pod where one is bound", rule: packing.RulePodAffinity, says: "pod default/a",
			prepare: func(w *world) {
				w.label(web, "a")
				w.pods["a"].Spec.Affinity = affinity(term(zone, web))
			},
			spoil: func(w *world) {
				bound := pod("bound", "cpu=1m")
				bound.Labels = web
				w.bind(2, bound)
			}},
		{name: "first pod must match its own terms", rule: packing.RulePodAffinity, says: "pod default/a",
			prepare: func(w *world) {
				w.label(web, "a")
				w.pods["a"].Spec.Affinity = affinity(term(zone, web))
			},
			spoil: func(w *world) { w.label(front, "a") }},
		{name: "no topology label", rule: packing.RulePodAffinity, says: "no label rack",
			prepare: func(w *world) {
				w.label(web, "a")
				w.snapshot.Nodes[0].Labels["rack"] = "7"
				w.pods["a"].Spec.Affinity = affinity(term("rack", web))
			},
			spoil: func(w *world) { delete(w.snapshot.Nodes[0].Labels, "rack") }},
		{name: "one pod must match all terms", rule: packing.RulePodAffinity, says: "pod default/a",
			prepare: func(w *world) { // c matches both terms
				w.label(map[string]string{"app": "web", "tier": "x"}, "c")
				w.pods["a"].Spec.Affinity = affinity(term(zone, web), term(zone, map[string]string{"tier": "x"}))
			},
			spoil: func(w *world) { // c matches one, d (moved beside it) the other
				w.label(web, "c")
				w.label(map[string]string{"tier": "x"}, "d")
				w.move("d", "l1")
			}},
		{name: "pods that wait for each other", rule: packing.RulePodAffinity, says: "pod default/c",
			prepare: func(w *world) { // a comes first by its own label, c follows, a's like too
				w.label(map[string]string{"app": "web", "tier": "x"}, "a")
				w.label(front, "c")
				w.pods["a"].Spec.Affinity = affinity(term(zone, map[string]string{"tier": "x"}))
				w.pods["c"].Spec.Affinity = affinity(term(zone, web))
			},
			spoil: func(w *world) { w.pods["a"].Spec.Affinity = affinity(term(zone, front)) }},
		{name: "two keys, one first pod for both", rule: packing.RulePodAffinity, says: "pod default/b",
			prepare: func(w *world) {
				for i := range w.snapshot.Nodes {
					w.snapshot.Nodes[i].Labels["rack"] = "7"
				}
				w.snapshot.Nodes[1].Labels[zone] = "a"
				w.label(web, "a", "b")
				for _, name := range []string{"a", "b"} {
					w.pods[name].Spec.Affinity = affinity(term(zone, web), term("rack", web))
				}
			},
			spoil: func(w *world) { w.snapshot.Nodes[1].Labels["rack"] = "8" }},
	})
}

func TestVerifySpread(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	each := func(w *world, change func(*corev1.TopologySpreadConstraint), names ...string) {
		w.label(web, names...)
		for _, name := range names {
			c := spread(zone, 1, web)
			if change != nil {
				change(&c)
			}
			w.pods[name].Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{c}
		}
	}
	// Zones of the good plan: a has pods a and c, b has b and d, c (launch g1) has e.
	check(t, []breach{
		{name: "skew", rule: packing.RuleTopologySpread, says: `"a" holds 3 matching pods (0 of them bound), the least of 3 domains 1`,
			prepare: func(w *world) { each(w, nil, all...) },
			spoil:   func(w *world) { w.move("b", "n1") }},
		{name: "maxSkew 2", rule: packing.RuleTopologySpread, says: "4 matching pods",
			prepare: func(w *world) {
				each(w, func(c *corev1.TopologySpreadConstraint) { c.MaxSkew = 2 }, all...)
				w.move("b", "n1")
			},
			spoil: func(w *world) { w.move("d", "n1") }},
		{name: "bound pods count", rule: packing.RuleTopologySpread, says: "3 matching pods (1 of them bound)",
			prepare: func(w *world) { each(w, nil, all...) },
			spoil: func(w *world) {
				bound := pod("bound", "cpu=1m")
				bound.Labels = web
				w.bind(2, bound)
			},
			opts: []packing.VerifyOption{packing.CountAllDomains()}},
		{name: "domain without a pod counts", rule: packing.RuleTopologySpread, says: "the least of 3 domains 0",
			prepare: func(w *world) { each(w, nil, "a", "b") },
			spoil:   func(w *world) { each(w, nil, "c") },
			opts:    []packing.VerifyOption{packing.CountAllDomains()}},
		{name: "minDomains", rule: packing.RuleTopologySpread, says: "the least of 3 domains 0",
			prepare: func(w *world) {
				each(w, func(c *corev1.TopologySpreadConstraint) { c.MinDomains = ptr(int32(3)) }, all...)
			},
			spoil: func(w *world) {
				each(w, func(c *corev1.TopologySpreadConstraint) { c.MinDomains = ptr(int32(4)) }, all...)
			}},
		{name: "no topology label", rule: packing.RuleTopologySpread, says: "no label rack",
			prepare: func(w *world) {
				w.snapshot.Nodes[0].Labels["rack"] = "7"
				each(w, func(c *corev1.TopologySpreadConstraint) { c.TopologyKey = "rack" }, "a")
			},
			spoil: func(w *world) { delete(w.snapshot.Nodes[0].Labels, "rack") }},
		{name: "matchLabelKeys narrows to a revision", rule: packing.RuleTopologySpread, says: "2 matching pods",
			prepare: func(w *world) { // of revision 1: a in zone a, b in zone b, e in zone c
				each(w, func(c *corev1.TopologySpreadConstraint) { c.MatchLabelKeys = []string{"rev"} }, all...)
				w.label(map[string]string{"app": "web", "rev": "1"}, "a", "b", "e")
				w.label(map[string]string{"app": "web", "rev": "2"}, "c", "d")
				w.move("c", "g1")
			},
			spoil: func(w *world) { w.move("e", "n1") },
			opts:  []packing.VerifyOption{packing.CountAllDomains()}},
		{name: "node affinity policy", rule: packing.RuleTopologySpread, says: "of 3 domains 0",
			prepare: func(w *world) { // zone c does not count for pods that cannot go there
				each(w, nil, "a", "b", "c", "d")
				for _, name := range []string{"a", "b", "c", "d"} {
					w.require(name, expr(zone, "NotIn", "c"))
				}
			},
			spoil: func(w *world) {
				each(w, func(c *corev1.TopologySpreadConstraint) {
					c.NodeAffinityPolicy = ptr(corev1.NodeInclusionPolicyIgnore)
				}, "a", "b", "c", "d")
			},
			opts: []packing.VerifyOption{packing.CountAllDomains()}},
		{name: "node taints policy", rule: packing.RuleTopologySpread, says: "of 3 domains 0",
			prepare: func(w *world) {
				w.group.Template.Spec.Taints = []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectNoSchedule}}
				w.pods["e"].Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
				each(w, func(c *corev1.TopologySpreadConstraint) {
					c.NodeTaintsPolicy = ptr(corev1.NodeInclusionPolicyHonor)
				}, "a", "b", "c", "d")
			},
			spoil: func(w *world) { each(w, nil, "a", "b", "c", "d") },
			opts:  []packing.VerifyOption{packing.CountAllDomains()}},
		{name: "hostname", rule: packing.RuleTopologySpread, says: "hostname",
			prepare: func(w *world) {
				each(w, func(c *corev1.TopologySpreadConstraint) { c.TopologyKey = host }, all...)
			},
			spoil: func(w *world) { w.move("b", "n1") }},
		{name: "pod that does not match itself", rule: packing.RuleTopologySpread, says: "2 bound matching pods",
			prepare: func(w *world) {
				each(w, nil, "a")
				w.pods["a"].Labels = nil
				bound := pod("bound", "cpu=1m")
				bound.Labels = web
				w.bind(1, bound)
			},
			spoil: func(w *world) {
				bound := pod("bound2", "cpu=1m")
				bound.Labels = web
				w.bind(1, bound)
			}},
	})
}

// What an order of binding explains is no violation.
func TestVerifySpreadLeavesAlone(t *testing.T) {
	constrain := func(w *world, names ...string) {
		w.label(web, names...)
		for _, name := range names {
			w.pods[name].Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{spread(zone, 1, web)}
		}
	}
	t.Run("pods without the constraint come last", func(t *testing.T) {
		w := newWorld()
		constrain(w, "a", "b", "e")
		w.label(web, "c", "d")
		w.move("c", "n1")
		w.move("d", "n1") // zone a: 3, zone b: 1, zone c: 1
		require.Empty(t, packing.Verify(w.snapshot, w.plan, packing.CountAllDomains()))
	})
	t.Run("or first", func(t *testing.T) {
		w := newWorld()
		constrain(w, "a", "c", "b", "d")
		w.label(web, "e") // zone c has one only by e
		require.Empty(t, packing.Verify(w.snapshot, w.plan, packing.CountAllDomains()))
	})
	t.Run("domains come with their launches", func(t *testing.T) {
		w := newWorld()
		constrain(w, "a", "b", "c", "d") // two each in zones a and b, none in c, which g1 opens last
		require.Empty(t, packing.Verify(w.snapshot, w.plan))
		require.Equal(t, []packing.Rule{packing.RuleTopologySpread}, rules(packing.Verify(w.snapshot, w.plan, packing.CountAllDomains())))
		slices.Reverse(w.plan.Launches) // now before the launches of c and d
		require.Equal(t, []packing.Rule{packing.RuleTopologySpread}, rules(packing.Verify(w.snapshot, w.plan)))
	})
	t.Run("a selector without requirements counts nothing", func(t *testing.T) {
		w := newWorld()
		constrain(w, "a", "b", "c", "d", "e")
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			w.pods[name].Spec.TopologySpreadConstraints[0].LabelSelector = &metav1.LabelSelector{}
			w.move(name, "n1")
		}
		require.Empty(t, packing.Verify(w.snapshot, w.plan))
	})
	t.Run("ScheduleAnyway", func(t *testing.T) {
		w := newWorld()
		constrain(w, "a", "b")
		for _, name := range []string{"a", "b"} {
			w.pods[name].Spec.TopologySpreadConstraints[0].WhenUnsatisfiable = corev1.ScheduleAnyway
			w.move(name, "n1")
		}
		require.Empty(t, packing.Verify(w.snapshot, w.plan))
	})
	t.Run("nodes that shed taints which the constraint honors", func(t *testing.T) {
		w := newWorld()
		constrain(w, "a", "b", "c", "d", "e")
		w.move("b", "n1")
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			w.pods[name].Spec.TopologySpreadConstraints[0].NodeTaintsPolicy = ptr(corev1.NodeInclusionPolicyHonor)
		}
		require.Equal(t, []packing.Rule{packing.RuleTopologySpread}, rules(packing.Verify(w.snapshot, w.plan)))
		n := w.snapshot.Nodes[1]
		n.Labels[packing.LabelNodePool] = "default"
		n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}}
		require.Empty(t, packing.Verify(w.snapshot, w.plan))
	})
	t.Run("terminating pods do not count", func(t *testing.T) {
		w := newWorld()
		constrain(w, "a", "b", "c", "d", "e")
		bound := pod("bound", "cpu=1m")
		bound.Labels, bound.DeletionTimestamp = web, ptr(metav1.Now())
		w.bind(2, bound)
		require.Empty(t, packing.Verify(w.snapshot, w.plan))
	})
}
