package requirements

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestNewSetIntersectsEqualKeys(t *testing.T) {
	s := NewSet(Must("b", In, "1", "2"), Must("a", Exists), Must("b", NotIn, "2"))
	require.Equal(t, "a Exists, b In [1]", s.String())
	require.Equal(t, "a Exists, b In [1]", s.Add().String())
	require.Equal(t, "a In [x], b In [1], c Exists", s.Add(Must("c", Exists), Must("a", In, "x")).String())
	require.Equal(t, "a Exists, b In [1]", s.String(), "sets do not change")
	require.Equal(t, "k In [v], kubernetes.io/os In [linux]", NewSet(Must("beta.kubernetes.io/os", In, "linux"), Must("k", In, "v")).String())
}

func TestSetLookup(t *testing.T) {
	s := NewSet(Must("a", In, "1"))
	require.True(t, s.Has("a"))
	require.False(t, s.Has("b"))
	require.Equal(t, "a In [1]", s.Get("a").String())
	require.Equal(t, "b Exists", s.Get("b").String(), "a key that is not named may have any value")
	_, ok := s.Lookup("b")
	require.False(t, ok)
	require.False(t, s.HasMinValues())
	require.True(t, s.Add(Must("b", Exists).WithMinValues(2)).HasMinValues())
}

// Every kind of requirement against every other, on a key that both sets name.
func TestSetIntersects(t *testing.T) {
	in := Must("k", In, "a")
	other := Must("k", In, "b")
	notIn := Must("k", NotIn, "a")
	exists := Must("k", Exists)
	never := Must("k", DoesNotExist)
	gt := Must("k", Gt, "5")
	for _, c := range []struct {
		have, want Requirement
		ok         bool
	}{
		{in, in, true}, {in, other, false}, {in, notIn, false}, {in, exists, true}, {in, never, false}, {in, gt, false},
		{notIn, in, false}, {notIn, other, true}, {notIn, notIn, true}, {notIn, exists, true}, {notIn, gt, true},
		{notIn, never, true}, // no value in common, but both are content without the label
		{never, notIn, true},
		{never, never, true},
		{never, in, false}, {never, exists, false}, {never, gt, false},
		{exists, never, false}, {gt, never, false},
		{gt, Must("k", Lt, "6"), false}, {gt, Must("k", Lt, "7"), true}, {gt, Must("k", In, "6"), true},
	} {
		err := NewSet(c.have).Intersects(NewSet(c.want))
		require.Equal(t, c.ok, err == nil, "%s and %s: %v", c.have, c.want, err)
		if err != nil {
			var incompatible *IncompatibleError
			require.True(t, errors.As(err, &incompatible))
			require.Equal(t, c.have.String(), incompatible.Have.String())
			require.Equal(t, c.want.String(), incompatible.Want.String())
			require.False(t, incompatible.Undefined)
			require.ErrorContains(t, err, "key k")
		}
	}
	require.NoError(t, NewSet(in).Intersects(NewSet(Must("other", In, "x"))), "keys of one side only")
	require.NoError(t, Set(nil).Intersects(NewSet(in)))
}

// What the incoming set may say of a key that the node's set does not name.
func TestSetCompatible(t *testing.T) {
	node := NewSet(Must("team", In, "blue"))
	for _, c := range []struct {
		want    Requirement
		ok      bool // for a custom label
		okKnown bool // for a well-known one
	}{
		{Must("k", In, "a"), false, true},
		{Must("k", Exists), false, true},
		{Must("k", Gt, "1"), false, true},
		{Must("k", NotIn, "a"), true, true},
		{Must("k", DoesNotExist), true, true},
	} {
		err := node.Compatible(NewSet(c.want), nil)
		require.Equal(t, c.ok, err == nil, "%s", c.want)
		if err != nil {
			require.ErrorContains(t, err, `label "k" does not have known values`)
		}
		require.Equal(t, c.okKnown, node.Compatible(NewSet(c.want), func(key string) bool { return key == "k" }) == nil, "%s", c.want)
	}
	require.NoError(t, node.Compatible(NewSet(Must(corev1.LabelTopologyZone, In, "a")), WellKnown))
	require.Error(t, node.Compatible(NewSet(Must("team", In, "red")), WellKnown))
	require.Error(t, node.Compatible(NewSet(Must("team", In, "red")), func(string) bool { return true }), "named keys must intersect all the same")
}

func TestMatchesLabels(t *testing.T) {
	labels := map[string]string{"team": "blue", "cpus": "4", "beta.kubernetes.io/arch": "amd64"}
	for _, c := range []struct {
		r  Requirement
		ok bool
	}{
		{Must("team", In, "blue", "red"), true},
		{Must("team", In, "red"), false},
		{Must("team", NotIn, "blue"), false},
		{Must("team", NotIn, "red"), true},
		{Must("team", Exists), true},
		{Must("team", DoesNotExist), false},
		{Must("absent", In, "a"), false},
		{Must("absent", NotIn, "a"), true},
		{Must("absent", Exists), false},
		{Must("absent", DoesNotExist), true},
		{Must("absent", Gt, "0"), false},
		{Must("absent", Gt, "0").Intersect(Must("absent", NotIn, "5")), false}, // a bound demands the label
		{Must("cpus", Gt, "3"), true},
		{Must("cpus", Gt, "4"), false},
		{Must("cpus", Lt, "5"), true},
		{Must("team", Lt, "5"), false},
		{Must("kubernetes.io/arch", In, "amd64"), true}, // under its old name
		{Must("beta.kubernetes.io/arch", In, "amd64"), true},
		{Must("beta.kubernetes.io/arch", In, "arm64"), false},
	} {
		require.Equal(t, c.ok, NewSet(c.r).MatchesLabels(labels), "%s", c.r)
	}
	require.True(t, Set(nil).MatchesLabels(nil))
	require.False(t, NewSet(Must("team", In, "blue"), Must("cpus", In, "5")).MatchesLabels(labels), "all must hold")
}

func TestFromLabels(t *testing.T) {
	s := FromLabels(map[string]string{"b": "2", "a": "1", "beta.kubernetes.io/os": "linux"})
	require.Equal(t, "a In [1], b In [2], kubernetes.io/os In [linux]", s.String())
	require.Empty(t, FromLabels(nil))
}

func term(exprs ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: exprs}
}

func expr(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
}

func podRequiring(selector map[string]string, terms ...corev1.NodeSelectorTerm) *corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{NodeSelector: selector}}
	if terms != nil {
		pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	}
	return pod
}

func TestFromPod(t *testing.T) {
	for _, c := range []struct {
		name string
		pod  *corev1.Pod
		want []string
	}{
		{"nothing", podRequiring(nil), []string{""}},
		{"node selector", podRequiring(map[string]string{"a": "1"}), []string{"a In [1]"}},
		{"one term", podRequiring(map[string]string{"a": "1"}, term(expr("b", Exists), expr("a", NotIn, "2"))), []string{"a In [1], b Exists"}},
		{"OR terms", podRequiring(map[string]string{"a": "1"}, term(expr("b", In, "x")), term(expr("b", In, "y"))),
			[]string{"a In [1], b In [x]", "a In [1], b In [y]"}},
		{"term without expressions", podRequiring(nil, term(), term(expr("b", Exists))), []string{"b Exists"}},
		{"no term that says anything", podRequiring(nil, term()), nil},
		{"fields only", podRequiring(map[string]string{"a": "1"},
			corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{expr("metadata.name", In, "n1")}}), []string{"a In [1]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sets, err := FromPod(c.pod)
			require.NoError(t, err)
			var got []string
			for _, s := range sets {
				got = append(got, s.String())
			}
			require.Equal(t, c.want, got)
		})
	}
	_, err := FromPod(podRequiring(nil, term(expr("a", Exists)), term(expr("a", Exists), expr("b", "Near"))))
	require.ErrorIs(t, err, ErrOperator)
	require.ErrorContains(t, err, "nodeSelectorTerms[1].matchExpressions[1]")
}

func TestPreferencesFromPod(t *testing.T) {
	pod := &corev1.Pod{}
	none, err := PreferencesFromPod(pod)
	require.NoError(t, err)
	require.Empty(t, none)
	pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
			{Weight: 1, Preference: term(expr("a", In, "1"))},
			{Weight: 100, Preference: term(expr("a", In, "2"))},
		},
	}}
	preferences, err := PreferencesFromPod(pod)
	require.NoError(t, err)
	require.Len(t, preferences, 2)
	require.EqualValues(t, 1, preferences[0].Weight, "in the pod's order")
	require.Equal(t, "a In [2]", preferences[1].Requirements.String())
	pod.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[1].Preference = term(expr("a", Gt, "x"))
	_, err = PreferencesFromPod(pod)
	require.ErrorIs(t, err, ErrValues)
	require.ErrorContains(t, err, "[1].preference.matchExpressions[0]")
}
