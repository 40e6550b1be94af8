package clusterautoscaler

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// startupTaintPrefixes mark taints that a node carries until it has started
// (pkg/utils/taints/taints.go); those of --startup-taint do as well.
var startupTaintPrefixes = []string{"ignore-taint.cluster-autoscaler.kubernetes.io/", "startup-taint.cluster-autoscaler.kubernetes.io/"}

func (r *run) startupTaint(key string) bool {
	return slices.Contains(r.settings.StartupTaints, key) ||
		slices.ContainsFunc(startupTaintPrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// notReadyTaints say as much as a condition.
var notReadyTaints = []string{corev1.TaintNodeNotReady, corev1.TaintNodeDiskPressure, corev1.TaintNodeNetworkUnavailable}

// readiness reports whether a node takes pods, by its conditions and taints, and since
// when (pkg/utils/kubernetes/ready.go, GetNodeReadiness). A node that states no condition
// counts as ready, unlike in the original: manifests do without.
func readiness(n *corev1.Node) (ready bool, since time.Time) {
	ready = true
	changed := func(at time.Time) {
		if since.Before(at) {
			since = at
		}
	}
	for _, c := range n.Status.Conditions {
		switch c.Type {
		case corev1.NodeReady:
			ready = ready && c.Status != corev1.ConditionFalse && c.Status != corev1.ConditionUnknown
			changed(c.LastTransitionTime.Time)
		case corev1.NodeDiskPressure, corev1.NodeNetworkUnavailable:
			ready = ready && c.Status != corev1.ConditionTrue
			changed(c.LastTransitionTime.Time)
		}
	}
	for _, t := range n.Spec.Taints {
		if slices.Contains(notReadyTaints, t.Key) {
			ready = false
			if t.TimeAdded != nil {
				changed(t.TimeAdded.Time)
			}
		}
	}
	return ready, since
}

// ready reports whether a node takes pods. One with a startup taint, or whose GPUs are
// not there yet, is not ready whatever it says (FilterOutNodesWithStartupTaints;
// pkg/processors/customresources/gpu_processor.go).
func (r *run) ready(n *corev1.Node) bool {
	ready, _ := readiness(n)
	if !ready || n.Spec.Unschedulable {
		return ready
	}
	if resource, gpu := gpuOf(n); gpu && resource == "" {
		return false
	}
	return !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return r.startupTaint(t.Key) })
}

// stabilization is how long a node must have been ready to serve as a template
// (pkg/processors/nodeinfosprovider/mixed_nodeinfos_processor.go, stabilizationDelay).
const stabilization = time.Minute

// goodTemplate reports whether a node may serve as its group's template: ready and
// stable, not cordoned, not about to be deleted (isNodeGoodTemplateCandidate). Without
// conditions or a clock a node counts as stable.
func (r *run) goodTemplate(m *member) bool {
	n := m.node
	if !m.ready || n.Spec.Unschedulable || slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == toBeDeletedTaint }) {
		return false
	}
	_, since := readiness(n)
	return r.now.IsZero() || since.IsZero() || since.Add(stabilization).Before(r.now)
}

// startup is how long a node may take to become ready
// (pkg/clusterstate/clusterstate.go, MaxNodeStartupTime).
const startup = 15 * time.Minute

// notStarted reports whether a node is not ready because it is new.
func (r *run) notStarted(m *member) bool {
	created := m.node.CreationTimestamp
	return !m.ready && !created.IsZero() && !r.now.IsZero() && created.Add(startup).After(r.now)
}

// countReady returns how many nodes are ready and not cordoned, and how many have broken down.
func (r *run) countReady() (ready, unready int) {
	for _, m := range r.members {
		switch {
		case m.ready && !m.node.Spec.Unschedulable:
			ready++
		case !m.ready && m.going != goneFromCloud && !r.notStarted(m):
			unready++
		}
	}
	return ready, unready
}

// healthy reports whether few enough of a group's nodes are unready
// (pkg/clusterstate/clusterstate.go, IsNodeGroupHealthy). Where nothing is known of nodes that
// were asked for, those that have not started are taken to be among them.
func (r *run) healthy(group int) bool {
	unready := r.registered[group] - r.readyCount[group]
	switch {
	case r.requested != nil:
		unready = r.targets[group] - r.requested[group] - r.readyCount[group]
	case unready > 0:
		for _, m := range r.members {
			if m.group == group && r.notStarted(m) {
				unready--
			}
		}
	}
	return r.tolerable(unready, r.registered[group])
}

// tolerable reports whether so many unready nodes among all are no reason to stop.
func (r *run) tolerable(unready, all int) bool {
	return unready <= r.settings.OkTotalUnreadyCount || float64(unready) <= r.settings.MaxTotalUnreadyPercentage/100*float64(all)
}
