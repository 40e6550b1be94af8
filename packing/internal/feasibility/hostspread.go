package feasibility

// HostSpread is a class's rule that spreads pods over hosts.
type HostSpread struct {
	// Self is 1 if a pod counts itself before it is placed.
	Self   int
	rule   *spreadRule
	weighs bool // the class's own pods count
}

// HostSpread returns the class's rule over hosts, nil if it has none.
func (c *Class) HostSpread() *HostSpread {
	for i := range c.spread {
		if r := &c.spread[i]; r.key == keyHostname {
			return &HostSpread{Self: r.self, rule: r, weighs: r.counting.weigh(c) > 0}
		}
	}
	return nil
}

// Counts identifies what the rule counts; rules of several classes may count the same.
func (h *HostSpread) Counts() int { return h.rule.counting.index }

// Weight returns what one pod of a class adds to the count of its host.
func (h *HostSpread) Weight(c *Class) int { return h.rule.counting.weigh(c) }

// Weighs reports whether pods of the class itself count.
func (h *HostSpread) Weighs() bool { return h.weighs }

// Hosts returns, for the nodes of a cluster that count under the rule, the fewest
// pods on any of them, [Unlimited] if there are none, and how many they are.
func (cl *Cluster) Hosts(h *HostSpread) (least, hosts int) {
	k := cl.counter(h.rule.counting)
	if least = k.least(); least == none {
		least = Unlimited
	}
	return least, k.domains
}

// Room returns how many more pods of the class a host with so many may take, one after
// the other. The least of all other hosts (see [HostSpread.Others]) stands still
// meanwhile; where the host itself is the least, it carries the least with it.
func (h *HostSpread) Room(count, others int) int {
	switch {
	case !h.weighs:
		others = min(others, count) // it stays where it is
	case others == Unlimited:
		return Unlimited
	}
	left := h.rule.maxSkew + others - count - h.Self
	switch {
	case left < 0:
		return 0
	case !h.weighs:
		return Unlimited
	}
	return left + 1
}

// Others returns what the skew is reckoned from if so many hosts have no fewer pods than
// the least: nothing while they are too few.
func (h *HostSpread) Others(least, hosts int) int {
	if h.Few(hosts) {
		return 0
	}
	return least
}

// Few reports whether there are fewer hosts than the rule wants, so that the least counts as none.
func (h *HostSpread) Few(hosts int) bool { return hosts < h.rule.minDomains }

// Elsewhere returns the nodes of a cluster that may come to take a pod of a class
// while copies of some template are filled: those that pass the filters that read
// only the node, and would be within the skew over hosts if the least among the nodes
// that there are held for all.
func (cl *Cluster) Elsewhere(c *Class) []int32 {
	var out []int32
	host := c.HostSpread()
	for _, i := range cl.order {
		n := &cl.nodes[i]
		if n.profile.static.unschedulable || cl.checkNode(c, i) != Fits {
			continue
		}
		if host != nil {
			if n.host < 0 {
				continue
			}
			least, _ := cl.Hosts(host)
			if least != Unlimited && cl.counter(host.rule.counting).at(n.host)+host.Self-least > host.rule.maxSkew {
				continue
			}
		}
		out = append(out, i)
	}
	return out
}

// Reachable reports whether a node may come to take a pod of a class while pods are
// put on copies of a template in a domain of their own: whether the counts of the
// other domains, which do not change, leave room for it.
func (cl *Cluster) Reachable(c *Class, index int32, template *Profile) bool {
	n := &cl.nodes[index]
	cl.extend(n.shared, n.profile.static)
	copies := cl.sharedDomains(template.static)
	for i := range c.spread {
		r := &c.spread[i]
		if r.key == keyHostname {
			continue
		}
		d, own := n.domain(r.key), copies.ids[r.key]
		if d < 0 {
			return false
		}
		if d == own {
			continue
		}
		k := cl.counter(r.counting)
		if least := k.leastBut(own); least != none && k.at(d)+r.self-least > r.maxSkew {
			return false
		}
	}
	return true
}
