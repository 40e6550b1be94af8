package recorded

import (
	"encoding/json"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

// ConsolidationFile is a recorded consolidation: a case and, section by section,
// what Karpenter's consolidation made of it.
type ConsolidationFile struct {
	Input    *ConsolidationCase     `json:"input"`
	Upstream *ConsolidationUpstream `json:"upstream,omitempty"`
}

// ConsolidationCase is a case with the state of the node claims.
type ConsolidationCase struct {
	Case
	NodeClaims map[string]*NodeClaimState `json:"nodeClaims,omitempty"` // by node name
}

// NodeClaimState is what consolidation needs to know of a managed node beyond
// the Node object.
type NodeClaimState struct {
	Consolidatable    bool         `json:"consolidatable"`
	InitializedTime   *metav1.Time `json:"initializedTime,omitempty"`
	LastPodEventTime  *metav1.Time `json:"lastPodEventTime,omitempty"`
	ExpireAfter       string       `json:"expireAfter,omitempty"` // a duration or "Never"
	MarkedForDeletion bool         `json:"markedForDeletion,omitempty"`
	Nominated         bool         `json:"nominated,omitempty"`
	NoNode            bool         `json:"noNode,omitempty"`
}

// ConsolidationUpstream is what several runs of the original decided.
type ConsolidationUpstream struct {
	Version      string                           `json:"version"`
	Runs         int                              `json:"runs"`
	Sections     map[string]*ConsolidationSection `json:"sections"`
	SequenceEnds []SequenceEnd                    `json:"sequenceEnds"`
}

// ConsolidationSection holds the distinct values of one part of the outcome, the
// most frequent first. Long sequences are left out of it and only summed up in
// ConsolidationUpstream.SequenceEnds.
type ConsolidationSection struct {
	Distinct int `json:"distinct"`
	Variants []struct {
		Count int             `json:"count"`
		Value json.RawMessage `json:"value"`
	} `json:"variants"`
}

// SequenceEnd sums up one distinct sequence.
type SequenceEnd struct {
	Count            int     `json:"count"`
	Steps            int     `json:"steps"`
	End              string  `json:"end"`
	FinalNodes       int     `json:"finalNodes"`
	FinalHourlyPrice float64 `json:"finalHourlyPrice"`
}

// ReadConsolidation reads a recorded consolidation, or a bare case.
func ReadConsolidation(r io.Reader) (*ConsolidationFile, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var f ConsolidationFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.Input == nil {
		f.Input = &ConsolidationCase{}
		if err := json.Unmarshal(data, f.Input); err != nil {
			return nil, err
		}
	}
	if f.Input.Now == nil {
		return nil, fmt.Errorf("a consolidation case needs \"now\"")
	}
	return &f, nil
}

// Problem converts the case. Nodes of a node pool get the state of their claim.
func (c *ConsolidationCase) Problem() (*Problem, error) {
	p, err := c.Case.Problem()
	if err != nil {
		return nil, err
	}
	for _, n := range p.Snapshot.Nodes {
		state, ok := c.NodeClaims[n.Name]
		if !ok || n.NodePool() == "" {
			continue
		}
		n.Claim = &packing.NodeClaim{
			Consolidatable: state.Consolidatable, MarkedForDeletion: state.MarkedForDeletion,
			Nominated: state.Nominated, Unregistered: state.NoNode,
		}
		if state.InitializedTime != nil {
			n.Claim.Initialized = state.InitializedTime.Time
		}
		if state.LastPodEventTime != nil {
			n.Claim.LastPodEvent = state.LastPodEventTime.Time
		}
		if state.ExpireAfter != "" {
			expire, err := expireAfter(state.ExpireAfter)
			if err != nil {
				return nil, fmt.Errorf("case %s: node claim %s: expireAfter: %w", c.Name, n.Name, err)
			}
			n.Claim.ExpireAfter = &expire
		}
	}
	return p, nil
}

func expireAfter(text string) (packing.NillableDuration, error) {
	var d packing.NillableDuration
	quoted, err := json.Marshal(text)
	if err != nil {
		return d, err
	}
	return d, d.UnmarshalJSON(quoted)
}
