package feasibility

import (
	"fmt"
	"math"
	"slices"
)

// Unlimited is an allowance without end.
const Unlimited = math.MaxInt

// Countable reports whether pods of the class can be placed on nodes that are
// copies of one another by reckoning how many fit: what decides is each node's free
// resources, its exclusions (see [Class.Excludes]), its count under a rule that
// spreads over hosts (see [Class.HostSpread]), and one allowance for all of the copies
// together (see [Cluster.Allowance]). Affinity to pods on the same host cannot be
// reckoned so, nor can several rules that spread over hosts.
func (c *Class) Countable() bool {
	hosts := 0
	for i := range c.spread {
		if c.spread[i].key == keyHostname {
			hosts++
		}
	}
	return hosts <= 1 && (c.volumes == nil || c.volumes.local()) &&
		(c.affinity == nil || !slices.ContainsFunc(c.affinity.terms, func(t term) bool { return t.key == keyHostname }))
}

// Gated reports whether a rule over more than a host bears on the class, so that
// its allowance may be bounded.
func (c *Class) Gated() bool {
	wide := func(g *counting) bool { return g.key != keyHostname }
	return c.affinity != nil ||
		slices.ContainsFunc(c.spread, func(r spreadRule) bool { return r.key != keyHostname }) ||
		slices.ContainsFunc(c.antiAffinity, wide) || slices.ContainsFunc(c.repelled(), wide)
}

// Excluding reports whether pods of the class cannot share a host with some others.
func (c *Class) Excluding() bool {
	host := func(g *counting) bool { return g.key == keyHostname }
	return len(c.ports) > 0 || slices.ContainsFunc(c.antiAffinity, host) || slices.ContainsFunc(c.repelled(), host)
}

// Excludes reports whether pods of both classes cannot share a host: they want the
// same port, or one keeps away from the other on its host. It is symmetric.
func (c *Class) Excludes(o *Class) bool {
	if portsClash(c, o) {
		return true
	}
	return c.keepsFrom(o) || o.keepsFrom(c)
}

func (c *Class) keepsFrom(o *Class) bool {
	return slices.ContainsFunc(c.antiAffinity, func(g *counting) bool { return g.key == keyHostname && g.weigh(o) > 0 })
}

// ExclusionKey is equal for classes that exclude the same others and are excluded by
// the same, as long as no class is added to the universe.
func (c *Class) ExclusionKey() string {
	var key []byte
	for _, p := range c.ports {
		key = fmt.Appendf(key, "%q%s%d ", p.ip, p.protocol, p.port)
	}
	for _, countings := range [][]*counting{c.antiAffinity, c.repelled()} {
		key = append(key, '|')
		for _, g := range countings {
			if g.key == keyHostname {
				key = fmt.Appendf(key, "%d ", g.index)
			}
		}
	}
	return string(key)
}

// HostKey is equal for classes that any copy of a template takes or refuses alike, rules
// over more than a host apart, as long as no class is added to the universe.
func (c *Class) HostKey() string {
	key := append([]byte(c.ExclusionKey()), '|')
	for _, a := range c.requests {
		key = fmt.Appendf(key, "%d=%d ", a.dim, a.value)
	}
	if h := c.HostSpread(); h != nil {
		key = fmt.Appendf(key, "|%d %d %d %d %v", h.Counts(), h.rule.maxSkew, h.rule.minDomains, h.Self, h.weighs)
	}
	return string(key)
}

// Allowance returns how many pods of a countable class may be placed, one after the
// other, on copies of a node before a rule over more than a host turns the next
// away. The node stands for all of the copies, with all of their pods on it.
func (cl *Cluster) Allowance(c *Class, index int32) int {
	n := &cl.nodes[index]
	cl.extend(n.shared, n.profile.static)
	allowed := Unlimited
	for i := range c.spread {
		if c.spread[i].key == keyHostname {
			continue
		}
		allowed = min(allowed, cl.spreadAllowance(c, &c.spread[i], n))
	}
	if c.affinity != nil && !cl.affinityMet(c, n) {
		return 0
	}
	for _, g := range c.antiAffinity {
		if d := n.domain(g.key); g.key != keyHostname && d >= 0 {
			if cl.counter(g).at(d) > 0 {
				return 0
			}
			if g.weigh(c) > 0 {
				allowed = min(allowed, 1)
			}
		}
	}
	for _, g := range c.repelled() {
		if d := n.domain(g.key); g.key != keyHostname && d >= 0 && cl.counter(g).at(d) > 0 {
			return 0
		}
	}
	return max(0, allowed)
}

// spreadAllowance solves count + k + self - least <= maxSkew for k, where the
// domain's own count grows with k and may carry the least with it.
func (cl *Cluster) spreadAllowance(c *Class, r *spreadRule, n *node) int {
	d := n.domain(r.key)
	if d < 0 {
		return 0
	}
	counter := cl.counter(r.counting)
	count := counter.at(d)
	weighs := r.counting.weigh(c) > 0
	if counter.domains < r.minDomains {
		if !weighs {
			return unlimitedIf(count+r.self <= r.maxSkew)
		}
		return r.maxSkew - count - r.self + 1
	}
	if !weighs {
		return unlimitedIf(count+r.self-counter.least() <= r.maxSkew)
	}
	others := counter.leastBut(d)
	if others == none {
		return Unlimited // the only domain: it carries the least
	}
	return r.maxSkew + others - count - r.self + 1
}

func unlimitedIf(ok bool) int {
	if ok {
		return Unlimited
	}
	return 0
}

// FitsIn reports whether there is room for a pod in free resources, given in the
// universe's dimensions.
func (c *Class) FitsIn(free []int64) bool {
	for i := range c.requests {
		if c.requests[i].value > free[c.requests[i].dim] {
			return false
		}
	}
	return true
}

// Room returns how many pods of a class fit into free resources, given in the
// universe's dimensions.
func (c *Class) Room(free []int64) int {
	room := int64(math.MaxInt)
	for _, a := range c.requests {
		if free[a.dim] < a.value {
			return 0
		}
		room = min(room, free[a.dim]/a.value)
	}
	return int(room)
}

// Take takes the requests of so many pods from free resources.
func (c *Class) Take(free []int64, pods int) {
	for _, a := range c.requests {
		free[a.dim] -= a.value * int64(pods)
	}
}

// Fresh returns what a node of a profile has free beside the pods it comes with.
func (u *Universe) Fresh(p *Profile, held []Held) []int64 {
	free := make([]int64, u.Dims())
	p.offers(u, free)
	for _, h := range held {
		h.Class.Take(free, int(h.Pods))
	}
	return free
}
