package replay

import (
	"errors"
	"fmt"
	"time"
)

// ErrSettings is wrapped by errors about settings that make no sense.
var ErrSettings = errors.New("bad settings")

// Settings are how a scenario is replayed. Start from [DefaultSettings].
type Settings struct {
	// For is how long; 0 is the scenario's horizon. Without either it is [ErrNoHorizon].
	For time.Duration
	// Seed decides all that is drawn. Two autoscalers replayed with the same seed see the same
	// arrivals, run times and shortages.
	Seed uint64
	// Step is the distance of the samples of the time series; 0 takes none.
	Step time.Duration

	// Latencies are how long nodes and pods take to start and to go.
	Latencies Latencies
	// DecisionTime is how long the autoscalers take to decide; the default is [OriginalTime].
	DecisionTime DecisionTime
	// Cloud is what the cloud refuses and takes back.
	Cloud Cloud
	// BindInterval is the time that kube-scheduler takes for one pod: 10 ms, which is 100 pods
	// a second, an assumption between its default limit on requests to the API server
	// (--kube-api-qps 50, burst 100) and what it reaches without one.
	BindInterval time.Duration

	// Observe is called with each decision of the autoscaler, in order; nil: nobody is told.
	Observe func(Decision)
	// Referee has [packing.Verify] judge every placement as it is made. It is slow.
	Referee bool
	// Progress is called now and then with how much of the time has been played.
	Progress func(played, all time.Duration)

	audit func(*replay) error // looks at the replay after every event, nil: nobody does
}

// DefaultSettings returns settings for a scenario in a cloud, "aws" or another; see
// [DefaultLatencies].
func DefaultSettings(provider string) Settings {
	return Settings{
		Seed:         1,
		Step:         5 * time.Minute,
		Latencies:    DefaultLatencies(provider),
		DecisionTime: OriginalTime{},
		Cloud:        DefaultCloud(),
		BindInterval: 10 * time.Millisecond,
	}
}

func (s *Settings) validate() error {
	switch {
	case s.For < 0:
		return fmt.Errorf("%w: For is negative", ErrSettings)
	case s.Step < 0:
		return fmt.Errorf("%w: Step is negative", ErrSettings)
	case s.BindInterval < 0:
		return fmt.Errorf("%w: BindInterval is negative", ErrSettings)
	case s.DecisionTime == nil:
		return fmt.Errorf("%w: DecisionTime is nil", ErrSettings)
	}
	if err := s.Latencies.validate(); err != nil {
		return err
	}
	return s.Cloud.validate()
}

// Decision is one thing that the autoscaler decided.
type Decision struct {
	// At is when, since the start.
	At time.Duration
	// Kind is what: "launch", "scale-up", "scale-down", "consolidation", "expiry",
	// "interruption", or "rejected" for what came to nothing.
	Kind string
	// Reason says why, in words.
	Reason string
	// Nodes are the nodes concerned by name, new ones too.
	Nodes []string
	// Pods is how many pods it is about; 0 of a scale-up, which Cluster Autoscaler does not tie to
	// pods, and of what was rejected.
	Pods int
	// Took is how long the decision took.
	Took time.Duration
}
