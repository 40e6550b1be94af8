package replay

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/scenarios"
)

// stage is a small scenario: one type of node, m5.xlarge in one zone (3.92 CPU allocatable), for
// Karpenter as a node pool and for Cluster Autoscaler as a node group.
type stage struct {
	last         time.Duration
	jobs         []string // entries of timeline.jobs
	deployments  []string // entries of timeline.deployments
	statefulSets []string // entries of timeline.statefulSets
	reclaims     string   // entries of timeline.reclaims
	objects      []string
	capacityType string   // on-demand by default
	poolCapacity string   // of the node pool, if not that of the group
	zones        string   // us-east-1a by default
	types        string   // of the node pool, m5.xlarge by default
	pool         string   // further fields of the node pool's template.spec
	disruption   string   // of the node pool
	groups       []string // more node groups
	flags        string   // of Cluster Autoscaler
}

// group adds a node group of m5.xlarge with further fields.
func (s *stage) group(name, more string) {
	s.groups = append(s.groups, fmt.Sprintf("  - {name: %s, instanceTypes: [m5.xlarge], zones: [us-east-1a], maxSize: 20%s}", name, more))
}

// onlyScans is a flag of Cluster Autoscaler with which all loops are scanAt.
const onlyScans = "frequent-loops-enabled: false"

// job adds a Job whose pods come once.
func (s *stage) job(name string, at time.Duration, pods int, cpu, runs, more string) {
	s.jobs = append(s.jobs, fmt.Sprintf("{name: %s, arrivals: {batch: {at: %v, pods: %d}}, runs: {constant: %s}%s}", name, at, pods, runs, more))
	s.jobObject(name, cpu, "", "")
}

// jobObject adds a Job with annotations and with further fields of its pods' spec.
func (s *stage) jobObject(name, cpu, annotations, spec string) {
	s.objects = append(s.objects, fmt.Sprintf(`apiVersion: batch/v1
kind: Job
metadata: {name: %s, namespace: default}
spec:
  suspend: true
  template:
    metadata: {labels: {app: %[1]s, stage: play}, annotations: {%[3]s}}
    spec: {restartPolicy: Never, %[4]s containers: [{name: main, image: main, resources: {requests: {cpu: %[2]q, memory: 64Mi}}}]}
`, name, cpu, annotations, spec))
}

// deployment adds a Deployment with further fields of its spec and its pods' spec.
func (s *stage) deployment(name string, replicas int, cpu, spec, podSpec string) {
	s.objects = append(s.objects, fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: default, uid: %[1]s-uid}
spec:
  replicas: %d
  selector: {matchLabels: {app: %[1]s}}
  %[4]s
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {%[5]s containers: [{name: main, image: main, resources: {requests: {cpu: %[3]q, memory: 64Mi}}}]}
`, name, replicas, cpu, spec, podSpec))
}

// statefulSet adds a StatefulSet.
func (s *stage) statefulSet(name string, replicas int, cpu string) {
	s.objects = append(s.objects, fmt.Sprintf(`apiVersion: apps/v1
kind: StatefulSet
metadata: {name: %s, namespace: default, uid: %[1]s-uid}
spec:
  replicas: %d
  serviceName: %[1]s
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: main, image: main, resources: {requests: {cpu: %[3]q, memory: 64Mi}}}]}
`, name, replicas, cpu))
}

// budget adds a PodDisruptionBudget for the pods of an app, which may have several.
func (s *stage) budget(app, spec string) {
	s.objects = append(s.objects, fmt.Sprintf(`apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: %s-%[3]d, namespace: default}
spec: {%[2]s, selector: {matchLabels: {app: %[1]s}}}
`, app, spec, len(s.objects)))
}

// priorityClass adds a PriorityClass.
func (s *stage) priorityClass(name string, value int) {
	s.objects = append(s.objects, fmt.Sprintf("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: %s}\nvalue: %d\n", name, value))
}

// daemonSet adds a DaemonSet with further fields of its pods' spec.
func (s *stage) daemonSet(cpu, spec string) {
	s.objects = append(s.objects, fmt.Sprintf(`apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {%s containers: [{name: main, image: main, resources: {requests: {cpu: %q, memory: 64Mi}}}]}
`, spec, cpu))
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (s *stage) yaml() string {
	list := func(of []string) string {
		if len(of) == 0 {
			return "[]"
		}
		return "\n    - " + strings.Join(of, "\n    - ")
	}
	zones, capacityType := or(s.zones, "us-east-1a"), or(s.capacityType, "on-demand")
	head := fmt.Sprintf(`apiVersion: binwright.dev/v1alpha1
kind: Scenario
metadata: {name: stage}
spec:
  catalog: {provider: aws, region: us-east-1}
  timeline:
    for: %v
    jobs: %s
    deployments: %s
    statefulSets: %s
    reclaims: [%s]
  nodeGroups:
  - {name: workers, instanceTypes: [m5.xlarge], zones: [%s], capacityType: %s, maxSize: 20}
%s
  clusterAutoscaler: {%s}
`, s.last, list(s.jobs), list(s.deployments), list(s.statefulSets), s.reclaims, zones, capacityType, strings.Join(s.groups, "\n"), s.flags)
	pool := fmt.Sprintf(`apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: workers}
spec:
  template:
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      %s
      requirements:
      - {key: karpenter.sh/capacity-type, operator: In, values: [%s]}
      - {key: node.kubernetes.io/instance-type, operator: In, values: [%s]}
      - {key: topology.kubernetes.io/zone, operator: In, values: [%s]}
  disruption: {%s}
`, or(s.pool, "expireAfter: Never"), or(s.poolCapacity, capacityType), or(s.types, "m5.xlarge"), zones,
		or(s.disruption, `consolidationPolicy: WhenEmptyOrUnderutilized, consolidateAfter: 30s, budgets: [{nodes: "100%"}]`))
	return strings.Join(append([]string{head, pool}, s.objects...), "---\n")
}

func (s *stage) scenario(t testing.TB) *scenarios.Scenario {
	t.Helper()
	read, err := scenarios.Read(strings.NewReader(s.yaml()), "stage.yaml")
	require.NoError(t, err)
	return read
}

// How long things take on a stage: a node is ready bootTime after its instance runs.
const (
	launchTime      = 2 * time.Second
	groupLaunchTime = 8 * time.Second
	joinTime        = 30 * time.Second
	readyTime       = 20 * time.Second
	bootTime        = joinTime + readyTime
	podStartTime    = 4 * time.Second
	podStopTime     = 5 * time.Second
)

// stageSettings make everything but what a test is about constant.
func stageSettings() Settings {
	s := DefaultSettings("aws")
	l := func(d time.Duration) Latency { return Constant(d, "test") }
	s.Latencies = Latencies{Launch: l(launchTime), GroupLaunch: l(groupLaunchTime), Boot: l(joinTime), Ready: l(readyTime),
		Terminate: l(5 * time.Second), PodStart: l(podStartTime), PodStop: l(podStopTime)}
	s.DecisionTime, s.Cloud.Hazard = NoTime{}, NoHazard
	s.BindInterval, s.Step, s.Referee = 0, 0, true
	return s
}

// play replays a stage and returns the decisions too.
func (s *stage) play(t testing.TB, a Autoscaler, change ...func(*Settings)) (*Result, []Decision) {
	t.Helper()
	settings := stageSettings()
	for _, c := range change {
		c(&settings)
	}
	var decisions []Decision
	settings.Observe = func(d Decision) { decisions = append(decisions, d) }
	r, err := Run(t.Context(), s.scenario(t), a, settings)
	require.NoError(t, err)
	require.True(t, r.Complete)
	require.Equal(t, s.last, r.Duration)
	return r, decisions
}

// moments are when decisions of a kind were made.
func moments(of []Decision, kind string) []time.Duration {
	var out []time.Duration
	for _, d := range of {
		if d.Kind == kind {
			out = append(out, d.At)
		}
	}
	return out
}

// scanAt is the first scan of Cluster Autoscaler at or after a moment: one every ten seconds, from
// a moment on that the seed decides, where loops take no time and nothing brings one forward.
func scanAt(seed uint64, at time.Duration) time.Duration {
	const interval = 10 * time.Second
	scan := interval - time.Duration(draws(seed, "scan").Int64N(int64(interval)))
	for scan < at {
		scan += interval
	}
	return scan
}

func asJSON(t testing.TB, r ...*Result) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, WriteJSON(&b, r...))
	return b.String()
}
