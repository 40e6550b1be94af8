package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/compare"
)

func TestSameComparison(t *testing.T) {
	var out bytes.Buffer
	if err := run(context.Background(), "batch-burst", &out); err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"karpenter", "cluster-autoscaler", "best-fit"} {
		if !regexp.MustCompile(`(?m)^ *` + engine + ` .* yes$`).MatchString(out.String()) {
			t.Errorf("no verified row of %s:\n%s", engine, out.String())
		}
	}
}

// On every embedded scenario the referee agrees with best fit, and no pod is lost.
func TestRefereeAgreesEverywhere(t *testing.T) {
	for _, name := range scenarios.Names() {
		scenario, err := scenarios.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := compare.Run(context.Background(), scenario, []compare.Engine{{Name: "best-fit", New: func(s *scenarios.Scenario) (packing.Packer, error) {
			return newBestFit(s.Catalog, s.NodePools)
		}}}, compare.WithRuns(1))
		if err != nil {
			t.Fatal(err)
		}
		if r := c.Results[0]; !r.Verified {
			t.Errorf("%s: %s %q", name, r.Error, r.Problems)
		}
	}
}

// Three pods of 6, 4 and 2 vCPU: the largest opens a node, the smaller ones go
// where the least is left.
func TestBestFit(t *testing.T) {
	scenario, err := scenarios.Named("dev-cluster")
	if err != nil {
		t.Fatal(err)
	}
	packer, err := newBestFit(scenario.Catalog, scenario.NodePools)
	if err != nil {
		t.Fatal(err)
	}
	s := &packing.Snapshot{}
	for i, cpu := range []string{"2", "6", "4", "5000"} {
		s.Pods = append(s.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("pod-", i)},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
			}}}},
		})
	}
	spread := s.Pods[0].DeepCopy()
	spread.Name = "spread"
	spread.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
		{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{}},
	}
	s.Pods = append(s.Pods, spread)

	plan, err := packer.Pack(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if first := plan.Launches[0].Pods[0].Name; first != "pod-1" {
		t.Errorf("the first pod placed is %s, want the largest, pod-1", first)
	}
	var left []string
	for _, u := range plan.Unschedulable {
		left = append(left, u.Pod.Name+" "+u.Reasons[0].Kind.String())
	}
	if got := strings.Join(left, ", "); got != "spread not supported, pod-3 refused" {
		t.Errorf("left: %s", got)
	}
	if v := packing.Verify(s, plan); len(v) > 0 {
		t.Errorf("violations: %v", v)
	}
}
