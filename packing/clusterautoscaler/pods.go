package clusterautoscaler

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sort"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing/internal/feasibility"
)

// daemonSetPodAnnotation marks pods to be treated as daemon pods (pkg/utils/pod/pod.go).
const daemonSetPodAnnotation = "cluster-autoscaler.kubernetes.io/daemonset-pod"

// scaleUpDelayAnnotation lengthens the age at which a pod is looked at.
const scaleUpDelayAnnotation = "cluster-autoscaler.kubernetes.io/pod-scale-up-delay"

// kind is all pods with one controller, equal labels and equal specs: what the
// original calls equivalent. Pods without a controller share kinds too, but never
// an equivalence group.
type kind struct {
	index      int32
	class      *feasibility.Class
	pod        *corev1.Pod // the first of its kind
	controller int32       // -1: none
	priority   int32
	// prioritized says that the pods have a priority, be it 0.
	prioritized bool
	cpu         int64   // requests in milli-CPU
	memory      int64   // and bytes
	price       float64 // of the requests, as the price expander reckons
	// unsupported says why the pods cannot be judged, "" if they can.
	unsupported string

	labels     []labelPair
	quantities *quantityLists
}

// podTable is the pods of a snapshot by their place in it.
type podTable struct {
	pods        []*corev1.Pod
	kinds       []*kind // by pod
	daemon      []bool  // by pod
	distinct    []*kind
	controllers int // how many there are
	index       *kindIndex
}

// readPods compiles the pods. Errors name the pod and the field.
func readPods(u *feasibility.Universe, pods []*corev1.Pod, priorities map[string]int32) (*podTable, error) {
	if i := slices.Index(pods, nil); i >= 0 {
		return nil, fmt.Errorf("pod %d of the snapshot is nil", i)
	}
	t := &podTable{pods: pods, kinds: make([]*kind, len(pods)), daemon: make([]bool, len(pods))}
	parts := t.sortIntoKinds()
	all := newKindIndex()
	for _, part := range parts {
		for _, k := range part.distinct { // in the order of the pods, whatever the parts
			known := all.find(k.pod, part.owners[k.controller+1])
			if known.class == nil {
				if err := known.compile(u, priorities); err != nil {
					return nil, err
				}
			}
			k.index = known.index
		}
	}
	t.distinct, t.controllers, t.index = all.distinct, len(all.owners)-1, all
	inParallel(len(pods), func(_, from, to int) {
		for i := from; i < to; i++ {
			t.kinds[i] = t.distinct[t.kinds[i].index]
		}
	})
	return t, nil
}

// sortIntoKinds gives every pod its kind, each part of the pods with kinds of its own.
func (t *podTable) sortIntoKinds() []*kindIndex {
	parts := make([]*kindIndex, runtime.GOMAXPROCS(0))
	inParallel(len(t.pods), func(part, from, to int) {
		index := newKindIndex()
		for i := from; i < to; i++ {
			pod := t.pods[i]
			owner := controllerOf(pod)
			t.daemon[i] = owner != nil && owner.Kind == "DaemonSet" || len(pod.Annotations) > 0 && pod.Annotations[daemonSetPodAnnotation] == "true"
			var uid *types.UID
			if owner != nil {
				uid = &owner.UID
			}
			t.kinds[i] = index.find(pod, uid)
		}
		parts[part] = index
	})
	return slices.DeleteFunc(parts, func(p *kindIndex) bool { return p == nil })
}

// controllerOf returns the owner that controls a pod, nil if none does.
func controllerOf(pod *corev1.Pod) *metav1.OwnerReference {
	for i := range pod.OwnerReferences {
		if o := &pod.OwnerReferences[i]; o.Controller != nil && *o.Controller {
			return o
		}
	}
	return nil
}

// partSize is how many pods are worth a goroutine of their own.
const partSize = 4096

// inParallel calls do for parts of n things, in order of their numbers.
func inParallel(n int, do func(part, from, to int)) {
	parts := min(runtime.GOMAXPROCS(0), 1+n/partSize)
	var wait sync.WaitGroup
	for part := range parts {
		wait.Go(func() { do(part, n*part/parts, n*(part+1)/parts) })
	}
	wait.Wait()
}

// compile reads what decisions need of the kind.
func (k *kind) compile(u *feasibility.Universe, priorities map[string]int32) error {
	class, err := u.Class(k.pod)
	if err != nil {
		return err
	}
	k.class = class
	k.priority, k.prioritized = podPriority(k.pod, priorities)
	k.cpu, k.memory = class.Requests.Get(corev1.ResourceCPU), class.Requests.Get(corev1.ResourceMemory)
	k.price = podPrice(k.pod)
	switch spec := &k.pod.Spec; {
	case len(spec.SchedulingGates) > 0:
		k.unsupported = fmt.Sprintf("scheduling gate %q is closed", spec.SchedulingGates[0].Name)
	case spec.NodeName != "":
		k.unsupported = fmt.Sprintf("pod is already bound to node %q", spec.NodeName)
	default:
		k.unsupported = class.Unsupported()
	}
	return nil
}

// podPriority is the pod's priority, or that of its class where the API server has
// not yet written it into the pod; if it has neither, it is 0 and not known.
func podPriority(pod *corev1.Pod, classes map[string]int32) (priority int32, known bool) {
	if pod.Spec.Priority != nil {
		return *pod.Spec.Priority, true
	}
	priority, known = classes[pod.Spec.PriorityClassName]
	return priority, known
}

// terminating reports whether the pods are being deleted: without a node they are
// not looked at any more.
func (k *kind) terminating() bool { return k.pod.DeletionTimestamp != nil }

// requestsGPU reports whether the pods name a GPU of any vendor (pkg/utils/gpu/gpu.go).
func (k *kind) requestsGPU() bool {
	return slices.ContainsFunc(gpuResources, func(r corev1.ResourceName) bool { return k.class.Requests.Get(r) > 0 })
}

// kindIndex finds the kind of a pod.
type kindIndex struct {
	last     int32 // the controller found last, + 1
	distinct []*kind
	owners   []*types.UID // by controller + 1; the first is that of no controller
	byOwner  map[types.UID]int32
	kinds    [][]*kind // by controller + 1, the one found last in front
	byHash   map[uint64][]*kind
	seed     maphash.Seed
}

func newKindIndex() *kindIndex {
	return &kindIndex{owners: []*types.UID{nil}, byOwner: make(map[types.UID]int32), kinds: [][]*kind{nil},
		byHash: make(map[uint64][]*kind), seed: maphash.MakeSeed()}
}

// fewKinds is up to how many kinds of a controller are looked through one by one.
const fewKinds = 8

// find returns the kind of a pod with the controller, a new one if there is none yet.
func (x *kindIndex) find(pod *corev1.Pod, owner *types.UID) *kind {
	at := int32(0)
	if owner != nil && x.last > 0 && *x.owners[x.last] == *owner {
		at = x.last
	} else if owner != nil {
		id, ok := x.byOwner[*owner]
		if !ok {
			id = int32(len(x.owners))
			x.byOwner[*owner] = id
			x.owners = append(x.owners, owner)
			x.kinds = append(x.kinds, nil)
		}
		at, x.last = id, id
	}
	few := x.kinds[at]
	for i, k := range few {
		if k.includes(pod) {
			few[0], few[i] = few[i], few[0]
			return k
		}
	}
	k := &kind{index: int32(len(x.distinct)), pod: pod, controller: at - 1,
		labels: labelPairs(pod.Labels), quantities: listQuantities(&pod.Spec)}
	if len(few) < fewKinds {
		x.kinds[at] = append(few, k)
		x.distinct = append(x.distinct, k)
		return k
	}
	hash := x.hash(pod, at)
	for _, known := range x.byHash[hash] {
		if known.controller == k.controller && known.includes(pod) {
			return known
		}
	}
	x.byHash[hash] = append(x.byHash[hash], k)
	x.distinct = append(x.distinct, k)
	return k
}

// includes reports whether a pod of the same controller is equivalent to those of the kind, and
// no filter tells them apart.
func (k *kind) includes(pod *corev1.Pod) bool {
	own := k.pod
	return own == pod || own.Namespace == pod.Namespace && (own.DeletionTimestamp != nil) == (pod.DeletionTimestamp != nil) &&
		pairsMatch(k.labels, own.Labels, pod.Labels) &&
		(identicalSpecs(&own.Spec, &pod.Spec) || specPartsEqual(&own.Spec, &pod.Spec) && k.quantities.match(&pod.Spec)) &&
		!namedVolumes(pod)
}

// namedVolumes reports whether the pod's claims are named after the pod itself.
func namedVolumes(pod *corev1.Pod) bool {
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Ephemeral != nil {
			return true
		}
	}
	return false
}

// hash is equal for pods of one kind; it reads only what commonly tells kinds apart.
func (x *kindIndex) hash(pod *corev1.Pod, owner int32) uint64 {
	h := uint64(owner) * 0x9e3779b97f4a7c15
	for k, v := range pod.Labels { // a sum, so that map order does not matter
		h += maphash.String(x.seed, k)*3 + maphash.String(x.seed, v)
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		h = h*31 + maphash.String(x.seed, c.Image)
		for name, q := range c.Resources.Requests {
			h += maphash.String(x.seed, string(name)) * uint64(q.MilliValue()+1)
		}
	}
	for k, v := range pod.Spec.NodeSelector {
		h += maphash.String(x.seed, k)*5 + maphash.String(x.seed, v)*7
	}
	h = h*31 + uint64(len(pod.Spec.Tolerations))
	return h*31 + uint64(len(pod.Spec.TopologySpreadConstraints))
}

// byPriority sorts pods, the highest priority first, with the permutation that
// the original's sort.Slice makes of equals (pkg/core/podlistprocessor/filter_out_schedulable.go).
func (t *podTable) byPriority(pods []int32) {
	sort.Slice(pods, func(i, j int) bool { return t.kinds[pods[i]].priority > t.kinds[pods[j]].priority })
}

// young reports whether a pod is not yet to be looked at (filterOutYoungPods).
func (t *podTable) young(pod int32, now time.Time, delay time.Duration) bool {
	if now.IsZero() {
		return false
	}
	p := t.pods[pod]
	if p.CreationTimestamp.IsZero() {
		return false
	}
	return !p.CreationTimestamp.Add(t.delay(pod, delay)).Before(now)
}

// delay is at what age a pod is looked at: its own, if that is longer.
func (t *podTable) delay(pod int32, delay time.Duration) time.Duration {
	if a, ok := t.pods[pod].Annotations[scaleUpDelayAnnotation]; ok {
		if d, err := time.ParseDuration(a); err == nil && d > delay {
			delay = d
		}
	}
	return delay
}

// podGroup is one equivalence group: pods of one kind, or a single pod.
type podGroup struct {
	kind *kind
	pods []int32
	// schedulable says that some group of nodes takes the pods.
	schedulable bool
}

// groupsPerController is how many distinct kinds of a controller are grouped
// (pkg/core/scaleup/equivalence/groups.go, maxEquivalenceGroupsByController).
const groupsPerController = 10

// group builds the equivalence groups in order of first appearance.
func (t *podTable) group(pods []int32) []*podGroup {
	var groups []*podGroup
	byKind := make([]*podGroup, len(t.distinct))
	counts := make([]int, len(t.distinct))
	for _, p := range pods {
		counts[t.kinds[p].index]++
	}
	kinds := make([]int, t.controllers)
	for _, p := range pods {
		k := t.kinds[p]
		if g := byKind[k.index]; g != nil && !t.daemon[p] {
			g.pods = append(g.pods, p)
			continue
		}
		g := &podGroup{kind: k, pods: []int32{p}}
		groups = append(groups, g)
		if k.controller >= 0 && !t.daemon[p] && kinds[k.controller] < groupsPerController {
			kinds[k.controller]++
			byKind[k.index] = g
			g.pods = append(make([]int32, 0, counts[k.index]), p)
		}
	}
	return groups
}
