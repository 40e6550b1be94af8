package compiled

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// Types is a universe of instance types: those of one catalog or of several.
// It is immutable once all catalogs are in, and then safe for concurrent use.
type Types struct {
	Dimensions *Dimensions
	list       []*instancetypes.InstanceType
	position   map[*instancetypes.InstanceType]int
	capacity   [][]int64
	alloc      [][]int64
	byKey      map[string]*labelIndex
	offerings  []offeringIndex
}

// labelIndex says which types state which requirement on one label.
type labelIndex struct {
	stated Bits // types that mention the label at all
	reqs   []statedRequirement
}

type statedRequirement struct {
	req   requirements.Requirement
	types Bits
}

// offeringIndex says which types have an available offering with these requirements.
type offeringIndex struct {
	reqs  requirements.Set
	types Bits
}

// NewTypes compiles the types of catalogs. A type that is in several is one.
func NewTypes(catalogs ...*instancetypes.Catalog) *Types {
	t := &Types{Dimensions: NewDimensions(), position: map[*instancetypes.InstanceType]int{}, byKey: map[string]*labelIndex{}}
	for _, c := range catalogs {
		for _, it := range c.Types() {
			if _, seen := t.position[it]; !seen {
				t.position[it] = len(t.list)
				t.list = append(t.list, it)
				t.Dimensions.AddAll(it.Capacity)
			}
		}
	}
	for i, it := range t.list {
		t.addResources(it)
		for _, r := range it.Requirements {
			t.addLabel(i, r)
		}
		for j := range it.Offerings {
			if o := &it.Offerings[j]; o.Available {
				t.addOffering(i, o.Requirements)
			}
		}
	}
	return t
}

// addResources works out what the type has and what of it pods can use. A
// resource that only the overhead names does not count, as in Karpenter v1.14.1
// pkg/cloudprovider/types.go, computeAllocatable.
func (t *Types) addResources(it *instancetypes.InstanceType) {
	n := t.Dimensions.Len()
	capacity, alloc := make([]int64, n), make([]int64, n)
	t.Dimensions.Dense(capacity, it.Capacity)
	for _, a := range it.Capacity {
		alloc[t.Dimensions.Column(a.Name)] = a.Value - it.Overhead.Get(a.Name)
	}
	for _, a := range it.Capacity {
		if strings.HasPrefix(string(a.Name), corev1.ResourceHugePagesPrefix) {
			alloc[Memory] = max(0, alloc[Memory]-a.Value)
		}
	}
	t.capacity = append(t.capacity, capacity)
	t.alloc = append(t.alloc, alloc)
}

func (t *Types) addLabel(i int, r requirements.Requirement) {
	index := t.byKey[r.Key()]
	if index == nil {
		index = &labelIndex{stated: NewBits(len(t.list))}
		t.byKey[r.Key()] = index
	}
	index.stated.Set(i)
	for k := range index.reqs {
		if index.reqs[k].req.Equal(r) {
			index.reqs[k].types.Set(i)
			return
		}
		if k > 64 && len(r.Values()) == 1 {
			break // most types have their own value, as of their name: do not look for a twin
		}
	}
	types := NewBits(len(t.list))
	types.Set(i)
	index.reqs = append(index.reqs, statedRequirement{r, types})
}

func (t *Types) addOffering(i int, reqs requirements.Set) {
	for k := range t.offerings {
		o := &t.offerings[k].reqs
		if len(*o) == len(reqs) && (len(reqs) == 0 || &(*o)[0] == &reqs[0] || o.Equal(reqs)) {
			t.offerings[k].types.Set(i)
			return
		}
	}
	types := NewBits(len(t.list))
	types.Set(i)
	t.offerings = append(t.offerings, offeringIndex{reqs, types})
}

// Len returns the number of types.
func (t *Types) Len() int { return len(t.list) }

// Type returns the type at a position.
func (t *Types) Type(i int) *instancetypes.InstanceType { return t.list[i] }

// Position returns where a type is; it must be in the universe.
func (t *Types) Position(it *instancetypes.InstanceType) int { return t.position[it] }

// Capacity returns what a type has, by column of Dimensions. It must not be changed.
func (t *Types) Capacity(i int) []int64 { return t.capacity[i] }

// Allocatable returns what pods can use of a type, by column. It must not be changed.
func (t *Types) Allocatable(i int) []int64 { return t.alloc[i] }

// Compatible returns the types whose labels can meet the requirements.
// Models compatible in Karpenter v1.14.1 pkg/controllers/provisioning/scheduling/nodeclaim.go.
func (t *Types) Compatible(set requirements.Set) Bits {
	out := AllBits(len(t.list))
	for _, r := range set {
		index := t.byKey[r.Key()]
		if index == nil {
			continue
		}
		for k := range index.reqs {
			s := &index.reqs[k]
			if !s.req.Intersects(r) && !(forbids(s.req) && forbids(r)) {
				out.AndNot(s.types)
			}
		}
	}
	return out
}

// forbids reports whether a missing label satisfies the requirement.
func forbids(r requirements.Requirement) bool {
	op := r.Operator()
	return op == requirements.NotIn || op == requirements.DoesNotExist
}

// Offered returns the types that have an available offering compatible with the
// requirements.
func (t *Types) Offered(set requirements.Set, wellKnown func(string) bool) Bits {
	out := NewBits(len(t.list))
	for k := range t.offerings {
		if set.Compatible(t.offerings[k].reqs, wellKnown) == nil {
			out.Or(t.offerings[k].types)
		}
	}
	return out
}

// Values calls f with each requirement that types state on a label and the types
// that state it.
func (t *Types) Values(key string, f func(r requirements.Requirement, types Bits)) {
	if index := t.byKey[key]; index != nil {
		for k := range index.reqs {
			f(index.reqs[k].req, index.reqs[k].types)
		}
	}
}
