package feasibility

// Refusal is which filter of the default profile turned a pod away, in the
// order in which they run.
type Refusal uint8

// The filters. SpreadLabel and SpreadSkew are both PodTopologySpread: the node
// lacks a topology label, or the skew would be too large.
const (
	Fits Refusal = iota
	Unschedulable
	Taint
	NodeAffinity
	Ports
	Resources
	VolumeRestrictions
	VolumeLimits
	VolumeBinding
	VolumeZone
	SpreadLabel
	SpreadSkew
	PodAffinity
	PodAntiAffinity
	ExistingAntiAffinity
)

var refusalText = [...]string{
	Fits:                 "fits",
	Unschedulable:        "node(s) were unschedulable",
	Taint:                "node(s) had untolerated taint(s)",
	NodeAffinity:         "node(s) didn't match Pod's node affinity/selector",
	Ports:                "node(s) didn't have free ports for the requested pod ports",
	Resources:            "insufficient resources",
	VolumeRestrictions:   "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
	VolumeLimits:         "node(s) exceed max volume count",
	VolumeBinding:        "node(s) didn't match PersistentVolume's node affinity",
	VolumeZone:           "node(s) had no available volume zone",
	SpreadLabel:          "node(s) didn't match pod topology spread constraints (missing required label)",
	SpreadSkew:           "node(s) didn't match pod topology spread constraints",
	PodAffinity:          "node(s) didn't match pod affinity rules",
	PodAntiAffinity:      "node(s) didn't match pod anti-affinity rules",
	ExistingAntiAffinity: "node(s) didn't satisfy existing pods anti-affinity rules",
}

// String says it as the scheduler words it.
func (r Refusal) String() string { return refusalText[min(int(r), len(refusalText)-1)] }
