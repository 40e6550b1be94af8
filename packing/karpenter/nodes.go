package karpenter

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
)

// node is an existing node as a run starts with it.
type node struct {
	*knownNode
	position int            // in the snapshot
	host     int32          // number of the host name
	settling bool           // within consolidateAfter: it takes no displaced pods
	set      compiled.SetID // labels that some decision reads, without the host name
	takes    bool           // pods, as long as there is room
	tainted  bool
	overfull bool // it has no room for any
}

// readNodes takes in the daemon sets and the nodes, in the snapshot's order. All
// resources are known then.
func (p *problem) readNodes() error {
	m := p.m
	if err := m.readDaemonSets(p.snapshot.DaemonSets); err != nil {
		return err
	}
	m.turn = 0
	all := p.w.nodeMemory(len(p.snapshot.Nodes))
	p.nodes = p.w.nodes[:0]
	for i, src := range p.snapshot.Nodes {
		k, err := m.node(src)
		if err != nil {
			return err
		}
		all[i] = node{knownNode: k, position: i}
		p.nodes = append(p.nodes, &all[i])
	}
	p.w.nodes = p.nodes
	m.order = m.order[:0]
	for i := range all {
		m.order = append(m.order, all[i].knownNode)
	}
	m.end(len(all))
	return nil
}

// compileNodes settles the nodes once all pods are known. Nodes come in the order in
// which they are tried: initialized ones first, then by name.
func (p *problem) compileNodes() error {
	m := p.m
	m.settleColumns()
	m.settleDaemons()
	p.demands, p.daemons, p.overhead = m.demands, m.daemons, m.overhead
	hosts := p.w.startHosts()
	settling := p.simulating && !p.snapshot.Now.IsZero()
	for _, n := range p.nodes {
		n.host = hosts.number(n.nodeFacts)
		n.set = m.setOf(n.nodeFacts, p.volumesByHost)
		n.settling = settling && p.snapshot.Now.Before(n.settles)
		m.settle(n.knownNode)
		n.takes, n.tainted, n.overfull = n.active, len(n.taints) > 0, n.knownNode.overfull
	}
	p.hostNames = hosts.names
	p.hosts = len(hosts.names)
	if !m.inOrder(p.nodes) {
		slices.SortStableFunc(p.nodes, func(a, b *node) int { return a.nodeFacts.compare(b.nodeFacts) })
	}
	p.shared = newShared(p)
	return p.compileBound()
}

// compare puts the node first that is tried first.
func (f *nodeFacts) compare(g *nodeFacts) int {
	if f.initialized != g.initialized {
		if f.initialized {
			return -1
		}
		return 1
	}
	return strings.Compare(f.object.Name, g.object.Name)
}

// inOrder reports whether nodes come in the order in which they are tried. Names are compared only of those
// that did not follow each other last time, when all were in order.
func (m *memory) inOrder(nodes []*node) bool {
	last := m.ordered
	m.ordered, m.orderedBefore = m.orderedBefore[:0], last
	at, followed, sorted := 0, false, true
	for i, n := range nodes {
		f := n.nodeFacts
		m.ordered = append(m.ordered, f)
		next := slices.Index(last[min(at, len(last)):min(at+2, len(last))], f)
		if i > 0 && sorted && !(followed && next >= 0) {
			sorted = nodes[i-1].nodeFacts.compare(f) <= 0
		}
		if followed = next >= 0; followed {
			at += next + 1
		}
	}
	if !sorted {
		m.ordered = m.ordered[:0]
	}
	return sorted
}

// nodeMemory returns memory for so many nodes, which those of the last problem have used.
func (w *workspace) nodeMemory(n int) []node {
	if cap(w.nodeArray) < n {
		w.nodeArray = make([]node, n+n/8)
	}
	return w.nodeArray[:n]
}

// hostNumbers numbers the host names of one problem in the order in which they come.
type hostNumbers struct {
	names []string
	of    []int32 // one more than the number, by number of the name in memory, if as of this problem
	as    []int
	at    int
}

func (w *workspace) startHosts() *hostNumbers {
	h := &w.hosts
	h.at++
	h.names = h.names[:0]
	return h
}

func (h *hostNumbers) number(f *nodeFacts) int32 {
	for int(f.hostID) >= len(h.of) {
		h.of, h.as = append(h.of, 0), append(h.as, 0)
	}
	if h.as[f.hostID] != h.at {
		h.as[f.hostID], h.of[f.hostID] = h.at, int32(len(h.names))
		h.names = append(h.names, f.hostname)
	}
	return h.of[f.hostID]
}

// nodesOf returns the nodes of a host name, in their order.
func (p *problem) nodesOf(host int32) []int32 {
	s := p.shared
	if s.byHost == nil {
		s.byHost = make([][]int32, p.hosts)
		places := make([]int32, len(p.nodes))
		for i, n := range p.nodes {
			if s.byHost[n.host] == nil {
				places[i] = int32(i)
				s.byHost[n.host] = places[i : i+1 : i+1]
				continue
			}
			s.byHost[n.host] = append(s.byHost[n.host], int32(i))
		}
	}
	return s.byHost[host]
}

// isStartupTaint reports whether the node's pool puts the taint on new nodes, to
// be removed before pods come.
func (p *Packer) isStartupTaint(n *packing.Node, t *corev1.Taint) bool {
	for _, pl := range p.nodePools {
		if pl.Name == n.NodePool() {
			return slices.ContainsFunc(pl.Spec.Template.Spec.StartupTaints, func(s corev1.Taint) bool { return s.MatchTaint(t) })
		}
	}
	return false
}

// isEphemeral reports whether a taint comes and goes while a node starts
// (Karpenter v1.14.1 pkg/scheduling/taints.go, IsKnownEphemeralTaint). Values do
// not count.
func isEphemeral(t *corev1.Taint) bool {
	switch t.Key {
	case corev1.TaintNodeNotReady:
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	case corev1.TaintNodeUnreachable, "node.cloudprovider.kubernetes.io/uninitialized":
		return t.Effect == corev1.TaintEffectNoSchedule
	case "karpenter.sh/unregistered":
		return t.Effect == corev1.TaintEffectNoExecute
	}
	return strings.HasPrefix(t.Key, "readiness.k8s.io/")
}
