package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/scheduling"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// newCluster puts the snapshot into a fake API server and into Karpenter's own
// cluster state, as its informers would.
func newCluster(ctx context.Context, s *packing.Snapshot, pools []*packing.NodePool) (client.Client, *state.Cluster, error) {
	var nodes []*corev1.Node
	for _, n := range s.Nodes {
		node := n.Node.DeepCopy()
		if node.Spec.ProviderID == "" {
			node.Spec.ProviderID = "snapshot:///" + node.Name
		}
		nodes = append(nodes, node)
	}
	byNode := func(o client.Object) []string { return []string{o.(*corev1.Pod).Spec.NodeName} }
	api := fakeclient.NewClientBuilder().WithScheme(scheme.Scheme).
		WithIndex(&corev1.Pod{}, "spec.nodeName", byNode).
		WithInterceptorFuncs(interceptor.Funcs{Get: get}).
		WithObjects(objects(s, nodes)...).Build()
	cluster := state.NewCluster(clock.RealClock{}, api, nil)
	startup := map[string][]corev1.Taint{}
	for _, pool := range pools {
		startup[pool.Name] = pool.Spec.Template.Spec.StartupTaints
	}
	for i, node := range nodes {
		if pool := s.Nodes[i].NodePool(); pool != "" {
			cluster.UpdateNodeClaim(nodeClaimOf(node, startup[pool]))
		}
		if err := cluster.UpdateNode(ctx, node); err != nil {
			return nil, nil, fmt.Errorf("node %s: %w", node.Name, err)
		}
	}
	for _, n := range s.Nodes {
		for _, p := range n.Pods {
			if err := cluster.UpdatePod(ctx, p.DeepCopy()); err != nil {
				return nil, nil, fmt.Errorf("pod %s/%s: %w", p.Namespace, p.Name, err)
			}
		}
	}
	return api, cluster, nil
}

// get does as an API server does with objects that live in no namespace: it takes
// no notice of the namespace that Karpenter asks for volumes in.
func get(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if _, ok := obj.(*corev1.PersistentVolume); ok {
		key.Namespace = ""
	}
	return c.Get(ctx, key, obj, opts...)
}

// objects are what the API server holds. Pending pods are not among them: what
// schedules is given to Solve, and nothing looks them up.
func objects(s *packing.Snapshot, nodes []*corev1.Node) []client.Object {
	var out []client.Object
	for _, ns := range namespaces(s) {
		out = append(out, ns)
	}
	for i, n := range nodes {
		out = append(out, n.DeepCopy())
		for _, p := range s.Nodes[i].Pods {
			out = append(out, p.DeepCopy())
		}
	}
	for _, x := range s.PersistentVolumeClaims {
		out = append(out, x.DeepCopy())
	}
	for _, x := range s.PersistentVolumes {
		out = append(out, x.DeepCopy())
	}
	for _, x := range s.StorageClasses {
		out = append(out, x.DeepCopy())
	}
	for _, x := range s.CSINodes {
		out = append(out, x.DeepCopy())
	}
	return out
}

// namespaces are those of the snapshot and, with the label that every namespace
// carries, those that pods live in although the snapshot does not list them.
func namespaces(s *packing.Snapshot) []*corev1.Namespace {
	seen := map[string]bool{"": true}
	var out []*corev1.Namespace
	for _, ns := range s.Namespaces {
		seen[ns.Name] = true
		out = append(out, ns.DeepCopy())
	}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: name, Labels: map[string]string{corev1.LabelMetadataName: name},
			}})
		}
	}
	for _, p := range s.Pods {
		add(p.Namespace)
	}
	for _, n := range s.Nodes {
		for _, p := range n.Pods {
			add(p.Namespace)
		}
	}
	return out
}

// nodeClaimOf is the NodeClaim that Karpenter holds for a node that it manages. A
// claim has the startup taints of its pool; of the other taints those that come
// and go while a node starts are no part of it. It is deleted with its node.
func nodeClaimOf(n *corev1.Node, startup []corev1.Taint) *karpv1.NodeClaim {
	taints := slices.DeleteFunc(slices.Clone(n.Spec.Taints), func(t corev1.Taint) bool {
		return scheduling.IsKnownEphemeralTaint(&t) || slices.ContainsFunc(startup, func(s corev1.Taint) bool { return s.MatchTaint(&t) })
	})
	return &karpv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.Name, Labels: n.Labels, Annotations: n.Annotations, CreationTimestamp: n.CreationTimestamp,
			DeletionTimestamp: n.DeletionTimestamp,
		},
		Spec: karpv1.NodeClaimSpec{Taints: taints, StartupTaints: startup},
		Status: karpv1.NodeClaimStatus{
			NodeName: n.Name, ProviderID: n.Spec.ProviderID,
			Capacity: n.Status.Capacity.DeepCopy(), Allocatable: n.Status.Allocatable.DeepCopy(),
		},
	}
}

// nodePools converts by way of JSON, which is the same on both sides.
func nodePools(in []*packing.NodePool) ([]*karpv1.NodePool, error) {
	var out []*karpv1.NodePool
	for _, pool := range in {
		if pool.Spec.Template.Spec.NodeClassRef == nil {
			return nil, fmt.Errorf("node pool %s: no nodeClassRef, without which Karpenter cannot run", pool.Name)
		}
		text, err := json.Marshal(pool)
		if err != nil {
			return nil, fmt.Errorf("node pool %s: %w", pool.Name, err)
		}
		converted := &karpv1.NodePool{}
		if err := json.Unmarshal(text, converted); err != nil {
			return nil, fmt.Errorf("node pool %s: %w", pool.Name, err)
		}
		out = append(out, converted)
	}
	return out, nil
}

func daemonPods(s *packing.Snapshot) []*corev1.Pod {
	var out []*corev1.Pod
	for _, ds := range s.DaemonSets {
		out = append(out, recorded.DaemonPod(ds))
	}
	return out
}

// instanceTypesOf converts the catalog and deals it out to the pools. A pool
// without any is left out, as the provisioner leaves it out.
func instanceTypesOf(p *recorded.Problem, pools []*karpv1.NodePool) map[string][]*cloudprovider.InstanceType {
	converted := map[string]*cloudprovider.InstanceType{}
	for _, t := range p.Catalog.Types() {
		converted[t.Name] = instanceTypeOf(t)
	}
	out := map[string][]*cloudprovider.InstanceType{}
	for _, pool := range pools {
		for _, t := range p.CatalogOf(pool.Name).Types() {
			out[pool.Name] = append(out[pool.Name], converted[t.Name])
		}
	}
	return out
}

func instanceTypeOf(t *instancetypes.InstanceType) *cloudprovider.InstanceType {
	out := &cloudprovider.InstanceType{
		Name: t.Name, Requirements: requirementsOf(t.Requirements),
		Capacity: t.Capacity.List(),
		Overhead: &cloudprovider.InstanceTypeOverhead{KubeReserved: t.Overhead.List()},
	}
	for i := range t.Offerings {
		o := &t.Offerings[i]
		out.Offerings = append(out.Offerings, &cloudprovider.Offering{
			Requirements: requirementsOf(o.Requirements), Price: o.Price,
			Available: o.Available, ReservationCapacity: o.ReservationCapacity,
		})
	}
	return out
}

// requirementsOf rebuilds a set from its parts: what is excluded, each bound and
// minValues are intersected again by Karpenter's own algebra.
func requirementsOf(s requirements.Set) scheduling.Requirements {
	out := scheduling.NewRequirements()
	for _, r := range s {
		var minValues *int
		if n := r.MinValues(); n > 0 {
			minValues = &n
		}
		out.Add(scheduling.NewRequirementWithFlexibility(r.Key(), r.Operator(), minValues, slices.Clone(r.Values())...))
		if n, ok := r.Gte(); ok {
			out.Add(scheduling.NewRequirement(r.Key(), karpv1.NodeSelectorOpGte, fmt.Sprint(n)))
		}
		if n, ok := r.Lte(); ok {
			out.Add(scheduling.NewRequirement(r.Key(), karpv1.NodeSelectorOpLte, fmt.Sprint(n)))
		}
	}
	return out
}
