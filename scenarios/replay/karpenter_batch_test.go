package replay

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const apart = `affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {stage: play}}}]}},`

// Pods that each need a node come at given moments: the nodes are asked for when the batch
// closes, one second after the last trigger and ten after the first.
func TestKarpenterBatch(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	run := []time.Duration{}
	for i := range 14 {
		run = append(run, 60*s+time.Duration(i)*900*ms)
	}
	repeat := func(d time.Duration, n int) (out []time.Duration) {
		for range n {
			out = append(out, d)
		}
		return out
	}
	for _, c := range []struct {
		name     string
		launch   time.Duration // latency
		arrivals []time.Duration
		want     []time.Duration // of launches
	}{
		{"one pod", 2 * s, []time.Duration{60 * s}, []time.Duration{61 * s}},
		{"within the idle time", 2 * s, []time.Duration{60 * s, 60*s + 999*ms}, repeat(61*s+999*ms, 2)},
		{"at the end of the idle time", 2 * s, []time.Duration{60 * s, 61 * s}, repeat(62*s, 2)},
		{"after the idle time, the first launched", 500 * ms, []time.Duration{60 * s, 61*s + ms}, []time.Duration{61 * s, 62*s + ms}},
		// The cloud has not answered when the second batch closes at 62.001 s: that batch
		// is lost. The first pod triggers again at 70 s and opens the next.
		{"after the idle time, the first not launched", 2 * s, []time.Duration{60 * s, 61*s + ms}, []time.Duration{61 * s, 71 * s}},
		// The first twelve by the longest batch, at 70 s; the last two open a window at 70.8 s that
		// those which still wait prolong to its longest as they trigger again.
		{"longest batch", 500 * ms, run, append(repeat(70*s, 12), repeat(80*s+800*ms, 2)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := &stage{last: 90 * s}
			for i, at := range c.arrivals {
				name := fmt.Sprintf("pod%d", i)
				x.jobs = append(x.jobs, fmt.Sprintf("{name: %s, arrivals: {batch: {at: %v, pods: 1}}, runs: {constant: 1h}}", name, at))
				x.jobObject(name, "1", "", apart)
			}
			_, decisions := x.play(t, Karpenter(), func(s *Settings) { s.Latencies.Launch = Constant(c.launch, "test") })
			require.Equal(t, c.want, moments(decisions, "launch"))
		})
	}
}
