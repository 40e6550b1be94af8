package replay

import "time"

// scans is when the loops of Cluster Autoscaler begin (pkg/loop/trigger.go, and the loop around
// it in main.go): --scan-interval after the end of the last one, not after its beginning. With
// --frequent-loops-enabled a loop also begins as soon as kube-scheduler finds a pod
// unschedulable, or at the end of the loop at work if there is one, and two follow at once on
// a loop that scaled up or began to delete nodes.
type scans struct {
	interval time.Duration
	// idle is how long a loop takes that decides nothing: those that the replay leaves out.
	idle     time.Duration
	frequent bool

	ended     time.Duration // the end of the last loop
	atWork    bool          // a loop is being computed or carried out
	signalled bool          // a pod was found unschedulable meanwhile
	follow    int           // loops that are to follow at once
}

// next is the first moment at or after another at which a loop begins if nothing brings it forward.
func (s *scans) next(t time.Duration) time.Duration {
	first := s.ended + s.interval
	if t <= first {
		return first
	}
	period := s.interval + s.idle
	return first + (t-first+period-1)/period*period
}

// end notes that the loop at work has ended, and whether it scaled up or began to delete; it
// reports whether another begins at once.
func (s *scans) end(now time.Duration, productive bool) bool {
	s.ended, s.atWork = now, false
	if !s.frequent {
		return false
	}
	if productive {
		s.follow = 2
	}
	again := s.signalled || s.follow > 0
	s.follow, s.signalled = max(0, s.follow-1), false
	return again
}

// dirty says that something has changed: the next loop is not left out.
func (c *caController) dirty() {
	if c.process == nil || c.scans.atWork {
		return // a loop at work plans the next
	}
	next := c.scans.next(c.now)
	if c.scan == nil || c.scan.do == nil || c.scan.at > next {
		c.plan(next)
	}
}

// informed is how much later a loop begins that a pod brings forward, so that the pod is older than
// new-pod-scale-up-delay of 0.
const informed time.Duration = 1

// signal says that kube-scheduler has found a pod unschedulable.
func (c *caController) signal() {
	switch {
	case !c.scans.frequent:
		c.dirty()
	case c.scans.atWork:
		c.scans.signalled = true
	case c.process != nil:
		c.plan(c.now + informed)
	}
}

func (c *caController) plan(at time.Duration) {
	c.scan.cancel()
	c.scan = c.at(at, rankAutoscaler, c.loop)
}
