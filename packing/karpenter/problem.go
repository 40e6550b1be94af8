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
)

// problem is a snapshot compiled for a packer: pods in classes, nodes, daemon
// pods. Runs read it; one problem can serve several, one after the other.
type problem struct {
	w        *workspace
	m        *memory
	snapshot *packing.Snapshot
	dims     *compiled.Dimensions

	// simulating: a consolidation is simulated. Nodes within consolidateAfter do not
	// take the pods that it moves.
	simulating bool
	// gone are the nodes that a simulation takes away, by position in the snapshot, and
	// leaving the pods that leave with each; nil outside of one.
	gone    []bool
	leaving func(position int) *leavers

	number    int // tells problems and questions of one workspace apart
	pods      []*corev1.Pod
	classOf   []int32
	classes   []*class // in the order of their first pods
	demandOf  []int32
	demands   []*demand
	nodes     []*node  // in the order in which they are tried
	hosts     int      // distinct host names of nodes; claims are numbered from there
	hostNames []string // by host
	// listed are waiting pods that name a node: where nodes list them too, they do not
	// count as bound.
	listed    map[*corev1.Pod]bool
	antiBound []*antiBound
	counted   map[*constraint]*boundCounts // as runs need them
	daemons   []*daemon
	overhead  []*overhead // by pool
	shared    *shared

	// volumesByHost: some volume can be reached from nodes of certain names only, so
	// that names are part of nodes' sets.
	volumesByHost bool
}

// compileProblem reads a snapshot. Errors name the object and the field; after one
// the workspace is of no more use.
func compileProblem(w *workspace, s *packing.Snapshot) (*problem, error) {
	p, err := startProblem(w, s)
	if err != nil {
		return nil, err
	}
	ids := make([]podID, len(s.Pods))
	for i, pod := range s.Pods {
		if ids[i], err = p.m.identify(pod); err != nil {
			return nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		if pod.Spec.NodeName != "" {
			if p.listed == nil {
				p.listed = map[*corev1.Pod]bool{}
			}
			p.listed[pod] = true
		}
	}
	if err := p.readNodes(); err != nil {
		return nil, err
	}
	p.begin(len(s.Pods))
	for i, pod := range s.Pods {
		if err := p.add(pod, ids[i], false); err != nil {
			return nil, err
		}
	}
	return p, p.compileNodes()
}

// startProblem checks a snapshot and reads what is neither pod nor node.
func startProblem(w *workspace, s *packing.Snapshot) (*problem, error) {
	if err := checkSnapshot(s); err != nil {
		return nil, err
	}
	m := w.memory
	m.begin(s)
	return &problem{w: w, m: m, snapshot: s, dims: m.dims, counted: map[*constraint]*boundCounts{}}, nil
}

// begin starts the pods anew.
func (p *problem) begin(pods int) {
	p.m.problems++
	p.number = p.m.problems
	p.pods = make([]*corev1.Pod, 0, pods)
	numbers := make([]int32, 2*pods)
	p.classOf, p.demandOf = numbers[:0:pods], numbers[pods:pods]
	p.classes = nil
}

// add takes in a pod.
func (p *problem) add(pod *corev1.Pod, id podID, displaced bool) error {
	c, err := p.class(pod, id, displaced)
	if err != nil {
		return err
	}
	if c.problem != p.number {
		c.problem, c.index = p.number, len(p.classes)
		c.forget()
		p.classes = append(p.classes, c)
	}
	p.pods = append(p.pods, pod)
	p.classOf = append(p.classOf, int32(c.index))
	p.demandOf = append(p.demandOf, id.demand)
	return nil
}

// class returns the class of a pod: pods of equal constraints whose labels no
// selector tells apart.
func (p *problem) class(pod *corev1.Pod, id podID, displaced bool) (*class, error) {
	key := classKey{id.spec, p.m.visibleTo(id.labels), displaced}
	c := p.m.classes[key]
	if c == nil {
		var err error
		if c, err = p.compileClass(pod); err == nil {
			err = p.compileConstraints(c)
		}
		if err != nil {
			return nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
		c.displaced = displaced
		p.m.classes[key] = c
		spec := p.m.specList[id.spec]
		spec.checked, spec.byHost = p.m.stated+1, c.volumesByHost
	}
	p.volumesByHost = p.volumesByHost || c.volumesByHost
	return c, nil
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

// numberOthers numbers what demands ask for beside CPU and memory.
func numberOthers(demands []*demand) {
	others := newNumbering()
	var key []byte
	for _, d := range demands {
		key = key[:0]
		for _, v := range d.amounts[compiled.Pods:] {
			key = binary.AppendVarint(key, v)
		}
		id, _ := others.of(key)
		d.others = int(id)
	}
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

// ofText is of, for a text that is at hand as a string.
func (n *numbering) ofText(text string) int32 {
	id, ok := n.ids[text]
	if !ok {
		id = int32(len(n.ids))
		n.ids[text] = id
	}
	return id
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
	plain := ok1 && ok2 && len(requests) == 2 && exact(&cpu) && exact(&memory)
	if !plain {
		return plainDemand{}, false
	}
	return plainDemand{cpu.MilliValue(), memory.Value()}, true
}

// appendLabels writes those labels that some selector reads.
func (m *memory) appendLabels(buf []byte, set map[string]string) []byte {
	if len(set) == 0 {
		return buf
	}
	for i, key := range m.selectorKeys {
		if value, ok := set[key]; ok {
			buf = append(buf, byte(i), byte(i>>8), byte(len(value)), byte(len(value)>>8))
			buf = append(buf, value...)
		}
	}
	return buf
}

// readKeys notes which labels the pod's constraints read, of nodes and of other pods.
func (m *memory) readKeys(pod *corev1.Pod) {
	selector := func(s *metav1.LabelSelector) {
		if s == nil {
			return
		}
		for key := range s.MatchLabels {
			m.readable(key)
		}
		for _, e := range s.MatchExpressions {
			m.readable(e.Key)
		}
	}
	names := func(list []string) {
		for _, key := range list {
			m.readable(key)
		}
	}
	term := func(t *corev1.PodAffinityTerm) {
		m.readsNode(t.TopologyKey)
		selector(t.LabelSelector)
		names(t.MatchLabelKeys)
		names(t.MismatchLabelKeys)
	}
	for i := range pod.Spec.TopologySpreadConstraints {
		c := &pod.Spec.TopologySpreadConstraints[i]
		m.readsNode(c.TopologyKey)
		selector(c.LabelSelector)
		names(c.MatchLabelKeys)
	}
	for key := range pod.Spec.NodeSelector {
		m.readsNode(requirements.NormalizeKey(key))
	}
	a := pod.Spec.Affinity
	if a == nil {
		return
	}
	if n := a.NodeAffinity; n != nil {
		exprs := func(t *corev1.NodeSelectorTerm) {
			for _, e := range t.MatchExpressions {
				m.readsNode(requirements.NormalizeKey(e.Key))
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
