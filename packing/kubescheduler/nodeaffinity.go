package kubescheduler

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// preferredTerms returns a pod's preferred node affinity. Terms that weigh or ask
// nothing are left out, as the original leaves them
// (component-helpers scheduling/corev1/nodeaffinity, NewPreferredSchedulingTerms).
func preferredTerms(pod *corev1.Pod) ([]corev1.PreferredSchedulingTerm, error) {
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil {
		return nil, nil
	}
	var out []corev1.PreferredSchedulingTerm
	for i, t := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		if t.Weight == 0 || len(t.Preference.MatchExpressions)+len(t.Preference.MatchFields) == 0 {
			continue
		}
		if err := feasibility.ValidTerm(&t.Preference); err != nil {
			return nil, fmt.Errorf("spec.affinity.nodeAffinity: preferred term %d: %w", i, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// preferred is the weight of all terms that match a node: the raw score of NodeAffinity
// (plugins/nodeaffinity/node_affinity.go).
func preferred(terms []corev1.PreferredSchedulingTerm, n *corev1.Node) int32 {
	var sum int32
	for i := range terms {
		if feasibility.TermMatches(&terms[i].Preference, n) {
			sum += terms[i].Weight
		}
	}
	return sum
}

// scoreNodeAffinity adds the score of NodeAffinity: the node's weight in percent of
// the greatest among the nodes.
func (s *Scheduler) scoreNodeAffinity(sh *shape, nodes []NodeID, totals []int64) {
	if len(sh.prefersNodes) == 0 {
		return
	}
	var most int64
	for _, id := range nodes {
		most = max(most, int64(sh.affinity[id]))
	}
	if most == 0 {
		return
	}
	for i, id := range nodes {
		totals[i] += weightNodeAffinity * (maxScore * int64(sh.affinity[id]) / most)
	}
}
