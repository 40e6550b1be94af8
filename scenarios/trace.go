package scenarios

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
)

// Labels that trace pods carry for what a pod has no field for.
const (
	// LabelTraceQOS is the class that the trace names: LS, BE, Burstable or Guaranteed.
	LabelTraceQOS = "binwright.dev/trace-qos"
	// LabelTraceGPUMilli is the share of one GPU in thousandths, where the trace
	// states less than a whole one.
	LabelTraceGPUMilli = "binwright.dev/trace-gpu-milli"
)

// traceColumns are the columns of the trace. The first four are required.
var traceColumns = []string{
	"name", "cpu_milli", "memory_mib", "num_gpu",
	"gpu_milli", "gpu_spec", "qos", "pod_phase", "creation_time", "deletion_time", "scheduled_time",
}

const requiredTraceColumns = 4

// Bounds of what a row may state, far above any machine.
const (
	maxTraceCPUMilli  = 1_000_000_000
	maxTraceMemoryMiB = 1 << 40
	maxTraceGPUs      = 1024
	maxTraceSeconds   = 1 << 33 // 272 years
)

// traceSettings are the options of a trace.
type traceSettings struct {
	slices     int
	anyGPU     bool
	withOwners bool
}

// WithGPUSlices says into how many slices each GPU of a trace's cluster is
// divided, as NVIDIA's device plugin does for time slicing: every instance type
// of the catalog then has that many nvidia.com/gpu for each of its GPUs, and a
// pod asks for its share, rounded up to slices. The default is 1: a share of a
// GPU takes a whole one, as on a cluster without slicing. As with the plugin,
// nothing keeps the slices of one pod on one GPU.
func WithGPUSlices(n int) Option { return optionFunc(func(s *settings) { s.trace.slices = n }) }

// WithAnyGPU lets pods whose accepted GPU models no AWS instance type has run on
// any GPU. Without it they keep a node affinity that nothing meets and stay unschedulable.
func WithAnyGPU() Option { return optionFunc(func(s *settings) { s.trace.anyGPU = true }) }

// WithoutTraceOwners leaves trace pods bare. Without it pods that are alike in all
// that the trace states belong to one Job: the trace names no owners, and
// Cluster Autoscaler treats pods of one controller together.
func WithoutTraceOwners() Option { return optionFunc(func(s *settings) { s.trace.withOwners = false }) }

// gpuModel is how AWS offers a GPU model of the trace.
type gpuModel struct {
	name      string // label karpenter.k8s.aws/instance-gpu-name
	memoryMiB string // label karpenter.k8s.aws/instance-gpu-memory, "" for any
}

// gpuModels maps the trace's names of GPU models to those of AWS. Not there: P100,
// which AWS never had, and G1, G2 and G3, whose real names the trace hides.
// The A10 is AWS' A10G.
var gpuModels = map[string]gpuModel{
	"T4":      {name: "t4"},
	"A10":     {name: "a10g"},
	"V100M16": {name: "v100", memoryMiB: "16384"},
	"V100M32": {name: "v100", memoryMiB: "32768"},
}

const (
	labelGPUName   = "karpenter.k8s.aws/instance-gpu-name"
	labelGPUMemory = "karpenter.k8s.aws/instance-gpu-memory"
)

// ReadTrace reads a recorded workload in the columns of Alibaba's
// cluster-trace-gpu-v2023 (openb_pod_list_*.csv): name, cpu_milli, memory_mib,
// num_gpu, and optionally gpu_milli, gpu_spec, qos, pod_phase, creation_time,
// deletion_time, scheduled_time (seconds). The first line names them, in any order.
//
// All pods of the trace wait in the snapshot, whatever became of them; when they
// came and went is in Timeline, and in their creation timestamps, which count
// from 1970. GPU pods tolerate the usual taint of GPU nodes. The catalog is AWS
// us-east-1 unless [WithRegion] or [WithCatalog] say otherwise, with on-demand
// node pools and groups for general and for GPU nodes.
//
// Errors are as for [Load]; a problem's Field names line and column.
func ReadTrace(r io.Reader, name string, opts ...Option) (*Scenario, error) {
	l := newLoader(append([]Option{optionFunc(func(s *settings) { s.trace = traceSettings{slices: 1, withOwners: true} })}, opts...))
	t := &traceReader{l: l, name: name, owners: map[string]*batchv1.Job{}, names: map[string]int{}}
	if l.trace.slices < 1 {
		return nil, fmt.Errorf("WithGPUSlices(%d): a GPU has at least one slice", l.trace.slices)
	}
	for _, s := range l.sourceFrom(r, name, "") {
		t.read(string(s.data))
	}
	region := l.region
	if region == "" {
		region = DefaultRegion
	}
	catalog := l.settings.catalog
	if catalog == nil {
		var errs fieldErrors
		catalog = loadAWS(region, nil, &errs)
		for _, e := range errs {
			l.problem(Problem{File: name, Message: e.message})
		}
	}
	if err := l.errs.orNil(); err != nil {
		return nil, err
	}
	catalog, err := sliceGPUs(catalog, l.trace.slices)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.timeline, func(a, b Lifetime) int { return int(min(max(a.Created-b.Created, -1), 1)) })
	s := &Scenario{
		Name:        strings.TrimSuffix(baseName(name), ".csv"),
		Description: fmt.Sprintf("%s of a recorded trace", plural(len(t.pods), "pod")),
		Snapshot:    &packing.Snapshot{Pods: t.pods, Now: l.now},
		Catalog:     catalog, Timeline: t.timeline,
		Karpenter: DefaultKarpenterSettings(), ClusterAutoscaler: DefaultClusterAutoscalerSettings(),
	}
	if !l.noDefaults {
		l.standIns(s)
	}
	s.Warnings = l.warnings.lines()
	return s, nil
}

func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// traceReader turns rows into pods.
type traceReader struct {
	l        *loader
	name     string
	columns  map[string]int // index by name
	owners   map[string]*batchv1.Job
	names    map[string]int // line of each pod's name
	pods     []*corev1.Pod
	timeline []Lifetime
}

// problem notes a mistake at a line and, if it is known, a column (both from 1).
func (t *traceReader) problem(line, column int, format string, args ...any) {
	field := "line " + strconv.Itoa(line)
	if column > 0 {
		field += ", column " + strconv.Itoa(column)
	}
	t.l.problem(Problem{File: t.name, Field: field, Message: fmt.Sprintf(format, args...)})
}

func (t *traceReader) read(text string) {
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			t.l.problem(Problem{File: t.name, Message: "is empty: a trace begins with a line that names its columns"})
			return
		}
		t.syntax(err)
		return
	}
	if !t.readHeader(header) {
		return
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.syntax(err)
			return
		}
		line, _ := in.FieldPos(0)
		if len(t.pods) == t.l.maxPods {
			t.problem(line, 0, "more than %d pods (option WithMaxPods)", t.l.maxPods)
			return
		}
		if len(t.l.errs.Problems) >= maxProblems {
			t.l.errs.Omitted++
			return
		}
		t.readRow(row, func(i int) (int, int) {
			if i < 0 || i >= len(row) {
				return line, 0
			}
			return in.FieldPos(i)
		})
	}
	if len(t.pods) == 0 && len(t.l.errs.Problems) == 0 {
		t.l.problem(Problem{File: t.name, Message: "holds no pod"})
	}
}

func (t *traceReader) syntax(err error) {
	var at *csv.ParseError
	if errors.As(err, &at) {
		t.problem(at.Line, at.Column, "%v", at.Err)
		return
	}
	t.l.problem(Problem{File: t.name, Message: err.Error()})
}

func (t *traceReader) readHeader(header []string) bool {
	t.columns = make(map[string]int, len(header))
	ok := true
	for i, name := range header {
		name = strings.TrimSpace(name)
		if _, twice := t.columns[name]; twice && name != "" {
			t.problem(1, 0, "column %q is there twice", shorten(name))
			ok = false
		}
		t.columns[name] = i
		if !slices.Contains(traceColumns, name) {
			t.l.warn(t.name, fmt.Sprintf("column %q is not read%s", shorten(name), didYouMean(name, traceColumns)))
		}
	}
	for _, name := range traceColumns[:requiredTraceColumns] {
		if _, has := t.columns[name]; !has {
			t.problem(1, 0, "column %q is missing; a trace has %s", name, strings.Join(traceColumns[:requiredTraceColumns], ", "))
			ok = false
		}
	}
	return ok
}

// traceRow is one row, read.
type traceRow struct {
	name                        string
	cpuMilli, memoryMiB         int64
	gpus, gpuMilli              int64
	models                      []string
	qos                         string
	created, deleted, scheduled time.Duration
}

func (t *traceReader) readRow(fields []string, position func(int) (int, int)) {
	ok := true
	field := func(column string) (string, int) {
		i, has := t.columns[column]
		if !has || i >= len(fields) {
			return "", -1
		}
		return strings.TrimSpace(fields[i]), i
	}
	fail := func(i int, format string, args ...any) {
		line, column := position(i)
		t.problem(line, column, format, args...)
		ok = false
	}
	number := func(column string, most int64, missing int64) int64 {
		text, i := field(column)
		if text == "" {
			if slices.Index(traceColumns, column) < requiredTraceColumns {
				fail(i, "%s is missing", column)
			}
			return missing
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			// Some exports write whole numbers as 12000.0.
			f, ferr := strconv.ParseFloat(text, 64)
			if ferr != nil || f != float64(int64(f)) {
				fail(i, "%s: %q is not a whole number", column, shorten(text))
				return missing
			}
			n = int64(f)
		}
		if n < 0 || n > most {
			fail(i, "%s: %s is not from 0 to %d", column, shorten(text), most)
			return missing
		}
		return n
	}
	seconds := func(column string) time.Duration {
		n := number(column, maxTraceSeconds, -1)
		if n < 0 {
			return -1
		}
		return time.Duration(n) * time.Second
	}
	row := traceRow{
		cpuMilli: number("cpu_milli", maxTraceCPUMilli, 0), memoryMiB: number("memory_mib", maxTraceMemoryMiB, 0),
		gpus: number("num_gpu", maxTraceGPUs, 0), gpuMilli: number("gpu_milli", 1000, 1000),
		created: seconds("creation_time"), deleted: seconds("deletion_time"), scheduled: seconds("scheduled_time"),
	}
	var at int
	row.name, at = field("name")
	switch line, twice := t.names[row.name]; {
	case row.name == "":
		fail(at, "name is missing")
	case twice:
		fail(at, "name %q is there twice, first in line %d", shorten(row.name), line)
	default:
		for _, message := range validation.IsDNS1123Subdomain(row.name) {
			fail(at, "name %q: %s", shorten(row.name), message)
		}
		t.names[row.name], _ = position(at)
	}
	if spec, i := field("gpu_spec"); spec != "" {
		for model := range strings.SplitSeq(spec, "|") {
			if model = strings.TrimSpace(model); len(validation.IsValidLabelValue(model)) > 0 || model == "" {
				fail(i, "gpu_spec: %q is no list of GPU models with | between", shorten(spec))
				break
			}
			row.models = append(row.models, model)
		}
	}
	var qos int
	if row.qos, qos = field("qos"); len(validation.IsValidLabelValue(row.qos)) > 0 {
		fail(qos, "qos: %q is no label value", shorten(row.qos))
	}
	if row.deleted >= 0 && row.created > row.deleted {
		_, i := field("deletion_time")
		fail(i, "deletion_time %v is before creation_time %v", row.deleted, row.created)
	}
	if ok {
		t.add(row)
	}
}

// add makes the pod of a row.
func (t *traceReader) add(row traceRow) {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceDefault, Name: row.name, UID: uidFor("Pod", metav1.NamespaceDefault, row.name),
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	if row.created >= 0 {
		pod.CreationTimestamp = metav1.NewTime(time.Unix(0, 0).Add(row.created).UTC())
	}
	requests := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(row.cpuMilli, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(row.memoryMiB<<20, resource.BinarySI),
	}
	limits := corev1.ResourceList{}
	labels := map[string]string{}
	if row.qos != "" {
		labels[LabelTraceQOS] = row.qos
	}
	if n := gpuSlices(row, int64(t.l.trace.slices)); n > 0 {
		requests[resourceGPU] = *resource.NewQuantity(n, resource.DecimalSI)
		limits[resourceGPU] = requests[resourceGPU]
		pod.Spec.Tolerations = []corev1.Toleration{{Key: string(resourceGPU), Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}}
		pod.Spec.Affinity = t.gpuAffinity(row.models)
		if row.gpus == 1 && row.gpuMilli < 1000 {
			labels[LabelTraceGPUMilli] = strconv.FormatInt(row.gpuMilli, 10)
		}
	}
	pod.Spec.Containers = []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{Requests: requests, Limits: limits}}}
	defaultPod(labels, &pod.Spec)
	pod.Spec.Priority = new(int32)
	pod.Labels = labels
	if t.l.trace.withOwners {
		pod.Spec.RestartPolicy = corev1.RestartPolicyNever
		t.own(pod, row)
	}
	t.pods = append(t.pods, pod)
	t.timeline = append(t.timeline, Lifetime{Pod: pod, Created: row.created, Scheduled: row.scheduled, Deleted: row.deleted})
}

// gpuSlices is how many nvidia.com/gpu a row asks for.
func gpuSlices(row traceRow, perGPU int64) int64 {
	if row.gpus != 1 {
		return row.gpus * perGPU
	}
	return max(1, (row.gpuMilli*perGPU+999)/1000)
}

// own gives a pod to the Job of the pods that are alike.
func (t *traceReader) own(pod *corev1.Pod, row traceRow) {
	alike := fmt.Sprint(row.cpuMilli, row.memoryMiB, row.gpus, row.gpuMilli, row.models, row.qos)
	job := t.owners[alike]
	if job == nil {
		job = &batchv1.Job{}
		job.Name = fmt.Sprintf("workload-%03d", len(t.owners)+1)
		job.UID = uidFor("Job", metav1.NamespaceDefault, job.Name)
		t.owners[alike] = job
	}
	pod.Labels[batchv1.JobNameLabel] = job.Name
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
}

// gpuAffinity demands one of the accepted GPU models, by the labels of AWS.
func (t *traceReader) gpuAffinity(models []string) *corev1.Affinity {
	if len(models) == 0 {
		return nil
	}
	in := func(key, value string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
	}
	var terms []corev1.NodeSelectorTerm
	var unknown []corev1.NodeSelectorTerm
	for _, model := range models {
		m, ok := gpuModels[model]
		if !ok {
			t.l.warn(t.name, fmt.Sprintf("GPU model %s of gpu_spec is not offered by AWS", shorten(model)))
			unknown = append(unknown, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{in(labelGPUName, strings.ToLower(model))}})
			continue
		}
		term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{in(labelGPUName, m.name)}}
		if m.memoryMiB != "" {
			term.MatchExpressions = append(term.MatchExpressions, in(labelGPUMemory, m.memoryMiB))
		}
		terms = append(terms, term)
	}
	if len(terms) == 0 {
		if t.l.trace.anyGPU {
			t.l.warn(t.name, "pods that accept only GPU models that AWS does not offer may run on any GPU")
			return nil
		}
		t.l.warn(t.name, "pods accept only GPU models that AWS does not offer: nothing can run them (option WithAnyGPU lets them run on any)")
		terms = unknown
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}

// sliceGPUs returns a catalog in which each GPU counts n times.
func sliceGPUs(catalog *instancetypes.Catalog, n int) (*instancetypes.Catalog, error) {
	if n == 1 {
		return catalog, nil
	}
	types := make([]*instancetypes.InstanceType, len(catalog.Types()))
	for i, t := range catalog.Types() {
		types[i] = t
		if gpus := t.Capacity.Get(resourceGPU); gpus > 0 {
			sliced := *t
			sliced.Capacity = t.Capacity.With(resourceGPU, gpus*int64(n))
			types[i] = &sliced
		}
	}
	return instancetypes.NewCatalog(catalog.Info(), types...)
}
