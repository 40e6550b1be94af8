// Package instancetypes models what a cloud offers: instance types, what they
// hold, and the offerings (zone, capacity type, price) by which they are bought.
//
// Catalogs come from the packages below it (aws holds every AWS region), from a
// file in the format of Karpenter's KWOK provider, or from a program.
package instancetypes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binwright/binwright/packing/requirements"
)

// Catalog is a set of instance types, immutable and safe for concurrent use.
// Make one with [NewCatalog].
type Catalog struct {
	types     []*InstanceType
	byName    map[string]int
	wellKnown map[string]bool
	info      Info
}

// Info says what a catalog is and where it is from.
type Info struct {
	// Provider is "aws", "kwok" or what the maker of the catalog calls it.
	Provider string
	// Region is the cloud's name of the region, "" if the catalog has none.
	Region string
	// WellKnownLabels are the labels that the provider adds to Karpenter's own:
	// node claims that do not mention them may still take any value of them.
	WellKnownLabels []string
	// Provenance names the sources with version, date and licence, a line each.
	Provenance []string
}

// NewCatalog makes a catalog of types, in their order, which engines keep where
// their originals do. Names must be distinct and not empty, prices must pass
// [CheckPrice]: errors name the type and the offering and wrap [ErrPrice].
func NewCatalog(info Info, types ...*InstanceType) (*Catalog, error) {
	c := &Catalog{
		types:     slices.Clone(types),
		byName:    make(map[string]int, len(types)),
		wellKnown: make(map[string]bool, len(info.WellKnownLabels)),
		info:      info,
	}
	for i, t := range types {
		if t == nil || t.Name == "" {
			return nil, fmt.Errorf("instance type %d has no name", i)
		}
		if _, twice := c.byName[t.Name]; twice {
			return nil, fmt.Errorf("instance type %q is there twice", t.Name)
		}
		c.byName[t.Name] = i
		for j := range t.Offerings {
			if err := CheckPrice(t.Offerings[j].Price); err != nil {
				return nil, fmt.Errorf("instance type %q: offering %d: %w", t.Name, j, err)
			}
		}
	}
	for _, key := range info.WellKnownLabels {
		c.wellKnown[key] = true
	}
	return c, nil
}

// Info says what the catalog is and where it is from.
func (c *Catalog) Info() Info { return c.info }

// Types returns the instance types in the catalog's order. The slice must not be changed.
func (c *Catalog) Types() []*InstanceType { return c.types }

// Lookup returns a type by name.
func (c *Catalog) Lookup(name string) (*InstanceType, bool) {
	i, ok := c.byName[name]
	if !ok {
		return nil, false
	}
	return c.types[i], true
}

// WellKnown reports whether a label is well known to Karpenter or to the provider.
func (c *Catalog) WellKnown(key string) bool {
	return requirements.WellKnown(key) || c.wellKnown[key]
}

// Filter returns a catalog of those types that keep accepts, in the same order.
func (c *Catalog) Filter(keep func(*InstanceType) bool) *Catalog {
	kept := make([]*InstanceType, 0, len(c.types))
	for _, t := range c.types {
		if keep(t) {
			kept = append(kept, t)
		}
	}
	out, err := NewCatalog(c.info, kept...)
	if err != nil {
		panic("a subset of a valid catalog is valid: " + err.Error())
	}
	return out
}

// Compatible returns a catalog of those types whose labels can meet the
// requirements and that have an available offering for them.
func (c *Catalog) Compatible(reqs requirements.Set) *Catalog {
	return c.Filter(func(t *InstanceType) bool {
		return t.Requirements.Intersects(reqs) == nil && t.Cheapest(reqs) != nil
	})
}

// Zones returns all zones of all offerings, sorted.
func (c *Catalog) Zones() []string {
	var zones []string
	for _, t := range c.types {
		zones = append(zones, t.Zones()...)
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// Nearest returns the type name closest to a mistyped one, "" if none is near.
func (c *Catalog) Nearest(name string) string {
	names := make([]string, len(c.types))
	for i, t := range c.types {
		names[i] = t.Name
	}
	return Nearest(name, names)
}

// Nearest returns the candidate with the smallest edit distance to a word, the
// first of equals; "" if the best needs more than a third of the word's letters,
// and at least two, changed. It serves "did you mean" hints.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c), bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance, or limit if it is not below it.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitute := diagonal
			if a[i-1] != b[j-1] {
				substitute++
			}
			diagonal = row[j]
			row[j] = min(substitute, row[j]+1, row[j-1]+1)
		}
	}
	return min(row[len(b)], limit)
}
