package compare

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/pricing"
)

// Comparison is what several packers made of one scenario.
type Comparison struct {
	Scenario Subject  `json:"scenario"`
	Results  []Result `json:"results"`
	// Conclusion says in one sentence what differs and why, derived from Results.
	Conclusion string `json:"conclusion"`
}

// Subject describes the scenario that was compared.
type Subject struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Provider and Region are those of the catalog.
	Provider      string `json:"provider,omitempty"`
	Region        string `json:"region,omitempty"`
	Pods          int    `json:"pods"`
	ExistingNodes int    `json:"existingNodes"`
	DaemonSets    int    `json:"daemonSets"`
	NodePools     int    `json:"nodePools"`
	NodeGroups    int    `json:"nodeGroups"`
	InstanceTypes int    `json:"instanceTypes"`
	// Warnings are what the loader skipped or had to assume.
	Warnings []string `json:"warnings,omitempty"`
}

// Result is what one packer made of a scenario.
type Result struct {
	Engine string `json:"engine"`
	// Error says why the engine gave no plan, "" if it gave one. Without a plan all figures are zero.
	Error string `json:"error,omitempty"`

	// Nodes are launched by the plan; ExistingNodesUsed are there already and take pods.
	Nodes             int `json:"nodes"`
	ExistingNodesUsed int `json:"existingNodesUsed"`
	PodsPlaced        int `json:"podsPlaced"`
	PodsLeft          int `json:"podsLeft"`
	// Left says why pods were left, the most frequent reason first.
	Left []Left `json:"left,omitempty"`

	// HourlyUSD and MonthlyUSD are the cost of the launched nodes. ListHourlyUSD is
	// what they would cost on demand (their own price where they are not sold so).
	HourlyUSD     float64 `json:"hourlyUSD"`
	MonthlyUSD    float64 `json:"monthlyUSD"`
	ListHourlyUSD float64 `json:"listHourlyUSD"`
	// ByOwner (node pool or node group), ByZone and ByCapacityType split the hourly
	// cost, the largest share first.
	ByOwner        []Share `json:"byOwner"`
	ByZone         []Share `json:"byZone"`
	ByCapacityType []Share `json:"byCapacityType"`
	// SpotNodes are those of the launched nodes that are spot capacity.
	SpotNodes int `json:"spotNodes"`

	// LaunchedMilliCPU is the CPU capacity of the launched nodes, what is kept back for the system included.
	LaunchedMilliCPU int64 `json:"launchedMilliCPU"`
	// CPU is in milli-CPU, Memory in bytes.
	CPU    Utilisation `json:"cpu"`
	Memory Utilisation `json:"memory"`
	// Overcommitted are launched nodes whose pods ask for more than the instance
	// type can give once it has joined: the template of their group promises too much.
	Overcommitted int `json:"overcommittedNodes"`
	// InstanceTypes is the mix of launched nodes, the most frequent first.
	InstanceTypes []InstanceCount `json:"instanceTypes"`

	// DecisionSeconds is the median of Runs calls of Pack, SetupSeconds what it
	// took to build the packer.
	DecisionSeconds float64 `json:"decisionSeconds"`
	SetupSeconds    float64 `json:"setupSeconds"`
	Runs            int     `json:"runs"`

	// Verified is true if Problems is empty: the referee agrees with the plan, no
	// pod is lost and all runs gave the same plan.
	Verified bool     `json:"verified"`
	Problems []string `json:"problems,omitempty"`
	// Deviations are rules that the plan breaks because the engine's original does so too.
	Deviations []string `json:"deviations,omitempty"`

	// Plan is the plan itself, nil if there is none.
	Plan *packing.Plan `json:"-"`
}

// Utilisation is what is requested of what is allocatable, in base units.
type Utilisation struct {
	Requested   int64 `json:"requested"`
	Allocatable int64 `json:"allocatable"`
}

// Share returns requested over allocatable, 0 where nothing is allocatable.
func (u Utilisation) Share() float64 {
	if u.Allocatable == 0 {
		return 0
	}
	return float64(u.Requested) / float64(u.Allocatable)
}

// Share is what the nodes of one name cost together.
type Share struct {
	Name      string  `json:"name"`
	Nodes     int     `json:"nodes"`
	HourlyUSD float64 `json:"hourlyUSD"`
}

// Left is a number of pods left for one reason.
type Left struct {
	Pods   int    `json:"pods"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

// InstanceCount is how many nodes of one instance type and capacity type are
// launched, and what they cost together.
type InstanceCount struct {
	InstanceType string  `json:"instanceType"`
	CapacityType string  `json:"capacityType"`
	Nodes        int     `json:"nodes"`
	HourlyUSD    float64 `json:"hourlyUSD"`
}

// describe fills in what a plan says of nodes, pods and money.
func (r *Result) describe(plan *packing.Plan) {
	r.Plan = plan
	r.Nodes = len(plan.Launches)
	for _, p := range plan.Placements {
		if len(p.Pods) > 0 {
			r.ExistingNodesUsed++
		}
	}
	r.PodsPlaced = plan.PodCount()
	r.PodsLeft = len(plan.Unschedulable)
	r.Left = leftByReason(plan.Unschedulable)
	bill := make(pricing.Bill, len(plan.Launches))
	list := make([]float64, len(plan.Launches))
	for i, l := range plan.Launches {
		bill[i] = pricing.Line{
			InstanceType: launchedType(l), Zone: l.Zone, CapacityType: l.CapacityType, Owner: l.Owner(), Hourly: l.Price,
		}
		list[i] = onDemandPrice(l)
		if l.CapacityType == requirements.CapacityTypeSpot {
			r.SpotNodes++
		}
	}
	r.HourlyUSD, r.MonthlyUSD = bill.Hourly(), bill.Monthly()
	r.ByOwner, r.ByZone, r.ByCapacityType = shares(bill.ByOwner()), shares(bill.ByZone()), shares(bill.ByCapacityType())
	r.ListHourlyUSD = instancetypes.SumPrices(list)
	r.InstanceTypes = instanceMix(plan.Launches)
}

func shares(split []pricing.Share) []Share {
	out := make([]Share, len(split))
	for i, s := range split {
		out[i] = Share{s.Name, s.Nodes, s.Hourly}
	}
	return out
}

// onDemandPrice is what the node of a launch costs on demand in its zone, its own
// price where it is not sold on demand there.
func onDemandPrice(l *packing.Launch) float64 {
	if l.CapacityType == requirements.CapacityTypeOnDemand || l.InstanceType == nil {
		return l.Price
	}
	for i := range l.InstanceType.Offerings {
		o := &l.InstanceType.Offerings[i]
		if o.CapacityType() == requirements.CapacityTypeOnDemand && o.Zone() == l.Zone {
			return o.Price
		}
	}
	return l.Price
}

// instanceMix counts launches by instance type and capacity type, the most
// frequent first, then by name.
func instanceMix(launches []*packing.Launch) []InstanceCount {
	type key struct{ instanceType, capacityType string }
	prices := map[key][]float64{}
	for _, l := range launches {
		k := key{launchedType(l), l.CapacityType}
		prices[k] = append(prices[k], l.Price)
	}
	mix := make([]InstanceCount, 0, len(prices))
	for k, p := range prices {
		mix = append(mix, InstanceCount{k.instanceType, k.capacityType, len(p), instancetypes.SumPrices(p)})
	}
	slices.SortFunc(mix, func(a, b InstanceCount) int {
		return cmp.Or(
			cmp.Compare(b.Nodes, a.Nodes),
			cmp.Compare(a.InstanceType, b.InstanceType),
			cmp.Compare(a.CapacityType, b.CapacityType),
		)
	})
	return mix
}

// launchedType names the instance type of a launch; a node group that knows only
// its template is named by the template's label, or by the group itself.
func launchedType(l *packing.Launch) string {
	if l.InstanceType != nil {
		return l.InstanceType.Name
	}
	if l.NodeGroup != nil && l.NodeGroup.Template != nil {
		if name := l.NodeGroup.Template.Labels[corev1.LabelInstanceTypeStable]; name != "" {
			return name
		}
	}
	return l.Owner()
}

// leftByReason counts pods by the reason that tells most: something that is not
// supported before a limit before a refusal, the first of equals.
func leftByReason(pods []packing.Unschedulable) []Left {
	counts := map[Left]int{}
	for i := range pods {
		counts[mainReason(pods[i].Reasons)]++
	}
	left := make([]Left, 0, len(counts))
	for l, n := range counts {
		l.Pods = n
		left = append(left, l)
	}
	slices.SortFunc(left, func(a, b Left) int {
		return cmp.Or(cmp.Compare(b.Pods, a.Pods), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Kind, b.Kind))
	})
	return left
}

func mainReason(reasons []packing.Reason) Left {
	if len(reasons) == 0 {
		return Left{Kind: packing.Refused.String(), Reason: "no reason given"}
	}
	weight := func(k packing.ReasonKind) int {
		return map[packing.ReasonKind]int{packing.NotSupported: 2, packing.LimitReached: 1}[k]
	}
	main := reasons[0]
	for _, r := range reasons[1:] {
		if weight(r.Kind) > weight(main.Kind) {
			main = r
		}
	}
	text := main.Message
	if main.Subject != "" {
		text = main.Subject + ": " + text
	}
	return Left{Kind: main.Kind.String(), Reason: text}
}
