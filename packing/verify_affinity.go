package packing

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// affinityGroup is the placed pods that state the same required pod affinity.
type affinityGroup struct {
	terms  []*podTerm
	owners []*placedPod

	// What follows is found out before the first group is judged.
	targets map[*labelClass]bool // classes that match all terms
	keys    []*domains           // of the terms
	// anyBound: a matching pod is bound somewhere, so that nobody is the first.
	anyBound bool
}

// judgeAffinities accuses pods whose required affinity no order of binding satisfies.
// As kube-scheduler's InterPodAffinity reads it, every term needs, in the pod's
// domain of its key, a pod that matches all terms; and the first of them all needs none
// if it matches its own terms and no such pod is bound anywhere.
func (t *topology) judgeAffinities() {
	for _, g := range t.affinities.inOrder {
		t.prepareAffinity(g)
		for _, pod := range g.owners {
			pod.waits = true
		}
	}
	// Who can be bound at all, if everybody who may be a first pod is one? Pods that wait for
	// each other in a circle are left.
	for changed := true; changed; {
		changed = false
		for _, g := range t.affinities.inOrder {
			populated := t.populated(g, func(s stay) bool { return s.placed == nil || !s.placed.waits })
			for _, pod := range g.owners {
				if pod.waits && (g.first(pod) || missing(pod, g.keys, populated, nil) < 0) {
					pod.waits, changed = false, true
				}
			}
		}
	}
	for _, g := range t.affinities.inOrder {
		t.judgeAffinity(g)
	}
}

func (t *topology) prepareAffinity(g *affinityGroup) {
	g.targets = t.matching(g.terms[0])
	for _, term := range g.terms[1:] {
		more := t.matching(term)
		for class := range g.targets {
			if !more[class] {
				delete(g.targets, class)
			}
		}
	}
	for _, term := range g.terms {
		g.keys = append(g.keys, t.domainsOf(term.key))
	}
	t.stays(g.targets, t.candidates(g.terms[0].selector), func(_ *labelClass, s stay) {
		for _, key := range g.keys {
			// A pod that is on its way out leaves the place of the first to another.
			g.anyBound = g.anyBound || s.bound != nil && !s.terminating() && key.of[s.at.index] >= 0
		}
	})
}

// first reports whether a pod may come before any that it has to be near.
func (g *affinityGroup) first(pod *placedPod) bool {
	if g.anyBound || !g.targets[pod.class] {
		return false
	}
	for _, key := range g.keys {
		if key.of[pod.at.index] < 0 {
			return false
		}
	}
	return true
}

// populated tells for each term in which domains there is a matching pod that counts.
func (t *topology) populated(g *affinityGroup, counts func(stay) bool) [][]bool {
	populated := make([][]bool, len(g.keys))
	for i, key := range g.keys {
		populated[i] = make([]bool, len(key.values))
	}
	t.stays(g.targets, t.candidates(g.terms[0].selector), func(_ *labelClass, s stay) {
		if !counts(s) {
			return
		}
		for i, key := range g.keys {
			if id := key.of[s.at.index]; id >= 0 {
				populated[i][id] = true
			}
		}
	})
	return populated
}

// judgeAffinity accuses pods of one group. The pods that match and are not of the group may come
// first, unless they can never come. They populate domains; an owner whose domains are all
// populated passes. Of those that are left one may use the rule of the first pod,
// and whoever shares its domains follows.
func (t *topology) judgeAffinity(g *affinityGroup) {
	owns := make(map[*placedPod]bool, len(g.owners))
	for _, pod := range g.owners {
		owns[pod] = true
	}
	populated := t.populated(g, func(s stay) bool { return s.placed == nil || !s.placed.waits && !owns[s.placed] })
	alone := t.unpopulated(g, g.keys, populated)
	seed := (*placedPod)(nil)
	if !g.anyBound {
		seed = bestSeed(alone, g.keys, populated, g.targets)
	}
	for _, pod := range alone {
		i := missing(pod, g.keys, populated, seed)
		if i < 0 {
			continue
		}
		t.accuse(RulePodAffinity, pod.Pod, pod.at, "no pod that matches all its terms is in %s first: %s",
			g.keys[i].name(g.keys[i].of[pod.at.index]), g.terms[i].text)
	}
}

// unpopulated returns the owners that need the rule of the first pod, after accusing
// those whose node lacks a topology label.
func (t *topology) unpopulated(g *affinityGroup, keys []*domains, populated [][]bool) []*placedPod {
	var alone []*placedPod
next:
	for _, pod := range g.owners {
		for i := range keys {
			if keys[i].of[pod.at.index] < 0 {
				t.accuse(RulePodAffinity, pod.Pod, pod.at, "the node has no label %s: %s", keys[i].key, g.terms[i].text)
				continue next
			}
		}
		if missing(pod, keys, populated, nil) >= 0 {
			alone = append(alone, pod)
		}
	}
	return alone
}

// missing returns the first term in whose domain there is nobody, not even the seed; -1 if there is none.
func missing(pod *placedPod, keys []*domains, populated [][]bool, seed *placedPod) int {
	for i := range keys {
		id := keys[i].of[pod.at.index]
		if id < 0 {
			return i
		}
		if !populated[i][id] && (seed == nil || keys[i].of[seed.at.index] != id) {
			return i
		}
	}
	return -1
}

// bestSeed returns the pod to come first, one that matches its own terms: if there is
// one, a pod that leaves nobody behind; else one whose domains most share.
func bestSeed(alone []*placedPod, keys []*domains, populated [][]bool, targets map[*labelClass]bool) *placedPod {
	var best *placedPod
	most := 0
	shares := map[string]int{}
	for _, pod := range alone {
		shares[place(pod, keys)]++
	}
	for _, pod := range alone {
		if n := shares[place(pod, keys)]; targets[pod.class] && n > most {
			best, most = pod, n
		}
	}
	// A seed has one domain a key: it serves all only if for each key it is in the one that is missed.
	missed := make([]int, len(keys))
	for i := range keys {
		missed[i] = -1
		for _, pod := range alone {
			id := keys[i].of[pod.at.index]
			switch {
			case populated[i][id] || id == missed[i]:
			case missed[i] >= 0:
				return best
			default:
				missed[i] = id
			}
		}
	}
	for _, pod := range alone {
		serves := targets[pod.class]
		for i, id := range missed {
			serves = serves && (id < 0 || keys[i].of[pod.at.index] == id)
		}
		if serves {
			return pod
		}
	}
	return best
}

// place writes the domains of a pod's node.
func place(pod *placedPod, keys []*domains) string {
	var b strings.Builder
	for i := range keys {
		fmt.Fprintf(&b, "%d ", keys[i].of[pod.at.index])
	}
	return b.String()
}

// antiAffinityGroup is the pods that state the same required anti-affinity term.
type antiAffinityGroup struct {
	term   *podTerm
	owners []*placedPod
	bound  []boundPod
}

// judgeAntiAffinity accuses pods that share a domain with a pod that a term forbids. The
// order of binding does not matter: kube-scheduler reads the terms of the pod that
// comes and of those that are there. Daemon pods to come are not counted: they wait.
func (t *topology) judgeAntiAffinity(g *antiAffinityGroup) {
	key := t.domainsOf(g.term.key)
	targets := t.matching(g.term)
	among := t.candidates(g.term.selector)

	// Up to two of the matching pods of each domain: one that is not the owner itself.
	seen := make([][2]*corev1.Pod, len(key.values))
	t.stays(targets, among, func(_ *labelClass, s stay) {
		id := key.of[s.at.index]
		if s.coming() || id < 0 {
			return
		}
		pod := s.bound
		if s.placed != nil {
			pod = s.placed.Pod
		}
		switch {
		case seen[id][0] == nil:
			seen[id][0] = pod
		case seen[id][1] == nil:
			seen[id][1] = pod
		}
	})
	for _, pod := range g.owners {
		id := key.of[pod.at.index]
		if id < 0 {
			continue
		}
		other := seen[id][0]
		if other == pod.Pod {
			other = seen[id][1]
		}
		if other != nil {
			t.accuse(RulePodAntiAffinity, pod.Pod, pod.at, "pod %s/%s is in %s too: %s", other.Namespace, other.Name, key.name(id), g.term.text)
		}
	}
	if len(g.bound) == 0 {
		return
	}
	guarded := make([]*corev1.Pod, len(key.values))
	for _, pod := range g.bound {
		if id := key.of[pod.at.index]; id >= 0 && guarded[id] == nil {
			guarded[id] = pod.Pod
		}
	}
	t.stays(targets, among, func(_ *labelClass, s stay) {
		id := key.of[s.at.index]
		if s.placed == nil || id < 0 || guarded[id] == nil {
			return
		}
		t.accuse(RulePodAntiAffinity, s.placed.Pod, s.at, "pod %s/%s, which is in %s, forbids it: %s",
			guarded[id].Namespace, guarded[id].Name, key.name(id), g.term.text)
	})
}
