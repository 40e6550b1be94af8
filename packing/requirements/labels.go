package requirements

import corev1 "k8s.io/api/core/v1"

// Labels that Karpenter defines (v1.14.1 pkg/apis/v1/labels.go).
const (
	LabelCapacityType = "karpenter.sh/capacity-type"
	LabelNodePool     = "karpenter.sh/nodepool"
	LabelInitialized  = "karpenter.sh/initialized"
	LabelRegistered   = "karpenter.sh/registered"
)

// Values of the label karpenter.sh/capacity-type.
const (
	CapacityTypeOnDemand = "on-demand"
	CapacityTypeSpot     = "spot"
	CapacityTypeReserved = "reserved"
)

// WellKnown reports whether a label is one that Karpenter's core knows
// (WellKnownLabels): a node claim that says nothing about it still allows any of
// its values. Cloud providers add their own, see instancetypes.Catalog.
func WellKnown(key string) bool {
	switch key {
	case LabelNodePool, LabelCapacityType,
		corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelInstanceTypeStable,
		corev1.LabelArchStable, corev1.LabelOSStable, corev1.LabelWindowsBuild:
		return true
	}
	return false
}

// NormalizeKey replaces the deprecated aliases of well-known labels, such as
// beta.kubernetes.io/arch, by the labels they stand for (NormalizedLabels).
func NormalizeKey(key string) string {
	switch key {
	case corev1.LabelFailureDomainBetaZone:
		return corev1.LabelTopologyZone
	case corev1.LabelFailureDomainBetaRegion:
		return corev1.LabelTopologyRegion
	case corev1.LabelInstanceType:
		return corev1.LabelInstanceTypeStable
	case "beta.kubernetes.io/arch":
		return corev1.LabelArchStable
	case "beta.kubernetes.io/os":
		return corev1.LabelOSStable
	}
	return key
}

// deprecatedAlias is the inverse of NormalizeKey, "" for keys without an alias.
func deprecatedAlias(key string) string {
	switch key {
	case corev1.LabelTopologyZone:
		return corev1.LabelFailureDomainBetaZone
	case corev1.LabelTopologyRegion:
		return corev1.LabelFailureDomainBetaRegion
	case corev1.LabelInstanceTypeStable:
		return corev1.LabelInstanceType
	case corev1.LabelArchStable:
		return "beta.kubernetes.io/arch"
	case corev1.LabelOSStable:
		return "beta.kubernetes.io/os"
	}
	return ""
}
