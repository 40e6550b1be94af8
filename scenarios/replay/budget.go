package replay

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/scenarios/internal/disruption"
)

// budgets are the PodDisruptionBudgets of the cluster, their status kept up to date as the
// disruption controller would. A pod counts as healthy while it runs.
type budgets struct {
	all []*budget
	// of are the budgets that select a pod, by what tells pods apart for them: the pod's owner.
	of map[*workload][]*budget
}

type budget struct {
	index    int32
	obj      *policyv1.PodDisruptionBudget
	selector labels.Selector
	pods     map[*pod]bool // that it selects and that are not told to stop: whether they run
	healthy  int
	stale    bool
}

func newBudgets(objects []*policyv1.PodDisruptionBudget) (*budgets, error) {
	b := &budgets{of: map[*workload][]*budget{}}
	for _, o := range objects {
		selector, err := metav1.LabelSelectorAsSelector(o.Spec.Selector)
		if err != nil {
			return nil, fmt.Errorf("pod disruption budget %s/%s: spec.selector: %w", o.Namespace, o.Name, err)
		}
		b.all = append(b.all, &budget{index: int32(len(b.all)), obj: o, selector: selector, pods: map[*pod]bool{}, stale: true})
	}
	return b, nil
}

// covering returns the budgets that select a pod.
func (b *budgets) covering(p *pod) []*budget {
	if len(b.all) == 0 {
		return nil
	}
	if p.owner == nil {
		return b.selecting(p.obj)
	}
	list, ok := b.of[p.owner]
	if !ok {
		list = b.selecting(p.obj)
		b.of[p.owner] = list
	}
	return list
}

func (b *budgets) selecting(p *corev1.Pod) []*budget {
	var out []*budget
	for _, x := range b.all {
		if x.obj.Namespace == p.Namespace && x.selector.Matches(labels.Set(p.Labels)) {
			out = append(out, x)
		}
	}
	return out
}

// changed looks at a pod whose state may have changed.
func (b *budgets) changed(p *pod) {
	for _, x := range b.covering(p) {
		was, known := x.pods[p]
		if was {
			x.healthy--
		}
		x.stale = true
		if p.state == podStopping || p.state == podGone {
			if known {
				delete(x.pods, p)
			}
			continue
		}
		running := p.state == podRunning
		x.pods[p] = running
		if running {
			x.healthy++
		}
	}
}

// allow reports whether the eviction API would let a pod go: if it does not run yet, if no budget
// selects it, or if the only one that does allows it (pkg/registry/core/pod/storage/eviction.go).
func (b *budgets) allow(p *pod) bool {
	if p.state != podRunning {
		return true
	}
	list := b.covering(p)
	return len(list) == 0 || len(list) == 1 && list[0].allowed() > 0
}

// scale is how many pods there should be: the replicas of the workloads selected, once each. It is not known
// if the controller of a pod has none; pods that nobody controls do not count.
func (x *budget) scale() (n int, known bool) {
	seen := map[*workload]bool{}
	for p := range x.pods {
		if p.owner != nil {
			if !seen[p.owner] {
				seen[p.owner] = true
				n += p.owner.replicas
			}
			continue
		}
		switch c := metav1.GetControllerOfNoCopy(p.obj); {
		case c == nil:
		case !disruption.HasScale(c.Kind):
			return 0, false
		default:
			n++
		}
	}
	return n, true
}

func (x *budget) allowed() int {
	x.refresh()
	return int(x.obj.Status.DisruptionsAllowed)
}

// refresh writes the status anew if it is stale, into a new object.
func (x *budget) refresh() {
	if !x.stale {
		return
	}
	x.stale = false
	made := *x.obj
	made.Status = disruption.Status(&made.Spec, len(x.pods), x.healthy, x.scale)
	x.obj = &made
}

// objects returns the budgets as the API server has them.
func (b *budgets) objects() []*policyv1.PodDisruptionBudget {
	if len(b.all) == 0 {
		return nil
	}
	out := make([]*policyv1.PodDisruptionBudget, len(b.all))
	for i, x := range b.all {
		x.refresh()
		out[i] = x.obj
	}
	return out
}

// allowances are what is left of each budget, in their order.
func (b *budgets) allowances() []int32 {
	out := make([]int32, len(b.all))
	for i, x := range b.all {
		out[i] = int32(x.allowed())
	}
	return out
}

// indexes are the places of the budgets that select a pod.
func (b *budgets) indexes(p *pod) []int32 {
	list := b.covering(p)
	if len(list) == 0 {
		return nil
	}
	out := make([]int32, len(list))
	for i, x := range list {
		out[i] = x.index
	}
	return out
}
