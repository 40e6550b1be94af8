package karpenter

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
	"github.com/binwright/binwright/packing/requirements"
)

// Bounds of consolidation in Karpenter v1.14.1 (pkg/controllers/disruption).
const (
	maxMultiNodeBatch    = 100 // candidates that one multi-node command looks at
	minSpotToSpotOptions = 15  // cheaper types that a spot node's spot replacement needs
	minMultiNodeBatch    = 2
	methodEmptiness      = "emptiness"
	methodMulti          = "multi"
	methodSingle         = "single"
	decisionDelete       = "delete"
	decisionReplace      = "replace"
)

// Consolidation is what Karpenter's consolidation finds to do in a cluster at
// one moment, and why it leaves the other nodes alone.
type Consolidation struct {
	// Nodes are all nodes by name, as the filters see them.
	Nodes []*Candidate
	// Budgets are how many nodes each pool lets go, by pool and reason (Empty, Underutilized).
	Budgets map[string]map[string]int
	// Totals are what Balanced pools measure moves against.
	Totals map[string]PoolTotals
	// Order are the candidates of consolidation, the highest savings ratio first.
	Order []*Candidate
	// Emptiness, Multi and Single are what the three methods would do, nil for
	// nothing. Karpenter tries them in this order and executes the first.
	Emptiness, Multi, Single *Command
	// Verdicts are what single-node consolidation makes of each candidate by
	// itself, by node name, with budgets left aside.
	Verdicts []*Verdict
}

// Command returns what Karpenter would execute: the first method's command that
// there is, nil if the cluster is consolidated.
func (c *Consolidation) Command() *Command {
	for _, cmd := range []*Command{c.Emptiness, c.Multi, c.Single} {
		if cmd != nil {
			return cmd
		}
	}
	return nil
}

// Command is one decision of consolidation: nodes that go, and what they are
// replaced by.
type Command struct {
	// Method is "emptiness", "multi" or "single".
	Method     string
	Candidates []*Candidate
	// Replacement is the node to launch first, nil if the others suffice. Its
	// Options and Requirements are those that consolidation narrowed.
	Replacement *packing.Launch
	// Placements are the pods that go to nodes that stay, pending pods included.
	Placements []packing.Placement
	// Savings are the price of the candidates less that of the cheapest
	// replacement, in US dollars an hour.
	Savings float64
}

// Decision is "delete" or "replace".
func (c *Command) Decision() string {
	if c.Replacement != nil {
		return decisionReplace
	}
	return decisionDelete
}

// Verdict is what single-node consolidation makes of one candidate.
type Verdict struct {
	Candidate *Candidate
	// Command is what could be done with the node, nil for nothing.
	Command *Command
	// Reason says why nothing can be done, or why the Balanced policy or a budget
	// stands in the way of the command; the zero value says that nothing does.
	Reason StayReason
	// Scores are the Balanced policy's, empty for other policies and without a command.
	Scores []Score
	// CanPass is false for nodes of Balanced pools whose mere deletion would not
	// be approved: Karpenter does not simulate them.
	CanPass bool
}

// StayReason is why a node stays.
type StayReason struct {
	Class StayClass
	// Count is the number of nodes needed, or of cheaper types there are.
	Count   int
	Message string
}

// StayClass tells reasons to stay apart where callers branch.
type StayClass string

// Why a node stays.
const (
	StayBlocked  StayClass = "blocked"  // it cannot be disrupted at all, see Candidate.Blocked
	StayExcluded StayClass = "excluded" // consolidation leaves it out, see Candidate.Excluded
	StayBudget   StayClass = "budget"   // the budgets of its pool are used up
	StayBalanced StayClass = "balanced" // the policy Balanced rejects what could be done
	StayLater    StayClass = "later"    // another command comes first

	StayUnschedulable   StayClass = "unschedulable"               // its pods would not all fit
	StayUninitialized   StayClass = "unschedulable:uninitialized" // they would need a node that is not ready yet
	StayNeedsNodes      StayClass = "needs-nodes"                 // it would take several new nodes
	StayNotCheaper      StayClass = "not-cheaper"                 // no cheaper replacement
	StayMinValues       StayClass = "min-values"                  // cheaper types alone do not meet minValues
	StaySpotToSpot      StayClass = "spot-to-spot-disabled"       // spot for spot is switched off
	StaySpotFlexibility StayClass = "spot-to-spot-flexibility"    // fewer than 15 cheaper spot types
)

// Consolidate returns what Karpenter v1.14.1 would do to make the cluster
// cheaper at the snapshot's moment (Snapshot.Now): emptiness, multi-node and
// single-node consolidation, each by itself and before any is executed. Commands
// are computed without the validation that Karpenter repeats 15 seconds later.
// Errors are those of Pack, and unreadable budgets.
func (p *Packer) Consolidate(ctx context.Context, s *packing.Snapshot) (*Consolidation, error) {
	c, err := p.newCluster(s)
	if err == nil {
		err = c.ready()
	}
	if err != nil {
		return nil, fmt.Errorf("consolidate: %w", err)
	}
	defer c.release()
	c.problem.w.consolidation.handOver()
	out := &Consolidation{Nodes: c.candidates, Totals: c.totals(), Order: c.consolidatable(), Budgets: map[string]map[string]int{}}
	for _, reason := range []string{disruption.Empty, disruption.Underutilized} {
		for pool, n := range c.allowed(reason) {
			if out.Budgets[pool] == nil {
				out.Budgets[pool] = map[string]int{}
			}
			out.Budgets[pool][reason] = n
		}
	}
	out.Emptiness = c.emptiness(&MethodEffort{})
	if out.Multi, err = c.multi(ctx, out.Order, out.Totals, 0, &MethodEffort{}); err != nil {
		return nil, fmt.Errorf("consolidate: multi-node: %w", err)
	}
	if out.Verdicts, err = c.verdicts(ctx, out.Order, out.Totals); err != nil {
		return nil, fmt.Errorf("consolidate: single-node: %w", err)
	}
	allowed := c.allowed(disruption.Underutilized)
	out.Single = c.single(out.Order, out.Verdicts, allowed)
	for _, v := range out.Verdicts {
		v.Reason = c.hindrance(v, allowed)
	}
	return out, nil
}

// evaluate models computeConsolidation: what would happen if these nodes went. In brief, there is no
// reason why they stay.
func (c *cluster) evaluate(ctx context.Context, gone []*Candidate) (*Command, StayReason, error) {
	var old *incumbent
	if c.brief {
		old = c.incumbentOf(gone)
		if c.fruitless(gone, old) {
			c.effort.simulated(c, gone)
			return nil, StayReason{}, ctx.Err()
		}
	}
	sim, err := c.simulate(ctx, gone, old)
	if err != nil || sim == nil {
		return nil, StayReason{}, err
	}
	if sim.stay.Class != "" {
		return nil, sim.stay, nil
	}
	cmd := &Command{Candidates: gone, Placements: sim.plan.Placements}
	for _, cand := range gone {
		cmd.Savings += cand.Price
	}
	switch launches := sim.plan.Launches; len(launches) {
	case 0:
		return cmd, StayReason{}, nil
	case 1:
		stay := c.replace(cmd, launches[0])
		if stay.Class != "" {
			return nil, stay, nil
		}
		return cmd, StayReason{}, nil
	default:
		return nil, StayReason{Class: StayNeedsNodes, Count: len(launches),
			Message: fmt.Sprintf("removing it would take %d new nodes", len(launches))}, nil
	}
}

// replace narrows the launch to what is cheaper than the candidates and makes it the replacement.
func (c *cluster) replace(cmd *Command, l *packing.Launch) StayReason {
	price := cmd.Savings
	options := &claimOptions{types: l.Options, reqs: l.Requirements, wellKnown: c.packer.known}
	capacityType := options.reqs.Get(requirements.LabelCapacityType)
	spotOnly := capacityType.Has(requirements.CapacityTypeSpot)
	for _, cand := range cmd.Candidates {
		spotOnly = spotOnly && cand.capacityType() == requirements.CapacityTypeSpot
	}
	if spotOnly {
		if !c.packer.settings.spotToSpot {
			return spotToSpotOff()
		}
	} else if !options.anyCheaper(price) {
		return notCheaper()
	}
	options.sortByPrice(c.packer.catalogOf(l.NodePool.Name))
	if spotOnly {
		options.pinToSpot()
		options.keepLaunchable()
	}
	if !options.keepCheaper(price) {
		return StayReason{Class: StayMinValues, Message: "the cheaper instance types do not meet minValues"}
	}
	if len(options.types) == 0 {
		return notCheaper()
	}
	if spotOnly && len(cmd.Candidates) == 1 {
		if n := len(options.types); n < minSpotToSpotOptions {
			return StayReason{Class: StaySpotFlexibility, Count: n,
				Message: fmt.Sprintf("a spot node's spot replacement needs %d cheaper instance types, there are %d", minSpotToSpotOptions, n)}
		}
		needed, _ := options.minValues()
		options.types = options.types[:min(len(options.types), max(minSpotToSpotOptions, needed))]
	}
	if !spotOnly && capacityType.Has(requirements.CapacityTypeSpot) && capacityType.Has(requirements.CapacityTypeOnDemand) {
		options.pinToSpot()
	}
	cmd.setReplacement(l, options)
	return StayReason{}
}

func spotToSpotOff() StayReason {
	return StayReason{Class: StaySpotToSpot, Message: "replacing a spot node by a spot node is switched off"}
}

func notCheaper() StayReason {
	return StayReason{Class: StayNotCheaper, Message: "no cheaper node can replace it"}
}

func (o *claimOptions) pinToSpot() {
	o.verdicts = nil
	o.reqs = o.reqs.Add(requirements.Must(requirements.LabelCapacityType, requirements.In, requirements.CapacityTypeSpot))
}

// setReplacement puts the narrowed options into the launch and settles on its
// cheapest offering, equals by type name, then zone.
func (c *Command) setReplacement(l *packing.Launch, o *claimOptions) {
	r := *l
	r.Options, r.Requirements = o.types, o.reqs
	r.InstanceType, r.Zone, r.CapacityType, r.Price = nil, "", "", 0
	var best *instancetypes.Offering
	for _, t := range o.types {
		of := o.cheapestOffering(t)
		if of == nil {
			continue
		}
		if best == nil || of.Price < best.Price || of.Price == best.Price && t.Name < r.InstanceType.Name {
			best, r.InstanceType = of, t
		}
	}
	if best != nil {
		r.Zone, r.CapacityType, r.Price = best.Zone(), best.CapacityType(), best.Price
	}
	c.Replacement = &r
	c.Savings = 0
	for _, cand := range c.Candidates {
		c.Savings += cand.Price
	}
	c.Savings -= o.cheapestOfFirst()
}

func (o *claimOptions) cheapestOffering(t *instancetypes.InstanceType) *instancetypes.Offering {
	var best *instancetypes.Offering
	for i := range t.Offerings {
		of := &t.Offerings[i]
		if !o.allows(of) {
			continue
		}
		if best == nil || of.Price < best.Price || of.Price == best.Price && of.Zone() < best.Zone() {
			best = of
		}
	}
	return best
}

func poolOf(cmd *Command, name string) *packing.NodePool {
	for _, cand := range cmd.Candidates {
		if cand.Pool.Name == name {
			return cand.Pool
		}
	}
	return nil
}

// simulation is what the scheduler would do if some nodes were gone.
type simulation struct {
	plan *packing.Plan
	stay StayReason // set if pods of the nodes would have no certain place
}

// simulate models SimulateScheduling and AllNonPendingPodsScheduled
// (pkg/controllers/disruption/helpers.go): the pods that wait, those of the
// candidates and those of nodes already going, on the nodes that remain. It is nil if it was
// broken off.
func (c *cluster) simulate(ctx context.Context, gone []*Candidate, old *incumbent) (*simulation, error) {
	r, err := c.ask(ctx, gone, old)
	if err != nil {
		return nil, err
	}
	defer r.release()
	c.effort.simulated(c, gone)
	if r.pruned {
		return nil, nil
	}
	sim := &simulation{}
	pod := r.wouldFail(c.sim.pending)
	if pod != nil && !c.uninitialized {
		sim.stay = unschedulable(pod)
		return sim, nil
	}
	if pod == nil && !(c.uninitialized && c.usesUninitialized(r)) {
		if sim.stay = c.foregone(r, gone); sim.stay.Class != "" {
			return sim, nil
		}
	}
	sim.plan = r.plan()
	if sim.stay = c.needsUninitialized(sim.plan); sim.stay.Class != "" {
		return sim, nil
	}
	if pod != nil {
		sim.stay = unschedulable(pod)
		return sim, nil
	}
	for _, u := range sim.plan.Unschedulable {
		if c.running(u.Pod) {
			sim.stay = unschedulable(u.Pod)
			break
		}
	}
	return sim, nil
}

// simulated counts a simulation.
func (e *MethodEffort) simulated(c *cluster, gone []*Candidate) {
	e.Simulations++
	e.Pods += c.sim.pending
	for _, cands := range [...][]*Candidate{gone, c.deleting} {
		for _, cand := range cands {
			pods, _ := c.moves(cand)
			e.Pods += len(pods)
		}
	}
	e.Nodes += c.active - len(gone)
}

// usesUninitialized reports whether some pod that runs now was put on a node of a pool that is not
// ready yet: what needsUninitialized says of the plan.
func (c *cluster) usesUninitialized(r *run) bool {
	return slices.ContainsFunc(r.placed, func(p placement) bool {
		if int(p.host) >= len(r.nodes) {
			return false
		}
		n, pod := r.nodes[p.host].Node, r.p.pods[p.pod]
		return managed(n) && !initialized(n) && c.running(pod) && !c.leavingPods[pod]
	})
}

// foregone says, before the plan is written down, why a replacement would come to nothing: what
// replace finds in most cases.
func (c *cluster) foregone(r *run, gone []*Candidate) StayReason {
	if len(r.claims) != 1 || len(r.claims[0].reserved) > 0 {
		return StayReason{}
	}
	cl := r.claims[0]
	price := 0.0
	spotOnly := r.w.sets.Get(cl.set).Get(requirements.LabelCapacityType).Has(requirements.CapacityTypeSpot)
	for _, cand := range gone {
		price += cand.Price
		spotOnly = spotOnly && cand.capacityType() == requirements.CapacityTypeSpot
	}
	switch {
	case spotOnly && !c.packer.settings.spotToSpot:
		return spotToSpotOff()
	case !spotOnly && !r.w.anyCheaper(cl, price):
		return notCheaper()
	}
	return StayReason{}
}

// needsUninitialized says whether a pod that runs now would go to a node of a pool
// that is not ready yet. Pods of nodes already going may.
func (c *cluster) needsUninitialized(plan *packing.Plan) StayReason {
	for _, pl := range plan.Placements {
		if !managed(pl.Node) || initialized(pl.Node) {
			continue
		}
		for _, pod := range pl.Pods {
			if c.running(pod) && !c.leavingPods[pod] {
				return StayReason{Class: StayUninitialized, Count: 1,
					Message: fmt.Sprintf("pod %s/%s would need node %s, which is not initialized", pod.Namespace, pod.Name, pl.Node.Name)}
			}
		}
	}
	return StayReason{}
}

// running reports whether a simulated pod did not wait before.
func (c *cluster) running(pod *corev1.Pod) bool { return !c.sim.waits[pod] }

func unschedulable(pod *corev1.Pod) StayReason {
	return StayReason{Class: StayUnschedulable, Count: 1,
		Message: fmt.Sprintf("pod %s/%s would not fit anywhere else", pod.Namespace, pod.Name)}
}
