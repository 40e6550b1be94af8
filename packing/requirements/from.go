package requirements

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// FromLabels returns one In requirement for each label.
func FromLabels(labels map[string]string) Set {
	reqs := make([]Requirement, 0, len(labels))
	for key, value := range labels {
		reqs = append(reqs, Requirement{key: NormalizeKey(key), values: []string{value}})
	}
	return NewSet(reqs...)
}

// FromExpressions converts the match expressions of a node selector term. Errors
// are those of [New], joined, each with its index.
func FromExpressions(exprs []corev1.NodeSelectorRequirement) (Set, error) {
	reqs := make([]Requirement, 0, len(exprs))
	var errs []error
	for i, e := range exprs {
		r, err := New(e.Key, e.Operator, e.Values...)
		if err != nil {
			errs = append(errs, fmt.Errorf("matchExpressions[%d]: %w", i, err))
			continue
		}
		reqs = append(reqs, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return NewSet(reqs...), nil
}

// FromPod returns what a pod requires of its node, once for each alternative:
// the node selector together with each OR-ed term of the required node
// affinity. There is always at least one alternative; a term without
// expressions, which Kubernetes matches with no node, is left out, and if that
// leaves none the result is empty. matchFields are not labels and stay unread
// here. Errors are those of [New], with the path of the field.
func FromPod(pod *corev1.Pod) ([]Set, error) {
	selector := FromLabels(pod.Spec.NodeSelector)
	required := requiredNodeAffinity(pod)
	if required == nil {
		return []Set{selector}, nil
	}
	var alternatives []Set
	var errs []error
	for i, term := range required.NodeSelectorTerms {
		set, err := FromExpressions(term.MatchExpressions)
		if err != nil {
			errs = append(errs, fmt.Errorf("required node affinity: nodeSelectorTerms[%d].%w", i, err))
			continue
		}
		if len(term.MatchExpressions)+len(term.MatchFields) > 0 {
			alternatives = append(alternatives, selector.Intersect(set))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return alternatives, nil
}

// Preference is one preferred node affinity term.
type Preference struct {
	Weight       int32 // 1 to 100
	Requirements Set
}

// PreferencesFromPod returns the preferred node affinity terms in the pod's
// order. Errors are those of [New], with the path of the field.
func PreferencesFromPod(pod *corev1.Pod) ([]Preference, error) {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return nil, nil
	}
	var out []Preference
	var errs []error
	for i, term := range pod.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		set, err := FromExpressions(term.Preference.MatchExpressions)
		if err != nil {
			errs = append(errs, fmt.Errorf("preferred node affinity: [%d].preference.%w", i, err))
			continue
		}
		out = append(out, Preference{Weight: term.Weight, Requirements: set})
	}
	return out, errors.Join(errs...)
}

func requiredNodeAffinity(pod *corev1.Pod) *corev1.NodeSelector {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return nil
	}
	return pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}
