package scenarios_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/scenarios"
)

// TestHeads reads objects whose type and name are written in unusual ways.
func TestHeads(t *testing.T) {
	const spec = `,"spec":{"containers":[{"name":"a"}]}}`
	for _, c := range []struct {
		name, text, want string // want is an error, or the pod's name
	}{
		{"in order", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}` + spec, "x"},
		{"last", `{"spec":{"containers":[{"name":"a","env":[{"name":"kind","value":"metadata"}]}]},"metadata":{"labels":{"name":"no"},"name":"x"},"kind":"Pod","apiVersion":"v1"}`, "x"},
		{"with escapes", `{"apiVersion":"v1","kind":"P\u006fd","metadata":{"name":"\u0078"}` + spec, "x"},
		{"null", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","namespace":null}` + spec, "x"},
		{"kind is an object", `{"apiVersion":"v1","kind":{"name":"Pod"},"metadata":{"name":"x"}` + spec, "input: document 1: kind: expected text, found an object"},
		{"kind is a list", `{"apiVersion":"v1","kind":["Pod"],"metadata":{"name":"x"}` + spec, "input: document 1: kind: expected text, found a list"},
		{"kind is a number", `{"apiVersion":"v1","kind":1,"metadata":{"name":"x"}` + spec, "input: document 1: kind: expected text, found the number 1 (put it in quotes)"},
		{"metadata is a text", `{"apiVersion":"v1","kind":"Pod","metadata":"name"` + spec, `input: document 1: metadata: expected an object, found the text "name"`},
		{"metadata is a list", `{"apiVersion":"v1","kind":"Pod","metadata":["name","x"]` + spec, "input: document 1: metadata: expected an object, found a list"},
		{"metadata is null", `{"apiVersion":"v1","kind":"Pod","metadata":null` + spec, "input: document 1: Pod: metadata.name: is missing"},
		{"name is an object", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":{"kind":"x"}}` + spec, "input: document 1: metadata.name: expected text, found an object"},
		{"twice", `{"apiVersion":"v1","kind":"Pod","kind":"Pod","metadata":{"name":"x"}` + spec, "input: document 1: Pod default/x: kind: is there twice"},
		{"no kind, with items", `{"apiVersion":"v1","items":[{"kind":"Pod"}]}`, "input: document 1: kind: is missing; kubectl prints that of a List last: is the input complete?"},
		{"an item without type", `{"apiVersion":"v1","kind":"List","items":[{"metadata":{"name":"x"}}]}`, "input: document 1: x: kind: is missing"},
		{"an item that is none", `{"apiVersion":"v1","kind":"List","items":[5,"a"]}`, "input: document 1: items[0]: expected an object, found the number 5\ninput: document 1: items[1]: expected an object, found the text \"a\""},
		{"comma before the items", `{"apiVersion":"v1","kind":"List","items":[,]}`, "input: document 1: line 1, column 43: unexpected ','"},
		{"a stray bracket", `{"apiVersion":"v1"]}`, "input: document 1: line 1, column 19: unexpected ']'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := scenarios.Read(strings.NewReader(c.text), "input")
			if strings.HasPrefix(c.want, "input") {
				require.EqualError(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, s.Snapshot.Pods[0].Name)
		})
	}
}
