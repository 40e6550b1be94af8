package recorded

import (
	"fmt"

	"github.com/binwright/binwright/packing/karpenter"
)

// Packer returns a packer with the problem's settings. Errors name the setting,
// or are those of [karpenter.New].
func (p *Problem) Packer(opts ...karpenter.Option) (*karpenter.Packer, error) {
	set := []karpenter.Option{
		karpenter.WithReservedCapacity(p.Options.ReservedCapacity),
		karpenter.WithSpotToSpotConsolidation(p.Options.SpotToSpot),
	}
	if p.Options.ReservationIDLabel != "" {
		set = append(set, karpenter.WithReservationIDLabel(p.Options.ReservationIDLabel))
	}
	switch p.Options.PreferencePolicy {
	case "", "Respect":
	case "Ignore":
		set = append(set, karpenter.WithPreferencePolicy(karpenter.Ignore))
	default:
		return nil, fmt.Errorf("case %s: preferencePolicy %q: neither Respect nor Ignore", p.Name, p.Options.PreferencePolicy)
	}
	switch p.Options.MinValuesPolicy {
	case "", "Strict":
	case "BestEffort":
		set = append(set, karpenter.WithMinValuesPolicy(karpenter.BestEffort))
	default:
		return nil, fmt.Errorf("case %s: minValuesPolicy %q: neither Strict nor BestEffort", p.Name, p.Options.MinValuesPolicy)
	}
	for pool := range p.PoolTypes {
		set = append(set, karpenter.WithPoolCatalog(pool, p.CatalogOf(pool)))
	}
	return karpenter.New(p.Catalog, p.NodePools, append(set, opts...)...)
}
