package karpenter

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// node is an existing node as a run starts with it.
type node struct {
	*packing.Node
	position    int  // in the snapshot
	active      bool // takes pods; a node being deleted only counts for topologies
	initialized bool
	settling    bool // within consolidateAfter: it takes no displaced pods
	hostname    string
	host        int32 // number of the host name
	pool        int   // index of its node pool, -1 if it has none that is scheduled
	taints      []corev1.Taint
	set         compiled.SetID // labels that some decision reads, without the host name
	labels      requirements.Set
	available   []int64 // what is left for pods, by column
	overfull    bool    // some amount is negative: it takes no pod
	ports       []hostPort
	volumes     volumeUsage
	limits      map[string]int
	capacity    resources.Vector
}

// compileNodes reads the nodes and the pods bound to them. Nodes come in the
// order in which they are tried: initialized ones first, then by name.
func (p *problem) compileNodes() error {
	pools := map[string]int{}
	for i, pl := range p.w.packer.pools {
		pools[pl.Name] = i
		p.overhead = append(p.overhead, nil)
	}
	for _, d := range p.daemons {
		d.amounts = p.podAmounts(d.vector)
	}
	for i, pl := range p.w.packer.pools {
		if pl.canLaunch {
			p.overhead[i] = p.daemonOverhead(i, pl)
		}
	}
	hosts := map[string]int32{}
	usage := make([]nodeUsage, 0, len(p.snapshot.Nodes))
	for i, src := range p.snapshot.Nodes {
		n, err := p.compileNode(src)
		if err != nil {
			return fmt.Errorf("node %s: %w", src.Name, err)
		}
		n.position = i
		n.pool = -1
		if at, ok := pools[src.NodePool()]; ok {
			n.pool = at
		}
		host, known := hosts[n.hostname]
		if !known {
			host = int32(len(hosts))
			hosts[n.hostname] = host
			p.hostNames = append(p.hostNames, n.hostname)
		}
		n.host = host
		u, err := p.usageOf(n)
		if err != nil {
			return fmt.Errorf("node %s: %w", src.Name, err)
		}
		usage = append(usage, u)
		p.nodes = append(p.nodes, n)
	}
	p.hosts = len(hosts)
	for i, n := range p.nodes {
		if err := p.settle(n, usage[i]); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	if err := p.compileBound(); err != nil {
		return err
	}
	slices.SortStableFunc(p.nodes, func(a, b *node) int {
		if a.initialized != b.initialized {
			if a.initialized {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	p.nodesOf = make([][]int32, p.hosts)
	for i, n := range p.nodes {
		p.nodesOf[n.host] = append(p.nodesOf[n.host], int32(i))
	}
	return nil
}

func (p *problem) compileNode(src *packing.Node) (*node, error) {
	n := &node{Node: src, volumes: volumeUsage{}, limits: p.storage.limits[src.Name]}
	managed := src.NodePool() != "" || src.Claim != nil
	registered := !managed || src.Labels[requirements.LabelRegistered] == "true" && (src.Claim == nil || !src.Claim.Unregistered)
	n.initialized = !managed || src.Labels[requirements.LabelInitialized] == "true"
	n.active = !src.BeingDeleted()
	n.settling = p.displaced != nil && p.w.packer.settling(src, p.snapshot.Now)
	n.hostname = src.Labels[corev1.LabelHostname]
	if n.hostname == "" {
		n.hostname = src.Name
	}
	n.taints = src.Spec.Taints
	if managed && (!registered || !n.initialized) {
		n.taints = slices.DeleteFunc(slices.Clone(src.Spec.Taints), func(t corev1.Taint) bool {
			return isEphemeral(&t) || !n.initialized && p.isStartupTaint(src, &t)
		})
	}
	n.labels = requirements.FromLabels(src.Labels)
	read := make(requirements.Set, 0, len(p.nodeKeys))
	for _, r := range n.labels {
		if p.nodeKeys[r.Key()] && r.Key() != corev1.LabelHostname {
			read = append(read, r)
		}
	}
	if p.volumesByHost {
		read = read.Add(requirements.Must(corev1.LabelHostname, requirements.In, n.hostname))
	}
	n.set = p.w.sets.ID(read)
	var err error
	if n.capacity, err = resources.FromList(src.Status.Capacity); err != nil {
		return nil, fmt.Errorf("status.capacity: %w", err)
	}
	return n, nil
}

// isStartupTaint reports whether the node's pool puts the taint on new nodes, to
// be removed before pods come.
func (p *problem) isStartupTaint(n *packing.Node, t *corev1.Taint) bool {
	for _, pl := range p.w.packer.pools {
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

func (p *problem) usageOf(n *node) (nodeUsage, error) {
	var u nodeUsage
	var err error
	if u.allocatable, err = resources.FromList(n.Status.Allocatable); err != nil {
		return u, fmt.Errorf("status.allocatable: %w", err)
	}
	one := resources.Vector{{Name: corev1.ResourcePods, Value: 1}}
	for _, pod := range n.Pods {
		if isTerminal(pod) {
			continue
		}
		v, err := resources.PodRequests(pod)
		if err != nil {
			return u, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		ports, err := hostPortsOf(pod)
		if err != nil {
			return u, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		v = v.With(corev1.ResourcePods, 0).Add(one)
		u.pods = u.pods.Add(v)
		if isDaemonPod(pod) {
			u.daemons = u.daemons.Add(v)
		}
		n.ports = append(n.ports, ports...)
		n.volumes.add(p.storage.mountsOf(pod))
	}
	p.dims.AddAll(u.allocatable)
	return u, nil
}

func isTerminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

func isDaemonPod(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.OwnerReferences, func(r metav1.OwnerReference) bool { return r.APIVersion == "apps/v1" && r.Kind == "DaemonSet" })
}

// settle works out what the node has left: allocatable less its pods and less the
// daemon pods that are still to come, for the resources that it has at all.
// Models NewExistingNode of Karpenter v1.14.1 existingnode.go.
func (p *problem) settle(n *node, u nodeUsage) error {
	var expected resources.Vector
	running := int64(0)
	for _, d := range p.daemons {
		if d.runsOn(n, p.w.packer.settings.quirks&DaemonPodsMutate != 0) {
			expected = expected.Add(d.vector.With(corev1.ResourcePods, 0))
			running++
		}
	}
	expected = expected.With(corev1.ResourcePods, running)
	n.available = make([]int64, p.dims.Len())
	for _, a := range u.allocatable {
		left := a.Value - u.pods.Get(a.Name) - max(0, expected.Get(a.Name)-u.daemons.Get(a.Name))
		n.available[p.dims.Column(a.Name)] = left
		n.overfull = n.overfull || left < 0
	}
	return nil
}
