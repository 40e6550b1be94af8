package packing

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/requirements"
)

// LabelNodePool is the label that ties a node to its Karpenter node pool.
const LabelNodePool = requirements.LabelNodePool

// NodePool is a karpenter.sh/v1 NodePool: its JSON is that of the original, so
// that a manifest decodes into it as it is (sigs.k8s.io/karpenter v1.14.1
// pkg/apis/v1/nodepool.go). Fields that no decision reads are left out.
type NodePool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              NodePoolSpec `json:"spec"`
}

// NodePoolSpec says which nodes a pool may launch and when it may remove them.
type NodePoolSpec struct {
	Template   NodeClaimTemplate `json:"template"`
	Disruption Disruption        `json:"disruption"`
	// Limits bound the pool's total capacity: cpu, memory, nodes, and any other resource.
	Limits corev1.ResourceList `json:"limits,omitempty"`
	// Weight orders pools, the heaviest first; nil counts as 0.
	Weight *int32 `json:"weight,omitempty"`
	// Replicas makes the pool static: so many nodes, whatever the pods.
	Replicas *int64 `json:"replicas,omitempty"`
}

// NodeClaimTemplate is the pattern of a pool's nodes.
type NodeClaimTemplate struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              NodeClaimTemplateSpec `json:"spec"`
}

// NodeClaimTemplateSpec states taints, requirements and lifetime of a pool's nodes.
type NodeClaimTemplateSpec struct {
	Taints                 []corev1.Taint       `json:"taints,omitempty"`
	StartupTaints          []corev1.Taint       `json:"startupTaints,omitempty"`
	Requirements           []NodePoolExpression `json:"requirements"`
	NodeClassRef           *NodeClassRef        `json:"nodeClassRef,omitempty"`
	TerminationGracePeriod *metav1.Duration     `json:"terminationGracePeriod,omitempty"`
	ExpireAfter            NillableDuration     `json:"expireAfter,omitzero"`
}

// NodePoolExpression is a node selector requirement with Karpenter's minValues.
type NodePoolExpression struct {
	Key       string                      `json:"key"`
	Operator  corev1.NodeSelectorOperator `json:"operator"`
	Values    []string                    `json:"values,omitempty"`
	MinValues *int                        `json:"minValues,omitempty"`
}

// NodeClassRef names the cloud's own settings of a pool's nodes.
type NodeClassRef struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
}

// Disruption says when consolidation may remove a pool's nodes.
type Disruption struct {
	// ConsolidateAfter is how long after the last pod came or went a node may be
	// consolidated; "Never" forbids it.
	ConsolidateAfter NillableDuration `json:"consolidateAfter,omitzero"`
	// ConsolidationPolicy is WhenEmpty, WhenEmptyOrUnderutilized (the default) or Balanced.
	ConsolidationPolicy string   `json:"consolidationPolicy,omitempty"`
	Budgets             []Budget `json:"budgets,omitempty"`
}

// Budget bounds how many nodes of a pool may be disrupted at once.
type Budget struct {
	// Reasons are Underutilized, Empty and Drifted; none means all.
	Reasons []string `json:"reasons,omitempty"`
	// Nodes is a number or a percentage.
	Nodes string `json:"nodes"`
	// Schedule is a cron line at which the budget begins to hold, for Duration.
	Schedule *string          `json:"schedule,omitempty"`
	Duration *metav1.Duration `json:"duration,omitempty"`
}

// NillableDuration is a duration or "Never".
type NillableDuration struct {
	Duration time.Duration
	Never    bool
}

// UnmarshalJSON reads "Never" or a Go duration; null and "" are the zero value.
func (d *NillableDuration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("duration %.40s: it is written as a string, such as \"720h\" or \"Never\"", b)
	}
	*d = NillableDuration{Never: text == "Never"}
	if text == "" || d.Never {
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("duration %.40q: neither a duration such as 720h nor \"Never\"", text)
	}
	if parsed < 0 {
		return fmt.Errorf("duration %.40q is negative", text)
	}
	d.Duration = parsed
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (d NillableDuration) MarshalJSON() ([]byte, error) {
	if d.Never {
		return json.Marshal("Never")
	}
	return json.Marshal(d.Duration.String())
}

// Requirements returns what the pool demands of its nodes: the template's
// requirements and its labels. Errors name the requirement by index.
func (p *NodePool) Requirements() (requirements.Set, error) {
	reqs := make([]requirements.Requirement, 0, len(p.Spec.Template.Spec.Requirements))
	for i, e := range p.Spec.Template.Spec.Requirements {
		r, err := requirements.New(e.Key, e.Operator, e.Values...)
		if err != nil {
			return nil, fmt.Errorf("spec.template.spec.requirements[%d]: %w", i, err)
		}
		if e.MinValues != nil {
			r = r.WithMinValues(*e.MinValues)
		}
		reqs = append(reqs, r)
	}
	return requirements.NewSet(reqs...).Intersect(requirements.FromLabels(p.Spec.Template.Labels)), nil
}
