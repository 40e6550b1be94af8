package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
)

// maxExpandedBytes bounds the JSON of one YAML object: aliases can make it
// larger than its text.
const maxExpandedBytes = 4 * MaxObjectBytes

// yamlToJSON converts one YAML document to JSON as sigs.k8s.io/yaml does
// (YAML 1.1: yes and on are booleans), with bounds on depth and size. Values that
// have no JSON form (infinity, a number that is none) become null; the error then
// is a [*fieldProblems] that says where, beside the JSON, so that what else is
// wrong can be told as well. The text is at most MaxObjectBytes long. Lines in
// errors count from the start of text.
func yamlToJSON(text []byte) ([]byte, error) {
	if out, ok := blockYAML(text); ok {
		return out, nil
	}
	return fullYAML(text)
}

// fullYAML is yamlToJSON for any YAML.
func fullYAML(text []byte) ([]byte, error) {
	unmarshal := yaml.UnmarshalStrict
	if bytes.Contains(text, []byte("<<")) {
		// Strict decoding takes a merged key that is then overridden for a duplicate.
		unmarshal = yaml.Unmarshal
	}
	var tree any
	if err := unmarshal(text, &tree); err != nil {
		return nil, err
	}
	c := yamlConverter{}
	if err := c.value(tree, 0); err != nil {
		c.out, c.problems = nil, append(c.problems, *err)
	}
	if len(c.problems) > 0 {
		return c.out, &fieldProblems{fieldErrors: c.problems, object: treeName(tree)}
	}
	return c.out, nil
}

// treeName names the object of a YAML tree that cannot be decoded further.
func treeName(tree any) string {
	text := func(v any, key string) string {
		m, ok := v.(map[any]any)
		if !ok {
			return ""
		}
		s, ok := m[key].(string)
		if !ok {
			return ""
		}
		return s
	}
	root, ok := tree.(map[any]any)
	if !ok || text(tree, "kind") == "" {
		return ""
	}
	return objectName(text(tree, "kind"), text(root["metadata"], "namespace"), text(root["metadata"], "name"), "")
}

// yamlConverter writes a decoded YAML tree as JSON.
type yamlConverter struct {
	out      []byte
	path     []string    // of the value being written, for errors
	problems fieldErrors // values without a JSON form
}

func (c *yamlConverter) fail(format string, args ...any) *fieldError {
	path := ""
	for _, p := range c.path {
		path = joinField(path, p)
	}
	return &fieldError{path, fmt.Sprintf(format, args...)}
}

// null stands for a value that has no JSON form, and notes why.
func (c *yamlConverter) null(format string, args ...any) {
	if len(c.problems) <= maxProblems {
		c.problems = append(c.problems, *c.fail(format, args...))
	}
	c.out = append(c.out, "null"...)
}

// fieldProblems is an error that knows the fields of one object that are wrong.
type fieldProblems struct {
	fieldErrors
	object string // its name, if that is known
}

func (e *fieldProblems) Error() string {
	lines := make([]string, len(e.fieldErrors))
	for i, f := range e.fieldErrors {
		lines[i] = joinField(f.field, f.message)
	}
	return strings.Join(lines, "\n")
}

// value writes a value. It returns an error where the whole tree cannot be used.
func (c *yamlConverter) value(v any, depth int) *fieldError {
	if depth > maxDepth {
		c.path = c.path[:3]
		return c.fail("nested deeper than %d levels", maxDepth)
	}
	if len(c.out) > maxExpandedBytes {
		c.path = nil
		return c.fail("with its aliases filled in it is larger than %d bytes", maxExpandedBytes)
	}
	switch v := v.(type) {
	case nil:
		c.out = append(c.out, "null"...)
	case bool:
		c.out = strconv.AppendBool(c.out, v)
	case int:
		c.out = strconv.AppendInt(c.out, int64(v), 10)
	case int64:
		c.out = strconv.AppendInt(c.out, v, 10)
	case uint64:
		c.out = strconv.AppendUint(c.out, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			c.null("%v is not a number that can be used", v)
			return nil
		}
		text, err := json.Marshal(v)
		if err != nil {
			return c.fail("%v", err)
		}
		c.out = append(c.out, text...)
	case string:
		return c.text(v)
	case []any:
		return c.list(v, depth)
	case map[any]any:
		return c.object(v, depth)
	default:
		c.null("a value of type %T has no form in JSON", v)
	}
	return nil
}

func (c *yamlConverter) text(s string) *fieldError {
	if plainText(s) {
		c.out = append(append(append(c.out, '"'), s...), '"')
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return c.fail("%v", err)
	}
	c.out = append(c.out, text...)
	return nil
}

// plainText reports whether a string needs no escapes in JSON.
func plainText(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < 0x20 || b >= 0x7f || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

func (c *yamlConverter) list(v []any, depth int) *fieldError {
	c.out = append(c.out, '[')
	for i, e := range v {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.path = append(c.path, "["+strconv.Itoa(i)+"]")
		if err := c.value(e, depth+1); err != nil {
			return err
		}
		c.path = c.path[:len(c.path)-1]
	}
	c.out = append(c.out, ']')
	return nil
}

func (c *yamlConverter) object(v map[any]any, depth int) *fieldError {
	type entry struct {
		key   string
		value any
	}
	entries := make([]entry, 0, len(v))
	for k, e := range v {
		key, err := c.key(k)
		if err != nil {
			return err
		}
		entries = append(entries, entry{key, e})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	c.out = append(c.out, '{')
	for i, e := range entries {
		if i > 0 {
			if e.key == entries[i-1].key {
				return c.fail("key %q is there twice", e.key)
			}
			c.out = append(c.out, ',')
		}
		if err := c.text(e.key); err != nil {
			return err
		}
		c.out = append(c.out, ':')
		c.path = append(c.path, keyField(e.key))
		if err := c.value(e.value, depth+1); err != nil {
			return err
		}
		c.path = c.path[:len(c.path)-1]
	}
	c.out = append(c.out, '}')
	return nil
}

// key returns the JSON form of a mapping's key.
func (c *yamlConverter) key(k any) (string, *fieldError) {
	switch k := k.(type) {
	case string:
		return k, nil
	case bool:
		return strconv.FormatBool(k), nil
	case int:
		return strconv.Itoa(k), nil
	case int64:
		return strconv.FormatInt(k, 10), nil
	case uint64:
		return strconv.FormatUint(k, 10), nil
	case float64:
		return strconv.FormatFloat(k, 'g', -1, 64), nil
	case nil:
		return "null", nil
	}
	return "", c.fail("a key of type %T has no form in JSON", k)
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// yamlMessages turns an error of the YAML parser into messages with line
// numbers of the file, of which offset lines stand before the text parsed.
func yamlMessages(err error, text []byte, offset int) []string {
	var several *yaml.TypeError
	lines := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if errors.As(err, &several) {
		lines = several.Errors[:min(len(several.Errors), maxProblems)]
	}
	for i, message := range lines {
		lines[i] = yamlLine.ReplaceAllStringFunc(message, func(found string) string {
			n, err := strconv.Atoi(yamlLine.FindStringSubmatch(found)[1])
			if err != nil {
				return found
			}
			return fmt.Sprintf("line %d: ", n+offset)
		})
	}
	switch {
	case bytes.Contains(text, []byte("{{")):
		lines[0], _, _ = strings.Cut(lines[0], ": map[")
		lines[0] += " (this looks like a template: render it first, for instance with helm template)"
	case strings.Contains(lines[0], "cannot start any token") && bytes.IndexByte(text, '\t') >= 0:
		lines[0] += " (YAML is indented by spaces, not tabs)"
	}
	return lines
}
