package upstream

import (
	"cmp"
	"context"
	"slices"

	"github.com/binwright/binwright/bench/internal/recorded"
)

// mostVariants is how many distinct outcomes a recording keeps.
const mostVariants = 15

// Record runs the original so many times on a problem and collects the distinct
// outcomes and shapes, the most frequent first. Upstream is random where the
// order of Go's maps reaches a decision; a single run says little there.
func Record(ctx context.Context, p *recorded.Problem, runs int) (*recorded.Upstream, error) {
	classes, err := p.Case().RequestClasses()
	if err != nil {
		return nil, err
	}
	exact, shapes := map[string]*recorded.ExactVariant{}, map[string]*recorded.ShapeVariant{}
	for range runs {
		run, err := Solve(ctx, p)
		if err != nil {
			return nil, err
		}
		key := run.Outcome.Key()
		if exact[key] == nil {
			exact[key] = &recorded.ExactVariant{Outcome: *run.Outcome}
		}
		exact[key].Count++
		shape := run.Outcome.Shape(classes)
		key = shape.Key()
		if shapes[key] == nil {
			shapes[key] = &recorded.ShapeVariant{Shape: *shape}
		}
		shapes[key].Count++
	}
	u := &recorded.Upstream{Version: Version, Runs: runs, DistinctExact: len(exact), DistinctShape: len(shapes)}
	for _, key := range byCount(exact, func(v *recorded.ExactVariant) int { return v.Count }) {
		u.Exact = append(u.Exact, *exact[key])
	}
	for _, key := range byCount(shapes, func(v *recorded.ShapeVariant) int { return v.Count }) {
		u.Shapes = append(u.Shapes, *shapes[key])
	}
	u.Exact = u.Exact[:min(len(u.Exact), mostVariants)]
	return u, nil
}

// byCount returns the keys, the most frequent first, ties in order of the keys.
func byCount[V any](m map[string]V, count func(V) int) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(count(m[b]), count(m[a])), cmp.Compare(a, b))
	})
	return keys
}
