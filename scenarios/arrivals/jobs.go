package arrivals

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Jobs is work that is submitted again and again: pods of one template that
// arrive by a process, run for a time and end.
type Jobs struct {
	// Name is what pods and Jobs are called after: the pods of Job nightly-3 are
	// nightly-3-0, nightly-3-1 ... With the template's namespace it names the
	// random streams of these Jobs, too.
	Name string
	// Template is a pod as the Job makes it, without name and UID.
	Template *corev1.Pod
	// OneJob has all pods belong to one Job, as those that take work from a queue:
	// the template's owner, or one called Name if it has none. Otherwise each arrival is a Job of its own: a pod, a burst, a day's batch.
	// Cluster Autoscaler treats the pods of one Job together.
	OneJob bool
	// Arrivals says when pods come, Runs how long they run.
	Arrivals Process
	Runs     RunTime
	// GiveUp is how long a pod waits before its user deletes it; 0: for ever.
	GiveUp time.Duration
	// Until is when arrivals end.
	Until time.Duration
}

// maxJobName leaves room for numbers in a name of 253 letters.
const maxJobName = 200

// Validate returns a [*SpecError] with everything that is wrong.
func (j *Jobs) Validate() error {
	var p problems
	for _, message := range validation.IsDNS1123Subdomain(j.Name) {
		p.add("name", "%q: %s", j.Name, message)
	}
	if len(j.Name) > maxJobName {
		p.add("name", "is longer than %d letters", maxJobName)
	}
	if j.Template == nil {
		p.add("template", "is missing")
	}
	if j.Arrivals == nil {
		p.add("arrivals", "is missing")
	} else {
		p.under("arrivals", j.Arrivals.Validate())
	}
	if j.Runs == nil {
		p.add("runs", "is missing")
	} else {
		p.under("runs", j.Runs.Validate())
	}
	p.duration("giveUp", j.GiveUp, 0, MaxUntil)
	p.until(j.Until)
	return p.err()
}

// Stream returns the submissions of a seed. The error is that of Validate.
//
// Arrivals, run times and identities are drawn from a random stream each, so that
// a change of one leaves the others as they were. A pod costs four allocations, a
// Job a few more; nothing of them is kept.
func (j *Jobs) Stream(seed uint64) (Stream, error) {
	if err := j.Validate(); err != nil {
		return nil, err
	}
	name := "jobs/" + j.Template.Namespace + "/" + j.Name
	s := &submissions{
		name: j.Name, template: *j.Template, oneJob: j.OneJob, draw: j.Runs.draw, giveUp: j.GiveUp,
		next: j.Arrivals.arrivals(NewRand(seed, name+"/arrivals"), j.Until),
		runs: NewRand(seed, name+"/runs"), ids: NewRand(seed, name+"/identities"), group: -1,
	}
	return s, nil
}

// submissions is the stream of one Jobs.
type submissions struct {
	name     string
	template corev1.Pod // of the current group
	oneJob   bool
	draw     func(*rand.Rand) time.Duration
	giveUp   time.Duration
	next     func() (arrival, bool)

	runs, ids *rand.Rand
	group     int
	text      []byte
}

// Next implements [Stream].
func (s *submissions) Next() (Event, bool) {
	a, ok := s.next()
	if !ok {
		return Event{}, false
	}
	if a.group != s.group {
		if !s.oneJob || len(s.template.OwnerReferences) == 0 {
			s.own(a.group)
		}
		s.group = a.group
	}
	pod := s.template
	s.text = append(s.text[:0], s.name...)
	s.text = strconv.AppendInt(append(s.text, '-'), int64(a.group), 10)
	s.text = strconv.AppendInt(append(s.text, '-'), int64(a.index), 10)
	end := len(s.text)
	s.text = appendUID(s.text, s.ids)
	text := string(s.text)
	pod.GenerateName, pod.Name, pod.UID = "", text[:end], types.UID(text[end:])
	return Event{At: a.at, Submit: &Submission{Pod: &pod, Runs: s.draw(s.runs), GiveUp: s.giveUp}}, true
}

// own makes the Job of a group the owner of the pods that follow.
func (s *submissions) own(group int) {
	job := s.name
	if !s.oneJob {
		job += "-" + strconv.Itoa(group)
	}
	uid := types.UID(appendUID(nil, s.ids))
	yes := true
	s.template.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "batch/v1", Kind: "Job", Name: job, UID: uid, Controller: &yes, BlockOwnerDeletion: &yes,
	}}
	// Those labels by which a Job marks its pods follow, where the template has them.
	labels := maps.Clone(s.template.Labels)
	for key, value := range map[string]string{
		batchv1.JobNameLabel: job, "job-name": job, // the second is from before 1.27, and still set
		batchv1.ControllerUidLabel: string(uid), "controller-uid": string(uid),
	} {
		if _, ok := labels[key]; ok {
			labels[key] = value
		}
	}
	s.template.Labels = labels
}
