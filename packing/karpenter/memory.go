package karpenter

import (
	"reflect"
	"slices"
	"unsafe"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/resources"
)

// memory is what a workspace remembers of the objects of snapshots, so that the
// next pack compiles only what it has not seen. Objects are known by their addresses:
// whoever changes one hands in another (see the package documentation). What is
// remembered never decides anything; it only saves working it out again.
type memory struct {
	w     *workspace
	packs int // how many it has served
	// problems numbers problems and the questions asked of them.
	problems int
	nodes    map[*packing.Node]*knownNode
	order    []*knownNode // of the last snapshot
	turn     int          // in order: where the next node of a snapshot is looked for
	facts    map[factsKey]*nodeFacts
	// ordered are the nodes of the last snapshot if they were in the order in which they are tried;
	// orderedBefore is spare memory.
	ordered, orderedBefore []*nodeFacts
	hostIDs                *numbering
	spec                   specWriter

	// Columns grow as resources are met. columns is how many there were when
	// amounts were last worked out.
	dims    *compiled.Dimensions
	columns int

	numbers *demandNumbering
	demands []*demand
	ranks   []int32 // of demands in the order of the queue

	specs     *numbering
	specList  []*podSpec
	templates map[template]podID
	labelIDs  *numbering
	labelSets []labelSet
	labelMaps map[labelMap]int32

	// What selectors and requirements of all pods read: of other pods and of nodes.
	// Each version grows when there is more to read.
	selectorKeys     []string // sorted
	nodeKeys         map[string]bool
	selectorsVersion int
	nodeKeysVersion  int
	visible          *numbering // what selectors can see of labels
	visibleOf        []int32    // by labels, -1 if not known
	selections       map[string]*selection
	selectionsEra    int // how often they were forgotten

	volumes    volumeObjects
	storage    *storage
	namespaces []*corev1.Namespace
	// stated grows when volumes or namespaces change, which constraints of pods read.
	stated  int
	classes map[classKey]*class
	// kinds number classes with what they ask for, as long as the classes are kept;
	// kindsEra is how often they were forgotten.
	kinds       map[kind]int32
	kindList    []kind
	kindsEra    int
	constraints int // numbered, as long as the classes are kept

	daemonSets     []*appsv1.DaemonSet
	daemons        []*daemon
	overhead       []*overhead // by pool
	daemonsVersion int
	daemonColumns  int

	antiSpecs    *numbering
	antiSpecList []*antiSpec
	identities   map[string]int32 // of terms of anti-affinity
}

// podID is a pod as classes are made of it: what it asks for, its constraints and
// its labels, by number.
type podID struct{ spec, demand, labels int32 }

// podSpec is what pods state that may go to the same places, but for their labels.
type podSpec struct {
	pod *corev1.Pod // one of them
	// checked is what memory.stated was, plus one, when a class was last made of it.
	checked int
	byHost  bool // its volumes can be reached from nodes of certain names only
}

type labelSet struct {
	namespace string
	labels    map[string]string
}

// classKey tells classes apart.
type classKey struct {
	spec, visible int32
	displaced     bool
}

// template is the address of everything that identifies pods of one controller
// beside their labels: such pods share it.
type template struct {
	namespace                                                  string
	containers                                                 *corev1.Container
	initContainers                                             *corev1.Container
	tolerations                                                *corev1.Toleration
	spreads                                                    *corev1.TopologySpreadConstraint
	volumes                                                    *corev1.Volume
	affinity                                                   *corev1.Affinity
	resources                                                  *corev1.ResourceRequirements
	claims                                                     *corev1.PodResourceClaim
	selector, overhead                                         unsafe.Pointer
	nContainers, nInit, nTolerations, nSpreads, nVolumes, nOwn int
}

type labelMap struct {
	namespace string
	labels    unsafe.Pointer
	n         int
}

// How much is remembered at most: beyond it a part is forgotten and learnt anew.
const (
	maxTemplates  = 1 << 15
	maxSelections = 1 << 12
	maxClasses    = 1 << 14
	maxNumbered   = 1 << 17 // specifications, demands, labels: with more, all is forgotten
	maxKeys       = 1 << 8  // labels that selectors read
	maxColumns    = 1 << 7
	// forgetAfter is after how many packs without it a node is forgotten.
	forgetAfter = 8
)

func newMemory(w *workspace) *memory {
	m := &memory{
		w: w, nodes: map[*packing.Node]*knownNode{}, facts: map[factsKey]*nodeFacts{}, hostIDs: newNumbering(), dims: w.types.Dimensions.Clone(),
		numbers: newDemandNumbering(),
		specs:   newNumbering(), templates: map[template]podID{}, labelIDs: newNumbering(), labelMaps: map[labelMap]int32{},
		nodeKeys: map[string]bool{}, visible: newNumbering(), selections: map[string]*selection{},
		storage: compileStorage(&packing.Snapshot{}), classes: map[classKey]*class{}, kinds: map[kind]int32{}, kindsEra: 1,
		antiSpecs: newNumbering(), identities: map[string]int32{},
		daemonsVersion: 1, nodeKeysVersion: 1,
	}
	for _, pl := range w.packer.pools {
		m.dims.AddAll(pl.limits)
	}
	return m
}

// full reports whether there is more to remember than is worth it.
func (m *memory) full() bool {
	return len(m.specList) > maxNumbered || len(m.demands) > maxNumbered || len(m.labelSets) > maxNumbered ||
		len(m.antiSpecList) > maxNumbered || len(m.hostIDs.ids) > maxNumbered || len(m.selectorKeys) > maxKeys || len(m.nodeKeys) > maxKeys || m.dims.Len() > maxColumns
}

// begin takes in what of a snapshot is not nodes and pods.
func (m *memory) begin(s *packing.Snapshot) {
	m.packs++
	if v := volumesOf(s); !v.equal(&m.volumes) {
		m.volumes = v.clone()
		m.storage = compileStorage(s)
		m.stated++
		m.forgetClasses()
	}
	if !slices.Equal(s.Namespaces, m.namespaces) {
		m.namespaces = slices.Clone(s.Namespaces)
		m.stated++
		m.forgetClasses()
	}
	if len(m.templates) > maxTemplates {
		clear(m.templates)
	}
	if len(m.labelMaps) > maxTemplates {
		clear(m.labelMaps)
	}
	if len(m.selections) > maxSelections {
		clear(m.selections)
		m.selectionsEra++
	}
	if len(m.classes) > maxClasses {
		m.forgetClasses()
	}
}

// forgetClasses drops the classes and all that is told by them.
func (m *memory) forgetClasses() {
	clear(m.classes)
	clear(m.kinds)
	m.kindList = m.kindList[:0]
	m.kindsEra++
	m.constraints = 0
}

// end forgets nodes that have not been seen for a while.
func (m *memory) end(nodes int) {
	if m.packs%forgetAfter != 0 && len(m.nodes) <= 2*nodes+forgetAfter {
		return
	}
	for src, k := range m.nodes {
		if k.seen <= m.packs-forgetAfter || len(m.nodes) > 4*nodes+forgetAfter && k.seen < m.packs {
			delete(m.nodes, src)
		}
	}
	for key, f := range m.facts {
		if f.seen <= m.packs-forgetAfter {
			delete(m.facts, key)
		}
	}
}

// identify numbers a pod.
func (m *memory) identify(pod *corev1.Pod) (podID, error) {
	t, ok := templateOf(pod)
	if ok {
		if id, known := m.templates[t]; known {
			id.labels = m.labelsOf(pod)
			return id, nil
		}
	}
	var id podID
	var err error
	if id.demand, err = m.demandID(pod); err != nil {
		return podID{}, err
	}
	var fresh bool
	if id.spec, fresh = m.specs.of(m.spec.constraints(pod)); fresh {
		m.specList = append(m.specList, &podSpec{pod: pod})
		m.readKeys(pod)
	}
	if ok {
		m.templates[t] = id
	}
	id.labels = m.labelsOf(pod)
	return id, nil
}

// demandID numbers what a pod asks for.
func (m *memory) demandID(pod *corev1.Pod) (int32, error) {
	id, fresh := m.numbers.of(pod, &m.spec)
	if !fresh {
		return id, nil
	}
	d := &demand{index: int(id)}
	var err error
	if d.requests, err = resources.PodRequests(pod); err != nil {
		return 0, err
	}
	m.dims.AddAll(d.requests)
	m.demands = append(m.demands, d)
	m.columns = 0
	return id, nil
}

// templateOf returns the pod's template. A pod that states something of its own,
// or asks for something else than its template, has none.
func templateOf(pod *corev1.Pod) (template, bool) {
	s := &pod.Spec
	for _, list := range [...][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range list {
			if list[i].Resources != nil || list[i].AllocatedResources != nil {
				return template{}, false
			}
		}
	}
	for i := range s.Volumes {
		if s.Volumes[i].Ephemeral != nil {
			return template{}, false
		}
	}
	return template{
		namespace:  pod.Namespace,
		containers: unsafe.SliceData(s.Containers), nContainers: len(s.Containers),
		initContainers: unsafe.SliceData(s.InitContainers), nInit: len(s.InitContainers),
		tolerations: unsafe.SliceData(s.Tolerations), nTolerations: len(s.Tolerations),
		spreads: unsafe.SliceData(s.TopologySpreadConstraints), nSpreads: len(s.TopologySpreadConstraints),
		volumes: unsafe.SliceData(s.Volumes), nVolumes: len(s.Volumes),
		claims: unsafe.SliceData(s.ResourceClaims), nOwn: len(s.ResourceClaims),
		affinity: s.Affinity, resources: s.Resources,
		selector: reflect.ValueOf(s.NodeSelector).UnsafePointer(), overhead: reflect.ValueOf(s.Overhead).UnsafePointer(),
	}, true
}

// labelsOf numbers a pod's namespace and labels.
func (m *memory) labelsOf(pod *corev1.Pod) int32 {
	at := labelMap{pod.Namespace, reflect.ValueOf(pod.Labels).UnsafePointer(), len(pod.Labels)}
	if id, known := m.labelMaps[at]; known {
		return id
	}
	w := &m.spec
	w.buf = w.buf[:0]
	w.text(pod.Namespace)
	w.labels(pod.Labels)
	id, fresh := m.labelIDs.of(w.buf)
	if fresh {
		m.labelSets = append(m.labelSets, labelSet{pod.Namespace, pod.Labels})
	}
	m.labelMaps[at] = id
	return id
}

// visibleTo numbers what selectors can see of labels.
func (m *memory) visibleTo(id int32) int32 {
	for int(id) >= len(m.visibleOf) {
		m.visibleOf = append(m.visibleOf, -1)
	}
	if m.visibleOf[id] < 0 {
		m.spec.buf = m.appendLabels(m.spec.buf[:0], m.labelSets[id].labels)
		m.visibleOf[id], _ = m.visible.of(m.spec.buf)
	}
	return m.visibleOf[id]
}

// readable notes that selectors read a label of pods.
func (m *memory) readable(key string) {
	at, known := slices.BinarySearch(m.selectorKeys, key)
	if known {
		return
	}
	m.selectorKeys = slices.Insert(m.selectorKeys, at, key)
	m.selectorsVersion++
	m.visible, m.visibleOf = newNumbering(), m.visibleOf[:0]
	m.forgetClasses()
}

// readsNode notes that some decision reads a label of nodes.
func (m *memory) readsNode(key string) {
	if !m.nodeKeys[key] {
		m.nodeKeys[key] = true
		m.nodeKeysVersion++
	}
}

// settleColumns works out amounts by column once all columns are known.
func (m *memory) settleColumns() {
	if m.columns == m.dims.Len() {
		return
	}
	for _, d := range m.demands {
		if len(d.amounts) == m.dims.Len() {
			continue
		}
		d.amounts = make([]int64, m.dims.Len())
		m.dims.Dense(d.amounts, d.requests)
		d.amounts[compiled.Pods] = 1
	}
	numberOthers(m.demands)
	m.ranks = demandRanks(m.demands)
	m.columns = m.dims.Len()
}

// selection says which labels a constraint counts of pods that are bound.
type selection struct {
	number int
	known  []int8 // by number of the labels: 0 not asked yet, 1 no, 2 yes
}

// selectionOf returns what is known of what a group counts.
func (m *memory) selectionOf(g *group) *selection {
	w := &m.spec
	w.buf = w.buf[:0]
	w.texts(g.Namespaces)
	w.selector(g.Constraint.Selector)
	s := m.selections[string(w.buf)]
	if s == nil {
		s = &selection{number: len(m.selections)}
		m.selections[string(w.buf)] = s
	}
	return s
}

// counts reports whether a group counts bound pods with such labels.
func (s *selection) counts(g *group, id int32, m *memory) bool {
	for int(id) >= len(s.known) {
		s.known = append(s.known, 0)
	}
	if s.known[id] == 0 {
		s.known[id] = 1
		if of := &m.labelSets[id]; g.CountsBound(of.namespace, labels.Set(of.labels)) {
			s.known[id] = 2
		}
	}
	return s.known[id] == 2
}
