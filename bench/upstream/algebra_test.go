package upstream

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/karpenter/pkg/scheduling"
	upstreamresources "sigs.k8s.io/karpenter/pkg/utils/resources"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// The foundations against the original's, over random values: what is compared one by one here
// need not be looked for in a whole scheduling.

// twins are one requirement in both worlds.
type twins struct {
	ours   requirements.Requirement
	theirs *scheduling.Requirement
}

var askedValues = []string{"", "a", "b", "-1", "0", "1", "2", "3", "4", "007", "x"}

func randomTwins(t *testing.T, r *rand.Rand, key string) twins {
	t.Helper()
	op := []corev1.NodeSelectorOperator{
		requirements.In, requirements.NotIn, requirements.Exists, requirements.DoesNotExist,
		requirements.Gt, requirements.Lt, requirements.Gte, requirements.Lte,
	}[r.IntN(8)]
	var values []string
	switch op {
	case requirements.In, requirements.NotIn:
		for range r.IntN(4) {
			values = append(values, askedValues[r.IntN(len(askedValues))])
		}
	case requirements.Gt, requirements.Lt, requirements.Gte, requirements.Lte:
		values = []string{strconv.Itoa(r.IntN(7) - 2)}
	}
	ours, err := requirements.New(key, op, values...)
	if err != nil {
		t.Fatal(err)
	}
	var least *int
	if r.IntN(4) == 0 {
		n := 1 + r.IntN(3)
		least = &n
		ours = ours.WithMinValues(n)
	}
	return twins{ours, scheduling.NewRequirementWithFlexibility(key, op, least, slices.Clone(values)...)}
}

func TestRequirementsAsUpstream(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 14))
	for range 200_000 {
		a := randomTwins(t, r, "k")
		for range r.IntN(3) {
			b := randomTwins(t, r, "k")
			if got, want := a.ours.Intersects(b.ours), a.theirs.HasIntersection(b.theirs); got != want {
				t.Fatalf("%s and %s intersect: %v, upstream %v", a.ours, b.ours, got, want)
			}
			a = twins{a.ours.Intersect(b.ours), a.theirs.Intersection(b.theirs)}
		}
		if got, want := a.ours.String(), a.theirs.String(); got != want {
			t.Fatalf("%s, upstream %s", got, want)
		}
		if got, want := a.ours.Operator(), a.theirs.Operator(); got != want {
			t.Fatalf("%s: operator %s, upstream %s", a.ours, got, want)
		}
		if got, want := a.ours.Len(), a.theirs.Len(); got != want {
			t.Fatalf("%s: length %d, upstream %d", a.ours, got, want)
		}
		for _, v := range askedValues {
			if got, want := a.ours.Has(v), a.theirs.Has(v); got != want {
				t.Fatalf("%s has %q: %v, upstream %v", a.ours, v, got, want)
			}
		}
	}
}

func TestRequirementSetsAsUpstream(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 14))
	keys := []string{"k", "l", "kubernetes.io/arch", "beta.kubernetes.io/arch", "topology.kubernetes.io/zone", "karpenter.sh/capacity-type"}
	some := func() (requirements.Set, scheduling.Requirements) {
		var ours []requirements.Requirement
		theirs := scheduling.NewRequirements()
		for range r.IntN(6) {
			pair := randomTwins(t, r, keys[r.IntN(len(keys))])
			ours = append(ours, pair.ours)
			theirs.Add(pair.theirs)
		}
		return requirements.NewSet(ours...), theirs
	}
	for range 100_000 {
		ours, theirs := some()
		oursIn, theirsIn := some()
		if got, want := ours.String(), theirs.String(); got != want {
			t.Fatalf("%s, upstream %s", got, want)
		}
		for _, c := range []struct {
			what      string
			got, want error
		}{
			{"Intersects", ours.Intersects(oursIn), theirs.Intersects(theirsIn)},
			{"Compatible", ours.Compatible(oursIn, nil), theirs.Compatible(theirsIn)},
			{"Compatible, well-known keys undefined", ours.Compatible(oursIn, requirements.WellKnown), theirs.Compatible(theirsIn, scheduling.AllowUndefinedWellKnownLabels)},
		} {
			if (c.got == nil) != (c.want == nil) {
				t.Fatalf("%s of %s and %s: %v, upstream %v", c.what, ours, oursIn, c.got, c.want)
			}
		}
		if got, want := ours.HasMinValues(), theirs.HasMinValues(); got != want {
			t.Fatalf("%s: minValues %v, upstream %v", ours, got, want)
		}
	}
}

func TestPodRequestsAsUpstream(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	names := []corev1.ResourceName{"cpu", "memory", "ephemeral-storage", "nvidia.com/gpu", "hugepages-2Mi"}
	list := func() corev1.ResourceList {
		out := corev1.ResourceList{}
		for _, name := range names {
			if r.IntN(2) == 0 {
				if name == "cpu" {
					out[name] = *resource.NewMilliQuantity(r.Int64N(5000), resource.DecimalSI)
				} else {
					out[name] = *resource.NewQuantity(r.Int64N(1<<40), resource.BinarySI)
				}
			}
		}
		return out
	}
	always := corev1.ContainerRestartPolicyAlways
	for range 20_000 {
		pod := &corev1.Pod{}
		status := func(name string) corev1.ContainerStatus {
			s := corev1.ContainerStatus{Name: name, AllocatedResources: list()}
			if r.IntN(3) > 0 {
				s.Resources = &corev1.ResourceRequirements{Requests: list()}
			}
			return s
		}
		for i := range 1 + r.IntN(3) {
			name := "app-" + strconv.Itoa(i)
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: list(), Limits: list()}})
			if r.IntN(4) == 0 {
				pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status(name))
			}
		}
		for i := range r.IntN(4) {
			c := corev1.Container{Name: "init-" + strconv.Itoa(i), Resources: corev1.ResourceRequirements{Requests: list()}}
			if r.IntN(2) == 0 {
				c.RestartPolicy = &always
			}
			if r.IntN(4) == 0 {
				pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, status(c.Name))
			}
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
		}
		if r.IntN(4) == 0 {
			pod.Spec.Resources = &corev1.ResourceRequirements{Requests: list(), Limits: list()}
		}
		if r.IntN(4) == 0 {
			pod.Spec.Overhead = list()
		}
		if r.IntN(8) == 0 {
			pod.Status.Conditions = []corev1.PodCondition{{
				Type: corev1.PodResizePending, Reason: []string{corev1.PodReasonInfeasible, corev1.PodReasonDeferred}[r.IntN(2)],
			}}
		}
		got, err := resources.PodRequests(pod)
		if err != nil {
			t.Fatal(err)
		}
		if want := resources.MustFromList(upstreamresources.Ceiling(pod).Requests); !got.Equal(want) {
			t.Fatalf("%s, upstream %s: %+v", got, want, pod)
		}
	}
}
