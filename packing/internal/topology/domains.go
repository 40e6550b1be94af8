package topology

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// Domains numbers the values of one topology key.
type Domains struct {
	names  []string
	ids    map[string]int32
	sorted []int32 // ids in the order of their names
}

// NewDomains returns an empty numbering.
func NewDomains() *Domains { return &Domains{ids: map[string]int32{}} }

// Len returns how many domains there are; ids are below it.
func (d *Domains) Len() int { return len(d.names) }

// Name returns the value that an id stands for.
func (d *Domains) Name(id int32) string { return d.names[id] }

// ID returns the number of a value, a new one if need be.
func (d *Domains) ID(name string) int32 {
	if id, ok := d.ids[name]; ok {
		return id
	}
	id := int32(len(d.names))
	d.names = append(d.names, name)
	d.ids[name] = id
	at, _ := slices.BinarySearchFunc(d.sorted, name, func(i int32, n string) int { return strings.Compare(d.names[i], n) })
	d.sorted = slices.Insert(d.sorted, at, id)
	return id
}

// Allowed says which domains of a key a set of requirements allows. The zero
// value allows all.
type Allowed struct {
	known   compiled.Bits // nil: all
	domains int           // how many domains known speaks of
}

// Allow works out which of the domains a requirement allows.
func (d *Domains) Allow(r requirements.Requirement) Allowed {
	a := Allowed{known: compiled.NewBits(max(1, d.Len())), domains: d.Len()}
	for id, name := range d.names {
		if r.Has(name) {
			a.known.Set(id)
		}
	}
	return a
}

// Stale reports whether domains were added since a was worked out.
func (a Allowed) Stale(d *Domains) bool { return a.known != nil && a.domains != d.Len() }

// Has reports whether a domain is allowed.
func (a Allowed) Has(id int32) bool { return a.known == nil || a.known.Has(int(id)) }

// Universe is the domains of one key that the node pools can reach, each with the
// taints behind which it lies.
type Universe struct {
	names  []string
	taints map[string][][]corev1.Taint // one entry, nil, if some pool without taints offers it
}

// Add makes a domain known that a pool with these taints offers.
// Models TopologyDomainGroup.Insert: an untainted offer makes the others moot.
func (u *Universe) Add(domain string, taints []corev1.Taint) {
	if u.taints == nil {
		u.taints = map[string][][]corev1.Taint{}
	}
	known, ok := u.taints[domain]
	if !ok {
		u.names = append(u.names, domain)
	}
	switch {
	case !ok || len(taints) == 0:
		u.taints[domain] = [][]corev1.Taint{taints}
	case len(known[0]) > 0:
		u.taints[domain] = append(known, taints)
	}
}

// each calls f with the domains that count for a pod with these tolerations, all
// of them if taints are to be ignored.
func (u *Universe) each(tolerations []corev1.Toleration, ignoreTaints bool, f func(domain string)) {
	if u == nil {
		return
	}
	for _, name := range u.names {
		if ignoreTaints || slices.ContainsFunc(u.taints[name], func(taints []corev1.Taint) bool { return Tolerates(tolerations, taints) }) {
			f(name)
		}
	}
}

// Names returns the domains in the order in which they became known.
func (u *Universe) Names() []string { return u.names }
