package scenarios

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Load reads a scenario from a directory (every .yaml, .yml and .json file in
// it and below, in order of their paths), a file, or standard input if the path
// is "-". A file whose name ends in .csv is read as a trace, see [ReadTrace].
//
// What is wrong with the input is a [*LoadError]; other errors are of the file
// system and wrap what package os returns.
func Load(path string, opts ...Option) (*Scenario, error) {
	if strings.HasSuffix(strings.ToLower(path), ".csv") {
		return loadTrace(path, opts)
	}
	l := newLoader(opts)
	sources, err := l.sources(path)
	if err != nil {
		return nil, err
	}
	return l.load(sources)
}

// Read reads a scenario from a reader of YAML or JSON documents; the name
// stands for the file in errors, and names the scenario if nothing else does.
// Errors are as for [Load].
func Read(r io.Reader, name string, opts ...Option) (*Scenario, error) {
	l := newLoader(opts)
	return l.load(l.sourceFrom(r, name, ""))
}

// loader turns the text of manifests into a scenario.
type loader struct {
	settings
	remaining int64 // bytes that may still be read
	errs      LoadError
	warnings  warnings
	objects   []object
	// catalogLabels are the labels of the catalog with their values, once needed.
	catalogLabels map[string][]string
}

func newLoader(opts []Option) *loader {
	l := &loader{settings: newSettings(opts)}
	l.remaining = l.maxBytes
	return l
}

func (l *loader) problem(p Problem) { l.errs.add(p) }

func (l *loader) warn(where, text string) { l.warnings.add(warning{text: text, where: where}) }

// problemAt notes a mistake in an object, unless it follows from one that is noted.
func (l *loader) problemAt(o *object, e fieldError) {
	if o.wasTold(e.field) {
		return
	}
	l.problem(Problem{File: o.file, Document: o.document, Object: o.String(), Field: e.field, Message: e.message})
}

func (l *loader) warnAt(o *object, text string) { l.warn(o.place(o.String()), text) }

func (l *loader) load(sources []source) (*Scenario, error) {
	empty := true
	for _, s := range sources {
		documents := splitDocuments(s)
		if len(documents) > maxObjects {
			l.problem(Problem{File: s.name, Message: fmt.Sprintf("more than %d documents", maxObjects)})
			documents = nil
			empty = false
		}
		empty = empty && len(documents) == 0
		for _, d := range documents {
			l.read(d)
		}
	}
	if empty && len(l.errs.Problems) == 0 {
		name := "the input"
		if len(sources) > 0 {
			name = sources[0].name
		}
		l.problem(Problem{File: name, Message: "is empty: no object in it"})
	}
	return l.scenario(sources)
}

// read decodes one document, a List's items beside each other.
func (l *loader) read(d document) {
	shape, err := scanJSON(d.data)
	if err == nil && shape.object {
		l.readJSON(d, shape)
		return
	}
	if !l.readYAMLList(d) {
		l.take(decode(d))
	}
}

// readYAMLList decodes a List in YAML's block style item by item. It returns
// false, with nothing done, for what has to be parsed as a whole.
func (l *loader) readYAMLList(d document) bool {
	envelope, items, ok := splitYAMLList(d)
	if !ok || len(envelope.data) > MaxObjectBytes {
		return false
	}
	text, err := yamlToJSON(envelope.data)
	if err != nil {
		return false
	}
	var h head
	if unmarshalHead(text, &h) != nil || !strings.HasSuffix(h.Kind, "List") {
		return false
	}
	for i := range items {
		item := listItem(d, h, i, items[i].data)
		item.json, item.line = false, items[i].line
		items[i] = item
	}
	if len(d.data) > MaxObjectBytes {
		l.decodeAll(items)
		return true
	}
	results := decodeBatch(items)
	for _, r := range results {
		if r.syntax {
			// Anchors across items, or a scalar that only looked like an item.
			return false
		}
	}
	for _, r := range results {
		l.take(r)
	}
	return true
}

// readJSON decodes a document that begins with a JSON object: one value, or
// several after each other. The shape is that of the first.
func (l *loader) readJSON(d document, shape jsonShape) {
	if next := skipSpace(d.data, shape.end); next < len(d.data) {
		l.readJSONStream(d)
		return
	}
	if shape.itemsEnd > 0 && d.nesting < maxNesting {
		envelope := withoutItems(d.data, shape)
		h, err := readHead(envelope, shape, head{})
		if len(envelope) <= MaxObjectBytes && err == nil && strings.HasSuffix(h.Kind, "List") {
			items := make([]document, len(shape.items))
			for i, text := range shape.items {
				items[i] = listItem(d, h, i, text)
			}
			l.decodeAll(items)
			return
		}
	}
	l.take(decode(d))
}

// readJSONStream decodes JSON values that follow each other without marks.
func (l *loader) readJSONStream(d document) {
	var values []document
	for rest := d; ; {
		shape, err := scanJSON(rest.data)
		if err != nil || !shape.object || len(values) == maxObjects {
			// Not JSON all the way: YAML in flow style, or a mistake to report.
			l.take(decode(d))
			return
		}
		value := rest
		value.data = rest.data[skipSpace(rest.data, 0):shape.end]
		values = append(values, value)
		next := skipSpace(rest.data, shape.end)
		if next == len(rest.data) {
			break
		}
		rest.line += bytes.Count(rest.data[:next], []byte{'\n'})
		rest.data = rest.data[next:]
	}
	l.decodeAll(values)
}

func (l *loader) take(r decoded) {
	for _, p := range r.problems {
		l.problem(p)
	}
	for _, w := range r.warnings {
		l.warnings.add(w)
	}
	l.objects = append(l.objects, r.objects...)
}

// decodeAll decodes documents and takes the results, some at a time so that
// only the objects stay in memory.
func (l *loader) decodeAll(documents []document) {
	const batch = 1 << 14
	for some := range slices.Chunk(documents, batch) {
		for _, r := range decodeBatch(some) {
			l.take(r)
		}
	}
}

// decodeBatch decodes documents on all cores; the results are in their order.
func decodeBatch(documents []document) []decoded {
	results := make([]decoded, len(documents))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(documents)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(documents) {
					return
				}
				results[i] = decode(documents[i])
			}
		})
	}
	workers.Wait()
	return results
}

// loadTrace opens a trace by name.
func loadTrace(path string, opts []Option) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadTrace(f, path, opts...)
}
