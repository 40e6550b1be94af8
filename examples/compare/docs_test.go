package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The scenario that the documentation shows loads without a warning and packs on
// both engines.
func TestDocumentedScenario(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "scenarios.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/scenarios.md shows no scenario")
	}
	status, out, errs := command(t, string(block[1]), "-scenario", "-", "-runs", "1")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, stderr %s", status, errs)
	}
	placedAll := regexp.MustCompile(`(?m)^  (karpenter|cluster-autoscaler) .* 30 +0 .* yes$`)
	if !strings.HasPrefix(out, "shop: ") || strings.Contains(out, "warning") || len(placedAll.FindAllString(out, -1)) != 2 {
		t.Errorf("got:\n%s", out)
	}
}

var update = flag.Bool("update", false, "rewrite the sample in README.md with what the program prints now")

// decisionTime is the column that differs from run to run, with the blanks before it.
var decisionTime = regexp.MustCompile(` +[0-9.]+ (us|ms|s)( +(yes|NO))`)

// The output that the README shows is what the program prints, but for times.
func TestReadmeSample(t *testing.T) {
	path := filepath.Join("..", "..", "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile("(?s)```text\n(.*?)```").FindSubmatchIndex(readme)
	if sample == nil {
		t.Fatal("README.md shows no output")
	}
	_, out, _ := command(t, "", "-scenario", "web-fleet")
	want := "$ go run ./examples/compare -scenario web-fleet\n" + out[:strings.Index(out, "\n\nNODES are")] + "\n"
	if *update {
		readme = slices.Concat(readme[:sample[2]], []byte(want), readme[sample[3]:])
		if err := os.WriteFile(path, readme, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	masked := func(text string) string { return decisionTime.ReplaceAllString(text, " TIME$2") }
	if got := string(readme[sample[2]:sample[3]]); masked(got) != masked(want) {
		t.Errorf("README.md shows what the program does not print (go test ./examples/compare -update rewrites it); it prints:\n%s", want)
	}
}
