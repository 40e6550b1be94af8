package scenarios

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/packing/requirements"
)

// has tells for each share whether a pod counts for it.
var has = map[string]func(*corev1.Pod) bool{
	"ZonalSpread":    func(p *corev1.Pod) bool { return spreads(p, corev1.LabelTopologyZone) },
	"HostnameSpread": func(p *corev1.Pod) bool { return spreads(p, corev1.LabelHostname) },
	"ZonalAffinity": func(p *corev1.Pod) bool {
		a := p.Spec.Affinity
		return a != nil && a.PodAffinity != nil && a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].TopologyKey == corev1.LabelTopologyZone
	},
	"HostnameAntiAffinity": func(p *corev1.Pod) bool {
		a := p.Spec.Affinity
		return a != nil && a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) == 1
	},
	"NodeSelector": func(p *corev1.Pod) bool { return p.Spec.NodeSelector[corev1.LabelArchStable] != "" },
	"Tolerations":  func(p *corev1.Pod) bool { return len(p.Spec.Tolerations) == 1 },
	"Preferences": func(p *corev1.Pod) bool {
		a := p.Spec.Affinity
		return a != nil && a.NodeAffinity != nil && len(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 2
	},
	"HostPorts": func(p *corev1.Pod) bool { return len(p.Spec.Containers[0].Ports) == 1 },
	"Spot": func(p *corev1.Pod) bool {
		return p.Spec.NodeSelector[requirements.LabelCapacityType] == requirements.CapacityTypeSpot
	},
}

func spreads(p *corev1.Pod, key string) bool {
	return len(p.Spec.TopologySpreadConstraints) == 1 && p.Spec.TopologySpreadConstraints[0].TopologyKey == key
}

// anyWorkload draws a valid workload.
func anyWorkload(t *rapid.T) Workload {
	share := func(label string, most float64) float64 {
		if rapid.Bool().Draw(t, label+" at all") {
			return rapid.Float64Range(0, most).Draw(t, label)
		}
		return 0
	}
	w := Workload{
		Seed:           rapid.Uint64().Draw(t, "seed"),
		Pods:           rapid.IntRange(0, 400).Draw(t, "pods"),
		SizeSkew:       rapid.SampledFrom([]float64{0, 0.5, 1, 2}).Draw(t, "skew"),
		RequestsPerPod: rapid.Bool().Draw(t, "requests per pod"),
		CPU:            Choices("100m", "1"),
		Memory:         LogNormal("512Mi", 1, "64Mi", "4Gi"),
		Shares: Shares{
			ZonalSpread: share("zonal spread", 0.25), HostnameSpread: share("hostname spread", 0.25),
			ZonalAffinity: share("zonal affinity", 0.25), HostnameAntiAffinity: share("anti-affinity", 0.25),
			NodeSelector: share("node selector", 1), Tolerations: share("tolerations", 1), Preferences: share("preferences", 1),
			HostPorts: share("host ports", 1), Spot: share("spot", 1),
		},
	}
	if kinds := len(w.kinds()); w.Pods > kinds {
		w.Deployments = rapid.IntRange(kinds, w.Pods).Draw(t, "deployments")
	}
	return w
}

func TestGenerateHonoursCountsAndShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorkload(t)
		pods, err := Generate(w)
		require.NoError(t, err)
		require.Len(t, pods, w.Pods)

		uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
		names, uids, sizes := map[string]bool{}, map[string]bool{}, map[string]int{}
		for _, p := range pods {
			require.Regexp(t, uuid, string(p.UID))
			names[p.Name], uids[string(p.UID)] = true, true
			sizes[p.Labels[labelApp]]++
		}
		require.Len(t, names, w.Pods, "names are distinct")
		require.Len(t, uids, w.Pods, "UIDs are distinct")
		largest := 0
		for _, n := range sizes {
			largest = max(largest, n)
		}
		if w.Deployments > 0 {
			require.Len(t, sizes, w.Deployments)
		}
		for i, s := range w.Shares.named() {
			count := 0
			for _, p := range pods {
				if has[s.field](p) {
					count++
				}
			}
			tolerance := 1.0 // whole pods
			if i >= 4 {
				tolerance = float64(largest)/2 + 1e-6 // whole Deployments
			}
			require.InDelta(t, s.share*float64(w.Pods), float64(count), tolerance, "%s of %d pods", s.field, w.Pods)
		}
	})
}

func TestGenerateIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorkload(t)
		require.Equal(t, podBytes(t, w), podBytes(t, w), "the same workload gives the same bytes")
	})
	one, other := podBytes(t, Diverse(1, 500)), podBytes(t, Diverse(2, 500))
	require.NotEqual(t, one, other, "another seed gives other pods")
}

// podBytes is what the pods of a workload are as JSON.
func podBytes(t interface {
	require.TestingT
	Helper()
}, w Workload) string {
	t.Helper()
	pods, err := Generate(w)
	require.NoError(t, err)
	b, err := json.Marshal(pods)
	require.NoError(t, err)
	return string(b)
}

func TestChangingOneShareMovesNoOther(t *testing.T) {
	w := Workload{Seed: 3, Pods: 1000, Deployments: 40, Shares: Shares{Spot: 0.3, HostPorts: 0.5}}
	spot := func(w Workload) (names []string) {
		pods, err := Generate(w)
		require.NoError(t, err)
		for _, p := range pods {
			if has["Spot"](p) {
				names = append(names, p.Name)
			}
		}
		return names
	}
	before := spot(w)
	w.Shares.HostPorts, w.Shares.Tolerations = 0.1, 0.7
	require.Equal(t, before, spot(w))
	require.Len(t, before, 300)
}

func TestPresets(t *testing.T) {
	counts := func(w Workload) map[string]int {
		pods, err := Generate(w)
		require.NoError(t, err)
		got := map[string]int{}
		for _, p := range pods {
			for name, f := range has {
				if f(p) {
					got[name]++
				}
			}
		}
		return got
	}
	require.Equal(t, map[string]int{"ZonalSpread": 1000, "HostnameSpread": 1000, "ZonalAffinity": 1000, "HostnameAntiAffinity": 1000}, counts(Diverse(42, 5000)))
	require.Equal(t, map[string]int{"Preferences": 4000}, counts(Preferences(42, 4000)))
	require.Empty(t, counts(Plain(42, 4000)))

	for _, pods := range []int{0, 1, 2, 3, 4, 5, 6, 34, 35, 36, 51} {
		for name, w := range map[string]Workload{"plain": Plain(1, pods), "diverse": Diverse(1, pods), "preferences": Preferences(1, pods)} {
			got, err := Generate(w)
			require.NoError(t, err, "%s, %d pods", name, pods)
			require.Len(t, got, pods, name)
		}
	}
}

// The pods that repel each other are those of one group, not of one Deployment.
func TestDiverseHasOneAntiAffinityGroup(t *testing.T) {
	pods, err := Generate(Diverse(42, 700))
	require.NoError(t, err)
	selectors, deployments := map[string]bool{}, map[string]bool{}
	for _, p := range pods {
		if !has["HostnameAntiAffinity"](p) {
			require.NotContains(t, p.Labels, labelApart)
			continue
		}
		term := p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0]
		selectors[fmt.Sprint(term.LabelSelector.MatchLabels)] = true
		require.Equal(t, "true", p.Labels[labelApart])
		deployments[p.Labels[labelApp]] = true
	}
	require.Len(t, selectors, 1)
	require.Len(t, deployments, 7)
}

func TestRequestsFollowTheDistribution(t *testing.T) {
	pods, err := Generate(Workload{
		Seed: 7, Pods: 20000, Deployments: 10, RequestsPerPod: true,
		CPU: LogNormal("250m", 0.8, "20m", "4"), Memory: Choices("256Mi", "1Gi"),
	})
	require.NoError(t, err)
	var cpu []float64
	small := 0
	for _, p := range pods {
		requests := p.Spec.Containers[0].Resources.Requests
		cpu = append(cpu, float64(requests.Cpu().MilliValue()))
		if requests.Memory().Cmp(resource.MustParse("256Mi")) == 0 {
			small++
		}
	}
	slices.Sort(cpu)
	require.InDelta(t, 250, cpu[len(cpu)/2], 15, "median")
	// One standard deviation below and above the median lie 15.9% and 84.1%.
	require.InDelta(t, 250*math.Exp(-0.8), cpu[len(cpu)*159/1000], 8)
	require.InDelta(t, 250*math.Exp(0.8), cpu[len(cpu)*841/1000], 40)
	require.GreaterOrEqual(t, cpu[0], 20.0)
	require.LessOrEqual(t, cpu[len(cpu)-1], 4000.0)
	require.InDelta(t, 10000, small, 300)
}

func TestPodsOfADeploymentShareTheirTemplate(t *testing.T) {
	pods, err := Generate(Workload{Seed: 1, Pods: 4, Deployments: 2, CPU: Choices("1"), Shares: Shares{ZonalSpread: 0.5}})
	require.NoError(t, err)
	require.Same(t, &pods[2].Spec.Containers[0], &pods[3].Spec.Containers[0])
	require.Equal(t, "zonal-spread-1-0", pods[2].Name)
	require.NotEqual(t, pods[0].OwnerReferences[0].UID, pods[2].OwnerReferences[0].UID)
	require.Equal(t, pods[2].OwnerReferences[0].UID, pods[3].OwnerReferences[0].UID)
	changed := pods[2].DeepCopy()
	changed.Labels[labelApp] = "other"
	require.Equal(t, "zonal-spread-1", pods[3].Labels[labelApp], "a deep copy shares nothing")
}

func TestGenerateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		w    Workload
		want []string
	}{
		"negative pods":              {Workload{Pods: -1}, []string{"Pods: -1 is not between 0 and 10000000"}},
		"too many pods":              {Workload{Pods: MaxGeneratedPods + 1}, []string{"Pods: 10000001"}},
		"more deployments than pods": {Workload{Pods: 3, Deployments: 4}, []string{"Deployments: 4 are more than the 3 pods"}},
		"negative deployments":       {Workload{Pods: 3, Deployments: -4}, []string{"Deployments: -4 is negative"}},
		"too few deployments": {
			Workload{Pods: 10, Deployments: 1, Shares: Shares{ZonalSpread: 0.5}},
			[]string{"Deployments: 1 are too few: the shares ask for 2 kinds"},
		},
		"shares": {
			Workload{Pods: 10, Shares: Shares{Spot: math.NaN(), HostPorts: -0.1, ZonalSpread: 1.5}},
			[]string{"Shares.Spot: NaN", "Shares.HostPorts: -0.1", "Shares.ZonalSpread: 1.5 is not between 0 and 1"},
		},
		"shares together": {
			Workload{Pods: 10, Shares: Shares{ZonalSpread: 0.6, ZonalAffinity: 0.6}},
			[]string{"exclude each other and are 1.2 together"},
		},
		"skew": {Workload{Pods: 1, SizeSkew: math.Inf(1)}, []string{"SizeSkew: +Inf"}},
		"amounts": {
			Workload{Pods: 1, CPU: Choices("2x", "-1"), Memory: LogNormal("1Gi", 1, "2Gi", "4Gi")},
			[]string{`CPU: amount "2x"`, `amount "-1" is not above zero`, "Memory: median 1Gi is not between 2Gi and 4Gi"},
		},
		"no choice":      {Workload{Pods: 1, CPU: Choices()}, []string{"CPU: no amounts to choose from"}},
		"negative sigma": {Workload{Pods: 1, CPU: LogNormal("1", -1, "1", "2")}, []string{"CPU: sigma -1"}},
	} {
		t.Run(name, func(t *testing.T) {
			pods, err := Generate(c.w)
			require.ErrorIs(t, err, ErrWorkload)
			require.Nil(t, pods)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.Equal(t, len(c.want), strings.Count(err.Error(), ErrWorkload.Error())+strings.Count(err.Error(), "\namount"))
		})
	}
}

func TestApportion(t *testing.T) {
	for _, c := range []struct {
		total   int
		weights []float64
		want    []int
	}{
		{7, []float64{0.2, 0.2, 0.2, 0.2, 0.2}, []int{2, 2, 1, 1, 1}}, // 1.4 each; two left for the first of equals
		{10, []float64{0.25, 0.5, 0.25}, []int{3, 5, 2}},              // 2.5, 5, 2.5
		{100, []float64{1, 0, 2}, []int{33, 0, 67}},                   // 33.3, 66.7
		{3, []float64{0, 0}, []int{0, 0}},
		{0, []float64{1, 1}, []int{0, 0}},
		{1000, []float64{0.1, 0.7, 0.2}, []int{100, 700, 200}},
	} {
		require.Equal(t, c.want, apportion(c.total, c.weights), "%d by %v", c.total, c.weights)
	}
}

func ExampleGenerate() {
	pods, err := Generate(Workload{
		Seed: 1, Pods: 1000, Deployments: 20, SizeSkew: 1,
		CPU: LogNormal("200m", 1, "20m", "4"), Memory: Choices("256Mi", "512Mi", "2Gi"),
		Shares: Shares{ZonalSpread: 0.3, HostnameAntiAffinity: 0.1, Spot: 0.4},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	spread := 0
	for _, p := range pods {
		spread += len(p.Spec.TopologySpreadConstraints)
	}
	fmt.Println(len(pods), "pods,", spread, "of them spread over zones")
	// Output: 1000 pods, 300 of them spread over zones
}

func BenchmarkGenerate(b *testing.B) {
	for _, pods := range []int{10_000, 1_000_000} {
		for _, mix := range []struct {
			name   string
			preset func(uint64, int) Workload
		}{{"plain", Plain}, {"diverse", Diverse}, {"preferences", Preferences}} {
			b.Run(fmt.Sprintf("mix=%s/pods=%d", mix.name, pods), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Generate(mix.preset(1, pods)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(pods)*float64(b.N)/b.Elapsed().Seconds(), "pods/s")
			})
		}
	}
}

func TestGenerateScenario(t *testing.T) {
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		s, err := GenerateScenario(Workload{Seed: 5, Pods: 300, Shares: Shares{Preferences: 1, Tolerations: 0.5}}, WithRegion(region))
		require.NoError(t, err)
		require.Empty(t, s.Warnings)
		require.Equal(t, "Generated: 300 pods of 3 Deployments, seed 5", s.Description)
		require.Len(t, s.Snapshot.Pods, 300)
		require.Len(t, s.NodePools, 2)
		require.Len(t, s.NodeGroups, 18)
		preferred := s.Snapshot.Pods[0].Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0]
		require.Equal(t, []string{region + "a"}, preferred.Preference.MatchExpressions[0].Values)
	}
	_, err := GenerateScenario(Plain(1, 100), WithMaxPods(99))
	require.ErrorIs(t, err, ErrWorkload)
	_, err = GenerateScenario(Workload{Pods: -1})
	require.ErrorIs(t, err, ErrWorkload)
}
