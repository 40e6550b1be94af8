package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/bench/internal/scaleup"
	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// scaleDownCase is what a case of scale-down has beyond one of scale-up.
type scaleDownCase struct {
	PDBs        []*policyv1.PodDisruptionBudget `json:"pdbs"`
	Controllers []struct {
		Kind, Namespace, Name string
		Missing               bool
		Replicas              int
	} `json:"controllers"`
	NodeGroups []struct {
		ID      string           `json:"id"`
		Options scaleDownOptions `json:"options"`
	} `json:"nodeGroups"`
	Options scaleDownOptions `json:"options"`
}

// scaleDownOptions are flags that a case or a group sets; times are in seconds.
type scaleDownOptions struct {
	IgnoreDaemonsetsUtilization   *bool    `json:"ignoreDaemonsetsUtilization"`
	MaxDrainParallelism           *int     `json:"maxDrainParallelism"`
	MaxScaleDownParallelism       *int     `json:"maxScaleDownParallelism"`
	NodeProvisionTime             int      `json:"nodeProvisionTime"`
	ScaleDownDelayAfterAdd        *int     `json:"scaleDownDelayAfterAdd"`
	ScaleDownDelayAfterDelete     *int     `json:"scaleDownDelayAfterDelete"`
	ScaleDownUnneededTime         *int     `json:"scaleDownUnneededTime"`
	ScaleDownUnreadyTime          *int     `json:"scaleDownUnreadyTime"`
	ScaleDownUtilizationThreshold *float64 `json:"scaleDownUtilizationThreshold"`
}

func (o scaleDownOptions) group(to *clusterautoscaler.NodeGroupOptions) {
	set(&to.IgnoreDaemonSetsUtilization, o.IgnoreDaemonsetsUtilization)
	set(&to.ScaleDownUtilizationThreshold, o.ScaleDownUtilizationThreshold)
	setSeconds(&to.ScaleDownUnneededTime, o.ScaleDownUnneededTime)
	setSeconds(&to.ScaleDownUnreadyTime, o.ScaleDownUnreadyTime)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setSeconds(to *time.Duration, from *int) {
	if from != nil {
		*to = time.Duration(*from) * time.Second
	}
}

// scaleDownOutcome is a run in the recorded form.
type scaleDownOutcome struct {
	Deletions []scaleDownDeletion `json:"deletions"`
	Final     map[string]int      `json:"final"`
	Price     float64             `json:"price"`
	Pending   []string            `json:"pending"`
	Loops     []scaleDownLoop     `json:"loops"`
}

// scaleDownDeletion is a node that went, and when, in seconds.
type scaleDownDeletion struct {
	T     int               `json:"t"`
	Node  string            `json:"node"`
	Drain bool              `json:"drain"`
	Pods  map[string]string `json:"pods,omitempty"`
}

// scaleDownLoop is what changed in a loop: fields that are as they were are left out.
type scaleDownLoop struct {
	T           int                   `json:"t"`
	Pending     []string              `json:"pending,omitempty"`
	NewNodes    []string              `json:"newNodes,omitempty"`
	Bound       map[string]string     `json:"bound,omitempty"`
	ScaleUps    []scaleup.Resize      `json:"scaleUps,omitempty"`
	Candidates  []string              `json:"candidates,omitempty"`
	Utilization map[string][2]float64 `json:"utilization,omitempty"`
	Unneeded    []string              `json:"unneeded,omitempty"`
	Unremovable map[string][]string   `json:"unremovable,omitempty"`
	Blocked     map[string]string     `json:"blocked,omitempty"`
	Result      string                `json:"result,omitempty"`
	Deletions   []scaleDownDeletion   `json:"deletions,omitempty"`
}

// compareScaleDown runs a case of scale-down over virtual time and compares every
// loop with what Cluster Autoscaler did: exact if all is as in the canonical
// outcome, variant if it is as in one recorded with map order left alone.
func compareScaleDown(file []byte) (result, error) {
	var recorded struct {
		Upstream struct {
			Canonical scaleDownOutcome   `json:"canonical"`
			Variants  []scaleDownOutcome `json:"variants"`
		} `json:"upstream"`
	}
	if err := json.Unmarshal(file, &recorded); err != nil {
		return result{}, fmt.Errorf("upstream: %w", err)
	}
	ours, err := runScaleDown(file)
	if err != nil {
		return result{}, err
	}
	out := result{verdict: differs}
	if out.outcome, err = json.MarshalIndent(ours, "", " "); err != nil {
		return result{}, err
	}
	out.outcome = append(out.outcome, '\n')
	if out.difference = ours.difference(&recorded.Upstream.Canonical); out.difference == "" {
		out.verdict = exact
		return out, nil
	}
	for i := range recorded.Upstream.Variants {
		if ours.difference(&recorded.Upstream.Variants[i]) == "" {
			out.verdict, out.difference = variant, ""
			break
		}
	}
	return out, nil
}

// caseStart is the moment at which cases begin; any would do.
var caseStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Annotations of a case's objects, in seconds: how old a node or pod is at the
// start, when a pod arrives, and since when it has been terminating.
const (
	ageAnnotation         = "binwright.dev/age"
	arrivesAnnotation     = "binwright.dev/arrives"
	terminatingAnnotation = "binwright.dev/terminating"
)

func runScaleDown(file []byte) (*scaleDownOutcome, error) {
	c, err := scaleup.Read(file)
	if err != nil {
		return nil, err
	}
	var more struct {
		Input scaleDownCase `json:"input"`
	}
	if err := json.Unmarshal(file, &more); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	if err := date(c); err != nil {
		return nil, err
	}
	cluster := clusterautoscaler.Cluster{Listed: slices.Concat(c.BoundPods, c.Pods)}
	if cluster.Snapshot, err = c.Snapshot(); err != nil {
		return nil, err
	}
	cluster.Snapshot.Now = caseStart
	cluster.Snapshot.PodDisruptionBudgets = more.Input.PDBs
	for _, x := range more.Input.Controllers {
		cluster.Controllers = append(cluster.Controllers, clusterautoscaler.Controller(x))
	}
	packer, err := c.Packer(more.Input.packerOptions()...)
	if err != nil {
		return nil, err
	}
	history, err := packer.RunFor(context.Background(), cluster, clusterautoscaler.Timeline{
		NodeProvisionTime: time.Duration(more.Input.Options.NodeProvisionTime) * time.Second})
	if err != nil {
		return nil, err
	}
	return scaleDownOutcomeOf(history), nil
}

func (c *scaleDownCase) packerOptions() []clusterautoscaler.Option {
	o := c.Options
	opts := []clusterautoscaler.Option{clusterautoscaler.WithScaleDown(func(s *clusterautoscaler.ScaleDownSettings) {
		set(&s.MaxDrainParallelism, o.MaxDrainParallelism)
		set(&s.MaxParallelism, o.MaxScaleDownParallelism)
		setSeconds(&s.DelayAfterAdd, o.ScaleDownDelayAfterAdd)
		setSeconds(&s.DelayAfterDelete, o.ScaleDownDelayAfterDelete)
		o.group(&s.Defaults)
	})}
	for _, g := range c.NodeGroups {
		opts = append(opts, clusterautoscaler.WithNodeGroupOptions(g.ID, g.Options.group))
	}
	return opts
}

// date gives the objects of a case their times: nodes are half an hour old and pods
// a day, unless annotations say otherwise. Nodes are labelled with their names.
func date(c *scaleup.Case) error {
	seconds := func(o metav1.Object, key string, otherwise time.Duration) (time.Duration, error) {
		text, ok := o.GetAnnotations()[key]
		if !ok {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("%s: annotation %s: %w", o.GetName(), key, err)
		}
		return time.Duration(n) * time.Second, nil
	}
	for _, n := range c.Nodes {
		age, err := seconds(n, ageAnnotation, 30*time.Minute)
		if err != nil {
			return err
		}
		metav1.SetMetaDataLabel(&n.ObjectMeta, corev1.LabelHostname, n.Name)
		n.CreationTimestamp = metav1.NewTime(caseStart.Add(-age))
		if len(n.Status.Conditions) == 0 {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		}
		for i := range n.Status.Conditions {
			n.Status.Conditions[i].LastTransitionTime = n.CreationTimestamp
		}
	}
	for _, p := range slices.Concat(c.BoundPods, c.Pods) {
		age, err := seconds(p, ageAnnotation, 24*time.Hour)
		if err != nil {
			return err
		}
		arrives, err := seconds(p, arrivesAnnotation, -age)
		if err != nil {
			return err
		}
		p.CreationTimestamp = metav1.NewTime(caseStart.Add(arrives))
		const never = -1
		since, err := seconds(p, terminatingAnnotation, never)
		if err != nil {
			return err
		}
		if since != never {
			deleted := metav1.NewTime(caseStart.Add(-since))
			p.DeletionTimestamp = &deleted
		}
	}
	return nil
}

// scaleDownOutcomeOf keeps of each loop what changed.
func scaleDownOutcomeOf(h *clusterautoscaler.History) *scaleDownOutcome {
	out := &scaleDownOutcome{Final: map[string]int{}, Price: h.Cost, Pending: podNames(h.Pending)}
	slices.Sort(out.Pending)
	for _, f := range h.FinalSizes {
		out.Final[f.Group.Name] = f.Size
	}
	var last scaleDownLoop
	last.Utilization = map[string][2]float64{}
	for i, l := range h.Loops {
		full := fullLoop(l)
		full.T = int(l.At.Sub(caseStart).Seconds())
		for _, d := range full.Deletions {
			out.Deletions = append(out.Deletions, scaleDownDeletion{T: full.T, Node: d.Node, Drain: d.Drain})
		}
		changed, any := full.since(&last)
		if any || i == 0 {
			out.Loops = append(out.Loops, changed)
		}
	}
	return out
}

func podNames(pods []*corev1.Pod) []string {
	out := make([]string, len(pods))
	for i, p := range pods {
		out[i] = p.Name
	}
	return out
}

func nodeNames(nodes []*corev1.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
	}
	return out
}

func movesByPod(moves []clusterautoscaler.Move) map[string]string {
	out := map[string]string{}
	for _, m := range moves {
		out[m.Pod.Name] = m.To
	}
	return out
}

// fullLoop puts a loop into the recorded form, nothing left out.
func fullLoop(l *clusterautoscaler.Loop) scaleDownLoop {
	out := scaleDownLoop{
		Pending: podNames(l.Pending), NewNodes: nodeNames(l.NewNodes), Bound: movesByPod(l.Bound),
		Candidates: nodeNames(l.Candidates), Unneeded: nodeNames(l.Unneeded),
		Utilization: map[string][2]float64{}, Unremovable: map[string][]string{}, Blocked: map[string]string{},
		Result: strings.TrimPrefix(string(l.Result), "ScaleDown"),
	}
	slices.Sort(out.Unneeded)
	for _, s := range l.ScaleUps {
		out.ScaleUps = append(out.ScaleUps, scaleup.Resize{ID: s.Group.Name, Delta: s.To - s.From})
	}
	for name, u := range l.Utilization {
		out.Utilization[name] = [2]float64{u.CPU, u.Memory}
	}
	for _, u := range l.Unremovable {
		out.Unremovable[string(u.Reason)] = append(out.Unremovable[string(u.Reason)], u.Node.Name)
		if u.BlockingPod != nil {
			out.Blocked[u.Node.Name] = fmt.Sprintf("%s %s/%s", u.Blocking, u.BlockingPod.Namespace, u.BlockingPod.Name)
		}
	}
	for _, names := range out.Unremovable {
		slices.Sort(names)
	}
	for _, d := range l.Deletions {
		x := scaleDownDeletion{Node: d.Node.Name, Drain: d.Drain}
		if d.Drain {
			x.Pods = movesByPod(d.Pods)
		}
		out.Deletions = append(out.Deletions, x)
	}
	if out.Result == "NotTried" {
		out.Result = "NotRun"
	}
	return out
}

// since leaves out what is as it was, and remembers what is.
func (l scaleDownLoop) since(last *scaleDownLoop) (changed scaleDownLoop, any bool) {
	changed = scaleDownLoop{T: l.T, NewNodes: l.NewNodes, Bound: l.Bound, ScaleUps: l.ScaleUps, Deletions: l.Deletions}
	any = len(l.NewNodes)+len(l.Bound)+len(l.ScaleUps)+len(l.Deletions) > 0
	if !slices.Equal(l.Pending, last.Pending) || last.Result == "" {
		changed.Pending, last.Pending, any = l.Pending, l.Pending, true
	}
	if l.Result != last.Result {
		changed.Result, last.Result, any = l.Result, l.Result, true
	}
	if l.Result == "NotRun" {
		return changed, any
	}
	if !slices.Equal(l.Candidates, last.Candidates) {
		changed.Candidates, last.Candidates, any = l.Candidates, l.Candidates, true
	}
	for name, u := range l.Utilization {
		if was, ok := last.Utilization[name]; !ok || was != u {
			if changed.Utilization == nil {
				changed.Utilization = map[string][2]float64{}
			}
			changed.Utilization[name], last.Utilization[name], any = u, u, true
		}
	}
	if !slices.Equal(l.Unneeded, last.Unneeded) {
		changed.Unneeded, last.Unneeded, any = l.Unneeded, l.Unneeded, true
	}
	if !reflect.DeepEqual(l.Unremovable, last.Unremovable) || !maps.Equal(l.Blocked, last.Blocked) {
		changed.Unremovable, last.Unremovable, any = l.Unremovable, l.Unremovable, true
		changed.Blocked, last.Blocked = l.Blocked, l.Blocked
	}
	return changed, any
}

// difference returns the first difference, "" if there is none.
func (o *scaleDownOutcome) difference(want *scaleDownOutcome) string {
	for i := range min(len(o.Loops), len(want.Loops)) {
		if d := o.Loops[i].difference(&want.Loops[i]); d != "" {
			return d
		}
	}
	switch {
	case len(o.Loops) != len(want.Loops):
		return fmt.Sprintf("loops in which something changed: %d, recorded %d", len(o.Loops), len(want.Loops))
	case !slices.EqualFunc(o.Deletions, want.Deletions, func(a, b scaleDownDeletion) bool {
		return a.T == b.T && a.Node == b.Node && a.Drain == b.Drain
	}):
		return fmt.Sprintf("deletions %v, recorded %v", o.Deletions, want.Deletions)
	case !maps.Equal(o.Final, want.Final):
		return fmt.Sprintf("final sizes %v, recorded %v", o.Final, want.Final)
	case !slices.Equal(o.Pending, want.Pending):
		return fmt.Sprintf("pending %v, recorded %v", o.Pending, want.Pending)
	case math.Abs(o.Price-want.Price) > 1e-9*math.Max(1, want.Price):
		return fmt.Sprintf("price %v, recorded %v", o.Price, want.Price)
	}
	return ""
}

func (l *scaleDownLoop) difference(want *scaleDownLoop) string {
	differ := func(field string, have, want any) string {
		return fmt.Sprintf("t=%d: %s %v, recorded %v", l.T, field, have, want)
	}
	switch {
	case l.T != want.T:
		return fmt.Sprintf("t=%d: something changed: %+v, recorded t=%d: %+v", l.T, *l, want.T, *want)
	case !slices.Equal(l.Pending, want.Pending):
		return differ("pending", l.Pending, want.Pending)
	case !slices.Equal(l.NewNodes, want.NewNodes):
		return differ("new nodes", l.NewNodes, want.NewNodes)
	case !maps.Equal(l.Bound, want.Bound):
		return differ("bound", l.Bound, want.Bound)
	case !slices.Equal(l.ScaleUps, want.ScaleUps):
		return differ("scale-ups", l.ScaleUps, want.ScaleUps)
	case !slices.Equal(l.Candidates, want.Candidates):
		return differ("candidates", l.Candidates, want.Candidates)
	case !maps.Equal(l.Utilization, want.Utilization):
		return differ("utilization", l.Utilization, want.Utilization)
	case !slices.Equal(l.Unneeded, want.Unneeded):
		return differ("unneeded", l.Unneeded, want.Unneeded)
	case len(l.Unremovable)+len(want.Unremovable) > 0 && !reflect.DeepEqual(l.Unremovable, want.Unremovable):
		return differ("unremovable", l.Unremovable, want.Unremovable)
	case !maps.Equal(l.Blocked, want.Blocked):
		return differ("blocking pods", l.Blocked, want.Blocked)
	case l.Result != want.Result:
		return differ("result", l.Result, want.Result)
	case len(l.Deletions) != len(want.Deletions):
		return differ("deletions", l.Deletions, want.Deletions)
	}
	for i, d := range l.Deletions {
		if w := want.Deletions[i]; d.Node != w.Node || d.Drain != w.Drain || !maps.Equal(d.Pods, w.Pods) {
			return differ("deletions", l.Deletions, want.Deletions)
		}
	}
	return ""
}
