package scenarios

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"
)

// maxObjects is how many documents, or items of one List, an input may hold.
const maxObjects = 2_000_000

// maxNesting is how many Lists may stand in each other.
const maxNesting = 8

// object is one decoded object and where it is from.
type object struct {
	origin
	kind, namespace, name string
	value                 any // a pointer to the kind's type
	// told are the fields that decoding found wrong. They read as if they were not
	// stated, which is no mistake of its own.
	told []string
}

// wasTold reports whether a mistake at a field follows from one told already.
func (o *object) wasTold(field string) bool {
	return slices.ContainsFunc(o.told, func(told string) bool {
		rest, below := strings.CutPrefix(field, told)
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// String names the object as kubectl users do: "Pod default/web-1".
func (o *object) String() string { return objectName(o.kind, o.namespace, o.name, o.item) }

func objectName(kind, namespace, name, item string) string {
	switch {
	case kind == "" && name != "":
		return shorten(name)
	case name == "" && item == "":
		return shorten(kind)
	case name == "":
		return item + " (" + shorten(kind) + ")"
	case namespace == "":
		return shorten(kind) + " " + shorten(name)
	default:
		return shorten(kind) + " " + shorten(namespace) + "/" + shorten(name)
	}
}

// decoded is what one document turned out to be.
type decoded struct {
	objects  []object
	problems []Problem
	warnings []warning
	// syntax says that the text could not be parsed, rather than not understood.
	syntax bool
}

func (r *decoded) problem(d document, object, field, format string, args ...any) {
	r.problems = append(r.problems, Problem{
		File: d.file, Document: d.document, Object: object, Field: field, Message: fmt.Sprintf(format, args...),
	})
}

// syntaxProblem notes that the text of a document cannot be parsed.
func (r *decoded) syntaxProblem(d document, message string) {
	r.syntax = true
	r.problem(d, d.item, "", "%s", message)
}

// decode reads a document: one object or a List of them, in YAML or JSON. It
// touches nothing but the result and may run beside others.
func decode(d document) (r decoded) {
	if !d.json {
		text := bytes.TrimSpace(d.data)
		if len(text) > 0 && text[0] == '{' {
			d.line += bytes.Count(d.data[:bytes.IndexByte(d.data, '{')], []byte{'\n'})
			d.data = text
			if d2, ok := asJSON(d, text, &r); ok {
				return decodeJSON(d2)
			} else if r.syntax {
				return r
			}
		}
		if len(d.data) > MaxObjectBytes {
			r.problem(d, d.item, "", "one object of %d bytes, more than the limit of %d (Lists are bounded item by item where they are JSON, or YAML with \"items:\" on a line of its own)",
				len(d.data), MaxObjectBytes)
			return r
		}
		converted, err := yamlToJSON(d.data)
		if err != nil {
			var at *fieldProblems
			if errors.As(err, &at) {
				return decodeRest(d, converted, at)
			}
			if len(text) > 1 && text[0] == '{' && text[skipSpace(text, 1)%len(text)] == '"' {
				_, err := scanJSON(text) // it was meant as JSON
				r.syntaxProblem(d, jsonMessage(d, text, err))
				return r
			}
			for _, message := range yamlMessages(err, d.data, d.line) {
				r.syntaxProblem(d, message)
			}
			return r
		}
		d.data, d.json = converted, true
	}
	return decodeJSON(d)
}

// decodeRest reports the fields of a document that YAML has no JSON for, and what
// is wrong with the rest of it, converted, if that can be read at all.
func decodeRest(d document, converted []byte, wrong *fieldProblems) (r decoded) {
	if converted != nil {
		d.data, d.json = converted, true
		r = decodeJSON(d)
	}
	for i := range r.objects {
		for _, e := range wrong.fieldErrors {
			r.objects[i].told = append(r.objects[i].told, e.field)
		}
	}
	rest := r.problems
	r.problems = nil
	for _, e := range wrong.fieldErrors {
		r.problem(d, cmp.Or(wrong.object, d.item), e.field, "%s", e.message)
	}
	r.problems = append(r.problems, rest...)
	return r
}

// asJSON checks whether a text that begins with a brace is JSON. Where it is
// not, it can still be YAML in flow style, if it is short enough for that.
func asJSON(d document, text []byte, r *decoded) (document, bool) {
	shape, err := scanJSON(text)
	if err == nil && skipSpace(text, shape.end) == len(text) && (len(text) > MaxObjectBytes || kjsonValid(text)) {
		d.data, d.json = text, true
		return d, true
	}
	if strings.EqualFold(d.file[max(0, len(d.file)-5):], ".json") || len(text) > MaxObjectBytes {
		r.syntaxProblem(d, jsonMessage(d, text, err))
	}
	return d, false
}

// kjsonValid reports whether a text is well-formed JSON.
func kjsonValid(text []byte) bool {
	var ignored struct{}
	return kjson.UnmarshalCaseSensitivePreserveInts(text, &ignored) == nil
}

// jsonMessage words a syntax error with its line and column.
func jsonMessage(d document, text []byte, err error) string {
	message, offset := "", 0
	var scan *jsonError
	if errors.As(err, &scan) {
		message, offset = scan.message, scan.offset
	} else {
		var ignored struct{}
		err := kjson.UnmarshalCaseSensitivePreserveInts(text, &ignored)
		message = "not JSON"
		if err != nil {
			message = err.Error()
		}
		if isSyntax, at := kjson.SyntaxErrorOffset(err); isSyntax {
			offset = max(0, int(at)-1)
		}
	}
	line, column := place(text, offset)
	return fmt.Sprintf("line %d, column %d: %s", line+d.line, column, message)
}

// head is what tells an object's kind and name.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
		Namespace    string `json:"namespace"`
	} `json:"metadata"`
}

// readHead returns type and name of an object, the type that of the List around
// it where it states none.
func readHead(text []byte, shape jsonShape, outer head) (head, error) {
	h := shape.head
	if !shape.whole {
		h = head{}
		if err := unmarshalHead(text, &h); err != nil {
			return h, err
		}
	}
	if h.APIVersion == "" {
		h.APIVersion = outer.APIVersion
	}
	if h.Kind == "" {
		h.Kind = outer.Kind
	}
	return h, nil
}

func unmarshalHead(text []byte, h *head) error {
	return kjson.UnmarshalCaseSensitivePreserveInts(text, h)
}

// withoutItems returns the JSON of a List with its items taken out.
func withoutItems(text []byte, shape jsonShape) []byte {
	if shape.itemsEnd == 0 {
		return text
	}
	return slices.Concat(text[:shape.itemsBegin], []byte("[]"), text[shape.itemsEnd:])
}

// decodeJSON reads a document that holds one JSON value.
func decodeJSON(d document) (r decoded) {
	shape, err := scanJSON(d.data)
	if err != nil {
		r.syntaxProblem(d, jsonMessage(d, d.data, err))
		return r
	}
	if !shape.object {
		r.problem(d, d.item, "", "expected an object, found %s", describe(d.data))
		return r
	}
	envelope := withoutItems(d.data, shape)
	if len(envelope) > maxExpandedBytes {
		r.problem(d, d.item, "", "one object of %d bytes, more than the limit of %d", len(envelope), maxExpandedBytes)
		return r
	}
	h, err := readHead(envelope, shape, head{APIVersion: d.apiVersion, Kind: d.kind})
	if err != nil {
		errs := diagnose(envelope, reflect.TypeFor[head](), lenient).errs
		if len(errs) == 0 {
			r.syntaxProblem(d, jsonMessage(d, envelope, err))
		}
		for _, e := range errs {
			r.problem(d, d.item, e.field, "%s", e.message)
		}
		return r
	}
	if h.Kind == "" {
		hint := ""
		if shape.itemsEnd > 0 {
			hint = "; kubectl prints that of a List last: is the input complete?"
		}
		r.problem(d, objectName("", h.Metadata.Namespace, h.Metadata.Name, d.item), "kind", "is missing%s", hint)
		return r
	}
	if shape.itemsEnd > 0 && strings.HasSuffix(h.Kind, "List") {
		return decodeList(d, h, shape.items)
	}
	r.decodeObject(d, h, d.data, shape.absurd)
	return r
}

// decodeList reads the items of a List one by one.
func decodeList(d document, h head, items [][]byte) (r decoded) {
	if d.nesting >= maxNesting {
		r.problem(d, d.item, "", "Lists nested deeper than %d", maxNesting)
		return r
	}
	for i, text := range items {
		one := decodeJSON(listItem(d, h, i, text))
		r.objects = append(r.objects, one.objects...)
		r.problems = append(r.problems, one.problems...)
		r.warnings = append(r.warnings, one.warnings...)
	}
	return r
}

// listItem returns the document of a List's i-th item. Items of a typed list
// such as PodList have the type that its name says.
func listItem(d document, h head, i int, text []byte) document {
	item := document{origin: d.origin, data: text, json: true, line: d.line, nesting: d.nesting + 1}
	item.item = joinField(d.item, itemName(i))
	if single := strings.TrimSuffix(h.Kind, "List"); single != "" {
		item.kind, item.apiVersion = single, h.APIVersion
	}
	return item
}

// decodeObject decodes one object into its type.
func (r *decoded) decodeObject(d document, h head, text []byte, absurd bool) {
	name := h.Metadata.Name
	if name == "" && h.Metadata.GenerateName != "" {
		name = h.Metadata.GenerateName + "*"
	}
	where := objectName(h.Kind, h.Metadata.Namespace, name, d.item)
	info, message, isError := lookupKind(h.APIVersion, h.Kind)
	switch {
	case message != "" && isError:
		r.problem(d, where, "apiVersion", "%s", message)
		return
	case message != "":
		r.warnings = append(r.warnings, warning{text: message, where: d.place(where)})
		return
	}
	if info.namespaced && h.Metadata.Namespace == "" {
		where = objectName(h.Kind, "default", name, d.item)
		if name == "" {
			where = objectName(h.Kind, "", "", d.item)
		}
	}
	strictness := lenient
	if info.kind == Kind {
		strictness = strict
	}
	value, told, warned := r.decodeValue(d, where, info, text, strictness, absurd)
	if value == nil {
		return
	}
	for _, finding := range warned {
		r.unknownField(d, info, where, finding.Error())
	}
	r.objects = append(r.objects, object{
		origin: d.origin, kind: info.kind, namespace: h.Metadata.Namespace, name: h.Metadata.Name, value: value, told: told,
	})
}

// decodeValue decodes an object into its type. What is wrong is reported; then the
// value is what can be read of the object all the same, nil if nothing can, and told
// are the fields reported. Unknown are the findings of strict decoding.
func (r *decoded) decodeValue(d document, where string, info kindInfo, text []byte, how strictness, absurd bool) (value any, told []string, unknown []error) {
	value = info.make()
	var err error
	if !absurd {
		unknown, err = kjson.UnmarshalStrict(text, value)
		if err == nil && (how == lenient || len(unknown) == 0) {
			return value, nil, unknown
		}
	}
	found := diagnose(text, reflect.TypeOf(value), how)
	if len(found.errs) == 0 && absurd { // where it does no harm
		if unknown, err = kjson.UnmarshalStrict(text, value); err == nil {
			return value, nil, unknown
		}
	}
	if len(found.errs) == 0 {
		if err == nil {
			err = unknown[0]
		}
		found.errs.add("", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	for _, e := range found.errs {
		r.problem(d, where, e.field, "%s", e.message)
	}
	if len(found.errs) >= maxProblems {
		return nil, nil, nil
	}
	value = info.make()
	if unknown, err = kjson.UnmarshalStrict(found.mended, value); err != nil {
		return nil, nil, nil
	}
	return value, found.told, unknown
}

var (
	strictMessage = regexp.MustCompile(`^(unknown|duplicate) field "(.*)"$`)
	listIndex     = regexp.MustCompile(`\[\d+\]`)
)

// unknownField turns a finding of strict decoding into a warning: live objects
// may come from a newer Kubernetes. A key that is there twice is an error. What
// nothing reads anyway (status, managed fields) is passed over.
func (r *decoded) unknownField(d document, info kindInfo, where, finding string) {
	found := strictMessage.FindStringSubmatch(finding)
	if found == nil {
		r.warnings = append(r.warnings, warning{text: info.kind + ": " + shorten(finding), where: d.place(where)})
		return
	}
	field := found[2]
	if found[1] == "duplicate" {
		r.problem(d, where, field, "is there twice")
		return
	}
	if info.partial || field == "status" || strings.HasPrefix(field, "status.") || strings.HasPrefix(field, "metadata.managedFields") {
		return
	}
	text := fmt.Sprintf("field %s of %s is unknown and not read", shorten(listIndex.ReplaceAllString(field, "[]")), info.kind)
	if hint := unknownFieldHint(reflect.TypeOf(info.make()), field); hint != "" {
		text += hint
	}
	r.warnings = append(r.warnings, warning{text: text, where: d.place(where)})
}

// place says where an object is, for warnings.
func (o origin) place(object string) string {
	return Problem{File: o.file, Document: o.document, Object: object}.String()
}

// describe says in a word or two what a JSON value is.
func describe(text []byte) string {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return "nothing"
	}
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "the text " + shortScalar(text)
	case 't', 'f':
		return "the boolean " + shortScalar(text)
	case 'n':
		return "null"
	default:
		return "the number " + shortScalar(text)
	}
}

func shortScalar(text []byte) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(string(text[:most]), "") + "..."
	}
	return string(text)
}
