package compiled

import (
	"hash/maphash"

	"github.com/binwright/binwright/packing/requirements"
)

// SetID stands for a set of requirements that a [Sets] has seen. Equal sets have
// equal ids; the empty set is 0.
type SetID int32

// Sets numbers sets of requirements and remembers what came of combining two.
// A scheduler meets few distinct sets, and the same pairs of them many times.
type Sets struct {
	wellKnown func(key string) bool
	seed      maphash.Seed
	sets      []requirements.Set
	byHash    map[uint64][]SetID

	intersections map[pair]SetID
	// compatible holds verdicts for claims, on which well-known labels may be
	// undefined, strict those for nodes, on which none may.
	compatible, strict map[pair]bool
}

type pair struct{ a, b SetID }

// NewSets returns an empty numbering. wellKnown says which labels any value can
// still be had of where a set does not mention them.
func NewSets(wellKnown func(key string) bool) *Sets {
	return &Sets{
		wellKnown:     wellKnown,
		seed:          maphash.MakeSeed(),
		sets:          []requirements.Set{nil},
		byHash:        map[uint64][]SetID{},
		intersections: map[pair]SetID{},
		compatible:    map[pair]bool{},
		strict:        map[pair]bool{},
	}
}

// Len returns how many sets there are; ids are below it.
func (s *Sets) Len() int { return len(s.sets) }

// Get returns the set that an id stands for.
func (s *Sets) Get(id SetID) requirements.Set { return s.sets[id] }

// ID returns the number of a set.
func (s *Sets) ID(set requirements.Set) SetID {
	if len(set) == 0 {
		return 0
	}
	h := s.hash(set)
	for _, id := range s.byHash[h] {
		if s.sets[id].Equal(set) {
			return id
		}
	}
	id := SetID(len(s.sets))
	s.sets = append(s.sets, set)
	s.byHash[h] = append(s.byHash[h], id)
	return id
}

func (s *Sets) hash(set requirements.Set) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, r := range set {
		h.WriteString(r.Key())
		gte, hasGte := r.Gte()
		lte, hasLte := r.Lte()
		maphash.WriteComparable(&h, [...]int64{gte, lte, int64(r.MinValues()), int64(len(r.Values()))})
		maphash.WriteComparable(&h, [...]bool{r.Complement(), hasGte, hasLte})
		for _, v := range r.Values() {
			h.WriteString(v)
			h.WriteByte(0)
		}
	}
	return h.Sum64()
}

// Intersect returns the conjunction of two sets.
func (s *Sets) Intersect(a, b SetID) SetID {
	if a == 0 || a == b {
		return b
	}
	if b == 0 {
		return a
	}
	p := pair{a, b}
	if id, ok := s.intersections[p]; ok {
		return id
	}
	id := s.ID(s.sets[a].Intersect(s.sets[b]))
	s.intersections[p] = id
	return id
}

// Compatible reports whether a node claim described by have can meet want;
// labels that are well known may be undefined.
func (s *Sets) Compatible(have, want SetID) bool {
	return s.verdict(s.compatible, have, want, s.wellKnown)
}

// CompatibleNode is Compatible for a node that is there: what its labels do not
// say, it cannot become.
func (s *Sets) CompatibleNode(have, want SetID) bool {
	return s.verdict(s.strict, have, want, nil)
}

func (s *Sets) verdict(known map[pair]bool, have, want SetID, mayBeUndefined func(string) bool) bool {
	if want == 0 {
		return true
	}
	p := pair{have, want}
	ok, seen := known[p]
	if !seen {
		ok = s.sets[have].Compatible(s.sets[want], mayBeUndefined) == nil
		known[p] = ok
	}
	return ok
}
