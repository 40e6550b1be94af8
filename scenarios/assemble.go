package scenarios

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// scenario puts the objects read together. It goes on after a mistake wherever
// what follows does not depend on it, so that all mistakes are told at once.
func (l *loader) scenario(sources []source) (*Scenario, error) {
	c := l.sortObjects()
	m := l.manifest(c, sources)
	l.moveRegion(c, m)
	catalog, commitments := l.loadCatalog(c, m)
	l.validateObjects(c, catalog)
	l.completeClaims(c)

	s := &Scenario{
		Name: m.value.Metadata.Name, Description: m.value.Spec.Description, Catalog: catalog, Commitments: commitments,
		NodePools: values(c.nodePools),
		Karpenter: m.value.Spec.Karpenter, ClusterAutoscaler: m.value.Spec.ClusterAutoscaler,
		Snapshot: &packing.Snapshot{Now: l.now},
	}
	var nodes []*packing.Node
	if l.noNodes {
		unbind(c)
	} else {
		nodes = l.nodes(c, m, catalog)
	}
	l.claimNodes(c, nodes)
	s.Snapshot.Nodes = nodes
	l.announce(c, m)
	l.placePods(s.Snapshot, c, newAdmission(c))
	s.Controllers, s.Activity = c.controllers, l.activity(c, m)
	completeBudgets(s.Snapshot, values(c.budgets))
	s.NodeGroups = l.nodeGroups(m, catalog, nodes)
	for _, e := range prefixed("spec.karpenter", s.Karpenter.validate()) {
		l.problemAt(m.at, e)
	}
	for _, e := range prefixed("spec.clusterAutoscaler", s.ClusterAutoscaler.validate()) {
		l.problemAt(m.at, e)
	}
	l.checkVolumes(s.Snapshot.Pods, c)
	s.Snapshot.Namespaces = values(c.namespaces)
	s.Snapshot.PriorityClasses = values(c.priorityClasses)
	s.Snapshot.PodDisruptionBudgets = values(c.budgets)
	s.Snapshot.PersistentVolumeClaims = values(c.claims)
	s.Snapshot.PersistentVolumes = values(c.volumes)
	s.Snapshot.StorageClasses = values(c.storageClasses)
	s.Snapshot.CSINodes = values(c.csiNodes)
	l.errs.sort(sources)
	if err := l.errs.orNil(); err != nil {
		return nil, err
	}
	if !l.noDefaults {
		l.standIns(s)
	}
	l.checkGroups(s)
	s.Warnings = l.warnings.lines()
	return s, nil
}

// checkVolumes warns of pods that wait and name claims that are not in the input:
// where their volumes are is then not known.
func (l *loader) checkVolumes(pods []*corev1.Pod, c *cluster) {
	claims := make(map[string]bool, len(c.claims))
	for _, claim := range c.claims {
		claims[claim.value.Namespace+"/"+claim.value.Name] = true
	}
	for _, p := range pods {
		for i := range p.Spec.Volumes {
			source := p.Spec.Volumes[i].PersistentVolumeClaim
			if source != nil && !claims[p.Namespace+"/"+source.ClaimName] {
				l.warn("Pod "+p.Namespace+"/"+p.Name, "a PersistentVolumeClaim that the pod names is not in the input (kubectl get pvc,pv,storageclasses has them)")
			}
		}
	}
}

// prefixed puts field errors below a field.
func prefixed(at string, errs []fieldError) []fieldError {
	var e fieldErrors
	e.under(at, errs)
	return e
}

// manifest returns the one Scenario of the input, or an empty one with defaults.
func (l *loader) manifest(c *cluster, sources []source) located[*Manifest] {
	if len(c.manifests) > 0 {
		for _, more := range c.manifests[1:] {
			l.problemAt(more.at, fieldError{"", "a second Scenario; an input holds one, the first is in " + c.manifests[0].at.where()})
		}
		return c.manifests[0]
	}
	m := &Manifest{Metadata: ManifestMeta{Name: "stdin"}}
	m.Spec.Karpenter = DefaultKarpenterSettings()
	m.Spec.ClusterAutoscaler = DefaultClusterAutoscalerSettings()
	at := &object{kind: Kind}
	if len(sources) > 0 {
		at.file = sources[0].name
		base := filepath.Base(at.file)
		if len(sources) > 1 {
			base = filepath.Base(sources[0].dir)
		}
		m.Metadata.Name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	return located[*Manifest]{at, m}
}

// completeClaims gives claims what the API server does.
func (l *loader) completeClaims(c *cluster) {
	class := defaultStorageClass(c)
	for _, claim := range c.claims {
		completeClaim(claim.value, class)
	}
	c.defaultClass = class
}

func completeClaim(claim *corev1.PersistentVolumeClaim, class string) {
	storageFromLimits(&claim.Spec)
	if claim.Spec.StorageClassName == nil && class != "" && claim.Annotations[corev1.BetaStorageClassAnnotation] == "" {
		claim.Spec.StorageClassName = &class
	}
}

// nodes makes the snapshot's nodes: each completed where a manifest written by
// hand leaves out what a node always reports, with its group and its price.
func (l *loader) nodes(c *cluster, m located[*Manifest], catalog *instancetypes.Catalog) []*packing.Node {
	perZone := map[string]bool{}
	for _, g := range m.value.Spec.NodeGroups {
		if g.PerZone {
			perZone[g.Name] = true
		}
	}
	nodes := make([]*packing.Node, 0, len(c.nodes))
	for _, n := range c.nodes {
		node := &packing.Node{Node: n.value, NodeGroup: nodeGroupOf(n.value)}
		var t *instancetypes.InstanceType
		if catalog != nil {
			t = l.instanceTypeOf(n, catalog)
		}
		for _, e := range completeNode(n.value, t) {
			l.problemAt(n.at, e)
		}
		if t != nil {
			node.Price = l.priceOf(n, t)
		}
		if perZone[node.NodeGroup] {
			node.NodeGroup += "-" + label(n.value, corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone)
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// label returns the value of the first of a node's labels that is there.
func label(n *corev1.Node, keys ...string) string {
	for _, key := range keys {
		if v, ok := n.Labels[key]; ok {
			return v
		}
	}
	return ""
}

func (l *loader) instanceTypeOf(n located[*corev1.Node], catalog *instancetypes.Catalog) *instancetypes.InstanceType {
	name := label(n.value, corev1.LabelInstanceTypeStable, corev1.LabelInstanceType)
	if name == "" {
		l.warnAt(n.at, "the node has no label "+corev1.LabelInstanceTypeStable+": its price is not known and counts as 0")
		return nil
	}
	t, ok := catalog.Lookup(name)
	if !ok {
		l.warnAt(n.at, "the node's price is not known and counts as 0: "+unknownInstanceType(catalog, name))
		return nil
	}
	return t
}

// completeNode fills in what kubelet and cloud provider report of every node,
// from its instance type if that is known.
func completeNode(n *corev1.Node, t *instancetypes.InstanceType) []fieldError {
	var errs fieldErrors
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	if n.Labels[corev1.LabelHostname] == "" {
		n.Labels[corev1.LabelHostname] = n.Name
	}
	if len(n.Status.Allocatable) == 0 && len(n.Status.Capacity) > 0 {
		n.Status.Allocatable = n.Status.Capacity
	}
	if len(n.Status.Allocatable) == 0 {
		if t == nil {
			errs.add("status.allocatable", "is missing, and the node's instance type is not known")
			return errs
		}
		template := packing.TemplateNode(t, packing.TemplateOptions{Zone: n.Labels[corev1.LabelTopologyZone], CapacityType: capacityTypeOf(n)})
		n.Status.Capacity, n.Status.Allocatable = template.Status.Capacity, template.Status.Allocatable
		for key, value := range template.Labels {
			if _, ok := n.Labels[key]; !ok {
				n.Labels[key] = value
			}
		}
	}
	if len(n.Status.Conditions) == 0 {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	}
	return errs
}

// capacityTypeOf reads the capacity type of a node from Karpenter's label or a cloud's.
func capacityTypeOf(n *corev1.Node) string {
	switch {
	case n.Labels[requirements.LabelCapacityType] != "":
		return n.Labels[requirements.LabelCapacityType]
	case n.Labels["eks.amazonaws.com/capacityType"] == "SPOT",
		n.Labels["cloud.google.com/gke-spot"] == "true",
		n.Labels["cloud.google.com/gke-preemptible"] == "true",
		n.Labels["kubernetes.azure.com/scalesetpriority"] == "spot",
		n.Labels["node.kubernetes.io/lifecycle"] == "spot":
		return requirements.CapacityTypeSpot
	default:
		return requirements.CapacityTypeOnDemand
	}
}

// priceOf returns what a node costs by the catalog.
func (l *loader) priceOf(n located[*corev1.Node], t *instancetypes.InstanceType) float64 {
	zone := label(n.value, corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone)
	o, err := offeringOf(t, zone, capacityTypeOf(n.value))
	if err != nil {
		l.warnAt(n.at, fmt.Sprintf("the node's price is not known and counts as 0: %v", err))
		return 0
	}
	return o.Price
}

// checkGroups warns of nodes whose group or pool the input does not describe.
func (l *loader) checkGroups(s *Scenario) {
	groups, pools := map[string]bool{}, map[string]bool{}
	var names []string
	for _, g := range s.NodeGroups {
		groups[g.Name] = true
		names = append(names, g.Name)
	}
	for _, p := range s.NodePools {
		pools[p.Name] = true
	}
	for _, n := range s.Snapshot.Nodes {
		if n.NodeGroup != "" && !groups[n.NodeGroup] {
			l.warn("Node "+n.Name, fmt.Sprintf("node group %q is not described in the input%s: nothing resizes it", n.NodeGroup, didYouMean(n.NodeGroup, names)))
		}
		if pool := n.NodePool(); pool != "" && !pools[pool] {
			l.warn("Node "+n.Name, fmt.Sprintf("node pool %q is not in the input: nothing consolidates its nodes", pool))
		}
	}
}

// placePods sorts pods into those that wait and those bound to nodes, and makes
// the pods of controllers.
func (l *loader) placePods(s *packing.Snapshot, c *cluster, a *admission) {
	byName := make(map[string]*packing.Node, len(s.Nodes))
	for _, n := range s.Nodes {
		byName[n.Name] = n
	}
	l.daemonSets(s, c, a)
	e := newExpansion(l, c, a)
	var strays []string // names of nodes that pods are bound to and that are not there
	lost := 0
	for _, o := range c.workloads {
		pod, given := o.value.(*corev1.Pod)
		if !given {
			for _, made := range e.pods(o) {
				if l.waits(o, made) {
					s.Pods = append(s.Pods, made)
				}
			}
			continue
		}
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue // it takes no room and will not run again
		}
		if !e.allowed(o, 1, "") {
			break
		}
		live := pod.Status.Phase != "" || pod.ResourceVersion != "" || pod.Spec.NodeName != ""
		for _, err := range slices.Concat(a.admit(pod.Namespace, pod.Labels, &pod.Spec, live), validatePodSpec(pod.Labels, &pod.Spec)) {
			l.problemAt(o, err)
		}
		if pod.Status.Phase == "" {
			pod.Status.Phase = corev1.PodPending
			if pod.Spec.NodeName != "" {
				pod.Status.Phase = corev1.PodRunning // what the kubelet would report by now
			}
		}
		switch node, known := byName[pod.Spec.NodeName]; {
		case pod.Spec.NodeName == "":
			if l.waits(o, pod) {
				s.Pods = append(s.Pods, pod)
			}
		case known:
			node.Pods = append(node.Pods, pod)
		default:
			lost++
			if !slices.Contains(strays, pod.Spec.NodeName) && len(strays) < 4 {
				strays = append(strays, pod.Spec.NodeName)
			}
		}
	}
	if lost > 0 {
		if len(strays) == 4 {
			strays[3] = "..."
		}
		// No error: between two lists that kubectl prints, nodes come and go.
		l.warn("", fmt.Sprintf("left out: %s bound to nodes that are not in the input (%s)%s", plural(lost, "pod"), strings.Join(strays, ", "), missingNodesHint(s)))
	}
}

func missingNodesHint(s *packing.Snapshot) string {
	if len(s.Nodes) == 0 {
		return ": ask kubectl for pods,nodes"
	}
	return ""
}

// unbind takes every pod off its node, and takes the pods out that go with their
// nodes.
func unbind(c *cluster) {
	c.nodeClaims = nil
	c.workloads = slices.DeleteFunc(c.workloads, func(o *object) bool {
		pod, ok := o.value.(*corev1.Pod)
		if !ok || pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			return false
		}
		ref := metav1.GetControllerOfNoCopy(pod)
		_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
		if mirror || pod.DeletionTimestamp != nil || ref != nil && (ref.Kind == "DaemonSet" || ref.Kind == "Node") {
			return true
		}
		pod.Spec.NodeName = ""
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
		return false
	})
}

// waits reports whether an unbound pod waits for a node that an autoscaler
// would launch for it. If not, it warns why.
func (l *loader) waits(o *object, pod *corev1.Pod) bool {
	ref := metav1.GetControllerOfNoCopy(pod)
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case pod.DeletionTimestamp != nil:
		l.warnAt(o, "the pod is being deleted and is bound to no node: it is left out")
	case len(pod.Spec.SchedulingGates) > 0:
		l.warnAt(o, fmt.Sprintf("the pod is held back by scheduling gate %q: it does not wait for a node and is left out", pod.Spec.SchedulingGates[0].Name))
	case ref != nil && ref.Kind == "DaemonSet":
		l.warnAt(o, "the pod belongs to a DaemonSet and waits for its own node: autoscalers launch none for it, it is left out")
	case mirror || ref != nil && ref.Kind == "Node":
		l.warnAt(o, "a static pod's mirror without a node is left out")
	default:
		return true
	}
	return false
}

// daemonSets completes DaemonSets. One whose pods are in the input while it is
// not (kubectl get pods,nodes) is put together again from one of its pods: new
// nodes will run it, too.
func (l *loader) daemonSets(s *packing.Snapshot, c *cluster, a *admission) {
	known := map[[2]string]bool{}
	for _, d := range c.daemonSets {
		template := &d.value.Spec.Template
		errs := a.admit(d.value.Namespace, template.Labels, &template.Spec, false)
		for _, err := range slices.Concat(errs, validatePodSpec(template.Labels, &template.Spec)) {
			l.problemAt(d.at, fieldError{joinField("spec.template", err.field), err.message})
		}
		known[[2]string{d.value.Namespace, d.value.Name}] = true
		s.DaemonSets = append(s.DaemonSets, d.value)
	}
	for _, p := range c.pods {
		ref := metav1.GetControllerOfNoCopy(p.value)
		if ref == nil || ref.Kind != "DaemonSet" || known[[2]string{p.value.Namespace, ref.Name}] ||
			p.value.Status.Phase == corev1.PodSucceeded || p.value.Status.Phase == corev1.PodFailed {
			continue
		}
		known[[2]string{p.value.Namespace, ref.Name}] = true
		l.warnAt(p.at, "a DaemonSet whose pods are in the input is not: it is put together from one of its pods, without node affinity (kubectl get daemonsets has it)")
		s.DaemonSets = append(s.DaemonSets, daemonSetOf(p.value, ref))
	}
}
