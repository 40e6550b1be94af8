package bench

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
)

// mixes are the workloads: 50 plain Deployments; the five fifths and the
// preferences of Karpenter's own benchmark. A fifth of the diverse pods keep away
// from each other by hostname, so that there are at least pods/5 nodes whatever
// the packing.
var mixes = []struct {
	name     string
	workload func(seed uint64, pods int) scenarios.Workload
}{
	{"plain", scenarios.Plain},
	{"diverse", scenarios.Diverse},
	{"preferences", scenarios.Preferences},
}

// pods makes so many pods of a mix.
func pods(tb testing.TB, n int, mix func(seed uint64, pods int) scenarios.Workload) []*corev1.Pod {
	tb.Helper()
	made, err := scenarios.Generate(mix(42, n))
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

const region = "us-east-1"

func catalog(tb testing.TB) *instancetypes.Catalog {
	tb.Helper()
	c, err := aws.Load(region)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// nodePool is the pool of Karpenter's own getting-started guide, with spot: current
// compute, general and memory types. A pool without requirements would have Karpenter
// fill machines of 1,920 vCPU, which few people have in mind.
func nodePool() *packing.NodePool {
	p := &packing.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "default"}}
	p.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{
		{Key: "karpenter.sh/capacity-type", Operator: corev1.NodeSelectorOpIn, Values: []string{"on-demand", "spot"}},
		{Key: "karpenter.k8s.aws/instance-category", Operator: corev1.NodeSelectorOpIn, Values: []string{"c", "m", "r"}},
		{Key: "karpenter.k8s.aws/instance-generation", Operator: corev1.NodeSelectorOpGt, Values: []string{"2"}},
	}
	return p
}

// nodeGroups are what a team runs that serves any workload: three families in
// three sizes, a group for each zone, without a size limit that matters.
func nodeGroups(tb testing.TB, c *instancetypes.Catalog) []*packing.NodeGroup {
	tb.Helper()
	var groups []*packing.NodeGroup
	for _, family := range []string{"m6i", "c6i", "r6i"} {
		for _, size := range []string{"xlarge", "2xlarge", "4xlarge"} {
			t, ok := c.Lookup(family + "." + size)
			if !ok {
				tb.Fatalf("%s.%s is not in the catalog of %s", family, size, region)
			}
			for _, zone := range []string{"a", "b", "c"} {
				groups = append(groups, nodeGroup(tb, t, region+zone))
			}
		}
	}
	return groups
}

func nodeGroup(tb testing.TB, t *instancetypes.InstanceType, zone string) *packing.NodeGroup {
	tb.Helper()
	for i := range t.Offerings {
		o := &t.Offerings[i]
		if o.Zone() == zone && o.CapacityType() == "on-demand" {
			return &packing.NodeGroup{
				Name: t.Name + "-" + zone, MaxSize: 100_000, Price: o.Price,
				InstanceTypes: []*instancetypes.InstanceType{t},
				Template:      packing.TemplateNode(t, packing.TemplateOptions{Zone: zone}),
			}
		}
	}
	tb.Fatalf("%s is not sold on demand in %s", t.Name, zone)
	return nil
}
