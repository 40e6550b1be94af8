package compare

import (
	"fmt"
	"hash"
	"hash/fnv"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
)

// referee puts into Problems what is wrong with a plan: pods that are lost, and
// what [packing.Verify] finds, but for what the original does as well.
func (r *Result) referee(s *scenarios.Scenario, plan *packing.Plan, deviations []packing.Rule) {
	if accounted := r.PodsPlaced + r.PodsLeft; accounted != len(s.Snapshot.Pods) {
		r.Problems = append(r.Problems, fmt.Sprintf("the snapshot has %d pods, the plan accounts for %d", len(s.Snapshot.Pods), accounted))
	}
	for _, v := range packing.Verify(s.Snapshot, plan, packing.WithNodePools(s.NodePools...)) {
		if slices.Contains(deviations, v.Rule) {
			r.Deviations = append(r.Deviations, v.String())
		} else {
			r.Problems = append(r.Problems, v.String())
		}
	}
}

// fingerprint hashes every decision of a plan: what is launched, in order, and
// where each pod goes.
func fingerprint(plan *packing.Plan) uint64 {
	h := fnv.New64a()
	for _, l := range plan.Launches {
		writeFields(h, "launch", l.Owner(), launchedType(l), l.Zone, l.CapacityType, strconv.FormatFloat(l.Price, 'g', -1, 64))
		writePods(h, l.Pods)
	}
	for _, p := range plan.Placements {
		writeFields(h, "placement", p.Node.Name)
		writePods(h, p.Pods)
	}
	for _, u := range plan.Unschedulable {
		writeFields(h, "left")
		writePods(h, []*corev1.Pod{u.Pod})
	}
	return h.Sum64()
}

func writePods(h hash.Hash64, pods []*corev1.Pod) {
	for _, p := range pods {
		writeFields(h, p.Namespace, p.Name)
	}
}

// writeFields ends each field with a byte that no Kubernetes name contains.
func writeFields(h hash.Hash64, fields ...string) {
	for _, f := range fields {
		h.Write([]byte(f)) // a hash never fails
		h.Write([]byte{0})
	}
}
