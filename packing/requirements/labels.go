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

// aliases are the deprecated names of well-known labels (NormalizedLabels).
var aliases = [...]struct{ deprecated, stable string }{
	{corev1.LabelFailureDomainBetaZone, corev1.LabelTopologyZone},
	{corev1.LabelFailureDomainBetaRegion, corev1.LabelTopologyRegion},
	{corev1.LabelInstanceType, corev1.LabelInstanceTypeStable},
	{"beta.kubernetes.io/arch", corev1.LabelArchStable},
	{"beta.kubernetes.io/os", corev1.LabelOSStable},
}

// NormalizeKey replaces the deprecated aliases of well-known labels, such as
// beta.kubernetes.io/arch, by the labels they stand for.
func NormalizeKey(key string) string {
	for i := range aliases {
		if aliases[i].deprecated == key {
			return aliases[i].stable
		}
	}
	return key
}

// deprecatedAlias is the inverse of NormalizeKey, "" for keys without an alias.
func deprecatedAlias(key string) string {
	for i := range aliases {
		if aliases[i].stable == key {
			return aliases[i].deprecated
		}
	}
	return ""
}
