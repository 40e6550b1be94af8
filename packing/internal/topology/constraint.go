package topology

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/requirements"
)

// Kind tells what a constraint asks for.
type Kind uint8

const (
	Spread Kind = iota
	Affinity
	AntiAffinity
)

// String returns the kind as Karpenter names it.
func (k Kind) String() string {
	return [...]string{"topology spread", "pod affinity", "pod anti-affinity"}[k]
}

// Constraint is what a pod states, ready to become a [Group].
type Constraint struct {
	Kind       Kind
	Key        string
	Namespaces []string // sorted, distinct
	Selector   *metav1.LabelSelector

	// The rest is for spread only.
	MaxSkew    int32
	MinDomains int32 // 0: none stated
	Filter     Filter
	// separate makes the identity hold what Karpenter leaves out of it.
	separate bool
}

// Filter says which nodes take part in a spread: those that the pod's own node
// selector and affinity, and its tolerations, let it go to, as far as the
// constraint's inclusion policies honour them. The zero value lets all nodes in.
type Filter struct {
	honorAffinity, honorTaints bool
	alternatives               []requirements.Set // OR-ed
	tolerations                []corev1.Toleration
}

// SpreadOf returns the constraint of one entry of a pod's
// topologySpreadConstraints. The labels that matchLabelKeys name become part of
// the selector. Errors name the field of the pod.
func SpreadOf(pod *corev1.Pod, c *corev1.TopologySpreadConstraint, separate bool) (Constraint, error) {
	out := Constraint{
		Kind: Spread, Key: c.TopologyKey, Namespaces: []string{pod.Namespace}, Selector: c.LabelSelector,
		MaxSkew: c.MaxSkew, separate: separate,
	}
	if c.MinDomains != nil {
		out.MinDomains = *c.MinDomains
	}
	if len(c.MatchLabelKeys) > 0 && c.LabelSelector != nil {
		s := c.LabelSelector.DeepCopy()
		for _, key := range c.MatchLabelKeys {
			if value, ok := pod.Labels[key]; ok {
				s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{
					Key: key, Operator: metav1.LabelSelectorOpIn, Values: []string{value},
				})
			}
		}
		out.Selector = s
	}
	filter, err := filterOf(pod)
	if err != nil {
		return Constraint{}, err
	}
	filter.honorAffinity = c.NodeAffinityPolicy == nil || *c.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor
	filter.honorTaints = c.NodeTaintsPolicy != nil && *c.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor
	out.Filter = filter
	return out, nil
}

// TermOf returns the constraint of a pod affinity or anti-affinity term.
func TermOf(kind Kind, term *corev1.PodAffinityTerm, namespaces []string, separate bool) Constraint {
	return Constraint{Kind: kind, Key: term.TopologyKey, Namespaces: namespaces, Selector: term.LabelSelector, separate: separate}
}

func filterOf(pod *corev1.Pod) (Filter, error) {
	selector := requirements.FromLabels(pod.Spec.NodeSelector)
	f := Filter{tolerations: pod.Spec.Tolerations}
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil || pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		f.alternatives = []requirements.Set{selector}
		return f, nil
	}
	for i, term := range pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		set, err := requirements.FromExpressions(term.MatchExpressions)
		if err != nil {
			return Filter{}, fmt.Errorf("required node affinity: nodeSelectorTerms[%d].%w", i, err)
		}
		f.alternatives = append(f.alternatives, selector.Intersect(set))
	}
	return f, nil
}

// Trivial reports whether the filter lets all nodes in.
func (f *Filter) Trivial() bool {
	return !f.honorTaints && (!f.honorAffinity || len(f.alternatives) == 0 || slices.ContainsFunc(f.alternatives, func(s requirements.Set) bool { return len(s) == 0 }))
}

// Matches reports whether a node with these taints, described by these
// requirements or labels, takes part. Labels that are not known count as absent,
// the well-known ones too.
func (f *Filter) Matches(taints []corev1.Taint, node requirements.Set) bool {
	if f.honorTaints && !Tolerates(f.tolerations, taints) {
		return false
	}
	if !f.honorAffinity || len(f.alternatives) == 0 {
		return true
	}
	return slices.ContainsFunc(f.alternatives, func(s requirements.Set) bool { return node.Compatible(s, nil) == nil })
}

// Keys calls f with the node labels that the filter reads.
func (f *Filter) Keys(yield func(key string)) {
	if !f.honorAffinity {
		return
	}
	for _, s := range f.alternatives {
		for _, r := range s {
			yield(r.Key())
		}
	}
}

// Identity tells constraints apart as Karpenter does: those with equal
// identities are counted together, and the first one's minDomains, node filter
// and tolerations serve them all. The original hashes the constraint with
// mitchellh/hashstructure; what follows is not an accident of ours:
//   - minDomains are not hashed;
//   - of the node filter's requirements only the keys are hashed, since the
//     values are unexported fields;
//   - slices are hashed by exclusive or, so that equal elements cancel in pairs;
//   - the values of a match expression enter by the exclusive or of their FNV-1
//     hashes. FNV-1 takes in the last byte last and by exclusive or too, so that the lists
//     [web-2 web-3] and [web-4 web-5] have one hash.
func (c *Constraint) Identity() string {
	var b strings.Builder
	write := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(strconv.Itoa(len(p)))
			b.WriteByte(':')
			b.WriteString(p)
		}
		b.WriteByte('\n')
	}
	write(c.Kind.String(), c.Key)
	write(c.Namespaces...)
	write(selectorIdentity(c.Selector, c.separate)...)
	if c.Kind != Spread {
		return b.String()
	}
	write(strconv.Itoa(int(c.MaxSkew)), strconv.FormatBool(c.Filter.honorAffinity), strconv.FormatBool(c.Filter.honorTaints))
	var terms, tolerations []string
	for _, s := range c.Filter.alternatives {
		keys := make([]string, len(s))
		for i, r := range s {
			if keys[i] = r.Key(); c.separate {
				keys[i] = r.String()
			}
		}
		terms = append(terms, strings.Join(keys, "\x00"))
	}
	for _, t := range c.Filter.tolerations {
		seconds := int64(0)
		if t.TolerationSeconds != nil {
			seconds = *t.TolerationSeconds
		}
		tolerations = append(tolerations, fmt.Sprintf("%q %q %q %q %d", t.Key, t.Operator, t.Value, t.Effect, seconds))
	}
	if c.separate {
		slices.Sort(terms)
		slices.Sort(tolerations)
		write(strconv.Itoa(int(c.MinDomains)))
		write(terms...)
		write(tolerations...)
		return b.String()
	}
	write(unpaired(terms)...)
	write(unpaired(tolerations)...)
	return b.String()
}

func selectorIdentity(s *metav1.LabelSelector, separate bool) []string {
	if s == nil {
		return []string{"no selector"}
	}
	var out []string
	for key, value := range s.MatchLabels {
		out = append(out, fmt.Sprintf("%q=%q", key, value))
	}
	slices.Sort(out)
	var exprs []string
	for _, e := range s.MatchExpressions {
		values := fmt.Sprintf("%q", unpaired(e.Values))
		if !separate {
			values = strconv.FormatUint(hashOf(e.Values), 16)
		}
		exprs = append(exprs, fmt.Sprintf("%q %q %s", e.Key, e.Operator, values))
	}
	slices.Sort(exprs)
	return append(out, slices.Compact(exprs)...)
}

// hashOf is the hash that hashstructure gives a list of strings taken as a set.
func hashOf(values []string) uint64 {
	var hash uint64
	h := fnv.New64()
	for _, v := range values {
		h.Reset()
		h.Write([]byte(v))
		hash ^= h.Sum64()
	}
	return hash
}

// unpaired returns, sorted, one of each element that occurs an odd number of times.
func unpaired(elements []string) []string {
	sorted := slices.Clone(elements)
	slices.SortFunc(sorted, cmp.Compare[string])
	out := sorted[:0]
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		if (j-i)%2 == 1 {
			out = append(out, sorted[i])
		}
		i = j
	}
	return out
}
