package feasibility

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// podSelector says which pods a spread constraint or an affinity term is about:
// namespaces and labels. Verdicts are kept by class.
type podSelector struct {
	key        string
	universe   *Universe
	namespaces []string        // sorted
	byLabels   labels.Selector // namespaces by their labels, nil for none
	pods       labels.Selector
	verdicts   []uint8 // by class: 0 unknown, 1 no, 2 yes
}

func (u *Universe) selector(namespaces []string, byLabels, pods labels.Selector) *podSelector {
	namespaces = slices.Compact(slices.Sorted(slices.Values(namespaces)))
	key := fmt.Sprintf("%q|%s|%s|%v", namespaces, selectorKey(byLabels), pods, pods.Empty())
	if s, ok := u.selectors[key]; ok {
		return s
	}
	s := &podSelector{key: key, universe: u, namespaces: namespaces, byLabels: byLabels, pods: pods}
	u.selectors[key] = s
	return s
}

func selectorKey(s labels.Selector) string {
	if s == nil {
		return "-"
	}
	return "(" + s.String() + ")" + fmt.Sprint(s.Empty())
}

// matches reports whether pods of a class are selected.
func (s *podSelector) matches(c *Class) bool {
	for c.Index >= len(s.verdicts) {
		s.verdicts = append(s.verdicts, 0)
	}
	if v := s.verdicts[c.Index]; v != 0 {
		return v == 2
	}
	ok := s.judge(c)
	s.verdicts[c.Index] = 1
	if ok {
		s.verdicts[c.Index] = 2
	}
	return ok
}

func (s *podSelector) judge(c *Class) bool {
	ns := c.Pod.Namespace
	if !slices.Contains(s.namespaces, ns) &&
		(s.byLabels == nil || !s.byLabels.Matches(labels.Set(s.universe.namespaceLabels[ns]))) {
		return false
	}
	return s.pods.Matches(labels.Set(c.Pod.Labels))
}

// keyedSelector adds the labels that matchLabelKeys and mismatchLabelKeys take
// from the pod itself. The API server writes them into the selector when a pod is
// created; a pod from a manifest may not have been there, and adding them twice
// changes nothing.
func keyedSelector(selector *metav1.LabelSelector, pod *corev1.Pod, match, mismatch []string) (labels.Selector, error) {
	out, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	add := func(keys []string, op selection.Operator) error {
		for _, k := range keys {
			v, ok := pod.Labels[k]
			if !ok {
				continue
			}
			r, err := labels.NewRequirement(k, op, []string{v})
			if err != nil {
				return err
			}
			if _, selectable := out.Requirements(); !selectable {
				out = labels.NewSelector()
			}
			out = out.Add(*r)
		}
		return nil
	}
	if err := add(match, selection.In); err != nil {
		return nil, err
	}
	if err := add(mismatch, selection.NotIn); err != nil {
		return nil, err
	}
	return out, nil
}
