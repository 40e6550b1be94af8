package scenarios_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing/resources"
	"github.com/binwright/binwright/scenarios"
)

// seeds adds every file below the directories to a corpus.
func seeds(f *testing.F, dirs ...string) {
	f.Helper()
	added := 0
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			if ext := filepath.Ext(file); ext == ".golden" || ext == "" {
				continue // a golden file or a directory
			}
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
			added++
		}
	}
	if added == 0 {
		f.Fatal("no seeds")
	}
}

// FuzzRead loads any bytes as manifests. Whatever they are, the loader returns:
// with a LoadError whose problems have messages, or with a scenario that holds
// together.
func FuzzRead(f *testing.F) {
	seeds(f, "testdata/manifests", "testdata/mistakes", "library")
	small := smallCatalog(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		opts := []scenarios.Option{scenarios.WithMaxPods(2000)}
		if !bytes.Contains(text, []byte("catalog")) {
			opts = append(opts, scenarios.WithCatalog(small)) // for more tries a second
		}
		s, err := scenarios.Read(bytes.NewReader(text), "fuzz", opts...)
		if err != nil {
			checkLoadError(t, err)
			return
		}
		checkScenario(t, s)
		again, err := scenarios.Read(bytes.NewReader(text), "fuzz", opts...)
		if err != nil || len(again.Snapshot.Pods) != len(s.Snapshot.Pods) {
			t.Fatalf("the second reading differs: %v", err)
		}
		for i, p := range s.Snapshot.Pods {
			if p.UID != again.Snapshot.Pods[i].UID {
				t.Fatalf("pod %d: %s, then %s", i, p.Name, again.Snapshot.Pods[i].Name)
			}
		}
	})
}

// FuzzReadTrace loads any bytes as a trace.
func FuzzReadTrace(f *testing.F) {
	seeds(f, "testdata/traces")
	small := smallCatalog(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenarios.ReadTrace(bytes.NewReader(text), "fuzz", scenarios.WithMaxPods(2000), scenarios.WithCatalog(small))
		if err != nil {
			checkLoadError(t, err)
			return
		}
		checkScenario(t, s)
		if len(s.Timeline) != len(s.Snapshot.Pods) {
			t.Fatalf("%d lifetimes of %d pods", len(s.Timeline), len(s.Snapshot.Pods))
		}
	})
}

// smallCatalog returns a few types of AWS us-east-1.
func smallCatalog(f *testing.F) *instancetypes.Catalog {
	f.Helper()
	c, err := aws.Load("us-east-1")
	if err != nil {
		f.Fatal(err)
	}
	return c.Filter(func(t *instancetypes.InstanceType) bool {
		return strings.HasPrefix(t.Name, "m5.") || t.Name == "c5.xlarge" || t.Name == "r6i.2xlarge" || t.Name == "g4dn.xlarge"
	})
}

func checkLoadError(t *testing.T, err error) {
	t.Helper()
	var load *scenarios.LoadError
	if !errors.As(err, &load) || len(load.Problems) == 0 {
		t.Fatalf("not a LoadError with problems: %v", err)
	}
	for _, p := range load.Problems {
		if p.File == "" || p.Message == "" {
			t.Fatalf("a problem without file or message: %#v", p)
		}
	}
}

func checkScenario(t *testing.T, s *scenarios.Scenario) {
	t.Helper()
	if s.Catalog == nil || s.Snapshot == nil {
		t.Fatal("no catalog or no snapshot")
	}
	pods := sets.New[string]()
	all := s.Snapshot.Pods
	for _, n := range s.Snapshot.Nodes {
		all = append(all, n.Pods...)
		if _, err := resources.FromList(n.Status.Allocatable); err != nil {
			t.Fatalf("node %s: %v", n.Name, err)
		}
		for _, p := range n.Pods {
			if p.Spec.NodeName != n.Name {
				t.Fatalf("pod %s is bound to %s and on %s", p.Name, p.Spec.NodeName, n.Name)
			}
		}
	}
	for _, p := range all {
		name := p.Namespace + "/" + p.Name
		if pods.Has(name) {
			t.Fatalf("pod %s is there twice", name)
		}
		pods.Insert(name)
		if p.UID == "" || p.Spec.Priority == nil {
			t.Fatalf("pod %s is not complete", name)
		}
		if _, err := resources.PodRequests(p); err != nil {
			t.Fatalf("pod %s: %v", name, err)
		}
	}
	for _, p := range s.NodePools {
		if _, err := p.Requirements(); err != nil {
			t.Fatalf("node pool %s: %v", p.Name, err)
		}
	}
	for _, g := range s.NodeGroups {
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzBlockYAML holds the fast parser of kubectl's YAML to the full one: what it
// accepts, the full one reads alike.
func FuzzBlockYAML(f *testing.F) {
	seeds(f, "testdata/manifests", "testdata/mistakes", "library")
	f.Add(liveList(1))
	for _, text := range []string{
		"a: |\n  x\n   y\n\n  z\nb: |-\n  x\n\n", "a:\n- b\n-   c: d\n    e: f\ng: 1\n", "a: 'x'\nb: \"y\"\nc: 10.0.0.1\n",
		"a: 5d8f7c9b5d\nb: 1e5\nc: 0x1f\nd: 007\ne: -1\nf: 1b0d-00-11\n", "a: yes\nb: true\nc: ~\n", "a:\n\n# c\n  b: c\n", "a: b\n c: d\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fast, ok := scenarios.BlockYAML(text)
		if !ok {
			return
		}
		full, err := scenarios.FullYAML(text)
		if err != nil {
			t.Fatalf("read as %s, but: %v", fast, err)
		}
		var a, b any
		if err := json.Unmarshal(fast, &a); err != nil {
			t.Fatalf("%s: %v", fast, err)
		}
		if err := json.Unmarshal(full, &b); err != nil {
			t.Fatalf("%s: %v", full, err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("read as %s, but is %s", fast, full)
		}
	})
}
