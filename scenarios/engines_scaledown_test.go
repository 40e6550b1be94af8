package scenarios

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/packing/clusterautoscaler"
)

func TestScaleDownFlagsOfAScenario(t *testing.T) {
	s := DefaultClusterAutoscalerSettings()
	got, err := s.translateScaleDown()
	require.NoError(t, err)
	require.Equal(t, clusterautoscaler.DefaultScaleDown(), got, "both have the defaults of the original")

	s.ScaleDownEnabled = false
	s.ScaleDownUnneededTime.Duration = time.Minute
	s.MaxDrainParallelism = 5
	s.MinReplicaCount = 2
	s.CoresTotal, s.MemoryTotal = "8:100", "16:1000"
	got, err = s.translateScaleDown()
	require.NoError(t, err)
	want := clusterautoscaler.DefaultScaleDown()
	want.Enabled, want.MaxDrainParallelism, want.MinReplicaCount, want.CoresTotal, want.MemoryTotal = false, 5, 2, 8, 16
	want.Defaults.ScaleDownUnneededTime = time.Minute
	require.Equal(t, want, got)

	s.CoresTotal = "x:1"
	_, err = s.translateScaleDown()
	require.ErrorContains(t, err, "cores-total")
}
