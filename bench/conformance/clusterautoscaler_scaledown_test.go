package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScaleDownIsAsRecorded(t *testing.T) {
	for _, path := range goldens(t, "clusterautoscaler-scaledown") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			res, err := compareFile(compareScaleDown, path)
			if err != nil {
				t.Fatal(err)
			}
			if res.verdict != exact {
				t.Errorf("%s: %s", res.verdict, res.difference)
			}
		})
	}
}

// TestScaleDownComparisonSeesEveryField alters one recorded field after the other;
// each must be found to differ.
func TestScaleDownComparisonSeesEveryField(t *testing.T) {
	var path string
	for _, p := range goldens(t, "clusterautoscaler-scaledown") {
		if filepath.Base(p) == "mixed-1000.json" {
			path = p
		}
	}
	if path == "" {
		t.Skip("no recorded case mixed-1000")
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Upstream struct {
			Canonical json.RawMessage `json:"canonical"`
		} `json:"upstream"`
	}
	if err := json.Unmarshal(file, &recorded); err != nil {
		t.Fatal(err)
	}
	ours, err := runScaleDown(file)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(o *scaleDownOutcome){
		"deletions":   func(o *scaleDownOutcome) { o.Deletions[0].T++ },
		"final sizes": func(o *scaleDownOutcome) { o.Final["ng-a"]++ },
		"price":       func(o *scaleDownOutcome) { o.Price += 0.01 },
		"pending":     func(o *scaleDownOutcome) { o.Pending = append(o.Pending, "w0-0") },
		"candidates": func(o *scaleDownOutcome) {
			o.Loops[0].Candidates[0], o.Loops[0].Candidates[1] = o.Loops[0].Candidates[1], o.Loops[0].Candidates[0]
		},
		"utilization":  func(o *scaleDownOutcome) { o.Loops[0].Utilization["ng-b-0"] = [2]float64{0.25, 0.25} },
		"unneeded":     func(o *scaleDownOutcome) { o.Loops[0].Unneeded = o.Loops[0].Unneeded[1:] },
		"unremovable":  func(o *scaleDownOutcome) { delete(o.Loops[0].Unremovable, "NotUnderutilized") },
		"blocking pod": func(o *scaleDownOutcome) { o.Loops[0].Blocked["ng-b-2"] = "NotEnoughPdb default/w0-0" },
		"result":       func(o *scaleDownOutcome) { o.Loops[0].Result = "InCooldown" },
		"bound":        func(o *scaleDownOutcome) { o.Loops[6].Bound["w0-4"] = "ng-a-0" },
		"loops":        func(o *scaleDownOutcome) { o.Loops = o.Loops[:len(o.Loops)-1] },
		"something":    func(o *scaleDownOutcome) { o.Loops[3].T += 10 },
	} {
		var altered scaleDownOutcome
		if err := json.Unmarshal(recorded.Upstream.Canonical, &altered); err != nil {
			t.Fatal(err)
		}
		change(&altered)
		if got := ours.difference(&altered); !strings.Contains(got, want) {
			t.Errorf("%s altered: difference %q", want, got)
		}
	}
}
