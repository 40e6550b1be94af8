package requirements

import (
	"fmt"
	"slices"
	"strings"
)

// Set is a conjunction of requirements, sorted by key, each key once. The nil
// Set allows every node. Sets are immutable and may be shared.
type Set []Requirement

// NewSet returns the conjunction of requirements; several on one key are intersected.
func NewSet(reqs ...Requirement) Set {
	s := slices.Clone(reqs)
	slices.SortStableFunc(s, func(a, b Requirement) int { return strings.Compare(a.key, b.key) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && out[n-1].key == r.key {
			out[n-1] = out[n-1].Intersect(r)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (s Set) find(key string) (int, bool) {
	return slices.BinarySearchFunc(s, key, func(r Requirement, k string) int { return strings.Compare(r.key, k) })
}

// Get returns the requirement on a key; where there is none, it is Exists: any value.
func (s Set) Get(key string) Requirement {
	if r, ok := s.Lookup(key); ok {
		return r
	}
	return Requirement{key: key, complement: true}
}

// Lookup returns the requirement on a key and whether the set has one.
func (s Set) Lookup(key string) (Requirement, bool) {
	if i, ok := s.find(key); ok {
		return s[i], true
	}
	return Requirement{}, false
}

// Has reports whether the set has a requirement on a key.
func (s Set) Has(key string) bool {
	_, ok := s.find(key)
	return ok
}

// Add returns the conjunction of the set and further requirements.
func (s Set) Add(reqs ...Requirement) Set {
	if len(reqs) == 0 {
		return s
	}
	return NewSet(slices.Concat(s, reqs)...)
}

// Intersect returns the conjunction of both sets. It may allow nothing.
func (s Set) Intersect(o Set) Set { return s.Add(o...) }

// HasMinValues reports whether any requirement asks for a number of distinct values.
func (s Set) HasMinValues() bool {
	return slices.ContainsFunc(s, func(r Requirement) bool { return r.minValues > 0 })
}

// Equal reports whether both sets hold equal requirements.
func (s Set) Equal(o Set) bool { return slices.EqualFunc(s, o, Requirement.Equal) }

// Intersects returns nil if on every key that both sets name they have a value
// in common, or if both forbid it (NotIn or DoesNotExist on both sides); else an
// [*IncompatibleError] for the first such key in order.
// Models Requirements.Intersects of Karpenter v1.14.1.
func (s Set) Intersects(incoming Set) error {
	i, j := 0, 0
	for i < len(s) && j < len(incoming) {
		switch c := strings.Compare(s[i].key, incoming[j].key); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			if !s[i].Intersects(incoming[j]) && !(forbids(s[i]) && forbids(incoming[j])) {
				return &IncompatibleError{Have: s[i], Want: incoming[j]}
			}
			i, j = i+1, j+1
		}
	}
	return nil
}

// forbids reports whether a missing label satisfies the requirement.
func forbids(r Requirement) bool {
	op := r.Operator()
	return op == NotIn || op == DoesNotExist
}

// Compatible returns nil if a node described by s can meet the incoming
// requirements: keys that both name must intersect, and a key that only the
// incoming set names is allowed if it forbids rather than demands the label, or
// if mayBeUndefined says that any value can still be had (pass [WellKnown], a
// provider's own test, or nil for none). Models Requirements.Compatible of
// Karpenter v1.14.1. The error is an [*IncompatibleError].
func (s Set) Compatible(incoming Set, mayBeUndefined func(key string) bool) error {
	for _, r := range incoming {
		if s.Has(r.key) || forbids(r) || mayBeUndefined != nil && mayBeUndefined(r.key) {
			continue
		}
		return &IncompatibleError{Want: r, Undefined: true}
	}
	return s.Intersects(incoming)
}

// MatchesLabels reports whether a node with these labels meets every
// requirement as kube-scheduler reads them: NotIn and DoesNotExist are met by a
// label that is missing, all others are not. A deprecated alias stands in for a
// label that the node does not have, see [NormalizeKey].
//
// A set has one requirement a key, as in Karpenter's algebra: of Exists and NotIn
// on one key NotIn is left, of In [a] and In [b] DoesNotExist. kube-scheduler, which reads each
// by itself, is stricter there on a node without the label.
func (s Set) MatchesLabels(labels map[string]string) bool {
	for _, r := range s {
		value, ok := labels[r.key]
		if !ok {
			if alias := deprecatedAlias(r.key); alias != "" {
				value, ok = labels[alias]
			}
		}
		if ok && !r.Has(value) || !ok && (!forbids(r) || r.bounded != 0) {
			return false
		}
	}
	return true
}

// String prints the requirements, separated by commas.
func (s Set) String() string {
	parts := make([]string, len(s))
	for i, r := range s {
		parts[i] = r.String()
	}
	return strings.Join(parts, ", ")
}

// IncompatibleError says on which key two sets have nothing in common.
type IncompatibleError struct {
	Have, Want Requirement
	Undefined  bool // Have says nothing about the key, and the key is not well known
}

// Error names the key and both sides.
func (e *IncompatibleError) Error() string {
	if e.Undefined {
		return fmt.Sprintf("label %q does not have known values, wanted %s", e.Want.key, e.Want)
	}
	return fmt.Sprintf("key %s, %s not in %s", e.Want.key, e.Want, e.Have)
}
