package kubescheduler

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// NodeID names a node of a [Scheduler]. Ids are small and dense from 0; that of a node that is
// removed is given again.
type NodeID int32

// None is the id of no node.
const None NodeID = -1

// node is one node of the cluster.
type node struct {
	object  *corev1.Node
	profile *feasibility.Profile
	index   int32  // in the feasibility cluster
	zone    string // of the node tree
	soft    bool   // it has taints with effect PreferNoSchedule
	images  []*image
	ranks   ranks // of the pods on it
}

// AddNode adds a node and returns its id. Errors name the node and the field, and wrap
// [ErrNode] if there is a node of that name.
func (s *Scheduler) AddNode(object *corev1.Node) (NodeID, error) {
	if _, ok := s.byName[object.Name]; ok {
		return None, fmt.Errorf("node %s: %w", object.Name, ErrNode)
	}
	profile, err := s.universe.Profile(object)
	if err != nil {
		return None, err
	}
	s.compact()
	id := int32(len(s.nodes))
	if last := len(s.vacant) - 1; last >= 0 {
		id, s.vacant = s.vacant[last], s.vacant[:last]
	} else {
		s.nodes = append(s.nodes, nil)
		s.load = append(s.load, load{})
		s.stamps = append(s.stamps, 0)
		s.nominated = append(s.nominated, nil)
	}
	s.byName[object.Name] = id
	n := &node{index: s.cluster.AddNode(profile, false, nil)}
	s.indexes++
	s.nodes[id], s.load[id] = n, load{}
	s.describe(id, object, profile)
	s.tree.add(n.zone, id)
	s.attach(id)
	return NodeID(id), nil
}

// describe takes in what a node says of itself.
func (s *Scheduler) describe(id int32, object *corev1.Node, profile *feasibility.Profile) {
	n := s.nodes[id]
	n.object, n.profile, n.zone = object, profile, zoneOf(object)
	n.soft = slices.ContainsFunc(object.Spec.Taints, func(t corev1.Taint) bool { return t.Effect == corev1.TaintEffectPreferNoSchedule })
	n.images = s.images.of(object)
	s.load[id].allocCPU = profile.Allocatable.Get(corev1.ResourceCPU)
	s.load[id].allocMem = profile.Allocatable.Get(corev1.ResourceMemory)
	s.touch(id)
}

// UpdateNode replaces what is known of a node: labels, taints, whether it is cordoned, what it
// can allocate. Its pods stay. The name must be the same. Errors name the node and the
// field, and leave everything as it was.
func (s *Scheduler) UpdateNode(id NodeID, object *corev1.Node) error {
	n := s.at(id)
	if n == nil || n.object.Name != object.Name {
		return fmt.Errorf("node %s with id %d: %w", object.Name, id, ErrNode)
	}
	profile, err := s.universe.Profile(object)
	if err != nil {
		return err
	}
	s.detach(int32(id))
	s.images.drop(n.images)
	held := slices.Clone(s.cluster.Held(n.index))
	s.cluster.RemoveNode(n.index)
	n.index = s.cluster.AddNode(profile, false, held)
	s.indexes++
	was := n.zone
	s.describe(int32(id), object, profile)
	if n.zone != was {
		s.tree.remove(was, int32(id))
		s.tree.add(n.zone, int32(id))
	}
	s.attach(int32(id))
	return nil
}

// RemoveNode removes a node, and the pods that are on it. An id of no node is ignored.
func (s *Scheduler) RemoveNode(id NodeID) {
	n := s.at(id)
	if n == nil {
		return
	}
	s.detach(int32(id))
	s.forget(int32(id))
	for _, r := range n.ranks {
		s.ranks.add(r.priority, -r.pods)
	}
	s.images.drop(n.images)
	s.cluster.RemoveNode(n.index)
	s.tree.remove(n.zone, int32(id))
	delete(s.byName, n.object.Name)
	s.nodes[id], s.load[id] = nil, load{}
	s.nominees -= len(s.nominated[id])
	s.nominated[id] = nil
	s.vacant = append(s.vacant, int32(id))
}

func (s *Scheduler) at(id NodeID) *node {
	if id < 0 || int(id) >= len(s.nodes) {
		return nil
	}
	return s.nodes[id]
}

// Node returns the object that a node was last described by, nil if there is no node of that id.
func (s *Scheduler) Node(id NodeID) *corev1.Node {
	if n := s.at(id); n != nil {
		return n.object
	}
	return nil
}

// Lookup returns the id of the node of a name.
func (s *Scheduler) Lookup(name string) (NodeID, bool) {
	id, ok := s.byName[name]
	if !ok {
		return None, false
	}
	return NodeID(id), true
}

// Len returns how many nodes there are.
func (s *Scheduler) Len() int { return len(s.byName) }

// Order returns the ids of all nodes in the order in which they are examined, that
// of the original's node tree: zones take turns. It is valid until the nodes change.
func (s *Scheduler) Order() []NodeID { return s.tree.list() }

// compact makes the feasibility cluster anew once most of the nodes that it has had are
// gone: it never gives an index twice, and a replay replaces its nodes over and over.
func (s *Scheduler) compact() {
	if s.indexes < 1024+8*len(s.byName) {
		return
	}
	fresh := s.universe.NewCluster()
	for _, old := range s.cluster.Order() {
		id := s.byName[s.cluster.Name(old)]
		s.nodes[id].index = fresh.AddNode(s.cluster.Profile(old), false, s.cluster.Held(old))
	}
	s.cluster, s.indexes = fresh, fresh.Len()
}
