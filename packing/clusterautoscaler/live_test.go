package clusterautoscaler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// saidBy is all that a loop says, in a form to compare.
func saidBy(l *Loop) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	say("%v %s %s", l.At, l.ScaleUp, l.Result)
	for _, s := range l.ScaleUps {
		say("%s grows from %d to %d", s.Group.Name, s.From, s.To)
	}
	for _, m := range l.Bound {
		say("%s has room on %s", m.Pod.Name, m.To)
	}
	for _, p := range l.Pending {
		say("%s is pending", p.Name)
	}
	names := func(what string, nodes []*corev1.Node) {
		for _, n := range nodes {
			say("%s is %s", n.Name, what)
		}
	}
	names("a candidate", l.Candidates)
	names("unneeded", l.Unneeded)
	for _, n := range slices.Sorted(maps.Keys(l.Utilization)) {
		say("%s uses %v", n, l.Utilization[n])
	}
	for _, u := range slices.Concat(l.Unremovable, l.Others) {
		who := ""
		if u.BlockingPod != nil {
			who = u.BlockingPod.Name
		}
		say("%s stays: %s %s %s", u.Node.Name, u.Reason, who, u.Blocking)
	}
	return append(out, deeds(l)...)
}

// deeds are a loop's deletions.
func deeds(l *Loop) []string {
	var out []string
	for _, d := range l.Deletions {
		text := fmt.Sprintf("%s of %s goes, drained %v:", d.Node.Name, d.Group.Name, d.Drain)
		for _, m := range d.Pods {
			text += fmt.Sprintf(" %s to %s", m.Pod.Name, m.To)
		}
		out = append(out, text)
	}
	return out
}

// keptBy is a memory in a form to compare.
func keptBy(m Memory) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	say("unneeded %v, unremovable %v", m.Unneeded, m.Unremovable)
	say("last %v %v %v", m.LastScaleUp, m.LastDeletion, m.LastFailure)
	say("candidates %v, walk %d, interval %v", m.candidates, m.walk.last, m.interval)
	say("hints %v", m.hints)
	say("requests %v, expected %v", m.requests, m.expected)
	for _, g := range slices.Sorted(maps.Keys(m.templates)) {
		say("template of %s: %s with %d daemons", g, m.templates[g].node.Name, len(m.templates[g].daemons))
	}
	return out
}

// TestLiveIsScaleDown follows clusters to which random things happen: an autoscaler that is
// told of them decides, reports and remembers as one that reads a snapshot each time.
func TestLiveIsScaleDown(t *testing.T) {
	seen := map[string]int{}
	for seed := range seeds(t) / 2 {
		w := newLiveWorld(t, seed)
		a := w.start()
		for loop := range 25 {
			l, err := a.Loop(context.Background(), w.now)
			require.NoError(t, err)
			want, err := w.packer().ScaleDown(context.Background(), w.cluster(w.memory))
			require.NoError(t, err, "seed %d, loop %d", seed, loop)
			w.memory = want.Memory
			require.Equal(t, saidBy(want), saidBy(l), "seed %d, loop %d", seed, loop)
			require.Equal(t, keptBy(w.memory), keptBy(a.Memory()), "seed %d, loop %d", seed, loop)
			seen[string(l.Result)]++
			seen[string(l.ScaleUp)]++
			seen["deletions"] += len(l.Deletions)
			seen["bound"] += len(l.Bound)
			w.follow(l)
			w.now = w.now.Add([]time.Duration{10, 10, 20, 60, 300}[w.IntN(5)] * time.Second)
			for range w.IntN(6) {
				w.happen()
			}
			if w.one(8) {
				require.NoError(t, a.renew())
			}
		}
	}
	for _, what := range []string{"deletions", "bound", string(ScaleUpSuccessful), string(ScaleUpInCooldown), string(ScaleUpNoOptionsAvailable),
		string(ScaleDownInCooldown), string(ScaleDownNodeDeleteStarted), string(ScaleDownNoCandidates), string(ScaleDownNotTried)} {
		require.NotZero(t, seen[what], "%s never came: the problems are too easy: %v", what, seen)
	}
	t.Log(seen)
}

// TestNextLeavesNothingOut runs one autoscaler each ten seconds and another only when its
// next loop is due: loops that are left out decide nothing, and those that are not say and
// leave behind the same.
func TestNextLeavesNothingOut(t *testing.T) {
	run, skipped, deletions := 0, 0, 0
	for seed := range seeds(t) / 4 {
		w := newLiveWorld(t, seed)
		w.slow = seed%3 == 0
		each, due := w.start(), w.start()
		next, unneeded := w.now, ""
		for loop := range 150 {
			l, err := each.Loop(context.Background(), w.now)
			require.NoError(t, err)
			deletions += len(l.Deletions)
			now := fmt.Sprint(each.Memory().Unneeded)
			if next.IsZero() || next.After(w.now) {
				skipped++
				require.Empty(t, l.ScaleUps, "seed %d, loop %d", seed, loop)
				require.Empty(t, l.Deletions, "seed %d, loop %d", seed, loop)
				require.Empty(t, l.Bound, "seed %d, loop %d", seed, loop)
				require.Equal(t, unneeded, now, "seed %d, loop %d", seed, loop)
			} else {
				run++
				ours, err := due.Loop(context.Background(), w.now)
				require.NoError(t, err)
				require.Equal(t, saidBy(l), saidBy(ours), "seed %d, loop %d", seed, loop)
				require.Equal(t, keptBy(each.Memory()), keptBy(due.Memory()), "seed %d, loop %d", seed, loop)
			}
			unneeded = now
			w.follow(l)
			w.proceed()
			for _, g := range w.groups {
				require.Equal(t, g.TargetSize, each.TargetSize(g.Name), "seed %d, loop %d: size of %s", seed, loop, g.Name)
			}
			if w.one(12) {
				for range w.IntN(4) {
					w.happen()
				}
			}
			if w.one(40) {
				require.NoError(t, due.renew())
			}
			next = due.Next(w.now)
			w.now = w.now.Add(10 * time.Second)
		}
	}
	require.Greater(t, skipped, run, "hardly any loop is left out")
	require.NotZero(t, deletions)
	t.Logf("%d loops run, %d left out, %d deletions", run, skipped, deletions)
}
