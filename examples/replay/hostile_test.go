package main

import (
	"strings"
	"testing"
	"time"
)

const goodPod = `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec: {containers: [{name: app, image: app, resources: {requests: {cpu: "1", memory: 1Gi}}}]}
`

const goodJob = `apiVersion: batch/v1
kind: Job
metadata: {name: work, namespace: default}
spec:
  suspend: true
  template:
    spec: {restartPolicy: Never, containers: [{name: app, image: app, resources: {requests: {cpu: "1", memory: 1Gi}}}]}
`

// timelineWith is a scenario with the given fields below spec.timeline.
func timelineWith(fields string) string {
	return "apiVersion: binwright.dev/v1alpha1\nkind: Scenario\nmetadata: {name: test}\nspec: {timeline: {" + fields + "}}\n---\n" + goodJob
}

// Bad input: exit status 2, nothing on standard output, an error that names where
// the mistake is; never a panic, never a hang.
func TestHostileInput(t *testing.T) {
	runs := "runs: {constant: 1m}"
	tests := []struct {
		name, input string
		want        []string
	}{
		{"nothing", "", []string{"stdin"}},
		{"not YAML at all", "\x00\x01\x02", []string{"stdin"}},
		{"truncated YAML", goodPod[:len(goodPod)-12], []string{"stdin"}},
		{"truncated JSON", `{"apiVersion": "v1", "kind": "Po`, []string{"stdin"}},
		{"cpu: 2x", strings.ReplaceAll(goodPod, `"1"`, "2x"), []string{"Pod default/web", "2x"}},
		{"a timeline without an end", timelineWith("jobs: [{name: work, arrivals: {poisson: {perHour: 5}}, " + runs + "}]"), []string{"timeline.for"}},
		{"a timeline that ends before it starts", timelineWith("for: -1h"), []string{"timeline.for", "-1h"}},
		{"a timeline of a lifetime", timelineWith("for: 1000000h"), []string{"timeline.for"}},
		{"no duration", timelineWith("for: 1 day"), []string{"timeline.for", "1 day"}},
		{"a Deployment that is not there", timelineWith("for: 1h, deployments: [{name: shop/web, rollouts: [10m]}]"), []string{"timeline.deployments[0]", "shop/web"}},
		{"a Job that is not there", timelineWith("for: 1h, jobs: [{name: wrok, arrivals: {poisson: {perHour: 5}}, " + runs + "}]"), []string{"timeline.jobs[0]", "wrok"}},
		{"negative rates", timelineWith("for: 1h, jobs: [{name: work, arrivals: {poisson: {perHour: -5}}, " + runs + "}]"), []string{"timeline.jobs[0]", "-5"}},
		{"two mistakes in one go", timelineWith("for: -1h, jobs: [{name: wrok}]"), []string{"-1h", "wrok"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			status, out, errs := command(t, test.input, "-scenario", "-", "-for", "1h")
			if status != exitBadInput || out != "" {
				t.Errorf("status %d, stdout %.200q; want 2 and nothing", status, out)
			}
			for _, want := range test.want {
				if !strings.Contains(errs, want) {
					t.Errorf("stderr lacks %q:\n%.2000s", want, errs)
				}
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
