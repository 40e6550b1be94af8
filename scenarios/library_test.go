package scenarios

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// libraryCounts is what each embedded scenario holds.
type libraryCounts struct {
	pods, nodes, bound, daemonSets, groups, pools, claims int
}

func TestLibraryHoldsWhatItSays(t *testing.T) {
	want := map[string]libraryCounts{
		"batch-burst":   {pods: 6000, daemonSets: 4, groups: 4, pools: 2},
		"dev-cluster":   {pods: 612, daemonSets: 4, groups: 4, pools: 1},
		"gpu":           {pods: 108, daemonSets: 5, groups: 8, pools: 5},
		"half-full":     {pods: 198, nodes: 12, bound: 149, daemonSets: 4, groups: 6, pools: 1},
		"mixed-arch":    {pods: 162, nodes: 6, bound: 29, daemonSets: 4, groups: 17, pools: 4},
		"stateful-data": {pods: 68, daemonSets: 4, groups: 15, pools: 3, claims: 33},
		"web-fleet":     {pods: 335, nodes: 3, bound: 18, daemonSets: 4, groups: 13, pools: 2},
	}
	require.Len(t, Names(), len(want))
	for _, name := range Names() {
		s, err := Named(name)
		require.NoError(t, err)
		got := libraryCounts{
			pods: len(s.Snapshot.Pods), nodes: len(s.Snapshot.Nodes), daemonSets: len(s.Snapshot.DaemonSets),
			groups: len(s.NodeGroups), pools: len(s.NodePools), claims: len(s.Snapshot.PersistentVolumeClaims),
		}
		for _, n := range s.Snapshot.Nodes {
			got.bound += len(n.Pods)
		}
		require.Equal(t, want[name], got, name)
		require.Empty(t, s.Warnings, name)
		require.Equal(t, name, s.Name)
		require.NotEmpty(t, s.Description)
		require.LessOrEqual(t, len(s.Description), 100, name)
		require.NotContains(t, s.Description, "\n", name)
		require.Equal(t, "us-east-1", s.Catalog.Info().Region, name)
	}
}

// What node groups and node pools name is in the catalog: a typing error would
// otherwise only show as a pool that launches nothing.
func TestLibraryNamesWhatTheCatalogHas(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			s, err := Named(name)
			require.NoError(t, err)
			for _, g := range s.NodeGroups {
				zone, capacityType := g.Template.Labels[corev1.LabelTopologyZone], g.Template.Labels[requirements.LabelCapacityType]
				for _, it := range g.InstanceTypes {
					at := requirements.FromLabels(map[string]string{corev1.LabelTopologyZone: zone, requirements.LabelCapacityType: capacityType})
					require.NotNil(t, it.Cheapest(at), "%s: %s in %s as %s", g.Name, it.Name, zone, capacityType)
				}
				require.Positive(t, g.Price, g.Name)
			}
			zones := s.Catalog.Zones()
			for _, p := range s.NodePools {
				reqs, err := p.Requirements()
				require.NoError(t, err)
				require.NotEmpty(t, s.Catalog.Compatible(reqs).Types(), p.Name)
				for _, e := range p.Spec.Template.Spec.Requirements {
					for _, v := range e.Values {
						switch e.Key {
						case corev1.LabelTopologyZone:
							require.Contains(t, zones, v, p.Name)
						case corev1.LabelInstanceTypeStable:
							_, ok := s.Catalog.Lookup(v)
							require.True(t, ok, "%s: %s", p.Name, v)
						}
					}
				}
				require.NotEmpty(t, p.Spec.Limits, "%s: a sensible pool has limits", p.Name)
			}
			for _, n := range s.Snapshot.Nodes {
				require.NotEmpty(t, n.NodeGroup, n.Name)
				require.True(t, slices.ContainsFunc(s.NodeGroups, func(g *packing.NodeGroup) bool { return g.Name == n.NodeGroup }), n.NodeGroup)
				it, ok := s.Catalog.Lookup(n.Labels[corev1.LabelInstanceTypeStable])
				require.True(t, ok, n.Name)
				require.Equal(t, it.Allocatable().Get(corev1.ResourceCPU), n.Status.Allocatable.Cpu().MilliValue(), n.Name)
				require.Equal(t, it.Allocatable().Get(corev1.ResourceMemory), n.Status.Allocatable.Memory().Value(), n.Name)
				require.Equal(t, it.Allocatable().Get(corev1.ResourcePods), n.Status.Allocatable.Pods().Value(), n.Name)
			}
		})
	}
}

func TestNamedSuggests(t *testing.T) {
	_, err := Named("web-flet")
	require.ErrorIs(t, err, ErrUnknownScenario)
	require.ErrorContains(t, err, `"web-flet" (did you mean "web-fleet"?)`)
	require.ErrorContains(t, err, "batch-burst, dev-cluster")
	_, err = Manifests("../library")
	require.ErrorIs(t, err, ErrUnknownScenario)
}

// Every scenario that has its types there can be moved, and then names the old
// region nowhere.
func TestLibraryMovesToOtherRegions(t *testing.T) {
	for _, name := range Names() {
		home, err := Named(name)
		require.NoError(t, err)
		for _, region := range []string{"us-west-2", "eu-central-1", "ap-south-1"} {
			s, err := Named(name, WithRegion(region))
			require.NoError(t, err)
			require.Equal(t, region, s.Catalog.Info().Region)
			require.Len(t, s.Snapshot.Pods, len(home.Snapshot.Pods))
			require.NotEmpty(t, s.NodeGroups)
			named := []any{s.Snapshot, s.NodePools}
			for _, g := range s.NodeGroups {
				named = append(named, g.Name, g.Template)
			}
			text, err := json.Marshal(named)
			require.NoError(t, err)
			require.False(t, strings.Contains(string(text), "us-east-1"), "%s in %s still names us-east-1", name, region)
		}
	}
}

// A region that lacks types leaves groups smaller or leaves them out, and says so.
func TestMovedGroupsKeepWhatTheRegionOffers(t *testing.T) {
	s, err := Named("gpu", WithRegion("eu-west-1"))
	require.NoError(t, err)
	groups := map[string][]string{}
	for _, g := range s.NodeGroups {
		for _, it := range g.InstanceTypes {
			groups[g.Name] = append(groups[g.Name], it.Name)
		}
	}
	require.Equal(t, map[string][]string{
		"gpu-1": {"g5.xlarge"}, "gpu-4": {"g5.12xlarge"}, "gpu-tuning-spot": {"g5.2xlarge"}, "gpu-8-training": {"p4d.24xlarge"},
		"general": {"m6i.2xlarge", "m5.2xlarge"}, "compute": {"c6i.2xlarge", "c5.2xlarge"},
	}, groups)
	warnings := strings.Join(s.Warnings, "\n")
	require.Contains(t, warnings, `node group "gpu-1-l4" is left out: eu-west-1 does not offer g6.xlarge as on-demand`)
	require.Contains(t, warnings, `node group "gpu-tuning-spot" is left with g5.2xlarge in eu-west-1a, eu-west-1b, eu-west-1c`)
	require.Contains(t, warnings, `no instance type of the catalog has karpenter.k8s.aws/instance-family "g6"`)
	require.Len(t, s.Warnings, 4)

	// A region of two zones: the third becomes the first again.
	s, err = Named("web-fleet", WithRegion("us-west-1"))
	require.NoError(t, err)
	require.Contains(t, strings.Join(s.Warnings, "\n"), "us-west-1 has 2 zones: us-east-1a and us-east-1c become us-west-1a")
	require.Len(t, s.NodeGroups, 9)

	// What no region has is a mistake wherever the scenario is.
	text, err := Manifests("batch-burst")
	require.NoError(t, err)
	broken := strings.Replace(string(text), "c6a.8xlarge", "c6a.80xlarge", 1)
	for _, region := range []string{"us-east-1", "us-west-2"} {
		_, err = Read(strings.NewReader(broken), "broken", WithRegion(region))
		require.ErrorContains(t, err, `instance type "c6a.80xlarge" is not in the catalog`)
	}
}
