package main

import (
	"context"
	"encoding/json"

	"github.com/binwright/binwright/bench/internal/scaleup"
)

// compareClusterAutoscaler runs the case's loops with package clusterautoscaler
// and compares them with what Cluster Autoscaler did: exact if the whole outcome
// is the canonical one, variant if it is one of those recorded from runs with map order left alone.
func compareClusterAutoscaler(file []byte) (result, error) {
	c, err := scaleup.Read(file)
	if err != nil {
		return result{}, err
	}
	recorded, err := scaleup.ReadRecorded(file)
	if err != nil {
		return result{}, err
	}
	snapshot, err := c.Snapshot()
	if err != nil {
		return result{}, err
	}
	packer, err := c.Packer()
	if err != nil {
		return result{}, err
	}
	run, err := packer.Run(context.Background(), snapshot)
	if err != nil {
		return result{}, err
	}
	ours := scaleup.FromRun(run)
	out := result{verdict: differs}
	if out.outcome, err = json.MarshalIndent(ours, "", " "); err != nil {
		return result{}, err
	}
	out.outcome = append(out.outcome, '\n')
	out.difference = ours.Difference(&recorded.Canonical)
	if out.difference == "" {
		out.verdict = exact
		return out, nil
	}
	for i := range recorded.Variants {
		if ours.Difference(&recorded.Variants[i]) == "" {
			out.verdict, out.difference = variant, ""
			break
		}
	}
	return out, nil
}
