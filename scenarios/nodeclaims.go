package scenarios

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

// nodeClaim is a karpenter.sh/v1 NodeClaim, as far as decisions read it: the
// state of a node that the Node object does not tell (v1.14.1
// pkg/apis/v1/nodeclaim.go, nodeclaim_status.go).
type nodeClaim struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ExpireAfter packing.NillableDuration `json:"expireAfter"`
	} `json:"spec"`
	Status struct {
		NodeName         string             `json:"nodeName"`
		Conditions       []metav1.Condition `json:"conditions"`
		LastPodEventTime metav1.Time        `json:"lastPodEventTime"`
	} `json:"status"`
}

// Conditions of a NodeClaim.
const (
	conditionInitialized    = "Initialized"
	conditionConsolidatable = "Consolidatable"
)

// claimNodes gives nodes the state of their NodeClaims.
func (l *loader) claimNodes(c *cluster, nodes []*packing.Node) {
	byName := make(map[string]*packing.Node, len(nodes))
	for _, n := range nodes {
		byName[n.Name] = n
	}
	for _, claim := range c.nodeClaims {
		node := byName[claim.value.Status.NodeName]
		switch {
		case claim.value.Status.NodeName == "":
			l.warnAt(claim.at, "the NodeClaim has no node yet: what it is launching is not reckoned with")
			continue
		case node == nil:
			l.warnAt(claim.at, fmt.Sprintf("the NodeClaim's node %q is not in the input", shorten(claim.value.Status.NodeName)))
			continue
		}
		node.Claim = claim.value.state()
	}
}

// state returns what decisions read.
func (c *nodeClaim) state() *packing.NodeClaim {
	state := &packing.NodeClaim{
		LastPodEvent:      c.Status.LastPodEventTime.Time,
		MarkedForDeletion: c.DeletionTimestamp != nil,
	}
	if c.Spec.ExpireAfter != (packing.NillableDuration{}) {
		expire := c.Spec.ExpireAfter
		state.ExpireAfter = &expire
	}
	for _, condition := range c.Status.Conditions {
		if condition.Status != metav1.ConditionTrue {
			continue
		}
		switch condition.Type {
		case conditionInitialized:
			state.Initialized = condition.LastTransitionTime.Time
		case conditionConsolidatable:
			state.Consolidatable = true
		}
	}
	return state
}
