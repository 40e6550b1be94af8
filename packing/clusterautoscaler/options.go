package clusterautoscaler

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Settings are the flags of Cluster Autoscaler that a decision depends on, by
// their names. Set them with the options of [New].
type Settings struct {
	// Expander is the chain of --expander; the default is least-waste.
	Expander []Expander
	// MaxNodesTotal is --max-nodes-total: no more nodes in the cluster; 0, the
	// default, is no limit.
	MaxNodesTotal int
	// MaxNodesPerScaleUp is --max-nodes-per-scaleup: how many nodes an estimate may
	// add; the default is 1000.
	MaxNodesPerScaleUp int
	// BalanceSimilarNodeGroups is --balance-similar-node-groups; off by default.
	BalanceSimilarNodeGroups bool
	// BalancingIgnoreLabels is --balancing-ignore-label: labels in which similar
	// groups may differ beside those always ignored.
	BalancingIgnoreLabels []string
	// BalancingLabels is --balancing-label: if there are any, groups are similar that
	// have all of these labels with equal values, whatever else they are.
	BalancingLabels []string
	// MemoryDifferenceRatio, MaxFreeDifferenceRatio and MaxAllocatableDifferenceRatio
	// are the tolerances of similarity: 0.015, 0.05 and 0.05 by default.
	MemoryDifferenceRatio, MaxFreeDifferenceRatio, MaxAllocatableDifferenceRatio float64
	// FastpathBinpacking is --fastpath-binpacking-enabled; off by default.
	FastpathBinpacking bool
	// SalvoScaleUp is --salvo-scale-up: scale up several groups in one loop; off by default.
	SalvoScaleUp bool
	// ExpendablePodsPriorityCutoff is --expendable-pods-priority-cutoff: pods below it
	// neither cause a scale-up nor count where they run; the default is -10.
	ExpendablePodsPriorityCutoff int32
	// NewPodScaleUpDelay is --new-pod-scale-up-delay: younger pods are left alone; 0 by default.
	NewPodScaleUpDelay time.Duration
	// EnforceNodeGroupMinSize is --enforce-node-group-min-size; off by default.
	EnforceNodeGroupMinSize bool
	// CoresTotal and MemoryTotal are the maxima of --cores-total and --memory-total
	// (GiB); the defaults are 320,000 cores and 6,400,000 GiB.
	CoresTotal, MemoryTotal int64
	// ForceDaemonSets is --force-ds: templates made from real nodes get the daemon
	// pods that the node does not run (yet); off by default.
	ForceDaemonSets bool
	// StartupTaints and StatusTaints are --startup-taint and --status-taint: taints
	// that templates do not inherit from a node.
	StartupTaints, StatusTaints []string
	// NoScaleUpFromZero is --scale-up-from-zero=false: nothing is done while no node is ready.
	NoScaleUpFromZero bool
	// OkTotalUnreadyCount and MaxTotalUnreadyPercentage are --ok-total-unready-count and
	// --max-total-unready-percentage: if more nodes of the cluster, or of a group, are
	// unready than both say, it is left alone. The defaults are 3 and 45.
	OkTotalUnreadyCount       int
	MaxTotalUnreadyPercentage float64
	// BackedOff names groups that failed to scale up lately and are left alone.
	BackedOff []string
	// MaxLoops bounds the scale-up loops of one [Packer.Run]; the default is 1000.
	MaxLoops int
	// ScaleDown are the flags of scale-down.
	ScaleDown ScaleDownSettings
	// GroupOptions change the options of scale-down for single groups, by name.
	GroupOptions map[string]func(*NodeGroupOptions)
	// Seed, if not nil, draws what the original leaves to chance: ties between
	// options and the order of nodes in its snapshot.
	Seed *uint64
}

// defaults are those of the original's flags (pkg/config/flags/flags.go at 33c3f97bf).
func defaults() Settings {
	return Settings{
		Expander:                      []Expander{LeastWaste},
		MaxNodesPerScaleUp:            1000,
		MemoryDifferenceRatio:         0.015,
		MaxFreeDifferenceRatio:        0.05,
		MaxAllocatableDifferenceRatio: 0.05,
		ExpendablePodsPriorityCutoff:  -10,
		CoresTotal:                    320_000,
		MemoryTotal:                   6_400_000,
		OkTotalUnreadyCount:           3,
		MaxTotalUnreadyPercentage:     45,
		MaxLoops:                      1000,
		ScaleDown:                     DefaultScaleDown(),
	}
}

// ErrOption is what [New] wraps when an option makes no sense.
var ErrOption = errors.New("bad option")

func (s *Settings) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrOption, fmt.Sprintf(format, args...))
	}
	switch {
	case len(s.Expander) == 0:
		return bad("expander: the chain is empty")
	case s.MaxNodesTotal < 0:
		return bad("max-nodes-total %d is negative", s.MaxNodesTotal)
	case s.MaxNodesPerScaleUp < 0:
		return bad("max-nodes-per-scaleup %d is negative", s.MaxNodesPerScaleUp)
	case s.CoresTotal < 0:
		return bad("cores-total %d is negative", s.CoresTotal)
	case s.MemoryTotal < 0:
		return bad("memory-total %d is negative", s.MemoryTotal)
	case len(s.BalancingLabels) > 0 && len(s.BalancingIgnoreLabels) > 0:
		return bad("balancing-label and balancing-ignore-label exclude each other")
	case s.OkTotalUnreadyCount < 0:
		return bad("ok-total-unready-count %d is negative", s.OkTotalUnreadyCount)
	case !(s.MaxTotalUnreadyPercentage >= 0):
		return bad("max-total-unready-percentage %v is no percentage", s.MaxTotalUnreadyPercentage)
	case s.MaxLoops < 1:
		return bad("loops %d: at least one is needed", s.MaxLoops)
	case !(s.MemoryDifferenceRatio >= 0) || !(s.MaxFreeDifferenceRatio >= 0) || !(s.MaxAllocatableDifferenceRatio >= 0):
		return bad("a difference ratio is negative or no number")
	}
	seen := map[Expander]bool{}
	for _, e := range s.Expander {
		if !slices.Contains(expanders, e) {
			return bad("expander %q: there are %q", e, expanders)
		}
		if seen[e] {
			return bad("expander %q is named twice", e)
		}
		if seen[Random] {
			return bad("expander %q comes after %q, which leaves nothing to choose from", e, Random)
		}
		seen[e] = true
	}
	return s.ScaleDown.validate()
}

// Option changes a setting of a [Packer].
type Option func(*Settings)

// WithExpander chooses the expanders, each deciding among what the one before left
// (--expander).
func WithExpander(chain ...Expander) Option { return func(s *Settings) { s.Expander = chain } }

// WithSeed draws what the original leaves to chance, ties and the order of nodes,
// from a seed. Without it the first of tied options wins and nodes keep their order.
func WithSeed(seed uint64) Option { return func(s *Settings) { s.Seed = &seed } }

// WithMaxNodesTotal sets --max-nodes-total; 0 is no limit.
func WithMaxNodesTotal(n int) Option { return func(s *Settings) { s.MaxNodesTotal = n } }

// WithMaxNodesPerScaleUp sets --max-nodes-per-scaleup; 0 is no limit.
func WithMaxNodesPerScaleUp(n int) Option { return func(s *Settings) { s.MaxNodesPerScaleUp = n } }

// WithBalanceSimilarNodeGroups sets --balance-similar-node-groups.
func WithBalanceSimilarNodeGroups(on bool) Option {
	return func(s *Settings) { s.BalanceSimilarNodeGroups = on }
}

// WithBalancingIgnoreLabels sets --balancing-ignore-label.
func WithBalancingIgnoreLabels(labels ...string) Option {
	return func(s *Settings) { s.BalancingIgnoreLabels = labels }
}

// WithBalancingLabels sets --balancing-label.
func WithBalancingLabels(labels ...string) Option {
	return func(s *Settings) { s.BalancingLabels = labels }
}

// WithFastpathBinpacking sets --fastpath-binpacking-enabled.
func WithFastpathBinpacking(on bool) Option { return func(s *Settings) { s.FastpathBinpacking = on } }

// WithSalvoScaleUp sets --salvo-scale-up.
func WithSalvoScaleUp(on bool) Option { return func(s *Settings) { s.SalvoScaleUp = on } }

// WithExpendablePodsPriorityCutoff sets --expendable-pods-priority-cutoff.
func WithExpendablePodsPriorityCutoff(p int32) Option {
	return func(s *Settings) { s.ExpendablePodsPriorityCutoff = p }
}

// WithNewPodScaleUpDelay sets --new-pod-scale-up-delay.
func WithNewPodScaleUpDelay(d time.Duration) Option {
	return func(s *Settings) { s.NewPodScaleUpDelay = d }
}

// WithEnforceNodeGroupMinSize sets --enforce-node-group-min-size.
func WithEnforceNodeGroupMinSize(on bool) Option {
	return func(s *Settings) { s.EnforceNodeGroupMinSize = on }
}

// WithCoresTotal sets the maximum of --cores-total.
func WithCoresTotal(cores int64) Option { return func(s *Settings) { s.CoresTotal = cores } }

// WithMemoryTotal sets the maximum of --memory-total, in GiB.
func WithMemoryTotal(gib int64) Option { return func(s *Settings) { s.MemoryTotal = gib } }

// WithForceDaemonSets sets --force-ds.
func WithForceDaemonSets(on bool) Option { return func(s *Settings) { s.ForceDaemonSets = on } }

// WithBackedOff names groups that are backed off after a failed scale-up.
func WithBackedOff(groups ...string) Option { return func(s *Settings) { s.BackedOff = groups } }

// WithSettings replaces all settings at once. What makes no sense as zero keeps its
// default if it is: the chain of expanders, the number of loops, the two limits on
// unready nodes if both are.
func WithSettings(with Settings) Option {
	return func(s *Settings) {
		base := defaults()
		if len(with.Expander) == 0 {
			with.Expander = base.Expander
		}
		if with.MaxLoops == 0 {
			with.MaxLoops = base.MaxLoops
		}
		if with.ScaleDown == (ScaleDownSettings{}) {
			with.ScaleDown = base.ScaleDown
		}
		if with.OkTotalUnreadyCount == 0 && with.MaxTotalUnreadyPercentage == 0 {
			with.OkTotalUnreadyCount, with.MaxTotalUnreadyPercentage = base.OkTotalUnreadyCount, base.MaxTotalUnreadyPercentage
		}
		*s = with
	}
}
