// Package upstream runs the real Karpenter, sigs.k8s.io/karpenter v1.14.1, on
// Binwright's snapshots, so that the two can be compared decision by decision
// and timed side by side in one process.
//
// It is a module of its own: the library never depends on what it is measured
// against.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/events"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/logging"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	karpscheduling "sigs.k8s.io/karpenter/pkg/scheduling"
	nodepoolutils "sigs.k8s.io/karpenter/pkg/utils/nodepool"

	"github.com/binwright/binwright/bench/internal/recorded"
)

// Version is that of the Karpenter that is run.
const Version = "v1.14.1"

func init() { log.SetLogger(logging.NopLogger) }

// Run is one run of the original on a problem.
type Run struct {
	Outcome *recorded.Outcome
	// Setup is the time that NewTopology and NewScheduler took, Solve that of the
	// scheduling alone. Building the fake cluster is in neither.
	Setup, Solve time.Duration
}

// provider guards the variables by which a cloud provider tells Karpenter its
// labels. They are global, so runs are one at a time.
var provider sync.Mutex

var coreWellKnown = karpv1.WellKnownLabels.Clone()

// setProvider sets the labels of the problem's provider. AllowUndefinedWellKnownLabels
// reads the variable whenever it is used, so that setting it here takes effect.
func setProvider(p *recorded.Problem) {
	wellKnown := coreWellKnown.Clone()
	wellKnown.Insert(p.Catalog.Info().WellKnownLabels...)
	if p.Options.ReservationIDLabel != "" {
		wellKnown.Insert(p.Options.ReservationIDLabel)
	}
	karpv1.WellKnownLabels = wellKnown
	cloudprovider.ReservationIDLabel = p.Options.ReservationIDLabel
}

// settings returns a context with the operator's options as production has them:
// one CPU, which makes one worker.
func settings(ctx context.Context, o recorded.Options) (context.Context, error) {
	opts := &options.Options{
		BatchMaxDuration: 10 * time.Second, BatchIdleDuration: time.Second, CPURequests: 1000,
		PreferencePolicy: options.PreferencePolicyRespect, MinValuesPolicy: options.MinValuesPolicyStrict,
		IgnoreDRARequests: true,
		FeatureGates:      options.FeatureGates{ReservedCapacity: o.ReservedCapacity, SpotToSpotConsolidation: o.SpotToSpot},
	}
	switch o.PreferencePolicy {
	case "", "Respect":
	case "Ignore":
		opts.PreferencePolicy = options.PreferencePolicyIgnore
	default:
		return nil, fmt.Errorf("preferencePolicy %q: neither Respect nor Ignore", o.PreferencePolicy)
	}
	switch o.MinValuesPolicy {
	case "", "Strict":
	case "BestEffort":
		opts.MinValuesPolicy = options.MinValuesPolicyBestEffort
	default:
		return nil, fmt.Errorf("minValuesPolicy %q: neither Strict nor BestEffort", o.MinValuesPolicy)
	}
	return options.ToContext(injection.WithControllerName(ctx, "provisioner"), opts), nil
}

// schedulerOptions are those of Provisioner.Schedule.
func schedulerOptions(ctx context.Context) []scheduling.Options {
	opts := []scheduling.Options{
		scheduling.DisableReservedCapacityFallback,
		scheduling.NumConcurrentReconciles(1),
		scheduling.MinValuesPolicy(options.FromContext(ctx).MinValuesPolicy),
	}
	if options.FromContext(ctx).PreferencePolicy == options.PreferencePolicyIgnore {
		opts = append(opts, scheduling.IgnorePreferences)
	}
	return opts
}

// Solve does what one round of Karpenter's provisioner does (v1.14.1
// pkg/controllers/provisioning/provisioner.go, NewScheduler and Schedule) up to
// the creation of node claims, without its time-out. The problem is not changed.
func Solve(ctx context.Context, p *recorded.Problem) (*Run, error) {
	provider.Lock()
	defer provider.Unlock()
	setProvider(p)
	ctx, err := settings(ctx, p.Options)
	if err != nil {
		return nil, err
	}
	client, cluster, err := newCluster(ctx, p.Snapshot, p.NodePools)
	if err != nil {
		return nil, err
	}
	pools, err := nodePools(p.NodePools)
	if err != nil {
		return nil, err
	}
	pools = slices.DeleteFunc(pools, func(np *karpv1.NodePool) bool {
		return nodepoolutils.IsStatic(np) || np.DeletionTimestamp != nil
	})
	nodepoolutils.OrderByWeight(pools)
	typesOfPool := instanceTypesOf(p, pools)
	pods := copyPods(p.Snapshot.Pods)
	daemons := daemonPods(p.Snapshot)
	opts := schedulerOptions(ctx)
	nodes := cluster.DeepCopyNodes().Active()

	run := &Run{}
	began := time.Now()
	pods, volumes, refused, err := volumeRequirements(ctx, scheduling.NewVolumeTopology(client), pods)
	if err != nil {
		return nil, err
	}
	topology, err := scheduling.NewTopology(ctx, client, cluster, nodes, pools, typesOfPool, pods, opts...)
	if err != nil {
		return nil, err
	}
	scheduler := scheduling.NewScheduler(ctx, client, pools, cluster, nodes, topology, typesOfPool, daemons,
		events.NewRecorder(&record.FakeRecorder{}), clock.RealClock{}, volumes, nil, opts...)
	run.Setup = time.Since(began)

	began = time.Now()
	results, err := scheduler.Solve(ctx, pods)
	run.Solve = time.Since(began)
	if err != nil {
		return nil, err
	}
	run.Outcome = outcome(results.TruncateInstanceTypes(ctx, scheduling.MaxInstanceTypes), refused)
	if err := run.Outcome.CheckPods(p.Snapshot.Pods); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	return run, nil
}

// volumeRequirements returns the pods that take part, the zones that their
// volumes demand, and why the other pods are left out
// (Provisioner.Validate and getVolumeTopologyRequirements).
func volumeRequirements(ctx context.Context, topology *scheduling.VolumeTopology, pods []*corev1.Pod) (
	kept []*corev1.Pod, reqs map[types.UID][]karpscheduling.Requirements, refused map[string]string, err error,
) {
	reqs = map[types.UID][]karpscheduling.Requirements{}
	refused = map[string]string{}
	for _, pod := range pods {
		err := topology.ValidatePersistentVolumeClaims(ctx, pod)
		var alternatives []karpscheduling.Requirements
		if err == nil {
			alternatives, err = topology.GetRequirements(ctx, pod)
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
			return nil, nil, nil, err
		case err != nil:
			refused[pod.Namespace+"/"+pod.Name] = err.Error()
			continue
		case len(alternatives) > 0:
			reqs[pod.UID] = alternatives
		}
		kept = append(kept, pod)
	}
	return kept, reqs, refused, nil
}

func copyPods(pods []*corev1.Pod) []*corev1.Pod {
	out := make([]*corev1.Pod, len(pods))
	for i, p := range pods {
		out[i] = p.DeepCopy()
	}
	return out
}
