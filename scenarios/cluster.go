package scenarios

import (
	"fmt"
	"reflect"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// located is an object of one kind and where it is from.
type located[T any] struct {
	at    *object
	value T
}

// cluster is the input sorted by kind, each kind in the order of the input.
type cluster struct {
	// workloads are the objects that are pods or make pods, in input order.
	workloads []*object

	pods            []located[*corev1.Pod]
	nodes           []located[*corev1.Node]
	deployments     []located[*appsv1.Deployment]
	replicaSets     []located[*appsv1.ReplicaSet]
	jobs            []located[*batchv1.Job]
	daemonSets      []located[*appsv1.DaemonSet]
	namespaces      []located[*corev1.Namespace]
	limitRanges     []located[*corev1.LimitRange]
	claims          []located[*corev1.PersistentVolumeClaim]
	volumes         []located[*corev1.PersistentVolume]
	storageClasses  []located[*storagev1.StorageClass]
	csiNodes        []located[*storagev1.CSINode]
	priorityClasses []located[*schedulingv1.PriorityClass]
	runtimeClasses  []located[*nodev1.RuntimeClass]
	budgets         []located[*policyv1.PodDisruptionBudget]
	nodePools       []located[*packing.NodePool]
	nodeClaims      []located[*nodeClaim]
	manifests       []located[*Manifest]

	claimNames   map[string]bool // namespace/name of claims, once expansion needs them
	defaultClass string          // the default StorageClass

	// Of the timeline: Jobs whose pods come over time, their templates once they
	// are made, how many pods a StatefulSet may have at most, and the controllers
	// in order and by UID.
	arriving     map[types.UID]bool
	jobTemplates map[types.UID]*corev1.Pod
	most         map[types.UID]int
	controllers  []*arrivals.Controller
	controllerOf map[types.UID]*arrivals.Controller
}

// sortObjects names the objects, refuses those that are there twice, and sorts
// them by kind.
func (l *loader) sortObjects() *cluster {
	c := &cluster{
		arriving: map[types.UID]bool{}, jobTemplates: map[types.UID]*corev1.Pod{}, most: map[types.UID]int{},
		controllerOf: map[types.UID]*arrivals.Controller{},
	}
	type key struct{ kind, namespace, name string }
	first := make(map[key]*object, len(l.objects))
	for i := range l.objects {
		o := &l.objects[i]
		l.identify(o, i)
		if o.name == "" {
			l.problemAt(o, fieldError{"metadata.name", "is missing"})
			continue
		}
		k := key{o.kind, o.namespace, o.name}
		if before, twice := first[k]; twice {
			l.problemAt(o, fieldError{"metadata.name", "the name is there twice, first in " + before.where()})
			continue
		}
		first[k] = o
		c.add(o)
	}
	return c
}

// where is the place of an object without its name.
func (o *object) where() string {
	s := fmt.Sprintf("%s: document %d", o.file, o.document)
	if o.item != "" {
		s += ": " + o.item
	}
	return s
}

// identify fills in what the API server would: the namespace, a name for
// generateName, a UID.
func (l *loader) identify(o *object, i int) {
	meta := objectMeta(o.value)
	if meta == nil {
		return // our own manifest
	}
	for _, k := range kinds {
		if k.kind == o.kind && k.namespaced && meta.Namespace == "" {
			meta.Namespace = metav1.NamespaceDefault
		}
	}
	if meta.Name == "" && meta.GenerateName != "" {
		meta.Name = meta.GenerateName + podSuffix(meta.GenerateName, i)
	}
	o.namespace, o.name = meta.Namespace, meta.Name
	if meta.UID == "" {
		meta.UID = uidFor(o.kind, meta.Namespace, meta.Name)
	}
}

// objectMeta returns the metadata of an object, nil for kinds without.
func objectMeta(value any) *metav1.ObjectMeta {
	field := reflect.ValueOf(value).Elem().FieldByName("ObjectMeta")
	if !field.IsValid() {
		return nil
	}
	return field.Addr().Interface().(*metav1.ObjectMeta)
}

func (c *cluster) add(o *object) {
	switch v := o.value.(type) {
	case *corev1.Pod:
		c.pods = append(c.pods, located[*corev1.Pod]{o, v})
		c.workloads = append(c.workloads, o)
	case *appsv1.Deployment:
		c.deployments = append(c.deployments, located[*appsv1.Deployment]{o, v})
		c.workloads = append(c.workloads, o)
	case *appsv1.ReplicaSet:
		c.replicaSets = append(c.replicaSets, located[*appsv1.ReplicaSet]{o, v})
		c.workloads = append(c.workloads, o)
	case *batchv1.Job:
		c.jobs = append(c.jobs, located[*batchv1.Job]{o, v})
		c.workloads = append(c.workloads, o)
	case *appsv1.StatefulSet, *corev1.ReplicationController, *batchv1.CronJob:
		c.workloads = append(c.workloads, o)
	case *corev1.Node:
		c.nodes = append(c.nodes, located[*corev1.Node]{o, v})
	case *appsv1.DaemonSet:
		c.daemonSets = append(c.daemonSets, located[*appsv1.DaemonSet]{o, v})
	case *corev1.Namespace:
		c.namespaces = append(c.namespaces, located[*corev1.Namespace]{o, v})
	case *corev1.LimitRange:
		c.limitRanges = append(c.limitRanges, located[*corev1.LimitRange]{o, v})
	case *corev1.PersistentVolumeClaim:
		c.claims = append(c.claims, located[*corev1.PersistentVolumeClaim]{o, v})
	case *corev1.PersistentVolume:
		c.volumes = append(c.volumes, located[*corev1.PersistentVolume]{o, v})
	case *storagev1.StorageClass:
		c.storageClasses = append(c.storageClasses, located[*storagev1.StorageClass]{o, v})
	case *storagev1.CSINode:
		c.csiNodes = append(c.csiNodes, located[*storagev1.CSINode]{o, v})
	case *schedulingv1.PriorityClass:
		c.priorityClasses = append(c.priorityClasses, located[*schedulingv1.PriorityClass]{o, v})
	case *nodev1.RuntimeClass:
		c.runtimeClasses = append(c.runtimeClasses, located[*nodev1.RuntimeClass]{o, v})
	case *policyv1.PodDisruptionBudget:
		c.budgets = append(c.budgets, located[*policyv1.PodDisruptionBudget]{o, v})
	case *packing.NodePool:
		c.nodePools = append(c.nodePools, located[*packing.NodePool]{o, v})
	case *nodeClaim:
		c.nodeClaims = append(c.nodeClaims, located[*nodeClaim]{o, v})
	case *Manifest:
		c.manifests = append(c.manifests, located[*Manifest]{o, v})
	}
}

// values returns the objects without their places.
func values[T any](list []located[T]) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = v.value
	}
	return out
}

// plural prints a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
