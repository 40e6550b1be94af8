package cases

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// deployment is so many pods alike.
type deployment struct {
	name, namespace string
	replicas        int
	secondsApart    int // between the creations of its pods
	labels          map[string]string
	spec            corev1.PodSpec
	pods            []*corev1.Pod
}

func (g *generator) deployment(replicas int, requests corev1.ResourceList) *deployment {
	name := fmt.Sprintf("app%d", g.deployments)
	g.deployments++
	d := &deployment{name: name, namespace: "default", replicas: replicas, labels: map[string]string{"app": name}}
	if g.chance(0.15) {
		d.namespace = "prod"
	}
	if g.chance(0.3) {
		d.secondsApart = g.between(1, 3)
	}
	d.spec.Containers = []corev1.Container{container("main", requests)}
	return d
}

// apps draws n deployments of small pods, some of them of larger ones.
func (g *generator) apps(n, fewest, most int) []*deployment {
	out := make([]*deployment, n)
	for i := range out {
		requests := g.smallRequests()
		if g.chance(0.15) {
			requests = g.requests()
		}
		out[i] = g.deployment(g.between(fewest, most), requests)
	}
	return out
}

func without(apps []*deployment, d *deployment) []*deployment {
	return slices.DeleteFunc(slices.Clone(apps), func(o *deployment) bool { return o == d })
}

func (d *deployment) selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": d.labels["app"]}}
}

func container(name string, requests corev1.ResourceList) corev1.Container {
	return corev1.Container{Name: name, Image: "app", Resources: corev1.ResourceRequirements{Requests: requests}}
}

// emit adds the pods to the snapshot. About half of the deployments are created
// in a second of their own, so that creation times decide some orders and names others.
func (g *generator) emit(deployments ...*deployment) {
	for _, d := range deployments {
		if g.chance(0.5) {
			g.clock += g.between(1, 20)
		}
		for i := range d.replicas {
			name := fmt.Sprintf("%s-%d", d.name, i)
			d.pods = append(d.pods, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Name: name, Namespace: d.namespace, Labels: maps.Clone(d.labels),
					UID: uid(g.name + "/" + d.namespace + "/" + name), CreationTimestamp: at(g.clock + i*d.secondsApart),
				},
				Spec:   *d.spec.DeepCopy(),
				Status: corev1.PodStatus{Phase: corev1.PodPending},
			})
		}
		g.snapshot.Pods = append(g.snapshot.Pods, d.pods...)
	}
}

// requests draws from 50m to 4 CPUs and half a GiB to 8 GiB a CPU.
func (g *generator) requests() corev1.ResourceList {
	cpu := quantity(pick(g, "50m", "100m", "200m", "250m", "333m", "500m", "500m", "750m", "1", "1", "1500m", "2", "2", "3", "4"))
	mib := int(float64(cpu.MilliValue()) * pick(g, 0.5, 1, 2, 2, 4, 4, 8) * 1.024)
	if mib > 512 {
		mib = mib / 128 * 128
	}
	return corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: quantity(fmt.Sprintf("%dMi", max(64, mib)))}
}

func (g *generator) smallRequests() corev1.ResourceList {
	return amounts(
		pick(g, "100m", "250m", "500m", "500m", "1", "1", "1500m", "2"),
		pick(g, "128Mi", "256Mi", "512Mi", "1Gi", "1Gi", "2Gi", "4Gi"))
}

// plainDeployments adds pods that state resources alone, so many in all.
func (g *generator) plainDeployments(pods int, decorated bool) {
	for pods > 0 {
		d := g.deployment(min(g.between(1, max(2, pods/3)), pods), g.requests())
		if g.chance(0.1) {
			d.spec.Containers[0].Resources.Requests = amounts(pick(g, "4", "6", "8", "12"), pick(g, "8Gi", "16Gi", "24Gi", "48Gi"))
			d.replicas = min(d.replicas, 6)
		}
		if decorated {
			g.decorate(d)
		}
		g.emit(d)
		pods -= d.replicas
	}
}

func (g *generator) constrainedDeployments(n int) {
	for range n {
		d := g.deployment(g.between(1, 6), g.requests())
		g.constrain(d)
		g.emit(d)
	}
}

// decorate adds what else counts towards requests: further containers, init
// containers, sidecars, overhead; or takes requests away.
func (g *generator) decorate(d *deployment) {
	main := &d.spec.Containers[0]
	switch {
	case g.chance(0.08):
		g.note("init-containers")
		d.spec.InitContainers = append(d.spec.InitContainers, container("init", g.smallRequests()))
	case g.chance(0.06):
		g.note("sidecar-containers")
		sidecar := container("sidecar", amounts("100m", "128Mi"))
		always := corev1.ContainerRestartPolicyAlways
		sidecar.RestartPolicy = &always
		d.spec.InitContainers = append(d.spec.InitContainers, sidecar)
		if g.chance(0.5) {
			d.spec.InitContainers = append(d.spec.InitContainers, container("init", g.smallRequests()))
		}
	case g.chance(0.06):
		g.note("multi-container")
		d.spec.Containers = append(d.spec.Containers, container("aux", g.smallRequests()))
	case g.chance(0.05):
		g.note("pod-overhead")
		d.spec.Overhead = amounts("100m", "120Mi")
	case g.chance(0.05):
		g.note("best-effort-pods")
		main.Resources = corev1.ResourceRequirements{}
	case g.chance(0.05):
		g.note("ephemeral-storage")
		main.Resources.Requests[corev1.ResourceEphemeralStorage] = quantity(pick(g, "1Gi", "5Gi", "15Gi"))
	case g.chance(0.03):
		g.note("pod-level-resources")
		d.spec.Resources = &corev1.ResourceRequirements{Requests: g.requests()}
	case g.chance(0.03):
		g.note("unknown-resource")
		main.Resources.Requests["example.com/license"] = quantity("1")
	}
}

// port adds a host port, at times on one address only.
func (g *generator) port(spec *corev1.PodSpec) {
	g.note("host-ports")
	p := corev1.ContainerPort{HostPort: pick(g, int32(80), 443, 8080, 9100), Protocol: corev1.ProtocolTCP}
	p.ContainerPort = p.HostPort
	if g.chance(0.2) {
		p.Protocol = corev1.ProtocolUDP
	}
	if g.chance(0.25) {
		g.note("host-ip")
		p.HostIP = pick(g, "10.0.0.1", "127.0.0.1", "0.0.0.0")
	}
	spec.Containers[0].Ports = append(spec.Containers[0].Ports, p)
}
