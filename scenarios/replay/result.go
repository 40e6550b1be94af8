package replay

import (
	"encoding/json"
	"math"
	"time"
)

// Result is what one replay cost, how long its pods waited, and what was decided
// on the way. Money is in US dollars, waits in seconds, CPU in milli-CPU, memory
// in bytes; the same scenario, autoscaler and seed give the same bytes as JSON.
// docs/replay.md says what each figure means.
type Result struct {
	Scenario   string `json:"scenario"`
	Autoscaler string `json:"autoscaler"`
	Seed       uint64 `json:"seed"`
	// Duration is the virtual time replayed: less than asked for if the replay was
	// cancelled, which Complete tells. In JSON it is durationSeconds.
	Duration time.Duration `json:"-"`
	Complete bool          `json:"complete"`

	Cost        Cost            `json:"cost"`
	Wait        Waits           `json:"wait"`
	Pods        PodCounts       `json:"pods"`
	Nodes       NodeCounts      `json:"nodes"`
	Utilisation Utilisation     `json:"utilisation"`
	Decisions   []DecisionCount `json:"decisions"`
	// Assumptions are what was assumed and could be otherwise, a sentence each:
	// models of latency, rates of interruption, prices that are estimates.
	Assumptions []string `json:"assumptions"`
	// Series is the state at each step of virtual time, empty without a step.
	Series []Sample `json:"series"`
	// WallSeconds is how long the replay took to compute. It is not in JSON, since
	// it differs from run to run.
	WallSeconds float64 `json:"-"`
}

// Cost is the bill of a replay in US dollars.
type Cost struct {
	// TotalUSD is what the nodes cost and what was committed and not used.
	TotalUSD float64 `json:"totalUSD"`
	// UnusedCommitmentUSD is the part of the total that paid for committed
	// instances while they did not run.
	UnusedCommitmentUSD float64 `json:"unusedCommitmentUSD"`
	// WasteUSD is the part of the nodes' price that no pod requested: the integral
	// over time of price x (1 - the larger of the requested shares of allocatable
	// CPU and memory), node by node.
	WasteUSD float64 `json:"wasteUSD"`
	// The splits hold what the nodes cost, the largest share first and of equal
	// ones that with the smaller name. Each adds up to TotalUSD less
	// UnusedCommitmentUSD.
	ByType         []Share `json:"byType"`
	ByCapacityType []Share `json:"byCapacityType"`
	ByOwner        []Share `json:"byOwner"`
	ByZone         []Share `json:"byZone"`
}

// Share is the part of a bill that falls to one instance type, capacity type,
// owner (node pool or node group) or zone.
type Share struct {
	Name string `json:"name"`
	// Nodes is how many nodes were billed, however short they ran.
	Nodes     int     `json:"nodes"`
	NodeHours float64 `json:"nodeHours"`
	USD       float64 `json:"usd"`
}

// Waits are how long pods waited, counted from their creation.
type Waits struct {
	ToBound   Quantiles `json:"toBoundSeconds"`
	ToRunning Quantiles `json:"toRunningSeconds"`
	// PendingPodSeconds is the integral over time of the number of pods that are
	// not bound, so that pods which never are count too.
	PendingPodSeconds float64 `json:"pendingPodSeconds"`
}

// Quantiles describe a set of times in seconds: Count, Mean and Max are exact, the
// quantiles (by nearest rank) within 0.1% of the time at that rank. All are 0 of
// an empty set.
type Quantiles struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// PodCounts are what became of pods. Every pod created finished, was deleted, gave
// up, was evicted, or is there at the end.
type PodCounts struct {
	// Created counts every pod, those too that replace evicted ones.
	Created  int `json:"created"`
	Finished int `json:"finished"`
	Deleted  int `json:"deleted"`
	// GaveUp counts pods deleted because they had waited as long as they would.
	GaveUp    int           `json:"gaveUp"`
	Evicted   int           `json:"evicted"`
	EvictedBy []ReasonCount `json:"evictedBy"`
	// PendingAtEnd are not bound; StartingAtEnd are bound and do not run yet.
	PendingAtEnd  int `json:"pendingAtEnd"`
	StartingAtEnd int `json:"startingAtEnd"`
	RunningAtEnd  int `json:"runningAtEnd"`
	// LostSeconds is the run time of evicted pods that has to be done again.
	LostSeconds float64 `json:"lostSeconds"`
}

// NodeCounts are what became of nodes.
type NodeCounts struct {
	// Requested counts what the autoscaler asked for; each request was launched,
	// failed, was withdrawn, or is still open.
	Requested  int `json:"requested"`
	Launched   int `json:"launched"`
	Terminated int `json:"terminated"`
	// Existing were there at the start; AtEnd are there at the end.
	Existing int `json:"existing"`
	AtEnd    int `json:"atEnd"`
	// Peak is the most nodes billed at once.
	Peak int `json:"peak"`
	// NodeHours is the time for which nodes were there, not rounded as a bill is.
	NodeHours      float64       `json:"nodeHours"`
	LaunchFailures []ReasonCount `json:"launchFailures"`
	Interruptions  int           `json:"interruptions"`
	Expirations    int           `json:"expirations"`
	Consolidated   int           `json:"consolidated"`
	ScaledDown     int           `json:"scaledDown"`
}

// Failures is how many launches failed for whatever reason.
func (n *NodeCounts) Failures() int { return totalOf(n.LaunchFailures) }

// ReasonCount is how often something came for one reason.
type ReasonCount struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Utilisation is what pods requested over what nodes could give, weighted by time
// over the nodes that were billed: 0 to 1, and 0 if there was none.
type Utilisation struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
}

// DecisionCount is how often the autoscaler decided one kind of thing for one
// reason. They are in order of kind and reason.
type DecisionCount struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Sample is the state at one moment, with all that happened at that moment.
type Sample struct {
	// At is the virtual time since the start; in JSON it is atSeconds.
	At          time.Duration `json:"-"`
	PendingPods int           `json:"pendingPods"`
	RunningPods int           `json:"runningPods"`
	// LaunchingNodes are requested and not ready yet; LeavingNodes are being
	// drained or terminated.
	LaunchingNodes int `json:"launchingNodes"`
	ReadyNodes     int `json:"readyNodes"`
	LeavingNodes   int `json:"leavingNodes"`
	// HourlyUSD is what is being paid, unused commitments among it.
	HourlyUSD float64 `json:"hourlyUSD"`
	// CostUSD is what was paid until then by exact time. The bill is a little
	// higher, since it rounds each node's time up: see [pricing.Cost].
	CostUSD                float64 `json:"costUSD"`
	RequestedMilliCPU      int64   `json:"requestedMilliCPU"`
	AllocatableMilliCPU    int64   `json:"allocatableMilliCPU"`
	RequestedMemoryBytes   int64   `json:"requestedMemoryBytes"`
	AllocatableMemoryBytes int64   `json:"allocatableMemoryBytes"`
}

// Durations are written in seconds: the types below hold a Result and a Sample in
// the form of JSON.
type (
	plainResult Result
	resultJSON  struct {
		*plainResult
		DurationSeconds float64 `json:"durationSeconds"`
	}
	plainSample Sample
	sampleJSON  struct {
		AtSeconds float64 `json:"atSeconds"`
		*plainSample
	}
)

// MarshalJSON writes the duration in seconds and empty lists as [].
func (r *Result) MarshalJSON() ([]byte, error) {
	p := plainResult(*r)
	for _, split := range []*[]Share{&p.Cost.ByType, &p.Cost.ByCapacityType, &p.Cost.ByOwner, &p.Cost.ByZone} {
		*split = notNil(*split)
	}
	p.Pods.EvictedBy, p.Nodes.LaunchFailures = notNil(p.Pods.EvictedBy), notNil(p.Nodes.LaunchFailures)
	p.Decisions, p.Assumptions, p.Series = notNil(p.Decisions), notNil(p.Assumptions), notNil(p.Series)
	return json.Marshal(resultJSON{&p, r.Duration.Seconds()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(data []byte) error {
	in := resultJSON{plainResult: (*plainResult)(r)}
	err := json.Unmarshal(data, &in)
	r.Duration = fromSeconds(in.DurationSeconds)
	return err
}

// MarshalJSON writes the moment in seconds.
func (s Sample) MarshalJSON() ([]byte, error) {
	return json.Marshal(sampleJSON{s.At.Seconds(), (*plainSample)(&s)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Sample) UnmarshalJSON(data []byte) error {
	in := sampleJSON{plainSample: (*plainSample)(s)}
	err := json.Unmarshal(data, &in)
	s.At = fromSeconds(in.AtSeconds)
	return err
}

func fromSeconds(s float64) time.Duration {
	return time.Duration(math.Round(s * float64(time.Second)))
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func totalOf(counts []ReasonCount) int {
	n := 0
	for _, c := range counts {
		n += c.Count
	}
	return n
}
