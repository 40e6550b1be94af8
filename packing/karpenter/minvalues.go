package karpenter

import (
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// unmet is a label of which the instance types have fewer values than minValues
// asks for.
type unmet struct {
	key      string
	has, min int
}

// unmetMinValues returns the labels whose minValues the types do not meet, in
// order of their keys. Models SatisfiesMinValues of Karpenter v1.14.1
// pkg/cloudprovider/types.go.
func unmetMinValues(types *compiled.Types, options compiled.Bits, set requirements.Set) []unmet {
	var out []unmet
	for _, r := range set {
		if r.MinValues() == 0 {
			continue
		}
		seen := map[string]bool{}
		types.Values(r.Key(), func(stated requirements.Requirement, of compiled.Bits) {
			for i, w := range of {
				if w&options[i] != 0 {
					for _, v := range stated.Values() {
						seen[v] = true
					}
					return
				}
			}
		})
		if len(seen) < r.MinValues() {
			out = append(out, unmet{r.Key(), len(seen), r.MinValues()})
		}
	}
	return out
}

// relaxMinValues lowers minValues to what the types offer.
func relaxMinValues(set requirements.Set, lower []unmet) requirements.Set {
	out := make([]requirements.Requirement, 0, len(set))
	for _, r := range set {
		for _, u := range lower {
			if u.key == r.Key() {
				r = r.WithMinValues(u.has)
			}
		}
		out = append(out, r)
	}
	return requirements.NewSet(out...)
}
