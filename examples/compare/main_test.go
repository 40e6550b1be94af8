package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/compare"
)

// command runs the program and returns its exit status and what it printed.
func command(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	status, out, errs := command(t, "", "-h")
	if status != exitOK || errs != "" || !strings.Contains(out, "Examples:") {
		t.Errorf("-h: status %d, stdout %q, stderr %q", status, out, errs)
	}
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > compare.Width {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}

func TestList(t *testing.T) {
	status, out, errs := command(t, "", "-list")
	if status != exitOK || errs != "" || strings.Count(out, "\n") != len(scenarios.Names()) {
		t.Errorf("-list: status %d, stdout %q, stderr %q", status, out, errs)
	}
}

// Bad usage lists every problem at once and runs nothing.
func TestBadUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"all at once", []string{"-engine", "carpenter,optimal", "-format", "yaml", "-runs", "0", "-expander", "least-wast", "extra"},
			[]string{`"carpenter" is unknown, did you mean "karpenter"?`, `"optimal" is unknown`, `"yaml" is unknown`, "-runs 0", `"least-wast" is unknown, did you mean "least-waste"?`, `"extra"`}},
		{"an expander twice", []string{"-expander", "price,price"}, []string{`-expander: bad option: expander "price"`}},
		{"flags and scenarios", []string{"-engine", "optimal", "-scenario", "no/such.yaml"}, []string{`"optimal" is unknown`, "no/such.yaml"}},
		{"flag", []string{"-zone", "us-east-1a"}, []string{"-zone", "-h shows the usage"}},
		{"seed", []string{"-seed", "-1"}, []string{"-seed"}},
		{"scenario", []string{"-scenario", "web-flet"}, []string{`"web-flet" is unknown, did you mean "web-fleet"?`}},
		{"path", []string{"-scenario", "no/such/file.yaml"}, []string{"no/such/file.yaml"}},
		{"file", []string{"-scenario", "trace.csv"}, []string{"trace.csv: no such file"}},
		{"region, told once and not of every scenario", []string{"-region", "us-esat-1"}, []string{"-region \"us-esat-1\" is unknown, did you mean \"us-east-1\"?"}},
		{"several scenarios", []string{"-scenario", "nothing-like-it,no/such.yaml", "-scenario", "nor/this.csv"}, []string{"nothing-like-it", "no/such.yaml", "nor/this.csv"}},
		{"output", []string{"-scenario", "web-fleet", "-o", filepath.Join("no", "such", "directory.json")}, []string{"directory.json"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, out, errs := command(t, "", test.args...)
			if status != exitBadInput || out != "" {
				t.Errorf("status %d, stdout %q; want 2 and nothing", status, out)
			}
			for _, want := range test.want {
				if strings.Count(errs, want) != 1 {
					t.Errorf("stderr does not say %q once:\n%s", want, errs)
				}
			}
		})
	}
}

// times are the only figures that two runs on the same input may differ in.
var times = regexp.MustCompile(`"(decision|setup)Seconds": [^,\n]+`)

// Every embedded scenario, both engines: the referee agrees with every plan, no
// pod is lost, tables keep within their width, and the same input gives the same bytes.
func TestEmbeddedScenarios(t *testing.T) {
	status, first, errs := command(t, "", "-format", "json", "-runs", "1")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, stderr %s\n%s", status, errs, first)
	}
	var document struct {
		Schema      string
		Comparisons []compare.Comparison
	}
	if err := json.Unmarshal([]byte(first), &document); err != nil {
		t.Fatal(err)
	}
	if document.Schema != compare.Schema || len(document.Comparisons) != len(scenarios.Names()) {
		t.Errorf("schema %q, %d comparisons; want %d", document.Schema, len(document.Comparisons), len(scenarios.Names()))
	}
	for _, c := range document.Comparisons {
		if len(c.Results) != 2 || c.Conclusion == "" {
			t.Errorf("%s: %d results, conclusion %q", c.Scenario.Name, len(c.Results), c.Conclusion)
		}
		for _, r := range c.Results {
			if !r.Verified || r.PodsPlaced+r.PodsLeft != c.Scenario.Pods {
				t.Errorf("%s, %s: %d placed and %d left of %d, problems %q", c.Scenario.Name, r.Engine, r.PodsPlaced, r.PodsLeft, c.Scenario.Pods, r.Problems)
			}
		}
	}
	if _, second, _ := command(t, "", "-format", "json", "-runs", "1"); times.ReplaceAllString(first, "") != times.ReplaceAllString(second, "") {
		t.Error("two runs on the same input differ in more than times")
	}
	_, table, _ := command(t, "", "-runs", "1")
	for line := range strings.Lines(table) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > compare.Width {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}

func TestOutputFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comparison.csv")
	status, out, errs := command(t, "", "-scenario", "web-fleet", "-engine", "karpenter", "-format", "csv", "-o", path)
	if status != exitOK || out != "" || errs != "" {
		t.Fatalf("status %d, stdout %q, stderr %q", status, out, errs)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != "web-fleet" {
		t.Errorf("got %q, %v; want a header and one row", rows, err)
	}
}

// A device or a pipe takes the output as well as a file does.
func TestOutputToDevice(t *testing.T) {
	if status, _, errs := command(t, "", "-scenario", "web-fleet", "-runs", "1", "-o", os.DevNull); status != exitOK || errs != "" {
		t.Errorf("status %d, stderr %q", status, errs)
	}
}

func TestWriteErrorIsReported(t *testing.T) {
	var errs bytes.Buffer
	reader, writer := io.Pipe()
	reader.Close()
	if status := run([]string{"-scenario", "web-fleet", "-runs", "1"}, strings.NewReader(""), writer, &errs); status != exitFailed {
		t.Errorf("status %d, want 1; stderr %s", status, errs.String())
	}
	if !strings.Contains(errs.String(), "writing the comparison") {
		t.Errorf("stderr %q", errs.String())
	}
}

// An interrupt prints what is done and ends with status 130.
func TestInterrupted(t *testing.T) {
	c, err := parse([]string{"-scenario", "web-fleet,half-full,gpu", "-runs", "1", "-engine", "karpenter"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := c.load(strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	newPacker := c.engines[0].New
	c.engines[0].New = func(s *scenarios.Scenario) (packing.Packer, error) {
		if s.Name == "half-full" {
			cancel()
		}
		return newPacker(s)
	}
	var out, errs bytes.Buffer
	if status := c.compare(ctx, loaded, &out, &errs); status != exitInterrupted {
		t.Errorf("status %d, want 130", status)
	}
	if got := out.String(); !strings.HasPrefix(got, "web-fleet") || strings.Contains(got, "half-full") || strings.Contains(got, "gpu:") {
		t.Errorf("want the first scenario alone, got:\n%s", got)
	}
	if !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("stderr %q", errs.String())
	}
}

// An engine that gives no plan is a failure of its own, told on standard error.
func TestEngineWithoutPlan(t *testing.T) {
	c, err := parse([]string{"-scenario", "web-fleet", "-runs", "1", "-format", "csv"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := c.load(strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	loaded[0].NodeGroups = nil
	var out, errs bytes.Buffer
	if status := c.compare(context.Background(), loaded, &out, &errs); status != exitFailed {
		t.Errorf("status %d, want 1", status)
	}
	if want := "scenario web-fleet, engine cluster-autoscaler: not applicable: the scenario has no node group\n"; errs.String() != want {
		t.Errorf("stderr %q, want %q", errs.String(), want)
	}
}
