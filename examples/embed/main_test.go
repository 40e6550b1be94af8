package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	var out bytes.Buffer
	if err := decide(context.Background(), pendingPods(), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "for 10 pods\n") || !strings.Contains(got, "pod monster stays: ") || strings.Count(got, "\n") != 2 {
		t.Errorf("want one launch for ten pods and a reason for the eleventh, got:\n%s", got)
	}
}
