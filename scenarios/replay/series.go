package replay

import "slices"

// sample is the state now.
func (m *meter) sample() Sample {
	n := &m.nodes
	return Sample{
		At:          m.now,
		PendingPods: m.pods.pending, RunningPods: m.pods.running,
		LaunchingNodes: n.in[phaseLaunching], ReadyNodes: n.in[phaseReady], LeavingNodes: n.in[phaseLeaving],
		HourlyUSD: m.bills.hourly(), CostUSD: m.bills.paid(),
		RequestedMilliCPU: n.requestedCPU, AllocatableMilliCPU: n.allocatableCPU,
		RequestedMemoryBytes: n.requestedMemory, AllocatableMemoryBytes: n.allocatableMemory,
	}
}

// series returns the samples so far, with that of this moment if one is due: a
// replay of a duration has one for each whole step, and the one at its start.
func (m *meter) series() []Sample {
	samples := slices.Clone(m.samples)
	if m.step > 0 && m.now%m.step == 0 {
		samples = append(samples, m.sample())
	}
	return samples
}
