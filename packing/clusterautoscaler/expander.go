package clusterautoscaler

import (
	"math"

	corev1 "k8s.io/api/core/v1"
)

// Expander is a way to choose between the groups that could be scaled up, by its
// name in --expander.
type Expander string

// The expanders of the original but grpc, which asks another program.
const (
	// LeastWaste leaves the smallest share of cpu and memory unused.
	LeastWaste Expander = "least-waste"
	// MostPods places the most pods.
	MostPods Expander = "most-pods"
	// LeastNodes adds the fewest nodes.
	LeastNodes Expander = "least-nodes"
	// Price is cheapest for the pods, leaning to nodes of a size that suits the
	// cluster. On AWS the original has no pricing model and refuses to start with it.
	Price Expander = "price"
	// Priority takes the groups with the highest NodeGroup.Priority.
	Priority Expander = "priority"
	// Random draws, with [WithSeed]; without a seed it takes the first option. It must be the last in a chain.
	Random Expander = "random"
)

var expanders = []Expander{LeastWaste, MostPods, LeastNodes, Price, Priority, Random}

// OptionScore is what one expander thought of an option.
type OptionScore struct {
	Expander Expander
	// Score is what the expander compares: wasted shares of cpu and memory summed,
	// pods, nodes, the price score, the priority.
	Score float64
	// Kept says that the option was among the best and went on in the chain.
	Kept bool
}

// choose runs the chain of expanders over the options and returns the chosen one
// and those between which the chain could not decide, the chosen one among them
// (pkg/expander/factory/chain.go).
func (r *run) choose(options []*option) (best *option, tied []*option) {
	tied = options
	for _, e := range r.settings.Expander {
		if e == Random {
			continue // it filters nothing: the draw is the chain's fallback anyway
		}
		tied = r.filter(e, tied)
		if len(tied) == 1 {
			return tied[0], tied
		}
	}
	if len(tied) == 0 {
		return nil, nil
	}
	if r.rng != nil {
		return tied[r.rng.IntN(len(tied))], tied
	}
	return tied[0], tied
}

// filter keeps the options with the best score; scores are compared exactly.
func (r *run) filter(e Expander, options []*option) []*option {
	score, lower := r.scorer(e)
	var best []*option
	var at float64
	for _, o := range options {
		s := score(o)
		o.scores = append(o.scores, OptionScore{Expander: e, Score: s})
		switch {
		case len(best) == 0, lower && s < at, !lower && s > at:
			best, at = []*option{o}, s
		case s == at:
			best = append(best, o)
		}
	}
	for _, o := range best {
		o.scores[len(o.scores)-1].Kept = true
	}
	return best
}

// scorer returns how an expander scores and whether less is better.
func (r *run) scorer(e Expander) (score func(*option) float64, lower bool) {
	switch e {
	case MostPods:
		return func(o *option) float64 { return float64(o.estimate.pods()) }, false
	case LeastNodes:
		return func(o *option) float64 { return float64(o.nodes) }, true
	case Priority:
		// Below -1 the original tells priorities no longer apart.
		return func(o *option) float64 { return float64(max(-2, r.groups[o.group].Priority)) }, false
	case Price:
		preferred := preferredCPU(len(r.members))
		return func(o *option) float64 { return r.priceScore(o, preferred) }, true
	default:
		return r.waste, true
	}
}

// waste is the share of cpu plus the share of memory that the nodes' capacity
// would have left (pkg/expander/waste/waste.go).
func (r *run) waste(o *option) float64 {
	var cpu, memory int64
	for _, p := range o.estimate.placed {
		cpu += p.group.kind.cpu * int64(p.placed)
		memory += p.group.kind.memory * int64(p.placed)
	}
	capacity := r.templates[o.group].node().Status.Capacity
	haveCPU := capacity.Cpu().MilliValue() * int64(o.nodes)
	haveMemory := capacity.Memory().Value() * int64(o.nodes)
	return float64(haveCPU-cpu)/float64(haveCPU) + float64(haveMemory-memory)/float64(haveMemory)
}

// Prices of what pods request, in US dollars an hour a core and a GiB: those of
// the price model that the recorded decisions were made with (on GCE the
// original's own are alike). What decides is their proportion to the nodes' prices.
const (
	coreHour = 0.033174
	gibHour  = 0.004446
	gib      = 1 << 30
	mib      = 1 << 20
)

// podPrice is what a pod's main containers request, in US dollars an hour.
func podPrice(pod *corev1.Pod) float64 {
	var price float64
	for i := range pod.Spec.Containers {
		requests := pod.Spec.Containers[i].Resources.Requests
		price += requestsPrice(requests.Cpu().MilliValue(), requests.Memory().Value())
	}
	return price
}

func requestsPrice(milliCPU, memory int64) float64 {
	return float64(milliCPU)/1000*coreHour + float64(memory)/gib*gibHour
}

// gpuUnfitness makes groups with GPUs unattractive (price.go, gpuUnfitnessOverride).
const gpuUnfitness = 1000

// priceScore is how the money is spent, times how ill the node's size suits the
// cluster, which matters the less the more nodes are added (pkg/expander/price/price.go).
func (r *run) priceScore(o *option, preferred float64) float64 {
	nodes := r.groups[o.group].Price * float64(o.nodes)
	pods := 0.0
	for _, p := range o.estimate.placed {
		for range p.placed { // one by one: the sum of floats is the original's
			pods += p.group.kind.price
		}
	}
	stabilize := requestsPrice(500, 500*mib)
	ratio := (nodes + stabilize) / (pods + stabilize)
	capacity := r.templates[o.group].node().Status.Capacity
	cpu := float64(capacity.Cpu().MilliValue())
	unfitness := math.Max(preferred/cpu, cpu/preferred)
	suppressed := (unfitness-1)*(1-math.Tanh(float64(o.nodes-1)/15)) + 1
	if _, gpu := gpuOf(r.templates[o.group].node()); gpu {
		suppressed = gpuUnfitness
	}
	return suppressed * ratio
}

// preferredCPU is the size of node, in milli-CPU, that suits a cluster of so many
// nodes (pkg/expander/price/preferred.go).
func preferredCPU(nodes int) float64 {
	switch {
	case nodes <= 2:
		return 1000
	case nodes <= 6:
		return 2000
	case nodes <= 20:
		return 4000
	case nodes <= 60:
		return 8000
	case nodes <= 200:
		return 16000
	}
	return 32000
}
