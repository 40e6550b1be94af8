package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A pod of higher priority does not make a daemon pod go: of the 3.92 CPU of a node the daemon
// keeps 1, so that two pods of 1.9 CPU each get a node of their own.
func TestDaemonPodsAreNotPreempted(t *testing.T) {
	for _, a := range []Autoscaler{Karpenter(), ClusterAutoscaler()} {
		x := &stage{last: 20 * time.Minute}
		x.daemonSet("1", "")
		x.priorityClass("high", 100)
		x.jobs = []string{"{name: first, arrivals: {batch: {at: 1m, pods: 1}}, runs: {constant: 1h}}",
			"{name: second, arrivals: {batch: {at: 5m, pods: 1}}, runs: {constant: 1h}}"}
		x.jobObject("first", "1900m", "", "priorityClassName: high, ")
		x.jobObject("second", "1900m", "", "priorityClassName: high, ")
		x.job("small", 3*time.Minute, 1, "10m", "1h", "") // of low priority, but it alone makes no room
		r, _ := x.play(t, a)
		require.Empty(t, r.Pods.EvictedBy)
		require.Equal(t, 2, r.Nodes.Launched)
		require.Equal(t, 3, r.Pods.RunningAtEnd)
	}
}

// A daemon pod that the template of a group has room for and its nodes have not leaves the node
// to others: it would wait for ever.
func TestDaemonPodBeyondItsNode(t *testing.T) {
	x := &stage{last: 20 * time.Minute}
	x.daemonSet("3950m", "")
	x.job("work", time.Minute, 1, "10m", "1h", "")
	r, _ := x.play(t, ClusterAutoscaler())
	require.Equal(t, 1, r.Pods.RunningAtEnd)
}
