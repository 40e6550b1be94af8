package karpenter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// Packer packs pods as Karpenter's provisioner does. It holds a compiled
// catalog and what it has learnt of the cluster, so make it once and use it often; it is
// safe for concurrent use.
type Packer struct {
	settings settings
	types    *compiled.Types
	// nodePools are all pools as given, static ones too; consolidation reads them.
	nodePools []*packing.NodePool
	catalog   *instancetypes.Catalog
	known     func(string) bool // well-known labels
	pools     []*pool           // in the order in which they are tried
	// prefersNoSchedule is true if any pool has a PreferNoSchedule taint: only then
	// are pods made to tolerate such taints in the end.
	prefersNoSchedule bool
	reservations      reservations
	workspaces        workspaces
}

var _ packing.Packer = (*Packer)(nil)

// pool is a node pool made ready for scheduling, Karpenter's NodeClaimTemplate.
type pool struct {
	*packing.NodePool
	// own is what the pool's template and labels demand; domains of topology keys
	// come from it. claim adds what every claim of the pool carries.
	own, claim requirements.Set
	taints     []corev1.Taint
	limits     resources.Vector // meaningful only if limited
	limited    bool
	// listed are the types that the pool's catalog lists, in its order; options
	// those that the pool could launch for some pod.
	listed  []int
	options compiled.Bits
	// byCapacity are the options by column, the largest first.
	byCapacity [][]int32
	// canLaunch is false for a pool whose requirements leave no type: it opens no
	// claims, but its limits and its domains count.
	canLaunch bool
}

// New returns a packer for node pools that launch from a catalog. Static pools
// (with replicas) and pools being deleted open no nodes for pods and are left
// out, as Karpenter leaves them out. Errors name the pool and the field.
func New(catalog *instancetypes.Catalog, pools []*packing.NodePool, opts ...Option) (*Packer, error) {
	if catalog == nil {
		return nil, errors.New("karpenter: no catalog")
	}
	p := &Packer{nodePools: slices.Clone(pools), catalog: catalog, settings: settings{
		reservedCapacity: true,
		reservationLabel: defaultReservationIDLabel,
		quirks:           AllQuirks,
		poolCatalogs:     map[string]*instancetypes.Catalog{},
	}}
	for _, opt := range opts {
		opt(&p.settings)
	}
	catalogs := []*instancetypes.Catalog{catalog}
	names := map[string]bool{}
	var scheduled []*packing.NodePool
	for i, np := range pools {
		if np == nil {
			return nil, fmt.Errorf("karpenter: node pool %d is nil", i)
		}
		if names[np.Name] {
			return nil, fmt.Errorf("karpenter: node pool %q is there twice", np.Name)
		}
		names[np.Name] = true
		if np.Spec.Replicas != nil || np.DeletionTimestamp != nil {
			continue
		}
		scheduled = append(scheduled, np)
		if own := p.settings.poolCatalogs[np.Name]; own != nil && !slices.Contains(catalogs, own) {
			catalogs = append(catalogs, own)
		}
	}
	// The order of nodepool.OrderByWeight: the heaviest first, then by name backwards.
	slices.SortFunc(scheduled, func(a, b *packing.NodePool) int {
		return cmp.Or(cmp.Compare(weight(b), weight(a)), strings.Compare(b.Name, a.Name))
	})
	p.types = compiled.NewTypes(catalogs...)
	wellKnown := p.wellKnown(catalogs)
	p.known = wellKnown
	for _, np := range scheduled {
		c := p.settings.poolCatalogs[np.Name]
		if c == nil {
			c = catalog
		}
		compiledPool, err := p.compilePool(np, c, wellKnown)
		if err != nil {
			return nil, fmt.Errorf("karpenter: node pool %q: %w", np.Name, err)
		}
		p.pools = append(p.pools, compiledPool)
	}
	p.reservations = compileReservations(p.types, p.settings.reservationLabel)
	return p, nil
}

// Name returns "karpenter".
func (p *Packer) Name() string { return "karpenter" }

// Pack decides as [packing.Packer] says. Errors name the object and the field
// that cannot be read.
func (p *Packer) Pack(ctx context.Context, s *packing.Snapshot) (*packing.Plan, error) {
	w := p.workspaces.take(p)
	problem, err := compileProblem(w, s)
	if err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	defer p.workspaces.give(w)
	run := newRun(problem)
	if err := run.solve(ctx); err != nil {
		return nil, fmt.Errorf("karpenter: %w", err)
	}
	plan := run.plan()
	run.release()
	return plan, nil
}

// catalogOf returns the catalog that a pool launches from.
func (p *Packer) catalogOf(pool string) *instancetypes.Catalog {
	if own := p.settings.poolCatalogs[pool]; own != nil {
		return own
	}
	return p.catalog
}

func weight(np *packing.NodePool) int32 {
	if np.Spec.Weight == nil {
		return 0
	}
	return *np.Spec.Weight
}

func (p *Packer) wellKnown(catalogs []*instancetypes.Catalog) func(string) bool {
	if len(catalogs) == 1 {
		c := catalogs[0]
		return func(key string) bool { return key == p.settings.reservationLabel || c.WellKnown(key) }
	}
	return func(key string) bool {
		return key == p.settings.reservationLabel ||
			slices.ContainsFunc(catalogs, func(c *instancetypes.Catalog) bool { return c.WellKnown(key) })
	}
}

// compilePool models NewNodeClaimTemplate and the filter over instance types that
// NewScheduler starts with.
func (p *Packer) compilePool(np *packing.NodePool, catalog *instancetypes.Catalog, wellKnown func(string) bool) (*pool, error) {
	own, err := np.Requirements()
	if err != nil {
		return nil, err
	}
	if own.Has(corev1.LabelHostname) {
		return nil, fmt.Errorf("spec.template: label %s belongs to the node", corev1.LabelHostname)
	}
	limits, err := resources.FromList(np.Spec.Limits)
	if err != nil {
		return nil, fmt.Errorf("spec.limits: %w", err)
	}
	out := &pool{NodePool: np, own: own, taints: np.Spec.Template.Spec.Taints, limits: limits, limited: len(limits) > 0}
	labels := map[string]string{requirements.LabelNodePool: np.Name}
	if ref := np.Spec.Template.Spec.NodeClassRef; ref != nil {
		labels[ref.Group+"/"+strings.ToLower(ref.Kind)] = ref.Name
	}
	if out.claim, err = claimRequirements(np, labels); err != nil {
		return nil, err
	}
	for _, taint := range out.taints {
		if taint.Effect == corev1.TaintEffectPreferNoSchedule {
			p.prefersNoSchedule = true
		}
	}
	fits := compiled.NewFits(p.types.Len(), p.types.Dimensions.Len(), p.types.Allocatable)
	listed := compiled.NewBits(p.types.Len())
	for _, t := range catalog.Types() {
		at := p.types.Position(t)
		out.listed = append(out.listed, at)
		listed.Set(at)
	}
	out.options = p.types.Compatible(out.claim)
	out.options.And(listed)
	out.options.And(p.types.Offered(out.claim, wellKnown))
	out.options.And(fits.All())
	for column := range p.types.Dimensions.Len() {
		var order []int32
		for i := range out.options.All {
			order = append(order, int32(i))
		}
		slices.SortStableFunc(order, func(a, b int32) int {
			return cmp.Compare(p.types.Capacity(int(b))[column], p.types.Capacity(int(a))[column])
		})
		out.byCapacity = append(out.byCapacity, order)
	}
	out.canLaunch = out.options.Any()
	if out.canLaunch && p.settings.minValues == Strict {
		out.canLaunch = len(unmetMinValues(p.types, out.options, out.claim)) == 0
	}
	return out, nil
}

// claimRequirements are what every claim of the pool starts with: the template's
// requirements and labels, those that Karpenter adds, and the two labels that
// only let daemon pods see a node that is ready.
func claimRequirements(np *packing.NodePool, added map[string]string) (requirements.Set, error) {
	labels := map[string]string{}
	for k, v := range np.Spec.Template.Labels {
		labels[k] = v
	}
	for k, v := range added {
		labels[k] = v
	}
	bare := *np
	bare.Spec.Template.Labels = labels
	set, err := bare.Requirements()
	if err != nil {
		return nil, err
	}
	return set.Add(
		requirements.Must(requirements.LabelRegistered, requirements.In, "true"),
		requirements.Must(requirements.LabelInitialized, requirements.In, "true"),
	), nil
}
