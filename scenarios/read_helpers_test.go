package scenarios_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/scenarios"
)

// toJSON converts a List in YAML, item by item, to the List in JSON.
func toJSON(tb testing.TB, list []byte) []byte {
	tb.Helper()
	body := bytes.TrimPrefix(list, []byte("apiVersion: v1\nitems:\n"))
	body, _, _ = bytes.Cut(body, []byte("\nkind: List"))
	var out bytes.Buffer
	out.WriteString(`{"apiVersion":"v1","items":[`)
	for i, item := range bytes.Split(append([]byte("\n"), body...), []byte("\n- "))[1:] {
		if i > 0 {
			out.WriteByte(',')
		}
		text, err := scenarios.YAMLToJSON(append([]byte("  "), item...))
		require.NoError(tb, err)
		out.Write(text)
	}
	out.WriteString(`],"kind":"List"}`)
	return out.Bytes()
}
