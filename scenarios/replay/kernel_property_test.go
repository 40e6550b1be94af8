package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/pricing"
	"github.com/binwright/binwright/scenarios"
)

// auditor looks at a replay after every event, and keeps bills of its own.
type auditor struct {
	from  map[*node]time.Duration // billed since
	price map[*node]float64
	bill  float64
}

// look checks the cluster and notes which nodes are billed.
func (a *auditor) look(r *replay) error {
	if err := r.checkCluster(); err != nil {
		return err
	}
	billed := map[*node]bool{}
	vcpu := map[string]int{}
	for _, n := range r.nodes {
		if !n.billed() {
			continue
		}
		billed[n] = true
		if _, known := a.from[n]; !known {
			a.from[n], a.price[n] = n.launched, n.pool.offering.Price
		}
		vcpu[n.pool.offering.CapacityType()] += vcpus(n.pool.instanceType)
	}
	for n := range a.from {
		if !billed[n] {
			a.close(n, r.now)
		}
	}
	for capacityType, n := range r.supply.vcpus {
		if vcpu[capacityType] != n {
			return fmt.Errorf("%d vCPUs of %s run, %d are counted", vcpu[capacityType], capacityType, n)
		}
	}
	return a.recount(r)
}

func (a *auditor) close(n *node, now time.Duration) {
	a.bill += pricing.Cost(a.price[n], now-a.from[n])
	delete(a.from, n)
}

// recount counts anew what budgets, workloads and the scheduler count on the way.
func (a *auditor) recount(r *replay) error {
	priorities := map[int32]int{}
	healthy := make([]int, len(r.budgets.all))
	of := map[*workload]int{}
	for p := range r.pods {
		if p.node != nil {
			priorities[p.priority]++
		}
		if p.state == podRunning {
			for _, x := range r.budgets.covering(p) {
				healthy[x.index]++
			}
		}
		if p.owner != nil && slices.Contains(p.owner.pods, p) {
			of[p.owner]++
		}
	}
	if !maps.Equal(priorities, r.scheduler.priorities) {
		return fmt.Errorf("pods on nodes have priorities %v, %v are counted", priorities, r.scheduler.priorities)
	}
	for i, x := range r.budgets.all {
		if healthy[i] != x.healthy {
			return fmt.Errorf("budget %s has %d healthy pods, %d are counted", x.obj.Name, healthy[i], x.healthy)
		}
	}
	for _, w := range r.workloads {
		if of[w] != len(w.pods) {
			return fmt.Errorf("%s %s has %d pods, %d are there", w.Kind, w.Name, len(w.pods), of[w])
		}
	}
	return nil
}

// drawStage draws users, their workloads and what nodes there may be.
func drawStage(t *rapid.T) *stage {
	x := &stage{last: time.Duration(rapid.IntRange(10, 60).Draw(t, "minutes")) * time.Minute}
	x.capacityType = rapid.SampledFrom([]string{"spot", "on-demand"}).Draw(t, "capacity type")
	if rapid.Bool().Draw(t, "more types") {
		x.poolCapacity, x.types = "spot, on-demand", "m5.large, m5.xlarge, c5.large, c5.xlarge, r5.2xlarge"
		x.groups = []string{
			`  - {name: small, instanceTypes: [c5.large, m5.large], zones: [us-east-1a], capacityType: spot, maxSize: 9, priority: 5}`,
			`  - {name: large, instanceTypes: [r5.2xlarge], zones: [us-east-1b], maxSize: 5, minSize: 1}`,
		}
	}
	if rapid.Bool().Draw(t, "reclaims") {
		x.reclaims = "{at: 5m, share: 0.5}, {at: 7m, share: 1}"
	}
	if rapid.Bool().Draw(t, "daemons") {
		x.daemonSet("100m", "tolerations: [{operator: Exists}],")
	}
	x.zones = rapid.SampledFrom([]string{"us-east-1a", "us-east-1a, us-east-1b"}).Draw(t, "zones")
	x.pool = rapid.SampledFrom([]string{"expireAfter: Never", "expireAfter: 15m", "expireAfter: 12m\n      terminationGracePeriod: 2m"}).Draw(t, "pool")
	x.disruption = rapid.SampledFrom([]string{
		`consolidationPolicy: WhenEmptyOrUnderutilized, consolidateAfter: 0s, budgets: [{nodes: "100%"}]`,
		`consolidationPolicy: WhenEmptyOrUnderutilized, consolidateAfter: 30s`,
		`consolidationPolicy: WhenEmpty, consolidateAfter: 1m, budgets: [{nodes: "1"}]`,
	}).Draw(t, "disruption")
	for i, value := range []int{-5, 100} {
		x.priorityClass(fmt.Sprint("class-", i), value)
	}
	podSpec := func(name string) string {
		return rapid.SampledFrom([]string{"", "", "priorityClassName: class-0, ", "priorityClassName: class-1, ", "terminationGracePeriodSeconds: 3, ", "tolerations: [{operator: Exists}], ",
			"topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: " + name + "}}}], ",
			"affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: " + name + "}}}]}}, ",
		}).Draw(t, "pod spec")
	}
	cpu := func() string { return rapid.SampledFrom([]string{"100m", "500m", "1", "3"}).Draw(t, "cpu") }
	minute := func(what string) int { return rapid.IntRange(0, int(x.last.Minutes())-1).Draw(t, what) }
	for i := range rapid.IntRange(0, 3).Draw(t, "deployments") {
		name := fmt.Sprint("web-", i)
		spec := rapid.SampledFrom([]string{"", "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}", "strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}"}).Draw(t, "strategy")
		x.deployment(name, rapid.IntRange(0, 6).Draw(t, "replicas"), cpu(), spec, podSpec(name))
		switch rapid.SampledFrom([]string{"nothing", "roll out", "scale", "load"}).Draw(t, "users") {
		case "roll out":
			x.deployments = append(x.deployments, fmt.Sprintf("{name: %s, rollouts: [%dm]}", name, minute("rollout")))
		case "scale":
			x.deployments = append(x.deployments, fmt.Sprintf("{name: %s, replicas: [{at: %dm, replicas: %d}]}", name, minute("scale"), rapid.IntRange(0, 9).Draw(t, "to")))
		case "load":
			x.deployments = append(x.deployments, fmt.Sprintf("{name: %s, load: {points: [{at: 0s, cpu: 1}, {at: %dm, cpu: 6}]}, hpa: {min: 1, max: 8, targetCPU: 60}, rollouts: [%dm]}",
				name, 1+minute("peak"), minute("rollout")))
		}
		if rapid.Bool().Draw(t, "budget") {
			x.budget(name, rapid.SampledFrom([]string{"maxUnavailable: 0", "maxUnavailable: 1", "minAvailable: 50%"}).Draw(t, "of"))
		}
	}
	if rapid.Bool().Draw(t, "stateful") {
		x.statefulSet("db", rapid.IntRange(1, 4).Draw(t, "ordinals"), cpu())
		x.statefulSets = append(x.statefulSets, fmt.Sprintf("{name: db, replicas: [{at: %dm, replicas: %d}], rollouts: [%dm]}",
			minute("scale"), rapid.IntRange(0, 4).Draw(t, "to"), minute("rollout")))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "jobs") {
		name := fmt.Sprint("job-", i)
		x.jobs = append(x.jobs, fmt.Sprintf("{name: %s, arrivals: %s, runs: %s%s}", name,
			rapid.SampledFrom([]string{"{poisson: {perHour: 40}}", "{batch: {at: 1m, pods: 12}}", "{bursts: {every: 5m, pods: 6, spacing: 1s}}"}).Draw(t, "arrivals"),
			rapid.SampledFrom([]string{"{constant: 3m}", "{mean: 5m}"}).Draw(t, "runs"),
			rapid.SampledFrom([]string{"", ", giveUp: 2m"}).Draw(t, "give up")))
		x.jobObject(name, cpu(), rapid.SampledFrom([]string{"", `karpenter.sh/do-not-disrupt: "true"`, `cluster-autoscaler.kubernetes.io/safe-to-evict: "false"`}).Draw(t, "annotations"), podSpec(name))
	}
	return x
}

// drawCloud draws what goes wrong.
func drawCloud(t *rapid.T, s *Settings) {
	s.Seed = rapid.Uint64Range(1, 1000).Draw(t, "seed")
	s.BindInterval = rapid.SampledFrom([]time.Duration{0, 10 * time.Millisecond, time.Second}).Draw(t, "bind interval")
	s.Cloud.Hazard = rapid.SampledFrom([]func(*instancetypes.InstanceType, *instancetypes.Offering) float64{NoHazard, hazardOfSpot(2), hazardOfSpot(20)}).Draw(t, "hazard")
	s.Cloud.NeverJoin = rapid.SampledFrom([]float64{0, 0, 0.2}).Draw(t, "never join")
	s.Cloud.SpotShortagesPerDay = rapid.SampledFrom([]float64{0, 50}).Draw(t, "shortages")
	s.Cloud.OnDemandVCPUs = rapid.SampledFrom([]int{0, 16}).Draw(t, "quota")
	if rapid.Bool().Draw(t, "default latencies") {
		s.Latencies = DefaultLatencies("aws")
	}
}

// Whatever users, clouds and autoscalers do, after every event each pod is in one state and place, no node
// holds more than it can, every placement stands before the referee, and in the end the bill is the sum of
// the nodes' times.
func TestWhateverHappensAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawStage(t)
		a := rapid.SampledFrom(allAutoscalers()).Draw(t, "autoscaler")
		settings := stageSettings()
		drawCloud(t, &settings)
		books := &auditor{from: map[*node]time.Duration{}, price: map[*node]float64{}}
		settings.audit = books.look
		read, err := scenarios.Read(strings.NewReader(x.yaml()), "stage.yaml")
		require.NoError(t, err)
		r, err := Run(t.Context(), read, a, settings)
		require.NoError(t, err)
		for n := range books.from {
			books.close(n, r.Duration)
		}
		require.InDelta(t, books.bill, r.Cost.TotalUSD, 1e-6)
	})
}
