package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/binwright/binwright/bench/internal/scaleup"
	"github.com/binwright/binwright/packing"
)

// goldens is where recorded decisions lie: BINWRIGHT_GOLDENS, else beside the repository.
func goldens(t testing.TB, sub string) []string {
	t.Helper()
	dir := os.Getenv("BINWRIGHT_GOLDENS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "goldens")
	}
	files, err := filepath.Glob(filepath.Join(dir, sub, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no recorded decisions in %s; set BINWRIGHT_GOLDENS", filepath.Join(dir, sub))
	}
	return files
}

func TestClusterAutoscalerDecidesAsRecorded(t *testing.T) {
	for _, path := range goldens(t, "clusterautoscaler") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			res, err := compareFile(compareClusterAutoscaler, path)
			if err != nil {
				t.Fatal(err)
			}
			if res.verdict != exact {
				t.Errorf("%s: %s", res.verdict, res.difference)
			}
		})
	}
}

func TestClusterAutoscalerPlansHold(t *testing.T) {
	for _, path := range goldens(t, "clusterautoscaler") {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := scaleup.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		snapshot, err := c.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		packer, err := c.Packer()
		if err != nil {
			t.Fatal(err)
		}
		plan, err := packer.Pack(context.Background(), snapshot)
		if err != nil {
			t.Fatal(err)
		}
		if have := plan.PodCount() + len(plan.Unschedulable); have != len(snapshot.Pods) {
			t.Errorf("%s: %d pods in the plan, %d in the snapshot", c.Name, have, len(snapshot.Pods))
		}
		for _, v := range packing.Verify(snapshot, plan) {
			t.Errorf("%s: %s", c.Name, v)
		}
	}
}
