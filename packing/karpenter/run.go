package karpenter

import (
	"context"
	"encoding/binary"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
)

// run is one scheduling of a problem's pods: what Karpenter calls a Scheduler and
// its Solve (v1.14.1 scheduler.go).
type run struct {
	p *problem
	w *workspace

	nodes  []nodeState
	gone   []int // nodes that a simulation takes away, by position in the snapshot
	claims []*claim
	order  *claimOrder

	groups    []*group // spread, affinity and anti-affinity of waiting pods
	groupOf   map[string]*group
	inverse   []*group // required anti-affinity, seen from the other side
	inverseOf map[string]*group

	profiles    map[string]*profile
	viewEntries int
	epoch       int // of views: they are thrown away together
	aside       []setAside
	passed      []int32
	// changed lists, in order, hosts that were opened or whose set of requirements
	// changed.
	changed []int32

	remaining  []poolLimits
	reservable []int // instances left, by reservation

	// placed are the placements in the order in which they were made; their number
	// is the run's clock.
	placed   []placement
	failures map[int32]*failure // by pod
	failedAt map[wanting]failedAt

	// watched are the pods whose attempts are written down, by number; nil if
	// nobody asked. steps are then what the placements made of their hosts' sets.
	watched map[int32]*PodExplanation
	steps   []compiled.SetID

	key []byte
	// What the host that was asked last would have left: the types in scratch, the
	// reservations in taken.
	scratch compiled.Bits
	taken   []int32
	picks   []int32

	// incumbent is what a simulation has to beat to be of use, nil for any other run; pruned says that it was
	// broken off since it will not.
	incumbent *incumbent
	pruned    bool

	proposed claim            // the one that open considers
	opened   []compiled.SetID // what its set could be
	failure  failure          // why it opened none
	slab     claimSlab
}

// placement puts a pod on a host: a node below len(nodes), else a claim.
type placement struct{ pod, host int32 }

// wanting is what pods of a class want that ask for the same.
type wanting struct{ class, demand int32 }

// failedAt is why a pod last found no place, and after how many placements; until
// the next one, none that wants the same will.
type failedAt struct {
	placed int
	why    *failure
}

// nodeState is an existing node as the run fills it.
type nodeState struct {
	*node
	active    bool // and not taken away
	touched   bool // changed in this run
	set       compiled.SetID
	available []int64
	own       []int64 // memory for what is left of a node that was changed
	ports     []hostPort
	volumes   volumeUsage
}

// use returns the host ports and volumes that are taken.
func (n *nodeState) use() ([]hostPort, volumeUsage) {
	if n.touched {
		return n.ports, n.volumes
	}
	return n.node.ports, n.node.volumes
}

// claim is a node that the run wants to launch, Karpenter's NodeClaim.
type claim struct {
	pool     int
	host     int32 // domain of kubernetes.io/hostname
	set      compiled.SetID
	types    compiled.Bits // the types it may still become
	requests []int64       // of its pods, by column
	ports    []hostPort
	reserved []int32
}

func newRun(p *problem) *run {
	r := &run{
		p: p, w: p.w, order: newClaimOrder(),
		groupOf: map[string]*group{}, inverseOf: map[string]*group{},
		profiles: map[string]*profile{}, failures: map[int32]*failure{}, failedAt: map[wanting]failedAt{},
		reservable: append([]int(nil), p.w.packer.reservations.capacity...),
		scratch:    compiled.NewBits(p.w.types.Len()),
		placed:     make([]placement, 0, len(p.pods)),
	}
	p.shared.restart()
	r.nodes = p.shared.states
	for position, gone := range p.gone {
		if gone {
			r.gone = append(r.gone, position)
			p.shared.touch(p.shared.index[position]).active = false
		}
	}
	r.prepareLimits()
	return r
}

// cancelEvery is after how many pods the context is looked at.
const cancelEvery = 64

// solve places all pods that can be placed. It returns an error if a pod's
// constraints cannot be read or the context is done.
func (r *run) solve(ctx context.Context) error {
	r.prepareGroups()
	q := newQueue(r.p)
	for n := 0; ; n++ {
		if n%cancelEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		pod, ok := q.pop()
		if !ok {
			return nil
		}
		placed, err := r.schedule(pod)
		if err != nil {
			return fmt.Errorf("pod %s/%s: %w", r.p.pods[pod].Namespace, r.p.pods[pod].Name, err)
		}
		if !placed {
			q.push(pod)
		}
		if r.incumbent != nil && r.outdone() {
			r.pruned = true
			return nil
		}
	}
}

// schedule tries a pod, giving up its preferences one by one. Models trySchedule.
func (r *run) schedule(pod int32) (bool, error) {
	first, d := r.p.classes[r.p.classOf[pod]], r.p.demands[r.p.demandOf[pod]]
	wants := wanting{r.p.classOf[pod], r.p.demandOf[pod]}
	if len(r.failedAt) > 0 {
		if last, ok := r.failedAt[wants]; ok && last.placed == len(r.placed) {
			r.failures[pod] = last.why
			return false, nil
		}
	}
	for c := first; ; {
		if r.watched != nil {
			r.watch(pod, c, d)
		}
		f := r.add(pod, c, d)
		if f == nil {
			if len(r.failures) > 0 {
				delete(r.failures, pod)
			}
			return true, nil
		}
		var next *class
		if !f.final {
			var err error
			if next, err = r.relax(c); err != nil {
				return false, err
			}
		}
		if next == nil {
			f = r.keep(f)
			r.failedAt[wants] = failedAt{len(r.placed), f}
			r.failures[pod] = f
			return false, nil
		}
		c = next
	}
}

// relax returns the class with one preference fewer, nil if none is left.
func (r *run) relax(c *class) (*class, error) {
	if c.final {
		return nil, nil
	}
	if c.relaxed == nil {
		pod := relaxed(c.pod, r.w.packer.prefersNoSchedule)
		if pod == nil {
			c.final = true
			return nil, nil
		}
		next, err := r.p.compileClass(pod)
		if err != nil {
			return nil, err
		}
		if err := r.p.compileConstraints(next); err != nil {
			return nil, err
		}
		next.displaced = c.displaced
		c.relaxed = next
	}
	if next := c.relaxed; next.profile == nil {
		r.own(next)
		r.profileOf(next)
	}
	return c.relaxed, nil
}

// add places a pod of a class, or says why it cannot be placed. Models
// Scheduler.add.
func (r *run) add(pod int32, c *class, d *demand) *failure {
	if c.refusal != nil {
		return &failure{class: c, final: true, refusal: c.refusal}
	}
	if host, set, ok := r.pick(c, d); ok {
		r.place(pod, c, d, host, set)
		return nil
	}
	return r.open(pod, c, d)
}

// place puts a pod on a host that has taken it; the claim's types are in scratch.
func (r *run) place(pod int32, c *class, d *demand, host int32, set compiled.SetID) {
	r.placed = append(r.placed, placement{pod, host})
	if r.watched != nil {
		r.steps = append(r.steps, set)
	}
	if n := len(r.nodes); int(host) >= n {
		at := host - int32(n)
		cl := r.claims[at]
		copy(cl.types, r.scratch)
		r.fill(cl, c, d)
		if cl.set != set {
			cl.set = set
			r.changed = append(r.changed, host)
		}
		r.order.grow(at)
		r.record(c, cl.host, set, int32(cl.pool))
		return
	}
	s := r.p.shared.touch(host)
	for i, v := range d.amounts {
		s.available[i] -= v
	}
	if s.set != set {
		s.set = set
		r.changed = append(r.changed, host)
	}
	s.ports = append(s.ports, c.ports...)
	if c.volumes != nil && len(c.volumes.mounts) > 0 {
		s.volumes = s.volumes.clone()
		s.volumes.add(c.volumes.mounts)
	}
	r.record(c, s.host, set, -1-host)
}

// fill adds what a pod takes to its claim.
func (r *run) fill(cl *claim, c *class, d *demand) {
	for i, v := range d.amounts {
		cl.requests[i] = compiled.Saturated(cl.requests[i], v)
	}
	cl.ports = append(cl.ports, c.ports...)
	if len(r.reservable) > 0 {
		r.hold(cl, r.taken)
	}
}

// hostname returns the name of a host: that of a node or the one that stands for
// a claim's.
func (r *run) hostname(host int32) string {
	if int(host) >= r.p.hosts {
		return fmt.Sprintf("hostname-placeholder-%04d", int(host)-r.p.hosts+1)
	}
	return r.p.hostNames[host]
}

// taintsOf returns the taints of a pool, or of node -1-n.
func (r *run) taintsOf(of int32) []corev1.Taint {
	if of < 0 {
		return r.nodes[-1-of].taints
	}
	return r.w.packer.pools[of].taints
}

// profile is what of a class decides, but for groups over wider domains, which
// hosts take its pods. Classes that have it in common share views.
type profile struct {
	views []*view // by demand.others
}

// profileOf finds the class's profile and the anti-affinity that counts it.
func (r *run) profileOf(c *class) {
	for _, g := range r.inverse {
		if r.selects(g, c) {
			if g.Hostname {
				c.inverseHosts = append(c.inverseHosts, g)
			} else {
				c.inverse = append(c.inverse, g)
			}
		}
	}
	key := r.key[:0]
	number := func(n int) { key = binary.AppendVarint(key, int64(n)) }
	if c.displaced {
		number(-2)
	}
	number(int(c.set))
	for _, req := range [...]*requirements.Requirement{c.hostname, c.strictHostname} {
		if req == nil {
			number(-1)
			continue
		}
		for _, v := range req.Values() {
			key = append(append(key, v...), 0)
		}
		key = append(key, req.String()...)
		number(-1)
	}
	for i := range c.pod.Spec.Tolerations {
		t := &c.pod.Spec.Tolerations[i]
		for _, s := range [...]string{t.Key, string(t.Operator), t.Value, string(t.Effect)} {
			number(len(s))
			key = append(key, s...)
		}
	}
	number(-1)
	for _, p := range c.ports {
		key = append(key, fmt.Sprint(p)...)
	}
	number(-1)
	if c.volumes != nil {
		key = append(key, fmt.Sprint(*c.volumes)...)
	}
	number(-1)
	for _, o := range c.ownedHosts {
		number(o.number)
		if o.selfSelecting {
			number(-1)
		}
	}
	number(-2)
	for _, g := range c.inverseHosts {
		number(g.number)
	}
	r.key = key
	if c.profile = r.profiles[string(key)]; c.profile == nil {
		c.profile = &profile{}
		r.profiles[string(key)] = c.profile
	}
}
