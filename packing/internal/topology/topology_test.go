package topology_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing/internal/topology"
	"github.com/binwright/binwright/packing/requirements"
)

const zone = corev1.LabelTopologyZone

var web = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}

// counted makes a group over zones with so many pods in each; -1 is a zone that
// is known by number only.
func counted(c topology.Constraint, counts map[string]int32) *topology.Group {
	c.Key, c.Selector, c.Namespaces = zone, web, []string{"default"}
	g := topology.NewGroup(c, nil, topology.NewDomains(), nil)
	for name, n := range counts {
		id := g.Domains.ID(name)
		switch {
		case n == 0:
			g.Register(id)
		case n > 0:
			g.Record(id, n)
		}
	}
	return g
}

// only allows some zones.
func only(g *topology.Group, names ...string) topology.Allowed {
	for _, n := range names {
		g.Domains.ID(n)
	}
	return g.Domains.Allow(requirements.Must(zone, requirements.In, names...))
}

func names(g *topology.Group, ids []int32) []string {
	var out []string
	for _, id := range ids {
		out = append(out, g.Domains.Name(id))
	}
	return out
}

func TestNextSpread(t *testing.T) {
	var any topology.Allowed
	for _, tc := range []struct {
		name      string
		counts    map[string]int32
		skew, min int32
		self      bool
		pod, node []string // nil: any
		want      string   // "": none
	}{
		{"ties go to the smallest name", map[string]int32{"b": 0, "a": 0, "c": 0}, 1, 0, true, nil, nil, "a"},
		{"the emptiest", map[string]int32{"a": 1, "b": 0, "c": 1}, 1, 0, true, nil, nil, "b"},
		{"skew holds the node's zone back", map[string]int32{"a": 1, "b": 0}, 1, 0, true, nil, []string{"a"}, ""},
		{"a pod that does not select itself adds nothing", map[string]int32{"a": 1, "b": 0}, 1, 0, false, nil, []string{"a"}, "a"},
		{"a larger skew lets it in", map[string]int32{"a": 1, "b": 0}, 2, 0, true, nil, []string{"a"}, "a"},
		{"the minimum is over the pod's own zones", map[string]int32{"a": 1, "b": 0}, 1, 0, true, []string{"a"}, []string{"a"}, "a"},
		{"too few zones make the minimum 0", map[string]int32{"a": 1, "b": 1}, 1, 3, true, nil, nil, ""},
		{"enough zones do not", map[string]int32{"a": 1, "b": 1}, 1, 2, true, nil, nil, "a"},
		{"a zone that is not registered does not count", map[string]int32{"a": 1, "x": -1}, 1, 0, true, nil, []string{"x"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := counted(topology.Constraint{Kind: topology.Spread, MaxSkew: tc.skew, MinDomains: tc.min}, tc.counts)
			pod, node := any, any
			if tc.pod != nil {
				pod = only(g, tc.pod...)
			}
			if tc.node != nil {
				node = only(g, tc.node...)
			}
			got := ""
			if id, ok := g.NextSpread(tc.self, pod, node); ok {
				got = g.Domains.Name(id)
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNextAffinity(t *testing.T) {
	var any topology.Allowed
	for _, tc := range []struct {
		name      string
		counts    map[string]int32
		self      bool
		pod, node []string
		want      []string
	}{
		{"where pods are", map[string]int32{"a": 0, "b": 2, "c": 1}, false, nil, nil, []string{"b", "c"}},
		{"as far as the node allows", map[string]int32{"a": 0, "b": 2, "c": 1}, false, nil, []string{"a", "c"}, []string{"c"}},
		{"nobody to join", map[string]int32{"a": 0, "b": 0}, false, nil, nil, nil},
		{"the first pod chooses", map[string]int32{"b": 0, "a": 0}, true, nil, nil, []string{"a"}},
		{"the first pod may name two zones", map[string]int32{"a": 0, "b": 0}, true, nil, []string{"b"}, []string{"b", "a"}},
		{"pods that it could join keep it from choosing", map[string]int32{"a": 0, "b": 1}, true, nil, []string{"a"}, nil},
		{"pods out of its reach do not", map[string]int32{"a": 0, "b": 1}, true, []string{"a"}, nil, []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := counted(topology.Constraint{Kind: topology.Affinity}, tc.counts)
			pod, node := any, any
			if tc.pod != nil {
				pod = only(g, tc.pod...)
			}
			if tc.node != nil {
				node = only(g, tc.node...)
			}
			if got := names(g, g.NextAffinity(tc.self, pod, node, nil)); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNextAntiAffinity(t *testing.T) {
	g := counted(topology.Constraint{Kind: topology.AntiAffinity}, map[string]int32{"a": 1, "b": 0, "c": 0, "x": -1})
	var any topology.Allowed
	if got := names(g, g.NextAntiAffinity(any, any, nil)); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("empty zones are %v", got)
	}
	if got := names(g, g.NextAntiAffinity(only(g, "a", "c"), any, nil)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("empty zones that the pod allows are %v", got)
	}
}

func TestHosts(t *testing.T) {
	g := topology.NewGroup(topology.Constraint{Kind: topology.Spread, MaxSkew: 2, Key: corev1.LabelHostname, Selector: web}, nil, nil, nil)
	g.Record(3, 2)
	if g.HostSpread(true, 3) || !g.HostSpread(false, 3) || !g.HostSpread(true, 7) {
		t.Error("a spread over hosts counts from zero: a third pod is one too many, a new host is free")
	}
	if g.HostMayBootstrap(nil) {
		t.Error("there is a pod to join")
	}
	if !g.HostMayBootstrap(func(host int32) bool { return host != 3 }) {
		t.Error("the only pod is where this one may not go")
	}
}

// Domains behind taints count for pods that tolerate them; a spread ignores taints
// unless it honours them, an affinity does not.
func TestUniverseBehindTaints(t *testing.T) {
	gpu := []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	u := &topology.Universe{}
	u.Add("open", nil)
	u.Add("tainted", gpu)
	u.Add("both", gpu)
	u.Add("both", nil)
	tolerant := []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
	for _, tc := range []struct {
		kind        topology.Kind
		tolerations []corev1.Toleration
		want        []string
	}{
		{topology.Spread, nil, []string{"both", "open", "tainted"}},
		{topology.AntiAffinity, nil, []string{"both", "open"}},
		{topology.AntiAffinity, tolerant, []string{"both", "open", "tainted"}},
	} {
		g := topology.NewGroup(topology.Constraint{Kind: tc.kind, Key: zone}, tc.tolerations, topology.NewDomains(), u)
		var any topology.Allowed
		if got := names(g, g.NextAntiAffinity(any, any, nil)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: domains %v, want %v", tc.kind, got, tc.want)
		}
	}
}

func TestSelectsAndCountsBound(t *testing.T) {
	bare := topology.NewGroup(topology.Constraint{Namespaces: []string{"a"}}, nil, topology.NewDomains(), nil)
	if bare.Selects("a", labels.Set{"app": "web"}) || !bare.CountsBound("a", labels.Set{}) || bare.CountsBound("b", labels.Set{}) {
		t.Error("without a selector no pod is selected, but all bound ones of the namespace are counted")
	}
	g := topology.NewGroup(topology.Constraint{Namespaces: []string{"a", "b"}, Selector: web}, nil, topology.NewDomains(), nil)
	if !g.Selects("b", labels.Set{"app": "web"}) || g.Selects("c", labels.Set{"app": "web"}) || g.CountsBound("a", labels.Set{"app": "db"}) {
		t.Error("the selector and the namespaces decide")
	}
}

func spreadPod(edit func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{"app": "web", "hash": "1"}}}
	p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: zone, LabelSelector: web}}
	edit(p)
	return p
}

func required(terms ...corev1.NodeSelectorTerm) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
	}
}

func in(key string, values ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}}}
}

// What the original tells apart, and what it does not.
func TestIdentity(t *testing.T) {
	plain := func(*corev1.Pod) {}
	minDomains := int32(3)
	seconds := int64(5)
	tolerating := func(ts ...corev1.Toleration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Tolerations = ts }
	}
	tol := corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists}
	later := tol
	later.TolerationSeconds = &seconds
	for _, tc := range []struct {
		name      string
		a, b      func(*corev1.Pod)
		same      bool
		separated bool // told apart without the quirk
	}{
		{"equal", plain, plain, true, false},
		{"minDomains do not count", plain, func(p *corev1.Pod) { p.Spec.TopologySpreadConstraints[0].MinDomains = &minDomains }, true, true},
		{"values of the node affinity do not count", required(in("arch", "amd64")), required(in("arch", "arm64")), true, true},
		{"keys do", required(in("arch", "amd64")), required(in("team", "amd64")), false, true},
		{"two terms of one key cancel", required(in("arch", "a"), in("arch", "b")), required(), true, true},
		{"three are one", required(in("arch", "a"), in("arch", "b"), in("arch", "c")), required(in("arch", "z")), true, true},
		{"max skew", plain, func(p *corev1.Pod) { p.Spec.TopologySpreadConstraints[0].MaxSkew = 2 }, false, true},
		{"namespace", plain, func(p *corev1.Pod) { p.Namespace = "other" }, false, true},
		{"selector", plain, func(p *corev1.Pod) { p.Spec.TopologySpreadConstraints[0].LabelSelector = nil }, false, true},
		{"label keys to match", plain, func(p *corev1.Pod) { p.Spec.TopologySpreadConstraints[0].MatchLabelKeys = []string{"hash"} }, false, true},
		{"label keys that the pod lacks", plain, func(p *corev1.Pod) { p.Spec.TopologySpreadConstraints[0].MatchLabelKeys = []string{"none"} }, true, false},
		{"tolerations", plain, tolerating(tol), false, true},
		{"equal tolerations cancel", plain, tolerating(tol, tol), true, true},
		{"seconds of a toleration", tolerating(tol), tolerating(later), false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, separate := range []bool{false, true} {
				a, b := identity(t, tc.a, separate), identity(t, tc.b, separate)
				want := tc.same
				if separate {
					want = !tc.separated
				}
				if (a == b) != want {
					t.Errorf("separate %v: same is %v, want %v:\n%s\n%s", separate, a == b, want, a, b)
				}
			}
		})
	}
}

func identity(t *testing.T, edit func(*corev1.Pod), separate bool) string {
	t.Helper()
	p := spreadPod(edit)
	c, err := topology.SpreadOf(p, &p.Spec.TopologySpreadConstraints[0], separate)
	if err != nil {
		t.Fatal(err)
	}
	return c.Identity()
}

func TestFilter(t *testing.T) {
	ignore, honor := corev1.NodeInclusionPolicyIgnore, corev1.NodeInclusionPolicyHonor
	gpu := []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	arm := requirements.FromLabels(map[string]string{"arch": "arm64"})
	for _, tc := range []struct {
		name             string
		affinity, taints *corev1.NodeInclusionPolicy
		edit             func(*corev1.Pod)
		node             requirements.Set
		nodeTaints       []corev1.Taint
		want             bool
	}{
		{"node affinity is honoured by default", nil, nil, required(in("arch", "amd64")), arm, nil, false},
		{"any of several terms will do", nil, nil, required(in("arch", "amd64"), in("arch", "arm64")), arm, nil, true},
		{"unless it is to be ignored", &ignore, nil, required(in("arch", "amd64")), arm, nil, true},
		{"the node selector counts too", nil, nil, func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"arch": "amd64"} }, arm, nil, false},
		{"a label that is not known is absent, well known or not", nil, nil, required(in(zone, "a")), arm, nil, false},
		{"taints are ignored by default", nil, nil, func(*corev1.Pod) {}, arm, gpu, true},
		{"unless they are to be honoured", nil, &honor, func(*corev1.Pod) {}, arm, gpu, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := spreadPod(tc.edit)
			s := &p.Spec.TopologySpreadConstraints[0]
			s.NodeAffinityPolicy, s.NodeTaintsPolicy = tc.affinity, tc.taints
			c, err := topology.SpreadOf(p, s, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Filter.Matches(tc.nodeTaints, tc.node); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if c.Filter.Trivial() && !tc.want {
				t.Error("a filter that lets a node out is not trivial")
			}
		})
	}
}

func TestTolerates(t *testing.T) {
	taint := corev1.Taint{Key: "cores", Value: "8", Effect: corev1.TaintEffectPreferNoSchedule}
	for _, tc := range []struct {
		name string
		t    corev1.Toleration
		want bool
	}{
		{"exists", corev1.Toleration{Key: "cores", Operator: corev1.TolerationOpExists}, true},
		{"equal by default", corev1.Toleration{Key: "cores", Value: "8"}, true},
		{"another value", corev1.Toleration{Key: "cores", Value: "9"}, false},
		{"any key", corev1.Toleration{Operator: corev1.TolerationOpExists}, true},
		{"another effect", corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}, false},
		{"less than", corev1.Toleration{Key: "cores", Operator: corev1.TolerationOpLt, Value: "9"}, true},
		{"not less than", corev1.Toleration{Key: "cores", Operator: corev1.TolerationOpLt, Value: "8"}, false},
		{"greater than", corev1.Toleration{Key: "cores", Operator: corev1.TolerationOpGt, Value: "4"}, true},
		{"not a number", corev1.Toleration{Key: "cores", Operator: corev1.TolerationOpGt, Value: "+4"}, false},
		{"unknown operator", corev1.Toleration{Key: "cores", Operator: "Like", Value: "8"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := topology.Tolerates([]corev1.Toleration{tc.t}, []corev1.Taint{taint}); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if topology.Tolerates(nil, []corev1.Taint{taint}) {
		t.Error("a PreferNoSchedule taint is a taint like any other")
	}
}
