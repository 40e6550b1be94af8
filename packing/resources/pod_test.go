package resources

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// list reads "cpu=500m memory=1Gi".
func list(text string) corev1.ResourceList {
	if text == "" {
		return nil
	}
	out := corev1.ResourceList{}
	for _, part := range strings.Fields(text) {
		name, amount, _ := strings.Cut(part, "=")
		out[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
	return out
}

func container(requests string) corev1.Container {
	return corev1.Container{Name: "c", Resources: corev1.ResourceRequirements{Requests: list(requests)}}
}

func sidecar(requests string) corev1.Container {
	c := container(requests)
	always := corev1.ContainerRestartPolicyAlways
	c.RestartPolicy = &always
	return c
}

func containers(c ...corev1.Container) []corev1.Container { return c }

func TestPodRequests(t *testing.T) {
	for _, c := range []struct {
		name string
		spec corev1.PodSpec
		want string
	}{
		{"nothing", corev1.PodSpec{Containers: containers(container(""))}, "0"},
		{
			"containers add up", // 500m + 250m; 1Gi + nothing
			corev1.PodSpec{Containers: containers(container("cpu=500m memory=1Gi"), container("cpu=250m"))},
			"cpu 750m, memory 1Gi",
		},
		{
			"init containers run one after the other", // max(500m, max(2, 1)); max(1Gi, max(0, 3Gi))
			corev1.PodSpec{
				Containers:     containers(container("cpu=500m memory=1Gi")),
				InitContainers: containers(container("cpu=2"), container("cpu=1 memory=3Gi")),
			},
			"cpu 2, memory 3Gi",
		},
		{
			"a small init container hides behind the containers", // max(500m + 500m, 800m)
			corev1.PodSpec{
				Containers:     containers(container("cpu=500m"), container("cpu=500m")),
				InitContainers: containers(container("cpu=800m")),
			},
			"cpu 1",
		},
		{
			"sidecars run on", // 500m + (100m + 200m)
			corev1.PodSpec{
				Containers:     containers(container("cpu=500m")),
				InitContainers: containers(sidecar("cpu=100m"), sidecar("cpu=200m")),
			},
			"cpu 800m",
		},
		{
			"an init container runs beside the sidecars before it", // max(100m + 100m + 200m, max(100m, 2 + 100m, 100m + 200m))
			corev1.PodSpec{
				Containers:     containers(container("cpu=100m")),
				InitContainers: containers(sidecar("cpu=100m"), container("cpu=2"), sidecar("cpu=200m")),
			},
			"cpu 2100m",
		},
		{
			"each resource has a peak of its own", // cpu: max(1+1, 3+0) ; memory: max(1Gi+2Gi, 1Gi, 2Gi)
			corev1.PodSpec{
				Containers:     containers(container("cpu=1 memory=1Gi")),
				InitContainers: containers(container("cpu=3 memory=1Gi"), sidecar("cpu=1 memory=2Gi")),
			},
			"cpu 3, memory 3Gi",
		},
		{
			"overhead comes on top", // max(500m, 1) + 50m; 0 + 64Mi
			corev1.PodSpec{
				Containers:     containers(container("cpu=500m")),
				InitContainers: containers(container("cpu=1")),
				Overhead:       list("cpu=50m memory=64Mi"),
			},
			"cpu 1050m, memory 64Mi",
		},
		{
			"pod-level requests replace the containers'", // cpu 4 instead of 750m; memory from containers; + overhead
			corev1.PodSpec{
				Containers: containers(container("cpu=500m memory=1Gi"), container("cpu=250m")),
				Resources:  &corev1.ResourceRequirements{Requests: list("cpu=4")},
				Overhead:   list("cpu=50m"),
			},
			"cpu 4050m, memory 1Gi",
		},
		{
			"even where they are smaller than an init container", // the pod's cgroup holds init containers too
			corev1.PodSpec{
				Containers:     containers(container("cpu=500m")),
				InitContainers: containers(container("cpu=2")),
				Resources:      &corev1.ResourceRequirements{Requests: list("cpu=1 memory=1Gi hugepages-2Mi=4Mi")},
			},
			"cpu 1, hugepages-2Mi 4Mi, memory 1Gi",
		},
		{
			"but only for cpu, memory and huge pages",
			corev1.PodSpec{
				Containers: containers(container("nvidia.com/gpu=1 ephemeral-storage=1Gi")),
				Resources:  &corev1.ResourceRequirements{Requests: list("nvidia.com/gpu=8 ephemeral-storage=8Gi")},
			},
			"ephemeral-storage 1Gi, nvidia.com/gpu 1",
		},
		{
			"limits do not count",
			corev1.PodSpec{
				Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: list("cpu=1"), Limits: list("cpu=2 memory=1Gi")}}},
				Resources:  &corev1.ResourceRequirements{Limits: list("cpu=9")},
			},
			"cpu 1",
		},
		{"a fraction is rounded up", corev1.PodSpec{Containers: containers(container("cpu=100u memory=1500m"))}, "cpu 1m, memory 2"},
		{"an explicit zero stays", corev1.PodSpec{Containers: containers(container("cpu=0"))}, "cpu 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := PodRequests(&corev1.Pod{Spec: c.spec})
			require.NoError(t, err)
			require.Equal(t, c.want, got.String())
		})
	}
}

// A pod that is resized in place: 1 CPU is asked for, the status says what there is.
func TestPodRequestsOfAResizedPod(t *testing.T) {
	for _, c := range []struct {
		name                string
		inForce, allocated  string
		reason              string
		noStatus, otherName bool
		want                string
	}{
		{name: "grows", inForce: "cpu=500m", allocated: "cpu=500m", want: "cpu 1"},
		{name: "shrinks", inForce: "cpu=3", allocated: "cpu=1", want: "cpu 3"},
		{name: "allocated, not yet in force", inForce: "cpu=500m", allocated: "cpu=2", want: "cpu 2"},
		{name: "deferred", inForce: "cpu=500m", allocated: "cpu=500m", reason: corev1.PodReasonDeferred, want: "cpu 1"},
		{name: "infeasible", inForce: "cpu=500m", allocated: "cpu=600m", reason: corev1.PodReasonInfeasible, want: "cpu 600m"},
		{name: "status without resources", allocated: "cpu=2", noStatus: true, want: "cpu 1"},
		{name: "status of another container", inForce: "cpu=2", otherName: true, want: "cpu 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status := corev1.ContainerStatus{Name: "c", AllocatedResources: list(c.allocated)}
			if !c.noStatus {
				status.Resources = &corev1.ResourceRequirements{Requests: list(c.inForce)}
			}
			if c.otherName {
				status.Name = "d"
			}
			pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: containers(container("cpu=1"))}}
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
			if c.reason != "" {
				pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Reason: c.reason}}
			}
			got, err := PodRequests(pod)
			require.NoError(t, err)
			require.Equal(t, c.want, got.String())

			// A sidecar likewise; an init container that ends is not resized.
			pod.Spec.InitContainers, pod.Spec.Containers = containers(sidecar("cpu=1")), nil
			pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses = pod.Status.ContainerStatuses, nil
			got, err = PodRequests(pod)
			require.NoError(t, err)
			require.Equal(t, c.want, got.String())
			pod.Spec.InitContainers[0].RestartPolicy = nil
			got, err = PodRequests(pod)
			require.NoError(t, err)
			require.Equal(t, "cpu 1", got.String())
		})
	}
}

func TestPodRequestsErrors(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		Containers:     []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: list("cpu=-1 memory=1Gi")}}},
		InitContainers: []corev1.Container{{Name: "setup", Resources: corev1.ResourceRequirements{Requests: list("memory=1e30")}}},
		Overhead:       list("cpu=-2"),
	}}
	_, err := PodRequests(pod)
	require.ErrorIs(t, err, ErrNegative)
	require.ErrorIs(t, err, ErrTooLarge)
	for _, part := range []string{`container "app": request cpu "-1"`, `init container "setup": request memory "1e30"`, `overhead: cpu "-2"`} {
		require.ErrorContains(t, err, part, "every problem is named")
	}
}
