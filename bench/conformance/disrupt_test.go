package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/packing/karpenter"
)

// On every recorded cluster a disruption controller's pass finds what a full
// consolidation says comes first, and that is valid as long as nothing changes.
func TestDisruptFindsTheRecordedCommand(t *testing.T) {
	ctx := context.Background()
	for _, path := range goldens(t, "karpenter-consolidation") {
		name := filepath.Base(path)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := recorded.ReadConsolidation(bytes.NewReader(data))
		if err != nil {
			t.Fatal(name, err)
		}
		p, err := f.Input.Problem()
		if err != nil {
			t.Fatal(name, err)
		}
		packer, err := p.Packer()
		if err != nil {
			t.Fatal(name, err)
		}
		found, err := packer.Consolidate(ctx, p.Snapshot)
		if err != nil {
			t.Fatal(name, err)
		}
		cmd, _, err := packer.Disrupt(ctx, p.Snapshot, karpenter.DisruptLimits{})
		if err != nil {
			t.Fatal(name, err)
		}
		if got, want := rowOf(t, cmd), rowOf(t, found.Command()); got != want {
			t.Errorf("%s: %s, Consolidate says %s", name, got, want)
		}
		if cmd == nil {
			continue
		}
		v, err := packer.Validate(ctx, cmd, p.Snapshot)
		if err != nil {
			t.Fatal(name, err)
		}
		if got, want := rowOf(t, v.Command), rowOf(t, cmd); got != want {
			t.Errorf("%s: %s is not valid at once: %s %s", name, want, v.Rejection, v.Message)
		}
	}
}

func rowOf(t *testing.T, cmd *karpenter.Command) string {
	t.Helper()
	row, err := json.Marshal(commandRow(cmd, true))
	if err != nil {
		t.Fatal(err)
	}
	if cmd == nil {
		return string(row)
	}
	return cmd.Method + " " + string(row)
}
