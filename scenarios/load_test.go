package scenarios_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/resources"
	"github.com/binwright/binwright/scenarios"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares text with a file, or writes the file under -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// inputs returns the files of a testdata directory but the golden ones.
func inputs(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*"))
	require.NoError(t, err)
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".golden") })
	require.NotEmpty(t, files)
	return files
}

// TestLoad prints what each manifest became.
func TestLoad(t *testing.T) {
	for _, file := range inputs(t, "manifests") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s, err := scenarios.Load(file)
			require.NoError(t, err)
			text := print(s)
			golden(t, file+".golden", text)

			again, err := scenarios.Load(file)
			require.NoError(t, err)
			require.Equal(t, text, print(again), "the same input gives the same scenario")
		})
	}
}

// TestLoadMistakes prints the errors of each faulty input.
func TestLoadMistakes(t *testing.T) {
	for _, file := range inputs(t, "mistakes") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			start := time.Now()
			s, err := scenarios.Load(file)
			require.Nil(t, s)
			var load *scenarios.LoadError
			require.ErrorAs(t, err, &load)
			require.NotEmpty(t, load.Problems)
			require.Less(t, time.Since(start), 10*time.Second)
			golden(t, file+".golden", err.Error()+"\n")
		})
	}
}

// print writes a scenario as a reader of the test would check it.
func print(s *scenarios.Scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s: %s\n", s.Name, s.Description)
	info := s.Catalog.Info()
	fmt.Fprintf(&b, "catalog %s %s\n", info.Provider, info.Region)
	for _, c := range s.Commitments {
		fmt.Fprintf(&b, "committed to %d %s at %v an hour\n", c.Count, c.InstanceType, c.HourlyUSD)
	}
	b.WriteString("\npods that wait\n")
	for _, p := range s.Snapshot.Pods {
		b.WriteString("  " + printPod(p) + "\n")
	}
	b.WriteString("\nnodes\n")
	for _, n := range s.Snapshot.Nodes {
		allocatable, err := resources.FromList(n.Status.Allocatable)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "  %s group=%q pool=%q price=%v ready=%v allocatable: %v\n", n.Name, n.NodeGroup, n.NodePool(), n.Price,
			n.Status.Conditions[0].Status, allocatable)
		if c := n.Claim; c != nil {
			fmt.Fprintf(&b, "    claim: consolidatable %v, initialized %v, last pod event %v, expires %v, marked %v\n", c.Consolidatable,
				c.Initialized.UTC(), c.LastPodEvent.UTC(), *c.ExpireAfter, c.MarkedForDeletion)
		}
		for _, p := range n.Pods {
			b.WriteString("    " + printPod(p) + "\n")
		}
	}
	b.WriteString("\ndaemon sets\n")
	for _, d := range s.Snapshot.DaemonSets {
		fmt.Fprintf(&b, "  %s/%s %s\n", d.Namespace, d.Name, printPod(&corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}))
	}
	b.WriteString("\nclaims\n")
	for _, c := range s.Snapshot.PersistentVolumeClaims {
		storage := c.Spec.Resources.Requests[corev1.ResourceStorage]
		fmt.Fprintf(&b, "  %s/%s class=%s %s\n", c.Namespace, c.Name, *cmp.Or(c.Spec.StorageClassName, new(string)), storage.String())
	}
	b.WriteString("\nnode pools\n")
	for _, p := range s.NodePools {
		reqs, err := p.Requirements()
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "  %s %v; %s, expires after %v, budgets %v\n", p.Name, reqs, p.Spec.Disruption.ConsolidationPolicy,
			p.Spec.Template.Spec.ExpireAfter.Duration, p.Spec.Disruption.Budgets)
	}
	b.WriteString("\nnode groups\n")
	for _, g := range s.NodeGroups {
		allocatable, err := resources.FromList(g.Template.Status.Allocatable)
		if err != nil {
			panic(err)
		}
		var types []string
		for _, t := range g.InstanceTypes {
			types = append(types, t.Name)
		}
		fmt.Fprintf(&b, "  %s %v %d..%d at %d, $%v/h, priority %d, zero or max %v, zone %s, %s, cpu %d, taints %v\n", g.Name, types, g.MinSize, g.MaxSize, g.TargetSize,
			g.Price, g.Priority, g.ZeroOrMax, g.Template.Labels[corev1.LabelTopologyZone], g.Template.Labels["karpenter.sh/capacity-type"],
			allocatable.Get(corev1.ResourceCPU), g.Template.Spec.Taints)
	}
	fmt.Fprintf(&b, "\nkarpenter %+v\n", s.Karpenter)
	fmt.Fprintf(&b, "cluster autoscaler %+v\n", s.ClusterAutoscaler)
	b.WriteString(printTimeline(s))
	b.WriteString("\nwarnings\n")
	for _, w := range s.Warnings {
		b.WriteString("  " + w + "\n")
	}
	return b.String()
}

func printPod(p *corev1.Pod) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s", p.Namespace, p.Name)
	for _, o := range p.OwnerReferences {
		fmt.Fprintf(&b, " of %s %s", o.Kind, o.Name)
	}
	requests, err := resources.PodRequests(p)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(&b, ": %v; priority %d", requests, *p.Spec.Priority)
	if len(p.Labels) > 0 {
		b.WriteString("; labels")
		for _, key := range slices.Sorted(maps.Keys(p.Labels)) {
			fmt.Fprintf(&b, " %s=%s", key, p.Labels[key])
		}
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			fmt.Fprintf(&b, "; host port %d/%s", port.HostPort, port.Protocol)
		}
	}
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			fmt.Fprintf(&b, "; claim %s", v.PersistentVolumeClaim.ClaimName)
		}
	}
	if len(p.Spec.NodeSelector) > 0 {
		fmt.Fprintf(&b, "; selector %v", p.Spec.NodeSelector)
	}
	if a := p.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		for _, term := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			fmt.Fprintf(&b, "; apart from %v %v", term.LabelSelector.MatchLabels, term.LabelSelector.MatchExpressions)
		}
	}
	return b.String()
}

// TestLoadPaths reads what a path can be other than a file.
func TestLoadPaths(t *testing.T) {
	pod := func(name string) []byte {
		return []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec: {containers: [{name: a}]}\n")
	}
	names := func(s *scenarios.Scenario) []string {
		var out []string
		for _, p := range s.Snapshot.Pods {
			out = append(out, p.Name)
		}
		return out
	}
	t.Run("directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "shop")
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "b"), 0o755))
		for file, text := range map[string][]byte{
			"z.yaml": pod("z"), "a.yml": pod("a"), "b/c.json": []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"},"spec":{"containers":[{"name":"a"}]}}`),
			"README.md": []byte("# no manifest"), ".hidden.yaml": []byte("{"),
		} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), text, 0o644))
		}
		require.NoError(t, os.Symlink("..", filepath.Join(dir, "b", "loop")))
		require.NoError(t, os.Symlink("z.yaml", filepath.Join(dir, "..", "elsewhere.yaml")))
		s, err := scenarios.Load(dir)
		require.NoError(t, err)
		require.Equal(t, "shop", s.Name)
		require.Equal(t, []string{"a", "c", "z"}, names(s))
		require.Contains(t, strings.Join(s.Warnings, "\n"), "loop: is a link to a directory and is not followed")
	})
	t.Run("a link to itself", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Symlink("self.yaml", filepath.Join(dir, "self.yaml")))
		_, err := scenarios.Load(dir)
		require.ErrorContains(t, err, "self.yaml")
		_, err = scenarios.Load(filepath.Join(dir, "self.yaml"))
		require.Error(t, err)
	})
	t.Run("a directory without manifests", func(t *testing.T) {
		_, err := scenarios.Load(t.TempDir())
		require.ErrorContains(t, err, "holds no .yaml, .yml or .json file")
	})
	t.Run("no such file", func(t *testing.T) {
		_, err := scenarios.Load(filepath.Join(t.TempDir(), "none.yaml"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		var load *scenarios.LoadError
		require.False(t, errors.As(err, &load), "it is no mistake in an input")
	})
	t.Run("standard input", func(t *testing.T) {
		s, err := scenarios.Load("-", scenarios.WithStdin(strings.NewReader(string(pod("piped")))))
		require.NoError(t, err)
		require.Equal(t, []string{"piped"}, names(s))
		require.Equal(t, "stdin", s.Name)
		_, err = scenarios.Load("-", scenarios.WithStdin(strings.NewReader("")))
		require.EqualError(t, err, "stdin: is empty: no object in it")
	})
	t.Run("UTF-16", func(t *testing.T) {
		text := []byte{0xFF, 0xFE}
		for _, b := range pod("wide") {
			text = append(text, b, 0)
		}
		s, err := scenarios.Read(strings.NewReader(string(text)), "powershell")
		require.NoError(t, err)
		require.Equal(t, []string{"wide"}, names(s))
	})
	t.Run("all mistakes of all files at once", func(t *testing.T) {
		_, err := scenarios.Load("testdata/mistakes")
		var load *scenarios.LoadError
		require.ErrorAs(t, err, &load)
		files := map[string]bool{}
		for _, p := range load.Problems {
			files[filepath.Base(p.File)] = true
		}
		require.Greater(t, len(files), 15)
		require.Greater(t, len(load.Problems), 100)
	})
	t.Run("a catalog from a file", func(t *testing.T) {
		dir := t.TempDir()
		write := func(name, text string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		}
		write("types.json", `[{"name": "own-4", "architecture": "amd64", "operatingSystems": ["linux"],
			"resources": {"cpu": "4", "memory": "16Gi"}, "offerings": [{"price": 0.2, "zone": "z1", "capacityType": "on-demand"}]}]`)
		const manifest = "apiVersion: binwright.dev/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n" +
			"  catalog: {file: types.json}\n  nodeGroups: [{name: a, instanceTypes: [own-4], zones: [z1], maxSize: 3}]\n"
		write("s.yaml", manifest)
		s, err := scenarios.Load(filepath.Join(dir, "s.yaml"))
		require.NoError(t, err)
		require.Len(t, s.Catalog.Types(), 1)
		require.Equal(t, 0.2, s.NodeGroups[0].Price)
		cpu := s.NodeGroups[0].Template.Status.Allocatable[corev1.ResourceCPU]
		require.Equal(t, int64(3900), cpu.MilliValue(), "a catalog of one's own states what nodes have for pods")
		require.Len(t, s.NodePools, 1)

		_, err = scenarios.Load(filepath.Join(dir, "s.yaml"), scenarios.WithRegion("eu-west-1"))
		require.ErrorContains(t, err, "a catalog from a file has no regions to choose from")

		for text, want := range map[string]string{
			"{file: none.json}":                     "spec.catalog.file",
			"{provider: file}":                      "spec.catalog.file: is missing",
			"{provider: gcp}":                       `"gcp" is unknown; expected aws or file`,
			"{provider: aws, file: types.json}":     "is for provider file, not aws",
			"{file: types.json, region: eu-west-1}": "region and include are for provider aws, not file",
			"{file: s.yaml}":                        "s.yaml",
		} {
			write("s.yaml", strings.ReplaceAll(manifest, "{file: types.json}", text))
			_, err = scenarios.Load(filepath.Join(dir, "s.yaml"))
			require.ErrorContains(t, err, want)
		}
	})
	t.Run("files that the manifest names", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "prices.csv"), []byte("instance_type,price\nm5.large,0.01\nx9.large,1\n"), 0o644))
		manifest := "apiVersion: binwright.dev/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n  priceBook: {file: prices.csv}\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(manifest), 0o644))
		s, err := scenarios.Load(filepath.Join(dir, "s.yaml"))
		require.NoError(t, err)
		large, ok := s.Catalog.Lookup("m5.large")
		require.True(t, ok)
		require.Equal(t, 0.01, large.Cheapest(nil).Price)
		require.Contains(t, strings.Join(s.Warnings, "\n"), "prices of types that the catalog does not have")

		require.NoError(t, os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(strings.ReplaceAll(manifest, "prices.csv", "/dev/zero")), 0o644))
		_, err = scenarios.Load(filepath.Join(dir, "s.yaml"))
		require.ErrorContains(t, err, "spec.priceBook.file: /dev/zero: is no regular file")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(strings.ReplaceAll(manifest, "prices.csv", "none.csv")), 0o644))
		_, err = scenarios.Load(filepath.Join(dir, "s.yaml"))
		require.ErrorContains(t, err, "spec.priceBook.file")
	})
}

// TestOptions checks what options change.
func TestOptions(t *testing.T) {
	read := func(text string, opts ...scenarios.Option) (*scenarios.Scenario, error) {
		return scenarios.Read(strings.NewReader(text), "input", opts...)
	}
	const zonal = `
apiVersion: binwright.dev/v1alpha1
kind: Scenario
metadata: {name: x}
spec:
  catalog: {region: us-east-1}
  nodeGroups: [{name: a, instanceTypes: [m5.large], zones: [us-east-1a, us-east-1b], maxSize: 5}]
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  nodeSelector: {topology.kubernetes.io/zone: us-east-1b, topology.kubernetes.io/region: us-east-1}
  containers: [{name: a}]
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: p}
spec: {template: {spec: {requirements: [{key: topology.kubernetes.io/zone, operator: In, values: [us-east-1a]}]}}}
`
	t.Run("region", func(t *testing.T) {
		s, err := read(zonal, scenarios.WithRegion("eu-west-1"))
		require.NoError(t, err)
		require.Equal(t, "eu-west-1", s.Catalog.Info().Region)
		require.Equal(t, "eu-west-1a", s.NodeGroups[0].Template.Labels[corev1.LabelTopologyZone])
		require.Equal(t, map[string]string{corev1.LabelTopologyZone: "eu-west-1b", corev1.LabelTopologyRegion: "eu-west-1"}, s.Snapshot.Pods[0].Spec.NodeSelector)
		require.Equal(t, []string{"eu-west-1a"}, s.NodePools[0].Spec.Template.Spec.Requirements[0].Values)

		_, err = read(zonal, scenarios.WithRegion("eu-wst-1"))
		require.ErrorContains(t, err, `did you mean "eu-west-1"?`)
	})
	t.Run("bytes", func(t *testing.T) {
		_, err := read(zonal, scenarios.WithMaxBytes(10))
		require.EqualError(t, err, "input: the input is larger than 10 bytes, the limit (option WithMaxBytes raises it)")
	})
	t.Run("pods", func(t *testing.T) {
		const two = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n---\n" +
			"apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {containers: [{name: a}]}\n"
		_, err := read(two, scenarios.WithMaxPods(2))
		require.NoError(t, err)
		_, err = read(two, scenarios.WithMaxPods(1))
		require.ErrorContains(t, err, "more than the 1 that the scenario may hold in all")

		const controller = "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: c%d}\n" +
			"spec: {replicas: 900, selector: {a: b}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a}]}}}\n---\n"
		_, err = read(fmt.Sprintf(controller, 1)+fmt.Sprintf(controller, 2), scenarios.WithMaxPods(1000))
		require.EqualError(t, err, "input: document 2: ReplicationController default/c2: spec.replicas: 900 further pods are more than the 1000 that the scenario may hold in all (option WithMaxPods)")
	})
	t.Run("without nodes", func(t *testing.T) {
		s, err := scenarios.Load("testdata/manifests/live.yaml", scenarios.WithoutNodes())
		require.NoError(t, err)
		require.Empty(t, s.Snapshot.Nodes)
		require.Len(t, s.Snapshot.DaemonSets, 1)
		var names []string
		for _, p := range s.Snapshot.Pods {
			require.Empty(t, p.Spec.NodeName)
			names = append(names, p.Name)
		}
		// Those that waited, those that were bound, and what the controllers lack; no
		// daemon pod, none that leaves.
		require.Equal(t, []string{
			"web-5d8f-aaaaa", "web-5d8f-bbbbb", "stray", "batch-1-ccccc",
			"web-5d8f-9zgb7", "web-5d8f-5hpcs", "web-5d8f-xxwdg", "batch-2-dzskp", "batch-3-8g4lc",
		}, names)
	})
	t.Run("without defaults", func(t *testing.T) {
		const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n"
		s, err := read(pod, scenarios.WithoutDefaults())
		require.NoError(t, err)
		require.Empty(t, s.NodePools)
		require.Empty(t, s.NodeGroups)
		s, err = read(pod)
		require.NoError(t, err)
		require.Len(t, s.NodePools, 1)
		require.NotEmpty(t, s.NodeGroups)
	})
	t.Run("catalog", func(t *testing.T) {
		one, err := read(zonal)
		require.NoError(t, err)
		few := one.Catalog.Filter(func(it *instancetypes.InstanceType) bool { return it.Name == "m5.large" })
		s, err := read(zonal, scenarios.WithCatalog(few))
		require.NoError(t, err)
		require.Len(t, s.Catalog.Types(), 1)
	})
	t.Run("now", func(t *testing.T) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		s, err := read(zonal, scenarios.WithNow(now))
		require.NoError(t, err)
		require.Equal(t, now, s.Snapshot.Now)
	})
}
