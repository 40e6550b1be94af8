package cases

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// daemonSets adds n daemon sets, most of which run on some nodes only.
func (g *generator) daemonSets(n int) {
	g.note("daemonsets")
	for i := range n {
		ds := g.daemonSet(fmt.Sprintf("ds%d", i), amounts(pick(g, "50m", "100m", "200m", "500m"), pick(g, "64Mi", "128Mi", "256Mi", "1Gi")))
		spec := &ds.Spec.Template.Spec
		if g.chance(0.4) {
			spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		}
		switch g.between(0, 9) {
		case 0:
			g.note("daemon-arch")
			spec.NodeSelector = map[string]string{archLabel: pick(g, "amd64", "arm64")}
		case 1:
			g.note("daemon-nodepool")
			spec.NodeSelector = map[string]string{poolLabel: pick(g, g.pools...).Name}
		case 2:
			g.note("daemon-or-terms")
			spec.Affinity = alternatives(
				[]corev1.NodeSelectorRequirement{expression(archLabel, "In", "arm64"), expression(cpuLabel, "Gt", "7")},
				[]corev1.NodeSelectorRequirement{expression(archLabel, "In", "amd64")})
		case 3:
			g.note("daemon-instance-type")
			names := []string{g.types[0].Name}
			for _, t := range g.types[1:] {
				if g.chance(0.4) {
					names = append(names, t.Name)
				}
			}
			op := pick(g, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn)
			spec.Affinity = alternatives([]corev1.NodeSelectorRequirement{expression(typeLabel, op, names...)})
		case 4:
			g.note("daemon-capacity-type")
			spec.NodeSelector = map[string]string{capacityTypeLabel: pick(g, "spot", "on-demand")}
		case 5:
			g.note("daemon-custom-label")
			spec.NodeSelector = map[string]string{teamLabel: pick(g, "red", "blue")}
		case 6:
			g.note("daemon-zone")
			spec.NodeSelector = map[string]string{zoneLabel: pick(g, zones...)}
		}
	}
}

func alternatives(terms ...[]corev1.NodeSelectorRequirement) *corev1.Affinity {
	var d deployment
	d.requireTerms(terms...)
	return d.spec.Affinity
}

func (g *generator) daemonSet(name string, requests corev1.ResourceList) *appsv1.DaemonSet {
	ds := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "kube-system", UID: uid("daemonset/" + name), CreationTimestamp: at(-7200),
	}}
	ds.Spec.Template.Labels = map[string]string{"ds": name}
	ds.Spec.Template.Spec.Containers = []corev1.Container{container("main", requests)}
	g.snapshot.DaemonSets = append(g.snapshot.DaemonSets, ds)
	return ds
}

// node adds a node; without a pool it is one that Karpenter does not manage.
func (g *generator) node(pool *packing.NodePool, t *instancetypes.InstanceType, zone, capacityType string) *packing.Node {
	name := fmt.Sprintf("node-%02d", len(g.snapshot.Nodes)+1)
	labels := map[string]string{}
	for _, r := range t.Requirements {
		if r.Operator() == requirements.In && r.Key() != reservationLabel {
			labels[r.Key()] = r.Values()[0]
		}
	}
	n := &packing.Node{Node: &corev1.Node{}}
	if pool != nil {
		for _, r := range pool.Spec.Template.Spec.Requirements {
			if _, ok := labels[r.Key]; !ok && r.Operator == corev1.NodeSelectorOpIn {
				labels[r.Key] = r.Values[0]
			}
		}
		maps.Copy(labels, pool.Spec.Template.Labels)
		labels[poolLabel] = pool.Name
		labels[requirements.LabelRegistered], labels[requirements.LabelInitialized] = "true", "true"
		n.Spec.Taints = append(n.Spec.Taints, pool.Spec.Template.Spec.Taints...)
	}
	labels[hostLabel], labels[zoneLabel], labels[capacityTypeLabel] = name, zone, capacityType
	n.ObjectMeta = metav1.ObjectMeta{Name: name, UID: uid("node/" + name), Labels: labels, CreationTimestamp: at(-3600)}
	n.Spec.ProviderID = "random:///" + zone + "/" + name
	// A kubelet reports nothing rather than less than nothing.
	n.Status.Capacity, n.Status.Allocatable = t.Capacity.List(), t.Allocatable().Max(t.Capacity.Sub(t.Capacity)).List()
	g.snapshot.Nodes = append(g.snapshot.Nodes, n)
	return n
}

// anyNode adds a node of a type of at most 16 CPUs, if there is one.
func (g *generator) anyNode(pool *packing.NodePool) *packing.Node {
	var small []*instancetypes.InstanceType
	for _, t := range g.types {
		if t.Capacity.Get(corev1.ResourceCPU) <= 16_000 {
			small = append(small, t)
		}
	}
	if len(small) == 0 {
		small = g.types
	}
	return g.node(pool, pick(g, small...), pick(g, zones...), pick(g, "spot", "on-demand"))
}

// existingNodes adds n nodes: managed or not, ready or starting, cordoned or tainted.
func (g *generator) existingNodes(n int, apps []*deployment) {
	g.note("existing-nodes")
	for range n {
		var pool *packing.NodePool
		if g.chance(0.8) {
			pool = pick(g, g.pools...)
		} else {
			g.note("unmanaged-nodes")
		}
		node := g.anyNode(pool)
		taint := func(key, value string) {
			node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffectNoSchedule})
		}
		switch {
		case pool != nil && g.chance(0.15):
			g.note("uninitialized-nodes")
			delete(node.Labels, requirements.LabelInitialized)
			taint(corev1.TaintNodeNotReady, "")
			if g.chance(0.5) {
				node.Spec.Taints = append(node.Spec.Taints, pool.Spec.Template.Spec.StartupTaints...)
			}
			if g.chance(0.3) {
				g.note("unregistered-nodes")
				delete(node.Labels, requirements.LabelRegistered)
				node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "karpenter.sh/unregistered", Effect: corev1.TaintEffectNoExecute})
			}
		case g.chance(0.1):
			g.note("cordoned-nodes")
			node.Spec.Unschedulable = true
			taint(corev1.TaintNodeUnschedulable, "")
		case g.chance(0.1):
			g.note("tainted-nodes")
			taint("dedicated", "batch")
		case g.chance(0.07):
			g.note("deleting-nodes")
			node.DeletionTimestamp, node.Finalizers = new(at(50)), []string{"karpenter.sh/termination"}
		case g.chance(0.06):
			g.note("not-ready-initialized")
			taint(corev1.TaintNodeNotReady, "")
		}
		g.bindDaemons(node, 0.6)
		g.fill(node, 0.3+0.7*g.rng.Float64(), apps)
	}
}

// topologyNodes adds n nodes whose pods count towards the rules of apps, some of
// them with anti-affinity of their own.
func (g *generator) topologyNodes(n int, apps []*deployment) {
	g.note("existing-nodes")
	for range n {
		node := g.anyNode(g.pools[0])
		g.fill(node, 0.1+0.6*g.rng.Float64(), apps)
		if !g.chance(0.45) {
			continue
		}
		g.note("bound-anti-affinity")
		guard := &deployment{}
		guard.requireApart(affinityTerm(pick(g, hostLabel, zoneLabel), pick(g, apps...).selector()))
		p := g.bind(node, "guard-"+node.Name, corev1.ResourceList{corev1.ResourceCPU: quantity("100m")}, map[string]string{"app": "guard"})
		p.Spec.Affinity = guard.spec.Affinity
	}
}

// bind adds a running pod to a node.
func (g *generator) bind(n *packing.Node, name string, requests corev1.ResourceList, labels map[string]string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "default", Labels: labels, UID: uid(g.name + "/bound/" + name), CreationTimestamp: at(-1800),
		},
		Spec:   corev1.PodSpec{NodeName: n.Name, Containers: []corev1.Container{container("main", requests)}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	n.Pods = append(n.Pods, p)
	return p
}

// bindDaemons puts the pod of each daemon set on the node with a probability.
func (g *generator) bindDaemons(n *packing.Node, probability float64) {
	for _, ds := range g.snapshot.DaemonSets {
		if !g.chance(probability) {
			continue
		}
		g.note("bound-daemon-pods")
		p := recorded.DaemonPod(ds)
		p.Name = ds.Name + "-" + n.Name
		p.UID = uid(g.name + "/bound/" + p.Name)
		p.Spec.NodeName, p.Status.Phase = n.Name, corev1.PodRunning
		n.Pods = append(n.Pods, p)
	}
}

// fill binds pods until a share of the node's CPU or memory is used. Some carry
// the labels of apps, and some have finished and no longer count.
func (g *generator) fill(n *packing.Node, share float64, apps []*deployment) {
	cpu := share * float64(n.Status.Allocatable.Cpu().MilliValue())
	memory := share * float64(n.Status.Allocatable.Memory().Value())
	most := int(n.Status.Allocatable.Pods().Value()) - 2 - len(n.Pods)
	for i := range most {
		requests := g.smallRequests()
		switch {
		case cpu > 16_000:
			requests = amounts(pick(g, "2", "3", "4", "6"), pick(g, "2Gi", "4Gi", "8Gi"))
		case cpu > 8_000:
			requests = g.requests()
		}
		cpu -= float64(requests.Cpu().MilliValue())
		memory -= float64(requests.Memory().Value())
		if cpu < 0 || memory < 0 {
			return
		}
		labels, namespace := map[string]string{"app": "legacy"}, "default"
		if len(apps) > 0 && g.chance(0.4) {
			app := pick(g, apps...)
			labels, namespace = maps.Clone(app.labels), app.namespace
		}
		p := g.bind(n, fmt.Sprintf("bound-%s-%d", n.Name, i), requests, labels)
		p.Namespace = namespace
		if g.chance(0.03) {
			g.note("finished-pods")
			p.Status.Phase = corev1.PodSucceeded
		}
	}
}
