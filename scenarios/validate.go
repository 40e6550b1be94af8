package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/binwright/binwright/packing/resources"
)

// The rules here are those of the API server (Kubernetes 1.35
// pkg/apis/core/validation) on fields that decisions read. An object that
// breaks one could not be in a cluster.

// labels checks keys and values of labels.
func (e *fieldErrors) labels(at string, labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		e.labelKey(at, key)
		e.labelValue(at+"["+shorten(key)+"]", labels[key])
	}
}

func (e *fieldErrors) labelKey(at, key string) {
	for _, message := range validation.IsQualifiedName(key) {
		e.add(at, "key %q: %s", shorten(key), message)
	}
}

func (e *fieldErrors) labelValue(at, value string) {
	for _, message := range validation.IsValidLabelValue(value) {
		e.add(at, "value %q: %s", shorten(value), message)
	}
}

// taints checks keys, values and effects.
func (e *fieldErrors) taints(at string, taints []corev1.Taint) {
	for i, t := range taints {
		one := fmt.Sprintf("%s[%d]", at, i)
		if t.Key == "" {
			e.add(one+".key", "is missing")
		} else {
			e.labelKey(one+".key", t.Key)
		}
		e.labelValue(one+".value", t.Value)
		e.oneOf(one+".effect", string(t.Effect), effects...)
		if slices.ContainsFunc(taints[:i], func(o corev1.Taint) bool { return o.Key == t.Key && o.Effect == t.Effect }) {
			e.add(one, "%s:%s is there twice", t.Key, t.Effect)
		}
	}
}

var effects = []string{string(corev1.TaintEffectNoSchedule), string(corev1.TaintEffectPreferNoSchedule), string(corev1.TaintEffectNoExecute)}

// selector checks a label selector.
func (e *fieldErrors) selector(at string, s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	for _, err := range metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, nil) {
		e.add(joinField(at, err.Field), "%s", err.ErrorBody())
	}
}

// quantities checks a resource list: amounts from 0 on that fit, and whole
// numbers for what is counted.
func (e *fieldErrors) quantities(at string, list corev1.ResourceList) {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		one := at + "[" + shorten(string(name)) + "]"
		q := list[name]
		for _, message := range validation.IsQualifiedName(string(name)) {
			e.add(one, "resource name: %s", message)
		}
		if _, err := resources.FromList(corev1.ResourceList{name: q}); err != nil {
			e.add(one, "%s", strings.TrimPrefix(err.Error(), string(name)+" "))
		} else if extended(name) && q.MilliValue()%1000 != 0 {
			e.add(one, "%q is not a whole number", q.String())
		}
	}
}

// extended reports whether a resource is counted in whole units: those named by
// a domain of their own.
func extended(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix)
}

// requestsAndLimits checks the resources of a container or a pod.
func (e *fieldErrors) requestsAndLimits(at string, r corev1.ResourceRequirements) {
	e.quantities(at+".requests", r.Requests)
	e.quantities(at+".limits", r.Limits)
	for _, name := range slices.Sorted(maps.Keys(r.Limits)) {
		limit := r.Limits[name]
		request, ok := r.Requests[name]
		if !ok || request.Sign() < 0 || limit.Sign() < 0 {
			continue
		}
		one := at + ".requests[" + shorten(string(name)) + "]"
		switch c := request.Cmp(limit); {
		case c > 0:
			e.add(one, "%s is above the limit %s", request.String(), limit.String())
		case c != 0 && (extended(name) || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)):
			e.add(one, "%s differs from the limit %s; for %s they must be equal", request.String(), limit.String(), name)
		}
	}
}

// validatePodSpec checks a defaulted pod. Fields are below the pod: "spec.containers[0].name".
func validatePodSpec(labels map[string]string, spec *corev1.PodSpec) []fieldError {
	var e fieldErrors
	e.labels("metadata.labels", labels)
	if len(spec.Containers) == 0 {
		e.add("spec.containers", "is empty; a pod has at least one container")
	}
	names := map[string]bool{}
	e.containers("spec.initContainers", spec.InitContainers, names, true)
	e.containers("spec.containers", spec.Containers, names, false)
	e.hostPorts(spec)
	if spec.Resources != nil {
		e.requestsAndLimits("spec.resources", *spec.Resources)
	}
	e.quantities("spec.overhead", spec.Overhead)
	e.labels("spec.nodeSelector", spec.NodeSelector)
	e.oneOf("spec.restartPolicy", string(spec.RestartPolicy), "Always", "OnFailure", "Never")
	e.tolerations(spec.Tolerations)
	e.affinity(spec.Affinity)
	e.topologySpread(spec.TopologySpreadConstraints)
	for i, v := range spec.Volumes {
		if v.Name == "" {
			e.add(fmt.Sprintf("spec.volumes[%d].name", i), "is missing")
		}
		if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == "" {
			e.add(fmt.Sprintf("spec.volumes[%d].persistentVolumeClaim.claimName", i), "is missing")
		}
	}
	return e
}

func (e *fieldErrors) containers(at string, containers []corev1.Container, names map[string]bool, init bool) {
	for i := range containers {
		c := &containers[i]
		one := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case c.Name == "":
			e.add(one+".name", "is missing")
		case names[c.Name]:
			e.add(one+".name", "%q is there twice", shorten(c.Name))
		default:
			for _, message := range validation.IsDNS1123Label(c.Name) {
				e.add(one+".name", "%q: %s", shorten(c.Name), message)
			}
		}
		names[c.Name] = true
		e.requestsAndLimits(one+".resources", c.Resources)
		if init && c.RestartPolicy != nil && *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			e.add(one+".restartPolicy", "%q: expected Always or nothing", *c.RestartPolicy)
		}
		for j, p := range c.Ports {
			port := fmt.Sprintf("%s.ports[%d]", one, j)
			if p.ContainerPort < 1 || p.ContainerPort > 65535 {
				e.add(port+".containerPort", "%d is not from 1 to 65535", p.ContainerPort)
			}
			if p.HostPort < 0 || p.HostPort > 65535 {
				e.add(port+".hostPort", "%d is not from 1 to 65535", p.HostPort)
			}
			e.oneOf(port+".protocol", string(p.Protocol), "TCP", "UDP", "SCTP")
		}
	}
}

// hostPorts checks that no two containers of a pod ask for the same host port.
func (e *fieldErrors) hostPorts(spec *corev1.PodSpec) {
	type key struct {
		port     int32
		protocol corev1.Protocol
		ip       string
	}
	seen := map[key]bool{}
	for i := range spec.Containers {
		for j, p := range spec.Containers[i].Ports {
			k := key{p.HostPort, p.Protocol, p.HostIP}
			if p.HostPort != 0 && seen[k] {
				e.add(fmt.Sprintf("spec.containers[%d].ports[%d].hostPort", i, j), "%d/%s is there twice", p.HostPort, p.Protocol)
			}
			seen[k] = true
		}
	}
}

func (e *fieldErrors) tolerations(tolerations []corev1.Toleration) {
	for i, t := range tolerations {
		one := fmt.Sprintf("spec.tolerations[%d]", i)
		if t.Key != "" {
			e.labelKey(one+".key", t.Key)
		} else if t.Operator != corev1.TolerationOpExists {
			e.add(one+".operator", "%q with an empty key; expected Exists", t.Operator)
		}
		switch t.Operator {
		case corev1.TolerationOpEqual, "":
			e.labelValue(one+".value", t.Value)
		case corev1.TolerationOpExists:
			if t.Value != "" {
				e.add(one+".value", "%q with operator Exists; expected none", shorten(t.Value))
			}
		default:
			e.oneOf(one+".operator", string(t.Operator), "Equal", "Exists")
		}
		if t.Effect != "" {
			e.oneOf(one+".effect", string(t.Effect), effects...)
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			e.add(one+".effect", "%q with tolerationSeconds; expected NoExecute", t.Effect)
		}
	}
}

func (e *fieldErrors) affinity(a *corev1.Affinity) {
	if a == nil {
		return
	}
	if n := a.NodeAffinity; n != nil {
		const at = "spec.affinity.nodeAffinity"
		if required := n.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
			const at = at + ".requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
			if len(required.NodeSelectorTerms) == 0 {
				e.add(at, "is empty; it takes at least one term")
			}
			for i := range required.NodeSelectorTerms {
				e.nodeSelectorTerm(fmt.Sprintf("%s[%d]", at, i), &required.NodeSelectorTerms[i])
			}
		}
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			term := &n.PreferredDuringSchedulingIgnoredDuringExecution[i]
			one := fmt.Sprintf("%s.preferredDuringSchedulingIgnoredDuringExecution[%d]", at, i)
			e.weight(one, term.Weight)
			e.nodeSelectorTerm(one+".preference", &term.Preference)
		}
	}
	if p := a.PodAffinity; p != nil {
		e.podAffinity("spec.affinity.podAffinity", p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		e.podAffinity("spec.affinity.podAntiAffinity", p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (e *fieldErrors) weight(at string, weight int32) {
	if weight < 1 || weight > 100 {
		e.add(at+".weight", "%d is not from 1 to 100", weight)
	}
}

func (e *fieldErrors) nodeSelectorTerm(at string, term *corev1.NodeSelectorTerm) {
	for i, r := range term.MatchExpressions {
		e.nodeSelectorRequirement(fmt.Sprintf("%s.matchExpressions[%d]", at, i), r.Key, string(r.Operator), r.Values, nodeOperators)
	}
	for i, r := range term.MatchFields {
		one := fmt.Sprintf("%s.matchFields[%d]", at, i)
		e.oneOf(one+".key", r.Key, metav1.ObjectNameField)
		e.oneOf(one+".operator", string(r.Operator), "In", "NotIn")
		if len(r.Values) != 1 {
			e.add(one+".values", "expected one value, found %d", len(r.Values))
		}
	}
}

var (
	nodeOperators     = []string{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}
	nodePoolOperators = append(slices.Clone(nodeOperators), "Gte", "Lte")
)

// nodeSelectorRequirement checks one requirement on a node's label.
func (e *fieldErrors) nodeSelectorRequirement(at, key, operator string, values []string, operators []string) {
	e.labelKey(at+".key", key)
	for i, v := range values {
		e.labelValue(fmt.Sprintf("%s.values[%d]", at, i), v)
	}
	switch operator {
	case "In", "NotIn":
		if len(values) == 0 {
			e.add(at+".values", "is empty; operator %s takes at least one", operator)
		}
	case "Exists", "DoesNotExist":
		if len(values) > 0 {
			e.add(at+".values", "operator %s takes none", operator)
		}
	case "Gt", "Lt", "Gte", "Lte":
		if len(values) != 1 {
			e.add(at+".values", "operator %s takes one whole number, found %d values", operator, len(values))
		} else if _, err := strconv.ParseInt(values[0], 10, 64); err != nil {
			e.add(at+".values[0]", "%q is not a whole number, which operator %s takes", shorten(values[0]), operator)
		}
	}
	e.oneOf(at+".operator", operator, operators...)
}

func (e *fieldErrors) podAffinity(at string, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	term := func(at string, t *corev1.PodAffinityTerm) {
		if t.TopologyKey == "" {
			e.add(at+".topologyKey", "is missing")
		} else {
			e.labelKey(at+".topologyKey", t.TopologyKey)
		}
		e.selector(at+".labelSelector", t.LabelSelector)
		e.selector(at+".namespaceSelector", t.NamespaceSelector)
		if len(t.MatchLabelKeys)+len(t.MismatchLabelKeys) > 0 && t.LabelSelector == nil {
			e.add(at+".labelSelector", "is missing; matchLabelKeys and mismatchLabelKeys need it")
		}
	}
	for i := range required {
		term(fmt.Sprintf("%s.requiredDuringSchedulingIgnoredDuringExecution[%d]", at, i), &required[i])
	}
	for i := range preferred {
		one := fmt.Sprintf("%s.preferredDuringSchedulingIgnoredDuringExecution[%d]", at, i)
		e.weight(one, preferred[i].Weight)
		term(one+".podAffinityTerm", &preferred[i].PodAffinityTerm)
	}
}

func (e *fieldErrors) topologySpread(constraints []corev1.TopologySpreadConstraint) {
	for i := range constraints {
		c := &constraints[i]
		one := fmt.Sprintf("spec.topologySpreadConstraints[%d]", i)
		if c.MaxSkew < 1 {
			e.add(one+".maxSkew", "%d is not a number from 1 on", c.MaxSkew)
		}
		if c.TopologyKey == "" {
			e.add(one+".topologyKey", "is missing")
		} else {
			e.labelKey(one+".topologyKey", c.TopologyKey)
		}
		e.oneOf(one+".whenUnsatisfiable", string(c.WhenUnsatisfiable), "DoNotSchedule", "ScheduleAnyway")
		if c.MinDomains != nil {
			if *c.MinDomains < 1 {
				e.add(one+".minDomains", "%d is not a number from 1 on", *c.MinDomains)
			}
			if c.WhenUnsatisfiable != corev1.DoNotSchedule {
				e.add(one+".minDomains", "takes whenUnsatisfiable DoNotSchedule")
			}
		}
		for _, p := range []struct {
			name  string
			value *corev1.NodeInclusionPolicy
		}{{"nodeAffinityPolicy", c.NodeAffinityPolicy}, {"nodeTaintsPolicy", c.NodeTaintsPolicy}} {
			if p.value != nil {
				e.oneOf(one+"."+p.name, string(*p.value), "Honor", "Ignore")
			}
		}
		e.selector(one+".labelSelector", c.LabelSelector)
		if len(c.MatchLabelKeys) > 0 && c.LabelSelector == nil {
			e.add(one+".labelSelector", "is missing; matchLabelKeys needs it")
		}
		for j, key := range c.MatchLabelKeys {
			e.labelKey(fmt.Sprintf("%s.matchLabelKeys[%d]", one, j), key)
		}
		if slices.ContainsFunc(constraints[:i], func(o corev1.TopologySpreadConstraint) bool {
			return o.TopologyKey == c.TopologyKey && o.WhenUnsatisfiable == c.WhenUnsatisfiable
		}) {
			e.add(one, "{%s, %s} is there twice", c.TopologyKey, c.WhenUnsatisfiable)
		}
	}
}
