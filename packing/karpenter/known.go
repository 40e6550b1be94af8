package karpenter

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
	"github.com/binwright/binwright/packing/resources"
)

// knownNode is what is remembered of a node of a snapshot and the pods bound to
// it: what does not depend on the rest of the snapshot, and the last of what does.
type knownNode struct {
	*packing.Node
	*nodeFacts
	was  packing.Node // the struct as it was compiled, with a copy of the list of pods
	seen int          // the last pack that it was part of

	active  bool       // takes pods; a node being deleted only counts for topologies
	pods    []knownPod // in the order of the list
	demands []int32    // of its pods that have not ended
	daemons []int32    // those of them that are daemon pods
	ports   []hostPort
	settles time.Time // see [Packer.settles]

	// What hangs on volumes, as memory.stated was then.
	stated     int
	hasVolumes bool
	volumes    volumeUsage
	limits     map[string]int

	available   []int64 // what is left for pods, by column
	overfull    bool    // some amount is negative: it takes no pod
	availableAt int     // the version of the daemon pods that it is less of

	bound *boundPods // once a group asked
	// counted are one more than how many pods a selection counts, by its number, as long as
	// selections keep their numbers. 0 is unknown.
	counted    []int32
	countedEra int
	anti       []antiRun
	move       *movability
	judged     *Candidate // as consolidation sees it, if that does not change by itself
}

// boundPods counts the pods of a node that selectors may count, by their labels.
type boundPods struct{ runs []labelRun }

type labelRun struct {
	labels int32
	count  int32
}

// antiRun counts the pods of a node that state the same anti-affinity.
type antiRun struct {
	spec  int32
	count int32
}

// movability is what consolidation knows of a node that does not change by itself.
type movability struct {
	cost         float64       // of the node with the pods to be moved
	rescheduling float64       // of all pods, negative costs too
	state        float64       // of the node with the pods that count
	pods         []*corev1.Pod // to be moved
	ids          []podID       // of those, once a simulation needed them
	protected    bool          // some pod has the annotation do-not-disrupt
	// checked is what memory.stated was, plus one, when the pods' constraints were last
	// read; byHost whether volumes of theirs can be reached from certain nodes only.
	checked int
	byHost  bool
	// kinds are those of the pods in the order of the queue, as long as kinds keep their numbers.
	kinds    []movingKind
	kindsEra int
}

// node returns what is known of a node, compiling it if it is new. Nodes mostly come in the order
// in which they came last time.
func (m *memory) node(src *packing.Node) (*knownNode, error) {
	k := m.inTurn(src)
	if k == nil {
		k = m.nodes[src]
	}
	if k == nil || !k.unchanged() {
		var err error
		if k, err = m.compileNode(src); err != nil {
			return nil, fmt.Errorf("node %s: %w", src.Name, err)
		}
		m.nodes[src] = k
	}
	k.seen, k.nodeFacts.seen = m.packs, m.packs
	if k.stated != m.stated+1 {
		k.stated = m.stated + 1
		k.limits = m.storage.limits[src.Name]
		if k.hasVolumes {
			k.volumes = volumeUsage{}
			for _, pod := range k.Pods {
				if !disruption.Terminal(pod) {
					k.volumes.add(m.storage.mountsOf(pod))
				}
			}
		}
	}
	return k, nil
}

// inTurn returns a node that comes where it came in the last pack, or one place further.
func (m *memory) inTurn(src *packing.Node) *knownNode {
	for i := m.turn; i < min(m.turn+2, len(m.order)); i++ {
		if m.order[i].Node == src {
			m.turn = i + 1
			return m.order[i]
		}
	}
	m.turn++
	return nil
}

// unchanged reports whether the node is still what it was when it was compiled: made of
// the same objects. The list of pods is the caller's, who may use its memory again.
func (k *knownNode) unchanged() bool {
	n := k.Node
	return n.Node == k.was.Node && n.Claim == k.was.Claim && n.Price == k.was.Price && slices.Equal(n.Pods, k.was.Pods)
}

func (m *memory) compileNode(src *packing.Node) (*knownNode, error) {
	if at := slices.Index(src.Pods, nil); at >= 0 {
		return nil, fmt.Errorf("pod %d is nil", at)
	}
	k := &knownNode{Node: src, was: *src, active: !src.BeingDeleted()}
	k.was.Pods = slices.Clone(src.Pods)
	var err error
	if k.nodeFacts, err = m.factsOf(src); err != nil {
		return nil, err
	}
	k.settles = m.w.packer.settles(k)
	if err := m.readPods(k); err != nil {
		return nil, err
	}
	k.nodeFacts.last = k
	return k, nil
}

func countAnti(runs []antiRun, spec int32) []antiRun {
	for i := range runs {
		if runs[i].spec == spec {
			runs[i].count++
			return runs
		}
	}
	return append(runs, antiRun{spec, 1})
}

// settle works out what the node has left: allocatable less its pods and less the
// daemon pods that are still to come, for the resources that it has at all.
// Models NewExistingNode of Karpenter v1.14.1 existingnode.go.
func (m *memory) settle(k *knownNode) {
	if k.availableAt == m.daemonsVersion {
		return
	}
	k.availableAt = m.daemonsVersion
	var expected resources.Vector
	running := int64(0)
	for _, d := range m.daemons {
		if d.runsOn(k, m.w.packer.settings.quirks&DaemonPodsMutate != 0) {
			expected = expected.Add(d.vector.With(corev1.ResourcePods, 0))
			running++
		}
	}
	expected = expected.With(corev1.ResourcePods, running)
	k.available, k.overfull = make([]int64, m.dims.Len()), false
	for _, a := range k.allocatable {
		column := m.dims.Column(a.Name)
		left := a.Value - m.sum(k.demands, column) - max(0, expected.Get(a.Name)-m.sum(k.daemons, column))
		k.available[column] = left
		k.overfull = k.overfull || left < 0
	}
}

// sum adds up what some demands ask for of a resource.
func (m *memory) sum(demands []int32, column int) int64 {
	total := int64(0)
	for _, d := range demands {
		total = compiled.Saturated(total, m.demands[d].amounts[column])
	}
	return total
}

// boundOf counts a node's pods that have neither ended nor are ending, by their
// labels. Pods that are left out count as not bound.
func (m *memory) boundOf(k *knownNode, without map[*corev1.Pod]bool) []labelRun {
	if len(without) > 0 && slices.ContainsFunc(k.Pods, func(pod *corev1.Pod) bool { return without[pod] }) {
		return m.countLabels(k.Pods, without)
	}
	if k.bound == nil {
		k.bound = &boundPods{m.countLabels(k.Pods, nil)}
	}
	return k.bound.runs
}

// countOf counts the pods of a node that a group selects.
func (m *memory) countOf(k *knownNode, g *group, s *selection, without map[*corev1.Pod]bool) int32 {
	if k.countedEra != m.selectionsEra {
		k.counted, k.countedEra = k.counted[:0], m.selectionsEra
	}
	for s.number >= len(k.counted) {
		k.counted = append(k.counted, 0)
	}
	if len(without) == 0 && k.counted[s.number] > 0 {
		return k.counted[s.number] - 1
	}
	count := int32(0)
	for _, run := range m.boundOf(k, without) {
		if s.counts(g, run.labels, m) {
			count += run.count
		}
	}
	if len(without) == 0 {
		k.counted[s.number] = count + 1
	}
	return count
}

// countLabels counts pods that have neither ended nor are ending.
func (m *memory) countLabels(pods []*corev1.Pod, without map[*corev1.Pod]bool) []labelRun {
	ids := make([]int32, 0, len(pods))
	for _, pod := range pods {
		if !disruption.Terminal(pod) && pod.DeletionTimestamp == nil && !without[pod] {
			ids = append(ids, m.labelsOf(pod))
		}
	}
	slices.Sort(ids)
	var runs []labelRun
	for _, id := range ids {
		if last := len(runs) - 1; last >= 0 && runs[last].labels == id {
			runs[last].count++
			continue
		}
		runs = append(runs, labelRun{id, 1})
	}
	return runs
}

// movabilityOf returns what consolidation knows of a node.
func (m *memory) movabilityOf(k *knownNode) *movability {
	if k.move != nil {
		return k.move
	}
	v := &movability{cost: disruption.NodeBaseCost, state: disruption.NodeBaseCost}
	for i := range k.pods {
		p := &k.pods[i]
		v.rescheduling += p.eviction
		if !p.terminal && !p.daemon {
			v.state += max(0, p.eviction)
		}
		if p.moves {
			v.pods = append(v.pods, k.Pods[i])
			v.cost += max(0, p.eviction)
		}
		v.protected = v.protected || p.annotated
	}
	k.move = v
	return v
}

// idsOf numbers the pods that a node's disruption moves.
func (m *memory) idsOf(k *knownNode) error {
	v := k.move
	if v.ids != nil || len(v.pods) == 0 {
		return nil
	}
	ids := make([]podID, 0, len(v.pods))
	for i := range k.pods {
		p := &k.pods[i]
		if !p.moves {
			continue
		}
		if !p.identified {
			pod := k.Pods[i]
			var err error
			if p.id, err = m.identify(pod); err != nil {
				return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
			}
			p.identified = true
		}
		ids = append(ids, p.id)
	}
	v.ids = ids
	return nil
}

// check reads the constraints of the pods that a node's disruption moves, so that
// what cannot be read is found whatever is simulated.
func (p *problem) check(v *movability) error {
	if v.checked != p.m.stated+1 {
		v.checked, v.byHost = p.m.stated+1, false
		for i, id := range v.ids {
			spec := p.m.specList[id.spec]
			if spec.checked != p.m.stated+1 {
				if _, err := p.class(v.pods[i], id, false); err != nil {
					return err
				}
			}
			v.byHost = v.byHost || spec.byHost
		}
	}
	p.volumesByHost = p.volumesByHost || v.byHost
	return nil
}
