package karpenter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// Each node that the next command leaves has its reason, in the words of a rule.
func TestEveryNodeThatStaysHasAReason(t *testing.T) {
	tight, balanced, open := poolNamed("tight", onDemand), poolNamed("balanced", onDemand), poolNamed("open", onDemand)
	tight.Spec.Disruption.Budgets = []packing.Budget{{Nodes: "0"}}
	balanced.Spec.Disruption.ConsolidationPolicy = karpenter.Balanced
	kept := used("kept", 4, "open", podNamed("kept", "1", "1Gi"))
	kept.Annotations = map[string]string{doNotDisrupt: "true"}
	fresh := used("fresh", 4, "open")
	fresh.Claim = &packing.NodeClaim{}
	foreign := used("foreign", 4, "", podNamed("foreign", "4", "1Gi"))
	s := clusterOf(
		kept, fresh, foreign,
		used("idle", 4, "tight"),
		used("bound", 4, "tight", podNamed("bound", "1", "1Gi")),
		used("cheap", 1, "balanced", podsNamed("cheap", 3, "100m", "100Mi")...), // see TestBalancedWeighsSavingsAgainstDisruption
		used("full", 16, "balanced", podsNamed("full", 3, "5", "1Gi")...),
		used("alone", 1, "open", podNamed("alone", "900m", "1Gi")),
		used("empty", 8, "open"),
	)
	found := consolidate(t, packerOf(t, machines(t), []*packing.NodePool{tight, balanced, open}), s)
	expect(t, summary(found.Command()), "emptiness delete empty saves 0.80")
	var lines []string
	for _, stay := range found.Stays() {
		if stay.Reason.Message == "" {
			t.Errorf("node %s stays without a word", stay.Candidate.Node.Name)
		}
		lines = append(lines, fmt.Sprintf("%s %s", stay.Candidate.Node.Name, stay.Reason.Class))
	}
	// full: 15 CPUs on 16; its own type is the only one that holds them. cheap: 0.1 of 1.7 $/h
	// (0.06) for 4 of 8 (0.5). alone could go to kept, after the empty node.
	expect(t, strings.Join(lines, "\n"), `
alone later
bound budget
cheap balanced
foreign blocked
fresh excluded
full not-cheaper
idle budget
kept blocked`)
}
