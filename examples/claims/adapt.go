package main

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// groups keeps the node groups whose names begin with one of the prefixes.
func groups(prefixes ...string) func(*scenarios.Scenario) {
	return func(s *scenarios.Scenario) {
		s.NodeGroups = slices.DeleteFunc(slices.Clone(s.NodeGroups), func(g *packing.NodeGroup) bool {
			return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(g.Name, p) })
		})
	}
}

// flags sets flags of Cluster Autoscaler.
func flags(set func(*scenarios.ClusterAutoscalerSettings)) func(*scenarios.Scenario) {
	return func(s *scenarios.Scenario) { set(&s.ClusterAutoscaler) }
}

// scan sets --scan-interval.
func scan(every time.Duration) func(*scenarios.Scenario) {
	return flags(func(s *scenarios.ClusterAutoscalerSettings) { s.ScanInterval = duration(every) })
}

// scansOnly takes --frequent-loops-enabled off, as it was before 1.35.
func scansOnly() func(*scenarios.Scenario) {
	return flags(func(s *scenarios.ClusterAutoscalerSettings) { s.FrequentLoopsEnabled = false })
}

// options sets settings of Karpenter.
func options(set func(*scenarios.KarpenterSettings)) func(*scenarios.Scenario) {
	return func(s *scenarios.Scenario) { set(&s.Karpenter) }
}

// window sets Karpenter's batch window.
func window(idle, longest time.Duration) func(*scenarios.Scenario) {
	return options(func(s *scenarios.KarpenterSettings) {
		s.BatchIdleDuration, s.BatchMaxDuration = duration(idle), duration(longest)
	})
}

// pools changes copies of the node pools.
func pools(change func(*packing.NodePool)) func(*scenarios.Scenario) {
	return func(s *scenarios.Scenario) {
		s.NodePools = slices.Clone(s.NodePools)
		for i, p := range s.NodePools {
			s.NodePools[i] = new(*p)
			change(s.NodePools[i])
		}
	}
}

// only replaces what the node pools require of a key.
func only(key string, values ...string) func(*scenarios.Scenario) {
	return pools(func(p *packing.NodePool) {
		rest := slices.DeleteFunc(slices.Clone(p.Spec.Template.Spec.Requirements), func(e packing.NodePoolExpression) bool { return e.Key == key })
		p.Spec.Template.Spec.Requirements = append(rest, packing.NodePoolExpression{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values})
	})
}

// consolidate sets how the node pools consolidate.
func consolidate(policy string, after time.Duration) func(*scenarios.Scenario) {
	return pools(func(p *packing.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = policy
		p.Spec.Disruption.ConsolidateAfter = packing.NillableDuration{Duration: after}
	})
}

// batches sets how many pods each daily batch has.
func batches(pods int) func(*scenarios.Scenario) {
	return func(s *scenarios.Scenario) {
		s.Activity.Jobs = slices.Clone(s.Activity.Jobs)
		for i, j := range s.Activity.Jobs {
			if b, ok := j.Arrivals.(arrivals.Batch); ok {
				b.Pods = pods
				s.Activity.Jobs[i] = new(*j)
				s.Activity.Jobs[i].Arrivals = b
			}
		}
	}
}

func duration(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
