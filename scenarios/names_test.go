package scenarios

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPodSuffixesAreDistinct checks what pod names rest on: no two of a million
// pods of one owner get the same suffix.
func TestPodSuffixesAreDistinct(t *testing.T) {
	seen := make(map[string]bool, 1_000_000)
	for i := range 1_000_000 {
		seen[podSuffix("web", i)] = true
	}
	require.Len(t, seen, 1_000_000)
	require.NotEqual(t, podSuffix("web", 0), podSuffix("api", 0))
	require.Regexp(t, `^[bcdfghjklmnpqrstvwxz2456789]{5}$`, podSuffix("web", 12345))
}

// TestUIDs checks form and identity: a UID is a function of kind, namespace and
// name, which cannot run into each other.
func TestUIDs(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	require.Regexp(t, uuid, string(uidFor("Pod", "default", "web")))
	require.Equal(t, uidFor("Pod", "default", "web"), uidFor("Pod", "default", "web"))
	for _, other := range []string{string(uidFor("Pod", "defaultw", "eb")), string(uidFor("Job", "default", "web")), string(uidFor("Pod", "", "default\x00web"))} {
		require.NotEqual(t, string(uidFor("Pod", "default", "web")), other)
	}
}
