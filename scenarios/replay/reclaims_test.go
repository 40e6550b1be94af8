package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each of five pods has a node. At 30 minutes the cloud takes back 30% of them, which is two, at one moment
// whoever the autoscaler is: Karpenter and a handler are told then, without one the nodes go two minutes later.
func TestReclaims(t *testing.T) {
	for _, a := range allAutoscalers() {
		t.Run(a.Name, func(t *testing.T) {
			x := &stage{last: time.Hour, capacityType: "spot", zones: "us-east-1a, us-east-1b, us-east-1c", reclaims: "{at: 30m, share: 0.3}"}
			x.deployment("web", 5, "3", "", "")
			r, decisions := x.play(t, a)
			when := 30 * time.Minute
			if a.Name == ClusterAutoscalerWithoutHandler().Name {
				when += 2 * time.Minute
			}
			require.Equal(t, []time.Duration{when, when}, moments(decisions, "interruption"))
			require.Equal(t, 2, r.Nodes.Interruptions)
			require.Equal(t, []ReasonCount{{evictedByInterruption, 2}}, r.Pods.EvictedBy)
			require.Equal(t, 5, r.Pods.RunningAtEnd)
			require.Contains(t, r.Assumptions, "besides, the scenario's timeline has spot instances reclaimed at set times")

			r, _ = x.play(t, a, func(s *Settings) { s.Cloud.IgnoreReclaims = true })
			require.Zero(t, r.Nodes.Interruptions)
		})
	}
}

// On-demand instances are not taken back.
func TestReclaimsAreOfSpot(t *testing.T) {
	x := &stage{last: time.Hour, reclaims: "{at: 30m, share: 1}"}
	x.deployment("web", 2, "3", "", "")
	for _, a := range allAutoscalers() {
		r, _ := x.play(t, a)
		require.Zero(t, r.Nodes.Interruptions)
	}
}

// Half of eight instances are taken back, and a second later half of those that have not been told yet.
func TestReclaimsAreOfInstancesNotToldYet(t *testing.T) {
	x := &stage{last: time.Hour, capacityType: "spot", zones: "us-east-1a, us-east-1b, us-east-1c", reclaims: "{at: 30m, share: 0.5}, {at: 1801s, share: 0.5}"}
	x.deployment("web", 8, "3", "", "")
	for seed := range uint64(4) {
		r, _ := x.play(t, Karpenter(), func(s *Settings) { s.Seed = seed })
		require.Equal(t, 4+2, r.Nodes.Interruptions)
	}
}
