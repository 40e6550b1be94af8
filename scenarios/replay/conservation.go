package replay

import (
	"errors"
	"fmt"
)

// ErrConservation says that the books of a replay do not add up: a pod or a node
// was lost or counted twice, or a bill is not the sum of its nodes' times. It is a
// fault of this package, never of a user's input.
var ErrConservation = errors.New("the replay does not add up")

// conserved checks at the end of a replay, once nodeAtEnd has billed the nodes that
// are left, that all that was counted adds up to what the cluster holds: pods that
// have not ended and nodes that are billed. Errors wrap [ErrConservation].
func (m *meter) conserved(pods, nodes int) error {
	var errs []error
	check := func(holds bool, format string, args ...any) {
		if !holds {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConservation}, args...)...))
		}
	}
	if m.fault != nil {
		check(false, "%w", m.fault)
	}
	p, n, l := &m.pods, &m.nodes, &m.bills
	check(p.created-p.ended() == pods, "%d pods were created and %d ended, but there are %d", p.created, p.ended(), pods)
	check(p.starting() >= 0, "of %d pods %d are pending and %d run", pods, p.pending, p.running)
	check(l.nodes == nodes, "%d nodes are billed, but there are %d", l.nodes, nodes)
	asked := n.requested - n.withdrawn - totalOf(byReason(n.failures))
	inPhases := n.in[phaseLaunching] + n.in[phaseReady] + n.in[phaseLeaving]
	check(asked+n.existing-n.gone == inPhases,
		"%d nodes were there, %d were asked for in earnest and %d are gone, but %d are in a phase of life",
		n.existing, asked, n.gone, inPhases)
	check(inPhases >= l.nodes, "%d nodes are in a phase of life, but %d are billed", inPhases, l.nodes)

	var ran integral
	var billed amount
	for _, a := range l.accounts {
		ran.plus(a.ran)
		billed.plus(a.cost)
	}
	check(ran == l.nodeTime, "nodes ran for %v hours, but %v hours are billed", l.nodeTime.hours(), ran.hours())
	// Each node's price is rounded to a billionth, each bill up to a second and a minute.
	accrued, most := l.accrued(), l.rounding.usd()
	const tolerance = 1e-6
	check(billed.usd() >= accrued*(1-tolerance)-tolerance && billed.usd() <= (accrued+most)*(1+tolerance)+tolerance,
		"the bill is $%v, but nodes cost $%v by their time and rounding up adds $%v at most", billed.usd(), accrued, most)
	if l.nodes == 0 {
		check(l.priceRate == 0 && l.wasteRate == 0, "without a node $%v an hour are paid and $%v wasted",
			float64(l.priceRate)/billionths, float64(l.wasteRate)/billionths)
		check(n.requestedCPU == 0 && n.requestedMemory == 0 && n.allocatableCPU == 0 && n.allocatableMemory == 0,
			"without a node %d milli-CPU and %d bytes are requested, %d and %d allocatable",
			n.requestedCPU, n.requestedMemory, n.allocatableCPU, n.allocatableMemory)
	}
	return errors.Join(errs...)
}
