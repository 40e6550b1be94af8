package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/binwright/binwright/bench/internal/cases"
	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
)

// Where the original always decides the same, so do we.
func TestKarpenterDecidesAsRecorded(t *testing.T) {
	for _, sub := range []string{"karpenter", "karpenter-hand"} {
		for _, path := range goldens(t, sub) {
			name := filepath.Base(path[:len(path)-len(".json")])
			t.Run(name, func(t *testing.T) {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				res, err := compareKarpenter(data)
				if err != nil {
					t.Fatal(err)
				}
				if res.verdict == differs {
					t.Errorf("%s: %s", res.verdict, res.difference)
				}
			})
		}
	}
}

// quirky are rules of Kubernetes that Karpenter's own decisions can break: it
// counts a spread over domains that it could open, counts only pods whose domain
// is certain, and overlooks daemon pods (see karpenter.DaemonPodsMutate; labels that
// are not well known; host ports of those yet to come to a node that is there).
var quirky = []packing.Rule{packing.RuleTopologySpread, packing.RulePodAffinity, packing.RuleDaemons}

// Every plan of a random problem keeps the rules and loses no pod, and the same
// problem gets the same plan from a packer that has packed others before.
func TestKarpenterPlansKeepTheRules(t *testing.T) {
	count := 12
	if testing.Short() {
		count = 2
	}
	for _, profile := range cases.Profiles() {
		for seed := range uint64(count) {
			name := fmt.Sprintf("%s-%d", profile, seed)
			p, err := cases.Generate(profile, seed)
			if err != nil {
				t.Fatal(name, err)
			}
			packer, err := p.Packer()
			if err != nil {
				t.Fatal(name, err)
			}
			var first string
			for range 2 {
				plan, err := packer.Pack(context.Background(), p.Snapshot)
				if err != nil {
					t.Fatal(name, err)
				}
				checkPlan(t, name, p, plan)
				if key := recorded.FromPlan(plan).Key(); first == "" {
					first = key
				} else if key != first {
					t.Errorf("%s: a second pack decided differently", name)
				}
			}
		}
	}
}

func checkPlan(t *testing.T, name string, p *recorded.Problem, plan *packing.Plan) {
	t.Helper()
	if got, want := plan.PodCount()+len(plan.Unschedulable), len(p.Snapshot.Pods); got != want {
		t.Errorf("%s: %d pods in the plan, %d in the snapshot", name, got, want)
	}
	for _, u := range plan.Unschedulable {
		if len(u.Reasons) == 0 {
			t.Errorf("%s: pod %s has no place and no reason", name, u.Pod.Name)
		}
	}
	for _, v := range packing.Verify(p.Snapshot, plan) {
		if !slices.Contains(quirky, v.Rule) {
			t.Errorf("%s: %s", name, v)
		}
	}
}

// What the engine finds with its buckets of hosts is what asking every node and
// claim in order finds, which is how a pod is explained.
func TestKarpenterFindsWhatAskingInOrderFinds(t *testing.T) {
	count := 6
	if testing.Short() {
		count = 1
	}
	for _, profile := range cases.Profiles() {
		for seed := range uint64(count) {
			p, err := cases.Generate(profile, 1000+seed)
			if err != nil {
				t.Fatal(profile, seed, err)
			}
			p.Name = fmt.Sprintf("%s-%d", profile, 1000+seed)
			checkFinds(t, p)
		}
	}
	// So many claims that their order is known without sorting.
	for _, mix := range cases.Mixes {
		p, err := cases.Scale(mix, 300)
		if err != nil {
			t.Fatal(mix, err)
		}
		checkFinds(t, p)
	}
}

func checkFinds(t *testing.T, p *recorded.Problem) {
	t.Helper()
	packer, err := p.Packer()
	if err != nil {
		t.Fatal(p.Name, err)
	}
	e, err := packer.Explain(context.Background(), p.Snapshot, p.Snapshot.Pods...)
	if err != nil {
		t.Fatal(p.Name, err)
	}
	places := placesOf(e.Plan)
	for _, pod := range e.Pods {
		want, said := places[pod.Pod.Name+pod.Pod.Namespace], ""
		for _, a := range pod.Attempts {
			if at := a.Placed(); at != nil {
				said = at.Name
				if at.Kind == karpenter.NewNodeClaim && want != nil {
					said = want.launch(at.Name)
				}
			}
		}
		if got := want.String(); got != said {
			t.Errorf("%s: pod %s is on %q, asking in order finds %q", p.Name, pod.Pod.Name, got, said)
		}
	}
}

// place is where a plan puts a pod.
type place struct{ name, pool string }

func (p *place) String() string {
	if p == nil {
		return ""
	}
	return p.name
}

// launch returns the name of the launch if it is of the pool.
func (p *place) launch(pool string) string {
	if p.pool == pool {
		return p.name
	}
	return "a new node of " + pool
}

func placesOf(plan *packing.Plan) map[string]*place {
	out := map[string]*place{}
	for _, l := range plan.Launches {
		for _, pod := range l.Pods {
			out[pod.Name+pod.Namespace] = &place{l.Name, l.NodePool.Name}
		}
	}
	for _, pl := range plan.Placements {
		for _, pod := range pl.Pods {
			out[pod.Name+pod.Namespace] = &place{name: pl.Node.Name}
		}
	}
	return out
}
