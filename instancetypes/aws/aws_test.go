package aws

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

func load(t testing.TB, region string, opts ...Option) *instancetypes.Catalog {
	t.Helper()
	c, err := Load(region, opts...)
	require.NoError(t, err)
	return c
}

func lookup(t testing.TB, c *instancetypes.Catalog, name string) *instancetypes.InstanceType {
	t.Helper()
	it, ok := c.Lookup(name)
	require.True(t, ok, "%s is not in %s", name, c.Info().Region)
	return it
}

// TestSpotChecks holds figures that were looked up one by one: vCPU, memory and
// architecture, GPUs, pods, prices, allocatable to the millicore and the MiB.
func TestSpotChecks(t *testing.T) {
	c := load(t, "us-east-1")
	for _, want := range []struct {
		name           string
		vcpu, gib      int64
		arch           string
		gpus           int64
		gpu            string
		pods           int64
		onDemand       float64
		cpu, memoryMiB int64 // allocatable
		saving         float64
		band           instancetypes.InterruptionBand
	}{
		{"m5.large", 2, 8, "amd64", 0, "", 29, 0.096, 1930, 6903, 0.67, instancetypes.Interruption10To15},
		{"c7g.xlarge", 4, 8, "arm64", 0, "", 58, 0.145, 3920, 6525, 0.62, instancetypes.InterruptionUnder5},
		{"r6i.4xlarge", 16, 128, "amd64", 0, "", 234, 1.008, 15890, 118312, 0.55, instancetypes.InterruptionOver20},
		{"g5.xlarge", 4, 16, "amd64", 1, "a10g", 58, 1.006, 3920, 14162, 0.63, instancetypes.InterruptionOver20},
		{"p4d.24xlarge", 96, 1152, "amd64", 8, "a100", 737, 21.957642, 95690, 1082712, 0.70, instancetypes.InterruptionOver20},
		{"t3.medium", 2, 4, "amd64", 0, "", 17, 0.0416, 1930, 3246, 0.58, instancetypes.InterruptionUnder5},
	} {
		t.Run(want.name, func(t *testing.T) {
			it := lookup(t, c, want.name)
			allocatable := it.Allocatable()
			assert.Equal(t, want.vcpu*1000, it.Capacity.Get(corev1.ResourceCPU))
			assert.Equal(t, []string{want.arch}, it.Requirements.Get(corev1.LabelArchStable).Values())
			assert.Equal(t, want.gpus, it.Capacity.Get(ResourceNVIDIAGPU))
			assert.Equal(t, want.pods, allocatable.Get(corev1.ResourcePods))
			assert.Equal(t, want.cpu, allocatable.Get(corev1.ResourceCPU), "millicores")
			assert.Equal(t, want.memoryMiB*mebibyte, allocatable.Get(corev1.ResourceMemory), "bytes")
			assert.Equal(t, 17*gibibyte, allocatable.Get(corev1.ResourceEphemeralStorage))

			memory := it.Requirements.Get(LabelMemory).Values()
			require.Len(t, memory, 1)
			assert.True(t, it.Requirements.Get(LabelMemory).Has(itoa(want.gib*1024)), memory)
			gpu := it.Requirements.Get(LabelGPUName)
			assert.Equal(t, want.gpu != "", len(gpu.Values()) == 1 && gpu.Has(want.gpu))

			for i := range it.Offerings {
				o := &it.Offerings[i]
				assert.True(t, o.Available)
				assert.Equal(t, instancetypes.Measured, o.PriceOrigin)
				if o.CapacityType() == requirements.CapacityTypeOnDemand {
					assert.Equal(t, want.onDemand, o.Price)
					assert.Equal(t, instancetypes.InterruptionUnknown, o.Interruption)
					continue
				}
				assert.InDelta(t, want.saving, 1-o.Price/want.onDemand, 1e-6)
				assert.Equal(t, want.band, o.Interruption)
			}
		})
	}
}

func TestRegions(t *testing.T) {
	regions := Regions()
	assert.Len(t, regions, 34)
	assert.True(t, slices.IsSorted(regions))
	regions[0] = "moon-1"
	assert.NotEqual(t, "moon-1", Regions()[0], "the caller's slice is the caller's")
}

func TestLoadUnknownRegion(t *testing.T) {
	_, err := Load("us-est-1")
	require.ErrorIs(t, err, ErrUnknownRegion)
	assert.EqualError(t, err, `unknown AWS region "us-est-1", did you mean "us-east-1"?`)

	_, err = Load("")
	require.ErrorIs(t, err, ErrUnknownRegion)
	assert.ErrorContains(t, err, "eu-west-1", "without a near name all are listed")
	_, err = Load("types") // a file of the embedded data that is no region
	require.ErrorIs(t, err, ErrUnknownRegion)
}

// TestEveryRegion checks, with everything asked for, what engines rely on.
func TestEveryRegion(t *testing.T) {
	for _, region := range Regions() {
		t.Run(region, func(t *testing.T) {
			c := load(t, region, WithDerived(), WithEstimated())
			assert.Equal(t, region, c.Info().Region)
			assert.Equal(t, "aws", c.Info().Provider)
			assert.GreaterOrEqual(t, len(c.Zones()), 2)
			assert.Greater(t, len(c.Types()), 300)
			assert.True(t, slices.IsSortedFunc(c.Types(), func(a, b *instancetypes.InstanceType) int {
				return strings.Compare(a.Name, b.Name)
			}))
			for _, it := range c.Types() {
				if problem := checkType(c, it); problem != nil {
					t.Errorf("%s: %v", it.Name, problem)
				}
			}
		})
	}
}

func checkType(c *instancetypes.Catalog, it *instancetypes.InstanceType) error {
	keyOf := func(a, b requirements.Requirement) int { return strings.Compare(a.Key(), b.Key()) }
	if !slices.IsSortedFunc(it.Requirements, keyOf) || !it.Requirements.Equal(requirements.NewSet(it.Requirements...)) {
		return errors.New("labels are not in the order of a Set")
	}
	for i := 1; i < len(it.Capacity); i++ {
		if it.Capacity[i-1].Name >= it.Capacity[i].Name {
			return errors.New("capacity is not in the order of a Vector")
		}
	}
	for _, r := range it.Requirements {
		if !c.WellKnown(r.Key()) {
			return errors.New(r.Key() + " is not well known")
		}
	}
	for _, a := range it.Allocatable() {
		// The smallest have less memory than the kubelet would reserve.
		if a.Value <= 0 && !(a.Name == corev1.ResourceMemory && it.Capacity.Get(a.Name) < gibibyte) {
			return errors.New("allocatable: " + it.Allocatable().String())
		}
	}
	onDemand := map[string]float64{}
	for i := range it.Offerings {
		o := &it.Offerings[i]
		if it.Requirements.Intersects(o.Requirements) != nil || !o.Available || o.Zone() == "" {
			return errors.New("offering outside of its type: " + o.Requirements.String())
		}
		if o.CapacityType() == requirements.CapacityTypeOnDemand {
			onDemand[o.Zone()] = o.Price
		} else if share := o.Price / onDemand[o.Zone()]; !(share > 0 && share < 1) {
			return errors.New("spot costs more than on-demand: " + o.Requirements.String())
		}
		if o.PriceOrigin == instancetypes.Estimated && o.Interruption != instancetypes.InterruptionUnknown {
			return errors.New("an estimated price with a published interruption band")
		}
	}
	if len(onDemand) == 0 || !slices.Equal(it.Zones(), it.Requirements.Get(corev1.LabelTopologyZone).Values()) {
		return errors.New("zones of the labels are not those of the offerings")
	}
	return nil
}

// count returns how many types and offerings are measured, derived, estimated.
func count(c *instancetypes.Catalog) (types, offerings [3]int) {
	for _, it := range c.Types() {
		types[it.Origin]++
		for i := range it.Offerings {
			offerings[it.Offerings[i].PriceOrigin]++
		}
	}
	return types, offerings
}

func TestDerivedAndEstimatedRowsAreLeftOutUnlessAskedFor(t *testing.T) {
	for _, region := range Regions() {
		plain := load(t, region)
		measured, prices := count(plain)
		assert.Zero(t, measured[instancetypes.Derived]+measured[instancetypes.Estimated], region)
		assert.Zero(t, prices[instancetypes.Derived]+prices[instancetypes.Estimated], region)

		all := load(t, region, WithDerived())
		for _, it := range plain.Types() {
			assert.Len(t, lookup(t, all, it.Name).Offerings, len(it.Offerings), "%s in %s", it.Name, region)
		}
		derived, prices := count(all)
		assert.Positive(t, derived[instancetypes.Derived], region)
		assert.Zero(t, prices[instancetypes.Estimated], region)
	}
	_, prices := count(load(t, "us-east-1", WithDerived(), WithEstimated()))
	assert.Positive(t, prices[instancetypes.Estimated])
	assert.Positive(t, prices[instancetypes.Derived], "whole machines at the price of a virtual one")

	// m8i was published after the specifications: described by its family's rules,
	// priced in us-east-1, priced by m7i's ratio in Frankfurt.
	east := lookup(t, load(t, "us-east-1", WithDerived()), "m8i.xlarge")
	assert.Equal(t, instancetypes.Derived, east.Origin)
	assert.Equal(t, instancetypes.Measured, east.Offerings[0].PriceOrigin)
	frankfurt := load(t, "eu-central-1", WithDerived())
	m8i := lookup(t, frankfurt, "m8i.xlarge")
	assert.Equal(t, instancetypes.Derived, m8i.Offerings[0].PriceOrigin)
	ratio := lookup(t, frankfurt, "m7i.xlarge").Offerings[0].Price / lookup(t, load(t, "us-east-1"), "m7i.xlarge").Offerings[0].Price
	assert.InDelta(t, east.Offerings[0].Price*ratio, m8i.Offerings[0].Price, 0.0005)
	for i := range m8i.Offerings {
		assert.Equal(t, requirements.CapacityTypeOnDemand, m8i.Offerings[i].CapacityType(), "spot only if estimates are asked for")
	}
}

// TestPricesOfWholeMachines holds the published price where the newer source
// asked for dedicated tenancy (2.3066), and that of the virtual type of as many
// vCPUs where nothing is published.
func TestPricesOfWholeMachines(t *testing.T) {
	c := load(t, "us-east-1", WithDerived())
	assert.Equal(t, 2.176, lookup(t, c, "c6g.metal").Offerings[0].Price)
	assert.Equal(t, lookup(t, c, "c8i.48xlarge").Offerings[0].Price, lookup(t, c, "c8i.metal-48xl").Offerings[0].Price)
	assert.Equal(t, instancetypes.Derived, lookup(t, c, "c8i.metal-48xl").Offerings[0].PriceOrigin)
}

func TestAccelerators(t *testing.T) {
	for name, want := range map[string]map[corev1.ResourceName]int64{
		"trn1.32xlarge": {ResourceNeuron: 16, ResourceNeuronCore: 32},
		"inf2.48xlarge": {ResourceNeuron: 12, ResourceNeuronCore: 24},
		"dl1.24xlarge":  {ResourceGaudi: 8},
		"g4ad.16xlarge": {ResourceAMDGPU: 4},
		"p5.48xlarge":   {ResourceNVIDIAGPU: 8},
		"g6f.large":     {}, // an eighth of an L4 counts as none
		"m5.large":      {},
	} {
		it := lookup(t, load(t, "us-east-1", WithDerived()), name)
		for _, resource := range []corev1.ResourceName{ResourceNeuron, ResourceNeuronCore, ResourceGaudi, ResourceAMDGPU, ResourceNVIDIAGPU} {
			assert.Equal(t, want[resource], it.Capacity.Get(resource), "%s %s", name, resource)
		}
	}
	trn2 := lookup(t, load(t, "us-east-2"), "trn2.48xlarge") // sold there only
	assert.EqualValues(t, 16, trn2.Capacity.Get(ResourceNeuron))
	assert.Equal(t, []string{"trainium2"}, trn2.Requirements.Get(LabelAcceleratorName).Values())
}

func TestZones(t *testing.T) {
	east := load(t, "us-east-1")
	assert.Equal(t, []string{"us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f"}, east.Zones())
	m5 := lookup(t, east, "m5.large")
	assert.Equal(t, []string{"use1-az1", "use1-az2", "use1-az4", "use1-az5", "use1-az6"}, m5.Requirements.Get(LabelZoneID).Values())
	assert.Equal(t, []string{"us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e"}, m5.Zones(), "az3, which has few types, comes last")
	for i := range m5.Offerings {
		o := &m5.Offerings[i]
		id, ok := o.Requirements.Lookup(LabelZoneID)
		require.True(t, ok)
		assert.Equal(t, map[string]string{"us-east-1a": "use1-az1", "us-east-1b": "use1-az2", "us-east-1c": "use1-az4",
			"us-east-1d": "use1-az5", "us-east-1e": "use1-az6"}[o.Zone()], id.Values()[0])
	}

	assumed := load(t, "af-south-1") // no source lists its zones
	assert.Equal(t, []string{"af-south-1a", "af-south-1b", "af-south-1c"}, assumed.Zones())
	assert.False(t, assumed.Types()[0].Requirements.Has(LabelZoneID))
	assert.Contains(t, strings.Join(assumed.Info().Provenance, "\n"), "three are assumed")
}

func TestOfferingsShareRequirements(t *testing.T) {
	c := load(t, "us-east-1")
	first := map[string]*requirements.Requirement{}
	for _, it := range c.Types() {
		for i := range it.Offerings {
			o := &it.Offerings[i]
			place := o.Zone() + " " + o.CapacityType()
			if first[place] == nil {
				first[place] = &o.Requirements[0]
			}
			require.Same(t, first[place], &o.Requirements[0], "%s of %s", place, it.Name)
		}
	}
	assert.Len(t, first, 12)
}

func TestProvenance(t *testing.T) {
	text := strings.Join(load(t, "us-east-1", WithDerived(), WithEstimated()).Info().Provenance, "\n")
	for _, want := range []string{
		"github.com/LeanerCloud/ec2-instances-info v0.0.0-20250528091325-32acf84f42eb", "2025-05-28", "MIT",
		"github.com/aws/karpenter-provider-aws v1.14.1", "2026-07-06", "Apache-2.0",
		"derived", "estimated", "zones", "spot prices",
	} {
		assert.Contains(t, text, want)
	}
	plain := strings.Join(load(t, "us-east-1").Info().Provenance, "\n")
	assert.NotContains(t, plain, "estimated:")
	assert.NotContains(t, plain, "derived:")
}

// TestLoadConcurrently is worth its while under the race detector.
func TestLoadConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	catalogs := make([]*instancetypes.Catalog, 64)
	for i := range catalogs {
		wg.Go(func() {
			c, err := Load(Regions()[i%4], WithDerived())
			if err == nil {
				c.Compatible(requirements.NewSet(requirements.Must(LabelFamily, requirements.In, "m5")))
				catalogs[i] = c
			}
		})
	}
	wg.Wait()
	for i, c := range catalogs {
		require.NotNil(t, c)
		assert.Same(t, catalogs[i%4], c, "decoded once")
	}
}

func TestEmbeddedSize(t *testing.T) {
	files, err := data.ReadDir("data")
	require.NoError(t, err)
	total := int64(0)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		total += info.Size()
	}
	assert.Less(t, total, int64(1_500_000))
}

func TestReservedCPU(t *testing.T) {
	for vcpu, want := range map[int64]int64{
		1: 60, 2: 70, 3: 75, 4: 80, 8: 90, 16: 110, 96: 310, 192: 550, // 60 + 10 + 2x5 + 188x2.5
		5: 82, // 2.5 truncated
	} {
		assert.Equal(t, want, reservedCPU(vcpu), vcpu)
	}
}

func TestMemory(t *testing.T) {
	for _, test := range []struct{ mib, want int64 }{
		{8192, 8192 - 615},       // 7.5% is 614.4
		{1000, 925}, {1001, 925}, // 75.075 is rounded up
	} {
		s := spec{memoryMiB: test.mib, arch: "amd64"}
		assert.Equal(t, test.want*mebibyte, s.memory())
		bytes := float64(test.mib * mebibyte) // as the provider computes it, in floating point
		assert.Equal(t, test.mib-int64(math.Ceil(bytes*0.075/1024/1024)), test.want)
	}
	arm := spec{memoryMiB: 8192, arch: "arm64"}
	assert.Equal(t, (8128-610)*mebibyte, arm.memory())
}

func TestParseName(t *testing.T) {
	for name, want := range map[string]typeName{
		"m5.large":            {family: "m5", size: "large", category: "m", generation: "5"},
		"c7i-flex.8xlarge":    {family: "c7i-flex", size: "8xlarge", category: "c", generation: "7", flex: true},
		"u-12tb1.112xlarge":   {family: "u-12tb1", size: "112xlarge", category: "u", generation: "1"},
		"u7in-16tb.224xlarge": {family: "u7in-16tb", size: "224xlarge", category: "u", generation: "7"},
		"im4gn.16xlarge":      {family: "im4gn", size: "16xlarge", category: "im", generation: "4"},
		"p6-b200.48xlarge":    {family: "p6-b200", size: "48xlarge", category: "p", generation: "6"},
		"c8i.metal-48xl":      {family: "c8i", size: "metal-48xl", category: "c", generation: "8"},
		"x2iedn.xlarge":       {family: "x2iedn", size: "xlarge", category: "x", generation: "2"},
		"strange":             {},
		"x.large":             {family: "x", size: "large"},
	} {
		assert.Equal(t, want, parseName(name), name)
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, s := range map[string]selection{"measured": {}, "all": {derived: true, estimated: true}} {
		b.Run("cold/"+name, func(b *testing.B) { // every step as in a fresh process
			b.ReportAllocs()
			for b.Loop() {
				text, err := embedded("types")
				require.NoError(b, err)
				types, err := parseTypes(text)
				require.NoError(b, err)
				r, err := decodeRegion("us-east-1")
				require.NoError(b, err)
				c, err := newBuilder(r, types, s).catalog()
				require.NoError(b, err)
				b.ReportMetric(float64(len(c.Types())), "types")
			}
		})
	}
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Load("us-east-1"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
