package kubescheduler

import (
	"errors"
	"math/rand/v2"

	schedulingv1 "k8s.io/api/scheduling/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// ErrNode says that a node cannot be had as asked: its name is taken, or there is no node of that id.
var ErrNode = errors.New("kubescheduler: no such node or name taken")

// Scheduler decides where pods go, over a cluster that its user keeps up to date.
type Scheduler struct {
	universe *feasibility.Universe
	cluster  *feasibility.Cluster
	indexes  int // nodes that the cluster has ever had
	draws    *rand.Rand

	nodes  []*node          // by id, nil where free
	byName map[string]int32 // ids
	vacant []int32          // ids to give anew
	tree   nodeTree
	load   []load   // by id
	stamps []uint32 // by id: moves on whenever something changes on the node
	clock  uint32   // the last stamp given
	start  int      // where in the order the next search begins

	ranks           ranks // of all bound pods
	priorities      map[string]*schedulingv1.PriorityClass
	defaultPriority *schedulingv1.PriorityClass

	classes map[classKey]*Class
	memo    map[template]*Class
	shapes  map[string]*shape
	cached  int // verdicts held by all shapes

	keys    map[string]*topologyKey
	keyList []*topologyKey
	scopes  map[string]*scope
	matched []*tally // counts of pods that match a selector, in order of making
	carried []*tally // counts of pods that carry an affinity term, in order of making
	tallies map[tallyKey]*tally

	images images

	nominated [][]*Class // by id
	nominees  int

	scratch scratch
}

// Option changes how a Scheduler decides.
type Option func(*Scheduler)

// WithSeed draws what the original leaves to chance from a generator of its own. Without it a
// Scheduler takes the first of what is equal, see the package's description.
func WithSeed(seed uint64) Option {
	return func(s *Scheduler) { s.draws = rand.New(rand.NewPCG(seed, 0x6b756265)) }
}

// New returns a scheduler of an empty cluster. Of the snapshot it reads namespaces,
// volumes, storage classes, CSI nodes and priority classes; nodes and pods are added
// afterwards. Nil stands for an empty snapshot.
func New(snapshot *packing.Snapshot, opts ...Option) (*Scheduler, error) {
	if snapshot == nil {
		snapshot = &packing.Snapshot{}
	}
	s := &Scheduler{
		universe:   feasibility.NewUniverse(snapshot),
		byName:     make(map[string]int32),
		priorities: make(map[string]*schedulingv1.PriorityClass),
		classes:    make(map[classKey]*Class),
		memo:       make(map[template]*Class),
		shapes:     make(map[string]*shape),
		keys:       make(map[string]*topologyKey),
		scopes:     make(map[string]*scope),
		tallies:    make(map[tallyKey]*tally),
	}
	s.cluster = s.universe.NewCluster()
	if err := s.readPriorities(snapshot.PriorityClasses); err != nil {
		return nil, err
	}
	for _, opt := range opts {
		opt(s)
	}
	return s, nil
}

// load is what the pods on a node request, and what the node can allocate, in milli-CPU and bytes.
type load struct {
	cpu, memory int64 // requested
	// asIfCPU and asIfMemory count containers that state no request with a default, for scoring.
	asIfCPU, asIfMemory int64
	allocCPU, allocMem  int64
	pods                int32
}

// Bind accounts a pod of a class on a node, whoever put it there. It does not check
// that the pod fits. There must be a node of that id.
func (s *Scheduler) Bind(c *Class, id NodeID) { s.place(c, int32(id), 1) }

// Unbind takes a pod of a class off a node. It must be there.
func (s *Scheduler) Unbind(c *Class, id NodeID) { s.place(c, int32(id), -1) }

func (s *Scheduler) place(c *Class, id int32, pods int32) {
	n := s.nodes[id]
	s.cluster.Place(c.filter, n.index, pods)
	l, by := &s.load[id], int64(pods)
	l.cpu += by * c.shape.cpu
	l.memory += by * c.shape.memory
	l.asIfCPU += by * c.asIfCPU
	l.asIfMemory += by * c.asIfMemory
	l.pods += pods
	n.ranks.add(c.Priority, pods)
	s.ranks.add(c.Priority, pods)
	s.touch(id)
	s.tell(c, id, pods)
}

// touch makes what is known of a node stale.
func (s *Scheduler) touch(id int32) {
	s.clock++
	s.stamps[id] = s.clock
}

// Requested returns what the pods on a node request, in milli-CPU and bytes.
func (s *Scheduler) Requested(id NodeID) (cpu, memory int64) {
	l := &s.load[id]
	return l.cpu, l.memory
}

// Allocatable returns what a node can allocate to pods, in milli-CPU and bytes.
func (s *Scheduler) Allocatable(id NodeID) (cpu, memory int64) {
	l := &s.load[id]
	return l.allocCPU, l.allocMem
}

// Pods returns how many pods are on a node.
func (s *Scheduler) Pods(id NodeID) int { return int(s.load[id].pods) }
