package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/binwright/binwright/scenarios/replay"
)

// command runs the program and returns its exit status and what it printed.
func command(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

// within says which lines are wider than tables may be.
func within(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > replay.Width {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}

func TestUsage(t *testing.T) {
	status, out, errs := command(t, "", "-h")
	if status != exitOK || errs != "" || !strings.Contains(out, "Examples:") {
		t.Errorf("-h: status %d, stdout %q, stderr %q", status, out, errs)
	}
	within(t, out)
}

func TestList(t *testing.T) {
	status, out, errs := command(t, "", "-list")
	if status != exitOK || errs != "" || strings.Count(out, "\n") != len(embedded()) || !strings.HasPrefix(out, "day ") {
		t.Errorf("-list: status %d, stdout %q, stderr %q", status, out, errs)
	}
}

// Bad usage lists every problem at once and plays nothing.
func TestBadUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"all at once", []string{"-engine", "carpenter", "-format", "yaml", "-seeds", "0", "-step", "-1s", "-for", "0s", "-decision-time", "orignal", "-expander", "least-wast", "extra"},
			[]string{`"carpenter" is unknown, did you mean "karpenter"?`, `"yaml" is unknown`, "-seeds 0", "-step -1s", "-for 0s", `"orignal" is unknown, did you mean "original"?`, `did you mean "least-waste"?`, `"extra"`}},
		{"an engine twice", []string{"-engine", "karpenter,karpenter"}, []string{`"karpenter" is given twice`}},
		{"flag", []string{"-zone", "us-east-1a"}, []string{"-zone", "-h shows the usage"}},
		{"scenario", []string{"-scenario", "web-flet"}, []string{`did you mean "web-fleet"?`}},
		{"path", []string{"-scenario", "no/such.yaml"}, []string{"no/such.yaml"}},
		{"region", []string{"-region", "us-esat-1"}, []string{`did you mean "us-east-1"?`}},
		{"no timeline", []string{"-scenario", "web-fleet"}, []string{"scenario web-fleet has no timeline", "-for 2h"}},
		{"of one replay", []string{"-seeds", "2", "-seed", "3", "-decisions", "x.csv", "-svg", "x.svg"}, []string{"-seed is of", "-decisions is of", "-svg is of"}},
		{"the cloud", []string{"-spot-allocation", "lowest-prize", "-interruptions-per-day", "-1", "-shortages-per-day", "NaN"},
			[]string{`did you mean "lowest-price"?`, "-interruptions-per-day -1", "-shortages-per-day NaN"}},
		{"interruptions, and none", []string{"-interruptions=false", "-interruptions-per-day", "2"}, []string{"exclude each other"}},
		{"duration", []string{"-for", "1 day"}, []string{"-for", "-h shows the usage"}},
		{"seed", []string{"-seed", "-1"}, []string{"-seed", "-h shows the usage"}},
		{"seeds", []string{"-seeds", "-3"}, []string{"-seeds -3"}},
		{"trace", []string{"-trace", "no-trace.csv"}, []string{"-trace: open no-trace.csv"}},
		{"trace and scenario", []string{"-trace", "no-trace.csv", "-scenario", "day"}, []string{"one or the other"}},
		{"a picture that cannot be", []string{"-svg", filepath.Join("no", "such", "day.svg")}, []string{"day.svg"}},
		{"decisions that cannot be", []string{"-decisions", filepath.Join("no", "such", "d.csv")}, []string{"d.csv"}},
		{"a picture of nothing", []string{"-svg", "x.svg", "-step", "0"}, []string{"-svg needs samples"}},
		{"output", []string{"-o", filepath.Join("no", "such", "file.json")}, []string{"file.json"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, out, errs := command(t, "", test.args...)
			if status != exitBadInput || out != "" {
				t.Errorf("status %d, stdout %q; want 2 and nothing", status, out)
			}
			for _, want := range test.want {
				if !strings.Contains(errs, want) {
					t.Errorf("stderr does not say %q:\n%s", want, errs)
				}
			}
		})
	}
}

// An hour of the day: both autoscalers, tables within their width, and the same
// input gives the same bytes.
func TestHour(t *testing.T) {
	status, table, errs := command(t, "", "-for", "1h")
	if status != exitOK || errs != "" || !strings.HasPrefix(table, "day over 1h00m of virtual time, seed 1\n") {
		t.Fatalf("status %d, stderr %s\n%s", status, errs, table)
	}
	within(t, table)
	if !strings.Contains(strings.Join(strings.Fields(table), " "), " pods wait ") || !strings.HasSuffix(table, "-seeds 10 shows how much of these differences is luck.\n") {
		t.Errorf("no conclusion:\n%s", table)
	}
	_, first, _ := command(t, "", "-for", "1h", "-format", "json")
	if _, second, _ := command(t, "", "-for", "1h", "-format", "json"); first != second {
		t.Error("two replays of the same input differ")
	}
	var document struct {
		Schema  string
		Results []replay.Result
	}
	if err := json.Unmarshal([]byte(first), &document); err != nil {
		t.Fatal(err)
	}
	if document.Schema != replay.Schema || len(document.Results) != 2 {
		t.Fatalf("schema %q, %d results", document.Schema, len(document.Results))
	}
	for _, r := range document.Results {
		if !r.Complete || r.Cost.TotalUSD <= 0 || len(r.Series) != 13 {
			t.Errorf("%s: complete %v, $%v, %d samples; want 13", r.Autoscaler, r.Complete, r.Cost.TotalUSD, len(r.Series))
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	output, svg, told := filepath.Join(dir, "o.csv"), filepath.Join(dir, "o.svg"), filepath.Join(dir, "decisions.csv")
	status, out, errs := command(t, "", "-for", "1h", "-engine", "cluster-autoscaler", "-no-handler", "-format", "csv", "-o", output, "-svg", svg, "-decisions", told)
	if status != exitOK || out != "" || errs != "" {
		t.Fatalf("status %d, stdout %q, stderr %q", status, out, errs)
	}
	read := func(path string) [][]string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if rows := read(output); len(rows) != 2 || rows[1][1] != "cluster-autoscaler-no-handler" {
		t.Errorf("got %q; want a header and one row", rows)
	}
	if rows := read(told); len(rows) < 3 || rows[1][0] != "cluster-autoscaler-no-handler" {
		t.Errorf("decisions of %d rows: %q", len(rows), rows)
	}
	if picture, err := os.ReadFile(svg); err != nil || !bytes.HasPrefix(picture, []byte("<svg")) {
		t.Errorf("%v, a picture that begins with %.20q", err, picture)
	}
}

// Many seeds: summaries and the paired comparison, in all formats.
func TestSeeds(t *testing.T) {
	status, table, errs := command(t, "", "-for", "30m", "-seeds", "2")
	if status != exitOK || errs != "" || !strings.Contains(table, "on the same 2 seeds") {
		t.Errorf("status %d, stderr %s\n%s", status, errs, table)
	}
	within(t, table)
	_, text, _ := command(t, "", "-for", "30m", "-seeds", "2", "-format", "json")
	var document struct {
		Schema                 string
		Summaries, Differences []json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil || document.Schema != replay.StatisticsSchema ||
		len(document.Summaries) != 2 || len(document.Differences) != 1 {
		t.Errorf("%v: schema %q, %d summaries, %d differences", err, document.Schema, len(document.Summaries), len(document.Differences))
	}
	_, text, _ = command(t, "", "-for", "30m", "-seeds", "2", "-format", "csv")
	if rows, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || len(rows) != 5 {
		t.Errorf("%v, %d rows; want a header and four", err, len(rows))
	}
}

// Decisions come on standard output before the results, as lines of JSON too.
func TestDecisions(t *testing.T) {
	status, out, errs := command(t, "", "-for", "15m", "-format", "json", "-decisions", "-")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, stderr %q", status, errs)
	}
	by := map[string]int{}
	decoder := json.NewDecoder(strings.NewReader(out))
	for last := -1.0; ; {
		var line struct {
			decisionLine
			Schema  string
			Results []replay.Result
		}
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Schema != "" {
			if len(line.Results) != 2 {
				t.Errorf("%d results; want 2", len(line.Results))
			}
			break
		}
		if by[line.Autoscaler]++; by[line.Autoscaler] > 1 && line.AtSeconds < last {
			t.Errorf("at %v s after %v s", line.AtSeconds, last)
		}
		last = line.AtSeconds
		if line.Kind == "" || line.Nodes == nil {
			t.Errorf("a decision without kind or nodes: %+v", line)
		}
	}
	if by["karpenter"] == 0 || by["cluster-autoscaler"] == 0 {
		t.Errorf("decisions: %v; want some of both", by)
	}
}

// A trace is played whatever its file is called.
func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recorded")
	rows := "name,cpu_milli,memory_mib,num_gpu,creation_time,deletion_time,scheduled_time\na,1000,1024,0,0,900,0\nb,2000,1024,0,60,1200,60\n"
	if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := command(t, "", "-trace", path, "-for", "1h")
	if status != exitOK || errs != "" || !strings.HasPrefix(out, "recorded over 1h00m") || !strings.Contains(out, "pods finished") {
		t.Errorf("status %d, stderr %q\n%s", status, errs, out)
	}
}

// Manifests without a timeline are played for as long as -for says, with their
// replicas as they are.
func TestManifests(t *testing.T) {
	deployment := `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 7
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: app, resources: {requests: {cpu: "1", memory: 1Gi}}}]}
`
	status, out, errs := command(t, deployment, "-scenario", "-")
	if status != exitBadInput || out != "" || !strings.Contains(errs, "say how long to play it, such as -for 2h") {
		t.Errorf("without -for: status %d, stdout %q, stderr %q", status, out, errs)
	}
	status, out, errs = command(t, deployment, "-scenario", "-", "-for", "30m", "-format", "json")
	var document struct{ Results []replay.Result }
	if err := json.Unmarshal([]byte(out), &document); err != nil || status != exitOK || errs != "" || len(document.Results) != 2 {
		t.Fatalf("status %d, stderr %q, %v\n%s", status, errs, err, out)
	}
	for _, r := range document.Results {
		if r.Pods.RunningAtEnd != 7 || r.Pods.PendingAtEnd != 0 || r.Duration.Minutes() != 30 {
			t.Errorf("%s over %v: %+v; want 7 running pods at the end", r.Autoscaler, r.Duration, r.Pods)
		}
	}
}

// Spot instances that are reclaimed often are, and without interruptions none is.
func TestInterruptions(t *testing.T) {
	interrupted := func(args ...string) (n int) {
		_, out, errs := command(t, "", append([]string{"-for", "2h30m", "-engine", "cluster-autoscaler", "-format", "json"}, args...)...)
		var document struct{ Results []replay.Result }
		if err := json.Unmarshal([]byte(out), &document); err != nil || len(document.Results) != 1 {
			t.Fatalf("%v, stderr %q", err, errs)
		}
		return document.Results[0].Nodes.Interruptions
	}
	if n := interrupted("-interruptions-per-day", "24"); n == 0 {
		t.Error("reclaimed 24 times a day, no spot instance was")
	}
	if n := interrupted("-interruptions=false"); n != 0 {
		t.Errorf("%d interruptions without any", n)
	}
}

// An interrupt prints what is done and ends with status 130.
func TestInterrupted(t *testing.T) {
	c, err := parse([]string{"-for", "1h"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.load(strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	if status := c.play(ctx, s, &outputs{main: &out}, &errs); status != exitInterrupted {
		t.Errorf("status %d, want 130", status)
	}
	if !strings.HasPrefix(out.String(), "day") || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("stdout:\n%s\nstderr %q", out.String(), errs.String())
	}
}

func TestWriteErrorIsReported(t *testing.T) {
	var errs bytes.Buffer
	reader, writer := io.Pipe()
	reader.Close()
	status := run([]string{"-for", "10m"}, strings.NewReader(""), writer, &errs)
	if status != exitFailed || !strings.Contains(errs.String(), "writing the replay") {
		t.Errorf("status %d, stderr %q", status, errs.String())
	}
}
