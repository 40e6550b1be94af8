package replay

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func docsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "replay.md"))
	require.NoError(t, err)
	return string(page)
}

// TestDocumentedLatencies: the table of docs/replay.md holds the defaults.
func TestDocumentedLatencies(t *testing.T) {
	page, l := docsPage(t), DefaultLatencies("aws")
	for step, x := range map[string]Latency{
		"request to running instance, Karpenter": l.Launch, "the same in a node group": l.GroupLaunch,
		"running instance to joined node": l.Boot, "joined to ready": l.Ready, "told to end to gone": l.Terminate,
		"bound pod to running": l.PodStart, "pod told to stop to gone": l.PodStop,
	} {
		row := fmt.Sprintf("| %s | %v | %g |", step, x.Median, x.Sigma)
		if x.Max > 0 {
			row += fmt.Sprintf(" %v |", x.Max)
		}
		require.Contains(t, page, row)
	}
}

// TestDocumentedDecisionTimes: the fit is as far from the measurements as docs/replay.md says.
func TestDocumentedDecisionTimes(t *testing.T) {
	fit := OriginalTime{}
	for _, row := range []struct {
		name string
		took time.Duration
	}{
		{"| Karpenter, 1,000 pods, 200 nodes |", fit.Karpenter(Work{Pods: 1000, Nodes: 200})},
		{"| 5,000 pods, 1,000 nodes |", fit.Karpenter(Work{Pods: 5000, Nodes: 1000})},
		{"| 10,000 pods, 2,000 nodes |", fit.Karpenter(Work{Pods: 10_000, Nodes: 2000})},
		{"| one simulation, 1,000 nodes with 30,000 pods |", fit.Karpenter(Work{Pods: 30, Nodes: 1000, Bound: 30_000, Simulations: 1})},
		{"| Cluster Autoscaler, 20 groups, 5,000 pods, limit raised |", fit.ClusterAutoscaler(Work{Pods: 5000, Groups: 20})},
		{"| 20,000 pods | 60 s |", fit.ClusterAutoscaler(Work{Pods: 20_000, Groups: 20})},
		{"| 50,000 pods | 295 s |", fit.ClusterAutoscaler(Work{Pods: 50_000, Groups: 20})},
		{"| 5,000 pods, default limit |", fit.ClusterAutoscaler(Work{Pods: 5000, Groups: 20, NodeLimit: 1000})},
		{"| 20,000 pods | 6.5 s |", fit.ClusterAutoscaler(Work{Pods: 20_000, Groups: 20, NodeLimit: 1000})},
		{"| 50,000 pods | 6.8 s |", fit.ClusterAutoscaler(Work{Pods: 50_000, Groups: 20, NodeLimit: 1000})},
	} {
		line := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(row.name) + ".*$").FindString(docsPage(t))
		require.NotEmpty(t, line, row.name)
		var seconds, off float64
		cells := strings.Split(strings.Trim(line, "| "), "|")
		_, err := fmt.Sscanf(strings.TrimSpace(cells[2]), "%g s", &seconds)
		require.NoError(t, err, line)
		require.InDelta(t, row.took.Seconds(), seconds, 0.01*seconds, line)
		var measured float64
		_, err = fmt.Sscanf(strings.TrimSpace(cells[1]), "%g s", &measured)
		require.NoError(t, err, line)
		_, err = fmt.Sscanf(strings.TrimSpace(cells[3]), "%g%%", &off)
		require.NoError(t, err, line)
		require.InDelta(t, 100*(row.took.Seconds()/measured-1), off, 1, line)
		require.LessOrEqual(t, math.Abs(off), 15.0, line)
	}
}

// TestDocumentedTrickle: the waits that docs/replay.md tells of are those of the script, as the original's queue has them.
func TestDocumentedTrickle(t *testing.T) {
	trickle := queueScripts(t)[0]
	require.Equal(t, "trickle", trickle.Name)
	mean, longest := 0.0, trickle.Pods[0]
	for _, p := range trickle.Pods {
		wait := p[3] - p[0]
		mean += time.Duration(wait).Seconds() / float64(len(trickle.Pods))
		if wait > longest[3]-longest[0] {
			longest = p
		}
	}
	clock := func(at int64) string {
		seconds := time.Duration(at).Round(time.Second) / time.Second
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	page := strings.Join(strings.Fields(docsPage(t)), " ")
	require.Contains(t, page, fmt.Sprintf("of the %d pods of the script `trickle`", len(trickle.Pods)))
	require.Contains(t, page, fmt.Sprintf("one came at %s, was tried %d times, and got its node at %s.", clock(longest[0]), longest[4], clock(longest[3])))
	require.Contains(t, page, fmt.Sprintf("a node's start all the same, %.0f s,", mean))
}
