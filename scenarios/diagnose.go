package scenarios

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
)

// strictness says whether unknown fields are mistakes.
type strictness bool

const (
	lenient strictness = false
	strict  strictness = true
)

// diagnose says, for an object that does not decode into its type, at which
// fields and why: the decoder stops at the first mistake, and does not know the
// field of a quantity. It walks text and type together, every mistake is found.
// The text is well-formed JSON; ptr is the type that it should decode into.
func diagnose(text []byte, ptr reflect.Type, how strictness) diagnosis {
	d := diagnosis{strictness: how}
	d.mended = d.value(text, ptr, "")
	return d
}

type diagnosis struct {
	strictness
	errs fieldErrors
	// mended is the text with null for what is wrong, so that the rest can be judged.
	mended json.RawMessage
	// told are the fields that mended lacks for a reason that errs gives.
	told []string
}

var (
	quantityType  = reflect.TypeFor[resource.Quantity]()
	unmarshalType = reflect.TypeFor[json.Unmarshaler]()
)

// null stands for a value that is not what was expected.
var null = json.RawMessage("null")

// wrong notes a mistake and returns what stands for the value.
func (d *diagnosis) wrong(path, format string, args ...any) json.RawMessage {
	d.errs.add(path, format, args...)
	d.told = append(d.told, path)
	return null
}

// value returns the value with null for every part of it that is wrong.
func (d *diagnosis) value(text json.RawMessage, t reflect.Type, path string) json.RawMessage {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if string(text) == "null" || len(d.errs) >= maxProblems {
		return null
	}
	if t == quantityType {
		return d.quantity(text, path)
	}
	if reflect.PointerTo(t).Implements(unmarshalType) {
		if err := json.Unmarshal(text, reflect.New(t).Interface()); err != nil {
			return d.wrong(path, "expected %s, found %s", expected(t), describe(text))
		}
		return text
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.object(text, t, path)
	case reflect.Map:
		var m map[string]json.RawMessage
		if json.Unmarshal(text, &m) != nil {
			return d.wrong(path, "expected an object, found %s", describe(text))
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			m[key] = d.value(m[key], t.Elem(), path+"["+shorten(key)+"]")
		}
		return rewritten(m)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return d.scalar(text, t, path)
		}
		var list []json.RawMessage
		if json.Unmarshal(text, &list) != nil {
			return d.wrong(path, "expected a list, found %s", describe(text))
		}
		for i, e := range list {
			list[i] = d.value(e, t.Elem(), joinField(path, fmt.Sprintf("[%d]", i)))
		}
		return rewritten(list)
	default:
		return d.scalar(text, t, path)
	}
}

// rewritten is a value in JSON whose parts are JSON already.
func rewritten(parts any) json.RawMessage {
	text, err := json.Marshal(parts)
	if err != nil {
		return null // not with parts that were parsed before
	}
	return text
}

func (d *diagnosis) scalar(text json.RawMessage, t reflect.Type, path string) json.RawMessage {
	if err := json.Unmarshal(text, reflect.New(t).Interface()); err == nil {
		return text
	}
	hint := ""
	if t.Kind() == reflect.String && len(text) > 0 && text[0] != '{' && text[0] != '[' {
		hint = " (put it in quotes)"
	}
	return d.wrong(path, "expected %s, found %s%s", expected(t), describe(text), hint)
}

func (d *diagnosis) quantity(text json.RawMessage, path string) json.RawMessage {
	token := strings.Trim(string(text), `"`)
	if !absurdNumber([]byte(token)) {
		var q resource.Quantity
		if q.UnmarshalJSON(text) == nil {
			return text
		}
	}
	return d.wrong(path, "%s is not a quantity (such as 500m, 2 or 1Gi)", shortScalar([]byte(fmt.Sprintf("%q", token))))
}

func (d *diagnosis) object(text json.RawMessage, t reflect.Type, path string) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(text, &m) != nil {
		return d.wrong(path, "expected an object, found %s", describe(text))
	}
	fields := map[string]reflect.Type{}
	jsonFields(t, fields)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		field, known := fields[key]
		switch {
		case known:
			m[key] = d.value(m[key], field, joinField(path, keyField(key)))
		case d.strictness == strict:
			known := slices.Sorted(maps.Keys(fields))
			d.errs.add(joinField(path, keyField(key)), "is an unknown field%s", didYouMean(key, known))
			if near := instancetypes.Nearest(key, known); near != "" {
				d.told = append(d.told, joinField(path, keyField(near)))
			}
			delete(m, key)
		}
	}
	return rewritten(m)
}

// jsonFields collects the fields of a struct by their JSON names, those of
// embedded structs included.
func jsonFields(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		inline := strings.Contains(options, "inline") || f.Anonymous && name == ""
		switch {
		case inline && f.Type.Kind() == reflect.Struct:
			jsonFields(f.Type, into)
		case !f.IsExported() || name == "-":
		case name == "":
			into[f.Name] = f.Type
		default:
			into[name] = f.Type
		}
	}
}

// unknownFieldHint suggests the known field nearest to an unknown one, which is
// given by its path.
func unknownFieldHint(t reflect.Type, path string) string {
	parts := strings.Split(listIndex.ReplaceAllString(path, ""), ".")
	for i, part := range parts {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return ""
		}
		fields := map[string]reflect.Type{}
		jsonFields(t, fields)
		if i == len(parts)-1 {
			return didYouMean(part, slices.Sorted(maps.Keys(fields)))
		}
		next, ok := fields[part]
		if !ok {
			return ""
		}
		t = next
	}
	return ""
}

// expected names a type as a user knows it.
func expected(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]():
		return "a time such as 2026-01-31T12:00:00Z"
	case reflect.TypeFor[metav1.Duration](), reflect.TypeFor[time.Duration]():
		return "a duration such as 10m"
	case reflect.TypeFor[packing.NillableDuration]():
		return "a duration such as 720h, or Never"
	case reflect.TypeFor[intstr.IntOrString]():
		return "a whole number or a percentage"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number of %d bits", t.Bits())
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a value of another type"
	}
}
