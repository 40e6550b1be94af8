package arrivals

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Synthetic is a long stretch of a busy cluster: classes of work whose pods arrive
// by day and week and run for log-normally distributed times, sized so that a
// number of nodes is busy on average. It serves benchmarks of replays. The zero
// value of a field is its default.
type Synthetic struct {
	// Seed decides the classes. The pods of a class are drawn from the seed of the
	// replay, see [Jobs.Stream].
	Seed uint64
	// Nodes is how many nodes the work fills on average, Pods how many pods are
	// expected in all.
	Nodes, Pods int
	// Classes is how many kinds of work there are; one for 2,500 pods by default.
	// The i-th has 1/sqrt(i) of the pods of the first.
	Classes int
	// NodeCPU is the size of a node in milli-CPU, 8000 by default.
	NodeCPU int64
	// Fill is the share of a node's CPU that is requested where it counts as
	// filled: agents and what is left over take the rest. 0.85 by default.
	Fill float64
	// For is how long it lasts, a week by default, and Start what the clock shows
	// at the start, see [WeekTime].
	For, Start time.Duration
	// Namespace of the pods; "default" by default.
	Namespace string
}

// withDefaults fills in what is left open.
func (s Synthetic) withDefaults() Synthetic {
	if s.Classes == 0 {
		s.Classes = max(1, s.Pods/2500)
	}
	if s.NodeCPU == 0 {
		s.NodeCPU = 8000
	}
	if s.Fill == 0 {
		s.Fill = 0.85
	}
	if s.For == 0 {
		s.For = 7 * day
	}
	if s.Namespace == "" {
		s.Namespace = metav1.NamespaceDefault
	}
	return s
}

// Validate returns a [*SpecError] with everything that is wrong.
func (s Synthetic) Validate() error {
	s = s.withDefaults()
	var p problems
	p.count("nodes", s.Nodes, 1, maxPods)
	p.count("pods", s.Pods, 1, 1_000_000_000)
	p.count("classes", s.Classes, 1, min(max(1, s.Pods), 100_000))
	if s.NodeCPU < 1000 || s.NodeCPU > 1_000_000 {
		p.add("nodeCPU", "%d is not from 1000 to 1000000 milli-CPU", s.NodeCPU)
	}
	p.number("fill", s.Fill, 0.01, 1)
	p.duration("for", s.For, time.Hour, MaxUntil)
	p.duration("start", s.Start, 0, 7*day)
	for _, message := range validation.IsDNS1123Label(s.Namespace) {
		p.add("namespace", "%q: %s", s.Namespace, message)
	}
	return p.err()
}

// class is one kind of work before its run times are sized.
type class struct {
	cpu, memory int64 // milli-CPU, MiB
	pods        float64
	curve       Day
	runs        LogNormal
}

// Jobs returns the classes of work. The error is that of Validate.
//
// Requests are of the sizes that people write, 250m to 4 CPU with 1 to 4 GiB a
// CPU; each class has its busiest hour, mostly in working hours, its quiet
// weekends and its spread of run times. Medians are scaled by one factor so that
// the CPU requested on average is Nodes times NodeCPU times Fill: the rate of
// arrivals times the mean run time (Little's law). Pods still running at the end
// are cut off and the cluster starts empty, so a stretch that is not long against
// the run times is busy a little less.
func (s Synthetic) Jobs() ([]*Jobs, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	s = s.withDefaults()
	classes := make([]class, s.Classes)
	weights := 0.0
	for i := range classes {
		weights += 1 / math.Sqrt(float64(i+1))
	}
	work := 0.0 // milli-CPU times nanoseconds
	for i := range classes {
		c := s.class(NewRand(s.Seed, fmt.Sprintf("synthetic/%d", i)))
		c.pods = float64(s.Pods) / math.Sqrt(float64(i+1)) / weights
		work += c.pods * float64(c.cpu) * float64(c.runs.Mean())
		classes[i] = c
	}
	scale := float64(s.Nodes) * float64(s.NodeCPU) * s.Fill * float64(s.For) / work
	jobs := make([]*Jobs, len(classes))
	for i, c := range classes {
		c.size(c.pods, s.For)
		for _, d := range []*time.Duration{&c.runs.Median, &c.runs.Min, &c.runs.Max} {
			*d = time.Duration(min(max(1, float64(*d)*scale), float64(MaxUntil)))
		}
		name := fmt.Sprintf("work-%03d", i)
		jobs[i] = &Jobs{
			Name: name, Template: s.template(name, c), OneJob: true,
			Arrivals: Poisson{Rate: c.curve}, Runs: c.runs, Until: s.For,
		}
		if err := jobs[i].Validate(); err != nil {
			return nil, fmt.Errorf("class %d: %w", i, err) // such as a rate beyond bounds
		}
	}
	return jobs, nil
}

// class draws one kind of work.
func (s Synthetic) class(r *rand.Rand) class {
	cpus := [...]int64{250, 500, 500, 1000, 1000, 1000, 2000, 2000, 4000}
	cpu := cpus[r.IntN(len(cpus))]
	median := time.Duration(float64(time.Hour) * math.Exp(0.7*r.NormFloat64()))
	return class{
		cpu: cpu, memory: cpu * 1024 * int64(1+r.IntN(4)) / 1000,
		curve: Day{
			Base: 0.1 + 0.6*r.Float64(), Peak: 1, PeakHour: math.Mod(240+14+4*r.NormFloat64(), 24),
			WeekendFactor: new(0.3 + 0.7*r.Float64()), Start: s.Start,
		},
		// The bounds are so far out that they seldom hold, and are scaled with the median.
		runs: LogNormal{Median: median, Sigma: 0.4 + 0.8*r.Float64(), Min: median / 30, Max: median * 30},
	}
}

// size scales the curve so that it gives a number of pods in all.
func (c *class) size(pods float64, span time.Duration) {
	const step = time.Minute
	sum := 0.0 // of the rate by the middle of each minute, times hours
	for at := time.Duration(0); at < span; at += step {
		width := min(step, span-at)
		sum += c.curve.At(at+width/2) * width.Hours()
	}
	c.curve.Base *= pods / sum
	c.curve.Peak *= pods / sum
}

// template is the pod of a class, with what the API server fills in.
func (s Synthetic) template(name string, c class) *corev1.Pod {
	amounts := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(c.cpu, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(c.memory<<20, resource.BinarySI),
	}
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Labels: map[string]string{"app.kubernetes.io/name": name}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, SchedulerName: corev1.DefaultSchedulerName,
			Priority: new(int32), TerminationGracePeriodSeconds: new(int64(corev1.DefaultTerminationGracePeriodSeconds)),
			Containers: []corev1.Container{{
				Name: "work", Image: "registry.k8s.io/pause:3.10", Resources: corev1.ResourceRequirements{Requests: amounts},
			}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
}
