package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/compare"
)

// program runs it and returns its exit status and what it printed.
func program(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

// checkWidth accuses lines that are wider than a terminal of 120 columns.
func checkWidth(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > compare.Width {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}

func TestUsage(t *testing.T) {
	status, out, errs := program(t, "", "-h")
	if status != exitOK || errs != "" || !strings.Contains(out, "Examples:") {
		t.Errorf("-h: status %d, stdout %q, stderr %q", status, out, errs)
	}
	checkWidth(t, out)
}

// What the small cluster is made to show: each node has its fate and its reason.
func TestOwnCluster(t *testing.T) {
	status, out, errs := program(t, "", "-format", "json")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, stderr %q", status, errs)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Pass) != 3 || r.Pass[0].Method != "emptiness" || strings.Join(r.Pass[0].Nodes, " ") != "batch-b idle-c" {
		t.Errorf("one pass: %+v", r.Pass)
	}
	classes := map[string]string{}
	for _, st := range r.Stays {
		classes[st.Node] = st.Class
		if st.Reason == "" || st.Price <= 0 {
			t.Errorf("node %s stays at $%v/h for %q", st.Node, st.Price, st.Reason)
		}
	}
	for node, want := range map[string]string{
		"report-a": "blocked", "database-b": "blocked", "batch-a": "excluded", "worker-c": "spot-to-spot-disabled", "web-a": "later",
	} {
		if classes[node] != want {
			t.Errorf("node %s stays for %q, want %q", node, classes[node], want)
		}
	}
	if len(classes)+len(r.Pass[0].Nodes) != r.Nodes {
		t.Errorf("%d nodes stay and %d go of %d", len(classes), len(r.Pass[0].Nodes), r.Nodes)
	}
	hourly := r.HourlyBefore
	for i, st := range r.Sequence {
		if hourly -= st.Savings; math.Abs(hourly-st.Hourly) > 1e-6 {
			t.Errorf("step %d saves %v and leaves %v, not %v", i+1, st.Savings, st.Hourly, hourly)
		}
	}
	if r.End != "converged" || math.Abs(hourly-r.HourlyAfter) > 1e-6 || r.HourlyAfter > r.HourlyBefore/2 {
		t.Errorf("%s at %v, from %v", r.End, r.HourlyAfter, r.HourlyBefore)
	}
}

// The same input gives the same bytes, in tables that a terminal can hold.
func TestOutputIsDeterministicAndNarrow(t *testing.T) {
	for _, args := range [][]string{{}, {"-format", "json"}, {"-scenario", "half-full"}, {"-scenario", "web-fleet"}, {"-now", "2025-06-01T12:00:00Z"}} {
		status, out, errs := program(t, "", args...)
		if status != exitOK {
			t.Errorf("%v: status %d, stderr %q", args, status, errs)
			continue
		}
		if _, again, _ := program(t, "", args...); again != out {
			t.Errorf("%v: a second run printed something else", args)
		}
		if len(args) == 0 || args[0] != "-format" {
			checkWidth(t, out)
		}
	}
}

func TestStandardInput(t *testing.T) {
	status, out, errs := program(t, string(ownCluster), "-scenario", "-")
	if status != exitOK || !strings.Contains(out, "Consolidated: ") {
		t.Errorf("status %d, stdout %q, stderr %q", status, out, errs)
	}
}

// Bad input lists every problem at once and prints no report.
func TestBadInput(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: UPPER}\nspec: {nodeName: n1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, stdin string
		args, want  []string
	}{
		{"flags", "", []string{"-format", "tabel", "-now", "noon", "extra"}, []string{`"tabel" is unknown, did you mean "table"?`, `"noon"`, `"extra"`}},
		{"flag", "", []string{"-zone", "a"}, []string{"-zone", "-h shows the usage"}},
		{"scenario", "", []string{"-scenario", "half-ful"}, []string{`did you mean "half-full"?`}},
		{"file", "", []string{"-scenario", "no/such.yaml"}, []string{"no/such.yaml"}},
		{"manifest", "", []string{"-scenario", bad}, []string{"bad.yaml", "UPPER"}},
		{"no node pool", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", []string{"-scenario", "-"}, []string{"no node pool"}},
		{"not YAML", "{", []string{"-scenario", "-"}, []string{"document 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, out, errs := program(t, tc.stdin, tc.args...)
			if status != exitBadInput || out != "" {
				t.Errorf("status %d, stdout %q", status, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(errs, want) {
					t.Errorf("stderr lacks %q:\n%s", want, errs)
				}
			}
		})
	}
}

func TestFailedWrite(t *testing.T) {
	for _, format := range []string{"table", "json"} {
		var errs bytes.Buffer
		if status := run(context.Background(), []string{"-format", format}, nil, full{}, &errs); status != exitFailed || !strings.Contains(errs.String(), "disk full") {
			t.Errorf("%s: status %d, stderr %q", format, status, errs.String())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 5, ""},
		{"one two", 7, "one two"},
		{"one two", 6, "one|two"},
		{"incomprehensible", 6, "incomp|rehens|ible"},
		{"a  b", 0, "a|b"},
	} {
		if got := strings.Join(wrap(tc.text, tc.width), "|"); got != tc.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
	if got := shorten("gke-production-cluster-default-pool-1a2b3c4d-x9z8"); got != "gke-production-cl...b3c4d-x9z8" {
		t.Errorf("shortened to %q", got)
	}
}

// The warnings of a scenario are part of the report.
func TestWarningsArePrinted(t *testing.T) {
	stdin := string(ownCluster) + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: stray}\nspec: {nodeName: gone, containers: [{name: a, image: a}]}\n"
	_, out, _ := program(t, stdin, "-scenario", "-")
	if !strings.Contains(out, "warning: left out: 1 pod bound to nodes that are not in the input (gone)") {
		t.Error(out)
	}
	var load *scenarios.LoadError
	if _, err := (&config{scenario: "-"}).load(strings.NewReader("{")); !errors.As(err, &load) {
		t.Errorf("error %v", err)
	}
}
