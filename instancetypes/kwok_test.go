package instancetypes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

func readFixture(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(text)
}

func TestReadKWOK(t *testing.T) {
	c, err := ReadKWOK(strings.NewReader(readFixture(t, "kwok.json")))
	require.NoError(t, err)
	require.Len(t, c.Types(), 3)

	m5, ok := c.Lookup("m5.large")
	require.True(t, ok)
	// Capacity 2 CPU, 8Gi and the default 110 pods, less 100m and 10Mi.
	assert.Equal(t, "cpu 1900m, ephemeral-storage 20Gi, memory 8182Mi, pods 110", m5.Allocatable().String())
	for key, want := range map[string][]string{
		corev1.LabelInstanceTypeStable:     {"m5.large"},
		corev1.LabelArchStable:             {"amd64"}, // x86_64 in the file
		corev1.LabelOSStable:               {"linux", "windows"},
		corev1.LabelTopologyZone:           {"us-west-2a", "us-west-2b"},
		requirements.LabelCapacityType:     {"on-demand", "spot"},
		LabelKWOKSize:                      {"large"},
		LabelKWOKFamily:                    {"m5"},
		LabelKWOKCPU:                       {"2"},
		LabelKWOKMemory:                    {"8Gi"},
		"karpenter.kwok.sh/does-not-exist": nil,
	} {
		r, found := m5.Requirements.Lookup(key)
		assert.Equal(t, want != nil, found, key)
		assert.Equal(t, want, r.Values(), key)
	}
	assert.Equal(t, 0.0288, m5.Cheapest(nil).Price)

	gpu, ok := c.Lookup("n1-standard-4")
	require.True(t, ok)
	assert.EqualValues(t, 1, gpu.Capacity.Get("nvidia.com/gpu"))
	assert.EqualValues(t, 32, gpu.Capacity.Get(corev1.ResourcePods))
	assert.Equal(t, []string{"4"}, gpu.Requirements.Get(LabelKWOKSize).Values())
	assert.Equal(t, []string{"n1"}, gpu.Requirements.Get(LabelKWOKFamily).Values())
	require.Len(t, gpu.Offerings, 2)
	assert.False(t, gpu.Offerings[0].Available)
	assert.Equal(t, 3, gpu.Offerings[1].ReservationCapacity)

	old, ok := c.Lookup("g5.4xlarge") // the short form of offerings
	require.True(t, ok)
	assert.Equal(t, "us-east-1c", old.Cheapest(nil).Zone())

	assert.Equal(t, "kwok", c.Info().Provider)
	assert.True(t, c.WellKnown(LabelKWOKFamily))
	assert.True(t, c.WellKnown("karpenter.sh/reservation-id"), "keys of offerings are well known")
	assert.False(t, c.WellKnown("example.com/team"))
}

// TestReadKWOKUpstream reads the files that come with Karpenter, where its
// module is at hand.
func TestReadKWOKUpstream(t *testing.T) {
	modules := os.Getenv("GOMODCACHE")
	if home, err := os.UserHomeDir(); err == nil && modules == "" {
		modules = filepath.Join(home, "go", "pkg", "mod")
	}
	dir := filepath.Join(modules, "sigs.k8s.io", "karpenter@v1.14.1", "kwok")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the Karpenter module v1.14.1 is not in the module cache")
	}
	for file, want := range map[string]int{
		"cloudprovider/instance_types.json": 144,
		"examples/aws_instance_types.json":  853, // 1,724 entries
		"examples/instance_types.json":      1,
	} {
		f, err := os.Open(filepath.Join(dir, file))
		require.NoError(t, err)
		defer f.Close()
		c, err := ReadKWOK(f)
		require.NoError(t, err, file)
		assert.Len(t, c.Types(), want, file)
	}
}

// entry is a valid file of one type, in which a test breaks one thing.
const entry = `[{"name": "m5.large", "architecture": "amd64", "operatingSystems": ["linux"],
  "resources": {"cpu": "2", "memory": "8Gi"},
  "offerings": [{"Price": 0.096, "Requirements": [
    {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2a"]}]}]}]`

func TestReadKWOKRejects(t *testing.T) {
	_, err := ReadKWOK(strings.NewReader(entry))
	require.NoError(t, err, "the entry as it is")

	second := strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]")
	for name, test := range map[string]struct {
		old, new string // "" as old: new is the whole file
		want     string
		is       error
	}{
		"empty file":           {new: "", want: "the file is empty"},
		"no array":             {new: `{"name": 1}`, want: "must be a JSON array"},
		"empty array":          {new: "[]", want: "holds no instance type"},
		"truncated":            {new: entry[:200], want: "[0]: unexpected EOF"},
		"no end":               {new: entry[:len(entry)-1], want: "unexpected EOF"},
		"more behind":          {new: entry + "{}", want: "more after the array"},
		"deep nesting":         {new: strings.Repeat("[", 20_000), want: "exceeded max depth"},
		"no object":            {new: `["m5.large"]`, want: "[0]: json: cannot unmarshal string"},
		"unknown field":        {old: `"resources"`, new: `"resource"`, want: `[0]: json: unknown field "resource"`},
		"no name":              {old: `"m5.large"`, new: `""`, want: "[0].name: it is empty"},
		"no architecture":      {old: `"amd64"`, new: `""`, want: `[0] "m5.large": architecture: it is empty`},
		"no operating system":  {old: `["linux"]`, new: `[]`, want: "operatingSystems: there is none"},
		"no cpu":               {old: `"cpu": "2", `, want: "resources[cpu]: it is missing"},
		"bad cpu":              {old: `"2"`, new: `"2x"`, want: `resources[cpu]: "2x" is no quantity`},
		"negative memory":      {old: `"8Gi"`, new: `"-1Gi"`, want: "memory", is: resources.ErrNegative},
		"too much memory":      {old: `"8Gi"`, new: `1e30`, want: "memory", is: resources.ErrTooLarge},
		"absurd exponent":      {old: `"8Gi"`, new: `"1e999999999"`, want: "resources[memory]", is: resources.ErrTooLarge},
		"absurd length":        {old: `"8Gi"`, new: `"` + strings.Repeat("9", 1000) + `"`, want: "quantity of 1000 characters"},
		"memory of null":       {old: `"8Gi"`, new: `null`, want: "resources[memory]"},
		"no offering":          {old: `"offerings": [`, new: `"offerings": null, "name": "m5.large", "x": [`, want: `unknown field "x"`},
		"price missing":        {old: `"Price": 0.096, `, want: "offerings[0].price: it is missing"},
		"price of text":        {old: `0.096`, new: `"NaN"`, want: `offerings[0].price: "NaN" is no number`},
		"negative price":       {old: `0.096`, new: `-1`, want: "offerings[0].price", is: ErrPrice},
		"infinite price":       {old: `0.096`, new: `1e999`, want: "offerings[0].price", is: ErrPrice},
		"absurd price":         {old: `0.096`, new: `1e6`, want: "offerings[0].price", is: ErrPrice},
		"bad operator":         {old: `"In"`, new: `"Is"`, want: "offerings[0].requirements[0]", is: requirements.ErrOperator},
		"no zone":              {old: `"topology.kubernetes.io/zone"`, new: `"zone"`, want: "must be In one zone"},
		"two zones":            {old: `["us-west-2a"]`, new: `["us-west-2a", "us-west-2b"]`, want: "must be In one zone"},
		"no capacity type":     {old: `"karpenter.sh/capacity-type"`, new: `"type"`, want: "must be In one capacity type"},
		"unknown capacity":     {old: `["on-demand"]`, new: `["ondemand"]`, want: `unknown capacity type "ondemand"`},
		"capacity override":    {old: `"Price"`, new: `"CapacityOverride": {"cpu": "1"}, "Price"`, want: "offerings[0].capacityOverride"},
		"negative reservation": {old: `"Price"`, new: `"ReservationCapacity": -1, "Price"`, want: "offerings[0].reservationCapacity"},
		"resources differ":     {old: `}]}]}]`, new: `}]}]},` + strings.Replace(second, "8Gi", "9Gi", 1) + `]`, want: "[1] \"m5.large\": the name is there twice, with different resources"},
		"offerings differ":     {old: `}]}]}]`, new: `}]}]},` + strings.Replace(second, "0.096", "0.1", 1) + `]`, want: "twice, with different offerings"},
	} {
		t.Run(name, func(t *testing.T) {
			text := test.new
			if test.old != "" {
				require.Contains(t, entry, test.old)
				text = strings.Replace(entry, test.old, test.new, 1)
			}
			_, err := ReadKWOK(strings.NewReader(text))
			require.ErrorContains(t, err, test.want)
			if test.is != nil {
				assert.ErrorIs(t, err, test.is)
			}
		})
	}
}

func TestReadKWOKBoundsVariants(t *testing.T) {
	var entries []string
	for i := range maxKWOKVariants + 1 {
		one := strings.Replace(entry, `"amd64"`, fmt.Sprintf(`"arch-%d"`, i), 1)
		entries = append(entries, strings.TrimSuffix(strings.TrimPrefix(one, "["), "]"))
	}
	_, err := ReadKWOK(strings.NewReader("[" + strings.Join(entries, ",") + "]"))
	assert.ErrorContains(t, err, "stands for more than 16 values of kubernetes.io/arch")
}

func TestReadKWOKTellsEveryProblem(t *testing.T) {
	text := strings.NewReplacer(`"amd64"`, `""`, "0.096", "-3", `"2"`, `"x"`, "8Gi", "-8Gi").Replace(entry)
	_, err := ReadKWOK(strings.NewReader(text))
	require.Error(t, err)
	lines := strings.Split(strings.TrimPrefix(err.Error(), "instance types: "), "\n")
	for i, want := range []string{"architecture: ", "resources[cpu]: ", "resources: memory ", "offerings[0].price: "} {
		require.Greater(t, len(lines), i, lines)
		assert.True(t, strings.HasPrefix(lines[i], `[0] "m5.large": `+want), lines[i])
	}

	bad := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	_, err = ReadKWOK(strings.NewReader("[" + strings.Repeat(bad+",", 999) + bad + "]"))
	require.Error(t, err)
	assert.Equal(t, maxKWOKErrors+1, len(strings.Split(err.Error(), "\n")))
	assert.ErrorContains(t, err, "and 3900 more")
}

func TestReadKWOKRejectsEqualOfferings(t *testing.T) {
	offering := entry[strings.Index(entry, `{"Price"`):strings.LastIndex(entry, "]}]")]
	_, err := ReadKWOK(strings.NewReader(strings.Replace(entry, offering, offering+","+offering, 1)))
	assert.ErrorContains(t, err, "offerings[1]: its requirements are those of offerings[0]")
}

// FuzzReadKWOK checks that whatever is read makes a catalog on whose promises
// the engines rely.
func FuzzReadKWOK(f *testing.F) {
	f.Add(readFixture(f, "kwok.json"))
	f.Add(entry)
	f.Add(entry[:150])
	f.Add(`[{"name":"a","resources":{"cpu":1e30}}]`)
	f.Add(`[{"name":"é","architecture":"x86_64","operatingSystems":["linux","linux"],"resources":{"cpu":1,"memory":"0"},` +
		`"offerings":[{"zone":"a","capacityType":"spot","price":0}]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadKWOK(strings.NewReader(text))
		if err != nil {
			if c != nil || err.Error() == "" {
				t.Fatalf("error %q with catalog %v", err, c)
			}
			return
		}
		for _, it := range c.Types() {
			for _, a := range it.Capacity {
				if a.Value < 0 || a.Value > resources.Max {
					t.Fatalf("%s: %s %d", it.Name, a.Name, a.Value)
				}
			}
			for i := range it.Offerings {
				o := &it.Offerings[i]
				if CheckPrice(o.Price) != nil || o.Zone() == "" || o.CapacityType() == "" {
					t.Fatalf("%s: offering %d: %+v", it.Name, i, o)
				}
				if it.Requirements.Intersects(o.Requirements) != nil {
					t.Fatalf("%s: offering %d is outside its type", it.Name, i)
				}
			}
			for i := 1; i < len(it.Requirements); i++ {
				if it.Requirements[i-1].Key() >= it.Requirements[i].Key() {
					t.Fatalf("%s: requirements out of order: %v", it.Name, it.Requirements)
				}
			}
		}
	})
}
