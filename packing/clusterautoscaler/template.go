package clusterautoscaler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/feasibility"
	"github.com/binwright/binwright/packing/resources"
)

// Taints and labels that the original itself knows (pkg/utils/taints/taints.go,
// pkg/simulator/node_info_utils.go at 33c3f97bf).
const (
	toBeDeletedTaint       = "ToBeDeletedByClusterAutoscaler"
	deletionCandidateTaint = "DeletionCandidateOfClusterAutoscaler"
	templateNodeLabel      = "cluster-autoscaler.kubernetes.io/template-node"
	systemNodeCritical     = "system-node-critical"
)

// conditionTaints are a node's passing state, which a template does not inherit.
var conditionTaints = map[string]bool{
	corev1.TaintNodeNotReady:                         true,
	corev1.TaintNodeUnreachable:                      true,
	corev1.TaintNodeUnschedulable:                    true,
	corev1.TaintNodeMemoryPressure:                   true,
	corev1.TaintNodeDiskPressure:                     true,
	corev1.TaintNodeNetworkUnavailable:               true,
	corev1.TaintNodePIDPressure:                      true,
	"node.cloudprovider.kubernetes.io/uninitialized": true,
	"node.cloudprovider.kubernetes.io/shutdown":      true,
	"cloud.google.com/impending-node-termination":    true,
	"NodeWithImpairedVolumes":                        true,
}

const statusTaintPrefix = "status-taint.cluster-autoscaler.kubernetes.io/"

// template is the node that a group is expected to add: a node and the pods that
// it comes with.
type template struct {
	profile *feasibility.Profile
	held    []feasibility.Held
	// used is what the pods that it comes with request, without the count of pods.
	used resources.Vector
	// from and running are the node and its daemon pods that it was made from, if it was.
	from    *corev1.Node
	running []daemonPod
}

func (t *template) node() *corev1.Node { return t.profile.Node }

// daemon is a DaemonSet ready to be put on a template.
type daemon struct {
	uid      types.UID
	pod      *corev1.Pod
	class    *feasibility.Class
	critical bool
}

// readDaemons compiles the DaemonSets. The daemon controller lets their pods
// tolerate the state of their node.
func readDaemons(u *feasibility.Universe, sets []*appsv1.DaemonSet) ([]daemon, error) {
	out := make([]daemon, 0, len(sets))
	for _, ds := range sets {
		pod := &corev1.Pod{ObjectMeta: *ds.Spec.Template.ObjectMeta.DeepCopy(), Spec: *ds.Spec.Template.Spec.DeepCopy()}
		pod.Name, pod.Namespace = ds.Name, ds.Namespace
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, daemonTolerations(pod)...)
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: ds.Name, UID: ds.UID, Controller: &yes}}
		class, err := u.Class(pod)
		if err != nil {
			return nil, fmt.Errorf("daemon set %s/%s: %w", ds.Namespace, ds.Name, err)
		}
		critical := pod.Spec.PriorityClassName == systemNodeCritical &&
			(pod.Spec.PreemptionPolicy == nil || *pod.Spec.PreemptionPolicy == corev1.PreemptLowerPriority)
		out = append(out, daemon{uid: ds.UID, pod: pod, class: class, critical: critical})
	}
	return out, nil
}

// daemonTolerations are those that the daemon controller adds
// (pkg/controller/daemon/util, AddOrUpdateDaemonPodTolerations).
func daemonTolerations(pod *corev1.Pod) []corev1.Toleration {
	var out []corev1.Toleration
	add := func(key string, effect corev1.TaintEffect) {
		out = append(out, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect})
	}
	add(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute)
	add(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute)
	add(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodeMemoryPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodePIDPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule)
	if pod.Spec.HostNetwork {
		add(corev1.TaintNodeNetworkUnavailable, corev1.TaintEffectNoSchedule)
	}
	return out
}

// runsDaemon reports whether the daemon controller would run the pod on a node
// (NodeShouldRunDaemonPod): by taints and node affinity alone.
func runsDaemon(d *daemon, p *feasibility.Profile) bool { return d.class.Selects(p) }

// fromGroup makes the template that the cloud provider gives: matching daemons are
// forced on without a check of room, and deprecated labels are added
// (SanitizedTemplateNodeInfoFromNodeGroup).
func (r *run) fromGroup(g *packing.NodeGroup) (*template, error) {
	node := r.sanitized(g.Template, g.Name)
	for from, to := range map[string]string{
		corev1.LabelInstanceTypeStable: corev1.LabelInstanceType,
		corev1.LabelTopologyRegion:     corev1.LabelFailureDomainBetaRegion,
		corev1.LabelTopologyZone:       corev1.LabelFailureDomainBetaZone,
	} {
		if v, ok := node.Labels[from]; ok {
			node.Labels[to] = v
		}
	}
	return r.template(node, nil, true)
}

// fromNode makes the template from a real node: of its pods only daemon and mirror
// pods stay, and daemons that it does not run are not added, unless their pods
// preempt all others (SanitizedTemplateNodeInfoFromNodeInfo).
func (r *run) fromNode(n *member, g *packing.NodeGroup) (*template, error) {
	t, err := r.template(r.sanitized(n.node, g.Name), n.daemons, r.settings.ForceDaemonSets)
	if err != nil {
		return nil, err
	}
	t.from, t.running = n.node, n.daemons
	return t, nil
}

func (r *run) template(node *corev1.Node, running []daemonPod, force bool) (*template, error) {
	profile, err := r.universe.Profile(node)
	if err != nil {
		return nil, err
	}
	t := &template{profile: profile}
	add := func(c *feasibility.Class) {
		t.used = t.used.Add(c.Requests)
		if i := slices.IndexFunc(t.held, func(h feasibility.Held) bool { return h.Class == c }); i >= 0 {
			t.held[i].Pods++
			return
		}
		t.held = append(t.held, feasibility.Held{Class: c, Pods: 1})
	}
	seen := make(map[types.UID]bool)
	for _, p := range running {
		add(p.class)
		if p.owned {
			seen[p.owner] = true
		}
	}
	for i := range r.daemons {
		d := &r.daemons[i]
		if !seen[d.uid] && (force || d.critical) && runsDaemon(d, profile) {
			add(d.class)
		}
	}
	return t, nil
}

// sanitized copies a node under a new name, without what is only its passing state.
func (r *run) sanitized(from *corev1.Node, group string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "template-node-for-" + group, Labels: maps.Clone(from.Labels)}, Spec: from.Spec, Status: from.Status}
	if n.Labels == nil {
		n.Labels = make(map[string]string)
	}
	n.Labels[corev1.LabelHostname] = n.Name
	n.Labels[templateNodeLabel] = "true"
	n.Spec.Taints = nil
	for _, t := range from.Spec.Taints {
		if !r.passing(t.Key) {
			n.Spec.Taints = append(n.Spec.Taints, t)
		}
	}
	return n
}

// passing reports whether a taint is not inherited (SanitizeTaints).
func (r *run) passing(key string) bool {
	return key == toBeDeletedTaint || key == deletionCandidateTaint || conditionTaints[key] ||
		strings.HasPrefix(key, statusTaintPrefix) || r.startupTaint(key) || slices.Contains(r.settings.StatusTaints, key)
}

// refreshTemplates finds each group's template for a loop: its first good real
// node, else the template of an earlier loop, else the provider's.
func (r *run) refreshTemplates() error {
	found := make([]bool, len(r.groups))
	for _, m := range r.members {
		if m.group < 0 || found[m.group] || !r.goodTemplate(m) {
			continue
		}
		found[m.group] = true
		if r.templateOf[m.group] == m && !m.known.staleTemplate {
			continue
		}
		m.known.staleTemplate = false
		t, err := r.fromNode(m, r.groups[m.group])
		if err != nil {
			return err
		}
		r.templates[m.group], r.templateOf[m.group] = t, m
	}
	for i, g := range r.groups {
		if found[i] || r.templates[i] != nil {
			continue
		}
		t, err := r.fromGroup(g)
		if err != nil {
			return fmt.Errorf("node group %q: template: %w", g.Name, err)
		}
		r.templates[i] = t
	}
	return nil
}
