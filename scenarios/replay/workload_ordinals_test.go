package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The pods of a StatefulSet are replaced one at a time: at no moment are two of three missing,
// nor is there ever a fourth, since a successor has the name of the pod before it.
func TestStatefulSetIsUpdatedOneByOne(t *testing.T) {
	for _, a := range []Autoscaler{Karpenter(), ClusterAutoscaler()} {
		x := &stage{last: 25 * time.Minute}
		x.statefulSets = []string{"{name: db, rollouts: [10m]}"}
		x.objects = append(x.objects, `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: default}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: main, resources: {requests: {cpu: 500m, memory: 64Mi}}}]}
`)
		r, _ := x.play(t, a, func(s *Settings) { s.Step = 500 * time.Millisecond })
		missing := 0
		for _, s := range r.Series {
			if s.At < 10*time.Minute {
				continue
			}
			require.GreaterOrEqual(t, s.RunningPods, 2, "%v", s.At)
			require.LessOrEqual(t, s.RunningPods+s.PendingPods, 3, "%v", s.At)
			if s.RunningPods == 2 {
				missing++
			}
		}
		// Each stops for 5 s and starts for 4.
		require.InDelta(t, 3*(podStopTime+podStartTime).Seconds(), float64(missing)/2, 1.5)
		require.Equal(t, 6, r.Pods.Created)
		require.Equal(t, 3, r.Pods.Deleted)
		require.Equal(t, 3, r.Pods.RunningAtEnd)
	}
}
