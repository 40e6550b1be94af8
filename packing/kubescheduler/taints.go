package kubescheduler

import (
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// intolerable counts the taints with effect PreferNoSchedule that a pod does not tolerate: the raw
// score of TaintToleration (plugins/tainttoleration/taint_toleration.go).
func intolerable(taints []corev1.Taint, tolerations []corev1.Toleration) uint16 {
	var n uint16
	for i := range taints {
		if taints[i].Effect == corev1.TaintEffectPreferNoSchedule && !feasibility.Tolerated(tolerations, &taints[i]) && n < math.MaxUint16 {
			n++
		}
	}
	return n
}

// scoreTaints adds the score of TaintToleration: 100 less the node's share of
// the most such taints that any of the nodes has.
func (s *Scheduler) scoreTaints(sh *shape, nodes []NodeID, totals []int64) {
	var most int64
	for _, id := range nodes {
		most = max(most, int64(sh.verdicts[id].taints))
	}
	for i, id := range nodes {
		score := int64(maxScore)
		if most > 0 {
			score -= maxScore * int64(sh.verdicts[id].taints) / most
		}
		totals[i] += weightTaints * score
	}
}
