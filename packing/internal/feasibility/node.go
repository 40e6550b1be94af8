package feasibility

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/resources"
)

// Profile is a node compiled: what its like share, and what it offers.
type Profile struct {
	// Node is what the profile was made from.
	Node *corev1.Node
	// Allocatable is what the node offers, in full.
	Allocatable resources.Vector
	// Cores (a part of one counts as one) and Memory (bytes) are the node's capacity.
	Cores, Memory int64

	static      *staticNode
	hostname    string
	hasHostname bool
}

// Profile compiles a node. Errors name the node and the field.
func (u *Universe) Profile(n *corev1.Node) (*Profile, error) {
	allocatable, err := resources.FromList(n.Status.Allocatable)
	if err != nil {
		return nil, fmt.Errorf("node %s: status.allocatable: %w", n.Name, err)
	}
	p := &Profile{Node: n, Allocatable: allocatable, static: u.staticNode(n)}
	p.Cores, p.Memory = max(0, n.Status.Capacity.Cpu().Value()), max(0, n.Status.Capacity.Memory().Value())
	p.hostname, p.hasHostname = n.Labels[corev1.LabelHostname]
	return p, nil
}

// Unschedulable reports whether the node is cordoned.
func (p *Profile) Unschedulable() bool { return p.static.unschedulable }

// offers returns allocatable in the universe's dimensions.
func (p *Profile) offers(u *Universe, into []int64) {
	for d := range into {
		into[d] = p.Allocatable.Get(u.dimNames[d])
	}
}

// node is a node of a cluster.
type node struct {
	name    string // "" for a copy, which no rule can name beforehand
	profile *Profile
	copied  bool     // one of many made from the profile: hostname and name are its own
	host    int32    // domain of the hostname, -1 if the label is missing
	shared  *domains // of all other topology keys
	held    []Held
}

// domains are the ids of a node's values by topology key, -1 where the label is
// missing. Nodes alike share them.
type domains struct{ ids []int32 }

// Held is so many pods of one class on a node.
type Held struct {
	Class *Class
	Pods  int32
}

func (n *node) domain(key int) int32 {
	if key == keyHostname {
		return n.host
	}
	return n.shared.ids[key]
}

func (n *node) hostname() (string, bool) {
	if n.copied {
		return "", true
	}
	return n.profile.hostname, n.profile.hasHostname
}
