package replay

import (
	"fmt"
	"math"
	"time"
)

// Work is what a decision is about, as far as its time depends on it.
type Work struct {
	// Pods are scheduled, Bound are on nodes already.
	Pods, Bound int
	// Nodes are there or on their way; NewNodes came out of the decision.
	Nodes, NewNodes int
	// Groups are the node groups that were estimated (Cluster Autoscaler) since they could help
	// some of the pods, NodeLimit the nodes
	// at which the estimate of each ends; 0 is no limit.
	Groups, NodeLimit int
	// Simulations is how often the decision scheduled (consolidation).
	Simulations int
	// Measured is how long Binwright took.
	Measured time.Duration
}

// DecisionTime says how long an autoscaler takes to decide.
type DecisionTime interface {
	// Karpenter is the time of one Solve.
	Karpenter(w Work) time.Duration
	// ClusterAutoscaler is the time of one loop.
	ClusterAutoscaler(w Work) time.Duration
	String() string
}

// OriginalTime is fitted to the measured speed of the originals, on two cores:
// Karpenter v1.14.1 (one worker, its default) solves 1,000, 5,000 and 10,000 diverse
// pods onto 200, 1,000 and 2,000 nodes in 0.71, 5.07 and 13.3 s, and simulates one
// removal in a cluster of 30,000 pods in 0.9 s; Cluster Autoscaler 33c3f97bf decides on
// 5,000, 20,000 and 50,000 pods and 20 groups in 3.2, 6.5 and 6.8 s, and with the node
// limit raised in 6.1, 60 and 295 s.
type OriginalTime struct{}

// Parameters of the fit. Karpenter: so much a pod, a pod and node, and a bound pod.
// Within 6% of the three measurements.
const (
	solvePerPod        = 634 * time.Microsecond
	solvePerPodAndNode = 380 * time.Nanosecond
	solvePerBoundPod   = 30 * time.Microsecond
)

// Karpenter implements [DecisionTime].
func (OriginalTime) Karpenter(w Work) time.Duration {
	one := time.Duration(w.Pods)*solvePerPod + time.Duration(w.Pods)*time.Duration(w.Nodes+w.NewNodes)*solvePerPodAndNode +
		time.Duration(w.Bound)*solvePerBoundPod
	return one * time.Duration(max(1, w.Simulations))
}

// Parameters of the fit. Cluster Autoscaler: a group's estimate takes estimate5000 for 5,000 pods and
// grows with the power estimateGrowth of the pods, since each new node is tried for each pod. A
// limit on the nodes of a scale-up ends it once that many are packed, podsANode on each. Groups of
// small nodes reach the limit at fewer pods than groups of large ones, so that the one time
// goes over into the other by and by: what they allow adds up as rates do. Within 5% of the six
// measurements. That reading the cluster takes loopAtLeast is an assumption.
const (
	estimate5000   = 305 * time.Millisecond
	estimateGrowth = 1.68
	podsANode      = 5.4
	loopAtLeast    = 100 * time.Millisecond
)

// estimate is how long a group's estimate for so many pods takes.
func estimate(pods float64) float64 {
	return float64(estimate5000) * math.Pow(pods/5000, estimateGrowth)
}

// ClusterAutoscaler implements [DecisionTime].
func (OriginalTime) ClusterAutoscaler(w Work) time.Duration {
	if w.Pods == 0 {
		return loopAtLeast
	}
	one := estimate(float64(w.Pods))
	if w.NodeLimit > 0 {
		one = 1 / (1/one + 1/estimate(podsANode*float64(w.NodeLimit)))
	}
	return max(loopAtLeast, time.Duration(one*float64(max(1, w.Groups))))
}

// String says so in words, for a result's assumptions.
func (OriginalTime) String() string {
	return "decisions take as long as the originals', by a fit to their measured speed"
}

// MeasuredTime is how long Binwright itself took. Replays are then no longer the same each time.
type MeasuredTime struct{}

// Karpenter implements [DecisionTime].
func (MeasuredTime) Karpenter(w Work) time.Duration { return w.Measured }

// ClusterAutoscaler implements [DecisionTime].
func (MeasuredTime) ClusterAutoscaler(w Work) time.Duration { return w.Measured }

// String says so in words, for a result's assumptions.
func (MeasuredTime) String() string { return "decisions take as long as Binwright's own took" }

// NoTime has decisions take none.
type NoTime struct{}

// Karpenter implements [DecisionTime].
func (NoTime) Karpenter(Work) time.Duration { return 0 }

// ClusterAutoscaler implements [DecisionTime].
func (NoTime) ClusterAutoscaler(Work) time.Duration { return 0 }

// String says so in words, for a result's assumptions.
func (NoTime) String() string { return "decisions take no time" }

// DecisionTimeNamed returns "original", "measured" or "none".
func DecisionTimeNamed(name string) (DecisionTime, error) {
	switch name {
	case "original":
		return OriginalTime{}, nil
	case "measured":
		return MeasuredTime{}, nil
	case "none":
		return NoTime{}, nil
	}
	return nil, fmt.Errorf("%w: decision time %q is not original, measured or none", ErrSettings, name)
}
