package cases

import (
	"bytes"
	"testing"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/packing/resources"
)

// text returns a problem as it is recorded.
func text(t *testing.T, profile string, seed uint64) string {
	t.Helper()
	p, err := Generate(profile, seed)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := recorded.Write(&b, recorded.File{Input: p.Case()}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSameSeedSameProblem(t *testing.T) {
	for _, profile := range Profiles() {
		for seed := range uint64(6) {
			if first, second := text(t, profile, seed), text(t, profile, seed); first != second {
				t.Fatalf("%s-%d differs from itself", profile, seed)
			}
		}
		if text(t, profile, 1) == text(t, profile, 2) {
			t.Errorf("%s does not depend on the seed", profile)
		}
	}
}

// TestProblemsSurviveRecording writes problems and reads them back: what is
// recorded must be the problem that was solved.
func TestProblemsSurviveRecording(t *testing.T) {
	for _, profile := range Profiles() {
		for seed := range uint64(6) {
			written := text(t, profile, seed)
			file, err := recorded.Read(bytes.NewBufferString(written))
			if err != nil {
				t.Fatalf("%s-%d: %v", profile, seed, err)
			}
			p, err := file.Input.Problem()
			if err != nil {
				t.Fatal(err)
			}
			var again bytes.Buffer
			if err := recorded.Write(&again, recorded.File{Input: p.Case()}); err != nil {
				t.Fatal(err)
			}
			if again.String() != written {
				t.Errorf("%s-%d changes when it is read and written again", profile, seed)
			}
		}
	}
}

// TestProblemsAreSound checks what Kubernetes would have checked: every pod has
// an identity of its own, every node holds what is bound to it.
func TestProblemsAreSound(t *testing.T) {
	for _, profile := range Profiles() {
		for seed := range uint64(15) {
			p, err := Generate(profile, seed)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Snapshot.Pods) == 0 || len(p.NodePools) == 0 || len(p.Catalog.Types()) < 2 {
				t.Errorf("%s: %d pods, %d pools, %d types", p.Name, len(p.Snapshot.Pods), len(p.NodePools), len(p.Catalog.Types()))
			}
			seen := map[string]bool{}
			for _, pod := range p.Snapshot.Pods {
				if seen[string(pod.UID)] || seen[pod.Namespace+"/"+pod.Name] {
					t.Errorf("%s: pod %s is there twice", p.Name, pod.Name)
				}
				seen[string(pod.UID)], seen[pod.Namespace+"/"+pod.Name] = true, true
			}
			for _, n := range p.Snapshot.Nodes {
				var used resources.Vector
				for _, pod := range n.Pods {
					v, err := resources.PodRequests(pod)
					if err != nil {
						t.Fatalf("%s: %v", p.Name, err)
					}
					used = used.Add(v)
				}
				if over, ok := used.FirstOver(resources.MustFromList(n.Status.Allocatable)); ok && profile != "hostports" && len(p.Snapshot.DaemonSets) == 0 {
					t.Errorf("%s: node %s holds too much %s", p.Name, n.Name, over)
				}
			}
		}
	}
}

func TestUnknownProfile(t *testing.T) {
	if _, err := Generate("nonsense", 1); err == nil {
		t.Error("a profile that does not exist was generated")
	}
}
