package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/binwright/binwright/bench/internal/recorded"
)

// compareKarpenter packs the case with package karpenter and compares the plan
// with what Karpenter decided.
func compareKarpenter(file []byte) (result, error) {
	f, err := recorded.Read(bytes.NewReader(file))
	if err != nil {
		return result{}, err
	}
	ours, err := packKarpenter(f.Input)
	if err != nil {
		return result{}, err
	}
	var printed bytes.Buffer
	if err := recorded.Write(&printed, ours); err != nil {
		return result{}, err
	}
	res := result{outcome: printed.Bytes(), verdict: differs}
	if f.Upstream == nil || len(f.Upstream.Exact) == 0 {
		res.difference = nothingRecorded
		return res, nil
	}
	classes, err := f.Input.RequestClasses()
	if err != nil {
		return result{}, err
	}
	key, shapeKey := ours.Key(), ours.Shape(classes).Key()
	known := slices.ContainsFunc(f.Upstream.Exact, func(v recorded.ExactVariant) bool { return v.Outcome.Key() == key })
	sameShape := slices.ContainsFunc(f.Upstream.Shapes, func(v recorded.ShapeVariant) bool { return v.Shape.Key() == shapeKey })
	switch {
	case known && f.Upstream.DistinctExact == 1:
		res.verdict = exact
	case sameShape && f.Upstream.DistinctShape == 1 && f.Upstream.DistinctExact > 1:
		res.verdict = shape
	case known:
		res.verdict = variant
	default:
		more, err := longer("karpenter", file)
		if err != nil {
			return result{}, err
		}
		if f.Upstream.DistinctExact > 1 && more != nil {
			var seen recorded.Outcome
			if err := json.Unmarshal(more.Variants["outcome"], &seen); err != nil {
				return result{}, err
			}
			if seen.Key() == key {
				res.verdict = variant
				return res, nil
			}
		}
		res.difference = recorded.Difference(&f.Upstream.Exact[0].Outcome, ours)
	}
	return res, nil
}

// packKarpenter runs our engine on a case.
func packKarpenter(c *recorded.Case) (*recorded.Outcome, error) {
	p, err := c.Problem()
	if err != nil {
		return nil, err
	}
	packer, err := p.Packer()
	if err != nil {
		return nil, err
	}
	plan, err := packer.Pack(context.Background(), p.Snapshot)
	if err != nil {
		return nil, err
	}
	outcome := recorded.FromPlan(plan)
	return outcome, outcome.CheckPods(c.Pods)
}
