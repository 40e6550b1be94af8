package clusterautoscaler

import (
	"context"
	"fmt"

	"github.com/binwright/binwright/packing"
)

// Name is what reports call this packer.
const Name = "cluster-autoscaler"

// Packer decides as Cluster Autoscaler does. It is safe for concurrent use.
type Packer struct {
	groups   []*packing.NodeGroup
	settings Settings
}

var _ packing.Packer = (*Packer)(nil)

// New returns a packer for node groups in the order in which the cloud provider
// lists them. Errors wrap [packing.ErrNodeGroup] and name group and field, or
// wrap [ErrOption].
func New(groups []*packing.NodeGroup, opts ...Option) (*Packer, error) {
	p := &Packer{groups: groups, settings: defaults()}
	seen := make(map[string]bool, len(groups))
	for i, g := range groups {
		if g == nil {
			return nil, fmt.Errorf("%w: node group %d is nil", packing.ErrNodeGroup, i)
		}
		if err := g.Validate(); err != nil {
			return nil, err
		}
		if seen[g.Name] {
			return nil, fmt.Errorf("%w: node group %q: there are two of that name", packing.ErrNodeGroup, g.Name)
		}
		seen[g.Name] = true
	}
	for _, o := range opts {
		o(&p.settings)
	}
	if err := p.settings.validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// Name returns "cluster-autoscaler".
func (p *Packer) Name() string { return Name }

// Settings returns the packer's settings.
func (p *Packer) Settings() Settings { return p.settings }

// Pack runs the scale-up loop until it comes to rest, see [Packer.Run], and
// returns where the pods ended up. Nodes that a group's target size already
// promises are launches of the plan too. Errors name the pod, node or group
// and the field.
func (p *Packer) Pack(ctx context.Context, s *packing.Snapshot) (*packing.Plan, error) {
	out, err := p.Run(ctx, s)
	if err != nil {
		return nil, err
	}
	return out.Plan, nil
}
