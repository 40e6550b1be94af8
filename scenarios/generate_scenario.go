package scenarios

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// generatedFrame is everything of a generated scenario but its pods.
//
//go:embed generate_scenario.yaml
var generatedFrame []byte

// GenerateScenario makes a whole scenario of a workload: its pods (see
// [Generate]) in a cluster without nodes, on the AWS catalog of us-east-1 or of
// the region that [WithRegion] names, with one DaemonSet, and with node pools and
// node groups for every constraint that a workload can state. Errors are those
// of Generate and, of options, those of [Load].
func GenerateScenario(w Workload, opts ...Option) (*Scenario, error) {
	s, err := Read(bytes.NewReader(generatedFrame), "generate_scenario.yaml", opts...)
	if err != nil {
		return nil, fmt.Errorf("generated scenario: %w", err)
	}
	if len(w.Zones) == 0 {
		for _, g := range s.NodeGroups {
			w.Zones = append(w.Zones, g.Template.Labels[corev1.LabelTopologyZone])
		}
		slices.Sort(w.Zones)
		w.Zones = slices.Compact(w.Zones)
	}
	if most := newSettings(opts).maxPods; w.Pods > most {
		return nil, fmt.Errorf("%w: Pods: %d are more than the %d that a scenario may hold (option WithMaxPods)", ErrWorkload, w.Pods, most)
	}
	pods, err := Generate(w)
	if err != nil {
		return nil, err
	}
	s.Snapshot.Pods = pods
	s.Description = fmt.Sprintf("Generated: %s of %s, seed %d",
		plural(len(pods), "pod"), plural(w.withDefaults().Deployments, "Deployment"), w.Seed)
	return s, nil
}
