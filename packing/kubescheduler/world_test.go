package kubescheduler

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// list reads "cpu=500m,memory=1Gi".
func list(text string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for part := range strings.SplitSeq(text, ",") {
		if name, amount, ok := strings.Cut(part, "="); ok {
			out[corev1.ResourceName(name)] = resource.MustParse(amount)
		}
	}
	return out
}

// labels reads "app=web,tier=front".
func labelsOf(text string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if key, value, ok := strings.Cut(part, "="); ok {
			out[key] = value
		}
	}
	return out
}

// aNode is a node with its hostname, in a zone unless that is "".
func aNode(name, zone, allocatable string, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}}}
	if zone != "" {
		n.Labels[corev1.LabelTopologyZone] = zone
	}
	n.Status.Allocatable = list(allocatable)
	if _, ok := n.Status.Allocatable[corev1.ResourcePods]; !ok {
		n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("110")
	}
	n.Status.Capacity = n.Status.Allocatable
	for _, c := range change {
		c(n)
	}
	return n
}

func tainted(effect corev1.TaintEffect, keys ...string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		for _, k := range keys {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: k, Effect: effect})
		}
	}
}

func labelled(text string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		for k, v := range labelsOf(text) {
			n.Labels[k] = v
		}
	}
}

// aPod is a pod with one container.
func aPod(labels, requests string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod", Labels: labelsOf(labels)}}
	p.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Requests: list(requests)}}}
	for _, c := range change {
		c(p)
	}
	return p
}

func ownedBy(kind string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: "owner", Controller: &yes}}
	}
}

func prioritised(priority int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Priority = &priority }
}

func withLabels(text string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: labelsOf(text)}
}

func spreadOver(key string, skew int32, when corev1.UnsatisfiableConstraintAction, selector string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			TopologyKey: key, MaxSkew: skew, WhenUnsatisfiable: when, LabelSelector: withLabels(selector)})
	}
}

func affinity(p *corev1.Pod) *corev1.Affinity {
	if p.Spec.Affinity == nil {
		p.Spec.Affinity = &corev1.Affinity{}
	}
	return p.Spec.Affinity
}

func term(key, selector string) corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: withLabels(selector)}
}

// nearTo is a required affinity term if the weight is 0, else a preferred one.
func nearTo(weight int32, key, selector string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		a := affinity(p)
		if a.PodAffinity == nil {
			a.PodAffinity = &corev1.PodAffinity{}
		}
		if weight == 0 {
			a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution = append(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, term(key, selector))
			return
		}
		a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.WeightedPodAffinityTerm{Weight: weight, PodAffinityTerm: term(key, selector)})
	}
}

// awayFrom is the same for anti-affinity.
func awayFrom(weight int32, key, selector string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		a := affinity(p)
		if a.PodAntiAffinity == nil {
			a.PodAntiAffinity = &corev1.PodAntiAffinity{}
		}
		if weight == 0 {
			a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution = append(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, term(key, selector))
			return
		}
		a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.WeightedPodAffinityTerm{Weight: weight, PodAffinityTerm: term(key, selector)})
	}
}

func prefersNodes(weight int32, key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		a := affinity(p)
		if a.NodeAffinity == nil {
			a.NodeAffinity = &corev1.NodeAffinity{}
		}
		a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.PreferredSchedulingTerm{Weight: weight, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}}}})
	}
}

func onNodes(names ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		a := affinity(p)
		a.NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
				{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: names}}}}}}
	}
}

func oneOf[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// randomNode draws a node; its like differ in size, zone, labels, taints and images.
func randomNode(rng *rand.Rand, name string) *corev1.Node {
	n := aNode(name, oneOf(rng, "a", "b", "c", "c", ""), fmt.Sprintf("cpu=%d,memory=%dGi,pods=%d", 1+rng.IntN(4), 2+rng.IntN(8), 3+rng.IntN(12)))
	if rng.IntN(3) == 0 {
		n.Labels["disk"] = oneOf(rng, "ssd", "hdd")
	}
	if rng.IntN(4) == 0 {
		tainted(corev1.TaintEffectPreferNoSchedule, "soft")(n)
	}
	if rng.IntN(6) == 0 {
		tainted(corev1.TaintEffectPreferNoSchedule, "softer")(n)
	}
	if rng.IntN(8) == 0 {
		tainted(corev1.TaintEffectNoSchedule, "hard")(n)
	}
	n.Spec.Unschedulable = rng.IntN(12) == 0
	if rng.IntN(3) == 0 {
		n.Status.Images = []corev1.ContainerImage{{Names: []string{"web:1", "web@sha"}, SizeBytes: 700 << 20}}
	}
	if rng.IntN(3) == 0 {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{"db:latest"}, SizeBytes: 300 << 20})
	}
	if rng.IntN(20) == 0 {
		delete(n.Labels, corev1.LabelHostname)
	}
	return n
}

// randomPod draws a pod, with up to three of the rules that a decision reads.
func randomPod(rng *rand.Rand, name string) *corev1.Pod {
	app := oneOf(rng, "app=x", "app=y", "app=z")
	p := aPod(app, oneOf(rng, "", "cpu=100m", "cpu=500m,memory=1Gi", "memory=2Gi", "cpu=250m,memory=300Mi", "cpu=0,memory=0"))
	p.Name = name
	p.Spec.Containers[0].Image = oneOf(rng, "", "web:1", "db")
	if rng.IntN(2) == 0 {
		ownedBy(oneOf(rng, "ReplicaSet", "StatefulSet", "Job"))(p)
	}
	if rng.IntN(5) == 0 {
		p.Spec.InitContainers = []corev1.Container{{Name: "init", Resources: corev1.ResourceRequirements{Requests: list("cpu=300m")}}}
	}
	key := func() string { return oneOf(rng, corev1.LabelHostname, corev1.LabelTopologyZone, "disk") }
	selector := func() string { return oneOf(rng, "app=x", "app=y", app) }
	for range rng.IntN(4) {
		switch rng.IntN(11) {
		case 0:
			spreadOver(key(), 1+rng.Int32N(3), corev1.DoNotSchedule, selector())(p)
		case 1, 2:
			spreadOver(key(), 1+rng.Int32N(3), corev1.ScheduleAnyway, selector())(p)
			last := &p.Spec.TopologySpreadConstraints[len(p.Spec.TopologySpreadConstraints)-1]
			if honor, ignore := corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore; rng.IntN(2) == 0 {
				last.NodeTaintsPolicy, last.NodeAffinityPolicy = oneOf(rng, nil, &honor, &ignore), oneOf(rng, nil, &honor, &ignore)
			}
		case 3:
			nearTo(0, key(), selector())(p)
		case 4:
			awayFrom(0, key(), selector())(p)
		case 5:
			nearTo(1+rng.Int32N(100), key(), selector())(p)
		case 6:
			awayFrom(1+rng.Int32N(100), key(), selector())(p)
		case 7:
			prefersNodes(1+rng.Int32N(100), oneOf(rng, "disk", corev1.LabelTopologyZone), oneOf(rng, "ssd", "hdd", "a", "b"))(p)
		case 8:
			p.Spec.NodeSelector = map[string]string{"disk": "ssd"}
		case 9:
			p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: oneOf(rng, "soft", "softer", "hard", ""), Operator: corev1.TolerationOpExists,
				Effect: oneOf(rng, "", corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoSchedule)})
		case 10:
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 8000 + rng.Int32N(2)}}
		}
	}
	return p
}
