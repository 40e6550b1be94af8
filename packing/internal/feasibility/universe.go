package feasibility

import (
	"fmt"
	"hash/maphash"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
)

// Dimensions of resource vectors that every universe has, in this order; the
// resources that pods ask for beyond them follow as they are met.
const (
	dimCPU = iota
	dimMemory
	dimEphemeralStorage
	dimPods
	fixedDims
)

// Universe interns what pods and nodes are compared by: resources, classes,
// labels, selectors, topology keys.
type Universe struct {
	dims     map[corev1.ResourceName]int
	dimNames []corev1.ResourceName

	classes    []*Class
	classByKey map[string]*Class

	demands map[string]*demand
	// staticNodes are the kinds of nodes by their hash, of which seed makes no
	// more than where they are found.
	staticNodes map[uint64][]*staticNode
	staticCount int
	seed        maphash.Seed

	selectors      map[string]*podSelector
	topologyKeys   map[string]int
	topologyLabels []string // by topology key
	countings      []*counting
	countingByKey  map[string]*counting
	// antiTerms are the countings of pods that repel others, one for each distinct
	// required anti-affinity term.
	antiTerms []*counting

	namespaceLabels map[string]map[string]string
	volumes         *volumeIndex
}

// NewUniverse returns a universe that knows the namespaces and volumes of a snapshot.
func NewUniverse(s *packing.Snapshot) *Universe {
	u := &Universe{
		dims:            make(map[corev1.ResourceName]int),
		classByKey:      make(map[string]*Class),
		demands:         make(map[string]*demand),
		staticNodes:     make(map[uint64][]*staticNode),
		seed:            maphash.MakeSeed(),
		selectors:       make(map[string]*podSelector),
		topologyKeys:    make(map[string]int),
		countingByKey:   make(map[string]*counting),
		namespaceLabels: make(map[string]map[string]string),
		volumes:         indexVolumes(s),
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory,
		corev1.ResourceEphemeralStorage, corev1.ResourcePods} {
		u.dim(name)
	}
	for _, ns := range s.Namespaces {
		u.namespaceLabels[ns.Name] = ns.Labels
	}
	u.topologyKey(corev1.LabelHostname) // always keyHostname
	return u
}

// keyHostname is the topology key of a node's own name.
const keyHostname = 0

func (u *Universe) dim(name corev1.ResourceName) int {
	d, ok := u.dims[name]
	if !ok {
		d = len(u.dimNames)
		u.dims[name] = d
		u.dimNames = append(u.dimNames, name)
	}
	return d
}

func (u *Universe) topologyKey(label string) int {
	k, ok := u.topologyKeys[label]
	if !ok {
		k = len(u.topologyLabels)
		u.topologyKeys[label] = k
		u.topologyLabels = append(u.topologyLabels, label)
	}
	return k
}

// Dims returns how many resources the universe knows.
func (u *Universe) Dims() int { return len(u.dimNames) }

// Classes returns how many classes the universe holds; class indexes are below it.
func (u *Universe) Classes() int { return len(u.classes) }

// podError names the pod that an error is about.
func podError(pod *corev1.Pod, err error) error {
	return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
}

// scalar reports whether the scheduler counts a resource beside cpu, memory and
// ephemeral storage: extended resources, huge pages and attachable volumes
// (pkg/scheduler/util/pod_resources.go, IsScalarResourceName).
func scalar(name corev1.ResourceName) bool {
	s := string(name)
	if strings.HasPrefix(s, corev1.ResourceHugePagesPrefix) || strings.HasPrefix(s, corev1.ResourceAttachableVolumesPrefix) {
		return true
	}
	return strings.Contains(s, "/") && !strings.HasPrefix(s, corev1.DefaultResourceRequestsPrefix)
}
