package replay

import (
	"slices"
	"time"
)

// batcher decides when a Solve begins: a window opens with the first trigger, is prolonged by
// each further one, and closes after so long without one or so long in all
// (Karpenter v1.14.1 pkg/controllers/provisioning/batcher.go). It also knows when pods that
// wait trigger again, every ten seconds from their first time on.
type batcher struct {
	idle, longest time.Duration
	open          bool
	opened, last  time.Duration
	phases        []time.Duration // of the waiting pods within ten seconds, sorted
}

func newBatcher(idle, longest time.Duration) *batcher { return &batcher{idle: idle, longest: longest} }

// add and remove keep the phases of the pods that wait.
func (b *batcher) add(at time.Duration) {
	phase := at % triggerEvery
	i, _ := slices.BinarySearch(b.phases, phase)
	b.phases = slices.Insert(b.phases, i, phase)
}

func (b *batcher) remove(at time.Duration) {
	if i, ok := slices.BinarySearch(b.phases, at%triggerEvery); ok {
		b.phases = slices.Delete(b.phases, i, i+1)
	}
}

// after returns when the first waiting pod triggers after a moment, false if none waits.
func (b *batcher) after(t time.Duration) (time.Duration, bool) {
	if len(b.phases) == 0 {
		return 0, false
	}
	phase := t % triggerEvery
	i, found := slices.BinarySearch(b.phases, phase)
	for found && i < len(b.phases) && b.phases[i] == phase {
		i++
	}
	base := t - phase
	if i == len(b.phases) {
		return base + triggerEvery + b.phases[0], true
	}
	return base + b.phases[i], true
}

// trigger opens the window or prolongs it.
func (b *batcher) trigger(t time.Duration) {
	if !b.open {
		b.open, b.opened = true, t
	}
	b.last = t
}

// closes returns when the window closes, with the triggers of waiting pods until then.
func (b *batcher) closes() time.Duration {
	for {
		end := min(b.last+b.idle, b.opened+b.longest)
		next, ok := b.after(b.last)
		if !ok || next > end || next >= b.opened+b.longest {
			return end
		}
		b.last = next
	}
}
