package karpenter

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/resources"
)

// node is an existing node as a run starts with it.
type node struct {
	*knownNode
	position int            // in the snapshot
	host     int32          // number of the host name
	settling bool           // within consolidateAfter: it takes no displaced pods
	set      compiled.SetID // labels that some decision reads, without the host name
}

// readNodes takes in the daemon sets and the nodes, in the snapshot's order. All
// resources are known then.
func (p *problem) readNodes() error {
	m := p.m
	if err := m.readDaemonSets(p.snapshot.DaemonSets); err != nil {
		return err
	}
	all := make([]node, len(p.snapshot.Nodes))
	p.nodes = make([]*node, len(all))
	for i, src := range p.snapshot.Nodes {
		k, err := m.node(src)
		if err != nil {
			return err
		}
		all[i] = node{knownNode: k, position: i}
		p.nodes[i] = &all[i]
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
	hosts := make(map[string]int32, len(p.nodes))
	p.hostNames = make([]string, 0, len(p.nodes))
	for _, n := range p.nodes {
		host, known := hosts[n.hostname]
		if !known {
			host = int32(len(hosts))
			hosts[n.hostname] = host
			p.hostNames = append(p.hostNames, n.hostname)
		}
		n.host = host
		n.set = m.setOf(n.knownNode, p.volumesByHost)
		n.settling = p.simulating && p.w.packer.settling(n.knownNode, p.snapshot.Now)
		m.settle(n.knownNode)
	}
	p.hosts = len(hosts)
	order := func(a, b *node) int {
		if a.initialized != b.initialized {
			if a.initialized {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	}
	if !slices.IsSortedFunc(p.nodes, order) {
		slices.SortStableFunc(p.nodes, order)
	}
	p.numberHosts()
	p.shared = newShared(p)
	return p.compileBound()
}

// numberHosts lists the nodes of each host name.
func (p *problem) numberHosts() {
	p.nodesOf = make([][]int32, p.hosts)
	places := make([]int32, len(p.nodes))
	for i, n := range p.nodes {
		if p.nodesOf[n.host] == nil {
			places[i] = int32(i)
			p.nodesOf[n.host] = places[i : i+1 : i+1]
			continue
		}
		p.nodesOf[n.host] = append(p.nodesOf[n.host], int32(i))
	}
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

// nodeUsage is what the pods bound to a node take of it.
type nodeUsage struct {
	allocatable, pods, daemons resources.Vector
}

func isTerminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

func isDaemonPod(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.OwnerReferences, func(r metav1.OwnerReference) bool { return r.APIVersion == "apps/v1" && r.Kind == "DaemonSet" })
}
