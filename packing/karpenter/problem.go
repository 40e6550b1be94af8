package karpenter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// problem is a snapshot compiled for a packer: pods in classes, nodes, daemon
// pods. Runs read it; one problem can serve several, one after the other.
type problem struct {
	w        *workspace
	snapshot *packing.Snapshot
	dims     *compiled.Dimensions
	storage  *storage

	// displaced are the running pods that a simulated consolidation moves; nil
	// outside of one. Nodes within consolidateAfter do not take them.
	displaced map[*corev1.Pod]bool
	// gone are the nodes that a simulation takes away, by position in the
	// snapshot; nil outside of one.
	gone []bool

	pods      []*corev1.Pod
	classOf   []int32
	classes   []*class // in the order of their first pods
	numbered  int      // classes made, relaxed ones too
	demandOf  []int32
	demands   []*demand
	nodes     []*node   // in the order in which they are tried
	hosts     int       // distinct host names of nodes; claims are numbered from there
	hostNames []string  // by host
	nodesOf   [][]int32 // by host: nodes of that name, in their order
	bound     []boundClass
	antiBound []*antiBound
	counted   map[*constraint]*boundCounts // as runs need them
	daemons   []*daemon
	overhead  []*overhead // by pool

	nodeKeys map[string]bool // node labels that some decision reads
	// volumesByHost: some volume can be reached from nodes of certain names only, so
	// that names are part of nodes' sets.
	volumesByHost bool
	selectorKeys  []string // pod labels that some selector reads, sorted
	spec          specWriter
}

// compileProblem reads a snapshot. Errors name the object and the field.
func compileProblem(w *workspace, s *packing.Snapshot, displaced map[*corev1.Pod]bool) (*problem, error) {
	if err := checkSnapshot(s); err != nil {
		return nil, err
	}
	p := &problem{
		w: w, snapshot: s, dims: w.types.Dimensions.Clone(), storage: compileStorage(s),
		displaced: displaced, pods: s.Pods, nodeKeys: map[string]bool{}, counted: map[*constraint]*boundCounts{},
	}
	for _, pl := range w.packer.pools {
		p.dims.AddAll(pl.limits)
	}
	if err := p.compilePods(); err != nil {
		return nil, err
	}
	for _, ds := range s.DaemonSets {
		d, err := compileDaemon(ds)
		if err != nil {
			return nil, fmt.Errorf("daemon set %s/%s: %w", ds.Namespace, ds.Name, err)
		}
		p.daemons = append(p.daemons, d)
		p.dims.AddAll(d.vector)
	}
	if err := p.compileNodes(); err != nil {
		return nil, err
	}
	p.settleDemands()
	return p, nil
}

// checkSnapshot finds what is missing where something is promised.
func checkSnapshot(s *packing.Snapshot) error {
	if s == nil {
		return errors.New("no snapshot")
	}
	for i, n := range s.Nodes {
		if n == nil || n.Node == nil {
			return fmt.Errorf("node %d is nil", i)
		}
		if at := slices.Index(n.Pods, nil); at >= 0 {
			return fmt.Errorf("node %s: pod %d is nil", n.Name, at)
		}
	}
	for _, list := range []struct {
		what string
		at   int
	}{
		{"pod", slices.Index(s.Pods, nil)},
		{"daemon set", slices.Index(s.DaemonSets, nil)},
		{"namespace", slices.Index(s.Namespaces, nil)},
		{"persistent volume claim", slices.Index(s.PersistentVolumeClaims, nil)},
		{"persistent volume", slices.Index(s.PersistentVolumes, nil)},
		{"storage class", slices.Index(s.StorageClasses, nil)},
		{"CSI node", slices.Index(s.CSINodes, nil)},
	} {
		if list.at >= 0 {
			return fmt.Errorf("%s %d is nil", list.what, list.at)
		}
	}
	return nil
}

// settleDemands works out the demands' columns once all columns are known.
func (p *problem) settleDemands() {
	others := newNumbering()
	columns := p.dims.Len()
	all := make([]int64, columns*len(p.demands))
	var key []byte
	for i, d := range p.demands {
		d.amounts = all[i*columns : (i+1)*columns : (i+1)*columns]
		p.dims.Dense(d.amounts, d.requests)
		d.amounts[compiled.Pods] = 1
		key = key[:0]
		for _, v := range d.amounts[compiled.Pods:] {
			key = binary.AppendVarint(key, v)
		}
		id, _ := others.of(key)
		d.others = int(id)
	}
}

// compilePods numbers what pods ask for, and puts pods in classes: first those
// with equal constraints, then, of these, those whose labels no selector tells
// apart.
func (p *problem) compilePods() error {
	specOf := make([]int32, len(p.pods))
	p.demandOf = make([]int32, len(p.pods))
	specs, demands := newNumbering(), newDemandNumbering()
	var first []*corev1.Pod
	for i, pod := range p.pods {
		id, fresh := demands.of(pod, &p.spec)
		if p.demandOf[i] = id; fresh {
			d := &demand{index: int(id)}
			var err error
			if d.requests, err = resources.PodRequests(pod); err != nil {
				return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
			}
			p.dims.AddAll(d.requests)
			p.demands = append(p.demands, d)
		}
		if id, fresh = specs.of(p.spec.constraints(pod)); fresh {
			first = append(first, pod)
		}
		specOf[i] = id
	}
	keys := map[string]bool{}
	for _, pod := range first {
		p.readKeys(pod, keys)
	}
	for _, n := range p.snapshot.Nodes {
		for _, pod := range n.Pods {
			if hasRequiredAntiAffinity(pod) {
				p.readKeys(pod, keys)
			}
		}
	}
	for key := range keys {
		p.selectorKeys = append(p.selectorKeys, key)
	}
	slices.Sort(p.selectorKeys)
	return p.splitByLabels(specOf)
}

// numbering gives equal texts equal numbers. Equal texts often come in a row.
type numbering struct {
	ids    map[string]int32
	last   []byte
	lastID int32
}

func newNumbering() *numbering { return &numbering{ids: map[string]int32{}, lastID: -1} }

// of returns the number of a text and whether it is new.
func (n *numbering) of(text []byte) (int32, bool) {
	if n.lastID >= 0 && bytes.Equal(text, n.last) {
		return n.lastID, false
	}
	id, ok := n.ids[string(text)]
	if !ok {
		id = int32(len(n.ids))
		n.ids[string(text)] = id
	}
	n.last, n.lastID = append(n.last[:0], text...), id
	return id, !ok
}

// demandNumbering numbers what pods ask for. Most pods ask for CPU and memory in
// one container; those are told apart by two numbers, without being written down.
type demandNumbering struct {
	plain  map[plainDemand]int32
	last   plainDemand
	lastID int32
	others *numbering
	ids    []int32 // of the others
	known  int32
}

type plainDemand struct{ cpu, memory int64 }

func newDemandNumbering() *demandNumbering {
	return &demandNumbering{plain: map[plainDemand]int32{}, lastID: -1, others: newNumbering()}
}

// of returns the number of what a pod asks for and whether it is new.
func (n *demandNumbering) of(pod *corev1.Pod, w *specWriter) (id int32, fresh bool) {
	d, plain := plainDemandOf(pod)
	if !plain {
		k, fresh := n.others.of(w.demand(pod))
		if fresh {
			n.ids = append(n.ids, n.known)
			n.known++
		}
		return n.ids[k], fresh
	}
	if n.lastID >= 0 && d == n.last {
		return n.lastID, false
	}
	id, ok := n.plain[d]
	if !ok {
		id = n.known
		n.plain[d] = id
		n.known++
	}
	n.last, n.lastID = d, id
	return id, !ok
}

func plainDemandOf(pod *corev1.Pod) (plainDemand, bool) {
	s := &pod.Spec
	if len(s.Containers) != 1 || len(s.InitContainers) > 0 || s.Resources != nil || len(s.Overhead) > 0 ||
		len(pod.Status.ContainerStatuses) > 0 || len(pod.Status.InitContainerStatuses) > 0 {
		return plainDemand{}, false
	}
	requests := s.Containers[0].Resources.Requests
	cpu, ok1 := requests[corev1.ResourceCPU]
	memory, ok2 := requests[corev1.ResourceMemory]
	return plainDemand{cpu.MilliValue(), memory.Value()}, ok1 && ok2 && len(requests) == 2
}

// splitByLabels makes a class of each specification and what selectors can see of
// the labels.
func (p *problem) splitByLabels(specOf []int32) error {
	p.classOf = make([]int32, len(p.pods))
	classes := newNumbering()
	var buf []byte
	for i, pod := range p.pods {
		buf = binary.LittleEndian.AppendUint32(buf[:0], uint32(specOf[i]))
		if p.displaced[pod] {
			buf = append(buf, 1)
		} else {
			buf = append(buf, 0)
		}
		buf = p.appendLabels(buf, pod.Labels)
		id, fresh := classes.of(buf)
		if fresh {
			c, err := p.compileClass(pod)
			if err != nil {
				return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
			}
			if err := p.compileConstraints(c); err != nil {
				return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
			}
			c.displaced = p.displaced[pod]
			p.classes = append(p.classes, c)
		}
		p.classOf[i] = id
	}
	return nil
}

// podAmounts returns what a pod takes of a node, itself included.
func (p *problem) podAmounts(requests resources.Vector) []int64 {
	v := make([]int64, p.dims.Len())
	p.dims.Dense(v, requests)
	v[compiled.Pods] = 1
	return v
}

// appendLabels writes those labels that some selector reads.
func (p *problem) appendLabels(buf []byte, set map[string]string) []byte {
	if len(set) == 0 {
		return buf
	}
	for i, key := range p.selectorKeys {
		if value, ok := set[key]; ok {
			buf = append(buf, byte(i), byte(i>>8), byte(len(value)), byte(len(value)>>8))
			buf = append(buf, value...)
		}
	}
	return buf
}

// readKeys notes which labels the pod's constraints read: of nodes in nodeKeys,
// of other pods in keys.
func (p *problem) readKeys(pod *corev1.Pod, keys map[string]bool) {
	selector := func(s *metav1.LabelSelector) {
		if s == nil {
			return
		}
		for key := range s.MatchLabels {
			keys[key] = true
		}
		for _, e := range s.MatchExpressions {
			keys[e.Key] = true
		}
	}
	names := func(list []string) {
		for _, key := range list {
			keys[key] = true
		}
	}
	term := func(t *corev1.PodAffinityTerm) {
		p.nodeKeys[t.TopologyKey] = true
		selector(t.LabelSelector)
		names(t.MatchLabelKeys)
		names(t.MismatchLabelKeys)
	}
	for i := range pod.Spec.TopologySpreadConstraints {
		c := &pod.Spec.TopologySpreadConstraints[i]
		p.nodeKeys[c.TopologyKey] = true
		selector(c.LabelSelector)
		names(c.MatchLabelKeys)
	}
	for key := range pod.Spec.NodeSelector {
		p.nodeKeys[requirements.NormalizeKey(key)] = true
	}
	a := pod.Spec.Affinity
	if a == nil {
		return
	}
	if n := a.NodeAffinity; n != nil {
		exprs := func(t *corev1.NodeSelectorTerm) {
			for _, e := range t.MatchExpressions {
				p.nodeKeys[requirements.NormalizeKey(e.Key)] = true
			}
		}
		if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
			for i := range r.NodeSelectorTerms {
				exprs(&r.NodeSelectorTerms[i])
			}
		}
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			exprs(&n.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference)
		}
	}
	eachPodTerm(a, func(t *corev1.PodAffinityTerm, _ podTerm) { term(t) })
}

// podTerm says where a pod affinity term stands.
type podTerm struct {
	anti, preferred bool
}

func eachPodTerm(a *corev1.Affinity, f func(t *corev1.PodAffinityTerm, where podTerm)) {
	if a == nil {
		return
	}
	if p := a.PodAffinity; p != nil {
		for i := range p.RequiredDuringSchedulingIgnoredDuringExecution {
			f(&p.RequiredDuringSchedulingIgnoredDuringExecution[i], podTerm{})
		}
		for i := range p.PreferredDuringSchedulingIgnoredDuringExecution {
			f(&p.PreferredDuringSchedulingIgnoredDuringExecution[i].PodAffinityTerm, podTerm{preferred: true})
		}
	}
	if p := a.PodAntiAffinity; p != nil {
		for i := range p.RequiredDuringSchedulingIgnoredDuringExecution {
			f(&p.RequiredDuringSchedulingIgnoredDuringExecution[i], podTerm{anti: true})
		}
		for i := range p.PreferredDuringSchedulingIgnoredDuringExecution {
			f(&p.PreferredDuringSchedulingIgnoredDuringExecution[i].PodAffinityTerm, podTerm{anti: true, preferred: true})
		}
	}
}

func hasRequiredAntiAffinity(pod *corev1.Pod) bool {
	a := pod.Spec.Affinity
	return a != nil && a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0
}

// namespacesOf returns, sorted, the namespaces that a pod affinity term means.
// Models buildNamespaceList of Karpenter v1.14.1 topology.go.
func (p *problem) namespacesOf(pod *corev1.Pod, t *corev1.PodAffinityTerm) ([]string, error) {
	if len(t.Namespaces) == 0 && t.NamespaceSelector == nil {
		return []string{pod.Namespace}, nil
	}
	out := slices.Clone(t.Namespaces)
	if t.NamespaceSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(t.NamespaceSelector)
		if err != nil {
			return nil, fmt.Errorf("namespaceSelector: %w", err)
		}
		for _, ns := range p.snapshot.Namespaces {
			if selector.Matches(labels.Set(ns.Labels)) {
				out = append(out, ns.Name)
			}
		}
	}
	slices.SortFunc(out, strings.Compare)
	return slices.Compact(out), nil
}
