package kubescheduler

import (
	"math"

	corev1 "k8s.io/api/core/v1"
)

// hardPodAffinityWeight is what a required affinity term of a pod on a node
// counts for a pod that it matches (apis/config/v1/defaults.go).
const hardPodAffinityWeight = 1

// preference is a preferred term of a pod to be placed: how many pods it matches in
// each domain, and what each counts.
type preference struct {
	region *region
	weight int64
}

// preferences compiles the terms of a class that InterPodAffinity scores: its own preferred ones,
// and what its pods mean to others once they are on a node
// (plugins/interpodaffinity/scoring.go).
func (s *Scheduler) preferences(c *Class) error {
	a := c.Pod.Spec.Affinity
	if a == nil {
		return nil
	}
	if a.PodAffinity != nil {
		required, err := s.universe.Terms(c.Pod, "podAffinity", a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		if err != nil {
			return err
		}
		for _, t := range required {
			key := tallyKey{selector: t.Pods, carried: s.topologyKey(t.TopologyKey)}
			c.carries = append(c.carries, weighed{s.carrying(key).tally, hardPodAffinityWeight})
		}
		if err := s.preferredPods(c, "podAffinity", a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution, 1); err != nil {
			return err
		}
	}
	if a.PodAntiAffinity != nil {
		return s.preferredPods(c, "podAntiAffinity", a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution, -1)
	}
	return nil
}

func (s *Scheduler) preferredPods(c *Class, field string, weighted []corev1.WeightedPodAffinityTerm, sign int32) error {
	plain := make([]corev1.PodAffinityTerm, len(weighted))
	for i := range weighted {
		plain[i] = weighted[i].PodAffinityTerm
	}
	terms, err := s.universe.Terms(c.Pod, field, plain)
	if err != nil {
		return err
	}
	for i, t := range terms {
		key, weight := s.topologyKey(t.TopologyKey), sign*weighted[i].Weight
		matching := s.matching(tallyKey{selector: t.Pods})
		c.prefers = append(c.prefers, preference{s.region(matching, key, nil), int64(weight)})
		c.carries = append(c.carries, weighed{s.carrying(tallyKey{selector: t.Pods, carried: key}).tally, weight})
	}
	return nil
}

// met returns the terms of any class that match this one.
func (s *Scheduler) met(c *Class) []*tally {
	for ; c.carriedSeen < len(s.carried); c.carriedSeen++ {
		if t := s.carried[c.carriedSeen]; t.key.selector.Matches(c.filter) {
			c.meets = append(c.meets, t)
		}
	}
	return c.meets
}

// scorePodAffinity adds the score of InterPodAffinity: where the node's sum stands between
// the least and the greatest.
func (s *Scheduler) scorePodAffinity(c *Class, nodes []NodeID, totals []int64) {
	raw := s.scratch.integers(len(nodes))
	counts := false
	for _, p := range c.prefers {
		counts = true
		for j, id := range nodes {
			raw[j] += p.weight * p.region.at(int32(id))
		}
	}
	for _, t := range s.met(c) {
		if t.nodes == 0 {
			continue
		}
		counts = true
		for j, id := range nodes {
			raw[j] += t.regions[0].at(int32(id))
		}
	}
	if !counts {
		return
	}
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range raw {
		least, most = min(least, v), max(most, v)
	}
	if least == most {
		return
	}
	for j, v := range raw {
		totals[j] += weightPodAffinity * int64(maxScore*(float64(v-least)/float64(most-least)))
	}
}
