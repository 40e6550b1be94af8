package packing

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// site is one node of the final state, one that exists or one that is launched.
type site struct {
	name   string
	index  int     // in referee.sites
	birth  int     // 0 for a node that exists, i+1 for the i-th launch
	node   *Node   // nil for a launch
	launch *Launch // nil for a node that exists
	*nature
	bound  []*corev1.Pod // pods that are there and not finished
	placed []*placedPod

	coming      []*daemon // once asked for
	knowsComing bool
}

// nature is what launches of one kind have in common.
type nature struct {
	labels      map[string]string // for launches but for the hostname
	taints      []corev1.Taint
	shed        []corev1.Taint // that the node still has, but will lose before pods come
	allocatable resources.Vector
	capacity    resources.Vector
}

// placedPod is a pod of the plan together with what is read of it more than once.
type placedPod struct {
	*corev1.Pod
	at       *site
	requests resources.Vector
	class    *labelClass // set if any topology constraint is to be judged
	mark     int         // of the spread group that counts at the moment
	waits    bool        // for pods that its required affinity names, in vain if for good
}

func (r *referee) readPod(pod *corev1.Pod, at *site) *placedPod {
	requests, err := resources.PodRequests(pod)
	if err != nil {
		r.accuse(RulePodSpec, pod, at, "%v", err)
	}
	return &placedPod{Pod: pod, at: at, requests: requests}
}

// makeSites lists the nodes of the final state and the daemons.
func (r *referee) makeSites() {
	r.sites = make([]*site, 0, len(r.snapshot.Nodes)+len(r.plan.Launches))
	for _, n := range r.snapshot.Nodes {
		if n == nil || n.Node == nil {
			n = &Node{Node: &corev1.Node{}} // a snapshot that no packer could read
		}
		at := &site{name: n.Name, node: n, nature: r.natureOf(n)}
		for _, pod := range n.Pods {
			if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
				at.bound = append(at.bound, pod)
			}
		}
		at.index = len(r.sites)
		r.sites = append(r.sites, at)
	}
	natures := map[launchKind]*nature{}
	for i, l := range r.plan.Launches {
		kind := kindOf(l)
		if natures[kind] == nil {
			natures[kind] = natureOfLaunch(l)
		}
		r.sites = append(r.sites, &site{name: l.Name, index: len(r.sites), birth: i + 1, launch: l, nature: natures[kind]})
	}
	for _, ds := range r.snapshot.DaemonSets {
		r.daemons = append(r.daemons, newDaemon(ds))
	}
}

func (r *referee) natureOf(n *Node) *nature {
	nat := &nature{labels: n.Labels}
	nat.taints, nat.shed = r.lastingTaints(n)
	// Status that cannot be read offers nothing of what it names.
	nat.allocatable, _ = resources.FromList(n.Status.Allocatable)
	nat.capacity, _ = resources.FromList(n.Status.Capacity)
	if n.Spec.Unschedulable {
		nat.taints = append(slices.Clone(nat.taints), cordon)
	}
	return nat
}

// cordon is how a cordoned node refuses pods (kube-scheduler NodeUnschedulable).
var cordon = corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}

// lastingTaints tells a node's taints from those that go away by themselves: a managed node
// that is not yet initialized sheds its pool's start-up taints and the ephemeral ones
// (Karpenter v1.14.1 pkg/scheduling/taints.go and pkg/controllers/state/statenode.go).
func (r *referee) lastingTaints(n *Node) (lasting, shed []corev1.Taint) {
	if n.NodePool() == "" || n.Labels[requirements.LabelInitialized] == "true" {
		return n.Spec.Taints, nil
	}
	var startup []corev1.Taint
	if pool := r.pools[n.NodePool()]; pool != nil {
		startup = pool.Spec.Template.Spec.StartupTaints
	}
	for _, t := range n.Spec.Taints {
		if ephemeral(t) || slices.ContainsFunc(startup, func(s corev1.Taint) bool { return s.MatchTaint(&t) }) {
			shed = append(shed, t)
		} else {
			lasting = append(lasting, t)
		}
	}
	return lasting, shed
}

// launchKind is what decides a launch's nature.
type launchKind struct {
	pool         *NodePool
	group        *NodeGroup
	instanceType any
	zone         string
	capacityType string
	price        float64
	requirements *requirements.Requirement // the first of the slice
	count        int
}

func kindOf(l *Launch) launchKind {
	k := launchKind{
		pool: l.NodePool, group: l.NodeGroup, instanceType: l.InstanceType,
		zone: l.Zone, capacityType: l.CapacityType, price: l.Price, count: len(l.Requirements),
	}
	if k.count > 0 {
		k.requirements = &l.Requirements[0]
	}
	return k
}

func natureOfLaunch(l *Launch) *nature {
	if l.NodeGroup != nil && l.NodeGroup.Template == nil {
		return &nature{} // accused as a launch
	}
	n := l.Node()
	nat := &nature{labels: n.Labels, taints: n.Spec.Taints}
	if l.NodeGroup == nil && l.InstanceType != nil {
		nat.allocatable, nat.capacity = l.InstanceType.Allocatable(), l.InstanceType.Capacity
		return nat
	}
	nat.allocatable, _ = resources.FromList(n.Status.Allocatable)
	nat.capacity, _ = resources.FromList(n.Status.Capacity)
	if n.Spec.Unschedulable {
		nat.taints = append(nat.taints, cordon)
	}
	return nat
}

// label returns a node's label. The deprecated aliases of well-known labels, which kubelets
// and cloud controllers set beside the labels that they stand for, are always taken to be there.
func (s *site) label(key string) (string, bool) {
	if key == corev1.LabelHostname && s.launch != nil {
		return s.name, true
	}
	value, ok := s.labels[key]
	if !ok {
		if stable := requirements.NormalizeKey(key); stable != key {
			value, ok = s.labels[stable]
		}
	}
	return value, ok
}

// daemon is a DaemonSet's pod as the DaemonSet controller makes it.
type daemon struct {
	set      *appsv1.DaemonSet
	pod      *corev1.Pod
	requests resources.Vector
}

func newDaemon(set *appsv1.DaemonSet) *daemon {
	d := &daemon{set: set, pod: &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: set.Name, Namespace: set.Namespace, Labels: set.Spec.Template.Labels},
		Spec:       set.Spec.Template.Spec,
	}}
	// Requests that cannot be read reserve nothing: the plan is not to blame.
	d.requests, _ = resources.PodRequests(d.pod)
	d.pod.Spec.Tolerations = append(slices.Clone(d.pod.Spec.Tolerations), daemonTolerations...)
	if d.pod.Spec.HostNetwork {
		d.pod.Spec.Tolerations = append(d.pod.Spec.Tolerations,
			corev1.Toleration{Key: corev1.TaintNodeNetworkUnavailable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
	}
	return d
}

// daemonTolerations are what the DaemonSet controller adds to every daemon pod
// (Kubernetes pkg/controller/daemon/util, AddOrUpdateDaemonPodTolerations).
var daemonTolerations = []corev1.Toleration{
	{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeDiskPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeMemoryPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodePIDPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
}

// owns reports whether a bound pod is one of the daemon's.
func (d *daemon) owns(pod *corev1.Pod) bool {
	if pod.Namespace != d.set.Namespace {
		return false
	}
	return slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool {
		return o.Kind == "DaemonSet" && (o.Name == d.set.Name || o.UID != "" && o.UID == d.set.UID)
	})
}

// comingDaemons returns the daemon pods that the node will get and does not have.
func (r *referee) comingDaemons(at *site) []*daemon {
	if at.knowsComing {
		return at.coming
	}
	at.knowsComing = true
	for _, d := range r.daemons {
		if _, refused := untolerated(at.taints, d.pod.Spec.Tolerations); refused || whyNotNode(d.pod, at) != "" {
			continue
		}
		if !slices.ContainsFunc(at.bound, d.owns) {
			at.coming = append(at.coming, d)
		}
	}
	return at.coming
}
