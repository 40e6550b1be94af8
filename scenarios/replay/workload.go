package replay

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/scenarios/arrivals"
)

// workload keeps the pods of a controller in being: as many as it has replicas, of its
// latest template. It models the ReplicaSet, Deployment and StatefulSet controllers of Kubernetes
// as far as the number of pods goes.
type workload struct {
	arrivals.Controller // its Template is the latest
	r                   *replay
	revision            int
	replicas            int
	pods                []*pod // that count, the oldest first
	made                int
	waked               bool

	load   float64  // milli-CPU used by all pods
	advice []advice // of the pod autoscaler, the oldest first
}

// advice is how many replicas the pod autoscaler once wanted.
type advice struct {
	at       time.Duration
	replicas int
}

func newWorkload(r *replay, c *arrivals.Controller) *workload {
	w := &workload{Controller: *c, r: r, replicas: c.Replicas}
	if c.HPA != nil {
		w.replicas = min(max(w.replicas, c.HPA.Min), max(c.HPA.Max, c.HPA.Min))
		r.at(r.now+hpaInterval, rankControllers, w.autoscale)
	}
	return w
}

func (w *workload) add(p *pod) { w.pods = append(w.pods, p) }

func (w *workload) drop(p *pod) {
	if i := slices.Index(w.pods, p); i >= 0 {
		w.pods = slices.Delete(w.pods, i, i+1)
	}
}

// lost takes note of a pod that was told to stop or lost its node. The pod of a StatefulSet counts until it
// is gone, since its successor has the same name.
func (w *workload) lost(p *pod) {
	if !w.stateful() {
		w.drop(p)
	}
	w.disturbed()
}

// disturbed has the controller look at its pods once the moment's other events are done.
func (w *workload) disturbed() {
	if w.waked {
		return
	}
	w.waked = true
	w.r.at(w.r.now, rankControllers, func() error {
		w.waked = false
		return w.reconcile()
	})
}

// current reports whether a pod is of the latest template.
func (w *workload) current(p *pod) bool {
	return p.obj.Labels[podTemplateHash] == w.Template.Labels[podTemplateHash]
}

// podTemplateHash is the label by which a Deployment tells its ReplicaSets apart.
const podTemplateHash = "pod-template-hash"

// rollOut gives the pods a new template of the same shape.
func (w *workload) rollOut() {
	w.revision++
	t := *w.Template
	t.Labels = maps.Clone(t.Labels)
	if t.Labels == nil {
		t.Labels = map[string]string{}
	}
	t.Labels[podTemplateHash] = fmt.Sprintf("r%d", w.revision)
	w.Template = &t
	w.disturbed()
}

// reconcile makes and deletes pods. Outside of a rolling update it makes what is missing and
// deletes what is too much. In one it makes new pods up to MaxSurge beyond the replicas, and
// deletes old ones as long as all replicas but MaxUnavailable run, those first that do not run
// (pkg/controller/deployment/rolling.go).
func (w *workload) reconcile() error {
	if w.stateful() {
		return w.reconcileOrdinals()
	}
	var old []*pod
	for _, p := range w.pods {
		if !w.current(p) {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		return w.resize(len(w.pods), w.replicas)
	}
	surge, unavailable := w.bounds()
	fresh := len(w.pods) - len(old)
	if n := min(w.replicas+surge-len(w.pods), w.replicas-fresh); n > 0 {
		if err := w.resize(0, n); err != nil {
			return err
		}
	}
	running, idle := 0, 0 // idle are new pods that do not run yet
	for _, p := range w.pods {
		switch {
		case p.state == podRunning:
			running++
		case w.current(p):
			idle++
		}
	}
	keep := w.replicas - unavailable
	spare, spareRunning := len(w.pods)-keep-idle, running-keep
	slices.SortStableFunc(old, func(a, b *pod) int { return cmp.Compare(a.state, b.state) })
	for _, p := range old {
		if spare <= 0 || p.state == podRunning && spareRunning <= 0 {
			break
		}
		spare--
		if p.state == podRunning {
			spareRunning--
		}
		w.drop(p)
		if err := w.r.remove(p); err != nil {
			return err
		}
		w.disturbed()
	}
	return nil
}

// bounds are MaxSurge, rounded up, and MaxUnavailable, rounded down, in pods.
func (w *workload) bounds() (surge, unavailable int) {
	zero := intstr.IntOrString{}
	s, u := w.MaxSurge, w.MaxUnavailable
	if s == zero && u == zero {
		s, u = intstr.FromString("25%"), intstr.FromString("25%")
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(&s, w.replicas, true)
	if err != nil {
		surge = 1
	}
	unavailable, err = intstr.GetScaledValueFromIntOrPercent(&u, w.replicas, false)
	if err != nil {
		unavailable = 0
	}
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}

// resize makes or deletes pods until there are as many as wanted.
func (w *workload) resize(have, want int) error {
	for ; have < want; have++ {
		if _, err := w.r.submit(w.NewPod(w.made), w, nil); err != nil {
			return err
		}
		w.made++
	}
	if have == want {
		return nil
	}
	for _, p := range w.victims(have - want) {
		w.drop(p)
		if err := w.r.remove(p); err != nil {
			return err
		}
	}
	return nil
}

// victims chooses which pods go when there are too many: those without a node, then
// those that do not run, then those with the most of their kind on the node, then the
// youngest (pkg/controller/controller_utils.go, ActivePodsWithRanks).
func (w *workload) victims(n int) []*pod {
	together := map[*node]int{}
	for _, p := range w.pods {
		if p.node != nil && p.state == podRunning {
			together[p.node]++
		}
	}
	order := slices.Clone(w.pods)
	slices.SortStableFunc(order, func(a, b *pod) int {
		return cmp.Or(cmp.Compare(a.state, b.state), -cmp.Compare(together[a.node], together[b.node]), -cmp.Compare(a.created, b.created))
	})
	return order[:n]
}

// The HorizontalPodAutoscaler (pkg/controller/podautoscaler): its interval, and the tolerance
// within which it does nothing.
const (
	hpaInterval  = 15 * time.Second
	hpaTolerance = 0.1
)

// autoscale is one look of the HorizontalPodAutoscaler. It scales up to twice the replicas or by four,
// whichever is more, and down to the highest advice that it remembers.
func (w *workload) autoscale() error {
	w.r.at(w.r.now+hpaInterval, rankControllers, w.autoscale)
	want := w.recommend()
	w.advice = append(w.advice, advice{w.r.now, want})
	first := 0
	for first < len(w.advice) && w.advice[first].at < w.r.now-w.HPA.ScaleDownStabilization {
		first++
	}
	w.advice = w.advice[first:]
	if want < w.replicas {
		for _, a := range w.advice {
			want = max(want, min(a.replicas, w.replicas))
		}
	}
	want = min(want, max(2*w.replicas, w.replicas+4))
	want = min(max(want, w.HPA.Min), w.HPA.Max)
	if want != w.replicas {
		w.replicas = want
		w.disturbed()
	}
	return nil
}

// recommend is how many replicas the load calls for. Pods that do not run yet count as
// idle when more are wanted (replica_calculator.go).
func (w *workload) recommend() int {
	request := float64(0)
	running, other := 0, 0
	for _, p := range w.pods {
		request = float64(p.cpu)
		switch p.state {
		case podRunning:
			running++
		case podStopping: // of a StatefulSet: ignored
		default:
			other++
		}
	}
	if running == 0 || request == 0 {
		return w.replicas
	}
	target := float64(w.HPA.TargetCPU) / 100 * request
	ratio := w.load / float64(running) / target
	if math.Abs(1-ratio) <= hpaTolerance {
		return w.replicas
	}
	if ratio < 1 {
		return int(math.Ceil(ratio * float64(running)))
	}
	all := running + other
	ratio = w.load / float64(all) / target
	if ratio <= 1+hpaTolerance {
		return w.replicas
	}
	return int(math.Ceil(ratio * float64(all)))
}

func retryName(name string, again int) string { return fmt.Sprintf("%s-r%d", name, again) }

// uidOf makes a UID of a name; the same name has the same each time.
func uidOf(namespace, name string) types.UID {
	h := fnv.New64a()
	h.Write([]byte(namespace))
	h.Write([]byte{0})
	h.Write([]byte(name))
	return types.UID(fmt.Sprintf("%016x", h.Sum64()))
}

func ownerUID(p *corev1.Pod) (types.UID, bool) {
	ref := metav1.GetControllerOfNoCopy(p)
	if ref == nil {
		return "", false
	}
	return ref.UID, true
}
