package main

import (
	"strings"
	"testing"
)

// TestEmbeddedDataIsUpToDate downloads the sources and compares what they give
// with what is embedded.
func TestEmbeddedDataIsUpToDate(t *testing.T) {
	if testing.Short() {
		t.Skip("it downloads the sources, 20 MB, where the module cache does not have them")
	}
	files, summary, err := generate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := check("../data", files); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(summary, "1372 types, 34 regions, 26409 prices") {
		t.Errorf("summary %q", summary)
	}
}
