package feasibility

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// Cluster is nodes and the pods on them. Nodes are known by their index, given in
// the order in which they come and kept until they are removed. Changes between
// Fork and Revert are taken back.
type Cluster struct {
	universe *Universe
	nodes    []node
	order    []int32 // the live nodes, oldest first
	stride   int
	free     []int64 // stride amounts for each node

	values   []map[string]int32 // by topology key: domain of a label value
	shared   []*domains         // by static node
	counters []*counter         // by counting, nil while unused
	active   []*counter
	affected [][]*counter // by class: active counters in which its pods weigh
	seen     []int        // by class: how many of active affected has been checked against

	undo  []change
	forks []int // lengths of undo
}

// change is one step that a revert takes back.
type change struct {
	kind  changeKind
	node  int32
	place int32 // where in order a removed node stood
	pods  int32
	class *Class
	was   *Profile // of a node whose profile was replaced
}

type changeKind uint8

const (
	addedNode changeKind = iota
	removedNode
	placed
	tallied
	reprofiled
)

// NewCluster returns a cluster without nodes.
func (u *Universe) NewCluster() *Cluster {
	return &Cluster{universe: u, stride: u.Dims(), values: []map[string]int32{{}}}
}

// Order returns the indexes of the live nodes, oldest first. It is valid until
// the next change of nodes and must not be changed.
func (cl *Cluster) Order() []int32 { return cl.order }

// Len returns how many live nodes there are.
func (cl *Cluster) Len() int { return len(cl.order) }

// Held returns the pods on a node by class. It must not be changed.
func (cl *Cluster) Held(node int32) []Held { return cl.nodes[node].held }

// Profile returns what the node was made from.
func (cl *Cluster) Profile(node int32) *Profile { return cl.nodes[node].profile }

// Name returns the node's name, made up for a copy.
func (cl *Cluster) Name(node int32) string {
	n := &cl.nodes[node]
	if n.copied {
		return n.profile.Node.Name + "-" + strconv.Itoa(int(node))
	}
	return n.name
}

// AddNode adds a node with the pods that are on it and returns its index. A copy
// is one of many nodes made from a template: its name and hostname are its own.
// The pods are put there unchecked.
func (cl *Cluster) AddNode(p *Profile, copied bool, held []Held) int32 {
	index := int32(len(cl.nodes))
	cl.fitStride()
	cl.nodes = append(cl.nodes, node{profile: p, copied: copied, shared: cl.sharedDomains(p.static)})
	n := &cl.nodes[index]
	if !copied {
		n.name = p.Node.Name
	}
	n.host = cl.hostDomain(p, copied, index)
	for range cl.stride {
		cl.free = append(cl.free, 0)
	}
	p.offers(cl.universe, cl.free[int(index)*cl.stride:])
	cl.order = append(cl.order, index)
	cl.log(change{kind: addedNode, node: index})
	cl.countNode(n, 1)
	for _, h := range held {
		cl.Place(h.Class, index, h.Pods)
	}
	return index
}

// fitStride makes room for resources that were met since the last node came.
func (cl *Cluster) fitStride() {
	want := cl.universe.Dims()
	if want == cl.stride {
		return
	}
	known := len(cl.free) / max(cl.stride, 1)
	wider := make([]int64, known*want)
	for i := range known {
		row := wider[i*want : (i+1)*want]
		cl.nodes[i].profile.offers(cl.universe, row)
		for _, h := range cl.nodes[i].held {
			for _, a := range h.Class.requests {
				row[a.dim] -= a.value * int64(h.Pods)
			}
		}
	}
	cl.free, cl.stride = wider, want
}

// sharedDomains returns the domains that nodes of one kind share, for all topology
// keys known so far.
func (cl *Cluster) sharedDomains(s *staticNode) *domains {
	for s.index >= len(cl.shared) {
		cl.shared = append(cl.shared, nil)
	}
	d := cl.shared[s.index]
	if d == nil {
		d = &domains{}
		cl.shared[s.index] = d
	}
	cl.extend(d, s)
	return d
}

// extend looks up the domains of topology keys that were met since the last time.
func (cl *Cluster) extend(d *domains, s *staticNode) {
	for k := len(d.ids); k < len(cl.universe.topologyLabels); k++ {
		for k >= len(cl.values) {
			cl.values = append(cl.values, make(map[string]int32))
		}
		value, ok := s.labels[cl.universe.topologyLabels[k]]
		if !ok {
			d.ids = append(d.ids, -1)
			continue
		}
		id, ok := cl.values[k][value]
		if !ok {
			id = int32(len(cl.values[k]))
			cl.values[k][value] = id
		}
		d.ids = append(d.ids, id)
	}
}

// hostDomain is the index of the node itself, or of the first that has the same
// hostname label.
func (cl *Cluster) hostDomain(p *Profile, copied bool, index int32) int32 {
	if copied {
		return index
	}
	if !p.hasHostname {
		return -1
	}
	d, ok := cl.values[keyHostname][p.hostname]
	if !ok {
		d = index
		cl.values[keyHostname][p.hostname] = d
	}
	return d
}

// RemoveNode takes a node and all its pods out of the cluster.
func (cl *Cluster) RemoveNode(index int32) {
	n := &cl.nodes[index]
	for len(n.held) > 0 {
		h := n.held[len(n.held)-1]
		cl.Place(h.Class, index, -h.Pods)
	}
	place := slices.Index(cl.order, index)
	cl.order = slices.Delete(cl.order, place, place+1)
	cl.countNode(n, -1)
	cl.log(change{kind: removedNode, node: index, place: int32(place)})
}

// Replace gives a node that holds no pods another profile, such as the same with
// one taint more. Its name, hostname and resources must be the same.
func (cl *Cluster) Replace(index int32, p *Profile) {
	cl.log(change{kind: reprofiled, node: index, was: cl.nodes[index].profile})
	cl.reprofile(index, p)
}

func (cl *Cluster) reprofile(index int32, p *Profile) {
	n := &cl.nodes[index]
	cl.extend(n.shared, n.profile.static)
	cl.countNode(n, -1)
	n.profile, n.shared = p, cl.sharedDomains(p.static)
	cl.countNode(n, 1)
}

// Place puts pods of a class on a node, unchecked; a negative number takes them away.
func (cl *Cluster) Place(c *Class, index int32, pods int32) {
	cl.place(c, index, pods)
	cl.log(change{kind: placed, node: index, class: c, pods: pods})
}

func (cl *Cluster) place(c *Class, index int32, pods int32) {
	cl.fitStride()
	row := cl.free[int(index)*cl.stride:]
	for _, a := range c.requests {
		row[a.dim] -= a.value * int64(pods)
	}
	n := &cl.nodes[index]
	at := slices.IndexFunc(n.held, func(h Held) bool { return h.Class == c })
	switch {
	case at < 0:
		n.held = append(n.held, Held{c, pods})
	case n.held[at].Pods+pods == 0:
		n.held = slices.Delete(n.held, at, at+1)
	default:
		n.held[at].Pods += pods
	}
	cl.tally(c, n, pods)
}

func (cl *Cluster) tally(c *Class, n *node, pods int32) {
	for _, k := range cl.weighing(c) {
		if k.counting.eligible(n) {
			k.addPods(n.domain(k.counting.key), pods*int32(k.counting.weigh(c)))
		}
	}
}

// Tally counts pods of a class as if they were on a node, for rules that are
// tracked (see [Cluster.Track]); neither the node's pods nor its resources change.
func (cl *Cluster) Tally(c *Class, index int32, pods int32) {
	if len(cl.weighing(c)) == 0 {
		return
	}
	cl.tally(c, &cl.nodes[index], pods)
	cl.log(change{kind: tallied, node: index, class: c, pods: pods})
}

// Track begins to count what the topology rules that bear on a class ask for.
func (cl *Cluster) Track(c *Class) {
	for i := range c.spread {
		cl.counter(c.spread[i].counting)
	}
	if c.affinity != nil {
		for _, g := range c.affinity.countings {
			cl.counter(g)
		}
	}
	for _, g := range c.antiAffinity {
		cl.counter(g)
	}
	for _, g := range c.repelled() {
		cl.counter(g)
	}
}

// weighing returns the counters in use in which pods of a class weigh.
func (cl *Cluster) weighing(c *Class) []*counter {
	if len(cl.active) == 0 {
		return nil
	}
	for c.Index >= len(cl.affected) {
		cl.affected = append(cl.affected, nil)
		cl.seen = append(cl.seen, 0)
	}
	for ; cl.seen[c.Index] < len(cl.active); cl.seen[c.Index]++ {
		if k := cl.active[cl.seen[c.Index]]; k.counting.weigh(c) != 0 {
			cl.affected[c.Index] = append(cl.affected[c.Index], k)
		}
	}
	return cl.affected[c.Index]
}

// counter returns the counter of a counting; the first time it counts what is there.
func (cl *Cluster) counter(g *counting) *counter {
	for g.index >= len(cl.counters) {
		cl.counters = append(cl.counters, nil)
	}
	if k := cl.counters[g.index]; k != nil {
		return k
	}
	k := &counter{counting: g}
	for _, i := range cl.order {
		n := &cl.nodes[i]
		cl.extend(n.shared, n.profile.static)
		if !g.eligible(n) {
			continue
		}
		k.addNode(n.domain(g.key))
		for _, h := range n.held {
			if w := g.weigh(h.Class); w != 0 {
				k.addPods(n.domain(g.key), h.Pods*int32(w))
			}
		}
	}
	cl.counters[g.index] = k
	cl.active = append(cl.active, k)
	return k
}

func (cl *Cluster) countNode(n *node, by int) {
	for _, k := range cl.active {
		if !k.counting.eligible(n) {
			continue
		}
		if by > 0 {
			k.addNode(n.domain(k.counting.key))
		} else {
			k.removeNode(n.domain(k.counting.key))
		}
	}
}

// Check runs the filters for a pod of a class on a node.
func (cl *Cluster) Check(c *Class, index int32) Refusal {
	if r := cl.checkNode(c, index); r != Fits {
		return r
	}
	n := &cl.nodes[index]
	if c.volumes != nil {
		if r := cl.volumesAllow(c, n); r != Fits {
			return r
		}
	}
	if len(c.spread) > 0 {
		if r := cl.spreadAllows(c, n); r != Fits {
			return r
		}
	}
	return cl.affinityAllows(c, n)
}

// checkNode runs the filters that read nothing but the node.
func (cl *Cluster) checkNode(c *Class, index int32) Refusal {
	n := &cl.nodes[index]
	if len(n.shared.ids) != len(cl.universe.topologyLabels) {
		cl.extend(n.shared, n.profile.static)
	}
	if r := c.demand.accepts(n); r != Fits {
		return r
	}
	if len(c.ports) > 0 {
		for _, h := range n.held {
			if len(h.Class.ports) > 0 && portsClash(c, h.Class) {
				return Ports
			}
		}
	}
	if !cl.HasRoom(c, index) {
		return Resources
	}
	return Fits
}

// HasRoom reports whether a node's free resources hold a pod of a class.
func (cl *Cluster) HasRoom(c *Class, index int32) bool {
	cl.fitStride()
	return c.FitsIn(cl.free[int(index)*cl.stride:])
}

func (cl *Cluster) log(ch change) {
	if len(cl.forks) > 0 {
		cl.undo = append(cl.undo, ch)
	}
}

// Shuffle puts the live nodes into a random order. It must not be called in a fork.
func (cl *Cluster) Shuffle(rng *rand.Rand) {
	rng.Shuffle(len(cl.order), func(i, j int) { cl.order[i], cl.order[j] = cl.order[j], cl.order[i] })
}

// Fork marks a moment to come back to. Forks nest.
func (cl *Cluster) Fork() { cl.forks = append(cl.forks, len(cl.undo)) }

// Revert takes back all that was done since the last Fork.
func (cl *Cluster) Revert() {
	last := len(cl.forks) - 1
	start := cl.forks[last]
	for i := len(cl.undo) - 1; i >= start; i-- {
		ch := cl.undo[i]
		n := &cl.nodes[ch.node]
		switch ch.kind {
		case placed:
			cl.place(ch.class, ch.node, -ch.pods)
		case tallied:
			cl.tally(ch.class, n, -ch.pods)
		case reprofiled:
			cl.reprofile(ch.node, ch.was)
		case addedNode:
			cl.countNode(n, -1)
			if !n.copied && n.host == ch.node {
				delete(cl.values[keyHostname], n.profile.hostname)
			}
			cl.order = cl.order[:len(cl.order)-1]
			cl.nodes = cl.nodes[:ch.node]
			cl.free = cl.free[:int(ch.node)*cl.stride]
		case removedNode:
			cl.extend(n.shared, n.profile.static)
			cl.order = slices.Insert(cl.order, int(ch.place), ch.node)
			cl.countNode(n, 1)
		}
	}
	cl.undo = cl.undo[:start]
	cl.forks = cl.forks[:last]
}

// Commit keeps what was done since the last Fork.
func (cl *Cluster) Commit() {
	cl.forks = cl.forks[:len(cl.forks)-1]
	if len(cl.forks) == 0 {
		cl.undo = cl.undo[:0]
	}
}
