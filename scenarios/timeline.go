package scenarios

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/binwright/binwright/packing/resources"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// announce tells the expansion what the timeline does with the objects that it
// names: which Jobs run no pods at the start, and how far StatefulSets grow.
func (l *loader) announce(c *cluster, m located[*Manifest]) {
	spec := m.value.Spec.Timeline
	if spec == nil {
		return
	}
	names := newTimelineNames(c)
	for _, j := range spec.Jobs {
		if o := names.find("Job", j.Name); o != nil {
			c.arriving[objectMeta(o.value).UID] = true
		}
	}
	for _, s := range spec.StatefulSets {
		o := names.find("StatefulSet", s.Name)
		if o == nil {
			continue
		}
		most := 0
		if s.HPA != nil {
			most = s.HPA.Max
		}
		for _, r := range s.Replicas {
			most = max(most, r.Replicas)
		}
		if most <= l.maxPods { // else an error, told below
			c.most[o.value.(*appsv1.StatefulSet).UID] = most
		}
	}
}

// timelineNames finds the objects that a timeline names.
type timelineNames struct {
	objects map[[2]string]*object // kind, and namespace/name
	names   map[string][]string   // by kind, as a timeline writes them
}

func newTimelineNames(c *cluster) *timelineNames {
	n := &timelineNames{objects: map[[2]string]*object{}, names: map[string][]string{}}
	for _, o := range c.workloads {
		n.objects[[2]string{o.kind, o.namespace + "/" + o.name}] = o
		n.names[o.kind] = append(n.names[o.kind], strings.TrimPrefix(o.namespace+"/"+o.name, metav1.NamespaceDefault+"/"))
	}
	return n
}

// find returns the object of a kind and a name, with or without namespace, nil
// if there is none.
func (n *timelineNames) find(kind, name string) *object {
	if !strings.Contains(name, "/") {
		name = metav1.NamespaceDefault + "/" + name
	}
	return n.objects[[2]string{kind, name}]
}

// timelineReader makes an Activity of a timeline.
type timelineReader struct {
	l     *loader
	c     *cluster
	names *timelineNames
	named map[*object]string // the field that named it first
	// start is what the clock shows at the start, until when the timeline ends.
	start, until time.Duration

	activity Activity
	errs     fieldErrors
}

// activity makes what users do of the declared timeline. The controllers and
// templates of the input have been made.
func (l *loader) activity(c *cluster, m located[*Manifest]) Activity {
	spec := m.value.Spec.Timeline
	if spec == nil {
		return Activity{}
	}
	t := &timelineReader{l: l, c: c, names: newTimelineNames(c), named: map[*object]string{}, until: spec.For.Duration}
	if !l.now.IsZero() {
		t.start = arrivals.WeekTime(l.now)
	}
	switch {
	case t.until == 0:
		t.errs.add("for", "is missing; it says how long the timeline lasts, such as 24h")
	case t.until < 0 || t.until > arrivals.MaxUntil:
		t.errs.add("for", "%v is not above 0 and up to %v", t.until, arrivals.MaxUntil)
	}
	if len(t.errs) > 0 {
		t.until = arrivals.MaxUntil // to check the rest by
	}
	for _, kind := range []struct {
		kind, field string
		specs       []ControllerTimelineSpec
	}{
		{"Deployment", "deployments", spec.Deployments},
		{"StatefulSet", "statefulSets", spec.StatefulSets},
		{"ReplicaSet", "replicaSets", spec.ReplicaSets},
	} {
		for i := range kind.specs {
			t.controller(fmt.Sprintf("%s[%d]", kind.field, i), kind.kind, &kind.specs[i])
		}
	}
	for i := range spec.Jobs {
		t.job(fmt.Sprintf("jobs[%d]", i), &spec.Jobs[i])
	}
	t.reclaims(spec)
	t.activity.For = t.until
	for _, e := range prefixed("spec.timeline", t.errs) {
		l.problemAt(m.at, e)
	}
	return t.activity
}

// object finds what an entry names and notes it if that is not there or was
// named before.
func (t *timelineReader) object(at, kind, name string) *object {
	field := at + ".name"
	if name == "" {
		t.errs.add(field, "is missing")
		return nil
	}
	o := t.names.find(kind, name)
	if o == nil {
		t.errs.add(field, "there is no %s %q in the input%s", kind, shorten(name), didYouMean(name, t.names.names[kind]))
		return nil
	}
	if first, twice := t.named[o]; twice {
		t.errs.add(field, "%s %q is there twice, first in %s", kind, shorten(name), first)
		return nil
	}
	t.named[o] = at
	return o
}

// spec notes what is wrong with a part of the timeline, below the field that it
// is of; fields are renamed where the manifest has other names.
func (t *timelineReader) spec(at string, err error, renames ...string) bool {
	var wrong *arrivals.SpecError
	if !errors.As(err, &wrong) {
		return true
	}
	rename := strings.NewReplacer(renames...)
	for _, p := range wrong.Problems {
		t.errs.add(strings.TrimSuffix(joinField(at, rename.Replace(p.Field)), "."), "%s", p.Message)
	}
	return false
}

func (t *timelineReader) controller(at, kind string, s *ControllerTimelineSpec) {
	o := t.object(at, kind, s.Name)
	key := types.NamespacedName{Name: "unknown"} // to check the rest by
	var controller *arrivals.Controller
	if o != nil {
		key = types.NamespacedName{Namespace: o.namespace, Name: o.name}
		// Without one its template is wrong, which is told already, or an owner makes its pods.
		controller = t.c.controllerOf[objectMeta(o.value).UID]
		if controller == nil && kind == "ReplicaSet" {
			t.errs.add(at+".name", "ReplicaSet %q belongs to a Deployment; name that", shorten(s.Name))
		}
	}
	if s.Load == nil && s.HPA == nil && len(s.Replicas) == 0 && len(s.Rollouts) == 0 {
		t.errs.add(at, "says nothing; expected load and hpa, replicas or rollouts")
	}
	if s.HPA != nil && len(s.Replicas) > 0 {
		t.errs.add(at+".replicas", "and hpa exclude each other")
	}
	switch {
	case s.Load != nil && s.HPA == nil:
		t.errs.add(at+".hpa", "is missing; load takes it")
	case s.Load == nil && s.HPA != nil:
		t.errs.add(at+".load", "is missing; hpa takes it")
	}
	if s.Daily && len(s.Replicas) == 0 && len(s.Rollouts) == 0 {
		t.errs.add(at+".daily", "takes replicas or rollouts")
	}
	if s.HPA != nil {
		t.hpa(at+".hpa", s.HPA, controller)
	}
	if s.Load != nil {
		t.load(at+".load", s.Load, key, kind)
	}
	if len(s.Replicas) > 0 {
		schedule := &arrivals.Schedule{Controller: key, Kind: kind, Daily: s.Daily, Start: t.start, Until: t.until}
		for _, r := range s.Replicas {
			schedule.Steps = append(schedule.Steps, arrivals.Step{At: r.At.Duration, Replicas: r.Replicas})
		}
		if t.spec(at, schedule.Validate()) {
			for i, r := range s.Replicas {
				t.replicas(fmt.Sprintf("%s.replicas[%d].replicas", at, i), r.Replicas)
			}
			t.activity.Schedules = append(t.activity.Schedules, schedule)
		}
	}
	if len(s.Rollouts) > 0 {
		if kind == "ReplicaSet" {
			t.errs.add(at+".rollouts", "a ReplicaSet does not replace its pods")
		}
		rollouts := &arrivals.Rollouts{Controller: key, Kind: kind, Daily: s.Daily, Start: t.start, Until: t.until}
		for _, d := range s.Rollouts {
			rollouts.Times = append(rollouts.Times, d.Duration)
		}
		if t.spec(at, rollouts.Validate()) {
			t.activity.Rollouts = append(t.activity.Rollouts, rollouts)
		}
	}
}

func (t *timelineReader) reclaims(s *TimelineSpec) {
	if len(s.Reclaims) == 0 {
		if s.DailyReclaims {
			t.errs.add("dailyReclaims", "takes reclaims")
		}
		return
	}
	reclaims := &arrivals.Reclaims{Daily: s.DailyReclaims, Start: t.start, Until: t.until}
	for _, r := range s.Reclaims {
		reclaims.Times = append(reclaims.Times, arrivals.Reclaiming{At: r.At.Duration, Share: r.Share})
	}
	if t.spec("", reclaims.Validate()) {
		t.activity.Reclaims = append(t.activity.Reclaims, reclaims)
	}
}

// replicas checks a number of replicas against the limit of pods.
func (t *timelineReader) replicas(field string, n int) {
	if n > t.l.maxPods {
		t.errs.add(field, "%d are more than the %d pods that the scenario may hold in all (option WithMaxPods)", n, t.l.maxPods)
	}
}

func (t *timelineReader) hpa(at string, s *HPASpec, c *arrivals.Controller) {
	if s.Min < 1 {
		t.errs.add(at+".min", "%d is not a number from 1 on", s.Min)
	}
	if s.Max < s.Min {
		t.errs.add(at+".max", "%d is below min %d", s.Max, s.Min)
	}
	t.replicas(at+".max", s.Max)
	if s.TargetCPU < 1 || s.TargetCPU > 1000 {
		t.errs.add(at+".targetCPU", "%d is not from 1 to 1000 percent", s.TargetCPU)
	}
	stabilization := 5 * time.Minute
	if s.ScaleDownStabilization != nil {
		stabilization = s.ScaleDownStabilization.Duration
		// The bounds of autoscaling/v2.
		if stabilization < 0 || stabilization > time.Hour {
			t.errs.add(at+".scaleDownStabilization", "%v is not from 0s to 1h", stabilization)
		}
	}
	if c == nil {
		return
	}
	if requests, err := resources.PodRequests(c.Template); err == nil && requests.Get(corev1.ResourceCPU) == 0 {
		t.errs.add(at, "the pods of %s %s/%s request no CPU, which targetCPU is in percent of", c.Kind, c.Namespace, c.Name)
	}
	c.HPA = &arrivals.HPA{Min: s.Min, Max: s.Max, TargetCPU: s.TargetCPU, ScaleDownStabilization: stabilization}
}

// milli is an amount of CPU as a number.
func milli(field string, q *resource.Quantity, errs *fieldErrors) float64 {
	cpu := q.AsApproximateFloat64() * 1000
	if !(cpu >= 0) || math.IsInf(cpu, 0) {
		errs.add(field, "%q is not an amount from 0 on", shorten(q.String()))
		return 0
	}
	return cpu
}

func (t *timelineReader) load(at string, s *LoadSpec, key types.NamespacedName, kind string) {
	loads := &arrivals.Loads{
		Controller: key, Kind: kind, CPU: t.curve(at, s), Noise: s.Noise, NoiseTime: s.NoiseTime.Duration, Step: s.Step.Duration, Until: t.until,
	}
	valid := loads.CPU != nil
	if !valid {
		loads.CPU = arrivals.Flat(0) // to check the rest by
	}
	if t.spec(at, loads.Validate()) && valid {
		t.activity.Loads = append(t.activity.Loads, loads)
	}
}

// curve returns the load that is stated, nil if that is not valid.
func (t *timelineReader) curve(at string, s *LoadSpec) arrivals.Curve {
	switch {
	case s.Diurnal != nil && len(s.Points) > 0:
		t.errs.add(at, "points and diurnal exclude each other")
	case s.Diurnal != nil:
		d, field := s.Diurnal, at+".diurnal"
		if s.Daily {
			t.errs.add(at+".daily", "takes points; diurnal is daily")
		}
		curve := arrivals.Day{
			Base: milli(field+".base", &d.Base, &t.errs), Peak: milli(field+".peak", &d.Peak, &t.errs),
			PeakHour: d.PeakHour, WeekendFactor: d.WeekendFactor, Start: t.start,
		}
		if t.spec(field, curve.Validate()) {
			return curve
		}
	case len(s.Points) > 0:
		curve := arrivals.Points{Daily: s.Daily, Start: t.start}
		for i := range s.Points {
			p := &s.Points[i]
			cpu := milli(fmt.Sprintf("%s.points[%d].cpu", at, i), &p.CPU, &t.errs)
			curve.Points = append(curve.Points, arrivals.Point{At: p.At.Duration, Value: cpu})
		}
		if t.spec(at, curve.Validate(), ".value", ".cpu") {
			return curve
		}
	default:
		t.errs.add(at, "is empty; expected points or diurnal")
	}
	return nil
}

func (t *timelineReader) job(at string, s *JobTimelineSpec) {
	o := t.object(at, "Job", s.Name)
	jobs := &arrivals.Jobs{
		Name: "unknown", Template: &corev1.Pod{}, OneJob: s.OneJob,
		Arrivals: t.arrivals(at+".arrivals", &s.Arrivals), Runs: t.runs(at+".runs", &s.Runs),
		GiveUp: s.GiveUp.Duration, Until: t.until,
	}
	valid := o != nil && jobs.Arrivals != nil && jobs.Runs != nil
	// What is not valid has been told; the rest is checked without it.
	if jobs.Arrivals == nil {
		jobs.Arrivals = arrivals.Poisson{Rate: arrivals.Flat(1)}
	}
	if jobs.Runs == nil {
		jobs.Runs = arrivals.Constant(0)
	}
	if o != nil {
		jobs.Name = o.name
		if template := t.c.jobTemplates[objectMeta(o.value).UID]; template != nil {
			jobs.Template = template
		} else {
			valid = false
		}
	}
	if t.spec(at, jobs.Validate()) && valid {
		t.activity.Jobs = append(t.activity.Jobs, jobs)
	}
}

// arrivals returns the process that is stated, nil if that is not valid.
func (t *timelineReader) arrivals(at string, s *ArrivalsSpec) arrivals.Process {
	var stated []string
	var process arrivals.Process
	valid := true
	if p := s.Poisson; p != nil {
		process, stated = arrivals.Poisson{Rate: arrivals.Flat(p.PerHour)}, append(stated, "poisson")
		valid = t.spec(at+".poisson", process.Validate(), "rate.value", "perHour", "rate", "perHour")
	}
	if d := s.Diurnal; d != nil {
		process, stated = arrivals.Poisson{Rate: arrivals.Day{
			Base: d.Base, Peak: d.Peak, PeakHour: d.PeakHour, WeekendFactor: d.WeekendFactor, Start: t.start,
		}}, append(stated, "diurnal")
		valid = t.spec(at+".diurnal", process.Validate(), "rate.", "", "rate", "peak")
	}
	if b := s.Bursts; b != nil {
		process, stated = arrivals.Bursts{Every: b.Every.Duration, Pods: b.Pods, Spacing: b.Spacing.Duration}, append(stated, "bursts")
		valid = t.spec(at+".bursts", process.Validate())
	}
	if b := s.Batch; b != nil {
		process, stated = arrivals.Batch{At: b.At.Duration, Pods: b.Pods, Jitter: b.Jitter.Duration, Start: t.start}, append(stated, "batch")
		valid = t.spec(at+".batch", process.Validate())
	}
	if !t.one(at, stated, "poisson", "diurnal", "bursts", "batch") || !valid {
		return nil
	}
	return process
}

// runs returns the distribution that is stated, nil if that is not valid.
func (t *timelineReader) runs(at string, s *RunsSpec) arrivals.RunTime {
	var stated []string
	var runs arrivals.RunTime
	if s.Constant != nil {
		runs, stated = arrivals.Constant(s.Constant.Duration), append(stated, "constant")
		if s.Constant.Duration < 0 {
			t.errs.add(at+".constant", "%v is negative", s.Constant.Duration)
		}
		if s.Min.Duration != 0 || s.Max.Duration != 0 {
			t.errs.add(at, "min and max take median or mean, not constant")
		}
	}
	if s.Median != nil {
		runs, stated = arrivals.LogNormal{Median: s.Median.Duration, Sigma: s.Sigma, Min: s.Min.Duration, Max: s.Max.Duration}, append(stated, "median")
	} else if s.Sigma != 0 {
		t.errs.add(at+".sigma", "takes median")
	}
	if s.Mean != nil {
		runs, stated = arrivals.Exponential{Average: s.Mean.Duration, Min: s.Min.Duration, Max: s.Max.Duration}, append(stated, "mean")
	}
	if !t.one(at, stated, "constant", "median", "mean") {
		return nil
	}
	if !t.spec(at, runs.Validate()) {
		return nil
	}
	return runs
}

// one checks that one of several fields is stated.
func (t *timelineReader) one(at string, stated []string, fields ...string) bool {
	switch len(stated) {
	case 0:
		t.errs.add(at, "is missing; expected %s", quotedList(fields))
	case 1:
		return true
	default:
		t.errs.add(at, "%s and %s exclude each other", stated[0], stated[1])
	}
	return false
}
