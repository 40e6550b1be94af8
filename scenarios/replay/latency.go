package replay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/binwright/binwright/instancetypes"
)

// Latency is how long something takes: log-normal around a median, held between bounds.
type Latency struct {
	// Median is exceeded half the time.
	Median time.Duration
	// Sigma is the standard deviation of the natural logarithm; 0 makes the latency constant.
	Sigma float64
	// Max bounds it; 0: no bound.
	Max time.Duration
	// Source says where the figures are from, or that they are assumed.
	Source string
}

// Constant is a latency that is always the same.
func Constant(d time.Duration, source string) Latency { return Latency{Median: d, Source: source} }

func (l Latency) draw(rng *rand.Rand) time.Duration {
	if l.Sigma == 0 {
		return l.Median
	}
	d := time.Duration(float64(l.Median) * math.Exp(l.Sigma*rng.NormFloat64()))
	if l.Max > 0 {
		d = min(d, l.Max)
	}
	return d
}

func (l Latency) validate(field string) error {
	if l.Median < 0 || l.Max < 0 || !(l.Sigma >= 0) || l.Sigma > 10 {
		return fmt.Errorf("%w: Latencies.%s: median %v, sigma %v, max %v", ErrSettings, field, l.Median, l.Sigma, l.Max)
	}
	return nil
}

func (l Latency) String() string {
	if l.Sigma == 0 {
		return l.Median.String()
	}
	return fmt.Sprintf("median %v, log-normal with sigma %g", l.Median, l.Sigma)
}

// Latencies are how long nodes and pods take to start and to go. Any may be replaced.
type Latencies struct {
	// Launch is from the autoscaler's request to the start of the instance, from when on it is billed.
	Launch Latency
	// GroupLaunch is the same for a node group, whose controller looks at its target size now and then.
	GroupLaunch Latency
	// Boot is from the start of the instance to its node joining the cluster.
	Boot Latency
	// Slow are instance types that boot more slowly, the first that matches counts.
	Slow []SlowBoot
	// Ready is from joining to readiness.
	Ready Latency
	// Terminate is from the request to end an instance to the end of the node object; the
	// instance is billed up to the request.
	Terminate Latency
	// PodStart is from binding to running.
	PodStart Latency
	// PodStop is from the request to stop a pod to its end, at most its grace period.
	PodStop Latency
}

// SlowBoot multiplies the boot latency of some instance types.
type SlowBoot struct {
	// Match is a part of the name of the type, such as "metal"; GPU matches types with GPUs instead.
	Match  string
	GPU    bool
	Factor float64
	Source string
}

func (b *SlowBoot) matches(t *instancetypes.InstanceType) bool {
	if t == nil {
		return false
	}
	if b.GPU {
		return t.Capacity.Get("nvidia.com/gpu") > 0
	}
	return b.Match != "" && strings.Contains(t.Name, b.Match)
}

const assumed = "assumed"

// DefaultLatencies returns the latencies of a provider: "aws", "azure", "gcp"; others have those of
// aws. Each says its source. What is assumed should be replaced by what one's own cluster shows.
func DefaultLatencies(provider string) Latencies {
	l := Latencies{
		Launch:      Latency{2 * time.Second, 0.3, 30 * time.Second, assumed + ": one CreateFleet call"},
		GroupLaunch: Latency{8 * time.Second, 0.4, time.Minute, assumed + ": an Auto Scaling group acts on its desired capacity within seconds"},
		// Pending to running 16.5 s, 25.8 s cold to SSH; a node ready 45 to 65 s after its launch.
		Boot:      Latency{30 * time.Second, 0.2, 5 * time.Minute, "EC2 start 16.5 s to running, 25.8 s to SSH (published figures); kubelet registered soon after"},
		Ready:     Latency{18 * time.Second, 0.25, 3 * time.Minute, "EKS nodes are ready 45 to 65 s after launch (published figures), less Boot"},
		Terminate: Constant(5*time.Second, assumed),
		PodStart:  Latency{4 * time.Second, 0.5, 2 * time.Minute, assumed + ": image at hand or pulled from the same region"},
		PodStop:   Latency{5 * time.Second, 0.5, 0, assumed + ": most programs stop well within their grace period"},
		Slow: []SlowBoot{
			{Match: "metal", Factor: 8, Source: assumed + ": bare metal boots in minutes"},
			{GPU: true, Factor: 2, Source: assumed + ": drivers and device plugin"},
		},
	}
	switch provider {
	case "azure":
		l.Boot = Latency{60 * time.Second, 0.25, 5 * time.Minute, assumed + ": AKS nodes take longer than EKS nodes"}
	case "gcp":
		l.Boot = Latency{35 * time.Second, 0.2, 5 * time.Minute, assumed}
	}
	return l
}

func (l *Latencies) validate() error {
	for _, x := range []struct {
		field string
		l     Latency
	}{
		{"Launch", l.Launch}, {"GroupLaunch", l.GroupLaunch}, {"Boot", l.Boot}, {"Ready", l.Ready},
		{"Terminate", l.Terminate}, {"PodStart", l.PodStart}, {"PodStop", l.PodStop},
	} {
		if err := x.l.validate(x.field); err != nil {
			return err
		}
	}
	for i, s := range l.Slow {
		if !(s.Factor > 0) || math.IsInf(s.Factor, 0) {
			return fmt.Errorf("%w: Latencies.Slow[%d]: factor %v", ErrSettings, i, s.Factor)
		}
	}
	return nil
}

// boot draws how long an instance of a type takes to join.
func (l *Latencies) boot(t *instancetypes.InstanceType, rng *rand.Rand) time.Duration {
	d := l.Boot.draw(rng)
	for i := range l.Slow {
		if l.Slow[i].matches(t) {
			return time.Duration(float64(d) * l.Slow[i].Factor)
		}
	}
	return d
}

// assumptions lists the latencies with their sources.
func (l *Latencies) assumptions() []string {
	var out []string
	for _, x := range []struct {
		what string
		l    Latency
	}{
		{"from asking for an instance until it runs", l.Launch}, {"the same in a node group", l.GroupLaunch},
		{"until its node joins", l.Boot}, {"until that is ready", l.Ready}, {"from binding a pod until it runs", l.PodStart},
		{"for a pod to stop", l.PodStop},
	} {
		out = append(out, fmt.Sprintf("%s: %s (%s)", x.what, x.l, x.l.Source))
	}
	return out
}
