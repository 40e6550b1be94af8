package clusterautoscaler

import (
	"fmt"
	"time"

	"github.com/binwright/binwright/packing/clusterautoscaler/internal/drain"
)

// MayDelete reports whether a node whose deletion has begun may really be deleted, by its pods
// and the disruption budgets as they are at a moment. The original asks that once it has waited for
// --node-delete-delay-after-taint (pkg/core/scaledown/actuation/actuator.go, deleteNodesAsync): a
// node that is to be drained must have no pod that blocks it; one that was found empty must also have
// none to move, and none whose end it waits for.
func (a *Autoscaler) MayDelete(node string, drained bool, now time.Time) (bool, error) {
	m := a.nodes[node]
	if m == nil {
		return false, fmt.Errorf("node %s %w", node, ErrUnknown)
	}
	a.budgets.Reset()
	for _, p := range a.on[m.index] {
		x := &a.residents[p]
		state := drain.State{Now: now}
		if drained {
			state.Controllers, state.Budgets = a.controllers, x.budgets
		}
		switch outcome, _ := a.rules.Judge(x.pod, state); {
		case outcome == drain.Block:
			return false, nil
		case drained || drain.IsDaemon(x.pod):
		case outcome == drain.Move, outcome == drain.Wait:
			return false, nil
		}
	}
	return true, nil
}
