package kubescheduler

import (
	"fmt"
	"maps"
	"math"

	corev1 "k8s.io/api/core/v1"
)

// softSpread is a pod's ScheduleAnyway spread constraints, or the system's default
// ones (plugins/podtopologyspread/scoring.go).
type softSpread struct {
	constraints []softConstraint
	// requireAll leaves nodes without score that lack one of the topology labels. The
	// default constraints do not, so that hosts count where there are no zones.
	requireAll bool
}

// softConstraint is one of them.
type softConstraint struct {
	key    *topologyKey
	counts *tally
	region *region // nil over hostnames, where the count is the node's own
	slack  float64 // maxSkew - 1
}

// defaultSpread are the system's default constraints (plugins/podtopologyspread/plugin.go).
var defaultSpread = []corev1.TopologySpreadConstraint{
	{TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway, MaxSkew: 3},
	{TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway, MaxSkew: 5},
}

// ownLabels are those that a StatefulSet gives to each of its pods alone.
var ownLabels = []string{"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"}

// softSpread compiles the constraints of a class.
func (s *Scheduler) softSpread(c *Class) (softSpread, error) {
	pod := c.Pod
	constraints := pod.Spec.TopologySpreadConstraints
	if len(constraints) == 0 {
		return s.defaultSpread(c), nil
	}
	out := softSpread{requireAll: true}
	var labels []string
	for _, t := range constraints {
		if t.WhenUnsatisfiable == corev1.ScheduleAnyway {
			labels = append(labels, t.TopologyKey)
		}
	}
	for i := range constraints {
		t := &constraints[i]
		if t.WhenUnsatisfiable != corev1.ScheduleAnyway {
			continue
		}
		field := fmt.Sprintf("spec.topologySpreadConstraints[%d]", i)
		if t.MaxSkew <= 0 {
			return softSpread{}, fmt.Errorf("%s: maxSkew %d is not above 0", field, t.MaxSkew)
		}
		if t.TopologyKey == "" {
			return softSpread{}, fmt.Errorf("%s: topologyKey is empty", field)
		}
		selector, err := s.universe.SpreadSelector(pod, t)
		if err != nil {
			return softSpread{}, fmt.Errorf("%s: labelSelector: %w", field, err)
		}
		counts := s.matching(tallyKey{selector: selector, spread: true})
		out.constraints = append(out.constraints, s.softConstraint(c, t, counts, labels))
	}
	return out, nil
}

// defaultSpread are the constraints of a pod that states none and belongs to a controller whose
// selector is known.
func (s *Scheduler) defaultSpread(c *Class) softSpread {
	if !selectedByOwner(c.Pod) {
		return softSpread{}
	}
	labels := maps.Clone(c.Pod.Labels)
	for _, own := range ownLabels {
		delete(labels, own)
	}
	if len(labels) == 0 {
		return softSpread{}
	}
	var out softSpread
	counts := s.matching(tallyKey{selector: s.universe.LabelsSelector(c.Pod.Namespace, labels), spread: true})
	for i := range defaultSpread {
		out.constraints = append(out.constraints, s.softConstraint(c, &defaultSpread[i], counts, nil))
	}
	return out
}

func (s *Scheduler) softConstraint(c *Class, t *corev1.TopologySpreadConstraint, counts *tally, labels []string) softConstraint {
	out := softConstraint{key: s.topologyKey(t.TopologyKey), counts: counts, slack: float64(t.MaxSkew - 1)}
	if t.TopologyKey != corev1.LabelHostname {
		out.region = s.region(counts, out.key, s.scope(c, t, labels))
	}
	return out
}

// ignores reports whether a node has no score for lack of a topology label.
func (sp *softSpread) ignores(id NodeID) bool {
	if sp.requireAll {
		for i := range sp.constraints {
			if sp.constraints[i].key.domain[id] < 0 {
				return true
			}
		}
	}
	return false
}

// scoreSpread adds the score of PodTopologySpread: the fewer pods of the constraints are in a node's
// domains the better, and the more so the more domains there are.
func (s *Scheduler) scoreSpread(c *Class, nodes []NodeID, totals []int64) {
	if len(c.spread.constraints) == 0 {
		return
	}
	ignored := 0
	if c.spread.requireAll {
		for _, id := range nodes {
			if c.spread.ignores(id) {
				ignored++
			}
		}
	}
	sums := s.scratch.floats(len(nodes))
	for i := range c.spread.constraints {
		if t := &c.spread.constraints[i]; t.region == nil {
			weight := normalizingWeight(len(nodes) - ignored)
			for j, id := range nodes {
				if t.key.domain[id] >= 0 {
					sums[j] += countScore(int64(t.counts.on(int32(id))), weight, t.slack)
				}
			}
		} else {
			s.addDomains(&c.spread, t, nodes, sums)
		}
	}
	least, most := int64(math.MaxInt64), int64(0)
	raw := s.scratch.integers(len(nodes))
	for j, id := range nodes {
		raw[j] = int64(math.Round(sums[j]))
		if ignored == 0 || !c.spread.ignores(id) {
			least, most = min(least, raw[j]), max(most, raw[j])
		}
	}
	for j, id := range nodes {
		switch {
		case ignored > 0 && c.spread.ignores(id):
		case most == 0:
			totals[j] += weightSpread * maxScore
		default:
			totals[j] += weightSpread * (maxScore * (most + least - raw[j]) / most)
		}
	}
}

// addDomains adds what one constraint over more than hosts counts, domain by domain.
func (s *Scheduler) addDomains(sp *softSpread, t *softConstraint, nodes []NodeID, sums []float64) {
	scores := s.scratch.byDomain(len(t.key.nodes))
	size, missing := 0, false
	for _, id := range nodes {
		switch d := t.key.domain[id]; {
		case sp.requireAll && sp.ignores(id):
		case d < 0:
			missing = true // an empty value is one more to the original
		case math.IsNaN(scores[d]):
			scores[d] = 0
			size++
		}
	}
	if missing {
		size++
	}
	weight := normalizingWeight(size)
	for d := range scores {
		if !math.IsNaN(scores[d]) {
			count := int64(0)
			if d < len(t.region.sums) {
				count = t.region.sums[d]
			}
			scores[d] = countScore(count, weight, t.slack)
		}
	}
	for j, id := range nodes {
		if d := t.key.domain[id]; d >= 0 && !(sp.requireAll && sp.ignores(id)) {
			sums[j] += scores[d]
		}
	}
}

// normalizingWeight keeps the counts of a topology with few domains from being
// watered down by one with many.
func normalizingWeight(domains int) float64 { return math.Log(float64(domains + 2)) }

// countScore rounds the product before the sum on every machine, so that all agree.
func countScore(count int64, weight, slack float64) float64 {
	return float64(float64(count)*weight) + slack
}
