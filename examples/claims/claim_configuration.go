package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v2"

	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/replay"
)

// written is what a user writes and keeps for one autoscaler.
type written struct {
	objects int // NodePools, or node groups as the cloud has them
	fields  int // values, lists element by element
	lines   int // of YAML in block style, so that the style of the manifest does not count
}

// configured counts what a scenario of the library says to both autoscalers: its NodePools and
// spec.karpenter on one side, spec.nodeGroups and spec.clusterAutoscaler on the other.
func configured(name string) (karpenter, other written, err error) {
	text, err := scenarios.Manifests(name)
	if err != nil {
		return written{}, written{}, err
	}
	scenario, err := scenarios.Named(name)
	if err != nil {
		return written{}, written{}, err
	}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		if err := count(document, &karpenter, &other); err != nil {
			return written{}, written{}, fmt.Errorf("scenario %s: %w", name, err)
		}
	}
	karpenter.objects, other.objects = len(scenario.NodePools), len(scenario.NodeGroups)
	return karpenter, other, nil
}

// count adds what one document says to either.
func count(document []byte, karpenter, other *written) error {
	var object struct {
		Kind string
		Spec yaml.MapSlice
	}
	if err := yaml.Unmarshal(document, &object); err != nil {
		return err
	}
	switch object.Kind {
	case "NodePool":
		karpenter.fields++ // its name
		return karpenter.add(object.Spec)
	case "Scenario":
		for _, field := range object.Spec {
			var err error
			switch field.Key {
			case "karpenter":
				err = karpenter.add(field.Value)
			case "nodeGroups", "clusterAutoscaler":
				err = other.add(field.Value)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *written) add(value any) error {
	block, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	w.lines += strings.Count(string(block), "\n")
	w.fields += leaves(value)
	return nil
}

// leaves counts the values below a value.
func leaves(value any) int {
	n := 0
	switch v := value.(type) {
	case yaml.MapSlice:
		for _, field := range v {
			n += leaves(field.Value)
		}
	case []any:
		for _, element := range v {
			n += leaves(element)
		}
	default:
		return 1
	}
	return n
}

// configuration is claim 6. Its sample are the scenarios of the library.
func configuration(context.Context, *lab) (claim, error) {
	t := table{caption: "What the library's scenarios say to each", head: []string{"scenario", "NodePools", "their fields", "lines", "node groups", "their fields and flags", "lines"}}
	var fields, objects []float64
	var own, theirs written
	for _, name := range append(scenarios.Names(), scenarios.Timelines()...) {
		k, c, err := configured(name)
		if err != nil {
			return claim{}, err
		}
		row := []string{name}
		for _, n := range []int{k.objects, k.fields, k.lines, c.objects, c.fields, c.lines} {
			row = append(row, number(float64(n)))
		}
		t.rows = append(t.rows, row)
		fields = append(fields, saved(float64(k.fields), float64(c.fields)))
		objects = append(objects, saved(float64(k.objects), float64(c.objects)))
		own.fields, own.objects = own.fields+k.fields, own.objects+k.objects
		theirs.fields, theirs.objects = theirs.fields+c.fields, theirs.objects+c.objects
	}
	over := func(n int) string { return fmt.Sprintf("%d in all", n) }
	return claim{
		number: 6, title: "Simpler to configure",
		means: "There is less to write and to keep: fewer values, fewer objects.",
		predictions: []prediction{
			{says: "fewer values are written", karpenter: over(own.fields), other: over(theirs.fields), effect: replay.NewEstimate(fields), least: enough, form: percent},
			{says: "fewer objects are kept", karpenter: over(own.objects), other: over(theirs.objects), effect: replay.NewEstimate(objects), least: enough, form: percent},
		},
		tables: []table{t},
		notes: []string{fmt.Sprintf("Here intervals are over the %d scenarios, not over seeds. Counted by the program from the manifests: each value of NodePools and of Karpenter's settings, "+
			"each value of node groups and each flag of Cluster Autoscaler. A group for each zone is written once and kept once a zone. Both sides are to express the same policy.", len(fields)),
			"Not counted, since scenarios do not have it: an EC2NodeClass, the interruption queue and the controller's permissions for Karpenter; launch templates, Auto Scaling groups, their tags and a termination " +
				"handler for Cluster Autoscaler. How hard a value is to get right is not a number."},
	}, nil
}

// integration is claim 9.
func integration(context.Context, *lab) (claim, error) {
	return claim{
		number: 9, title: "Modern integration",
		means: "Karpenter fits better into current Kubernetes and cloud APIs.",
		notes: []string{"A replay can neither show nor refute this: it is about interfaces (custom resources against flags and tags), supported clouds, and how each is installed and upgraded, " +
			"none of which changes a decision here. What of it shows in decisions is under claims 3, 4 and 6."},
	}, nil
}
