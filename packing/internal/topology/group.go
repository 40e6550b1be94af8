package topology

import (
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/binwright/binwright/packing/requirements"
)

// Group is a constraint and its count of pods by domain.
//
// Domains of kubernetes.io/hostname are hosts, which the caller numbers; those of
// other keys are numbered by a [Domains] that groups of one key share.
type Group struct {
	Constraint
	// Hostname is true if the domains are hosts.
	Hostname bool
	// Domains number the values of the key; nil for hosts.
	Domains *Domains
	// Version grows with every change of a count.
	Version uint32

	selector labels.Selector
	counts   []int32 // by domain; unknown where it is not registered
	occupied int     // domains with a count above zero
}

const unknown = -1

// NewGroup returns a group whose domains are those of the universe that count for
// the pod with these tolerations; for anything but a spread that does not honour
// taints, only what the pod tolerates. A spread over hosts has no universe.
func NewGroup(c Constraint, tolerations []corev1.Toleration, domains *Domains, universe *Universe) *Group {
	g := &Group{Constraint: c, Domains: domains, Hostname: domains == nil}
	selector, err := metav1.LabelSelectorAsSelector(c.Selector)
	if err != nil {
		// As in the original, a selector that cannot be read selects nothing.
		selector = labels.Nothing()
	}
	g.selector = selector
	if domains != nil {
		universe.each(tolerations, c.Kind == Spread && !c.Filter.honorTaints, func(name string) { g.Register(domains.ID(name)) })
	}
	return g
}

// Selects reports whether the group counts a pod with these labels.
func (g *Group) Selects(namespace string, set labels.Set) bool {
	_, found := slices.BinarySearch(g.Namespaces, namespace)
	return found && g.selector.Matches(set)
}

// CountsBound is Selects for pods bound before: without a selector the original
// lists all pods of the namespaces, though the group selects none.
func (g *Group) CountsBound(namespace string, set labels.Set) bool {
	if g.Constraint.Selector == nil {
		_, found := slices.BinarySearch(g.Namespaces, namespace)
		return found
	}
	return g.Selects(namespace, set)
}

// Register makes a domain known, without a pod.
func (g *Group) Register(domain int32) {
	g.grow(domain)
	if g.counts[domain] == unknown {
		g.counts[domain] = 0
		g.Version++
	}
}

// Record counts n more pods in a domain.
func (g *Group) Record(domain int32, n int32) {
	g.grow(domain)
	switch was := g.counts[domain]; {
	case was == unknown:
		g.counts[domain] = n
		g.occupied++
	case was == 0:
		g.counts[domain] = n
		g.occupied++
	default:
		g.counts[domain] = was + n
	}
	g.Version++
}

// Remove counts n pods less in a domain that has as many.
func (g *Group) Remove(domain, n int32) {
	if g.counts[domain] -= n; g.counts[domain] == 0 {
		g.occupied--
	}
	g.Version++
}

// Forget makes a domain without pods unknown.
func (g *Group) Forget(domain int32) {
	if int(domain) < len(g.counts) && g.counts[domain] == 0 {
		g.counts[domain] = unknown
		g.Version++
	}
}

// Known reports whether a domain is registered or has pods.
func (g *Group) Known(domain int32) bool {
	return int(domain) < len(g.counts) && g.counts[domain] != unknown
}

// Len returns one more than the highest domain that is known, at most.
func (g *Group) Len() int { return len(g.counts) }

// Counts are the counts of a group at one moment.
type Counts struct {
	byDomain []int32
	occupied int
}

// Counts returns a copy of the counts.
func (g *Group) Counts() Counts { return Counts{slices.Clone(g.counts), g.occupied} }

// SetCounts starts the group from a copy of counts taken of one of the same constraint.
func (g *Group) SetCounts(c Counts) {
	g.counts, g.occupied = append(g.counts[:0], c.byDomain...), c.occupied
	g.Version++
}

func (g *Group) grow(domain int32) {
	for int(domain) >= len(g.counts) {
		g.counts = append(g.counts, unknown)
	}
}

// Count returns how many pods are in a domain.
func (g *Group) Count(domain int32) int32 {
	if int(domain) < len(g.counts) && g.counts[domain] > 0 {
		return g.counts[domain]
	}
	return 0
}

// Empty reports whether no domain has a pod.
func (g *Group) Empty() bool { return g.occupied == 0 }

// Occupied yields the domains with a pod, in ascending order.
func (g *Group) Occupied(yield func(domain int32) bool) {
	if g.occupied == 0 {
		return
	}
	for d, n := range g.counts {
		if n > 0 && !yield(int32(d)) {
			return
		}
	}
}

// NextSpread returns the domain, of those that the node allows, that the next pod
// goes to: one with the fewest pods, if that keeps within the skew. pod is what
// the pod itself allows: the minimum is over those domains.
func (g *Group) NextSpread(selfSelecting bool, pod, node Allowed) (int32, bool) {
	least := g.minimum(pod)
	best, bestCount := int32(-1), int32(math.MaxInt32)
	for _, d := range g.Domains.sorted {
		if int(d) >= len(g.counts) || g.counts[d] == unknown || !node.Has(d) {
			continue
		}
		count := g.counts[d]
		if selfSelecting {
			count++
		}
		if count-least <= g.MaxSkew && count < bestCount {
			best, bestCount = d, count
		}
	}
	return best, best >= 0
}

// minimum is the count of the emptiest domain that the pod allows, 0 if there are
// fewer such domains than minDomains.
func (g *Group) minimum(pod Allowed) int32 {
	least, supported := int32(math.MaxInt32), int32(0)
	for d, n := range g.counts {
		if n != unknown && pod.Has(int32(d)) {
			supported++
			least = min(least, n)
		}
	}
	if supported < g.MinDomains {
		return 0
	}
	return least
}

// HostSpread reports whether a host may take the next pod of a spread over
// hosts: the minimum is zero, since there can always be a new host.
func (g *Group) HostSpread(selfSelecting bool, host int32) bool {
	count := g.Count(host)
	if selfSelecting {
		count++
	}
	return count <= g.MaxSkew
}

// NextAffinity appends the domains that the next pod may go to: those with a pod;
// or, if the pod selects itself and there is none that it could join, one that it
// and the node allow, and the first that it allows.
func (g *Group) NextAffinity(selfSelecting bool, pod, node Allowed, dst []int32) []int32 {
	before := len(dst)
	for _, d := range g.Domains.sorted {
		if g.Count(d) > 0 && pod.Has(d) && node.Has(d) {
			dst = append(dst, d)
		}
	}
	if len(dst) > before || !selfSelecting || !g.mayBootstrap(pod) {
		return dst
	}
	both, own := int32(-1), int32(-1)
	for _, d := range g.Domains.sorted {
		if int(d) >= len(g.counts) || g.counts[d] == unknown || !pod.Has(d) {
			continue
		}
		if own < 0 {
			own = d
		}
		if both < 0 && node.Has(d) {
			both = d
		}
	}
	if both >= 0 {
		dst = append(dst, both)
	}
	if own >= 0 && own != both {
		dst = append(dst, own)
	}
	return dst
}

// mayBootstrap reports whether the first pod of a self-affinity may choose its
// domain: no domain has a pod, or none that the pod allows.
func (g *Group) mayBootstrap(pod Allowed) bool {
	for d := range g.Occupied {
		if pod.Has(d) {
			return false
		}
	}
	return true
}

// HostMayBootstrap is mayBootstrap over hosts; allows says which the pod allows,
// nil all.
func (g *Group) HostMayBootstrap(allows func(host int32) bool) bool {
	if g.occupied == 0 {
		return true
	}
	if allows == nil {
		return false
	}
	for h := range g.Occupied {
		if allows(h) {
			return false
		}
	}
	return true
}

// NextAntiAffinity appends the domains without a pod that both allow.
func (g *Group) NextAntiAffinity(pod, node Allowed, dst []int32) []int32 {
	for _, d := range g.Domains.sorted {
		if int(d) < len(g.counts) && g.counts[d] == 0 && pod.Has(d) && node.Has(d) {
			dst = append(dst, d)
		}
	}
	return dst
}

// MatchesNode reports whether pods on a node with these taints and requirements
// are counted.
func (g *Group) MatchesNode(taints []corev1.Taint, node requirements.Set) bool {
	return g.Filter.Matches(taints, node)
}
