package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

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

// A packer that has seen the cluster before decides, pack after pack, what one decides
// that has not. The caller may use its own slices again: only objects are known again.
func TestKarpenterPacksChangesAsAnew(t *testing.T) {
	count := 8
	if testing.Short() {
		count = 1
	}
	for _, profile := range []string{"topology", "preferences", "daemons", "existing", "hostports", "mixed", "volumes", "odd"} {
		for seed := range uint64(count) {
			p, err := cases.Generate(profile, 2000+seed)
			if err != nil {
				t.Fatal(profile, seed, err)
			}
			remembers, err := p.Packer()
			if err != nil {
				t.Fatal(p.Name, err)
			}
			rng := rand.New(rand.NewPCG(seed, 1))
			for step := range 8 {
				anew, err := p.Packer()
				if err != nil {
					t.Fatal(p.Name, err)
				}
				want, err := anew.Pack(context.Background(), p.Snapshot)
				if err != nil {
					t.Fatal(p.Name, err)
				}
				got, err := remembers.Pack(context.Background(), p.Snapshot)
				if err != nil {
					t.Fatal(p.Name, err)
				}
				if d := recorded.Difference(recorded.FromPlan(want), recorded.FromPlan(got)); d != "" {
					t.Fatalf("%s, step %d: %s", p.Name, step, d)
				}
				change(rng, p.Snapshot, want)
			}
		}
	}
}

// change is what happens to a cluster between two packs: some pods are bound where the
// plan puts them, some end, a node goes, another is labelled anew. Objects that
// were in the snapshot stay as they are.
func change(rng *rand.Rand, s *packing.Snapshot, plan *packing.Plan) {
	bound := map[*corev1.Pod]bool{}
	bind := func(n *packing.Node, pods []*corev1.Pod) *packing.Node {
		next := n
		if rng.IntN(2) == 0 {
			next = &packing.Node{Node: n.Node, Pods: slices.Clone(n.Pods), Claim: n.Claim, Price: n.Price}
		}
		for _, pod := range pods {
			if rng.IntN(2) == 0 {
				bound[pod] = true
				placed := pod.DeepCopy()
				placed.Spec.NodeName = n.Name
				next.Pods = append(next.Pods, placed)
			}
		}
		return next
	}
	places := map[string][]*corev1.Pod{}
	for _, at := range plan.Placements {
		places[at.Node.Name] = at.Pods
	}
	var nodes []*packing.Node
	for _, n := range s.Nodes {
		next := bind(n, places[n.Name])
		switch rng.IntN(12) {
		case 0:
			continue
		case 1:
			next.Node = n.Node.DeepCopy()
			next.Labels[corev1.LabelTopologyZone] = []string{"zone-a", "zone-b", "zone-c"}[rng.IntN(3)]
		case 2:
			if len(next.Pods) > 0 {
				placed := next.Pods[0].DeepCopy() // as if it had been replaced
				placed.Labels = map[string]string{"app": "other"}
				next.Pods[0] = placed
			}
		case 3:
			rng.Shuffle(len(next.Pods), func(i, j int) { next.Pods[i], next.Pods[j] = next.Pods[j], next.Pods[i] })
		}
		nodes = append(nodes, next)
	}
	for _, l := range plan.Launches {
		if l.InstanceType == nil || rng.IntN(2) == 0 {
			continue
		}
		n := packing.TemplateNode(l.InstanceType, packing.TemplateOptions{Zone: l.Zone, CapacityType: l.CapacityType})
		n.Name = fmt.Sprintf("launched-%d", rng.Uint64())
		n.Labels[corev1.LabelHostname], n.Labels[packing.LabelNodePool] = n.Name, l.NodePool.Name
		nodes = append(nodes, bind(&packing.Node{Node: n}, l.Pods))
	}
	s.Nodes = nodes
	s.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(p *corev1.Pod) bool { return bound[p] })
}
