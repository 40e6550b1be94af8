package upstream

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/binwright/binwright/bench/internal/cases"
	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/packing"
)

var (
	caseCount = flag.Int("cases", fromEnvironment("BINWRIGHT_CASES", 60), "how many random cases TestAgainstKarpenter compares, over all profiles")
	firstSeed = flag.Uint64("seed", 0, "seed of the first random case; 0 takes it from the clock, or 1 with -short")
	profiles  = flag.String("profiles", "", "profiles of the random cases, separated by commas; all if empty")
	pinned    = flag.Bool("pinned", false, "the original is the copy that ./pinned makes: every case must be exact")
	failures  = flag.String("failures", filepath.Join(os.TempDir(), "binwright-failures"), "where shrunk failing cases are saved")
)

func fromEnvironment(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// effort says how often the original runs a case. The copy that ./pinned makes
// always decides the same.
func effort() Effort {
	if *pinned {
		return Effort{Few: 1, Many: 1, Most: 1}
	}
	return Effort{Few: 3, Many: 15, Most: 200}
}

// TestAgainstKarpenter compares our decisions with those of the real Karpenter on
// the recorded cases and on fresh random ones:
//
//	go test -run TestAgainstKarpenter -cases 2000 -seed 1 .
//
// What differs is shrunk and saved. Where the original is random the comparison can
// only be with what it may decide; program ./pinned makes a copy of it that is
// not random, with which every case must be exact.
func TestAgainstKarpenter(t *testing.T) {
	t.Run("recorded", func(t *testing.T) {
		var all []*recorded.Problem
		for _, path := range goldens(t, "karpenter", "karpenter-hand") {
			file, err := recorded.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p, err := file.Input.Problem()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		compareAll(t, all)
	})
	t.Run("random", func(t *testing.T) {
		seed := *firstSeed
		switch {
		case seed != 0:
		case testing.Short(): // always the same cases: whether a change passes is not left to chance
			seed = 1
		default:
			seed = uint64(time.Now().UnixNano()) % 1_000_000_000
		}
		names := cases.Profiles()
		if *profiles != "" {
			names = strings.Split(*profiles, ",")
		}
		t.Logf("%d cases from -seed %d", *caseCount, seed)
		var all []*recorded.Problem
		for i := range *caseCount {
			p, err := cases.Generate(names[i%len(names)], seed+uint64(i/len(names)))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		compareAll(t, all)
	})
}

// compareAll compares each problem, saves what differs, and sums up by profile.
func compareAll(t *testing.T, problems []*recorded.Problem) {
	counts := map[string]*[Differs + 1]int{}
	for _, p := range problems {
		profile := p.Features[0]
		if counts[profile] == nil {
			counts[profile] = &[Differs + 1]int{}
		}
		c, err := compareOne(t, p)
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		counts[profile][c.Verdict]++
		switch c.Verdict {
		case Allowed:
			t.Logf("%s: not among %d outcomes of %d runs, but no rule is broken: %s", p.Name, c.DistinctExact, c.Runs, c.Difference)
		case Differs:
			path := save(t, p)
			t.Errorf("%s: upstream has %d outcomes in %d runs; %s%s\nsaved as %s", p.Name, c.DistinctExact, c.Runs, c.Difference,
				strings.Join(append([]string{""}, c.Violations...), "\n  "), path)
		}
	}
	var table strings.Builder
	for _, profile := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&table, "\n%-12s", profile)
		for v, n := range counts[profile] {
			fmt.Fprintf(&table, "  %s %d", Verdict(v), n)
		}
	}
	t.Log(table.String())
}

func compareOne(t *testing.T, p *recorded.Problem) (*Comparison, error) {
	plan, err := pack(t, p)
	if err != nil {
		return nil, err
	}
	return Compare(t.Context(), p, plan, effort())
}

func pack(t *testing.T, p *recorded.Problem) (*packing.Plan, error) {
	packer, err := p.Packer()
	if err != nil {
		return nil, err
	}
	return packer.Pack(t.Context(), p.Snapshot)
}

// save shrinks a case while it still differs, records what upstream decides on
// it, and returns the path of the file.
func save(t *testing.T, p *recorded.Problem) string {
	t.Helper()
	small := Shrink(p, 400, func(q *recorded.Problem) bool {
		c, err := compareOne(t, q)
		return err == nil && c.Verdict == Differs
	})
	if err := os.MkdirAll(*failures, 0o755); err != nil {
		t.Fatal(err)
	}
	file := &recorded.File{Input: small.Case()}
	decided, err := Record(t.Context(), small, effort().Many)
	if err != nil {
		t.Fatal(err)
	}
	file.Upstream = decided
	path := filepath.Join(*failures, p.Name+".json")
	if err := recorded.WriteFile(path, file); err != nil {
		t.Fatal(err)
	}
	return path
}
