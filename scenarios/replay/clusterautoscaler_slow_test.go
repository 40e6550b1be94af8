package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowLoops are loops of Cluster Autoscaler that take so long when pods wait.
type slowLoops struct {
	NoTime
	each time.Duration
}

func (s slowLoops) ClusterAutoscaler(w Work) time.Duration {
	if w.Pods == 0 {
		return 0
	}
	return s.each
}

// A pod that comes while a loop is at work is left to the next, which begins after it.
func TestLoopsDoNotOverlap(t *testing.T) {
	const each = 25 * time.Second
	x := &stage{last: 10 * time.Minute}
	x.job("first", 60*time.Second, 1, "3", "1h", "")
	x.job("second", 75*time.Second, 1, "3", "1h", "")
	_, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.DecisionTime = slowLoops{each: each} })
	first := scanAt(stageSettings().Seed, 62*time.Second) + each
	require.Equal(t, []time.Duration{first, first + each}, moments(decisions, "scale-up"))
}
