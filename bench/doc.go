// Package bench measures the engines against each other on the same pods: how
// long a decision takes, what memory it needs, how many nodes it launches and
// what they cost.
//
//	go test -run '^$' -bench . ./bench/...
//	go test -run '^$' -bench 'Pack/engine=karpenter/mix=diverse/pods=10000$' ./bench
//
// Beside ns/op each benchmark reports pods/s, nodes, $/h, B/pod and allocs/pod (allocated
// during one decision). A plan is checked by the referee before it is measured;
// pods that a plan leaves are reported as the metric "left". With -short sizes
// end at 1,000 pods; sizes beyond one that took more than five seconds are skipped (-v says so),
// unless they are named alone.
//
// Replay measures whole replays of scenarios over virtual time: a recorded workload, and a week of a large cluster, in which
// peak-MB is the most that the heap took.
package bench
