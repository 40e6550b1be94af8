package scenarios

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Workload says what [Generate] makes: pods of Deployments, with requests drawn
// from distributions and with constraints by their shares. The zero value of a
// field is its default; a Workload of nothing but Pods is plain.
type Workload struct {
	// Seed decides all that is drawn. The same Workload gives the same pods.
	Seed uint64
	// Pods is how many pods there are in all.
	Pods int
	// Deployments is how many Deployments they belong to; every one has a pod at
	// least. The default is one for 100 pods.
	Deployments int
	// SizeSkew makes some Deployments larger than others: the i-th of a kind has
	// 1/i^SizeSkew times the pods of the first (Zipf's law). 0 makes them even.
	SizeSkew float64
	// Namespace of all pods; "default" by default.
	Namespace string

	// CPU and Memory are the requests; without either, they are log-normal around
	// 250m and 512Mi.
	CPU, Memory Distribution
	// RequestsPerPod draws the requests anew for each pod. Pods of one Deployment
	// are alike otherwise.
	RequestsPerPod bool

	// Shares of the constraints.
	Shares Shares
	// OneAntiAffinityGroup has all pods with hostname anti-affinity keep away from
	// each other, whatever their Deployment, as in Karpenter's own benchmark.
	OneAntiAffinityGroup bool
	// NodeSelectors are what pods with a node selector select, one for each
	// Deployment; by default amd64 or arm64 by kubernetes.io/arch.
	NodeSelectors []map[string]string
	// Zones are those that zonal preferences name; us-east-1a and us-east-1b by
	// default. GenerateScenario takes those of the scenario's node groups.
	Zones []string
}

// Shares are parts of all pods, from 0 to 1.
//
// The first four exclude each other, and the pods that have none of them are
// plain; their numbers are exact but for rounding to whole pods. The others
// come on top, independent of those and of each other; they go to whole
// Deployments, and their numbers are as near as that allows.
type Shares struct {
	// ZonalSpread and HostnameSpread are topology spread constraints over the pods
	// of the Deployment: maxSkew 1, DoNotSchedule.
	ZonalSpread, HostnameSpread float64
	// ZonalAffinity keeps the pods of a Deployment in one zone (required).
	ZonalAffinity float64
	// HostnameAntiAffinity keeps them on different nodes (required).
	HostnameAntiAffinity float64

	// NodeSelector selects one of Workload.NodeSelectors.
	NodeSelector float64
	// Tolerations tolerate dedicated=batch:NoSchedule.
	Tolerations float64
	// Preferences are those of Karpenter's own benchmark: a zone and pods of the
	// Deployment apart by hostname, which can be had, and apart by zone, which
	// cannot once they are more than the zones.
	Preferences float64
	// HostPorts take a port of the node, another one for each Deployment.
	HostPorts float64
	// Spot selects spot capacity by karpenter.sh/capacity-type.
	Spot float64
}

// What a Workload is without values of its own.
const (
	podsPerDeployment = 100
	defaultNamespace  = "default"
	// firstHostPort is below the range of NodePorts (30000-32767), and what is
	// counted up from it wraps before that range.
	firstHostPort, hostPorts = 20000, 10000
)

// MaxGeneratedPods bounds Workload.Pods: 10 million pods are some 12 GB.
const MaxGeneratedPods = 10_000_000

// ErrWorkload is wrapped by the errors of [Generate].
var ErrWorkload = errors.New("bad workload")

// Generate makes the pods of a workload, in the order of their Deployments. It
// returns one error for all that is wrong with the workload; it wraps
// [ErrWorkload] and names each field.
//
// A million pods take a second or so and about 1.3 KB each. To that end what is
// the same for the pods of a Deployment exists once: labels, owner references,
// containers (one list for each pair of requests), affinity, spread constraints,
// selectors and tolerations; and pods live in blocks, so that one pod in use
// keeps its block in memory. Treat them as what a Snapshot holds: shared, never
// changed. Who must change a pod takes a DeepCopy of it first.
func Generate(w Workload) ([]*corev1.Pod, error) {
	w = w.withDefaults()
	if err := w.Validate(); err != nil {
		return nil, err
	}
	return newPodMaker(&w).make(w.deployments()), nil
}

// withDefaults fills in what the workload leaves open.
func (w Workload) withDefaults() Workload {
	if w.Deployments == 0 {
		w.Deployments = max(0, min(w.Pods, max(w.Pods/podsPerDeployment, len(w.kinds()))))
	}
	if w.Namespace == "" {
		w.Namespace = defaultNamespace
	}
	if w.CPU.none() && w.Memory.none() && w.CPU.err == nil && w.Memory.err == nil {
		w.CPU = LogNormal("250m", 1, "10m", "8")
		w.Memory = LogNormal("512Mi", 1, "16Mi", "32Gi")
	}
	if len(w.NodeSelectors) == 0 {
		w.NodeSelectors = []map[string]string{
			{corev1.LabelArchStable: "amd64"},
			{corev1.LabelArchStable: "arm64"},
		}
	}
	if len(w.Zones) == 0 {
		w.Zones = []string{"us-east-1a", "us-east-1b"}
	}
	return w
}

// Validate returns one error for everything that Generate would refuse, each
// with the field it is in. It wraps [ErrWorkload].
func (w Workload) Validate() error {
	w = w.withDefaults()
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s: %s", ErrWorkload, field, fmt.Sprintf(format, args...)))
	}
	if w.Pods < 0 || w.Pods > MaxGeneratedPods {
		bad("Pods", "%d is not between 0 and %d", w.Pods, MaxGeneratedPods)
	}
	if !(w.SizeSkew >= 0) || math.IsInf(w.SizeSkew, 0) {
		bad("SizeSkew", "%v is not a number from 0 on", w.SizeSkew)
	}
	for _, d := range []struct {
		field string
		err   error
	}{{"CPU", w.CPU.err}, {"Memory", w.Memory.err}} {
		if d.err != nil {
			bad(d.field, "%v", d.err)
		}
	}
	sharesValid := true
	for _, s := range w.Shares.named() {
		if !(s.share >= 0 && s.share <= 1) { // also refuses NaN
			bad("Shares."+s.field, "%v is not between 0 and 1", s.share)
			sharesValid = false
		}
	}
	// The rounding error of a few additions is no mistake of the user.
	if sum := w.Shares.constrained(); sharesValid && sum > 1+1e-9 {
		bad("Shares", "ZonalSpread, HostnameSpread, ZonalAffinity and HostnameAntiAffinity exclude each other and are %v together, more than 1", sum)
		sharesValid = false
	}
	switch {
	case w.Deployments < 0:
		bad("Deployments", "%d is negative", w.Deployments)
	case w.Deployments > w.Pods && w.Pods >= 0:
		bad("Deployments", "%d are more than the %d pods; every Deployment has a pod", w.Deployments, w.Pods)
	case sharesValid && w.Pods > 0 && w.Pods <= MaxGeneratedPods && w.Deployments < len(w.kinds()):
		bad("Deployments", "%d are too few: the shares ask for %d kinds of pods, and those of one Deployment are of one kind", w.Deployments, len(w.kinds()))
	}
	return errors.Join(errs...)
}

// namedShare is a share and the name of its field.
type namedShare struct {
	field string
	share float64
}

func (s Shares) named() []namedShare {
	return []namedShare{
		{"ZonalSpread", s.ZonalSpread}, {"HostnameSpread", s.HostnameSpread},
		{"ZonalAffinity", s.ZonalAffinity}, {"HostnameAntiAffinity", s.HostnameAntiAffinity},
		{"NodeSelector", s.NodeSelector}, {"Tolerations", s.Tolerations}, {"Preferences", s.Preferences},
		{"HostPorts", s.HostPorts}, {"Spot", s.Spot},
	}
}

// constrained is the share of the pods that are not plain.
func (s Shares) constrained() float64 {
	return s.ZonalSpread + s.HostnameSpread + s.ZonalAffinity + s.HostnameAntiAffinity
}

// kind is which of the exclusive constraints a Deployment has.
type kind int

const (
	plain kind = iota
	zonalSpread
	hostnameSpread
	zonalAffinity
	hostnameAntiAffinity
)

// String is how Deployments of the kind are called.
func (k kind) String() string {
	return [...]string{"plain", "zonal-spread", "hostname-spread", "zonal-affinity", "hostname-anti-affinity"}[k]
}

// podsOfKind is how many pods are of one kind.
type podsOfKind struct {
	kind kind
	pods int
}

// kinds divides the pods by their exclusive constraints; kinds without pods are
// left out. Shares that are out of range count as none of their kind.
func (w *Workload) kinds() []podsOfKind {
	s := w.Shares
	weights := []float64{max(0, 1-s.constrained()), s.ZonalSpread, s.HostnameSpread, s.ZonalAffinity, s.HostnameAntiAffinity}
	var kinds []podsOfKind
	for k, n := range apportion(w.Pods, weights) {
		if n > 0 {
			kinds = append(kinds, podsOfKind{kind(k), n})
		}
	}
	return kinds
}

// apportion divides a number by weights: each gets its share rounded down, and
// what is left goes to the largest remainders, the first of equals (Hamilton's
// method). Weights that are not above zero get nothing.
func apportion(total int, weights []float64) []int {
	parts := make([]int, len(weights))
	sum := 0.0
	for _, weight := range weights {
		if weight > 0 {
			sum += weight
		}
	}
	if !(sum > 0) || math.IsInf(sum, 0) || total <= 0 {
		return parts
	}
	remainders := make([]float64, len(weights))
	var order []int
	left := total
	for i, weight := range weights {
		if weight > 0 {
			// What is a whole number but for rounding errors must not lose a unit.
			exact := float64(total) * (weight / sum)
			parts[i] = int(exact + 1e-6)
			remainders[i] = exact - float64(parts[i])
			left -= parts[i]
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case remainders[a] > remainders[b]+1e-9:
			return -1
		case remainders[b] > remainders[a]+1e-9:
			return 1
		}
		return a - b
	})
	for i := 0; left > 0; i++ {
		parts[order[i%len(order)]]++
		left--
	}
	return parts
}

// deployment is one Deployment of a workload: its kind, its pods, and the
// constraints that come on top.
type deployment struct {
	name    string
	ordinal int // over all Deployments, from 0
	kind    kind
	pods    int

	nodeSelector map[string]string
	tolerations  bool
	preferredIn  string // the zone preferred; "" without preferences
	hostPort     bool
	spot         bool
}

// deployments lays out a valid workload.
func (w *Workload) deployments() []deployment {
	kinds := w.kinds()
	// Each kind has a Deployment; the others go where there are pods left, so that
	// no kind gets more Deployments than pods.
	room := make([]float64, len(kinds))
	for i, k := range kinds {
		room[i] = float64(k.pods - 1)
	}
	more := apportion(w.Deployments-len(kinds), room)

	all := make([]deployment, 0, w.Deployments)
	digits := len(fmt.Sprint(w.Deployments - 1))
	for i, k := range kinds {
		count := 1 + more[i]
		weights := make([]float64, count)
		for j := range weights {
			weights[j] = math.Pow(float64(j+1), -w.SizeSkew)
		}
		for _, further := range apportion(k.pods-count, weights) {
			ordinal := len(all)
			all = append(all, deployment{
				name:    fmt.Sprintf("%s-%0*d", k.kind, digits, ordinal),
				ordinal: ordinal,
				kind:    k.kind,
				pods:    1 + further,
			})
		}
	}
	w.overlay(all)
	return all
}

// overlay gives Deployments the constraints that come on top. Each has a random
// stream of its own, so that changing one share moves no other.
func (w *Workload) overlay(all []deployment) {
	for i, o := range []struct {
		share float64
		give  func(*deployment)
	}{
		{w.Shares.NodeSelector, func(d *deployment) { d.nodeSelector = w.NodeSelectors[d.ordinal%len(w.NodeSelectors)] }},
		{w.Shares.Tolerations, func(d *deployment) { d.tolerations = true }},
		{w.Shares.Preferences, func(d *deployment) { d.preferredIn = w.Zones[d.ordinal%len(w.Zones)] }},
		{w.Shares.HostPorts, func(d *deployment) { d.hostPort = true }},
		{w.Shares.Spot, func(d *deployment) { d.spot = true }},
	} {
		missing := o.share * float64(w.Pods)
		for _, j := range w.stream(overlayStream + uint64(i)).Perm(len(all)) {
			// A Deployment is taken if that brings the number of pods nearer.
			if size := float64(all[j].pods); math.Abs(missing-size) < math.Abs(missing) {
				o.give(&all[j])
				missing -= size
			}
		}
	}
}

// Random streams of one seed.
const (
	requestStream = iota + 1
	identityStream
	overlayStream // and the ones after it
)

// stream returns a random stream of the workload's seed.
func (w *Workload) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(w.Seed, n)) }
