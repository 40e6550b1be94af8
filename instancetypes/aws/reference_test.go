package aws

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// TestReference compares labels and allocatable resources of every type with
// the page on which Karpenter's AWS provider publishes what it computes.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.tsv")
	require.NoError(t, err)
	var columns []string
	all := everywhere(t)
	compared, derived := 0, 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case strings.HasPrefix(line, "#"):
		case columns == nil:
			columns = fields
		default:
			it := all[fields[0]]
			if it == nil {
				continue
			}
			compared++
			if it.Origin == instancetypes.Derived {
				derived++
			}
			for i, column := range columns[1:] {
				compareWithReference(t, it, column, fields[i+1])
			}
		}
	}
	// Not in the catalog are those that no source both prices and describes: dl2q, g7, x8aedz, p5e.
	assert.Equal(t, 1347, compared)
	assert.Equal(t, 454, derived)
}

// everywhere returns each type of any region.
func everywhere(t *testing.T) map[string]*instancetypes.InstanceType {
	all := map[string]*instancetypes.InstanceType{}
	for _, region := range Regions() {
		for _, it := range load(t, region, WithDerived()).Types() {
			all[it.Name] = it
		}
	}
	return all
}

func compareWithReference(t *testing.T, it *instancetypes.InstanceType, column, want string) {
	if name, ok := strings.CutPrefix(column, "resource:"); ok {
		got := it.Allocatable().Get(corev1.ResourceName(name))
		assert.Equal(t, amount(t, name, want), got, "%s %s", it.Name, name)
		return
	}
	key := "karpenter.k8s.aws/instance-" + column
	if column == "arch" {
		key = corev1.LabelArchStable
	}
	switch {
	case key == LabelEBSBandwidth && it.Origin == instancetypes.Derived:
		want = "" // no rule tells it
	case key == LabelCPUClockSpeed && want == "0":
		want = "" // the API does not tell it for the oldest types
	}
	r, ok := it.Requirements.Lookup(key)
	require.True(t, ok, key)
	switch {
	case want != "":
		assert.True(t, r.Operator() == requirements.In && len(r.Values()) == 1 && r.Has(want), "%s: %v, want %s", it.Name, r, want)
	case key == LabelHypervisor:
		assert.True(t, r.Has(""), "%s: %v, want an empty value, as of bare metal", it.Name, r)
	default:
		assert.Equal(t, requirements.DoesNotExist, r.Operator(), "%s: %v", it.Name, r)
	}
}

func amount(t *testing.T, name, quantity string) int64 {
	if quantity == "" {
		return 0
	}
	q, err := resource.ParseQuantity(quantity)
	require.NoError(t, err)
	v, err := resources.FromList(corev1.ResourceList{corev1.ResourceName(name): q})
	require.NoError(t, err)
	return v[0].Value
}
