package upstream

import (
	"cmp"
	"maps"
	"regexp"
	"slices"

	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	karpscheduling "sigs.k8s.io/karpenter/pkg/scheduling"

	"github.com/binwright/binwright/bench/internal/recorded"
)

// hostnamePlaceholder is how messages name a node that is not there yet, by a
// number that differs from run to run.
var hostnamePlaceholder = regexp.MustCompile(`hostname-placeholder-\d+`)

// outcome brings upstream's results into the form in which decisions are
// compared. Refused pods did not reach the scheduler.
func outcome(results scheduling.Results, refused map[string]string) *recorded.Outcome {
	o := &recorded.Outcome{Unschedulable: maps.Clone(refused)}
	for _, claim := range results.NewNodeClaims {
		n := recorded.NewNode{
			NodePool: claim.NodePoolName, Pods: recorded.PodNames(claim.Pods),
			Requirements: recorded.ClaimRequirements(claimRequirements(claim)),
			Cheapest:     cheapest(claim),
		}
		for _, t := range claim.InstanceTypeOptions {
			n.InstanceTypes = append(n.InstanceTypes, t.Name)
		}
		o.NewNodes = append(o.NewNodes, n)
	}
	for _, node := range results.ExistingNodes {
		if len(node.Pods) > 0 {
			o.Existing = append(o.Existing, recorded.ExistingNode{Node: node.Name(), Pods: recorded.PodNames(node.Pods)})
		}
	}
	for pod, err := range results.PodErrors {
		o.Unschedulable[pod.Namespace+"/"+pod.Name] = hostnamePlaceholder.ReplaceAllString(err.Error(), "hostname-placeholder")
	}
	return o.Canonical()
}

func claimRequirements(claim *scheduling.NodeClaim) []recorded.Requirement {
	var out []recorded.Requirement
	for _, r := range claim.Requirements.NodeSelectorRequirements() {
		req := recorded.Requirement{Key: r.Key, Operator: string(r.Operator), Values: slices.Sorted(slices.Values(r.Values))}
		if r.MinValues != nil && *r.MinValues > 0 {
			req.MinValues = r.MinValues
		}
		out = append(out, req)
	}
	return out
}

// cheapest is the offering that a provider which takes the lowest price would
// launch; ties go to the smaller type name, zone, capacity type.
func cheapest(claim *scheduling.NodeClaim) *recorded.Cheapest {
	var best *recorded.Cheapest
	for _, t := range claim.InstanceTypeOptions {
		for _, o := range t.Offerings.Available() {
			if !claim.Requirements.IsCompatible(o.Requirements, karpscheduling.AllowUndefinedWellKnownLabels) {
				continue
			}
			c := recorded.Cheapest{InstanceType: t.Name, Zone: o.Zone(), CapacityType: o.CapacityType(), Price: o.Price}
			if best == nil || compare(c, *best) < 0 {
				best = &c
			}
		}
	}
	return best
}

func compare(a, b recorded.Cheapest) int {
	return cmp.Or(cmp.Compare(a.Price, b.Price), cmp.Compare(a.InstanceType, b.InstanceType),
		cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.CapacityType, b.CapacityType))
}
