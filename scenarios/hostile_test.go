package scenarios_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/scenarios"
)

// TestHostileInput loads what only an attacker or a broken program writes: each
// ends in an error that says what is wrong, in little time.
func TestHostileInput(t *testing.T) {
	pod := func(spec string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: " + spec + "\n"
	}
	for _, c := range []struct {
		name, text, want string
	}{
		{"10,000 lists in YAML", pod(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), "nested deeper than 128 levels"},
		{"11,000 lists in YAML", pod(strings.Repeat("[", 11_000) + strings.Repeat("]", 11_000)), "exceeded max depth"},
		{"9,000 lists in YAML", pod(strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)), "nested deeper than 128 levels"},
		{"10,000 lists without end", pod(strings.Repeat("[", 10_000)), "did not find expected node content"},
		{"10,000 mappings in YAML", pod(strings.Repeat("{a: ", 9_000) + strings.Repeat("}", 9_000)), "nested deeper than 128 levels"},
		{"10,000 dashes", strings.Repeat("- ", 9_000) + "a", "nested deeper than 128 levels"},
		{"10,000 objects in JSON", strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), "nested deeper than 128 levels"},
		{"10,000 lists in JSON", `{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}", "nested deeper than 128 levels"},
		{"Lists in Lists", strings.Repeat(`{"apiVersion":"v1","kind":"List","items":[`, 20) + strings.Repeat("]}", 20), "Lists nested deeper than 8"},
		{"aliases of a long text", "a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a,", 90_000) + "]", "with its aliases filled in it is larger than"},
		{"an exponent without end", pod(`{containers: [{name: a, resources: {requests: {cpu: 1e999999999}}}]}`), "is not a quantity"},
		{"an exponent without end, in JSON", `{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"},"status":{"allocatable":{"cpu":"1e2147483647"}}}`, "is not a quantity"},
		{"digits without end", pod(`{overhead: {cpu: "` + strings.Repeat("9", 1_000_000) + `"}, containers: [{name: a}]}`), "is not a quantity"},
		{"one object of 5 MiB", pod("{nodeSelector: {a: " + strings.Repeat("x", 5<<20) + "}}"), "more than the limit of 4194304"},
		{"one JSON object of 17 MiB", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"a":"` + strings.Repeat("x", 17<<20) + `"}}}`, "more than the limit of"},
		{"a million empty documents", strings.Repeat("---\n", 1_000_000), "no object in it"},
		{"half a million objects without kind", strings.Repeat("{}\n", 500_000), "and 499000 more"},
		{"3 million items", `{"apiVersion":"v1","kind":"List","items":[` + strings.Repeat("{},", 3_000_000) + `{}]}`, "more than 2000000 items"},
		{"many completions", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {parallelism: 2147483647, completions: 2147483647, completionMode: Indexed, template: {spec: {restartPolicy: Never, containers: [{name: a}]}}}", "more than the 1000000"},
		{"ordinals at the end", "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec: {replicas: 3, ordinals: {start: 2147483647}, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a}]}}}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			s, err := scenarios.Read(strings.NewReader(c.text), "hostile")
			require.Less(t, time.Since(start), 60*time.Second)
			if c.want == "" {
				require.NoError(t, err)
				require.Len(t, s.Snapshot.Pods, 3)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 1_000_000, "an error is for reading")
		})
	}
}

// TestHundredMegabytes loads large inputs of several shapes. In all they may
// allocate a few times their own size, most of which is reading them.
func TestHundredMegabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("large: left out by -short")
	}
	const size = 100 << 20
	for _, c := range []struct {
		name, unit, want string
	}{
		{"letters", "a", "more than the limit of"},
		{"lists in a list", "[],", "more than the limit of"},
		{"dashes", "- ", "more than the limit of"},
		{"lines", "a: b\n", "more than the limit of"},
		{"comments", "# nothing\n", "no object in it"},
		{"opening braces", "{", "nested deeper than 128 levels"},
		{"open JSON lists", `{"a":[`, "nested deeper than 128 levels"},
		{"quotes", `"`, "more than the limit of"},
		{"zeros", "\x00", "NUL byte"},
		{"ones", "\xff", "not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := scenarios.Read(io.LimitReader(&repeat{unit: bytes.Repeat([]byte(c.unit), 4096)}, size), "large")
			require.ErrorContains(t, err, c.want)
			require.Less(t, time.Since(start), 60*time.Second)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(12*size))
		})
	}
	t.Run("beyond the limit", func(t *testing.T) {
		_, err := scenarios.Read(&repeat{unit: bytes.Repeat([]byte("a: b\n"), 4096)}, "endless")
		require.ErrorContains(t, err, "larger than 268435456 bytes")
	})
}

// repeat is a reader without end.
type repeat struct {
	unit []byte
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], r.unit[r.at:])
		n, r.at = n+c, (r.at+c)%len(r.unit)
	}
	return n, nil
}

// TestReadFailure passes on what a reader says.
func TestReadFailure(t *testing.T) {
	broken := io.MultiReader(bytes.NewReader([]byte("apiVersion: v1\n")), iotestErrReader{})
	_, err := scenarios.Read(broken, "pipe")
	require.EqualError(t, err, "pipe: cannot be read: the pipe is broken")
}

type iotestErrReader struct{}

func (iotestErrReader) Read([]byte) (int, error) { return 0, fmt.Errorf("the pipe is broken") }
