package packing

import (
	"context"
)

// Packer decides, for one snapshot of a cluster, which nodes to launch and
// which pod goes where. It is safe for concurrent use, keeps nothing between
// calls that changes a decision, and gives the same Plan for the same Snapshot.
type Packer interface {
	// Name is what reports call the packer, such as "karpenter".
	Name() string
	// Pack decides. It returns an error for a snapshot that it cannot read (naming
	// object and field) and, wrapped, the context's error when it is cancelled; a
	// pod that fits nowhere is no error but an entry in Plan.Unschedulable.
	// The snapshot is not changed and must not be changed while Pack runs.
	Pack(ctx context.Context, s *Snapshot) (*Plan, error)
}
