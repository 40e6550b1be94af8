package packing

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// resourceNodes is the name under which a node pool limits its number of nodes.
const resourceNodes corev1.ResourceName = "nodes"

// launches checks each launch by itself: name, owner, offering, requirements.
func (r *referee) launches() {
	names := make(map[string]bool, len(r.sites))
	reserved := map[reservation]int{}
	poolRequirements := map[*NodePool]requirements.Set{}
	for _, at := range r.sites {
		if at.launch == nil {
			names[at.name] = true
			continue
		}
		l := at.launch
		switch {
		case l.Name == "":
			r.accuse(RuleLaunch, nil, at, "launch %d has no name", at.birth-1)
		case names[l.Name]:
			r.accuse(RuleLaunch, nil, at, "the name is taken")
		}
		names[l.Name] = true
		switch {
		case (l.NodePool == nil) == (l.NodeGroup == nil):
			r.accuse(RuleLaunch, nil, at, "a launch has either a node pool or a node group")
		case l.NodeGroup != nil:
			r.groupOffering(at)
		case l.InstanceType == nil:
			r.accuse(RuleLaunch, nil, at, "a launch of a node pool has an instance type")
		default:
			reqs, ok := poolRequirements[l.NodePool]
			if !ok {
				var err error
				if reqs, err = l.NodePool.Requirements(); err != nil {
					r.accuse(RuleNodePool, nil, at, "node pool %s: %v", l.NodePool.Name, err)
				}
				poolRequirements[l.NodePool] = reqs
			}
			r.poolOffering(at, reqs)
			r.reservations(at, reserved)
		}
	}
}

// reservation is what launches of reserved capacity draw on.
type reservation struct {
	instanceType *instancetypes.InstanceType
	zone         string
}

// reservations counts launches of reserved capacity against all that is reserved of the type in the zone.
func (r *referee) reservations(at *site, taken map[reservation]int) {
	l := at.launch
	if l.CapacityType != requirements.CapacityTypeReserved {
		return
	}
	left := 0
	for i := range l.InstanceType.Offerings {
		if o := &l.InstanceType.Offerings[i]; o.Available && o.Zone() == l.Zone && o.CapacityType() == l.CapacityType {
			left += o.ReservationCapacity
		}
	}
	of := reservation{l.InstanceType, l.Zone}
	if taken[of]++; taken[of] > left {
		r.accuse(RuleReservations, nil, at, "%d of %d reserved %s in zone %q", taken[of], left, l.InstanceType.Name, l.Zone)
	}
}

// groupOffering checks that the group has a template and that the launch's type, zone and
// price are the group's or an offering's.
func (r *referee) groupOffering(at *site) {
	l, g := at.launch, at.launch.NodeGroup
	if g.Template == nil {
		r.accuse(RuleLaunch, nil, at, "node group %s has no template", g.Name)
		return
	}
	if l.InstanceType == nil {
		return // the group knows only its template
	}
	if len(g.InstanceTypes) > 0 && !ofName(g.InstanceTypes, l.InstanceType.Name) {
		r.accuse(RuleOffering, nil, at, "instance type %s is not one of node group %s", l.InstanceType.Name, g.Name)
	}
	if l.Price != g.Price && l.Offering() == nil {
		r.accuse(RuleOffering, nil, at, "price %v is neither that of node group %s (%v) nor of an offering of %s in zone %q as %q",
			l.Price, g.Name, g.Price, l.InstanceType.Name, l.Zone, l.CapacityType)
	}
}

func ofName(types []*instancetypes.InstanceType, name string) bool {
	return slices.ContainsFunc(types, func(t *instancetypes.InstanceType) bool { return t != nil && t.Name == name })
}

// poolOffering checks that the offering exists and that type, offering and node meet
// the requirements of the pool and of the claim.
func (r *referee) poolOffering(at *site, pool requirements.Set) {
	l := at.launch
	o := l.Offering()
	if o == nil {
		r.accuse(RuleOffering, nil, at, "%s has no available offering in zone %q as %q at %v", l.InstanceType.Name, l.Zone, l.CapacityType, l.Price)
	}
	if len(l.Options) > 0 && !ofName(l.Options, l.InstanceType.Name) {
		r.accuse(RuleNodeClaim, nil, at, "instance type %s is not one of the launch's options", l.InstanceType.Name)
	}
	r.enoughValues(at)
	for _, side := range []struct {
		rule  Rule
		of    string
		wants requirements.Set
	}{{RuleNodePool, "node pool " + l.NodePool.Name, pool}, {RuleNodeClaim, "the launch", l.Requirements}} {
		if err := l.InstanceType.Requirements.Intersects(side.wants); err != nil {
			r.accuse(side.rule, nil, at, "%s: instance type %s: %v", side.of, l.InstanceType.Name, err)
			continue
		}
		if o != nil {
			if err := o.Requirements.Intersects(side.wants); err != nil {
				r.accuse(side.rule, nil, at, "%s: offering: %v", side.of, err)
				continue
			}
		}
		// Only labels that the node has: a pool may require one that its node class sets and that
		// no catalog knows.
		for _, want := range side.wants {
			if value, ok := at.label(want.Key()); ok && !want.Has(value) {
				r.accuse(side.rule, nil, at, "%s: label %s=%s, wanted %s", side.of, want.Key(), value, want)
				break
			}
		}
	}
}

// enoughValues checks minValues: that the options of a launch leave so many values of a label
// to choose from (Karpenter v1.14.1 pkg/cloudprovider/types.go, SatisfiesMinValues). Launches without options
// do not say.
func (r *referee) enoughValues(at *site) {
	l := at.launch
	if len(l.Options) == 0 {
		return
	}
	for _, want := range l.Requirements {
		if want.MinValues() == 0 {
			continue
		}
		values := map[string]bool{}
		for _, t := range l.Options {
			if have, ok := t.Requirements.Lookup(want.Key()); ok {
				for _, v := range have.Values() {
					values[v] = true
				}
			}
		}
		if len(values) < want.MinValues() {
			r.accuse(RuleNodeClaim, nil, at, "the options have %d values of %s, wanted %s", len(values), want.Key(), want)
		}
	}
}

// poolLimits checks Karpenter's limits on a pool's total capacity: it adds up the capacity of each pool that launches, nodes being deleted aside.
func (r *referee) poolLimits() {
	type total struct {
		pool     *NodePool
		capacity sum
		launched sum
	}
	totals := map[string]*total{}
	for name, pool := range r.pools {
		totals[name] = &total{pool: pool}
	}
	one := resources.Vector{{Name: resourceNodes, Value: 1}}
	for _, at := range r.sites {
		if at.launch != nil && at.launch.NodePool != nil {
			t := totals[at.launch.NodePool.Name]
			for _, of := range []*sum{&t.capacity, &t.launched} {
				of.add(at.capacity)
				of.add(one)
			}
		}
		if at.node != nil && !at.node.BeingDeleted() {
			if t := totals[at.node.NodePool()]; t != nil {
				t.capacity.add(at.capacity)
				t.capacity.add(one)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		t := totals[name]
		limits, err := resources.FromList(t.pool.Spec.Limits)
		if err != nil {
			continue // such a limit cannot be reached or says nothing
		}
		for _, limit := range limits {
			// A pool that was over its limit before and does not launch any of it is no fault of the plan.
			if t.launched.get(limit.Name) == 0 || t.capacity.get(limit.Name) <= limit.Value {
				continue
			}
			rule := RulePoolLimit
			if limit.Name == resourceNodes {
				rule = RuleNodesLimit
			}
			r.accuse(rule, nil, nil, "node pool %s: %s of %s, limit %s", name,
				quantity(limit.Name, t.capacity.get(limit.Name)), limit.Name, quantity(limit.Name, limit.Value))
		}
	}
}

// groupSizes checks that no group grows beyond its maximum, and that no more nodes are
// taken for upcoming than its target size asks for.
func (r *referee) groupSizes() {
	existing := map[string]int{}
	for _, n := range r.snapshot.Nodes {
		if n != nil && n.NodeGroup != "" {
			existing[n.NodeGroup]++
		}
	}
	type growth struct{ launched, upcoming int }
	grown := map[*NodeGroup]*growth{}
	var groups []*NodeGroup
	for _, l := range r.plan.Launches {
		g := l.NodeGroup
		if g == nil {
			continue
		}
		if grown[g] == nil {
			grown[g] = &growth{}
			groups = append(groups, g)
		}
		if l.Upcoming {
			grown[g].upcoming++
		} else {
			grown[g].launched++
		}
	}
	slices.SortStableFunc(groups, func(a, b *NodeGroup) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range groups {
		size, awaited := g.TargetSize+grown[g].launched, max(0, g.TargetSize-existing[g.Name])
		switch {
		case grown[g].upcoming > awaited:
			r.accuse(RuleGroupSize, nil, nil, "node group %s: %d upcoming nodes, its target size asks for %d", g.Name, grown[g].upcoming, awaited)
		case grown[g].launched == 0:
		case size > g.MaxSize:
			r.accuse(RuleGroupSize, nil, nil, "node group %s: %d nodes, at most %d", g.Name, size, g.MaxSize)
		case g.ZeroOrMax && size != g.MaxSize:
			r.accuse(RuleGroupSize, nil, nil, "node group %s: %d nodes, none or %d", g.Name, size, g.MaxSize)
		}
	}
}
