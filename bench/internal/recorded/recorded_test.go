package recorded

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

func files(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("BINWRIGHT_GOLDENS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "goldens")
	}
	var found []string
	for _, dir := range []string{"karpenter", "karpenter-hand"} {
		names, err := filepath.Glob(filepath.Join(root, dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, names...)
	}
	if len(found) == 0 {
		t.Skipf("no recorded cases under %s: set BINWRIGHT_GOLDENS", root)
	}
	return found
}

// TestRecordingsReadAndWrite reads each recorded outcome, brings it into canonical
// order, which it is in already, and reduces it to its shape, which another program
// recorded beside it.
func TestRecordingsReadAndWrite(t *testing.T) {
	for _, path := range files(t) {
		f, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Upstream == nil || len(f.Upstream.Shapes) == 0 {
			t.Fatalf("%s: nothing is recorded", path)
		}
		p, err := f.Input.Problem()
		if err != nil {
			t.Fatal(err)
		}
		classes, err := f.Input.RequestClasses()
		if err != nil {
			t.Fatal(err)
		}
		shapes := map[string]bool{}
		for _, v := range f.Upstream.Shapes {
			shapes[v.Shape.Key()] = true
		}
		for _, v := range f.Upstream.Exact {
			before := v.Outcome.Key()
			if after := v.Outcome.Canonical().Key(); after != before {
				t.Errorf("%s: canonical order changes the outcome", path)
			}
			if err := v.Outcome.CheckPods(f.Input.Pods); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if !shapes[v.Outcome.Shape(classes).Key()] {
				t.Errorf("%s: the shape of an outcome is not among those recorded", path)
			}
			plan, err := v.Outcome.Plan(p)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if d := Difference(&v.Outcome, FromPlan(plan)); d != "" {
				t.Errorf("%s: as a plan and back: %s", path, d)
			}
		}
	}
}

func outcome() *Outcome {
	o := &Outcome{
		NewNodes: []NewNode{
			{NodePool: "b", Pods: []string{"default/b-0"}, InstanceTypes: []string{"large", "2xlarge"}, Cheapest: &Cheapest{"large", "zone-a", "spot", 0.1}},
			{NodePool: "a", Pods: []string{"default/a-0", "default/a-1"}, InstanceTypes: []string{"large"}, Cheapest: &Cheapest{"large", "zone-b", "spot", 0.2}},
		},
		Existing:      []ExistingNode{{"node-1", []string{"default/c-0"}}},
		Unschedulable: map[string]string{"default/d-0": "too large"},
	}
	return o.Canonical()
}

func TestDifference(t *testing.T) {
	if d := Difference(outcome(), outcome()); d != "" {
		t.Errorf("equal outcomes differ: %s", d)
	}
	reworded := outcome()
	reworded.Unschedulable["default/d-0"] = "in other words"
	if d := Difference(outcome(), reworded); d != "" {
		t.Errorf("messages are no part of the identity: %s", d)
	}
	for _, tc := range []struct {
		says   string
		change func(*Outcome)
	}{
		{"unschedulable that upstream places, first default/e-0 (why)", func(o *Outcome) { o.Unschedulable["default/e-0"] = "why" }},
		{"placed that upstream refuses, first default/d-0", func(o *Outcome) { delete(o.Unschedulable, "default/d-0") }},
		{"existing node: want", func(o *Outcome) { o.Existing[0].Node = "node-2" }},
		{"existing nodes used: want 1, got 0", func(o *Outcome) { o.Existing = nil }},
		{"nodes: want 2 at 0.3 $/h, got 1 at 0.3 $/h", func(o *Outcome) { o.NewNodes = o.NewNodes[:1] }},
		{"new node 0 (a): node pool: want a, got c", func(o *Outcome) { o.NewNodes[0].NodePool = "c" }},
		{"new node 0 (a): pods", func(o *Outcome) { o.NewNodes[0].Pods = o.NewNodes[0].Pods[:1] }},
		{"new node 1 (b): instance types", func(o *Outcome) { o.NewNodes[1].InstanceTypes = nil }},
		{"new node 0 (a): requirements", func(o *Outcome) { o.NewNodes[0].Requirements = []Requirement{{Key: "x", Operator: "Exists"}} }},
		{"new node 1 (b): cheapest", func(o *Outcome) { o.NewNodes[1].Cheapest.Zone = "zone-z" }},
		{"total price: want 0.3, got 1", func(o *Outcome) { o.TotalPrice = 1 }},
	} {
		got := outcome()
		tc.change(got)
		if d := Difference(outcome(), got); !strings.Contains(d, tc.says) {
			t.Errorf("want %q, got %q", tc.says, d)
		}
	}
}

func TestCheckPods(t *testing.T) {
	var pods []*corev1.Pod
	for _, name := range []string{"a-0", "a-1", "b-0", "c-0", "d-0"} {
		p := &corev1.Pod{}
		p.Name, p.Namespace = name, "default"
		pods = append(pods, p)
	}
	if err := outcome().CheckPods(pods); err != nil {
		t.Error(err)
	}
	if err := outcome().CheckPods(pods[:4]); err == nil {
		t.Error("a pod that is none of the case's goes unnoticed")
	}
	lost := outcome()
	lost.Existing = nil
	if err := lost.CheckPods(pods); err == nil {
		t.Error("a lost pod goes unnoticed")
	}
	twice := outcome()
	twice.Existing[0].Pods = append(twice.Existing[0].Pods, "default/a-0")
	if err := twice.CheckPods(pods); err == nil {
		t.Error("a pod in two places goes unnoticed")
	}
}

// A bound hides what is excluded besides, and two bounds are two entries, as in
// the claims that Karpenter writes.
func TestListOfBounds(t *testing.T) {
	s := requirements.NewSet(
		requirements.Must("cpu", requirements.Gt, "3"), requirements.Must("cpu", requirements.Lt, "17"), requirements.Must("cpu", requirements.NotIn, "8"),
		requirements.Must("arch", requirements.NotIn, "arm64"), requirements.Must("zone", requirements.Exists).WithMinValues(2),
	)
	var b bytes.Buffer
	if err := Write(&b, List(s)); err != nil {
		t.Fatal(err)
	}
	const want = `[{"key":"arch","operator":"NotIn","values":["arm64"]},` +
		`{"key":"cpu","operator":"Gte","values":["4"]},{"key":"cpu","operator":"Lte","values":["16"]},` +
		`{"key":"zone","operator":"Exists","minValues":2}]`
	if got := strings.TrimSpace(b.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	pool := []*packing.NodePool{{}}
	bound := &corev1.Pod{}
	bound.Name, bound.Spec.NodeName = "web", "gone"
	for _, tc := range []struct {
		says string
		c    Case
	}{
		{`bound pod /web: no node "gone"`, Case{NodePools: pool, BoundPods: []*corev1.Pod{bound}}},
		{"instance type m5.large: requirements[0]", Case{NodePools: pool, InstanceTypes: []InstanceType{
			{Name: "m5.large", Requirements: []Requirement{{Key: "zone", Operator: "Near"}}},
		}}},
		{"instance type m5.large: offerings[0]: requirements[0]", Case{NodePools: pool, InstanceTypes: []InstanceType{
			{Name: "m5.large", Offerings: []Offering{{Requirements: []Requirement{{Key: "cpu", Operator: "Gt", Values: []string{"many"}}}}}},
		}}},
	} {
		if _, err := tc.c.Problem(); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("want an error with %q, got %v", tc.says, err)
		}
	}
	if _, err := Read(strings.NewReader(`{"kind": "Deployment"}`)); err == nil {
		t.Error("what is no case is read as one")
	}
}
