// Package scenarios is where a problem comes from: a scenario is a workload,
// the cluster that it meets, and the configuration of the autoscalers.
//
// [Load] and [Read] take ordinary Kubernetes manifests, such as the output of
// "kubectl get pods,nodes -A -o yaml" beside the user's NodePools, and one kind
// of our own (binwright.dev/v1alpha1 Scenario) for what Kubernetes has no kind
// for. [ReadTrace] takes a recorded workload. [Names], [Timelines] and [Named]
// give the embedded scenarios, [Generate] makes seeded synthetic ones.
//
// What happens over time is in Timeline (recorded) and Activity (declared);
// [Scenario.Events] makes events of both for a replay.
//
// Input is not trusted: its size, its depth and what it expands to are bounded,
// and every mistake found is reported, all in one [LoadError].
package scenarios

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/pricing"
	"github.com/binwright/binwright/scenarios/arrivals"
)

// Scenario is a workload, a cluster and the configuration of the autoscalers:
// all that a comparison or a replay needs. Loaders fill every field; a program
// may build its own.
type Scenario struct {
	// Name identifies the scenario in reports; Description is one line.
	Name, Description string
	// Snapshot is the cluster: pods that wait, nodes with their pods, and what
	// else decisions read.
	Snapshot *packing.Snapshot
	// Catalog holds the instance types that can be launched, priced as the
	// scenario's price book says.
	Catalog *instancetypes.Catalog
	// Commitments are instances that the price book pays for whether they run or
	// not, in order of instance type. They are no part of the catalog's prices.
	Commitments []pricing.Commitment
	// NodePools are what Karpenter launches from.
	NodePools []*packing.NodePool
	// NodeGroups are what Cluster Autoscaler grows, in the order in which its
	// cloud provider would list them.
	NodeGroups []*packing.NodeGroup
	// Karpenter and ClusterAutoscaler configure the two autoscalers.
	Karpenter         KarpenterSettings
	ClusterAutoscaler ClusterAutoscalerSettings
	// Timeline says when pods come and go, in order of their creation. It is
	// empty where the input does not tell (manifests).
	Timeline []Lifetime
	// Controllers are the Deployments, StatefulSets and ReplicaSets of the input,
	// those pods of the snapshot being theirs that their template's owner owns.
	Controllers []*arrivals.Controller
	// Activity is what users do over time, as the input declares it.
	Activity Activity
	// Warnings say what was left out, assumed or looks like a mistake, a line each.
	Warnings []string
}

// Lifetime is when one pod of a recorded workload came and went, measured from
// the start of the record. Times that the record does not tell are negative.
type Lifetime struct {
	// Pod is one of the snapshot's pods.
	Pod *corev1.Pod
	// Created is when the pod was submitted, Scheduled when it was bound to a
	// node, Deleted when it ended.
	Created, Scheduled, Deleted time.Duration
}

// Ran returns how long the pod ran, and whether the record tells.
func (l Lifetime) Ran() (time.Duration, bool) {
	if l.Scheduled < 0 || l.Deleted < l.Scheduled {
		return 0, false
	}
	return l.Deleted - l.Scheduled, true
}
