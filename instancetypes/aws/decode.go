package aws

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/binwright/binwright/instancetypes"
)

// The format of the embedded files is said in generate/write.go.
const dataFormat = "1"

// spec is one instance type, the same in every region. Zero or empty means none
// or not known.
type spec struct {
	name             string
	derived          bool
	vcpu             int64
	memoryMiB        int64
	arch             string
	cpuManufacturer  string
	clockMHz         string
	hypervisor       string
	encrypts         bool
	gpuName          string
	gpuManufacturer  string
	gpuCount         int64
	gpuMemoryMiB     string
	acceleratorName  string
	acceleratorCount int64
	acceleratorCores int64 // each
	nvmeGB           string
	networkMbps      string
	ebsMbps          string
	interfaces       int64 // of the default network card
	ipv4PerInterface int64
	branchInterfaces int64
}

// specs holds the types by name, and where the data is from.
type specs struct {
	byName  map[string]*spec
	sources []string
}

// region is the prices of one region.
type region struct {
	name     string
	zoneIDs  []string // of zones a, b, ...; empty if no source lists them
	ordinary int      // the first so many zones offer most types
	rows     []row
}

// row is the price of one type in a region.
type row struct {
	name          string
	onDemand      float64 // US dollars an hour
	priceDerived  bool
	saving        int64 // percent, 0 if not known
	savingGuessed bool
	band          instancetypes.InterruptionBand
	zones         string // letters; "" means assumed
}

var decodedTypes = sync.OnceValues(func() (*specs, error) {
	text, err := embedded("types")
	if err != nil {
		return nil, err
	}
	return parseTypes(text)
})

func decodeRegion(name string) (*region, error) {
	text, err := embedded(name)
	if err != nil {
		return nil, err
	}
	r, err := parseRegion(text)
	if err != nil {
		return nil, err
	}
	if r.name != name {
		return nil, fmt.Errorf("file of %s holds %q", name, r.name)
	}
	return r, nil
}

// embedded returns the text of one embedded file.
func embedded(name string) (string, error) {
	packed, err := data.ReadFile("data/" + name + ".tsv.gz")
	if err != nil {
		return "", err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	var text strings.Builder
	text.Grow(6 * len(packed))
	if _, err := io.Copy(&text, unpacked); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return text.String(), nil
}

// fields walks the tab-separated fields of one line and keeps the first error.
type fields struct {
	rest string
	err  error
}

func (f *fields) text() string {
	field, rest, _ := strings.Cut(f.rest, "\t")
	f.rest = rest
	return field
}

func (f *fields) integer() int64 {
	field := f.text()
	if field == "" {
		return 0
	}
	n, err := strconv.ParseInt(field, 10, 64)
	if err != nil && f.err == nil {
		f.err = err
	}
	return n
}

func (f *fields) decimal() float64 {
	x, err := strconv.ParseFloat(f.text(), 64)
	if err != nil && f.err == nil {
		f.err = err
	}
	return x
}

// lines calls header for each "#key<tab>value" line and row for each other one.
func lines(text string, header func(key, value string) error, row func(*fields)) error {
	formatSeen := false
	for n := 1; text != ""; n++ {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if key, ok := strings.CutPrefix(line, "#"); ok {
			key, value, _ := strings.Cut(key, "\t")
			formatSeen = formatSeen || key == "format" && value == dataFormat
			if err := header(key, value); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			continue
		}
		f := fields{rest: line}
		if row(&f); f.err != nil {
			return fmt.Errorf("line %d: %w", n, f.err)
		}
	}
	if !formatSeen {
		return fmt.Errorf("not in format %s", dataFormat)
	}
	return nil
}

func parseTypes(text string) (*specs, error) {
	count := strings.Count(text, "\n")
	all := make([]spec, 0, count)
	out := &specs{byName: make(map[string]*spec, count)}
	err := lines(text, func(key, value string) error {
		if key == "source" {
			out.sources = append(out.sources, value)
		}
		return nil
	}, func(f *fields) {
		all = append(all, spec{
			name: f.text(), derived: f.text() == "d", vcpu: f.integer(), memoryMiB: f.integer(),
			arch: f.text(), cpuManufacturer: f.text(), clockMHz: f.text(), hypervisor: f.text(), encrypts: f.text() == "e",
			gpuName: f.text(), gpuManufacturer: f.text(), gpuCount: f.integer(), gpuMemoryMiB: f.text(),
			acceleratorName: f.text(), acceleratorCount: f.integer(), acceleratorCores: f.integer(),
			nvmeGB: f.text(), networkMbps: f.text(), ebsMbps: f.text(),
			interfaces: f.integer(), ipv4PerInterface: f.integer(), branchInterfaces: f.integer(),
		})
		s := &all[len(all)-1]
		out.byName[s.name] = s
	})
	return out, err
}

func parseRegion(text string) (*region, error) {
	r := &region{rows: make([]row, 0, strings.Count(text, "\n"))}
	err := lines(text, func(key, value string) (err error) {
		switch key {
		case "region":
			r.name = value
		case "zones":
			r.zoneIDs = strings.Fields(value)
		case "ordinary":
			r.ordinary, err = strconv.Atoi(value)
		}
		return err
	}, func(f *fields) {
		out := row{name: f.text(), onDemand: f.decimal()}
		flags := f.text()
		out.priceDerived, out.savingGuessed = strings.Contains(flags, "p"), strings.Contains(flags, "s")
		out.saving = f.integer()
		out.band = parseBand(f.text())
		out.zones = f.text()
		r.rows = append(r.rows, out)
	})
	return r, err
}

func parseBand(text string) instancetypes.InterruptionBand {
	for b := instancetypes.InterruptionUnder5; b <= instancetypes.InterruptionOver20; b++ {
		if b.String() == text {
			return b
		}
	}
	return instancetypes.InterruptionUnknown
}
