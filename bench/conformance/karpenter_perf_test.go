package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/packing"
)

// recordedDir returns the directory of recorded decisions: BINWRIGHT_GOLDENS, or
// shared/goldens beside the repository.
func recordedDir(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("BINWRIGHT_GOLDENS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "goldens")
	}
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("no recorded decisions at %s; set BINWRIGHT_GOLDENS", dir)
	}
	return dir
}

// recordedRun is what the original decided on a large input, and how fast.
type recordedRun struct {
	Case       string
	Nodes      int
	Workers    int     `json:"numConcurrentReconciles"`
	Solve      float64 `json:"solveSeconds"`
	TotalPrice float64
}

func readDiverse(tb testing.TB, pods int) (*recorded.Problem, recordedRun) {
	tb.Helper()
	dir := filepath.Join(recordedDir(tb), "perf")
	f, err := os.Open(filepath.Join(dir, fmt.Sprintf("karpenter-diverse-%d.json.gz", pods)))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	file, err := recorded.Read(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := file.Input.Problem()
	if err != nil {
		tb.Fatal(err)
	}
	var runs []recordedRun
	text, err := os.ReadFile(filepath.Join(dir, "karpenter-upstream.json"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(text, &runs); err != nil {
		tb.Fatal(err)
	}
	for _, r := range runs {
		if r.Workers == 1 && r.Case == file.Input.Name {
			return p, r
		}
	}
	tb.Fatalf("no recorded run of %s", file.Input.Name)
	return nil, recordedRun{}
}

// BenchmarkKarpenterDiverse packs the original's own benchmark mix: five fifths of
// plain pods, zonal spread, host spread, zonal affinity and host anti-affinity on
// 400 instance types. x-faster compares with the original's recorded time, from
// another run on a like machine.
func BenchmarkKarpenterDiverse(b *testing.B) {
	for _, pods := range []int{1000, 5000, 10000} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			p, upstream := readDiverse(b, pods)
			packer, err := p.Packer()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var plan *packing.Plan
			for b.Loop() {
				if plan, err = packer.Pack(context.Background(), p.Snapshot); err != nil {
					b.Fatal(err)
				}
			}
			if len(plan.Launches) != upstream.Nodes || len(plan.Unschedulable) > 0 {
				b.Fatalf("%d nodes and %d pods left, the original %d and none", len(plan.Launches), len(plan.Unschedulable), upstream.Nodes)
			}
			perOp := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(pods)/perOp, "pods/s")
			b.ReportMetric(float64(len(plan.Launches)), "nodes")
			b.ReportMetric(plan.Cost(), "$/h")
			b.ReportMetric(upstream.Solve/perOp, "x-faster")
		})
	}
}
