package compare

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
)

var update = flag.Bool("update", false, "rewrite testdata with what the code does now")

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update rewrites it); got:\n%s", name, got)
	}
}

// fixedTimes replaces what a clock decides.
func fixedTimes(comparisons []*Comparison) {
	for _, c := range comparisons {
		for i := range c.Results {
			c.Results[i].DecisionSeconds, c.Results[i].SetupSeconds = 0.00123*float64(i+1), 0.5
		}
	}
}

// sample is two comparisons with everything that a report can hold.
func sample(t *testing.T) []*Comparison {
	t.Helper()
	broken := Engine{Name: "broken", New: func(*scenarios.Scenario) (packing.Packer, error) {
		return nil, errors.New("cannot read the node group \"web\"")
	}}
	s := fleet(t, 2000)
	s.Warnings = []string{"Widget default/a: kind is unknown and left out"}
	big := fleet(t, 20)
	big.Name, big.Description = "with-a-name-that-is-longer-than-what-a-table-has-room-for", strings.Repeat("words and more words, ", 12)
	comparisons := []*Comparison{
		run(t, s,
			filler{instanceType: "large", capacityType: "spot", perNode: 8}.engine("karpenter"),
			filler{instanceType: "small", capacityType: "on-demand", perNode: 2}.engine("cluster-autoscaler"),
			broken),
		run(t, big,
			filler{instanceType: "small", capacityType: "on-demand", perNode: 2, leave: 3, drop: 1}.engine("karpenter"),
			filler{instanceType: "large", capacityType: "on-demand", perNode: 8}.engine("an-engine-with-a-name-beyond-all-measure")),
	}
	fixedTimes(comparisons)
	return comparisons
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	comparisons := sample(t)
	for _, c := range comparisons {
		if err := WriteTable(&out, c); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	if err := WriteSummary(&out, comparisons); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > Width {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
	golden(t, "sample.txt", out.Bytes())
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := WriteJSON(&out, sample(t)[1:]); err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.json", out.Bytes())
	out.Reset()
	if err := WriteJSON(&out, nil); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Schema      string
		Comparisons []Comparison
	}
	if err := json.Unmarshal(out.Bytes(), &document); err != nil || document.Schema != Schema || document.Comparisons == nil {
		t.Errorf("no comparison at all: %v, %s", err, out.String())
	}
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	if err := WriteCSV(&out, sample(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.csv", out.Bytes())
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Errorf("got %d rows, %v; want a header and five rows", len(rows), err)
	}
}

func TestLongMixesStayOnTheirLine(t *testing.T) {
	var mix []InstanceCount
	for _, name := range []string{"m6i.large", "m6i.xlarge", "c7i.2xlarge", "r7i.24xlarge", "x2iedn.32xlarge"} {
		mix = append(mix, InstanceCount{name, "spot", 10, 1})
	}
	tests := []struct {
		width int
		want  string
	}{
		{200, "10 m6i.large spot, 10 m6i.xlarge spot, 10 c7i.2xlarge spot, 10 r7i.24xlarge spot, 10 x2iedn.32xlarge spot"},
		{60, "10 m6i.large spot, 10 m6i.xlarge spot and 3 more kinds"},
		{40, "10 m6i.large spot and 4 more kinds"},
	}
	for _, test := range tests {
		got := mixLine(mix, test.width)
		if got != test.want || len(got) > test.width {
			t.Errorf("width %d: got %q, want %q", test.width, got, test.want)
		}
	}
}

// The same input gives the same bytes.
func TestDeterministic(t *testing.T) {
	render := func() string {
		var out bytes.Buffer
		if err := WriteJSON(&out, sample(t)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first := render()
	for range 5 {
		if render() != first {
			t.Fatal("two comparisons of the same scenario differ")
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWritersReportErrors(t *testing.T) {
	c, err := Run(context.Background(), fleet(t, 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	comparisons := []*Comparison{c}
	for name, err := range map[string]error{
		"table": WriteTable(fullDisk{}, c), "json": WriteJSON(fullDisk{}, comparisons),
		"csv": WriteCSV(fullDisk{}, comparisons), "summary": WriteSummary(fullDisk{}, comparisons),
	} {
		if err == nil {
			t.Errorf("%s: no error from a writer that fails", name)
		}
	}
}
