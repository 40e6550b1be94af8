package scenarios

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// expansion makes the pods that controllers would make, less those that exist.
// The pods of one controller share everything but name, UID and, where the
// controller sets them, labels.
type expansion struct {
	l         *loader
	admission *admission
	cluster   *cluster
	made      int             // pods so far
	taken     map[string]bool // namespace/name of the pods in the input

	// By UID of the controller: active counts the pods in the input that count for
	// it, finished those of a Job that succeeded.
	active, finished map[types.UID]int
	// replicaSets and jobs are those in the input that a Deployment or CronJob owns.
	replicaSets map[types.UID][]*appsv1.ReplicaSet
	jobs        map[types.UID][]*batchv1.Job
	// further is how many pods more than its own replicas the newest ReplicaSet of
	// a Deployment is to have, so that the Deployment gets what it wants.
	further map[types.UID]int
	// deploymentOf has the ReplicaSets of Deployments: the Deployment for its
	// newest one, nil for the others.
	deploymentOf map[types.UID]*located[*appsv1.Deployment]
	// unseen are, by Deployment, the ReplicaSets that only their pods tell of.
	unseen map[types.UID][]unseenReplicaSet
}

// unseenReplicaSet is a ReplicaSet that is not in the input while its pods are.
type unseenReplicaSet struct {
	name, hash string
	uid        types.UID
}

// newExpansion counts what exists.
func newExpansion(l *loader, c *cluster, a *admission) *expansion {
	e := &expansion{
		l: l, admission: a, cluster: c,
		taken:  make(map[string]bool, len(c.pods)),
		active: map[types.UID]int{}, finished: map[types.UID]int{},
		replicaSets: map[types.UID][]*appsv1.ReplicaSet{}, jobs: map[types.UID][]*batchv1.Job{},
		further: map[types.UID]int{}, unseen: map[types.UID][]unseenReplicaSet{},
		deploymentOf: map[types.UID]*located[*appsv1.Deployment]{},
	}
	owners := newOwners(c)
	for _, s := range c.replicaSets {
		if owner, ok := owners.of(s.value.Namespace, metav1.GetControllerOfNoCopy(s.value)); ok {
			e.replicaSets[owner] = append(e.replicaSets[owner], s.value)
		}
	}
	for _, j := range c.jobs {
		if owner, ok := owners.of(j.value.Namespace, metav1.GetControllerOfNoCopy(j.value)); ok {
			e.jobs[owner] = append(e.jobs[owner], j.value)
		}
	}
	for _, p := range c.pods {
		pod := p.value
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			e.taken[pod.Namespace+"/"+pod.Name] = true
		}
		ref := metav1.GetControllerOfNoCopy(pod)
		if ref == nil {
			continue
		}
		owner, ok := owners.of(pod.Namespace, ref)
		if ok {
			tie(ref, owner)
		}
		if !ok && ref.Kind == "ReplicaSet" {
			if owner, ok = owners.deploymentOf(pod, ref.Name); ok {
				tie(ref, uidFor("ReplicaSet", pod.Namespace, ref.Name))
				set := unseenReplicaSet{ref.Name, pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey], ref.UID}
				if !slices.Contains(e.unseen[owner], set) {
					e.unseen[owner] = append(e.unseen[owner], set)
				}
			}
		}
		switch {
		case !ok:
		case pod.Status.Phase == corev1.PodSucceeded:
			e.finished[owner]++
		case pod.Status.Phase != corev1.PodFailed && pod.DeletionTimestamp == nil:
			e.active[owner]++
		}
	}
	for i := range c.deployments {
		e.growNewest(&c.deployments[i])
	}
	return e
}

// growNewest lets the newest ReplicaSet of a Deployment make up for what all of
// them together want less than the Deployment.
func (e *expansion) growNewest(of *located[*appsv1.Deployment]) {
	d := of.value
	missing := replicasOr1(d.Spec.Replicas) - e.active[d.UID]
	var newest *appsv1.ReplicaSet
	for _, s := range e.replicaSets[d.UID] {
		missing -= replicasOr1(s.Spec.Replicas)
		e.deploymentOf[s.UID] = nil
		if newest == nil || revision(s) > revision(newest) {
			newest = s
		}
	}
	if newest != nil {
		e.further[newest.UID] = max(0, missing)
		e.deploymentOf[newest.UID] = of
	}
}

// owners finds controllers in the input.
type owners struct {
	uids        map[types.UID]bool
	names       map[[3]string]types.UID // kind, namespace, name
	deployments map[[2]string]*appsv1.Deployment
}

func newOwners(c *cluster) *owners {
	o := &owners{uids: map[types.UID]bool{}, names: map[[3]string]types.UID{}, deployments: map[[2]string]*appsv1.Deployment{}}
	for _, w := range c.workloads {
		if meta := objectMeta(w.value); w.kind != "Pod" {
			o.uids[meta.UID] = true
			o.names[[3]string{w.kind, meta.Namespace, meta.Name}] = meta.UID
		}
	}
	for _, d := range c.deployments {
		o.deployments[[2]string{d.value.Namespace, d.value.Name}] = d.value
	}
	return o
}

// of returns the UID of the controller that a reference names: by its UID, or
// by kind and name where the manifest states no UID.
func (o *owners) of(namespace string, ref *metav1.OwnerReference) (types.UID, bool) {
	if ref == nil {
		return "", false
	}
	if o.uids[ref.UID] {
		return ref.UID, true
	}
	uid, ok := o.names[[3]string{ref.Kind, namespace, ref.Name}]
	return uid, ok
}

// deploymentOf finds the Deployment of a pod whose ReplicaSet is not in the
// input, by the ReplicaSet's name: the Deployment's, then the template's hash.
func (o *owners) deploymentOf(pod *corev1.Pod, replicaSet string) (types.UID, bool) {
	hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	name, ok := strings.CutSuffix(replicaSet, "-"+hash)
	d := o.deployments[[2]string{pod.Namespace, name}]
	if hash == "" || !ok || d == nil {
		return "", false
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(pod.Labels)) {
		return "", false
	}
	return d.UID, true
}

// pods returns the pods that a controller lacks, or the pod itself.
func (e *expansion) pods(o *object) []*corev1.Pod {
	switch v := o.value.(type) {
	case *corev1.Pod:
		e.made++
		return []*corev1.Pod{v}
	case *appsv1.Deployment:
		return e.deployment(o, v)
	case *appsv1.ReplicaSet:
		return e.replicas(o, v, "ReplicaSet", "apps/v1", &v.Spec.Template, v.Spec.Replicas, "spec")
	case *corev1.ReplicationController:
		if v.Spec.Template == nil {
			e.l.problemAt(o, fieldError{"spec.template", "is missing"})
			return nil
		}
		return e.replicas(o, v, "ReplicationController", "v1", v.Spec.Template, v.Spec.Replicas, "spec")
	case *appsv1.StatefulSet:
		return e.statefulSet(o, v)
	case *batchv1.Job:
		return e.job(o, v, "spec")
	case *batchv1.CronJob:
		return e.cronJob(o, v)
	}
	return nil
}

// replicasOr1 is the API server's default.
func replicasOr1(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

// deployment makes the pods of a Deployment that has no ReplicaSet in the input:
// those it wants less those that are there. Their ReplicaSet is the one that the
// pods there belong to, if that is one, else it is made up.
func (e *expansion) deployment(o *object, d *appsv1.Deployment) []*corev1.Pod {
	if len(e.replicaSets[d.UID]) > 0 {
		return nil // they make the pods
	}
	template, err := json.Marshal(d.Spec.Template)
	if err != nil {
		e.l.problemAt(o, fieldError{"spec.template", err.Error()})
		return nil
	}
	hash := templateHash(template)
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name + "-" + hash}}
	set.UID = uidFor("ReplicaSet", set.Namespace, set.Name)
	if unseen := e.unseen[d.UID]; len(unseen) == 1 {
		set.Name, set.UID, hash = unseen[0].name, unseen[0].uid, unseen[0].hash
	}
	labelled := d.Spec.Template.DeepCopy()
	if labelled.Labels == nil {
		labelled.Labels = map[string]string{}
	}
	labelled.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	missing := replicasOr1(d.Spec.Replicas) - e.active[d.UID]
	return e.stamp(o, set, "ReplicaSet", "apps/v1", labelled, missing, "spec.replicas", "spec.template")
}

// revision is the number that a Deployment gives its ReplicaSets, 0 if it has none.
func revision(s *appsv1.ReplicaSet) int {
	n, err := strconv.Atoi(s.Annotations["deployment.kubernetes.io/revision"])
	if err != nil {
		return 0
	}
	return n
}

// replicas makes the pods that a controller of alike pods lacks.
func (e *expansion) replicas(o *object, owner metav1.Object, kind, version string, template *corev1.PodTemplateSpec, want *int32, spec string) []*corev1.Pod {
	missing := replicasOr1(want) + e.further[owner.GetUID()] - e.active[owner.GetUID()]
	return e.stamp(o, owner, kind, version, template, missing, spec+".replicas", spec+".template")
}

// stamp makes n pods of a template with random-looking names.
func (e *expansion) stamp(o *object, owner metav1.Object, kind, version string, template *corev1.PodTemplateSpec, n int, countField, templateField string) []*corev1.Pod {
	if !e.allowed(o, n, countField) {
		return nil
	}
	pattern, ok := e.pattern(o, owner, kind, version, template, templateField)
	if !ok {
		return nil
	}
	e.keep(o, pattern)
	if n <= 0 {
		return nil
	}
	pods := make([]*corev1.Pod, 0, n)
	block := make([]corev1.Pod, n)
	for i := 0; len(pods) < n; i++ {
		name := owner.GetName() + "-" + podSuffix(owner.GetName(), i)
		if len(e.taken) > 0 && e.taken[owner.GetNamespace()+"/"+name] {
			continue
		}
		pod := &block[len(pods)]
		*pod = *pattern
		pod.Name, pod.UID = name, uidFor("Pod", pod.Namespace, name)
		pods = append(pods, pod)
	}
	return pods
}

// allowed checks that a controller's n pods keep within the limit.
func (e *expansion) allowed(o *object, n int, field string) bool {
	if n <= 0 {
		return true
	}
	if n > e.l.maxPods-e.made {
		e.l.problemAt(o, fieldError{field, fmt.Sprintf("%d further pods are more than the %d that the scenario may hold in all (option WithMaxPods)", n, e.l.maxPods)})
		return false
	}
	e.made += n
	return true
}

// pattern is the pod of a template as the API server stores it, but for its
// name. It returns false if the template is invalid; the problems are noted.
func (e *expansion) pattern(o *object, owner metav1.Object, kind, version string, template *corev1.PodTemplateSpec, field string) (*corev1.Pod, bool) {
	yes := true
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: owner.GetNamespace(), GenerateName: owner.GetName() + "-",
			Labels: template.Labels, Annotations: template.Annotations, Finalizers: template.Finalizers,
			CreationTimestamp: owner.GetCreationTimestamp(),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: version, Kind: kind, Name: owner.GetName(), UID: owner.GetUID(),
				Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Spec:   *template.Spec.DeepCopy(),
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	errs := e.admission.admit(pod.Namespace, pod.Labels, &pod.Spec, false)
	errs = append(errs, validatePodSpec(pod.Labels, &pod.Spec)...)
	if restarts := pod.Spec.RestartPolicy == corev1.RestartPolicyAlways; restarts == (kind == "Job") {
		expected := "Always"
		if kind == "Job" {
			expected = "OnFailure or Never"
		}
		errs = append(errs, fieldError{"spec.restartPolicy", fmt.Sprintf("%q; a %s takes %s", pod.Spec.RestartPolicy, o.kind, expected)})
	}
	for _, err := range errs {
		e.l.problemAt(o, fieldError{joinField(field, err.field), err.message})
	}
	return pod, len(errs) == 0
}

// statefulSet makes the pods of the ordinals that are not there, and the claims
// of their volumes.
func (e *expansion) statefulSet(o *object, s *appsv1.StatefulSet) []*corev1.Pod {
	n := replicasOr1(s.Spec.Replicas)
	if !e.allowed(o, n-e.active[s.UID], "spec.replicas") {
		return nil
	}
	pattern, ok := e.pattern(o, s, "StatefulSet", "apps/v1", &s.Spec.Template, "spec.template")
	if !ok {
		return nil
	}
	template, err := json.Marshal(s.Spec.Template)
	if err != nil {
		e.l.problemAt(o, fieldError{"spec.template", err.Error()})
		return nil
	}
	start := 0
	if s.Spec.Ordinals != nil {
		start = int(s.Spec.Ordinals.Start)
	}
	pattern.GenerateName = ""
	hash := s.Name + "-" + templateHash(template)
	pattern.Labels = with(pattern.Labels, map[string]string{appsv1.ControllerRevisionHashLabelKey: hash})
	e.keep(o, pattern)
	var pods []*corev1.Pod
	for i := start; i < start+n; i++ {
		name := s.Name + "-" + strconv.Itoa(i)
		if e.taken[s.Namespace+"/"+name] {
			continue
		}
		pod := *pattern
		pod.Name, pod.UID = name, uidFor("Pod", s.Namespace, name)
		pod.Labels = with(pod.Labels, map[string]string{
			appsv1.StatefulSetPodNameLabel: name,
			appsv1.PodIndexLabel:           strconv.Itoa(i),
		})
		pod.Spec.Hostname, pod.Spec.Subdomain = name, s.Spec.ServiceName
		e.mountClaims(s, &pod)
		pods = append(pods, &pod)
	}
	for i := start + n; i < start+e.cluster.most[s.UID]; i++ { // those that come over time
		e.mountClaims(s, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-" + strconv.Itoa(i)}})
	}
	return pods
}

// mountClaims gives a pod of a StatefulSet its volumes, of which the claims are
// named by template and pod, and adds those claims that are not in the input.
func (e *expansion) mountClaims(s *appsv1.StatefulSet, pod *corev1.Pod) {
	if len(s.Spec.VolumeClaimTemplates) == 0 {
		return
	}
	var volumes []corev1.Volume
	templates := map[string]bool{}
	for i := range s.Spec.VolumeClaimTemplates {
		template := &s.Spec.VolumeClaimTemplates[i]
		templates[template.Name] = true
		claim := corev1.PersistentVolumeClaim{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
			ObjectMeta: metav1.ObjectMeta{
				Namespace: pod.Namespace, Name: template.Name + "-" + pod.Name,
				Labels: template.Labels, Annotations: template.Annotations,
			},
			Spec:   template.Spec,
			Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
		}
		claim.UID = uidFor("PersistentVolumeClaim", claim.Namespace, claim.Name)
		completeClaim(&claim, e.cluster.defaultClass)
		e.cluster.addClaim(&claim)
		volumes = append(volumes, corev1.Volume{Name: template.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
		}})
	}
	for _, v := range pod.Spec.Volumes {
		if !templates[v.Name] { // a claim's template wins over a volume of its name
			volumes = append(volumes, v)
		}
	}
	pod.Spec.Volumes = volumes
}

// addClaim adds a claim unless the input has one of that name.
func (c *cluster) addClaim(claim *corev1.PersistentVolumeClaim) {
	if c.claimNames == nil {
		c.claimNames = make(map[string]bool, len(c.claims))
		for _, have := range c.claims {
			c.claimNames[have.value.Namespace+"/"+have.value.Name] = true
		}
	}
	name := claim.Namespace + "/" + claim.Name
	if !c.claimNames[name] {
		c.claimNames[name] = true
		c.claims = append(c.claims, located[*corev1.PersistentVolumeClaim]{value: claim})
	}
}

// job makes the pods that a Job would run at once now: its parallelism, no more
// than what is left of its completions, less those that are there. A suspended
// or finished Job has none, nor has one whose pods come over time.
func (e *expansion) job(o *object, j *batchv1.Job, spec string) []*corev1.Pod {
	later := e.cluster.arriving[j.UID]
	if !later && j.Spec.Suspend != nil && *j.Spec.Suspend {
		e.l.warnAt(o, "a suspended Job runs no pods")
		return nil
	}
	for _, c := range j.Status.Conditions {
		if !later && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	n := 1
	if j.Spec.Parallelism != nil {
		n = int(*j.Spec.Parallelism)
	}
	if j.Spec.Completions != nil {
		n = min(n, int(*j.Spec.Completions)-max(int(j.Status.Succeeded), e.finished[j.UID]))
	}
	n -= e.active[j.UID]
	if later {
		n = 0
	}
	template := j.Spec.Template.DeepCopy()
	template.Labels = with(template.Labels, map[string]string{
		batchv1.JobNameLabel: j.Name, batchv1.ControllerUidLabel: string(j.UID),
		"job-name": j.Name, "controller-uid": string(j.UID), // the same before 1.27, still set
	})
	pods := e.stamp(o, j, "Job", "batch/v1", template, n, spec+".parallelism", spec+".template")
	if j.Spec.CompletionMode == nil || *j.Spec.CompletionMode != batchv1.IndexedCompletion {
		return pods
	}
	if j.Spec.Completions == nil {
		return nil // validation tells
	}
	indexes := e.freeIndexes(j, len(pods))
	for i, pod := range pods {
		index := strconv.Itoa(indexes[i])
		pod.Name = j.Name + "-" + index + "-" + podSuffix(j.Name, i)
		pod.UID = uidFor("Pod", pod.Namespace, pod.Name)
		pod.Labels = with(pod.Labels, map[string]string{batchv1.JobCompletionIndexAnnotation: index})
		pod.Annotations = with(pod.Annotations, map[string]string{batchv1.JobCompletionIndexAnnotation: index})
		pod.Spec.Hostname = j.Name + "-" + index
	}
	return pods
}

// freeIndexes returns the lowest n completion indexes of a Job that no pod in
// the input has and that are not completed.
func (e *expansion) freeIndexes(j *batchv1.Job, n int) []int {
	used := completedIndexes(j)
	for _, p := range e.cluster.pods {
		ref := metav1.GetControllerOfNoCopy(p.value)
		if ref != nil && ref.Kind == "Job" && (ref.UID == j.UID || ref.Name == j.Name && p.value.Namespace == j.Namespace) &&
			p.value.Status.Phase != corev1.PodFailed {
			used[p.value.Annotations[batchv1.JobCompletionIndexAnnotation]] = true
		}
	}
	free := make([]int, 0, n)
	for i := 0; len(free) < n; i++ {
		if !used[strconv.Itoa(i)] {
			free = append(free, i)
		}
	}
	return free
}

// completedIndexes reads a Job's status: indexes and ranges such as "0,2-4".
// Indexes from its completions on, which only a damaged status holds, do not count.
func completedIndexes(j *batchv1.Job) map[string]bool {
	done := map[string]bool{}
	for part := range strings.SplitSeq(j.Status.CompletedIndexes, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 {
			continue
		}
		for i := from; i <= min(to, int(*j.Spec.Completions)-1); i++ {
			done[strconv.Itoa(i)] = true
		}
	}
	return done
}

// cronJob makes the pods of one run, unless a run of it is in the input and
// under way.
func (e *expansion) cronJob(o *object, c *batchv1.CronJob) []*corev1.Pod {
	if c.Spec.Suspend != nil && *c.Spec.Suspend {
		e.l.warnAt(o, "a suspended CronJob starts no run")
		return nil
	}
	for _, j := range e.jobs[c.UID] {
		done := false
		for _, condition := range j.Status.Conditions {
			done = done || condition.Status == corev1.ConditionTrue &&
				(condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed)
		}
		if !done {
			return nil
		}
	}
	run := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.Namespace, Name: c.Name + "-" + strconv.FormatInt(max(0, e.l.now.Unix()/60), 10),
			CreationTimestamp: c.CreationTimestamp,
		},
		Spec: c.Spec.JobTemplate.Spec,
	}
	run.UID = uidFor("Job", run.Namespace, run.Name)
	return e.job(o, run, "spec.jobTemplate.spec")
}

// with returns labels or annotations with some more.
func with(m, more map[string]string) map[string]string {
	out := make(map[string]string, len(m)+len(more))
	for k, v := range m {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}
