package karpenter

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/karpenter/internal/disruption"
)

// readPods takes in the pods bound to a node. Most of them were there when the node was last read.
func (m *memory) readPods(k *knownNode) error {
	k.pods = make([]knownPod, len(k.Pods))
	k.demands = make([]int32, 0, len(k.Pods))
	before, at := k.nodeFacts.last, 0
	for i, pod := range k.Pods {
		p := &k.pods[i]
		if before != nil {
			if found := slices.Index(before.was.Pods[min(at, len(before.was.Pods)):], pod); found >= 0 {
				at += found
				*p = before.pods[at]
				at++
			}
		}
		if !p.read {
			if err := m.readPod(p, pod); err != nil {
				return fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
			}
		}
		if p.terminal {
			continue
		}
		k.demands = append(k.demands, p.demand)
		if p.daemon {
			k.daemons = append(k.daemons, p.demand)
		}
		k.ports = append(k.ports, p.ports...)
		k.hasVolumes = k.hasVolumes || p.claims
		if p.anti >= 0 {
			k.anti = countAnti(k.anti, p.anti)
		}
	}
	return nil
}

// knownPod is what is remembered of a pod on a node.
type knownPod struct {
	read             bool
	terminal, daemon bool
	claims           bool // it has volumes
	demand           int32
	anti             int32 // number of the anti-affinity that it requires, -1 if none
	ports            []hostPort

	// For consolidation: moves says that its node's disruption moves it, annotated that it has the annotation
	// do-not-disrupt.
	moves, annotated bool
	eviction         float64 // its cost
	id               podID   // once a simulation needed it
	identified       bool
}

func (m *memory) readPod(p *knownPod, pod *corev1.Pod) error {
	_, annotated := pod.Annotations[disruption.AnnotationDoNotDisrupt]
	*p = knownPod{
		read: true, terminal: disruption.Terminal(pod), daemon: disruption.OwnedByDaemonSet(pod), anti: -1,
		moves: disruption.Reschedulable(pod), annotated: annotated, eviction: disruption.EvictionCost(pod),
	}
	if p.terminal {
		return nil
	}
	var err error
	if p.demand, err = m.demandID(pod); err != nil {
		return err
	}
	if p.ports, err = hostPortsOf(pod); err != nil {
		return err
	}
	for i := range pod.Spec.Volumes {
		_, claims := claimName(pod, &pod.Spec.Volumes[i])
		p.claims = p.claims || claims
	}
	if hasRequiredAntiAffinity(pod) {
		p.anti = m.antiOf(pod)
	}
	return nil
}
