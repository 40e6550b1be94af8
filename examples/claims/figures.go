package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/scenarios/replay"
)

// figure is a number of an outcome.
type figure struct {
	name  string
	value func(outcome) float64
	form  func(float64) string
}

// estimate is of the figure over seeds.
func (f *figure) estimate(outcomes []outcome) replay.Estimate {
	values := make([]float64, len(outcomes))
	for i, o := range outcomes {
		values[i] = f.value(o)
	}
	return replay.NewEstimate(values)
}

// Figures that claims ask for.
var (
	waitMean   = figure{"mean wait until bound", func(o outcome) float64 { return o.Wait.ToBound.Mean }, seconds}
	waitMedian = figure{"median wait until bound", func(o outcome) float64 { return o.Wait.ToBound.P50 }, seconds}
	waitP99    = figure{"p99", func(o outcome) float64 { return o.Wait.ToBound.P99 }, seconds}
	waitMax    = figure{"last pod bound after", func(o outcome) float64 { return o.Wait.ToBound.Max }, seconds}
	pending    = figure{"pod-seconds pending", func(o outcome) float64 { return o.Wait.PendingPodSeconds }, number}
	launched   = figure{"nodes launched", func(o outcome) float64 { return float64(o.Nodes.Launched) }, number}
	failures   = figure{"launches that failed", func(o outcome) float64 { return float64(o.Nodes.Failures()) }, number}
	cost       = figure{"cost", func(o outcome) float64 { return o.Cost.TotalUSD }, dollars}
	waste      = figure{"of it not requested", func(o outcome) float64 { return o.Cost.WasteUSD }, dollars}
	onDemand   = figure{"of it on demand", onDemandUSD, dollars}
	cpuUse     = figure{"CPU requested", func(o outcome) float64 { return o.Utilisation.CPU }, percent}
	memoryUse  = figure{"memory requested", func(o outcome) float64 { return o.Utilisation.Memory }, percent}
	evicted    = figure{"pods evicted", func(o outcome) float64 { return float64(o.Pods.Evicted) }, number}
	lost       = figure{"run time lost", func(o outcome) float64 { return o.Pods.LostSeconds }, seconds}
	interrupts = figure{"interruptions", func(o outcome) float64 { return float64(o.Nodes.Interruptions) }, number}
	types      = figure{"instance types used", func(o outcome) float64 { return float64(len(o.Cost.ByType)) }, number}
	deciding   = figure{"time spent deciding", func(o outcome) float64 { _, s := launchDecisions(o); return s }, seconds}
	decided    = figure{"loops or Solves that launched", func(o outcome) float64 { n, _ := launchDecisions(o); return n }, number}
)

func onDemandUSD(o outcome) float64 {
	for _, s := range o.Cost.ByCapacityType {
		if s.Name == requirements.CapacityTypeOnDemand {
			return s.USD
		}
	}
	return 0
}

// launchDecisions counts the decisions to launch nodes and adds up the seconds that they
// took. What is decided at one moment is one decision.
func launchDecisions(o outcome) (count, took float64) {
	last := time.Duration(-1)
	for _, d := range o.decisions {
		if (d.Kind == "launch" || d.Kind == "scale-up") && d.At != last {
			count, took, last = count+1, took+d.Took.Seconds(), d.At
		}
	}
	return count, took
}

// Forms of numbers.

func percent(x float64) string { return trimmed(100*x, 1) + "%" }

func points(x float64) string { return trimmed(100*x, 1) + " points" }

func dollars(x float64) string { return "$" + strconv.FormatFloat(x, 'f', 2, 64) }

func number(x float64) string { return trimmed(x, 1) }

// seconds prints a time: seconds below two minutes, then minutes and seconds, from two hours on hours.
func seconds(x float64) string {
	sign := ""
	if x < 0 {
		sign, x = "-", -x
	}
	switch {
	case x < 0.05:
		return "0 s"
	case x < 119.95:
		return sign + trimmed(x, 1) + " s"
	case x < 2*3600:
		whole := int(math.Round(x))
		return fmt.Sprintf("%s%d:%02d min", sign, whole/60, whole%60)
	}
	return sign + trimmed(x/3600, 1) + " h"
}

// trimmed prints a number with so many decimals at most, none if it is large.
func trimmed(x float64, decimals int) string {
	if math.Abs(x) >= 1000 {
		decimals = 0
	}
	s := strconv.FormatFloat(x, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// interval prints an estimate: its mean and, in brackets, the bounds of its interval.
func interval(e replay.Estimate, form func(float64) string) string {
	switch {
	case e.N < 2:
		return form(e.Mean) + " (one value)"
	case e.StdErr == 0:
		return form(e.Mean) + " (each time)"
	}
	return fmt.Sprintf("%s (%s to %s)", form(e.Mean), form(e.Low), form(e.High))
}

// plusMinus prints an estimate in a column: its mean and half of its interval.
func plusMinus(e replay.Estimate, form func(float64) string) string {
	if e.N < 2 || e.StdErr == 0 {
		return form(e.Mean)
	}
	return form(e.Mean) + " ± " + form((e.High-e.Low)/2)
}

// upper begins a sentence.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
