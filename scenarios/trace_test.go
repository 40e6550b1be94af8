package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
)

// TestReadTrace prints what each trace became.
func TestReadTrace(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []scenarios.Option
	}{
		{"whole", nil},
		{"sliced", []scenarios.Option{scenarios.WithGPUSlices(10), scenarios.WithAnyGPU(), scenarios.WithoutTraceOwners()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := scenarios.Load("testdata/traces/small.csv", c.opts...)
			require.NoError(t, err)
			var b strings.Builder
			for i, l := range s.Timeline {
				ran, known := l.Ran()
				require.Contains(t, s.Snapshot.Pods, l.Pod)
				fmt.Fprintf(&b, "%d created %v scheduled %v deleted %v ran %v %v\n  %s\n", i, l.Created, l.Scheduled, l.Deleted, ran, known, printPod(l.Pod))
				if a := l.Pod.Spec.Affinity; a != nil {
					for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
						fmt.Fprintf(&b, "  on %v\n", term.MatchExpressions)
					}
				}
			}
			for _, g := range s.NodeGroups {
				fmt.Fprintf(&b, "%s %v %v\n", g.Name, gpuCount(g), g.Template.Spec.Taints)
			}
			for _, p := range s.NodePools {
				fmt.Fprintf(&b, "%s %v\n", p.Name, p.Spec.Template.Spec.Taints)
			}
			b.WriteString(strings.Join(s.Warnings, "\n") + "\n")
			golden(t, "testdata/traces/small-"+c.name+".golden", b.String())
		})
	}
}

// TestReadTraceMistakes prints the errors of faulty traces.
func TestReadTraceMistakes(t *testing.T) {
	for _, name := range []string{"mistakes", "quote", "header", "empty", "no-rows"} {
		t.Run(name, func(t *testing.T) {
			_, err := scenarios.Load("testdata/traces/" + name + ".csv")
			var load *scenarios.LoadError
			require.ErrorAs(t, err, &load)
			golden(t, "testdata/traces/"+name+".golden", err.Error()+"\n")
		})
	}
	_, err := scenarios.Load("testdata/traces/small.csv", scenarios.WithGPUSlices(0))
	require.ErrorContains(t, err, "at least one slice")
	_, err = scenarios.Load("testdata/traces/small.csv", scenarios.WithMaxPods(3))
	require.ErrorContains(t, err, "line 5: more than 3 pods")
	_, err = scenarios.Load("testdata/traces/small.csv", scenarios.WithRegion("us-esat-1"))
	require.ErrorContains(t, err, "did you mean")
}

// tracePath finds the shared trace, or skips the test.
func tracePath(tb testing.TB) string {
	tb.Helper()
	root, err := os.Getwd()
	require.NoError(tb, err)
	for dir := root; ; dir = filepath.Dir(dir) {
		file := filepath.Join(dir, "shared", "traces", "openb_pod_list_default.csv")
		if _, err := os.Stat(file); err == nil {
			return file
		}
		if dir == filepath.Dir(dir) {
			tb.Skip("no shared/traces/openb_pod_list_default.csv in any directory above")
		}
	}
}

// TestReadRecordedTrace loads the whole trace of 8,152 pods.
func TestReadRecordedTrace(t *testing.T) {
	s, err := scenarios.Load(tracePath(t))
	require.NoError(t, err)
	require.Len(t, s.Snapshot.Pods, 8152)
	require.Len(t, s.Timeline, 8152)
	gpus := int64(0)
	for _, p := range s.Snapshot.Pods {
		q := p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"]
		gpus += q.Value()
	}
	// 6,989 with one or a share of one, 16 with two, 15 with four, 44 with eight.
	require.Equal(t, int64(6989+2*16+4*15+8*44), gpus)
	for i := 1; i < len(s.Timeline); i++ {
		require.LessOrEqual(t, s.Timeline[i-1].Created, s.Timeline[i].Created)
	}
	require.Greater(t, s.Timeline[len(s.Timeline)-1].Created, 140*24*time.Hour)
	jobs := map[string]bool{}
	for _, p := range s.Snapshot.Pods {
		require.Equal(t, corev1.PodPending, p.Status.Phase)
		jobs[p.OwnerReferences[0].Name] = true
	}
	require.Len(t, jobs, 162)
}

func BenchmarkReadTrace(b *testing.B) {
	file := tracePath(b)
	text, err := os.ReadFile(file)
	require.NoError(b, err)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := scenarios.ReadTrace(strings.NewReader(string(text)), "trace")
		require.NoError(b, err)
		require.Len(b, s.Snapshot.Pods, 8152)
	}
	b.ReportMetric(8152*float64(b.N)/b.Elapsed().Seconds(), "pods/s")
}

func gpuCount(g *packing.NodeGroup) int64 {
	q := g.Template.Status.Allocatable["nvidia.com/gpu"]
	return q.Value()
}
