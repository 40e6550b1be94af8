package main

import (
	"context"
	_ "unsafe" // for go:linkname

	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/noderesources"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/queuesort"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/tainttoleration"
	"k8s.io/utils/clock"
)

// The original's two timers. It runs them on goroutines of its own, which cannot be stepped through; so they are called
// by name instead, at the moments at which they would come.
//
//go:linkname flushBackoff k8s.io/kubernetes/pkg/scheduler/backend/queue.(*PriorityQueue).flushBackoffQCompleted
func flushBackoff(*queue.PriorityQueue, klog.Logger)

//go:linkname flushLeftover k8s.io/kubernetes/pkg/scheduler/backend/queue.(*PriorityQueue).flushUnschedulablePodsLeftover
func flushLeftover(*queue.PriorityQueue, klog.Logger)

// newQueue is the original's queue with the order of QueueSort and the hints of two plugins.
func newQueue(ctx context.Context, c clock.WithTicker) (*queue.PriorityQueue, error) {
	sorter, err := queuesort.New(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	hints, err := pluginHints(ctx)
	if err != nil {
		return nil, err
	}
	return queue.NewTestQueue(ctx, sorter.(fwk.QueueSortPlugin).Less, queue.WithClock(c), queue.WithQueueingHintMapPerProfile(hints)), nil
}

func pluginHints(ctx context.Context) (queue.QueueingHintMapPerProfile, error) {
	features := feature.Features{EnableSchedulingQueueHint: true}
	cpu := &config.ScoringStrategy{Type: config.LeastAllocated, Resources: []config.ResourceSpec{{Name: "cpu", Weight: 1}}}
	fit, err := noderesources.NewFit(ctx, &config.NodeResourcesFitArgs{ScoringStrategy: cpu}, nil, features)
	if err != nil {
		return nil, err
	}
	taints, err := tainttoleration.New(ctx, nil, nil, features)
	if err != nil {
		return nil, err
	}
	out := queue.QueueingHintMap{}
	for _, plugin := range []fwk.EnqueueExtensions{fit.(fwk.EnqueueExtensions), taints.(fwk.EnqueueExtensions)} {
		events, err := plugin.EventsToRegister(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			out[e.Event] = append(out[e.Event], &queue.QueueingHintFunction{PluginName: plugin.Name(), QueueingHintFn: e.QueueingHintFn})
		}
	}
	return queue.QueueingHintMapPerProfile{schedulerName: out}, nil
}
