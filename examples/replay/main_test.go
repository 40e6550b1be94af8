package main

import (
	"bytes"
	"strings"
	"testing"
)

// checkWidth says that every line fits a screen of 120 columns.
func checkWidth(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestOneHourOfTheDay(t *testing.T) {
	out := played(t, "-for", "1h")
	for _, want := range []string{"karpenter", "cluster-autoscaler", "cost, $", "wait until bound"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	checkWidth(t, out)
}

func TestSameSeedSameBytes(t *testing.T) {
	args := []string{"-for", "1h", "-format", "json", "-seed", "3"}
	if a, b := played(t, args...), played(t, args...); a != b {
		t.Error("two replays of one seed differ")
	}
}

func TestBadUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-scenario", "dax"}, "day"},
		{[]string{"-scenario", "web-fleet"}, "-for"},
		{[]string{"-for", "-1h"}, "for"},
		{[]string{"-format", "xml"}, "format"},
		{[]string{"-decision-time", "never"}, "decision"},
		{[]string{"-scenario", "no-such-file.csv"}, "no-such-file.csv"},
	} {
		var out, errs bytes.Buffer
		if status := run(c.args, strings.NewReader(""), &out, &errs); status != 2 || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%v: status %d, says %q", c.args, status, errs.String())
		}
	}
}

// played returns what the program prints.
func played(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(args, strings.NewReader(""), &out, &errs); status != exitOK {
		t.Fatalf("%v: status %d: %s", args, status, errs.String())
	}
	return out.String()
}
