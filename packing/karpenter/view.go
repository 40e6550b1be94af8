package karpenter

import (
	"slices"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
)

// view is the hosts that may still take pods of a profile, in the order in which
// they are tried. A host that can never take one again leaves it.
//
// Hosts with equal sets of requirements stand in one bucket: whether the sets and
// the topology groups allow the pod is the same for all of them, so it is asked
// once for a bucket, and the first host that allows it is the first of those
// buckets, however many hosts stand before it in others.
type view struct {
	buckets []bucket
	// heads is a heap of the buckets that have hosts, by the keys of their first ones.
	heads []int32
	// bucketOf is one more than the bucket of a set, for claims and for nodes; 0 if
	// there is none yet, negative if hosts with the set can take no pod.
	bucketOf [2][]int32
	seen     int // how much of run.changed the view has taken in
	// parked are hosts without room for the demand that the view last served. Until
	// another is served, they need not be asked.
	parked []parked
	demand *demand
}

// parked is a host and the most CPU and memory that it had left when it was
// parked: a demand for more need not ask it.
type parked struct {
	host        int32
	cpu, memory int64
}

// bucket is hosts by their keys: rest are nodes in order, shared by all views, of
// which the bucket still has these; the others are in a heap. Keys only grow, and a host
// whose key has grown since it was put here is moved when it comes to the top.
type bucket struct {
	set    compiled.SetID
	isNode bool
	rest   []entry
	heap   []entry
	place  int32 // one more than where it is in heads, 0 if it is not
}

func (b *bucket) empty() bool { return len(b.rest)+len(b.heap) == 0 }

// first returns the first host of a bucket that has one.
func (b *bucket) first() entry {
	if b.fromRest() {
		return b.rest[0]
	}
	return b.heap[0]
}

func (b *bucket) fromRest() bool {
	return len(b.rest) > 0 && (len(b.heap) == 0 || b.rest[0].key <= b.heap[0].key)
}

type entry struct {
	key  uint64
	host int32
}

// classView is a view as one class sees it.
type classView struct {
	*view
	epoch int
	asked []asked // by bucket
}

// asked is what the set of a bucket becomes if a pod of the class comes, one for
// each alternative of its volumes; worked out when the groups stood at stamp.
type asked struct {
	outcomes []compiled.SetID
	stamp    uint64
	done     bool
}

// setAside is a host that refused a pod and goes back once the pod is placed.
type setAside struct {
	bucket int32
	entry  entry
}

// maxViewEntries bounds the memory of all views together; beyond it they are
// thrown away and made anew as they are needed.
const maxViewEntries = 1 << 22

// verdict is what a host says to a pod.
type verdict uint8

const (
	accepts verdict = iota
	refuses         // now; another time it may accept
	full            // no pod that asks for as much, ever
	never           // no pod of the class, ever
)

// keyOf returns a host's place in the order: nodes first, as they come, then
// claims as [claimOrder] has them.
func (r *run) keyOf(host int32) uint64 {
	if n := len(r.nodes); int(host) >= n {
		return r.order.keys[int(host)-n]
	}
	return uint64(host)
}

func (r *run) setOf(host int32) compiled.SetID {
	if n := len(r.nodes); int(host) >= n {
		return r.claims[int(host)-n].set
	}
	return r.nodes[host].set
}

func (r *run) hostDomain(host int32) int32 {
	if n := len(r.nodes); int(host) >= n {
		return r.claims[int(host)-n].host
	}
	return r.nodes[host].host
}

// viewOf returns the class's view for a demand, up to date.
func (r *run) viewOf(c *class, d *demand) *classView {
	for d.others >= len(c.views) {
		c.views = append(c.views, classView{})
	}
	cv := &c.views[d.others]
	if cv.view == nil || cv.epoch != r.epoch {
		*cv = classView{view: r.sharedView(c, d), epoch: r.epoch}
	}
	v := cv.view
	for ; v.seen < len(r.changed); v.seen++ {
		r.enter(v, c, r.changed[v.seen])
	}
	if v.demand != d {
		v.demand = d
		still := v.parked[:0]
		for _, p := range v.parked {
			if d.amounts[compiled.CPU] > p.cpu || d.amounts[compiled.Memory] > p.memory {
				still = append(still, p)
				continue
			}
			r.enter(v, c, p.host)
		}
		v.parked = still
	}
	for len(cv.asked) < len(v.buckets) {
		cv.asked = append(cv.asked, asked{})
	}
	return cv
}

// sharedView finds or makes the view of the class's profile.
func (r *run) sharedView(c *class, d *demand) *view {
	if r.viewEntries > maxViewEntries {
		r.epoch++
		for _, p := range r.profiles {
			clear(p.views)
		}
		r.viewEntries = 0
	}
	for d.others >= len(c.profile.views) {
		c.profile.views = append(c.profile.views, nil)
	}
	v := c.profile.views[d.others]
	if v == nil {
		v = &view{seen: len(r.changed), demand: d, parked: spare(&r.w.parked)}
		c.profile.views[d.others] = v
		r.enterNodes(v, c)
		for _, at := range r.order.at {
			r.enter(v, c, at+int32(len(r.nodes)))
		}
	}
	return v
}

// enter puts a host in the view unless it can never take a pod of the class.
func (r *run) enter(v *view, c *class, host int32) {
	isNode := int(host) < len(r.nodes)
	set := r.setOf(host)
	at := v.bucketFor(set, isNode)
	if *at == 0 {
		if !r.compatible(set, c.set, isNode) {
			*at = -1
		} else {
			v.buckets = append(v.buckets, bucket{set: set, isNode: isNode, heap: spare(&r.w.heaps)})
			*at = int32(len(v.buckets))
		}
	}
	if *at < 0 {
		return
	}
	if isNode {
		n := &r.nodes[host]
		if !n.active || n.overfull || !topology.Tolerates(c.pod.Spec.Tolerations, n.taints) {
			return
		}
	} else if !c.tolerated[r.claims[int(host)-len(r.nodes)].pool] {
		return
	}
	if r.lost(c, host) {
		return
	}
	v.buckets[*at-1].push(entry{r.keyOf(host), host})
	v.settle(*at - 1)
	r.viewEntries++
}

// spare takes memory that an earlier run is done with, if there is any.
func spare[T any](list *[][]T) []T {
	last := len(*list) - 1
	if last < 0 {
		return nil
	}
	memory := (*list)[last]
	*list = (*list)[:last]
	return memory
}

// keep puts memory aside for later runs.
func keep[T any](list *[][]T, memory []T) {
	const most = 1 << 12
	if cap(memory) > 0 && len(*list) < most {
		*list = append(*list, memory[:0])
	}
}

// release keeps the memory of the run's heaps for later ones. The run must not be
// asked anything any more.
func (r *run) release() {
	for _, p := range r.profiles {
		for _, v := range p.views {
			if v == nil {
				continue
			}
			for i := range v.buckets {
				keep(&r.w.heaps, v.buckets[i].heap)
			}
			keep(&r.w.parked, v.parked)
		}
	}
	r.profiles = nil
}

func (v *view) bucketFor(set compiled.SetID, isNode bool) *int32 {
	list := &v.bucketOf[0]
	if isNode {
		list = &v.bucketOf[1]
	}
	for int(set) >= len(*list) {
		*list = append(*list, 0)
	}
	return &(*list)[set]
}

// lost reports whether a host can never again take a pod of the class, as far as
// that is quick to see: what keeps a pod off a host for good is its name and the
// pods counted there, whose number only grows.
func (r *run) lost(c *class, host int32) bool {
	if len(c.ownedHosts) == 0 && len(c.inverseHosts) == 0 && c.hostname == nil {
		return false
	}
	domain := r.hostDomain(host)
	if c.hostname != nil && !c.hostname.Has(r.hostname(domain)) {
		return true
	}
	for _, o := range c.ownedHosts {
		if o.Kind == topology.Spread && !o.HostSpread(o.selfSelecting, domain) || o.Kind == topology.AntiAffinity && o.Count(domain) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(c.inverseHosts, func(g *group) bool { return g.Count(domain) > 0 })
}

// pick finds the first host that takes a pod of the class and returns what its
// set becomes. The types that stay are in scratch.
func (r *run) pick(c *class, d *demand) (int32, compiled.SetID, bool) {
	if host, set, found, decided := r.pickJoined(c, d); decided {
		return host, set, found
	}
	v := r.viewOf(c, d)
	host, set, found := r.search(c, d, v)
	for _, a := range r.aside {
		v.buckets[a.bucket].push(a.entry)
		v.settle(a.bucket)
	}
	for _, at := range r.passed {
		v.settle(at)
	}
	r.aside, r.passed = r.aside[:0], r.passed[:0]
	return host, set, found
}

// search asks buckets and hosts in order. Buckets whose set does not allow the pod
// are left out of the view's heap, in passed, and hosts that refuse it out of
// their buckets, in aside.
func (r *run) search(c *class, d *demand, v *classView) (int32, compiled.SetID, bool) {
	for len(v.heads) > 0 {
		at := v.heads[0]
		b := &v.buckets[at]
		fresh := r.freshen(c, b)
		if v.settle(at); !fresh || v.heads[0] != at {
			continue
		}
		if !r.ask(c, b, &v.asked[at]) {
			v.leave(at)
			r.passed = append(r.passed, at)
			continue
		}
		top := b.first()
		set, what := r.try(c, d, top.host, v.asked[at].outcomes)
		switch what {
		case accepts:
			return top.host, set, true
		case refuses:
			r.aside = append(r.aside, setAside{at, top})
		case full:
			v.parked = append(v.parked, r.park(top.host))
		}
		b.pop()
		v.settle(at)
	}
	return 0, 0, false
}

// freshen brings the first host of a bucket to the top and reports whether there
// is one.
func (r *run) freshen(c *class, b *bucket) bool {
	for !b.empty() {
		top := b.first()
		if r.setOf(top.host) != b.set {
			b.pop()
			continue
		}
		if key := r.keyOf(top.host); key != top.key {
			b.heap[0].key = key // only claims move, and they are never of the rest
			b.down()
			continue
		}
		if b.isNode && !r.nodes[top.host].active || r.lost(c, top.host) {
			b.pop()
			continue
		}
		return true
	}
	return false
}

// ask works out what a bucket's set becomes with a pod of the class, and reports
// whether it allows one.
func (r *run) ask(c *class, b *bucket, a *asked) bool {
	if !c.topological() {
		if !a.done {
			a.done = true
			a.outcomes = r.outcomes(c, b.set, b.isNode, nil)
		}
		return len(a.outcomes) > 0
	}
	stamp := uint64(0)
	for i := range c.owned {
		stamp += uint64(c.owned[i].Version)
	}
	for _, g := range c.inverse {
		stamp += uint64(g.Version)
	}
	if !a.done || a.stamp != stamp {
		a.done, a.stamp = true, stamp
		a.outcomes = r.outcomes(c, b.set, b.isNode, a.outcomes[:0])
	}
	return len(a.outcomes) > 0
}

// park notes how much a host has left.
func (r *run) park(host int32) parked {
	if int(host) < len(r.nodes) {
		left := r.nodes[host].available
		return parked{host, left[compiled.CPU], left[compiled.Memory]}
	}
	cl := r.claims[int(host)-len(r.nodes)]
	fits := r.p.overhead[cl.pool].fits
	return parked{host,
		fits.Largest(cl.types, compiled.CPU) - cl.requests[compiled.CPU],
		fits.Largest(cl.types, compiled.Memory) - cl.requests[compiled.Memory],
	}
}

// pickJoined serves pods that must join others on their host: few hosts have
// such pods, so those are asked, in order. It decides nothing if the class has no
// such affinity or its pod may be the first.
func (r *run) pickJoined(c *class, d *demand) (host int32, set compiled.SetID, found, decided bool) {
	at := slices.IndexFunc(c.ownedHosts, func(o ownedGroup) bool { return o.Kind == topology.Affinity })
	if at < 0 || c.ownedHosts[at].selfSelecting && c.ownedHosts[at].HostMayBootstrap(r.hostAllowance(c)) {
		return 0, 0, false, false
	}
	var hosts []int32
	for domain := range c.ownedHosts[at].Occupied {
		if int(domain) >= r.p.hosts {
			hosts = append(hosts, int32(len(r.nodes))+domain-int32(r.p.hosts))
			continue
		}
		hosts = append(hosts, r.p.nodesOf(domain)...)
	}
	slices.SortFunc(hosts, func(a, b int32) int {
		if r.keyOf(a) < r.keyOf(b) {
			return -1
		}
		return 1
	})
	for _, h := range hosts {
		outcomes := r.outcomesOn(c, h)
		if len(outcomes) == 0 {
			continue
		}
		if set, what := r.try(c, d, h, outcomes); what == accepts {
			return h, set, true, true
		}
	}
	return 0, 0, false, true
}

// outcomesOn is [run.outcomes] for one host, with what a view checks on entry.
func (r *run) outcomesOn(c *class, host int32) []compiled.SetID {
	isNode := int(host) < len(r.nodes)
	if isNode {
		n := &r.nodes[host]
		if !n.active || n.overfull || !topology.Tolerates(c.pod.Spec.Tolerations, n.taints) {
			return nil
		}
	} else if !c.tolerated[r.claims[int(host)-len(r.nodes)].pool] {
		return nil
	}
	if r.lost(c, host) {
		return nil
	}
	return r.outcomes(c, r.setOf(host), isNode, nil)
}

// settle puts a bucket where its first host belongs among the heads, or takes it
// out if it has none.
func (v *view) settle(at int32) {
	b := &v.buckets[at]
	if b.empty() {
		v.leave(at)
		return
	}
	if b.place == 0 {
		v.heads = append(v.heads, at)
		b.place = int32(len(v.heads))
	}
	v.sift(int(b.place) - 1)
}

// leave takes a bucket out of the heads.
func (v *view) leave(at int32) {
	i := int(v.buckets[at].place) - 1
	if i < 0 {
		return
	}
	v.buckets[at].place = 0
	last := len(v.heads) - 1
	moved := v.heads[last]
	v.heads = v.heads[:last]
	if i < last {
		v.heads[i] = moved
		v.buckets[moved].place = int32(i + 1)
		v.sift(i)
	}
}

// sift moves the head at i up or down to where it belongs.
func (v *view) sift(i int) {
	at := v.heads[i]
	key := v.buckets[at].first().key
	for i > 0 {
		parent := (i - 1) / 2
		other := v.heads[parent]
		if v.buckets[other].first().key <= key {
			break
		}
		v.heads[i] = other
		v.buckets[other].place = int32(i + 1)
		i = parent
	}
	for {
		child := 2*i + 1
		if child >= len(v.heads) {
			break
		}
		if child+1 < len(v.heads) && v.buckets[v.heads[child+1]].first().key < v.buckets[v.heads[child]].first().key {
			child++
		}
		other := v.heads[child]
		if key <= v.buckets[other].first().key {
			break
		}
		v.heads[i] = other
		v.buckets[other].place = int32(i + 1)
		i = child
	}
	v.heads[i] = at
	v.buckets[at].place = int32(i + 1)
}

// heapWidth is how many children an entry of a bucket's heap has: most entries
// that come are among the first, and climb.
const heapWidth = 4

func (b *bucket) push(e entry) {
	b.heap = append(b.heap, e)
	i := len(b.heap) - 1
	for i > 0 {
		parent := (i - 1) / heapWidth
		if b.heap[parent].key <= e.key {
			break
		}
		b.heap[i] = b.heap[parent]
		i = parent
	}
	b.heap[i] = e
}

func (b *bucket) pop() {
	if b.fromRest() {
		b.rest = b.rest[1:]
		return
	}
	last := len(b.heap) - 1
	b.heap[0] = b.heap[last]
	b.heap = b.heap[:last]
	if last > 0 {
		b.down()
	}
}

// down moves the first entry to where it belongs.
func (b *bucket) down() {
	heap, e, i := b.heap, b.heap[0], 0
	for {
		first := heapWidth*i + 1
		if first >= len(heap) {
			break
		}
		least := first
		for child := first + 1; child < min(first+heapWidth, len(heap)); child++ {
			if heap[child].key < heap[least].key {
				least = child
			}
		}
		if e.key <= heap[least].key {
			break
		}
		heap[i] = heap[least]
		i = least
	}
	heap[i] = e
}
