package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binwright/binwright/bench/internal/cases"
	"github.com/binwright/binwright/bench/internal/recorded"
)

// restricted is a random case of which some pool has not all instance types, and
// our outcome of it.
func restricted(t *testing.T) (*recorded.Problem, *recorded.Outcome) {
	t.Helper()
	for seed := range uint64(1000) {
		p, err := cases.Generate("odd", seed)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.PoolTypes) == 0 {
			continue
		}
		packer, err := p.Packer()
		if err != nil {
			t.Fatal(err)
		}
		plan, err := packer.Pack(t.Context(), p.Snapshot)
		if err != nil {
			t.Fatal(err)
		}
		ours := recorded.FromPlan(plan)
		if slices.ContainsFunc(ours.NewNodes, func(n recorded.NewNode) bool { return p.PoolTypes[n.NodePool] != nil }) {
			return p, ours
		}
	}
	t.Fatal("no random case launches from a pool with types of its own")
	return nil, nil
}

func writeCase(t *testing.T, name string, file any) string {
	t.Helper()
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func conformance(args ...string) (status int, stdout, stderr string) {
	var out, problems bytes.Buffer
	status = run(args, &out, &problems)
	return status, out.String(), problems.String()
}

// A case whose pools have types of their own, as bench/upstream records them, is
// packed with those types, and printed in a form that can be read as recorded.
func TestCaseWithTypesOfPools(t *testing.T) {
	p, ours := restricted(t)
	bare := writeCase(t, "bare", recorded.File{Input: p.Case()})
	status, printed, problems := conformance("-print", bare)
	if status != 0 || problems != "" {
		t.Fatalf("status %d: %s", status, problems)
	}
	var outcome recorded.Outcome
	if err := json.Unmarshal([]byte(printed), &outcome); err != nil {
		t.Fatal(err)
	}
	if d := recorded.Difference(ours, &outcome); d != "" {
		t.Errorf("printed and decided: %s", d)
	}
	for _, n := range outcome.NewNodes {
		for _, name := range n.InstanceTypes {
			if of, own := p.PoolTypes[n.NodePool]; own && !slices.Contains(of, name) {
				t.Errorf("a node of pool %s may become %s, which the pool does not have", n.NodePool, name)
			}
		}
	}
	known := writeCase(t, "known", recorded.File{Input: p.Case(), Upstream: &recorded.Upstream{
		DistinctExact: 1, DistinctShape: 1, Exact: []recorded.ExactVariant{{Count: 1, Outcome: outcome}},
	}})
	if status, out, _ := conformance(known); status != 0 || !strings.HasPrefix(out, "exact    known\n") {
		t.Errorf("status %d: %s", status, out)
	}
	outcome.NewNodes = outcome.NewNodes[1:]
	other := writeCase(t, "other", recorded.File{Input: p.Case(), Upstream: &recorded.Upstream{
		DistinctExact: 1, DistinctShape: 1, Exact: []recorded.ExactVariant{{Count: 1, Outcome: outcome}},
	}})
	if status, out, _ := conformance(other); status != 1 || !strings.HasPrefix(out, "differs  other: ") ||
		!strings.HasSuffix(out, "\ncases 1, exact 0, shape 0, variant 0, differs 1\n") {
		t.Errorf("status %d: %s", status, out)
	}
}

// A case of which nothing is recorded agrees with nothing.
func TestNothingRecordedIsNoAgreement(t *testing.T) {
	p, err := cases.Generate("existing", 1)
	if err != nil {
		t.Fatal(err)
	}
	p.Snapshot.Now = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	bare := writeCase(t, "bare", recorded.File{Input: p.Case()})
	for _, engine := range []string{"karpenter", "karpenter-consolidation"} {
		status, out, problems := conformance("-engine", engine, bare)
		if status != 1 || !strings.HasPrefix(out, "differs  bare: "+nothingRecorded) {
			t.Errorf("%s: status %d: %s%s", engine, status, out, problems)
		}
		if status, out, _ := conformance("-engine", engine, "-print", bare); status != 0 || !json.Valid([]byte(out)) {
			t.Errorf("%s -print: status %d: %s", engine, status, out)
		}
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte(`{"input": {"pods": 3}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-engine", "nobody", broken}, {}, {broken}, {"absent.json"}} {
		if status, _, problems := conformance(args...); status != 2 || problems == "" {
			t.Errorf("%q: status %d: %s", args, status, problems)
		}
	}
}
