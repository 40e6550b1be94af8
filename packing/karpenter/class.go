package karpenter

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/internal/compiled"
	"github.com/binwright/binwright/packing/internal/topology"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// demand is what pods ask for: a vector of requests that many classes share.
type demand struct {
	index    int
	requests resources.Vector
	amounts  []int64 // by column, the pod itself included
	// others numbers what is asked for beside CPU and memory.
	others int
}

// class is the pods that no decision can tell apart but for what they ask for, or
// one step of their relaxation. With a [demand] it is the original scheduler's
// PodData, worked out once for all of them.
type class struct {
	index int
	pod   *corev1.Pod // one of them; of a relaxed class a copy with fewer preferences
	// refusal is why the pods are not scheduled at all, nil if they are.
	refusal *refusal

	set, strict compiled.SetID
	// hostname is what the pod asks of kubernetes.io/hostname, strictHostname what
	// it requires; nil if nothing. They are not in the sets, so that nodes that
	// differ only by name share a set.
	hostname, strictHostname *requirements.Requirement
	tolerated                []bool // by pool
	ports                    []hostPort
	volumes                  *podVolumes
	volumesByHost            bool // they can be reached from nodes of certain names only
	problem                  int  // the number of the problem that index is of

	// constraints are the pod's own, as groups are told apart.
	constraints []constraint
	// displaced pods are moved by the consolidation that is being simulated.
	displaced bool

	// owned are the groups of the class's own constraints, apart by whether their
	// domains are hosts; inverse those of other pods' anti-affinity that count it.
	owned, ownedHosts     []ownedGroup
	inverse, inverseHosts []*group
	// keeps are the inverse groups of its own required anti-affinity.
	keeps []*group
	// selectedBy are the groups that count pods of the class, of the first
	// `matched` groups of the run.
	selectedBy []*group
	matched    int
	// selects remembers which groups count pods of the class, by their numbers in one
	// problem: 0 not asked yet, 1 no, 2 yes.
	selects   []int8
	selectsIn *shared

	profile *profile
	// views are the hosts that may take pods of the class, by demand.others.
	views []classView

	relaxed *class
	final   bool // there is nothing left to relax
	// steadfast: there is nothing to relax from the start; nil while nobody has asked.
	steadfast *bool
}

type ownedGroup struct {
	*group
	selfSelecting bool
}

// topological reports whether where the pod may go depends on where others went,
// hosts apart.
func (c *class) topological() bool { return len(c.owned)+len(c.inverse) > 0 }

// refusal is why pods of a class are never tried.
type refusal struct {
	notSupported bool
	message      string
}

type hostPort struct {
	ip       netip.Addr
	port     int32
	protocol corev1.Protocol
}

// conflicts reports whether both cannot be on one node.
func (p hostPort) conflicts(o hostPort) bool {
	return p.protocol == o.protocol && p.port == o.port && (p.ip == o.ip || p.ip.IsUnspecified() || o.ip.IsUnspecified())
}

func conflict(a, b []hostPort) bool {
	for _, p := range a {
		if slices.ContainsFunc(b, p.conflicts) {
			return true
		}
	}
	return false
}

// hostPortsOf returns the ports of a pod's containers, with the defaults that the
// API server fills in.
func hostPortsOf(pod *corev1.Pod) ([]hostPort, error) {
	var out []hostPort
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		for k := range c.Ports {
			p := &c.Ports[k]
			if p.HostPort == 0 {
				continue
			}
			port := hostPort{ip: netip.IPv4Unspecified(), port: p.HostPort, protocol: p.Protocol}
			if port.protocol == "" {
				port.protocol = corev1.ProtocolTCP
			}
			if p.HostIP != "" {
				ip, err := netip.ParseAddr(p.HostIP)
				if err != nil {
					return nil, fmt.Errorf("container %q: ports[%d].hostIP %q is no address", c.Name, k, p.HostIP)
				}
				port.ip = ip.Unmap()
			}
			out = append(out, port)
		}
	}
	return out, nil
}

// compileClass reads a pod. Its groups are found by [run.own].
func (p *problem) compileClass(pod *corev1.Pod) (*class, error) {
	c := &class{pod: pod}
	if usesResourceClaims(&pod.Spec) {
		c.refusal = &refusal{notSupported: true, message: "the pod uses dynamic resource allocation (resourceClaims), which is not modelled"}
	}
	var err error
	if c.ports, err = hostPortsOf(pod); err != nil {
		return nil, err
	}
	strict, all, err := podRequirements(pod, p.w.packer.settings.preferences)
	if err != nil {
		return nil, err
	}
	if reason := unreadable(pod); reason != "" && c.refusal == nil {
		c.refusal = &refusal{notSupported: true, message: reason}
	}
	all, c.hostname = withoutHostname(all)
	strict, c.strictHostname = withoutHostname(strict)
	c.set, c.strict = p.w.sets.ID(all), p.w.sets.ID(strict)
	for _, pl := range p.w.packer.pools {
		c.tolerated = append(c.tolerated, topology.Tolerates(pod.Spec.Tolerations, pl.taints))
	}
	if err := p.compileVolumes(c); err != nil {
		return nil, err
	}
	return c, nil
}

// unreadable names what a pod states and Karpenter does not read.
func unreadable(pod *corev1.Pod) string {
	for i, c := range pod.Spec.TopologySpreadConstraints {
		if len(c.MatchLabelKeys) > 0 && c.LabelSelector == nil {
			return fmt.Sprintf("topologySpreadConstraints[%d]: matchLabelKeys without a labelSelector", i)
		}
	}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for i, t := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			if len(t.MatchFields) > 0 {
				return fmt.Sprintf("required node affinity: nodeSelectorTerms[%d].matchFields is not read by Karpenter", i)
			}
		}
	}
	return ""
}

func usesResourceClaims(spec *corev1.PodSpec) bool {
	if len(spec.ResourceClaims) > 0 {
		return true
	}
	for _, list := range [...][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range list {
			if len(list[i].Resources.Claims) > 0 {
				return true
			}
		}
	}
	return false
}

// podRequirements returns what a pod requires of its node, the first of its OR-ed
// terms, and the same with its heaviest preference on top, if preferences count.
// Models newPodRequirements of Karpenter v1.14.1 pkg/scheduling/requirements.go.
func podRequirements(pod *corev1.Pod, policy PreferencePolicy) (strict, all requirements.Set, err error) {
	strict = requirements.FromLabels(pod.Spec.NodeSelector)
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return strict, strict, nil
	}
	n := pod.Spec.Affinity.NodeAffinity
	preference := requirements.Set{}
	if preferred := n.PreferredDuringSchedulingIgnoredDuringExecution; len(preferred) > 0 {
		for i := range preferred {
			if _, err := requirements.FromExpressions(preferred[i].Preference.MatchExpressions); err != nil {
				return nil, nil, fmt.Errorf("preferred node affinity: [%d].preference.%w", i, err)
			}
		}
		if policy == Respect {
			heaviest, err := requirements.FromExpressions(byWeight(preferred)[0].Preference.MatchExpressions)
			if err != nil {
				return nil, nil, err
			}
			preference = heaviest
		}
	}
	if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
		for i := range r.NodeSelectorTerms {
			term, err := requirements.FromExpressions(r.NodeSelectorTerms[i].MatchExpressions)
			if err != nil {
				return nil, nil, fmt.Errorf("required node affinity: nodeSelectorTerms[%d].%w", i, err)
			}
			if i == 0 {
				strict = strict.Intersect(term)
			}
		}
	}
	return strict, strict.Intersect(preference), nil
}

// byWeight returns preferred terms, the heaviest first, in the order that the
// original's sort.Slice gives them: it is not stable above twelve.
func byWeight(terms []corev1.PreferredSchedulingTerm) []corev1.PreferredSchedulingTerm {
	sorted := slices.Clone(terms)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Weight > sorted[j].Weight })
	return sorted
}

func withoutHostname(set requirements.Set) (requirements.Set, *requirements.Requirement) {
	r, ok := set.Lookup(corev1.LabelHostname)
	if !ok {
		return set, nil
	}
	rest := slices.DeleteFunc(slices.Clone(set), func(r requirements.Requirement) bool { return r.Key() == corev1.LabelHostname })
	return rest, &r
}
