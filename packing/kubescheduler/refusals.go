package kubescheduler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// Reason is why a node turned a pod away: the filter, in the order in which they run.
type Reason uint8

// The reasons. SpreadLabel and SpreadSkew are both PodTopologySpread: the node lacks a
// topology label, or the skew would be too large. NotSupported is no filter: the pod asks for what is not
// modelled, see [Class.Unsupported].
const (
	Unschedulable        = Reason(feasibility.Unschedulable)
	Taint                = Reason(feasibility.Taint)
	NodeAffinity         = Reason(feasibility.NodeAffinity)
	Ports                = Reason(feasibility.Ports)
	Resources            = Reason(feasibility.Resources)
	VolumeRestrictions   = Reason(feasibility.VolumeRestrictions)
	VolumeLimits         = Reason(feasibility.VolumeLimits)
	VolumeBinding        = Reason(feasibility.VolumeBinding)
	VolumeZone           = Reason(feasibility.VolumeZone)
	SpreadLabel          = Reason(feasibility.SpreadLabel)
	SpreadSkew           = Reason(feasibility.SpreadSkew)
	PodAffinity          = Reason(feasibility.PodAffinity)
	PodAntiAffinity      = Reason(feasibility.PodAntiAffinity)
	ExistingAntiAffinity = Reason(feasibility.ExistingAntiAffinity)
	NotSupported         = ExistingAntiAffinity + 1
	reasons              = NotSupported + 1
)

// String says it as the scheduler words it.
func (r Reason) String() string {
	if r == NotSupported {
		return "what the pod asks for is not modelled"
	}
	return feasibility.Refusal(r).String()
}

// resolvable reports whether the absence of pods could change a filter's mind: the status Unschedulable of
// the original, against UnschedulableAndUnresolvable.
func (r Reason) resolvable() bool {
	switch r {
	case Ports, Resources, VolumeRestrictions, VolumeLimits, SpreadSkew, PodAntiAffinity, ExistingAntiAffinity:
		return true
	}
	return false
}

// Refusals is how many of the examined nodes turned a pod away for each reason.
type Refusals struct {
	// Nodes is how many nodes there were.
	Nodes int
	// By counts them by [Reason].
	By [reasons]int32
}

// String is worded like the scheduler's event, most frequent reason first:
// "0/3 nodes are available: 2 insufficient resources, 1 node(s) were unschedulable."
func (r Refusals) String() string {
	var found []Reason
	for reason := range r.By {
		if r.By[reason] > 0 {
			found = append(found, Reason(reason))
		}
	}
	slices.SortStableFunc(found, func(a, b Reason) int { return int(r.By[b] - r.By[a]) })
	parts := make([]string, len(found))
	for i, reason := range found {
		parts[i] = fmt.Sprintf("%d %s", r.By[reason], reason)
	}
	if len(parts) == 0 {
		return fmt.Sprintf("0/%d nodes are available.", r.Nodes)
	}
	return fmt.Sprintf("0/%d nodes are available: %s.", r.Nodes, strings.Join(parts, ", "))
}
