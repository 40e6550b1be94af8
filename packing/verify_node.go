package packing

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// nodeRules checks what concerns one node alone: kube-scheduler's TaintToleration, NodeUnschedulable,
// NodeName, NodeAffinity, NodeResourcesFit and NodePorts. Order plays no part in these: the last
// pod to come meets all the others.
func (r *referee) nodeRules(at *site) {
	if len(at.placed) == 0 {
		return
	}
	for _, pod := range at.placed {
		if taint, refused := untolerated(at.taints, pod.Spec.Tolerations); refused {
			r.accuse(RuleTaints, pod.Pod, at, "it does not tolerate %s", taint.ToString())
		}
		if why := whyNotNode(pod.Pod, at); why != "" {
			// The original's deviation is told from a packer's mistake.
			rule := RuleNodeAffinity
			if key, ok := contradiction(pod.Pod); ok {
				rule, why = RuleContradiction, "what it requires of label "+key+" contradicts itself"
			}
			r.accuse(rule, pod.Pod, at, "%s", why)
		}
	}
	daemons := r.comingDaemons(at)
	r.room(at, daemons)
	r.hostPorts(at, daemons)
}

// room checks that requests fit, first those of pods, then with those of the daemons to
// come. As kube-scheduler's NodeResourcesFit, it blames a plan only for resources that
// a placed pod requests, and for the number of pods.
func (r *referee) room(at *site, daemons []*daemon) {
	var asked, used sum
	for _, pod := range at.placed {
		asked.add(pod.requests)
		used.add(pod.requests)
	}
	for _, pod := range at.bound {
		// A bound pod that cannot be read takes nothing: the plan is not to blame.
		requests, _ := resources.PodRequests(pod)
		used.add(requests)
	}
	pods := int64(len(at.placed) + len(at.bound))
	if r.crowded(RuleResources, at, asked, used, pods) || len(daemons) == 0 {
		return
	}
	for _, d := range daemons {
		used.add(d.requests)
	}
	r.crowded(RuleDaemons, at, asked, used, pods+int64(len(daemons)))
}

// crowded accuses the node, not a pod of it: which pod is one too many depends on the order.
func (r *referee) crowded(rule Rule, at *site, asked, used sum, pods int64) bool {
	var over []string
	for _, a := range asked {
		have, want := at.allocatable.Get(a.Name), used.get(a.Name)
		if a.Value > 0 && want > have {
			over = append(over, fmt.Sprintf("%s %s requested, %s allocatable", a.Name, quantity(a.Name, want), quantity(a.Name, have)))
		}
	}
	if have := at.allocatable.Get(corev1.ResourcePods); pods > have {
		over = append(over, fmt.Sprintf("%d pods, %d allowed", pods, have))
	}
	if len(over) == 0 {
		return false
	}
	slices.Sort(over)
	r.accuse(rule, nil, at, "%s", strings.Join(over, "; "))
	return true
}

func quantity(name corev1.ResourceName, value int64) string {
	q := resources.Amount{Name: name, Value: value}.Quantity()
	return q.String()
}

// sum adds up vectors in place, which resources.Vector does not: a node takes many pods. It is
// in the order in which names were met.
type sum []resources.Amount

func (s *sum) add(v resources.Vector) {
next:
	for _, a := range v {
		for i := range *s {
			if (*s)[i].Name == a.Name {
				(*s)[i].Value = saturated((*s)[i].Value, a.Value)
				continue next
			}
		}
		*s = append(*s, a)
	}
}

func (s sum) get(name corev1.ResourceName) int64 { return resources.Vector(s).Get(name) }

// saturated adds amounts that are not negative.
func saturated(a, b int64) int64 {
	if c := a + b; c >= a {
		return c
	}
	return 1<<63 - 1
}

// untolerated returns the first taint that keeps a pod with these tolerations off.
func untolerated(taints []corev1.Taint, tolerations []corev1.Toleration) (corev1.Taint, bool) {
	for i := range taints {
		t := &taints[i]
		if t.Effect != corev1.TaintEffectNoSchedule && t.Effect != corev1.TaintEffectNoExecute {
			continue
		}
		if !slices.ContainsFunc(tolerations, func(tol corev1.Toleration) bool { return tolerates(&tol, t) }) {
			return *t, true
		}
	}
	return corev1.Taint{}, false
}

// tolerates is a toleration as Kubernetes 1.35 reads it, Gt and Lt included (alpha there): a
// plan that relies on them is not accused.
func tolerates(tol *corev1.Toleration, t *corev1.Taint) bool {
	if tol.Effect != "" && tol.Effect != t.Effect || tol.Key != "" && tol.Key != t.Key {
		return false
	}
	switch tol.Operator {
	case corev1.TolerationOpExists:
		return true
	case corev1.TolerationOpEqual, "":
		return tol.Value == t.Value
	case corev1.TolerationOpGt, corev1.TolerationOpLt:
		want, err1 := strconv.ParseInt(tol.Value, 10, 64)
		have, err2 := strconv.ParseInt(t.Value, 10, 64)
		return err1 == nil && err2 == nil &&
			(tol.Operator == corev1.TolerationOpGt && have > want || tol.Operator == corev1.TolerationOpLt && have < want)
	}
	return false
}

// ephemeral reports whether a taint goes away while a managed node initializes.
func ephemeral(t corev1.Taint) bool {
	switch {
	case t.Key == corev1.TaintNodeNotReady:
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	case t.Key == corev1.TaintNodeUnreachable, t.Key == "node.cloudprovider.kubernetes.io/uninitialized":
		return t.Effect == corev1.TaintEffectNoSchedule
	case t.Key == "karpenter.sh/unregistered":
		return t.Effect == corev1.TaintEffectNoExecute
	}
	return strings.HasPrefix(t.Key, "readiness.k8s.io/")
}

// whyNotNode says why a node does not match a pod's node name, node selector or required
// node affinity, "" if it does.
func whyNotNode(pod *corev1.Pod, at *site) string {
	if pod.Spec.NodeName != "" && pod.Spec.NodeName != at.name {
		return fmt.Sprintf("it is for node %q", pod.Spec.NodeName)
	}
	return whyNotRequired(pod, at)
}

// whyNotRequired is whyNotNode without the node's name.
func whyNotRequired(pod *corev1.Pod, at *site) string {
	if len(pod.Spec.NodeSelector) > 0 {
		for _, key := range sortedKeys(pod.Spec.NodeSelector) {
			want := pod.Spec.NodeSelector[key]
			if have, ok := at.label(key); !ok || have != want {
				return fmt.Sprintf("node selector %s=%s, the node has %s", key, want, shownLabel(have, ok))
			}
		}
	}
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return ""
	}
	if selector := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; selector != nil && !matchesNode(selector, at) {
		return "no term of the required node affinity matches"
	}
	return ""
}

// contradiction returns a label of which a term of the required node affinity, together with
// the node selector, demands and excludes the same: no value and not even its absence will do.
func contradiction(pod *corev1.Pod) (string, bool) {
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return "", false
	}
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		all, err := requirements.FromExpressions(term.MatchExpressions)
		if err != nil {
			continue
		}
		for _, r := range requirements.FromLabels(pod.Spec.NodeSelector).Intersect(all) {
			if r.Len() > 0 {
				continue
			}
			_, demanded := pod.Spec.NodeSelector[r.Key()]
			for _, e := range term.MatchExpressions {
				absent := e.Operator == corev1.NodeSelectorOpDoesNotExist || e.Operator == corev1.NodeSelectorOpNotIn
				demanded = demanded || requirements.NormalizeKey(e.Key) == r.Key() && !absent
			}
			if demanded {
				return r.Key(), true
			}
		}
	}
	return "", false
}

// matchesNode reports whether one of the OR-ed terms matches. A term that says nothing matches no node.
func matchesNode(selector *corev1.NodeSelector, at *site) bool {
	return slices.ContainsFunc(selector.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		if len(t.MatchExpressions)+len(t.MatchFields) == 0 {
			return false
		}
		for i := range t.MatchExpressions {
			if value, ok := at.label(t.MatchExpressions[i].Key); !matchesExpression(&t.MatchExpressions[i], value, ok) {
				return false
			}
		}
		for i := range t.MatchFields {
			if f := &t.MatchFields[i]; f.Key != "metadata.name" || !matchesExpression(f, at.name, true) {
				return false
			}
		}
		return true
	})
}

// matchesExpression is one node selector requirement as kube-scheduler reads it.
func matchesExpression(e *corev1.NodeSelectorRequirement, value string, has bool) bool {
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return has && slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !has || !slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpExists:
		return has
	case corev1.NodeSelectorOpDoesNotExist:
		return !has
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if !has || len(e.Values) != 1 {
			return false
		}
		have, err1 := strconv.ParseInt(value, 10, 64)
		bound, err2 := strconv.ParseInt(e.Values[0], 10, 64)
		return err1 == nil && err2 == nil &&
			(e.Operator == corev1.NodeSelectorOpGt && have > bound || e.Operator == corev1.NodeSelectorOpLt && have < bound)
	}
	return false
}

func shownLabel(value string, ok bool) string {
	if !ok {
		return "none"
	}
	return strconv.Quote(value)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// hostPort is a port of the node that a container asks for.
type hostPort struct {
	address  string // "" for all addresses
	protocol corev1.Protocol
	port     int32
}

// conflicts: equal ports of one protocol are distinct only on distinct addresses.
func (a hostPort) conflicts(b hostPort) bool {
	return a.port == b.port && a.protocol == b.protocol && (a.address == b.address || a.address == "" || b.address == "")
}

// hostPortsOf lists the host ports of a pod's containers and sidecars, as kube-scheduler's NodePorts does.
func hostPortsOf(pod *corev1.Pod) []hostPort {
	var ports []hostPort
	collect := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.HostPort <= 0 {
				continue
			}
			protocol := p.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			ports = append(ports, hostPort{address: hostAddress(p.HostIP), protocol: protocol, port: p.HostPort})
		}
	}
	for i := range pod.Spec.Containers {
		collect(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			collect(c)
		}
	}
	return ports
}

// hostAddress returns an address in one spelling, "" for the unspecified ones.
func hostAddress(ip string) string {
	if ip == "" {
		return ""
	}
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if a = a.Unmap(); a.IsUnspecified() {
		return ""
	}
	return a.String()
}

// hostPorts accuses each placed pod whose host port another pod of the node takes.
func (r *referee) hostPorts(at *site, daemons []*daemon) {
	type claim struct {
		hostPort
		by *corev1.Pod
	}
	var claims []claim
	taken := func(pod *corev1.Pod, p hostPort) *corev1.Pod {
		for _, c := range claims {
			if c.by != pod && c.conflicts(p) {
				return c.by
			}
		}
		return nil
	}
	// Most pods need no host port, and then nothing else matters.
	need := false
	for _, pod := range at.placed {
		need = need || len(hostPortsOf(pod.Pod)) > 0
	}
	if !need {
		return
	}
	for _, pod := range at.bound {
		for _, p := range hostPortsOf(pod) {
			claims = append(claims, claim{p, pod})
		}
	}
	for _, pod := range at.placed {
		for _, p := range hostPortsOf(pod.Pod) {
			if other := taken(pod.Pod, p); other != nil {
				r.accuse(RuleHostPorts, pod.Pod, at, "host port %d/%s is that of pod %s/%s", p.port, p.protocol, other.Namespace, other.Name)
				continue
			}
			claims = append(claims, claim{p, pod.Pod})
		}
	}
	placed := func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(at.placed, func(p *placedPod) bool { return p.Pod == pod })
	}
	for _, d := range daemons {
		for _, p := range hostPortsOf(d.pod) {
			if other := taken(d.pod, p); other != nil && placed(other) {
				r.accuse(RuleDaemons, other, at, "host port %d/%s is that of DaemonSet %s/%s", p.port, p.protocol, d.set.Namespace, d.set.Name)
			}
		}
	}
}
