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

// A pod that comes while a loop is at work is left to the next. That begins a scan interval after the
// end of the slow one, or at its end if loops are frequent.
func TestLoopsDoNotOverlap(t *testing.T) {
	const each = 25 * time.Second
	play := func(flags string) []time.Duration {
		x := &stage{last: 10 * time.Minute, flags: flags}
		x.job("first", 60*time.Second, 1, "3", "1h", "")
		x.job("second", 75*time.Second, 1, "3", "1h", "")
		_, decisions := x.play(t, ClusterAutoscaler(), func(s *Settings) { s.DecisionTime = slowLoops{each: each} })
		return moments(decisions, "scale-up")
	}
	first := scanAt(stageSettings().Seed, 62*time.Second) + each
	require.Equal(t, []time.Duration{first, first + 10*time.Second + each}, play(onlyScans))
	require.Equal(t, []time.Duration{70*time.Second + informed + each, 70*time.Second + informed + 2*each}, play(""))
}

// Loops that are left out take their time too, and the interval begins at their end.
func TestScansTakeTime(t *testing.T) {
	s := scans{interval: 10 * time.Second, idle: time.Second}
	require.Equal(t, 10*time.Second, s.next(0))
	require.Equal(t, 21*time.Second, s.next(11*time.Second))
	require.Equal(t, 21*time.Second, s.next(21*time.Second))
	require.Equal(t, 32*time.Second, s.next(21*time.Second+1))
	require.False(t, s.end(23*time.Second, true))
	require.Equal(t, 33*time.Second, s.next(0))
}

// After a loop that changed something two follow at once, and one after a pod that came meanwhile.
func TestFrequentLoops(t *testing.T) {
	s := scans{interval: 10 * time.Second, frequent: true}
	var again []bool
	for i := range 5 {
		again = append(again, s.end(time.Duration(i), i == 0))
	}
	require.Equal(t, []bool{true, true, false, false, false}, again)
	s.signalled = true
	require.True(t, s.end(5, false))
	require.False(t, s.end(6, false))
}

// workLog notes what loops had to do.
type workLog struct {
	NoTime
	loops *[]Work
}

func (l workLog) ClusterAutoscaler(w Work) time.Duration {
	if w.Pods > 0 {
		*l.loops = append(*l.loops, w)
	}
	return 0
}

// A loop estimates for the pods that no node on its way has room for, and the groups that could help them.
func TestWorkOfLoops(t *testing.T) {
	x := &stage{last: 10 * time.Minute}
	x.group("tainted", ", taints: [{key: for, value: special, effect: NoSchedule}]")
	x.job("three", time.Minute, 3, "3", "1h", "")
	x.job("later", 80*time.Second, 1, "3", "1h", "")
	var loops []Work
	x.play(t, ClusterAutoscaler(), func(s *Settings) { s.DecisionTime = workLog{loops: &loops} })
	require.Len(t, loops, 2)
	for i, pods := range []int{3, 1} {
		require.Equal(t, pods, loops[i].Pods)
		require.Equal(t, 1, loops[i].Groups)
		require.Equal(t, pods, loops[i].NewNodes)
		require.Equal(t, 1000, loops[i].NodeLimit)
	}
}
