package packing

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Rule names what a violation breaks.
type Rule string

// The rules that [Verify] checks.
const (
	// RulePodMissing: a pod of the snapshot is nowhere in the plan.
	RulePodMissing Rule = "pod missing"
	// RulePodTwice: a pod is in the plan more than once.
	RulePodTwice Rule = "pod twice"
	// RulePodUnknown: a pod of the plan is not one that waits in the snapshot.
	RulePodUnknown Rule = "pod unknown"
	// RulePodSpec: a pod that is placed cannot be read: a quantity is negative or too
	// large, a label selector is malformed.
	RulePodSpec Rule = "pod spec"
	// RuleLaunch: a launch or a placement is malformed: its name is missing, taken twice or
	// that of a node, it has no owner or two, its node is not in the snapshot.
	RuleLaunch Rule = "launch"
	// RuleOffering: what a launch says of instance type, zone, capacity type and price is
	// not an available offering of the type (or of the node group).
	RuleOffering Rule = "offering"
	// RuleReservations: more launches draw on reserved capacity than there is. Karpenter v1.14.1
	// counts reservations only if its feature gate ReservedCapacity is on.
	RuleReservations Rule = "reservations"
	// RuleNodePool: the launched node does not meet the requirements of its node pool.
	RuleNodePool Rule = "node pool"
	// RuleNodeClaim: the launched node does not meet the requirements that the launch itself states, or
	// is not among its options.
	RuleNodeClaim Rule = "node claim"
	// RulePoolLimit: the nodes of a pool, those that exist and those launched, exceed a limit
	// of the pool on anything but the number of nodes.
	RulePoolLimit Rule = "pool limit"
	// RuleNodesLimit: they exceed the pool's limit on the number of nodes. Karpenter v1.14.1
	// itself breaks it: the limit stops it only where nothing of it is left at the start.
	RuleNodesLimit Rule = "nodes limit"
	// RuleGroupSize: a node group grows beyond its maximum, or a zero-or-max group
	// to something between.
	RuleGroupSize Rule = "group size"
	// RuleResources: the pods of a node request more than it can allocate, or are
	// more than it allows.
	RuleResources Rule = "resources"
	// RuleDaemons: the pods of a node fit, but leave no room (resources, host ports) for the daemon
	// pods that it will get. Not a rule of kube-scheduler: autoscalers keep that room.
	RuleDaemons Rule = "daemons"
	// RuleTaints: a pod does not tolerate a NoSchedule or NoExecute taint, or the node is cordoned.
	RuleTaints Rule = "taints"
	// RuleNodeAffinity: the node does not match the pod's node selector or required node affinity.
	RuleNodeAffinity Rule = "node affinity"
	// RuleContradiction: no node at all can match the pod, because what a term of its required
	// node affinity (with its node selector) says of one label contradicts itself: In [a]
	// and In [b]. Karpenter v1.14.1 takes that for DoesNotExist and launches a node.
	RuleContradiction Rule = "contradiction"
	// RuleHostPorts: two pods of a node need the same host port.
	RuleHostPorts Rule = "host ports"
	// RulePodAffinity: no order of binding satisfies a required pod affinity term.
	RulePodAffinity Rule = "pod affinity"
	// RulePodAntiAffinity: two pods share a topology domain that a required anti-affinity
	// term of one of them forbids to the other.
	RulePodAntiAffinity Rule = "pod anti-affinity"
	// RuleTopologySpread: no order of binding satisfies a DoNotSchedule spread constraint.
	RuleTopologySpread Rule = "topology spread"
	// RuleVolumes: a volume of the pod cannot be had on the node.
	RuleVolumes Rule = "volumes"
)

// Violation is one breach of a rule by a plan.
type Violation struct {
	Rule Rule
	// Pod is the pod concerned, nil if the rule is not about a single pod.
	Pod *corev1.Pod
	// Node is the name of the node or launch concerned, "" if there is none.
	Node string
	// Launch is the launch concerned, nil if it is a node that exists, or none.
	Launch *Launch
	// Message says what is wrong, with the figures.
	Message string
}

// String prints the violation in one line: rule, pod, node, message.
func (v Violation) String() string {
	s := string(v.Rule) + ": "
	if v.Pod != nil {
		s += "pod " + v.Pod.Namespace + "/" + v.Pod.Name + ": "
	}
	if v.Node != "" {
		s += "node " + v.Node + ": "
	}
	return s + v.Message
}

// VerifyOption changes what [Verify] takes for a violation.
type VerifyOption func(*referee)

// Tolerate leaves violations of the rules out of the answer. It serves plans that
// repeat a known deviation of an original, see [RuleNodesLimit], [RuleReservations],
// [RuleContradiction] and [RuleDaemons].
func Tolerate(rules ...Rule) VerifyOption {
	return func(r *referee) {
		for _, rule := range rules {
			r.tolerated[rule] = true
		}
	}
}

// WithNodePools tells the node pools of the nodes that exist. Only their start-up taints are
// read, which do not count on a managed node until it is initialized. The pools
// of launches are known without it.
func WithNodePools(pools ...*NodePool) VerifyOption {
	return func(r *referee) {
		for _, p := range pools {
			r.pools[p.Name] = p
		}
	}
}

// CountAllDomains makes topology spread count the domains of all launched nodes
// from the start. Without it a launch brings its domains when the plan opens it,
// so that what was bound before did not have to be spread over them: Cluster Autoscaler
// plans that way. Karpenter counts every domain that it could open, so its plans pass
// this stricter check too.
func CountAllDomains() VerifyOption {
	return func(r *referee) { r.allDomains = true }
}

// Verify is the referee: it checks a plan against the rules of Kubernetes and of the
// node pools and groups, and returns every violation, in a fixed order; none means
// that the plan is good. It shares no code with the packers: what both read is the
// problem itself, that is the vectors of package resources, the sets of package requirements,
// and what nodes, pools and launches say of themselves.
//
// A plan is a final state; the rules of kube-scheduler speak of one pod at a time.
// Verify therefore accuses a plan only if there is no order in which its pods, its
// nodes coming up in the order of Plan.Launches, could all pass the filters of
// kube-scheduler (its default profile in Kubernetes 1.35). For required affinity and topology spread the
// search for an order looks at one constraint at a time and lets all pods that do not
// state it come whenever that helps, so that a violation is always one.
//
// Nodes look as [Launch.Node] describes them. Domains are those of nodes that exist or are
// launched: those that an autoscaler could open but does not are not counted.
// Pods that are not placed break no rule. Preferences are not judged, nor are scheduling gates,
// dynamic resource allocation and claims whose objects the snapshot does not hold.
//
// It takes time linear in pods, apart from constraints: each distinct topology
// constraint costs one pass over the nodes.
func Verify(s *Snapshot, p *Plan, opts ...VerifyOption) []Violation {
	p, gaps := withoutGaps(p)
	r := newReferee(s, p)
	for _, opt := range opts {
		opt(r)
	}
	if gaps > 0 {
		r.accuse(RuleLaunch, nil, nil, "%d launches are nil", gaps)
	}
	r.everyPodOnce()
	r.launches()
	r.poolLimits()
	r.groupSizes()
	for _, site := range r.sites {
		r.nodeRules(site)
	}
	r.topologyRules()
	r.volumeRules()
	return r.violations
}

// withoutGaps returns the plan without nil launches, and how many it has.
func withoutGaps(p *Plan) (*Plan, int) {
	if !slices.Contains(p.Launches, nil) {
		return p, 0
	}
	whole := *p
	whole.Launches = slices.DeleteFunc(slices.Clone(p.Launches), func(l *Launch) bool { return l == nil })
	return &whole, len(p.Launches) - len(whole.Launches)
}

// referee is one run of Verify.
type referee struct {
	snapshot   *Snapshot
	plan       *Plan
	tolerated  map[Rule]bool
	pools      map[string]*NodePool
	allDomains bool

	sites      []*site // existing nodes in order, then launches in order
	daemons    []*daemon
	violations []Violation
}

func newReferee(s *Snapshot, p *Plan) *referee {
	r := &referee{
		snapshot: s, plan: p,
		tolerated: map[Rule]bool{},
		pools:     map[string]*NodePool{},
	}
	for _, l := range p.Launches {
		if l.NodePool != nil {
			r.pools[l.NodePool.Name] = l.NodePool
		}
	}
	return r
}

// accuse records a violation unless its rule is tolerated. Both pod and site may be nil.
func (r *referee) accuse(rule Rule, pod *corev1.Pod, at *site, format string, args ...any) {
	if r.tolerated[rule] {
		return
	}
	v := Violation{Rule: rule, Pod: pod, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		v.Node, v.Launch = at.name, at.launch
	}
	r.violations = append(r.violations, v)
}

// everyPodOnce settles which pods of the snapshot the plan places where, and
// accuses what is missing, double or foreign. Pods are told apart by identity of
// the object; a copy is known by its UID or, without one, by namespace and name,
// and is judged as the snapshot states it.
func (r *referee) everyPodOnce() {
	known := make(map[*corev1.Pod]int, len(r.snapshot.Pods))
	for i, pod := range r.snapshot.Pods {
		known[pod] = i
	}
	var byName map[string]int // made only if the plan holds copies
	find := func(pod *corev1.Pod) (int, bool) {
		if i, ok := known[pod]; ok {
			return i, true
		}
		if byName == nil {
			byName = make(map[string]int, len(r.snapshot.Pods))
			for i, p := range slices.Backward(r.snapshot.Pods) {
				byName[podIdentity(p)] = i
			}
		}
		i, ok := byName[podIdentity(pod)]
		return i, ok
	}

	times := make([]int, len(r.snapshot.Pods))
	take := func(pod *corev1.Pod, at *site) {
		if pod == nil {
			r.accuse(RulePodUnknown, nil, at, "the plan has a nil pod")
			return
		}
		i, ok := find(pod)
		if !ok {
			r.accuse(RulePodUnknown, pod, at, "it does not wait in the snapshot")
			return
		}
		if times[i]++; times[i] > 1 {
			r.accuse(RulePodTwice, pod, at, "it is in the plan %d times", times[i])
			return
		}
		if at != nil {
			at.placed = append(at.placed, r.readPod(r.snapshot.Pods[i], at))
		}
	}

	r.makeSites()
	existing := make(map[*Node]*site, len(r.snapshot.Nodes))
	byNodeName := make(map[string]*site, len(r.snapshot.Nodes))
	for i, n := range r.snapshot.Nodes {
		existing[n], byNodeName[r.sites[i].name] = r.sites[i], r.sites[i]
	}
	for _, pl := range r.plan.Placements {
		at := existing[pl.Node]
		if at == nil && pl.Node != nil && pl.Node.Node != nil {
			at = byNodeName[pl.Node.Name]
		}
		if at == nil {
			r.accuse(RuleLaunch, nil, nil, "a placement is on a node that is not in the snapshot")
		}
		for _, pod := range pl.Pods {
			take(pod, at)
		}
	}
	for i, l := range r.plan.Launches {
		for _, pod := range l.Pods {
			take(pod, r.sites[len(r.snapshot.Nodes)+i])
		}
	}
	for _, u := range r.plan.Unschedulable {
		take(u.Pod, nil)
	}
	for i, n := range times {
		if n == 0 {
			r.accuse(RulePodMissing, r.snapshot.Pods[i], nil, "it is neither placed nor unschedulable")
		}
	}
}

func podIdentity(p *corev1.Pod) string {
	if p == nil {
		return ""
	}
	if p.UID != "" {
		return string(p.UID)
	}
	return p.Namespace + "/" + p.Name
}
