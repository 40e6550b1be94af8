package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/bench/internal/recorded"
	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/karpenter"
	"github.com/binwright/binwright/packing/requirements"
)

// sectionOrder is the order in which sections are compared: a later one follows
// from the earlier ones, so that the first difference is nearest to its cause.
var sectionOrder = []string{"budgets", "nodes", "totals", "order", "emptiness", "perNode", "multi", "single", "sequence"}

// compareConsolidation computes every section of a recorded consolidation and
// compares each with its recorded values.
func compareConsolidation(file []byte) (result, error) {
	f, err := recorded.ReadConsolidation(bytes.NewReader(file))
	if err != nil {
		return result{}, err
	}
	sections, err := consolidationSections(f.Input)
	if err != nil {
		return result{}, err
	}
	res := result{verdict: exact}
	if res.outcome, err = json.Marshal(sections); err != nil {
		return result{}, err
	}
	res.outcome = append(res.outcome, '\n')
	if f.Upstream == nil || len(f.Upstream.Sections) == 0 {
		res.verdict, res.difference = differs, nothingRecorded
		return res, nil
	}
	for _, name := range sectionOrder {
		want := f.Upstream.Sections[name]
		if want == nil {
			continue
		}
		got, err := json.Marshal(sections[name])
		if err != nil {
			return result{}, err
		}
		v, difference, err := compareSection(want, got)
		if err != nil {
			return result{}, fmt.Errorf("section %s: %w", name, err)
		}
		if v == differs && name == "order" && want.Distinct > 1 {
			if v, err = compareTies(want, sections["order"].([]string), sections["nodes"].([]nodeRow)); err != nil {
				return result{}, fmt.Errorf("section %s: %w", name, err)
			}
		}
		if v == differs && name == "sequence" && len(want.Variants) < want.Distinct && endsLikeRecorded(sections[name].(sequence), f.Upstream.SequenceEnds) {
			v = variant
		}
		if v == differs && want.Distinct > 1 && f.Upstream.Sections["order"].Distinct > 1 {
			if v, err = compareUnordered(want, got); err != nil {
				return result{}, fmt.Errorf("section %s: %w", name, err)
			}
		}
		if v == differs && want.Distinct > 1 {
			if v, err = compareLonger(file, name, got); err != nil {
				return result{}, fmt.Errorf("section %s: %w", name, err)
			}
		}
		if v == differs {
			return result{verdict: differs, difference: name + ": " + difference, outcome: res.outcome}, nil
		}
		res.verdict = max(res.verdict, v)
	}
	return res, nil
}

// compareLonger looks in a longer recording for a section that the case's own runs
// do not show.
func compareLonger(file []byte, section string, got []byte) (verdict, error) {
	more, err := longer("karpenter-consolidation", file)
	if err != nil || more == nil || more.Variants[section] == nil {
		return differs, err
	}
	theirs, err := identity(more.Variants[section])
	if err != nil {
		return differs, err
	}
	ours, err := identity(got)
	if err != nil || firstDifference("", theirs, ours) != "" {
		return differs, err
	}
	return variant, nil
}

// compareSection compares the identities of ours and of each recorded value.
func compareSection(want *recorded.ConsolidationSection, got []byte) (verdict, string, error) {
	ours, err := identity(got)
	if err != nil {
		return differs, "", err
	}
	first := ""
	for i, recordedValue := range want.Variants {
		theirs, err := identity(recordedValue.Value)
		if err != nil {
			return differs, "", err
		}
		if difference := firstDifference("", theirs, ours); difference == "" {
			if want.Distinct == 1 {
				return exact, "", nil
			}
			return variant, "", nil
		} else if i == 0 {
			first = difference
		}
	}
	return differs, first, nil
}

// compareTies accepts an order that differs from a recorded one only among
// candidates of equal savings ratio, which the original leaves to chance.
func compareTies(want *recorded.ConsolidationSection, ours []string, nodes []nodeRow) (verdict, error) {
	ratios := make(map[string]float64, len(nodes))
	for _, n := range nodes {
		ratios[n.Node] = n.SavingsRatio
	}
	for _, v := range want.Variants {
		var theirs []string
		if err := json.Unmarshal(v.Value, &theirs); err != nil {
			return differs, err
		}
		same := len(theirs) == len(ours)
		for i := 0; same && i < len(ours); i++ {
			same = ratios[theirs[i]] == ratios[ours[i]]
		}
		slices.Sort(theirs)
		if same && slices.Equal(theirs, slices.Sorted(slices.Values(ours))) {
			return variant, nil
		}
	}
	return differs, nil
}

// compareUnordered accepts commands on the same nodes in another order, where the
// order of candidates is left to chance.
func compareUnordered(want *recorded.ConsolidationSection, got []byte) (verdict, error) {
	ours, err := identity(got)
	if err != nil {
		return differs, err
	}
	sortCandidates(ours)
	for _, recordedValue := range want.Variants {
		theirs, err := identity(recordedValue.Value)
		if err != nil {
			return differs, err
		}
		sortCandidates(theirs)
		if firstDifference("", theirs, ours) == "" {
			return variant, nil
		}
	}
	return differs, nil
}

// sortCandidates sorts the candidates of every command in a decoded section.
func sortCandidates(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, field := range v {
			if names, ok := field.([]any); ok && key == "candidates" {
				slices.SortFunc(names, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
				continue
			}
			sortCandidates(field)
		}
	case []any:
		for i := range v {
			sortCandidates(v[i])
		}
	}
}

func endsLikeRecorded(s sequence, ends []recorded.SequenceEnd) bool {
	return slices.ContainsFunc(ends, func(e recorded.SequenceEnd) bool {
		return e.Steps == len(s.Steps) && e.End == s.End && e.FinalNodes == len(s.FinalNodes) && e.FinalHourlyPrice == s.FinalHourlyPrice
	})
}

// identity decodes a section and leaves out what is no part of its identity:
// texts, and the verdict of the validation that the original repeats later.
// Numbers are rounded to a billionth.
func identity(data []byte) (any, error) {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	return withoutTexts(v), nil
}

func withoutTexts(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, field := range v {
			switch key {
			case "text", "validation", "unconsolidatable":
				delete(v, key)
			case "blocked":
				v[key] = true
			default:
				v[key] = withoutTexts(field)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutTexts(v[i])
		}
	case float64:
		return math.Round(v*1e9) / 1e9
	}
	return v
}

// firstDifference names the first path at which two decoded values differ.
func firstDifference(path string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		keys := map[string]bool{}
		for k := range w {
			keys[k] = true
		}
		for k := range g {
			keys[k] = true
		}
		for _, k := range sorted(keys) {
			if d := firstDifference(path+"."+k, w[k], g[k]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		for i := range max(len(w), len(g)) {
			var a, b any
			if i < len(w) {
				a = w[i]
			}
			if i < len(g) {
				b = g[i]
			}
			if d := firstDifference(fmt.Sprintf("%s[%d]", path, i), a, b); d != "" {
				return d
			}
		}
		return ""
	default:
		if want == got {
			return ""
		}
	}
	return fmt.Sprintf("%s: recorded %s, ours %s", strings.TrimPrefix(path, "."), brief(want), brief(got))
}

func brief(v any) string {
	const most = 200
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > most {
		return string(b[:most]) + "..."
	}
	return string(b)
}

func sorted(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// The recorded form of each section.
type (
	nodeRow struct {
		Node                     string  `json:"node"`
		NodePool                 string  `json:"nodePool,omitempty"`
		Blocked                  string  `json:"blocked,omitempty"`
		Unconsolidatable         string  `json:"unconsolidatable,omitempty"`
		EmptinessCandidate       bool    `json:"emptinessCandidate,omitempty"`
		ConsolidationCandidate   bool    `json:"consolidationCandidate,omitempty"`
		Price                    float64 `json:"price"`
		DisruptionCost           float64 `json:"disruptionCost"`
		RescheduleDisruptionCost float64 `json:"rescheduleDisruptionCost"`
		SavingsRatio             float64 `json:"savingsRatio"`
		StateDisruptionCost      float64 `json:"stateDisruptionCost"`
	}
	poolTotals struct {
		TotalCost           float64 `json:"totalCost"`
		TotalDisruptionCost float64 `json:"totalDisruptionCost"`
	}
	command struct {
		Decision    string                  `json:"decision"`
		Candidates  []string                `json:"candidates,omitempty"`
		Replacement *replacement            `json:"replacement,omitempty"`
		Existing    []recorded.ExistingNode `json:"existing,omitempty"`
		Savings     float64                 `json:"savings"`
	}
	replacement struct {
		NodePool          string                 `json:"nodePool"`
		InstanceTypeCount int                    `json:"instanceTypeCount"`
		InstanceTypes     []string               `json:"instanceTypes,omitempty"`
		Requirements      []recorded.Requirement `json:"requirements,omitempty"`
		Cheapest          *recorded.Cheapest     `json:"cheapest"`
		Pods              []string               `json:"pods,omitempty"`
	}
	stayReason struct {
		Class string `json:"class"`
		Text  string `json:"text,omitempty"`
	}
	balancedScore struct {
		SavingsFraction    float64 `json:"savingsFraction"`
		DisruptionFraction float64 `json:"disruptionFraction"`
		Score              float64 `json:"score"`
		Threshold          float64 `json:"threshold"`
		Approved           bool    `json:"approved"`
	}
	perNode struct {
		Node             string         `json:"node"`
		Decision         string         `json:"decision"`
		Replacement      *replacement   `json:"replacement,omitempty"`
		Savings          float64        `json:"savings"`
		Reason           *stayReason    `json:"reason,omitempty"`
		CanPassThreshold *bool          `json:"canPassThreshold,omitempty"`
		Score            *balancedScore `json:"score,omitempty"`
	}
	step struct {
		Step   int    `json:"step"`
		Method string `json:"method"`
		command
		ReplacementName string   `json:"replacementName,omitempty"`
		MadePending     []string `json:"madePending,omitempty"`
		HourlyPrice     float64  `json:"hourlyPrice"`
	}
	finalNode struct {
		Node         string  `json:"node"`
		NodePool     string  `json:"nodePool,omitempty"`
		InstanceType string  `json:"instanceType"`
		Zone         string  `json:"zone"`
		CapacityType string  `json:"capacityType"`
		Price        float64 `json:"price"`
		Pods         int     `json:"pods"`
	}
	sequence struct {
		InitialHourlyPrice float64     `json:"initialHourlyPrice"`
		Steps              []step      `json:"steps"`
		End                string      `json:"end"`
		FinalNodes         []finalNode `json:"finalNodes"`
		FinalHourlyPrice   float64     `json:"finalHourlyPrice"`
		PendingPods        []string    `json:"pendingPods"`
	}
)

func micros(f float64) float64 { return math.Round(f*1e6) / 1e6 }

// consolidationSections computes ours in the recorded form.
func consolidationSections(c *recorded.ConsolidationCase) (map[string]any, error) {
	problem, err := c.Problem()
	if err != nil {
		return nil, err
	}
	packer, err := problem.Packer()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	found, err := packer.Consolidate(ctx, problem.Snapshot)
	if err != nil {
		return nil, err
	}
	converged, err := packer.Converge(ctx, problem.Snapshot)
	if err != nil {
		return nil, err
	}
	totals := map[string]poolTotals{}
	for pool, t := range found.Totals {
		totals[pool] = poolTotals{t.Cost, t.DisruptionCost}
	}
	order := []string{}
	for _, cand := range found.Order {
		order = append(order, cand.Node.Name)
	}
	emptiness := commandRow(found.Emptiness, true)
	slices.Sort(emptiness.Candidates)
	return map[string]any{
		"budgets": found.Budgets, "nodes": nodeRows(found), "totals": totals, "order": order,
		"emptiness": emptiness, "multi": commandRow(found.Multi, true), "single": commandRow(found.Single, true),
		"perNode": perNodeRows(found), "sequence": sequenceOf(problem, converged),
	}, nil
}

func nodeRows(found *karpenter.Consolidation) []nodeRow {
	rows := []nodeRow{}
	for _, cand := range found.Nodes {
		row := nodeRow{Node: cand.Node.Name, NodePool: cand.Node.NodePool(), Blocked: cand.Blocked, StateDisruptionCost: cand.StateCost}
		if cand.Blocked == "" {
			row.Unconsolidatable = cand.Excluded
			row.EmptinessCandidate, row.ConsolidationCandidate = cand.Empty, cand.Excluded == ""
			row.Price, row.DisruptionCost = cand.Price, cand.LifetimeCost
			row.RescheduleDisruptionCost, row.SavingsRatio = cand.DisruptionCost, cand.SavingsRatio()
		}
		rows = append(rows, row)
	}
	return rows
}

func commandRow(cmd *karpenter.Command, full bool) command {
	if cmd == nil {
		return command{Decision: "none"}
	}
	out := command{Decision: cmd.Decision(), Savings: micros(cmd.Savings)}
	for _, cand := range cmd.Candidates {
		out.Candidates = append(out.Candidates, cand.Node.Name)
	}
	out.Replacement = replacementRow(cmd.Replacement, full)
	for _, pl := range cmd.Placements {
		if len(pl.Pods) > 0 {
			out.Existing = append(out.Existing, recorded.ExistingNode{Node: pl.Node.Name, Pods: recorded.PodNames(pl.Pods)})
		}
	}
	slices.SortFunc(out.Existing, func(a, b recorded.ExistingNode) int { return strings.Compare(a.Node, b.Node) })
	return out
}

func replacementRow(l *packing.Launch, full bool) *replacement {
	if l == nil {
		return nil
	}
	row := &replacement{NodePool: l.Owner(), InstanceTypeCount: len(l.Options)}
	if l.InstanceType != nil {
		row.Cheapest = &recorded.Cheapest{InstanceType: l.InstanceType.Name, Zone: l.Zone, CapacityType: l.CapacityType, Price: l.Price}
	}
	if !full {
		return row
	}
	for _, t := range l.Options {
		row.InstanceTypes = append(row.InstanceTypes, t.Name)
	}
	slices.Sort(row.InstanceTypes)
	row.Requirements = recorded.ClaimRequirements(recorded.List(l.Requirements))
	row.Pods = recorded.PodNames(l.Pods)
	return row
}

func perNodeRows(found *karpenter.Consolidation) []perNode {
	rows := []perNode{}
	for _, v := range found.Verdicts {
		row := perNode{Node: v.Candidate.Node.Name, Decision: "none"}
		balanced := v.Candidate.Pool.Spec.Disruption.ConsolidationPolicy == karpenter.Balanced
		if balanced {
			row.CanPassThreshold = &v.CanPass
		}
		if v.Command == nil {
			row.Reason = &stayReason{Class: reasonClass(v.Reason), Text: v.Reason.Message}
		} else {
			row.Decision, row.Savings = v.Command.Decision(), micros(v.Command.Savings)
			row.Replacement = replacementRow(v.Command.Replacement, false)
			if balanced {
				s := v.Scores[0]
				row.Score = &balancedScore{s.SavingsFraction, s.DisruptionFraction, s.Value(), karpenter.BalancedThreshold, s.Approved()}
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func reasonClass(r karpenter.StayReason) string {
	switch r.Class {
	case karpenter.StayNeedsNodes, karpenter.StaySpotFlexibility:
		return fmt.Sprintf("%s:%d", r.Class, r.Count)
	default:
		return string(r.Class)
	}
}

func sequenceOf(problem *recorded.Problem, c *karpenter.Convergence) sequence {
	s := sequence{
		InitialHourlyPrice: micros(c.Before), FinalHourlyPrice: micros(c.After), End: string(c.End),
		Steps: []step{}, FinalNodes: []finalNode{}, PendingPods: recorded.PodNames(c.Final.Pods),
	}
	for i, st := range c.Steps {
		row := step{Step: i + 1, Method: st.Command.Method, command: commandRow(st.Command, true), HourlyPrice: micros(st.Price)}
		if st.Command.Method == "emptiness" {
			slices.Sort(row.Candidates)
		}
		if row.Replacement != nil {
			row.Replacement.InstanceTypes, row.Replacement.Requirements = nil, nil
		}
		if st.Node != nil {
			row.ReplacementName = st.Node.Name
		}
		if len(st.MadePending) > 0 {
			row.MadePending = recorded.PodNames(st.MadePending)
		}
		s.Steps = append(s.Steps, row)
	}
	for _, n := range c.Final.Nodes {
		row := finalNode{
			Node: n.Name, NodePool: n.NodePool(), InstanceType: n.Labels[corev1.LabelInstanceTypeStable],
			Zone: n.Labels[corev1.LabelTopologyZone], CapacityType: n.Labels[requirements.LabelCapacityType],
		}
		if t, ok := problem.Catalog.Lookup(row.InstanceType); ok {
			row.Price = offeringPrice(t, row.Zone, row.CapacityType)
		}
		for _, p := range n.Pods {
			if !slices.ContainsFunc(p.OwnerReferences, isDaemonSet) {
				row.Pods++
			}
		}
		s.FinalNodes = append(s.FinalNodes, row)
	}
	slices.SortFunc(s.FinalNodes, func(a, b finalNode) int { return strings.Compare(a.Node, b.Node) })
	return s
}

func offeringPrice(t *instancetypes.InstanceType, zone, capacityType string) float64 {
	for i := range t.Offerings {
		if o := &t.Offerings[i]; o.Zone() == zone && o.CapacityType() == capacityType {
			return o.Price
		}
	}
	return 0
}

func isDaemonSet(o metav1.OwnerReference) bool {
	return o.APIVersion == "apps/v1" && o.Kind == "DaemonSet"
}
