package feasibility

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// demand is what a pod asks of a node's name, labels and taints: the filters
// NodeUnschedulable, TaintToleration and NodeAffinity. NodeName is not among them:
// a pod that names its node is bound, not waiting.
type demand struct {
	index       int
	selector    map[string]string
	terms       []corev1.NodeSelectorTerm
	affinity    bool // there are required terms, be it none that can match
	tolerations []corev1.Toleration
	// personal demands read a node's own name, so that nodes that are otherwise alike differ.
	personal bool
}

func (u *Universe) demand(pod *corev1.Pod) (*demand, error) {
	d := &demand{selector: pod.Spec.NodeSelector, tolerations: pod.Spec.Tolerations}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		d.affinity, d.terms = true, a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	}
	_, d.personal = d.selector[corev1.LabelHostname]
	for i, t := range d.terms {
		path := fmt.Sprintf("spec.affinity.nodeAffinity: nodeSelectorTerms[%d]", i)
		for j, e := range t.MatchExpressions {
			if err := validExpression(e); err != nil {
				return nil, fmt.Errorf("%s.matchExpressions[%d]: %w", path, j, err)
			}
			d.personal = d.personal || e.Key == corev1.LabelHostname
		}
		for j, e := range t.MatchFields {
			if e.Key != "metadata.name" {
				return nil, fmt.Errorf("%s.matchFields[%d]: key %q: only metadata.name can be matched", path, j, e.Key)
			}
			if err := validExpression(e); err != nil {
				return nil, fmt.Errorf("%s.matchFields[%d]: %w", path, j, err)
			}
			d.personal = true
		}
	}
	key := d.key()
	if known, ok := u.demands[key]; ok {
		return known, nil
	}
	d.index = len(u.demands)
	u.demands[key] = d
	return d, nil
}

// errExpression says that a node selector expression cannot be read.
var errExpression = errors.New("bad expression")

func validExpression(e corev1.NodeSelectorRequirement) error {
	switch e.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(e.Values) == 0 {
			return fmt.Errorf("%w: %s %s has no values", errExpression, e.Key, e.Operator)
		}
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(e.Values) != 0 {
			return fmt.Errorf("%w: %s %s takes no values, got %q", errExpression, e.Key, e.Operator, e.Values)
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(e.Values) != 1 {
			return fmt.Errorf("%w: %s %s takes one integer, got %q", errExpression, e.Key, e.Operator, e.Values)
		}
		if _, err := strconv.ParseInt(e.Values[0], 10, 64); err != nil {
			return fmt.Errorf("%w: %s %s takes one integer, got %q", errExpression, e.Key, e.Operator, e.Values[0])
		}
	default:
		return fmt.Errorf("%w: %s: unknown operator %q", errExpression, e.Key, e.Operator)
	}
	return nil
}

func (d *demand) key() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(d.selector)) {
		fmt.Fprintf(&b, ",%q=%q", k, d.selector[k])
	}
	fmt.Fprintf(&b, "|%v", d.affinity)
	for _, t := range d.terms {
		fmt.Fprintf(&b, "|%q%q", t.MatchExpressions, t.MatchFields)
	}
	for _, t := range d.tolerations {
		fmt.Fprintf(&b, "|%q%q%q%q", t.Key, t.Operator, t.Value, t.Effect)
	}
	return b.String()
}

// staticNode is what nodes of one kind share: labels but for the hostname, taints.
type staticNode struct {
	index         int
	labels        map[string]string
	taints        []corev1.Taint
	unschedulable bool
	verdicts      []uint8 // by demand: 0 unknown, else the refusal + 1
}

// staticNode finds the kind of a node. It is asked for every node that a decision
// adds, most of them of a kind that is there already, and then allocates nothing.
func (u *Universe) staticNode(n *corev1.Node) *staticNode {
	hash := u.hashKind(n)
	for _, s := range u.staticNodes[hash] {
		if s.matches(n) {
			return s
		}
	}
	s := &staticNode{
		index: u.staticCount, labels: cloneLabels(n.Labels, corev1.LabelHostname),
		taints: n.Spec.Taints, unschedulable: n.Spec.Unschedulable,
	}
	u.staticCount++
	u.staticNodes[hash] = append(u.staticNodes[hash], s)
	return s
}

// hashKind hashes labels but for the hostname, and taints. Labels are combined by
// a sum, which does not depend on the order of the map.
func (u *Universe) hashKind(n *corev1.Node) uint64 {
	var sum uint64
	for key, value := range n.Labels {
		if key != corev1.LabelHostname {
			sum += maphash.String(u.seed, key) ^ bits.RotateLeft64(maphash.String(u.seed, value), 1)
		}
	}
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		for _, s := range [...]string{t.Key, t.Value, string(t.Effect)} {
			sum = bits.RotateLeft64(sum, 1) + maphash.String(u.seed, s)
		}
	}
	if n.Spec.Unschedulable {
		sum++
	}
	return sum
}

// matches reports whether a node is of the kind.
func (s *staticNode) matches(n *corev1.Node) bool {
	same := 0
	for key, value := range n.Labels {
		if key == corev1.LabelHostname {
			continue
		}
		if known, ok := s.labels[key]; !ok || known != value {
			return false
		}
		same++
	}
	return same == len(s.labels) && s.unschedulable == n.Spec.Unschedulable &&
		slices.EqualFunc(s.taints, n.Spec.Taints, func(a, b corev1.Taint) bool {
			return a.Key == b.Key && a.Value == b.Value && a.Effect == b.Effect
		})
}

// accepts runs the static filters in the order of the default profile.
func (d *demand) accepts(n *node) Refusal {
	if d.personal {
		return d.judge(n)
	}
	s := n.profile.static
	for d.index >= len(s.verdicts) {
		s.verdicts = append(s.verdicts, 0)
	}
	if v := s.verdicts[d.index]; v != 0 {
		return Refusal(v - 1)
	}
	r := d.judge(n)
	s.verdicts[d.index] = uint8(r) + 1
	return r
}

func (d *demand) judge(n *node) Refusal {
	s := n.profile.static
	switch {
	case s.unschedulable && !tolerated(d.tolerations, &corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}):
		return Unschedulable
	case !d.tolerates(s.taints):
		return Taint
	case !d.selects(n):
		return NodeAffinity
	}
	return Fits
}

// tolerates reports whether no taint with effect NoSchedule or NoExecute is left
// untolerated (plugins/tainttoleration).
func (d *demand) tolerates(taints []corev1.Taint) bool {
	for i := range taints {
		t := &taints[i]
		if (t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute) && !tolerated(d.tolerations, t) {
			return false
		}
	}
	return true
}

func tolerated(tolerations []corev1.Toleration, taint *corev1.Taint) bool {
	for i := range tolerations {
		t := &tolerations[i]
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			continue
		}
		switch t.Operator {
		case corev1.TolerationOpExists:
			return true
		case corev1.TolerationOpEqual, "":
			if t.Value == taint.Value {
				return true
			}
		}
	}
	return false
}

// selects is the node selector together with the OR-ed required terms
// (k8s.io/component-helpers scheduling/corev1/nodeaffinity).
func (d *demand) selects(n *node) bool {
	label := func(key string) (string, bool) {
		if key == corev1.LabelHostname {
			return n.hostname()
		}
		v, ok := n.profile.static.labels[key]
		return v, ok
	}
	for k, want := range d.selector {
		if v, ok := label(k); !ok || v != want {
			return false
		}
	}
	if !d.affinity {
		return true
	}
	field := func(string) (string, bool) { return n.name, true }
	return slices.ContainsFunc(d.terms, func(t corev1.NodeSelectorTerm) bool {
		return len(t.MatchExpressions)+len(t.MatchFields) > 0 &&
			allMatch(t.MatchExpressions, label) && allMatch(t.MatchFields, field)
	})
}

func allMatch(exprs []corev1.NodeSelectorRequirement, lookup func(string) (string, bool)) bool {
	for i := range exprs {
		if v, ok := lookup(exprs[i].Key); !matches(&exprs[i], v, ok) {
			return false
		}
	}
	return true
}

func matches(e *corev1.NodeSelectorRequirement, value string, present bool) bool {
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return present && slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !present || !slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpExists:
		return present
	case corev1.NodeSelectorOpDoesNotExist:
		return !present
	}
	have, err := strconv.ParseInt(value, 10, 64)
	if !present || err != nil {
		return false
	}
	bound, _ := strconv.ParseInt(e.Values[0], 10, 64) // validated when the demand was made
	if e.Operator == corev1.NodeSelectorOpGt {
		return have > bound
	}
	return have < bound
}

// Selects reports whether pods of the class may run on a node by its taints and
// labels alone, cordoned or not.
func (c *Class) Selects(p *Profile) bool {
	n := &node{name: p.Node.Name, profile: p}
	return c.demand.tolerates(p.static.taints) && c.demand.selects(n)
}
