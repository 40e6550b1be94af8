package karpenter

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// nodeFacts are what a Node object says, whatever pods are on it.
type nodeFacts struct {
	object *corev1.Node
	seen   int        // the last pack that asked for them
	last   *knownNode // the node with its pods, as last read

	initialized bool
	// owner is the name of its node pool, ownerAt the place of that among the packer's, -1 if it is unknown;
	// started is what [initialized] says, ready what its condition does.
	owner          string
	ownerAt        int
	started, ready bool
	hostname       string
	hostID         int32 // numbers host names
	pool           int   // index of its node pool, -1 if it has none that is scheduled
	taints         []corev1.Taint
	labels         requirements.Set
	capacity       resources.Vector
	allocatable    resources.Vector

	// For consolidation: protected nodes are left alone, and so are those that lack a label.
	protected    bool
	lacks        string
	spot         bool
	instanceType *instancetypes.InstanceType
	price        float64
	tracked      float64 // price in the books of its pool, which want to know zone and capacity type

	// set is of the labels that some decision reads, without the host name; setAt is
	// the version of those labels. The second is with the host name.
	set   [2]compiled.SetID
	setAt [2]int
	// domains are two more than the node's domain, by topology key, 1 if it has none. 0 is unknown.
	domains []int32
	// counts says whether a constraint's filter of nodes lets the node in, by the constraint's number: 0 not
	// asked yet, 1 no, 2 yes; as long as constraints keep their numbers.
	counts    []int8
	countsEra int
}

// factsKey tells facts apart: which labels and taints count hangs on the claim as well.
type factsKey struct {
	object                *corev1.Node
	claimed, unregistered bool
}

// factsOf returns what the Node object of a node says.
func (m *memory) factsOf(src *packing.Node) (*nodeFacts, error) {
	key := factsKey{src.Node, src.Claim != nil, src.Claim != nil && src.Claim.Unregistered}
	if f := m.facts[key]; f != nil {
		return f, nil
	}
	f := &nodeFacts{
		object: src.Node, pool: -1, owner: src.NodePool(), started: initialized(src), ready: ready(src),
		hostname: src.Labels[corev1.LabelHostname], labels: requirements.FromLabels(src.Labels),
	}
	p := m.w.packer
	f.ownerAt = slices.IndexFunc(p.nodePools, func(pool *packing.NodePool) bool { return pool.Name == f.owner })
	managed := f.owner != "" || src.Claim != nil
	registered := !managed || src.Labels[requirements.LabelRegistered] == "true" && !key.unregistered
	f.initialized = !managed || src.Labels[requirements.LabelInitialized] == "true"
	if f.hostname == "" {
		f.hostname = src.Name
	}
	f.hostID = m.hostIDs.ofText(f.hostname)
	for i, pl := range p.pools {
		if pl.Name == f.owner {
			f.pool = i
		}
	}
	f.taints = src.Spec.Taints
	if managed && (!registered || !f.initialized) {
		f.taints = slices.DeleteFunc(slices.Clone(src.Spec.Taints), func(t corev1.Taint) bool {
			return isEphemeral(&t) || !f.initialized && p.isStartupTaint(src, &t)
		})
	}
	var err error
	if f.capacity, err = resources.FromList(src.Status.Capacity); err != nil {
		return nil, fmt.Errorf("status.capacity: %w", err)
	}
	if f.allocatable, err = resources.FromList(src.Status.Allocatable); err != nil {
		return nil, fmt.Errorf("status.allocatable: %w", err)
	}
	m.dims.AddAll(f.allocatable)
	f.protected = src.Annotations[disruption.AnnotationDoNotDisrupt] == "true"
	f.spot = src.Labels[requirements.LabelCapacityType] == requirements.CapacityTypeSpot
	for _, key := range [...]string{corev1.LabelTopologyZone, requirements.LabelCapacityType} {
		if _, ok := src.Labels[key]; !ok {
			f.lacks = key
		}
	}
	f.instanceType, _ = p.catalogOf(f.owner).Lookup(src.Labels[corev1.LabelInstanceTypeStable])
	f.price = nodePrice(src, f.instanceType)
	if src.Labels[requirements.LabelCapacityType] != "" && src.Labels[corev1.LabelTopologyZone] != "" {
		f.tracked = f.price
	}
	m.facts[key] = f
	return f, nil
}

// setOf returns the number of the node's labels that some decision reads, with its
// host name or without.
func (m *memory) setOf(k *nodeFacts, byHost bool) compiled.SetID {
	at := 0
	if byHost {
		at = 1
	}
	if k.setAt[at] == m.nodeKeysVersion {
		return k.set[at]
	}
	read := make(requirements.Set, 0, len(m.nodeKeys))
	for _, r := range k.labels {
		if m.nodeKeys[r.Key()] && r.Key() != corev1.LabelHostname {
			read = append(read, r)
		}
	}
	if byHost {
		read = read.Add(requirements.Must(corev1.LabelHostname, requirements.In, k.hostname))
	}
	k.set[at], k.setAt[at] = m.w.sets.ID(read), m.nodeKeysVersion
	return k.set[at]
}

// domainOf returns the node's domain of a topology key, 0 for a host, and whether the
// node has the label.
func (k *nodeFacts) domainOf(key *topologyKey) (int32, bool) {
	for key.index >= len(k.domains) {
		k.domains = append(k.domains, 0)
	}
	if k.domains[key.index] == 0 {
		k.domains[key.index] = 1
		if value, labelled := k.object.Labels[key.name]; labelled {
			k.domains[key.index] = 2
			if key.domains != nil {
				k.domains[key.index] += key.domains.ID(value)
			}
		}
	}
	return k.domains[key.index] - 2, k.domains[key.index] > 1
}

// number numbers a constraint of a class.
func (m *memory) number(tc *constraint) {
	if tc.numberEra != m.kindsEra {
		tc.number, tc.numberEra = m.constraints, m.kindsEra
		m.constraints++
	}
}

// letIn reports whether a group counts pods on the node as far as its filter of nodes tells.
func (f *nodeFacts) letIn(g *group, tc *constraint, m *memory) bool {
	if f.countsEra != m.kindsEra {
		f.counts, f.countsEra = f.counts[:0], m.kindsEra
	}
	for tc.number >= len(f.counts) {
		f.counts = append(f.counts, 0)
	}
	if f.counts[tc.number] == 0 {
		f.counts[tc.number] = 1
		if g.MatchesNode(f.object.Spec.Taints, f.labels) {
			f.counts[tc.number] = 2
		}
	}
	return f.counts[tc.number] == 2
}
