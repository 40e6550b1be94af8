package clusterautoscaler

// failuresPerController is how many distinct failed pods of a controller are
// remembered (pkg/simulator/scheduling/similar_pods.go, maxPodsPerOwnerRef).
const failuresPerController = 10

// filterOutSchedulable tries pods, in the given order, on the nodes that there are
// or that are on their way, puts those that fit there, and returns the others
// (pkg/core/podlistprocessor/filter_out_schedulable.go). A pod that is like one that
// already failed is not tried again.
func (r *run) filterOutSchedulable(pods []int32, placed func(pod, node int32)) []int32 {
	return r.newSchedulableFilter(placed).try(pods)
}

// schedulableFilter tries pods on nodes and remembers which kinds failed.
type schedulableFilter struct {
	*run
	placed     func(pod, node int32)
	failedAt   []int // by class: placements when it failed; it fails again until there is another, or never succeeds
	placements int
	failed     []bool // by kind
	failures   []int  // by controller
}

func (r *run) newSchedulableFilter(placed func(pod, node int32)) *schedulableFilter {
	return &schedulableFilter{run: r, placed: placed, failedAt: make([]int, r.universe.Classes()), placements: 1,
		failed: make([]bool, len(r.pods.distinct)), failures: make([]int, r.pods.controllers)}
}

// never is in place of the number of placements where no placement can make a difference.
const never = -1

// try tries pods in the given order and returns those that are left.
func (f *schedulableFilter) try(pods []int32) []int32 {
	left := make([]int32, 0, len(pods))
	for i, p := range pods {
		if i&1023 == 0 && f.ctx.Err() != nil {
			return nil
		}
		k := f.pods.kinds[p]
		if k.controller >= 0 && f.failed[k.index] {
			left = append(left, p)
			continue
		}
		node := int32(-1)
		if at := f.failedAt[k.class.Index]; at != f.placements && at != never {
			node = f.walk.next(f.cluster, k.class, nil)
		}
		if node >= 0 {
			f.placements++
			f.placed(p, node)
			continue
		}
		f.failedAt[k.class.Index] = f.placements
		if k.class.OnlyTightens() {
			f.failedAt[k.class.Index] = never
		}
		left = append(left, p)
		if k.controller >= 0 && !f.pods.daemon[p] && f.failures[k.controller] < failuresPerController {
			f.failures[k.controller]++
			f.failed[k.index] = true
		}
	}
	return left
}

// bind records that pods found in a loop's own packing are bound to real nodes.
func (r *run) bind(pod, node int32) {
	k := r.pods.kinds[pod]
	r.cluster.Place(k.class, node, 1)
	m := r.memberOf[node]
	m.placed = append(m.placed, pod)
	r.bound[pod] = true
	if r.pods.daemon[pod] {
		m.daemons = append(m.daemons, newDaemonPod(r.pods.pods[pod], k.class))
		if m.group >= 0 && r.templateOf[m.group] == m {
			r.templateOf[m.group] = nil // its daemons have changed
		}
	}
}
