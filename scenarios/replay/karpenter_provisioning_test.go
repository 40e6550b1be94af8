package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowSolve has Karpenter take so long for each pod.
type slowSolve time.Duration

func (s slowSolve) Karpenter(w Work) time.Duration     { return time.Duration(w.Pods) * time.Duration(s) }
func (slowSolve) ClusterAutoscaler(Work) time.Duration { return 0 }
func (slowSolve) String() string                       { return "test" }

// Eight pods of which Karpenter takes ten seconds each: a Solve that begins at 61 s is cut off a
// minute later with the six large ones. All pods have triggered meanwhile, so that the next window
// opens at once, from 121 s to 122 s.
//
// If the launches have been answered by then, the next Solve is cut off in the same way: the six large
// pods have not been bound at 122 s, and are found room for again. Only the third, from 183 s on, gets
// to the two small ones. If they have not, the batch is lost, and the pods trigger again at 130 s.
func TestSolveIsCutOff(t *testing.T) {
	for _, c := range []struct {
		launch time.Duration // latency
		third  float64       // when the third Solve ends
	}{
		{500 * time.Millisecond, 183 + 20},
		{2 * time.Second, 192 + 20},
	} {
		x := &stage{last: 4 * time.Minute}
		x.job("small", time.Minute, 2, "2", "1h", "")
		x.job("large", time.Minute, 6, "3", "1h", "")
		_, decisions := x.play(t, Karpenter(), func(s *Settings) {
			s.DecisionTime, s.Latencies.Launch = slowSolve(10*time.Second), Constant(c.launch, "test")
		})
		require.Equal(t, seconds(121, 121, 121, 121, 121, 121, c.third, c.third), moments(decisions, "launch"))
	}
}

// A pod that has triggered while a Solve was under way does not prolong the window after it.
func TestWindowAfterSolve(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name               string
		every              time.Duration // distance of the pods' first triggers, from 50 s on
		begins, ends, want time.Duration
	}{
		{"all have triggered", s / 2, 61 * s, 75 * s, 76 * s},
		{"those of the first four seconds have", s / 2, 61 * s, 65 * s, 72 * s},
		{"too far apart to prolong it", 5 * s, 61 * s, 65 * s, 66 * s},
	} {
		b := newBatcher(s, 10*s)
		for at := 50 * s; at < 60*s; at += c.every {
			b.add(at)
		}
		b.trigger(60 * s)
		b.begin(c.begins)
		require.True(t, b.end(c.ends), c.name)
		require.Equal(t, c.want, b.closes(), c.name)
	}
	b := newBatcher(s, 10*s)
	b.add(50 * s)
	b.trigger(60 * s)
	b.begin(61 * s)
	require.False(t, b.end(62*s), "nothing has triggered")
}
