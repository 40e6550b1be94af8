// Package replay plays a scenario over virtual time under Karpenter or Cluster
// Autoscaler, on the exact engines, and says what it costs, how long pods wait and
// what is disrupted.
//
// [Run] is one replay. Pods arrive as the scenario says ([scenarios.Scenario.Events]), a
// model of kube-scheduler binds them (packing/kubescheduler), nodes are launched, join,
// become ready and are drained, each after its own [Latency], and spot instances are taken
// back. The autoscaler acts by its own timers: Karpenter by batches, its disruption
// loop, expiry and interruption handling; Cluster Autoscaler by scans, with groups that
// back off and deletions that take time.
//
// Events of one moment happen in a written order: the cloud, pods, users, controllers,
// kube-scheduler, the autoscaler. All that is drawn is drawn from the seed, by purpose, so
// that the same seed gives the same result and two autoscalers meet the same arrivals.
// At the end the books have to add up; if they do not, Run fails with [ErrConservation].
//
// [Seeds] replays many seeds in parallel; [Summarise] and [Paired] estimate what they say;
// [Conclusion] and [Differences.Conclusion] say it in a sentence. docs/replay.md has all of the model.
// What is assumed is listed in [Result.Assumptions]. Not modelled: volumes that take time to
// move, networks, images that take long to pull, API servers that are slow, static node
// pools and drift.
package replay
