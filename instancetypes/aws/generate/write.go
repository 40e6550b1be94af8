package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The files that the package embeds: types.tsv.gz with the specifications, and
// <region>.tsv.gz with the prices of each region. Lines that begin with # hold a
// key and a value each; the others are tab-separated, an empty field is zero.
// The reader is ../decode.go.
const (
	format    = "1"
	typesFile = "types.tsv.gz"
	suffix    = ".tsv.gz"
)

// encodeTypes prints the specifications, sorted by name.
func encodeTypes(specs map[string]spec, sources []source, leftOut []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#format\t%s\n", format)
	for _, s := range sources {
		fmt.Fprintf(&b, "#source\t%s %s (%s; %s): %s\n", s.path, s.version, s.date, s.licence, s.content)
	}
	for _, name := range leftOut {
		fmt.Fprintf(&b, "#left-out\t%s\n", name)
	}
	for _, name := range sortedKeys(specs) {
		s := specs[name]
		fields := []string{
			s.name, mark(s.derived, "d"), count(s.vcpu), count(s.memoryMiB), s.arch, s.cpuMaker, count(s.clockMHz),
			s.hypervisor, mark(s.encrypts, "e"),
			s.gpu.model, s.gpu.maker, count(s.gpu.count), count(s.gpu.memoryMiB),
			s.accelerator.model, count(s.accelerator.count), count(s.accelerator.cores),
			count(s.nvmeGB), count(s.networkMbps), count(s.ebsMbps),
			count(s.eni.interfaces), count(s.eni.ipv4PerInterface), count(s.eni.branchInterfaces),
		}
		b.WriteString(strings.Join(fields, "\t"))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// encodeRegion prints the prices of a region, sorted by type.
func encodeRegion(r *region) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#format\t%s\n#region\t%s\n", format, r.name)
	if len(r.zoneIDs) > 0 {
		fmt.Fprintf(&b, "#zones\t%s\n#ordinary\t%d\n", strings.Join(r.zoneIDs, " "), r.ordinary)
	}
	for _, row := range r.rows {
		flags := mark(row.priceDerived, "p") + mark(row.savingGuessed, "s")
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\n", row.name, strconv.FormatFloat(row.onDemand, 'f', -1, 64),
			flags, count(row.saving), row.band, row.zones)
	}
	return b.Bytes()
}

func mark(set bool, letter string) string {
	if set {
		return letter
	}
	return ""
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// compress is deterministic: no name, no time.
func compress(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// write puts the files into dir and removes those of regions that are no more.
func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range sortedKeys(files) {
		packed, err := compress(files[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), packed, 0o644); err != nil {
			return err
		}
	}
	stale, err := unknownFiles(dir, files)
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// errStale says that the embedded data is not what the generator would write.
var errStale = errors.New("not what the generator writes; run go generate ./instancetypes/aws")

// check compares the files in dir with what write would put there. It compares
// what they hold: the compressed bytes may differ from one Go release to the next.
func check(dir string, files map[string][]byte) error {
	var errs []error
	for _, name := range sortedKeys(files) {
		content, err := readCompressed(filepath.Join(dir, name))
		if err == nil && !bytes.Equal(content, files[name]) {
			err = fmt.Errorf("%s: %w", name, errStale)
		}
		errs = append(errs, err)
	}
	stale, err := unknownFiles(dir, files)
	errs = append(errs, err)
	for _, name := range stale {
		errs = append(errs, fmt.Errorf("%s: %w", name, errStale))
	}
	return errors.Join(errs...)
}

func unknownFiles(dir string, files map[string][]byte) ([]string, error) {
	present, err := fs.Glob(os.DirFS(dir), "*"+suffix)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(present, func(name string) bool {
		_, known := files[name]
		return known
	}), nil
}

func readCompressed(path string) ([]byte, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}
