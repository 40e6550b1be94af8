package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/binwright/binwright/packing/clusterautoscaler"
	"github.com/binwright/binwright/scenarios"
	"github.com/binwright/binwright/scenarios/replay"
)

//go:embed scenarios/*.yaml
var manifests embed.FS

// variant is one way in which a scenario is replayed.
type variant struct {
	// name stands for it in tables; of one scenario no two are alike.
	name string
	// files are embedded manifests, read as one scenario.
	files []string
	// autoscaler may depend on the seed.
	autoscaler func(seed uint64) replay.Autoscaler
	// adapt changes the configuration of the scenario, set the settings.
	adapt []func(*scenarios.Scenario)
	set   []func(*replay.Settings)
	// seeds is how many are replayed; 0: as many as the lab does.
	seeds int
}

// with returns the variant under another name with more changes to its scenario.
func (v variant) with(name string, adapt ...func(*scenarios.Scenario)) variant {
	v.name, v.adapt = name, append(v.adapt[:len(v.adapt):len(v.adapt)], adapt...)
	return v
}

// under returns the variant under another name with more changes to its settings.
func (v variant) under(name string, set ...func(*replay.Settings)) variant {
	v.name, v.set = name, append(v.set[:len(v.set):len(v.set)], set...)
	return v
}

// karpenterOn is Karpenter on a scenario.
func karpenterOn(files ...string) variant {
	return variant{name: "Karpenter", files: files, autoscaler: func(uint64) replay.Autoscaler { return replay.Karpenter() }}
}

// clusterAutoscalerOn is Cluster Autoscaler on a scenario. What it leaves to chance is drawn
// from the seed.
func clusterAutoscalerOn(files ...string) variant {
	return variant{name: "Cluster Autoscaler", files: files, autoscaler: func(seed uint64) replay.Autoscaler {
		return replay.ClusterAutoscaler(clusterautoscaler.WithSeed(seed))
	}}
}

// outcome is a replay with the decisions of its autoscaler.
type outcome struct {
	*replay.Result
	decisions []replay.Decision
}

// lab replays variants and keeps what came out, so that several questions may ask for the same.
type lab struct {
	seeds int
	// done is told of each replay; it may be nil.
	done     func(variant string, done, total int)
	loaded   map[string]*scenarios.Scenario
	measured map[string][]outcome
}

func newLab(seeds int) *lab {
	return &lab{seeds: seeds, loaded: map[string]*scenarios.Scenario{}, measured: map[string][]outcome{}}
}

// replay returns the outcomes of a variant in the order of seeds.
func (l *lab) replay(ctx context.Context, v variant) ([]outcome, error) {
	key := strings.Join(v.files, "+") + "/" + v.name
	if known := l.measured[key]; known != nil {
		return known, nil
	}
	scenario, err := l.scenario(v)
	if err != nil {
		return nil, err
	}
	seeds := v.seeds
	if seeds == 0 {
		seeds = l.seeds
	}
	outcomes := make([]outcome, seeds)
	progress := func(done, total int) {
		if l.done != nil {
			l.done(key, done, total)
		}
	}
	_, err = replay.Seeds(ctx, seeds, runtime.GOMAXPROCS(0), func(ctx context.Context, seed uint64) (*replay.Result, error) {
		o := &outcomes[seed-1]
		settings := replay.DefaultSettings("aws")
		settings.Seed, settings.Step = seed, 0
		settings.Observe = func(d replay.Decision) { o.decisions = append(o.decisions, d) }
		for _, set := range v.set {
			set(&settings)
		}
		result, err := replay.Run(ctx, scenario, v.autoscaler(seed), settings)
		o.Result = result
		return result, err
	}, progress)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	l.measured[key] = outcomes
	return outcomes, nil
}

// replayAll is replay for several variants.
func (l *lab) replayAll(ctx context.Context, variants ...variant) ([][]outcome, error) {
	all := make([][]outcome, len(variants))
	for i, v := range variants {
		var err error
		if all[i], err = l.replay(ctx, v); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// scenario reads the manifests of a variant and adapts them.
func (l *lab) scenario(v variant) (*scenarios.Scenario, error) {
	key := strings.Join(v.files, "+")
	s := l.loaded[key]
	if s == nil {
		var text bytes.Buffer
		for _, file := range v.files {
			document, err := manifests.ReadFile(path.Join("scenarios", file+".yaml"))
			if err != nil {
				return nil, err
			}
			text.WriteString("---\n")
			text.Write(document)
		}
		var err error
		if s, err = scenarios.Read(&text, key); err != nil {
			return nil, err
		}
		if len(s.Warnings) > 0 {
			return nil, fmt.Errorf("%s: %s", key, strings.Join(s.Warnings, "; "))
		}
		l.loaded[key] = s
	}
	adapted := *s
	for _, adapt := range v.adapt {
		adapt(&adapted)
	}
	return &adapted, nil
}

// namesOf are the names of variants, for tables.
func namesOf(variants []variant) []string {
	names := make([]string, len(variants))
	for i, v := range variants {
		names[i] = v.name
	}
	return names
}
