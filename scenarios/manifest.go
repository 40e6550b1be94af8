package scenarios

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

// APIVersion and Kind of the one manifest that is our own.
const (
	APIVersion = "binwright.dev/v1alpha1"
	Kind       = "Scenario"
)

// LabelNodeGroup is the label or annotation that ties a node to its node group;
// the clouds' own labels (eks.amazonaws.com/nodegroup,
// cloud.google.com/gke-nodepool, kubernetes.azure.com/agentpool) do as well.
const LabelNodeGroup = "binwright.dev/node-group"

// Manifest is a binwright.dev/v1alpha1 Scenario: what a scenario needs beside
// Kubernetes objects. It is read strictly: a field that is not here is an error.
// An input holds at most one.
type Manifest struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        ManifestMeta `json:"metadata"`
	Spec            ManifestSpec `json:"spec"`
}

// ManifestMeta names the scenario.
type ManifestMeta struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ManifestSpec is the body of a [Manifest].
type ManifestSpec struct {
	Description       string                    `json:"description,omitempty"`
	Catalog           CatalogSpec               `json:"catalog"`
	PriceBook         PriceBookSpec             `json:"priceBook"`
	NodeGroups        []NodeGroupSpec           `json:"nodeGroups,omitempty"`
	Karpenter         KarpenterSettings         `json:"karpenter"`
	ClusterAutoscaler ClusterAutoscalerSettings `json:"clusterAutoscaler"`
	Timeline          *TimelineSpec             `json:"timeline,omitempty"`
}

// CatalogSpec says which instance types there are.
type CatalogSpec struct {
	// Provider is aws (the default) or file.
	Provider string `json:"provider,omitempty"`
	// Region of the provider; us-east-1 by default, or where the input's nodes are.
	Region string `json:"region,omitempty"`
	// File is a path to a JSON file in the format of Karpenter's KWOK provider,
	// from the directory of the manifest.
	File string `json:"file,omitempty"`
	// Include adds rows of the AWS catalog that are "derived" or "estimated".
	Include []string `json:"include,omitempty"`
	// Requirements keep only the instance types that can meet them.
	Requirements []packing.NodePoolExpression `json:"requirements,omitempty"`
}

// PriceBookSpec changes what instance types cost.
type PriceBookSpec struct {
	// File is a CSV file of prices, from the directory of the manifest.
	File string `json:"file,omitempty"`
	// OnDemandDiscount and SpotDiscount are shares from 0 up to 1 off the catalog's prices.
	OnDemandDiscount float64 `json:"onDemandDiscount,omitempty"`
	SpotDiscount     float64 `json:"spotDiscount,omitempty"`
	// Prices are fixed prices of single types; they win over File and discounts.
	Prices []PriceSpec `json:"prices,omitempty"`
	// Commitments are numbers of instances that are paid for whether they run or
	// not, one for each type. They change the bill of a replay and no decision.
	Commitments []CommitmentSpec `json:"commitments,omitempty"`
}

// CommitmentSpec is a number of instances committed to: reserved instances.
type CommitmentSpec struct {
	InstanceType string  `json:"instanceType"`
	Count        int     `json:"count"`
	Price        float64 `json:"price"` // of one, US dollars an hour
}

// PriceSpec is what a type costs, wherever capacity type and zone are as stated;
// empty ones mean any.
type PriceSpec struct {
	InstanceType string  `json:"instanceType"`
	CapacityType string  `json:"capacityType,omitempty"`
	Zone         string  `json:"zone,omitempty"`
	Price        float64 `json:"price"` // US dollars an hour
}

// NodeGroupSpec is one node group of Cluster Autoscaler.
type NodeGroupSpec struct {
	Name string `json:"name"`
	// InstanceTypes are what the group launches; the template is of the first, as
	// for a mixed-instances policy.
	InstanceTypes []string `json:"instanceTypes"`
	// Zones of the group. The template carries the first, as that of Cluster
	// Autoscaler's AWS provider does; PerZone makes one group of each zone
	// instead, named NAME-ZONE, each with these sizes.
	Zones   []string `json:"zones,omitempty"`
	PerZone bool     `json:"perZone,omitempty"`
	// CapacityType is on-demand (the default), spot or reserved.
	CapacityType string `json:"capacityType,omitempty"`
	MinSize      int    `json:"minSize,omitempty"`
	MaxSize      int    `json:"maxSize"`
	// CurrentSize is what the cloud was asked for so far; by default the number of
	// nodes in the input that belong to the group.
	CurrentSize *int              `json:"currentSize,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Taints      []corev1.Taint    `json:"taints,omitempty"`
	// Priority serves the priority expander; the highest wins.
	Priority int `json:"priority,omitempty"`
	// ZeroOrMax groups are scaled from zero to MaxSize at once or not at all.
	ZeroOrMax bool `json:"zeroOrMax,omitempty"`
	// FromZeroAllocatable says what the template of a group without nodes offers:
	// "capacity" (the default for aws: Cluster Autoscaler's AWS provider builds it
	// so, with 110 pods) or "allocatable" (what a node really will: the default for
	// a catalog from a file, and what node-template tags can make of it on AWS).
	FromZeroAllocatable string `json:"fromZeroAllocatable,omitempty"`
}
