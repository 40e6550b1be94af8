// Package scaleup reads scale-up decisions recorded from Cluster Autoscaler.
package scaleup

import (
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// Case is a recorded problem.
type Case struct {
	Name          string         `json:"name"`
	Pods          []*corev1.Pod  `json:"pods"`
	BoundPods     []*corev1.Pod  `json:"boundPods"`
	DaemonSetPods []*corev1.Pod  `json:"daemonSetPods"`
	Nodes         []*corev1.Node `json:"nodes"`
	NodeGroups    []NodeGroup    `json:"nodeGroups"`
	Options       Options        `json:"options"`
}

// NodeGroup is a group of a case.
type NodeGroup struct {
	ID         string       `json:"id"`
	MinSize    int          `json:"minSize"`
	MaxSize    int          `json:"maxSize"`
	TargetSize int          `json:"targetSize"`
	Price      float64      `json:"price"`
	Priority   int          `json:"priority"`
	Template   *corev1.Node `json:"template"`
}

// Options are the flags of a case.
type Options struct {
	BalanceSimilarNodeGroups bool   `json:"balanceSimilarNodeGroups"`
	Expander                 string `json:"expander"`
	FastpathBinpacking       bool   `json:"fastpathBinpacking"`
	MaxNodesPerScaleUp       int    `json:"maxNodesPerScaleUp"`
	MaxNodesTotal            int    `json:"maxNodesTotal"`
}

// nodeGroupAnnotation names a node's group in a case.
const nodeGroupAnnotation = "binwright.dev/node-group"

// Read reads a case; big inputs have it at the top, recorded ones under "input".
func Read(file []byte) (*Case, error) {
	var f struct {
		Input json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(file, &f); err != nil {
		return nil, err
	}
	if f.Input != nil {
		file = f.Input
	}
	c := &Case{}
	if err := json.Unmarshal(file, c); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	return c, nil
}

// Snapshot returns the cluster of the case.
func (c *Case) Snapshot() (*packing.Snapshot, error) {
	s := &packing.Snapshot{Pods: c.Pods}
	byName := map[string]*packing.Node{}
	for _, n := range c.Nodes {
		node := &packing.Node{Node: n, NodeGroup: n.Annotations[nodeGroupAnnotation]}
		s.Nodes = append(s.Nodes, node)
		byName[n.Name] = node
	}
	for _, p := range c.BoundPods {
		n, ok := byName[p.Spec.NodeName]
		if !ok {
			return nil, fmt.Errorf("pod %s is bound to node %q, which is not there", p.Name, p.Spec.NodeName)
		}
		n.Pods = append(n.Pods, p)
	}
	for _, p := range c.DaemonSetPods {
		owner := metav1.GetControllerOf(p)
		if owner == nil {
			return nil, fmt.Errorf("daemon pod %s has no controller", p.Name)
		}
		s.DaemonSets = append(s.DaemonSets, &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Name: owner.Name, Namespace: p.Namespace, UID: owner.UID},
			Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: p.Labels, Annotations: p.Annotations}, Spec: p.Spec}},
		})
	}
	return s, nil
}

// Groups returns the node groups of the case.
func (c *Case) Groups() []*packing.NodeGroup {
	groups := make([]*packing.NodeGroup, len(c.NodeGroups))
	for i, g := range c.NodeGroups {
		groups[i] = &packing.NodeGroup{Name: g.ID, MinSize: g.MinSize, MaxSize: g.MaxSize, TargetSize: g.TargetSize,
			Template: g.Template, Price: g.Price, Priority: g.Priority}
	}
	return groups
}

// Packer returns a packer with the groups and flags of the case, and further options.
func (c *Case) Packer(more ...clusterautoscaler.Option) (*clusterautoscaler.Packer, error) {
	var chain []clusterautoscaler.Expander
	for _, e := range strings.Split(c.Options.Expander, ",") {
		chain = append(chain, clusterautoscaler.Expander(e))
	}
	opts := append([]clusterautoscaler.Option{
		clusterautoscaler.WithExpander(chain...),
		clusterautoscaler.WithBalanceSimilarNodeGroups(c.Options.BalanceSimilarNodeGroups),
		clusterautoscaler.WithFastpathBinpacking(c.Options.FastpathBinpacking),
		clusterautoscaler.WithMaxNodesPerScaleUp(c.Options.MaxNodesPerScaleUp),
		clusterautoscaler.WithMaxNodesTotal(c.Options.MaxNodesTotal),
	}, more...)
	return clusterautoscaler.New(c.Groups(), opts...)
}
