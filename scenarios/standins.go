package scenarios

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// Manifests of a cluster often hold no NodePool and never a node group. So that
// both autoscalers have something to launch from, the loader then lays in what
// their getting-started guides and a careful team would: on-demand capacity of
// current general types, three zones, GPU capacity only if a pod asks for it.

// resourceGPU is what pods ask NVIDIA's device plugin for.
const resourceGPU = corev1.ResourceName("nvidia.com/gpu")

// standInTypes are the instance types of the stand-in node groups on AWS: 2, 4
// and 8 GiB a vCPU, one size for most pods and one for large ones; with one, four
// and eight GPUs.
var (
	standInTypes    = []string{"m6i.2xlarge", "c6i.2xlarge", "r6i.2xlarge", "m6i.12xlarge", "c6i.12xlarge", "r6i.12xlarge"}
	standInGPUTypes = []string{"g4dn.xlarge", "g4dn.4xlarge", "g4dn.16xlarge", "g4dn.12xlarge", "g5.24xlarge", "g5.48xlarge", "p5.48xlarge"}
)

const (
	standInZones   = 3
	standInMaxSize = 5000 // the largest cluster that Kubernetes supports
)

// standIns completes a scenario without node pools or without node groups.
func (l *loader) standIns(s *Scenario) {
	gpu, taint := gpuPods(s.Snapshot.Pods)
	if len(s.NodePools) == 0 {
		s.NodePools = standInPools(s.Catalog, gpu, taint)
		l.warn("", "the input has no NodePool: assumed are on-demand nodes of current types ("+names(s.NodePools)+")")
	}
	if len(s.NodeGroups) > 0 {
		return
	}
	zones := standInZones
	if len(s.Timeline) > 0 {
		zones = 1 // a trace has no volumes and no spread: zones would be more of the same
	}
	s.NodeGroups = standInGroups(s.Catalog, gpu, taint, zones)
	if len(s.NodeGroups) == 0 {
		l.warn("", "the input has no node groups, and for this catalog none are assumed: Cluster Autoscaler can launch nothing")
		return
	}
	l.warn("", fmt.Sprintf("the input has no node groups: assumed are %d of up to %d on-demand nodes each (%s in %s)",
		len(s.NodeGroups), standInMaxSize, strings.Join(standInNames(gpu), ", "), plural(zones, "zone")))
}

// gpuPods reports whether any pod asks for a GPU, and whether GPU nodes can be
// kept for such pods by the usual taint because all of them tolerate it.
func gpuPods(pods []*corev1.Pod) (any, tolerated bool) {
	taint := gpuTaint()
	tolerated = true
	for _, p := range pods {
		if !asksForGPU(p) {
			continue
		}
		any = true
		tolerated = tolerated && slices.ContainsFunc(p.Spec.Tolerations, func(t corev1.Toleration) bool {
			return (t.Key == taint.Key || t.Key == "") && (t.Effect == taint.Effect || t.Effect == "") && t.Operator == corev1.TolerationOpExists
		})
	}
	return any, any && tolerated
}

func asksForGPU(p *corev1.Pod) bool {
	for _, containers := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range containers {
			if q, ok := containers[i].Resources.Requests[resourceGPU]; ok && q.Sign() > 0 {
				return true
			}
		}
	}
	return false
}

func gpuTaint() corev1.Taint {
	return corev1.Taint{Key: string(resourceGPU), Value: "true", Effect: corev1.TaintEffectNoSchedule}
}

func standInPools(catalog *instancetypes.Catalog, gpu, taint bool) []*packing.NodePool {
	onDemand := packing.NodePoolExpression{Key: requirements.LabelCapacityType, Operator: requirements.In, Values: []string{requirements.CapacityTypeOnDemand}}
	if catalog.Info().Provider != providerAWS {
		return []*packing.NodePool{standInPool("default", 1, onDemand)}
	}
	common := []packing.NodePoolExpression{
		onDemand,
		{Key: corev1.LabelArchStable, Operator: requirements.In, Values: []string{"amd64"}},
		{Key: corev1.LabelOSStable, Operator: requirements.In, Values: []string{"linux"}},
	}
	pools := []*packing.NodePool{standInPool("default", 10, append(slices.Clone(common),
		packing.NodePoolExpression{Key: "karpenter.k8s.aws/instance-category", Operator: requirements.In, Values: []string{"c", "m", "r"}},
		packing.NodePoolExpression{Key: "karpenter.k8s.aws/instance-generation", Operator: requirements.Gt, Values: []string{"2"}})...)}
	if gpu {
		pool := standInPool("gpu", 1, append(slices.Clone(common),
			packing.NodePoolExpression{Key: "karpenter.k8s.aws/instance-gpu-manufacturer", Operator: requirements.In, Values: []string{"nvidia"}})...)
		if taint {
			pool.Spec.Template.Spec.Taints = []corev1.Taint{gpuTaint()}
		}
		pools = append(pools, pool)
	}
	return pools
}

func standInPool(name string, weight int32, reqs ...packing.NodePoolExpression) *packing.NodePool {
	p := &packing.NodePool{
		TypeMeta:   metav1.TypeMeta{APIVersion: "karpenter.sh/v1", Kind: "NodePool"},
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: uidFor("NodePool", "", name)},
		Spec: packing.NodePoolSpec{
			Weight:   &weight,
			Template: packing.NodeClaimTemplate{Spec: packing.NodeClaimTemplateSpec{Requirements: reqs}},
		},
	}
	completeNodePool(p)
	return p
}

// standInNames are the instance types of the stand-in groups.
func standInNames(gpu bool) []string {
	if gpu {
		return slices.Concat(standInTypes, standInGPUTypes)
	}
	return standInTypes
}

// standInGroups makes a group of each type in each of its first zones, none for
// a catalog that is not of AWS. Templates state what nodes really have for pods,
// as those of groups do that have had nodes before.
func standInGroups(catalog *instancetypes.Catalog, gpu, taint bool, zones int) []*packing.NodeGroup {
	if catalog.Info().Provider != providerAWS {
		return nil
	}
	var groups []*packing.NodeGroup
	for _, name := range standInNames(gpu) {
		t, ok := catalog.Lookup(name)
		if !ok {
			continue
		}
		var taints []corev1.Taint
		if taint && slices.Contains(standInGPUTypes, name) {
			taints = []corev1.Taint{gpuTaint()}
		}
		made := 0
		for _, zone := range t.Zones() {
			o, err := offeringOf(t, zone, requirements.CapacityTypeOnDemand)
			if err != nil || made == zones {
				continue
			}
			made++
			groups = append(groups, &packing.NodeGroup{
				Name: strings.ReplaceAll(name, ".", "-") + "-" + zone, MaxSize: standInMaxSize,
				Template: packing.TemplateNode(t, packing.TemplateOptions{
					Zone: zone, CapacityType: requirements.CapacityTypeOnDemand, Taints: taints,
				}),
				InstanceTypes: []*instancetypes.InstanceType{t}, Price: o.Price,
			})
		}
	}
	return groups
}

func names(pools []*packing.NodePool) string {
	all := make([]string, len(pools))
	for i, p := range pools {
		all[i] = "pool " + p.Name
	}
	return strings.Join(all, ", ")
}
