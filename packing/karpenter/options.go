package karpenter

import (
	"github.com/binwright/binwright/instancetypes"
)

// PreferencePolicy says what preferences count for: preferred affinities and
// ScheduleAnyway spread constraints (Karpenter's flag --preference-policy).
type PreferencePolicy uint8

const (
	// Respect treats preferences as required at first and gives them up one by one.
	Respect PreferencePolicy = iota
	// Ignore leaves preferences out.
	Ignore
)

// MinValuesPolicy says what happens where a node pool's minValues cannot be met
// (Karpenter's flag --min-values-policy).
type MinValuesPolicy uint8

const (
	// Strict launches nothing that does not meet them.
	Strict MinValuesPolicy = iota
	// BestEffort lowers them when a claim is opened.
	BestEffort
)

// Quirks are peculiarities of Karpenter v1.14.1 that change decisions and that a
// user might not expect. All are on by default, since the decisions are then
// Karpenter's; see [WithQuirks].
type Quirks uint8

const (
	// DaemonPodsMutate: while instance types are grouped by the daemon pods that
	// they run, an OR-ed node affinity term of a daemon pod that does not suit one
	// type is dropped for all later types, node pools and existing nodes, and a
	// toleration of PreferNoSchedule taints stays on the pod
	// (scheduler.go, isDaemonPodCompatible). Existing nodes see the first of the
	// terms that are left, and no other. Off: each type and node sees the whole pod.
	DaemonPodsMutate Quirks = 1 << iota
	// LimitsSubtractLargest: a new claim takes from its pool's limits the largest
	// capacity of all the types that it may become (scheduler.go, subtractMax).
	// Off: the capacity of its cheapest type.
	LimitsSubtractLargest
	// NodeLimitNotCounted: new claims do not count against the limit "nodes" of
	// their pool, which holds back only once it is exhausted (scheduler.go,
	// addToNewNodeClaim). Off: each new claim counts as one.
	NodeLimitNotCounted
	// TopologyGroupsMerge: topology spread constraints that differ only in
	// minDomains or in the values of the pods' node affinity are counted as one, by
	// the first pod's; so are constraints and affinity terms whose selectors differ
	// only in the last letters of an even number of listed values, app In [web-2,
	// web-3] and app In [web-4, web-5] (topologygroup.go, Hash). Off: each counts by
	// itself.
	TopologyGroupsMerge
	// UnreachableDomainsCount: a domain of an instance type that the node pool
	// could never launch still counts towards the minimum of a spread (topology.go,
	// buildDomainGroups). Off: only types that the pool can launch name domains.
	UnreachableDomainsCount

	// AllQuirks is the default: decide as the original does.
	AllQuirks = DaemonPodsMutate | LimitsSubtractLargest | NodeLimitNotCounted | TopologyGroupsMerge | UnreachableDomainsCount
)

// maxInstanceTypes is how many instance types a claim names at most, the
// cheapest ones (Karpenter v1.14.1 nodeclaimtemplate.go, MaxInstanceTypes).
const maxInstanceTypes = 600

// defaultReservationIDLabel is what Karpenter's AWS provider calls the label by
// which offerings of reserved capacity are told apart.
const defaultReservationIDLabel = "karpenter.k8s.aws/capacity-reservation-id"

type settings struct {
	preferences      PreferencePolicy
	minValues        MinValuesPolicy
	reservedCapacity bool
	reservationLabel string
	quirks           Quirks
	spotToSpot       bool
	poolCatalogs     map[string]*instancetypes.Catalog
}

// Option changes how a [Packer] decides.
type Option func(*settings)

// WithPreferencePolicy sets the preference policy; the default is Respect.
func WithPreferencePolicy(p PreferencePolicy) Option { return func(s *settings) { s.preferences = p } }

// WithMinValuesPolicy sets the policy on minValues; the default is Strict.
func WithMinValuesPolicy(p MinValuesPolicy) Option { return func(s *settings) { s.minValues = p } }

// WithReservedCapacity sets Karpenter's feature gate ReservedCapacity, which is
// on by default: claims then reserve what capacity reservations they could use,
// and a pod for which all of them are taken is deferred.
func WithReservedCapacity(on bool) Option { return func(s *settings) { s.reservedCapacity = on } }

// WithReservationIDLabel names the label that identifies the capacity
// reservation of an offering; the default is that of Karpenter's AWS provider.
// The label counts as well known.
func WithReservationIDLabel(key string) Option {
	return func(s *settings) { s.reservationLabel = key }
}

// WithPoolCatalog gives one node pool a catalog of its own, as node classes can
// restrict what a pool may launch. Pools without one use that of [New].
func WithPoolCatalog(pool string, c *instancetypes.Catalog) Option {
	return func(s *settings) { s.poolCatalogs[pool] = c }
}

// WithQuirks sets which peculiarities of the original are reproduced, such as
// AllQuirks &^ TopologyGroupsMerge; the default is AllQuirks.
func WithQuirks(q Quirks) Option { return func(s *settings) { s.quirks = q } }

// WithSpotToSpotConsolidation sets Karpenter's feature gate of that name, which
// is off by default: consolidation may then replace spot nodes by cheaper spot
// nodes.
func WithSpotToSpotConsolidation(on bool) Option { return func(s *settings) { s.spotToSpot = on } }
