package kubescheduler

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
)

// systemPriorities are those that every cluster has (pkg/apis/scheduling/types.go).
var systemPriorities = map[string]int32{
	"system-cluster-critical": 2_000_000_000,
	"system-node-critical":    2_000_001_000,
}

func (s *Scheduler) readPriorities(classes []*schedulingv1.PriorityClass) error {
	for _, p := range classes {
		if _, ok := s.priorities[p.Name]; ok {
			return fmt.Errorf("priorityclass %s: stated twice", p.Name)
		}
		s.priorities[p.Name] = p
		if p.GlobalDefault && (s.defaultPriority == nil || p.Value < s.defaultPriority.Value) {
			s.defaultPriority = p // of several the lowest, as the admission plugin takes it
		}
	}
	return nil
}

// priority returns a pod's priority and whether it never preempts. What admission would have written into the
// pod (plugin/pkg/admission/priority) is looked up where it is missing. A class that is not known is an error.
func (s *Scheduler) priority(pod *corev1.Pod) (priority int32, never bool, err error) {
	policy := pod.Spec.PreemptionPolicy
	class := s.defaultPriority
	if name := pod.Spec.PriorityClassName; name != "" {
		if class = s.priorities[name]; class == nil {
			value, ok := systemPriorities[name]
			if !ok && pod.Spec.Priority == nil {
				return 0, false, fmt.Errorf("spec.priorityClassName: there is no priority class %q", name)
			}
			priority = value
		}
	}
	if class != nil {
		priority = class.Value
		if policy == nil {
			policy = class.PreemptionPolicy
		}
	}
	if pod.Spec.Priority != nil {
		priority = *pod.Spec.Priority
	}
	return priority, policy != nil && *policy == corev1.PreemptNever, nil
}

// ranks is how many pods there are of each priority. There are few priorities.
type ranks []rank

type rank struct{ priority, pods int32 }

func (r *ranks) add(priority, pods int32) {
	for i := range *r {
		if (*r)[i].priority == priority {
			(*r)[i].pods += pods
			return
		}
	}
	*r = append(*r, rank{priority, pods})
}

// below reports whether there are pods of a lower priority.
func (r ranks) below(priority int32) bool {
	for _, of := range r {
		if of.priority < priority && of.pods > 0 {
			return true
		}
	}
	return false
}

// Less reports whether a pod of class a that joined the queue at one moment comes before one of class b
// that joined at another: by priority, then by time (plugins/queuesort/priority_sort.go).
func Less(a, b *Class, joinedA, joinedB time.Duration) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return joinedA < joinedB
}
