package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodPod = `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec: {containers: [{name: app, image: app, resources: {requests: {cpu: "1", memory: 1Gi}}}]}
`

// podWith is a pod whose container requests so much of a resource.
func podWith(resource, quantity string) string {
	return strings.NewReplacer("cpu: \"1\"", resource+": "+quantity, ", memory: 1Gi", "").Replace(goodPod)
}

// scenarioWith is a scenario object with the given fields below spec.
func scenarioWith(spec string) string {
	return "apiVersion: binwright.dev/v1alpha1\nkind: Scenario\nmetadata: {name: test}\nspec: " + spec + "\n---\n" + goodPod
}

// Bad input: exit status 2, nothing on standard output, an error that names
// where the mistake is; never a panic, never a hang.
func TestHostileInput(t *testing.T) {
	pool := "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: default}\nspec: {template: {spec: {}}}\n"
	tests := []struct {
		name, input string
		want        []string
	}{
		{"truncated YAML", goodPod[:len(goodPod)-12], []string{"stdin"}},
		{"truncated JSON", `{"apiVersion": "v1", "kind": "Pod", "metadata": {"na`, []string{"stdin"}},
		{"not YAML at all", "\x00\x01\x02", []string{"stdin"}},
		{"nothing", "", []string{"stdin"}},
		{"cpu: 2x", podWith("cpu", "2x"), []string{"stdin", "Pod default/web", "containers[0]", "cpu", "2x"}},
		{"memory: -1Gi", podWith("memory", "-1Gi"), []string{"Pod default/web", "memory", "-1Gi"}},
		{"cpu: 1e30", podWith("cpu", "1e30"), []string{"Pod default/web", "cpu", "too large"}},
		{"deep JSON", strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), []string{"stdin"}},
		{"deep YAML", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), []string{"stdin"}},
		{"duplicate names", goodPod + "---\n" + goodPod, []string{"document 2", "Pod default/web"}},
		{"group with min above max", scenarioWith("{nodeGroups: [{name: web, instanceTypes: [m6i.large], minSize: 5, maxSize: 2}]}"), []string{"web", "min", "5", "2"}},
		{"unknown region", scenarioWith("{catalog: {provider: aws, region: eu-wset-1}}"), []string{"eu-wset-1", "eu-west-1"}},
		{"unknown instance type", scenarioWith("{nodeGroups: [{name: web, instanceTypes: [m6i.lareg], maxSize: 2}]}"), []string{"m6i.lareg", "m6i.large"}},
		{"NaN price", scenarioWith("{priceBook: {prices: [{instanceType: m5.large, price: .nan}]}}"), []string{"price"}},
		{"negative price", scenarioWith("{priceBook: {prices: [{instanceType: m5.large, price: -1}]}}"), []string{"price", "-1"}},
		{"two mistakes in one go", podWith("cpu", "2x") + "---\n" + strings.ReplaceAll(podWith("memory", "-1Gi"), "name: web", "name: db"),
			[]string{"Pod default/web", "2x", "Pod default/db", "-1Gi"}},
		{"node pool without requirements", pool + "---\n" + podWith("cpu", "2x"), []string{"cpu"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			status, out, errs := command(t, test.input, "-scenario", "-")
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

// A 100 MB file of one scalar is refused for its size, not after eating memory.
func TestHugeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("a file of 100 MB")
	}
	path := filepath.Join(t.TempDir(), "huge.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: ConfigMap\ndata: "+strings.Repeat("a", 100<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	status, _, errs := command(t, "", "-scenario", path)
	if status != exitBadInput || !strings.Contains(errs, "huge.yaml") {
		t.Errorf("status %d, stderr %.500q; want 2 and the name of the file", status, errs)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
