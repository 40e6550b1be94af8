package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
)

// Every embedded scenario packs on every engine: all pods are placed, none is
// lost, the referee finds nothing, and a second run says the same. The one pod
// that may be left is one with volumes on an engine that says it does not model them.
func TestLibraryPacks(t *testing.T) {
	for _, name := range scenarios.Names() {
		s, err := scenarios.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range Engines() {
			t.Run(name+"/"+e.Name, func(t *testing.T) {
				plan := packOnce(t, s, e)
				if got := plan.PodCount() + len(plan.Unschedulable); got != len(s.Snapshot.Pods) {
					t.Errorf("placed %d and left %d of %d pods", plan.PodCount(), len(plan.Unschedulable), len(s.Snapshot.Pods))
				}
				for i, u := range plan.Unschedulable {
					if i < 3 && !volumesNotModelled(u) {
						t.Errorf("left %s/%s: %v", u.Pod.Namespace, u.Pod.Name, u.Reasons)
					}
				}
				for _, v := range packing.Verify(s.Snapshot, plan) {
					t.Errorf("violation: %v", v)
				}
				require.Equal(t, outline(plan), outline(packOnce(t, s, e)), "a second run says the same")
			})
		}
	}
}

// A workload that states every constraint at once is placed or refused with a
// reason, never lost, and never against the rules.
func TestGeneratedScenarioPacks(t *testing.T) {
	for _, w := range []scenarios.Workload{
		scenarios.Plain(1, 1000), scenarios.Diverse(2, 500), scenarios.Preferences(3, 200),
		{Seed: 4, Pods: 600, Deployments: 40, SizeSkew: 1, Shares: scenarios.Shares{
			ZonalSpread: 0.2, HostnameSpread: 0.1, ZonalAffinity: 0.1, HostnameAntiAffinity: 0.1,
			NodeSelector: 0.3, Tolerations: 0.3, Preferences: 0.2, HostPorts: 0.05, Spot: 0.3,
		}},
	} {
		s, err := scenarios.GenerateScenario(w)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range Engines() {
			t.Run(fmt.Sprintf("seed=%d/%s", w.Seed, e.Name), func(t *testing.T) {
				plan := packOnce(t, s, e)
				if got := plan.PodCount() + len(plan.Unschedulable); got != w.Pods {
					t.Errorf("placed %d and left %d of %d pods", plan.PodCount(), len(plan.Unschedulable), w.Pods)
				}
				for i, u := range plan.Unschedulable {
					if len(u.Reasons) == 0 {
						t.Errorf("no reason why %s was left", u.Pod.Name)
					}
					if i < 3 {
						t.Errorf("left %s: %v", u.Pod.Name, u.Reasons)
					}
				}
				for _, v := range packing.Verify(s.Snapshot, plan) {
					t.Errorf("violation: %v", v)
				}
			})
		}
	}
}

// volumesNotModelled reports whether a pod with volumes was left for no other
// reason than that the engine does not model something.
func volumesNotModelled(u packing.Unschedulable) bool {
	return len(u.Pod.Spec.Volumes) > 0 && len(u.Reasons) > 0 &&
		!slices.ContainsFunc(u.Reasons, func(r packing.Reason) bool { return r.Kind != packing.NotSupported })
}

func packOnce(t *testing.T, s *scenarios.Scenario, e Engine) *packing.Plan {
	t.Helper()
	p, err := e.New(s)
	if errors.Is(err, scenarios.ErrNotApplicable) {
		t.Fatalf("an embedded scenario is for both engines: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Pack(context.Background(), s.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// outline is what a plan decides, a line each launch, placement and pod left.
func outline(p *packing.Plan) []string {
	var lines []string
	for _, l := range p.Launches {
		instanceType := ""
		if l.InstanceType != nil {
			instanceType = l.InstanceType.Name
		}
		line := fmt.Sprintf("%s of %s: %s in %s, %s at %v", l.Name, l.Owner(), instanceType, l.Zone, l.CapacityType, l.Price)
		for _, pod := range l.Pods {
			line += " " + pod.Name
		}
		lines = append(lines, line)
	}
	for _, pl := range p.Placements {
		line := pl.Node.Name
		for _, pod := range pl.Pods {
			line += " " + pod.Name
		}
		lines = append(lines, line)
	}
	for _, u := range p.Unschedulable {
		lines = append(lines, fmt.Sprintf("%s: %v", u.Pod.Name, u.Reasons))
	}
	return lines
}
