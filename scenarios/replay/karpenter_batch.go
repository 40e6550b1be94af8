package replay

import (
	"slices"
	"time"
)

// batcher decides when a Solve begins: a window opens with the first trigger, is prolonged by
// each further one, and closes after so long without one or so long in all. A pod or node that
// triggers again counts once from the end of the window before to the end of its own
// (Karpenter v1.14.1 pkg/controllers/provisioning/batcher.go). It also knows when pods that
// wait and nodes that go trigger again, every ten seconds from their first time on.
type batcher struct {
	idle, longest time.Duration
	open          bool
	opened, last  time.Duration
	cleared       time.Duration   // what triggered since has been counted
	solving       bool            // no window opens
	armed         bool            // triggered while solving
	phases        []time.Duration // of what triggers again, within ten seconds, sorted
}

func newBatcher(idle, longest time.Duration) *batcher { return &batcher{idle: idle, longest: longest} }

// add and remove keep the phases of what triggers again.
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

// after returns when something triggers again after a moment, false if nothing does.
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
	if b.solving {
		b.armed = true
		return
	}
	if !b.open {
		b.open, b.opened, b.cleared = true, t, t
	}
	b.last = t
}

// closes returns when the window closes, with what triggers again until then.
func (b *batcher) closes() time.Duration {
	for {
		end := min(b.last+b.idle, b.opened+b.longest)
		next, ok := b.after(b.last)
		if !ok || next > end || next >= b.opened+b.longest || next > b.cleared+triggerEvery {
			return end
		}
		b.last = next
	}
}

// begin closes the window.
func (b *batcher) begin(t time.Duration) {
	b.open, b.solving, b.armed, b.cleared = false, true, false, t
}

// end opens the next window if something has triggered while a Solve was under way, and
// reports whether it did.
func (b *batcher) end(t time.Duration) bool {
	b.solving = false
	if next, ok := b.after(b.cleared); b.armed || ok && next <= t {
		b.open, b.opened, b.last = true, t, t
	}
	return b.open
}
