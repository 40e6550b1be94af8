package karpenter

import (
	"encoding/binary"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// daemon is the pod that a daemon set puts on every node that it matches.
type daemon struct {
	pod     corev1.Pod // its tolerations and terms change, see DaemonPodsMutate
	terms   []requirements.Set
	vector  resources.Vector
	amounts []int64 // by column, the pod itself included
	ports   []hostPort
	stated  struct { // before any changed
		tolerations []corev1.Toleration
		terms       []requirements.Set
	}
}

// readDaemonSets takes in the daemon sets if they are others than before.
func (m *memory) readDaemonSets(sets []*appsv1.DaemonSet) error {
	if m.daemons != nil && slices.Equal(sets, m.daemonSets) {
		return nil
	}
	m.daemons, m.overhead = make([]*daemon, 0, len(sets)), nil
	for _, ds := range sets {
		if usesResourceClaims(&ds.Spec.Template.Spec) {
			continue // no room is kept for such pods (scheduler.go, shouldSkipDaemonPod)
		}
		d, err := compileDaemon(ds)
		if err != nil {
			return fmt.Errorf("daemon set %s/%s: %w", ds.Namespace, ds.Name, err)
		}
		m.daemons = append(m.daemons, d)
		m.dims.AddAll(d.vector)
	}
	m.daemonSets = slices.Clone(sets)
	return nil
}

// settleDaemons works out what daemon pods take, once all columns are known.
func (m *memory) settleDaemons() {
	if m.overhead != nil && m.daemonColumns == m.dims.Len() {
		return
	}
	if m.overhead != nil { // working it out changes daemon pods, see DaemonPodsMutate
		m.restartDaemons()
	}
	m.daemonsVersion++
	m.daemonColumns = m.dims.Len()
	for _, d := range m.daemons {
		d.amounts = make([]int64, m.dims.Len())
		m.dims.Dense(d.amounts, d.vector)
		d.amounts[compiled.Pods] = 1
	}
	m.overhead = make([]*overhead, len(m.w.packer.pools))
	for i, pl := range m.w.packer.pools {
		if pl.canLaunch {
			m.overhead[i] = m.daemonOverhead(i, pl)
		}
	}
}

// restartDaemons undoes what working out their overhead changed.
func (m *memory) restartDaemons() {
	for _, d := range m.daemons {
		d.pod.Spec.Tolerations, d.terms = d.stated.tolerations, d.stated.terms
	}
}

func compileDaemon(ds *appsv1.DaemonSet) (*daemon, error) {
	d := &daemon{pod: corev1.Pod{ObjectMeta: ds.Spec.Template.ObjectMeta, Spec: ds.Spec.Template.Spec}}
	d.pod.Namespace, d.pod.Name = ds.Namespace, ds.Name
	var err error
	if d.vector, err = resources.PodRequests(&d.pod); err != nil {
		return nil, err
	}
	if d.ports, err = hostPortsOf(&d.pod); err != nil {
		return nil, err
	}
	if d.terms, err = daemonTerms(&d.pod); err != nil {
		return nil, err
	}
	d.stated.tolerations, d.stated.terms = d.pod.Spec.Tolerations, d.terms
	return d, nil
}

// daemonTerms returns the alternatives of the daemon pod's required node affinity,
// each with its node selector. Without any there is one.
func daemonTerms(pod *corev1.Pod) ([]requirements.Set, error) {
	selector := requirements.FromLabels(pod.Spec.NodeSelector)
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil ||
		len(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms) == 0 {
		return []requirements.Set{selector}, nil
	}
	var out []requirements.Set
	for i, t := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		set, err := requirements.FromExpressions(t.MatchExpressions)
		if err != nil {
			return nil, fmt.Errorf("required node affinity: nodeSelectorTerms[%d].%w", i, err)
		}
		out = append(out, selector.Intersect(set))
	}
	return out, nil
}

// overhead is what the daemon pods take of the nodes of one pool.
type overhead struct {
	fits *compiled.Fits
	// groups are the instance types that run the same daemon pods.
	groups []overheadGroup
	// ports reports whether any daemon pod has host ports.
	ports bool
}

type overheadGroup struct {
	daemons []int
	types   compiled.Bits
	ports   []hostPort
	amounts []int64
}

// daemonOverhead groups the pool's types by their daemon pods, type by type in
// the order of the catalog, since checking a type can change the daemon pods for
// all that come later. Models buildDaemonOverheadGroups of Karpenter v1.14.1
// scheduler.go.
func (m *memory) daemonOverhead(at int, pl *pool) *overhead {
	o := &overhead{}
	byDaemons := map[string]int{}
	mutate := m.w.packer.settings.quirks&DaemonPodsMutate != 0
	var running []int
	var key []byte
	for _, i := range pl.listed {
		if !pl.options.Has(i) {
			continue
		}
		running, key = running[:0], key[:0]
		for k, d := range m.daemons {
			if d.runs(m.w, pl, i, mutate) {
				running = append(running, k)
				key = binary.AppendUvarint(key, uint64(k))
			}
		}
		g, ok := byDaemons[string(key)]
		if !ok {
			g = len(o.groups)
			byDaemons[string(key)] = g
			o.groups = append(o.groups, m.overheadGroup(slices.Clone(running)))
		}
		o.groups[g].types.Set(i)
	}
	for _, g := range o.groups {
		o.ports = o.ports || len(g.ports) > 0
	}
	o.fits = m.w.fits(at, o.groups)
	return o
}

func (m *memory) overheadGroup(running []int) overheadGroup {
	g := overheadGroup{daemons: running, types: compiled.NewBits(m.w.types.Len()), amounts: make([]int64, m.dims.Len())}
	for _, k := range running {
		d := m.daemons[k]
		g.ports = append(g.ports, d.ports...)
		for c, v := range d.amounts {
			g.amounts[c] = compiled.Saturated(g.amounts[c], v)
		}
	}
	return g
}

// runs reports whether the daemon pod runs on nodes of a type of a pool. Models
// isDaemonPodCompatible: terms that do not suit are dropped one by one until one
// does or the last is left; with mutate they stay dropped.
func (d *daemon) runs(w *workspace, pl *pool, i int, mutate bool) bool {
	pod := d.pod
	toleratePreferNoSchedule(&pod)
	if mutate {
		d.pod.Spec.Tolerations = pod.Spec.Tolerations
	}
	if !topology.Tolerates(pod.Spec.Tolerations, pl.taints) {
		return false
	}
	terms := d.terms
	for {
		if pl.claim.Compatible(terms[0], w.wellKnown) == nil && w.types.Type(i).Requirements.Intersects(terms[0]) == nil {
			return true
		}
		if len(terms) == 1 {
			return false
		}
		terms = terms[1:]
		if mutate {
			d.terms = terms
		}
	}
}

// runsOn reports whether the daemon pod runs on a node that is there. The original
// looks only at the first term that is left of the pod (getCompatibleDaemonPods).
func (d *daemon) runsOn(n *knownNode, mutate bool) bool {
	terms, tolerations := d.terms, d.pod.Spec.Tolerations
	if mutate {
		terms = terms[:1]
	} else {
		pod := d.pod
		toleratePreferNoSchedule(&pod)
		tolerations = pod.Spec.Tolerations
	}
	return topology.Tolerates(tolerations, n.taints) &&
		slices.ContainsFunc(terms, func(t requirements.Set) bool { return n.labels.Compatible(t, nil) == nil })
}

// fits returns the room that the types of a pool leave beside the daemon pods.
func (w *workspace) fits(at int, groups []overheadGroup) *compiled.Fits {
	key := binary.AppendUvarint(nil, uint64(at))
	for _, g := range groups {
		for _, word := range g.types {
			key = binary.LittleEndian.AppendUint64(key, word)
		}
		for _, v := range g.amounts {
			key = binary.AppendVarint(key, v)
		}
	}
	if f := w.fitsKnown[string(key)]; f != nil {
		return f
	}
	of := make([]*overheadGroup, w.types.Len())
	for k := range groups {
		for i := range groups[k].types.All {
			of[i] = &groups[k]
		}
	}
	columns := w.types.Dimensions.Len()
	f := compiled.NewFits(w.types.Len(), columns, func(i int) []int64 {
		if of[i] == nil {
			return nil
		}
		room := slices.Clone(w.types.Allocatable(i))
		for c, v := range of[i].amounts {
			if c < columns {
				room[c] -= v
			} else if v > 0 {
				return nil
			}
		}
		return room
	})
	const most = 64
	if len(w.fitsKnown) >= most {
		clear(w.fitsKnown)
	}
	w.fitsKnown[string(key)] = f
	return f
}
