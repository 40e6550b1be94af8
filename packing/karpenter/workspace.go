package karpenter

import (
	"runtime"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
	"github.com/binwright/binwright/packing/requirements"
)

// workspace is what one pack works with and the next one finds warm: numbered
// sets of requirements and what was worked out about them. It serves one pack at
// a time.
type workspace struct {
	packer       *Packer
	types        *compiled.Types
	sets         *compiled.Sets
	wellKnown    func(string) bool
	poolSets     []compiled.SetID // by pool: what its claims start with
	facts        []setFacts       // by set
	keys         map[string]*topologyKey
	keyList      []*topologyKey
	fitsKnown    map[string]*compiled.Fits
	heaps        [][]entry // spare memory of views
	offeringSets map[*requirements.Requirement]compiled.SetID
	memory       *memory
	pruning      pruning

	// Memory of the last problem, for the next.
	consolidation consolidationMemory
	nodeArray     []node
	nodes         []*node
	states        []nodeState
	entries       []entry
	bucketOf      []int32
	bucketSizes   []int
	parked        [][]parked
	hosts         hostNumbers
}

// maxWorkspaceSets bounds how many sets a workspace carries from one pack to the
// next; node names in requirements could otherwise fill it.
const maxWorkspaceSets = 1 << 16

// setFacts is what is known about one set of requirements.
type setFacts struct {
	launchable compiled.Bits // types that meet it and have an available offering for it; nil: not worked out
	minValues  bool          // it asks for some; valid with launchable
	prices     *priceList
	final      requirements.Set // as a launch states it
	spot       *bool            // whether it allows spot
}

// topologyKey is a label by which pods are spread, joined or kept apart.
type topologyKey struct {
	name     string
	index    int
	domains  *topology.Domains
	universe *topology.Universe
	allowed  []topology.Allowed // by set
	known    []bool
	recorded []recordedDomains        // by set
	picked   map[int32]compiled.SetID // the set {key In [domain]}
}

// recordedDomains is where a pod counts whose node meets a set.
type recordedDomains struct {
	known  bool
	single int32   // the only domain, -1 if there are more or none
	values []int32 // the values that the requirement lists, excluded ones of a complement too
}

// workspaces are those that serve no pack at present. Those given back last are
// taken first: they know the most of the cluster as it is.
type workspaces struct {
	mu   sync.Mutex
	idle []*workspace
}

// take returns a workspace for one pack.
func (s *workspaces) take(p *Packer) *workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.idle) - 1
	if last < 0 {
		return newWorkspace(p)
	}
	w := s.idle[last]
	s.idle[last] = nil
	s.idle = s.idle[:last]
	return w
}

// give keeps a workspace for a later pack, as many as can be of use at once. One
// whose pack failed is not given back.
func (s *workspaces) give(w *workspace) {
	w.renew()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) < runtime.GOMAXPROCS(0) {
		s.idle = append(s.idle, w)
	}
}

func newWorkspace(p *Packer) *workspace {
	w := &workspace{packer: p, types: p.types, wellKnown: p.known}
	w.clear()
	return w
}

func (w *workspace) clear() {
	w.sets = compiled.NewSets(w.wellKnown)
	w.facts = nil
	w.keys = map[string]*topologyKey{}
	w.keyList = nil
	w.fitsKnown = map[string]*compiled.Fits{}
	w.offeringSets = map[*requirements.Requirement]compiled.SetID{}
	w.poolSets = w.poolSets[:0]
	for _, pl := range w.packer.pools {
		w.poolSets = append(w.poolSets, w.sets.ID(pl.claim))
	}
	w.memory, w.hosts = newMemory(w), hostNumbers{}
}

// renew readies the workspace for the next pack.
func (w *workspace) renew() {
	if w.sets.Len() > maxWorkspaceSets || w.memory.full() {
		w.clear()
	}
}

func (w *workspace) fact(id compiled.SetID) *setFacts {
	for int(id) >= len(w.facts) {
		w.facts = append(w.facts, setFacts{})
	}
	return &w.facts[id]
}

// launchable returns the types that a claim with these requirements could become
// if room were no matter.
func (w *workspace) launchable(id compiled.SetID) *setFacts {
	f := w.fact(id)
	if f.launchable == nil {
		set := w.sets.Get(id)
		f.launchable = w.types.Compatible(set)
		f.launchable.And(w.types.Offered(set, w.wellKnown))
		f.minValues = set.HasMinValues()
	}
	return f
}

// key returns what is known of a topology key.
func (w *workspace) key(name string) *topologyKey {
	if k := w.keys[name]; k != nil {
		return k
	}
	k := &topologyKey{name: name, index: len(w.keyList), picked: map[int32]compiled.SetID{}}
	if name != corev1.LabelHostname {
		k.domains = topology.NewDomains()
		k.universe = w.universe(name)
		for _, domain := range k.universe.Names() {
			k.domains.ID(domain)
		}
	}
	w.keys[name] = k
	w.keyList = append(w.keyList, k)
	return k
}

// universe collects the domains of a key from the instance types of all pools and
// the pools' own requirements. Models buildDomainGroups: what a requirement
// excludes is listed as well as what it allows.
func (w *workspace) universe(key string) *topology.Universe {
	u := &topology.Universe{}
	for _, pl := range w.packer.pools {
		if len(pl.listed) == 0 {
			continue
		}
		add := func(r requirements.Requirement) {
			for _, domain := range r.Values() {
				u.Add(domain, pl.taints)
			}
		}
		own, demanded := pl.own.Lookup(key)
		from := compiled.NewBits(w.types.Len())
		for _, i := range pl.listed {
			from.Set(i)
		}
		if w.packer.settings.quirks&UnreachableDomainsCount == 0 {
			from.And(pl.options)
		}
		rest := slices.Clone(from)
		w.types.Values(key, func(stated requirements.Requirement, of compiled.Bits) {
			if !overlaps(of, from) {
				return
			}
			rest.AndNot(of)
			if demanded {
				stated = stated.Intersect(own)
			}
			add(stated)
		})
		if demanded && (rest.Any() || own.Operator() == requirements.In) {
			add(own)
		}
	}
	return u
}

func overlaps(a, b compiled.Bits) bool {
	for i, w := range a {
		if w&b[i] != 0 {
			return true
		}
	}
	return false
}

// allowed returns which domains of the key a set allows.
func (k *topologyKey) allow(w *workspace, id compiled.SetID) topology.Allowed {
	for int(id) >= len(k.allowed) {
		k.allowed = append(k.allowed, topology.Allowed{})
		k.known = append(k.known, false)
	}
	if !k.known[id] || k.allowed[id].Stale(k.domains) {
		k.known[id] = true
		k.allowed[id] = topology.Allowed{}
		if r, ok := w.sets.Get(id).Lookup(k.name); ok {
			k.allowed[id] = k.domains.Allow(r)
		}
	}
	return k.allowed[id]
}

// record returns the domains in which a pod counts on a node that meets a set.
func (k *topologyKey) record(w *workspace, id compiled.SetID) recordedDomains {
	for int(id) >= len(k.recorded) {
		k.recorded = append(k.recorded, recordedDomains{})
	}
	if !k.recorded[id].known {
		d := recordedDomains{known: true, single: -1}
		if r, ok := w.sets.Get(id).Lookup(k.name); ok {
			for _, v := range r.Values() {
				d.values = append(d.values, k.domains.ID(v))
			}
			if r.Len() == 1 {
				d.single = d.values[0]
			}
		}
		k.recorded[id] = d
	}
	return k.recorded[id]
}

// pick returns the set that restricts the key to some domains.
func (k *topologyKey) pick(w *workspace, domains ...int32) compiled.SetID {
	if len(domains) == 1 {
		if id, ok := k.picked[domains[0]]; ok {
			return id
		}
	}
	values := make([]string, len(domains))
	for i, d := range domains {
		values[i] = k.domains.Name(d)
	}
	id := w.sets.ID(requirements.NewSet(requirements.Must(k.name, requirements.In, values...)))
	if len(domains) == 1 {
		k.picked[domains[0]] = id
	}
	return id
}
